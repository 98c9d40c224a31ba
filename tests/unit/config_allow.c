/* The rules of `allow` and the sets of `identity`: what is read of them, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEX          "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define LABEL        "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk" /* 63 */

/* ---- allocations that fail on demand (the linker's --wrap, of our own code only) ---- */

static unsigned long fail_at, allocations;

#define WRAPPED(result, name, parameters, arguments)                              \
	result __real_##name parameters;                                          \
	result __wrap_##name parameters;                                          \
	result __wrap_##name parameters                                           \
	{                                                                         \
		return ++allocations == fail_at ? NULL : __real_##name arguments; \
	}

WRAPPED(void *, malloc, (size_t size), (size))
WRAPPED(void *, calloc, (size_t count, size_t size), (count, size))
WRAPPED(char *, strdup, (const char *text), (text))
WRAPPED(char *, strndup, (const char *text, size_t len), (text, len))

/* ---- */

/* A file whose host has these keys of client_certificate; its routes say what they say. */
static struct config *parse(const char *rules, const char *host_more, const char *routes, struct thaw_error *err)
{
	char text[8192];
	int len = snprintf(
		text, sizeof(text),
		"hosts:\n- name: a\n  certificate: c\n  key: k\n%s  client_certificate: { ca: c%s%s%s }\n  routes:\n%s",
		host_more, rules != NULL ? ", allow: [ " : "", rules != NULL ? rules : "", rules != NULL ? " ]" : "",
		routes);
	assert_in_range(len, 1, sizeof(text) - 1);
	return config_parse(text, (size_t)len, "f", NULL, err);
}

#define PLAIN "  - { path: /, upstream: 'builtin:sink' }\n"

static struct config *good(const char *rules, const char *host_more, const char *routes)
{
	struct thaw_error err = {0};
	struct config *config = parse(rules, host_more, routes, &err);
	if (config == NULL)
		fail_msg("%s", err.text);
	return config;
}

/* ---- what is read ---- */

static void a_test_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *rule;
		enum config_test_kind kind;
		const char *text;
	} cases[] = {
		{"subject=CN=*,O=Example", CONFIG_TEST_SUBJECT, "CN=*,O=Example"},
		{"subject=cn=a, o=b+C=DE", CONFIG_TEST_SUBJECT, "cn=a, o=b+C=DE"},
		{"subject=CN=a\\,b\\2C\\*\\2a\\ ", CONFIG_TEST_SUBJECT, "CN=a\\,b\\2C\\*\\2a\\ "},
		{"subject=CN=a=b", CONFIG_TEST_SUBJECT, "CN=a=b"},
		{"subject=CN=Rock\\20and Roll", CONFIG_TEST_SUBJECT, "CN=Rock\\20and Roll"},
		{"issuer=2.5.4.3=x,1.2.840.9999.1=y", CONFIG_TEST_ISSUER, "2.5.4.3=x,1.2.840.9999.1=y"},
		{"subject=CN=J\xC3\xBCrgen", CONFIG_TEST_SUBJECT, "CN=J\xC3\xBCrgen"},
		{"san=dns:*.svc.example", CONFIG_TEST_SAN_DNS, "*.svc.example"},
		{"san=dns:a_b-c", CONFIG_TEST_SAN_DNS, "a_b-c"},
		{"san=dns:" LABEL ".a", CONFIG_TEST_SAN_DNS, LABEL ".a"},
		{"san=email:*@example.org", CONFIG_TEST_SAN_EMAIL, "*@example.org"},
		{"san=uri:spiffe://a/*", CONFIG_TEST_SAN_URI, "spiffe://a/*"},
		{"san=uri:a+b-c.1:x", CONFIG_TEST_SAN_URI, "a+b-c.1:x"},
		{"san=ip:10.0.0.0/8", CONFIG_TEST_SAN_IP, "10.0.0.0/8"},
		{"san=ip:0.0.0.0/0", CONFIG_TEST_SAN_IP, "0.0.0.0/0"},
		{"san=ip:10.1.2.3", CONFIG_TEST_SAN_IP, "10.1.2.3"},
		{"san=ip:10.1.2.3/32", CONFIG_TEST_SAN_IP, "10.1.2.3/32"},
		{"san=ip:2001:db8::/33", CONFIG_TEST_SAN_IP, "2001:db8::/33"},
		{"san=ip:2001:db8:8000::/33", CONFIG_TEST_SAN_IP, "2001:db8:8000::/33"},
		{"sha256=" HEX, CONFIG_TEST_SHA256, HEX},
		{"sha256=0011:2233445566778899AABBccddeeff00112233445566778899aabbccddeeFF", CONFIG_TEST_SHA256, HEX},
		{"eku=clientAuth", CONFIG_TEST_EKU, "1.3.6.1.5.5.7.3.2"},
		{"eku=smartcardLogon", CONFIG_TEST_EKU, "1.3.6.1.4.1.311.20.2.2"},
		{"eku=1.2.0.3", CONFIG_TEST_EKU, "1.2.0.3"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char quoted[512];
		(void)snprintf(quoted, sizeof(quoted), "'%s'", cases[i].rule);
		struct config *config = good(quoted, "", PLAIN);
		const struct config_certificate *settings = &config->hosts[0].routes[0].certificate;
		assert_int_equal(settings->allow_count, 1);
		assert_string_equal(settings->allow[0].text, cases[i].rule);
		assert_int_equal(settings->allow[0].count, 1);
		assert_int_equal(settings->allow[0].tests[0].kind, cases[i].kind);
		assert_string_equal(settings->allow[0].tests[0].text, cases[i].text);
		config_free(&config);
	}
}

static void tests_are_joined(void **state)
{
	(void)state;
	struct config *config = good("'subject=CN=a and san=dns:b and eku=clientAuth', 'issuer=O=c'", "", PLAIN);
	const struct config_certificate *settings = &config->hosts[0].routes[0].certificate;
	assert_int_equal(settings->allow_count, 2);
	assert_int_equal(settings->allow[0].count, 3);
	assert_string_equal(settings->allow[0].tests[0].text, "CN=a");
	assert_string_equal(settings->allow[0].tests[1].text, "b");
	assert_int_equal(settings->allow[0].tests[2].kind, CONFIG_TEST_EKU);
	assert_int_equal(settings->allow[1].tests[0].kind, CONFIG_TEST_ISSUER);
	config_free(&config);
}

static void a_route_has_its_own_or_its_hosts(void **state)
{
	(void)state;
	struct config *config =
		good("'eku=1.1', 'eku=1.2'", "",
		     "  - { path: /, upstream: 'builtin:sink' }\n"
		     "  - { path: /b, upstream: 'builtin:sink', client_certificate: { when: request } }\n"
		     "  - { path: /c, upstream: 'builtin:sink', client_certificate: { allow: [ 'eku=1.3' ] } }\n");
	const struct config_host *host = &config->hosts[0];
	assert_int_equal(host->client_certificate.allow_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct config_certificate *inherited = &host->routes[i].certificate;
		assert_int_equal(inherited->allow_count, 2);
		assert_string_equal(inherited->allow[0].text, "eku=1.1");
		assert_string_equal(inherited->allow[1].tests[0].text, "1.2");
		assert_ptr_not_equal(inherited->allow, host->client_certificate.allow);
	}
	assert_int_equal(host->routes[2].certificate.allow_count, 1);
	assert_string_equal(host->routes[2].certificate.allow[0].text, "eku=1.3");
	config_free(&config);
	config = good(NULL, "", PLAIN);
	assert_int_equal(config->hosts[0].routes[0].certificate.allow_count, 0);
	assert_int_equal(config->hosts[0].identity, 0);
	config_free(&config);
}

static void sets_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned sets;
	} cases[] = {
		{"  identity: [ rfc9440 ]\n", CONFIG_IDENTITY_RFC9440},
		{"  identity: [ xfcc ]\n", CONFIG_IDENTITY_XFCC},
		{"  identity: [ nginx, rfc9440 ]\n", CONFIG_IDENTITY_NGINX | CONFIG_IDENTITY_RFC9440},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config *config = good(NULL, cases[i].text, PLAIN);
		assert_int_equal(config->hosts[0].identity, cases[i].sets);
		config_free(&config);
	}
}

/* ---- what is refused ---- */

static void refused(const char *rules, const char *host_more, const char *begins, const char *has)
{
	struct thaw_error err = {0};
	struct config *config = parse(rules, host_more, PLAIN, &err);
	if (config != NULL) {
		config_free(&config);
		fail_msg("accepted: %s%s", host_more, rules != NULL ? rules : "");
	}
	assert_int_equal(err.cls, THAW_ERR_CONFIG);
	if (strncmp(err.text, begins, strlen(begins)) != 0 || strstr(err.text, has) == NULL)
		fail_msg("%s\nexpected: %s... %s", err.text, begins, has);
}

#define NO_NAME   "is no name of the form TYPE=VALUE,TYPE=VALUE"
#define NO_DNS    "is no DNS name with, perhaps, '*.' in front"
#define NO_ESCAPE "has a backslash that is followed neither by two hexadecimal digits nor by"
#define NO_EKU    "is neither a dotted OID nor one of clientAuth"
#define NO_TYPE   "has a type that is not known; it may be CN, O, OU,"

static void a_bad_rule_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *rule, *why;
	} cases[] = {
		{"CN=a", "has no 'subject=' or 'issuer=' before it"},
		{"O=Example", "has no 'subject=' or 'issuer=' before it"},
		{"/O=Example/CN=a", "is a name in an old form"},
		{"Subject=CN=a", "is not understood"},
		{"san=other:a", "is not understood"},
		{"sha1=00", "is not understood"},
		{"subject=CN=a and ", "is not understood"},
		{"subject=CN=a  and eku=1.2", "has a value that ends in a blank; write \\20"},
		{"subject=CN=Rock and Roll", "is not understood"},
		{"subject=CN", NO_NAME},
		{"subject==a", NO_NAME},
		{"subject=CN=a,", NO_NAME},
		{"subject=CN=a,,O=b", NO_NAME},
		{"subject=C N=a", NO_NAME},
		{"subject=CM=a", NO_TYPE},
		{"subject=OID.2.5.4.3=a", NO_TYPE},
		{"subject=2=a", NO_TYPE},
		{"subject=2.05=a", NO_TYPE},
		{"subject=2.5.=a", NO_TYPE},
		{"subject=CN=", "has an empty value"},
		{"subject=CN=+O=b", "has an empty value"},
		{"subject=CN= a", "begins with a blank or a '#'"},
		{"subject=CN=#0C0161", "begins with a blank or a '#'"},
		{"subject=CN=a ,O=b", "ends in a blank"},
		{"subject=CN=a\\\\ ,O=b", "ends in a blank"},
		{"subject=CN=a\"b", "without a backslash in front"},
		{"subject=CN=a;O=b", "without a backslash in front"},
		{"subject=CN=<a>", "without a backslash in front"},
		{"subject=CN=a\\", "ends in a backslash"},
		{"subject=CN=a\\b", NO_ESCAPE},
		{"subject=CN=a\\2", NO_ESCAPE},
		{"subject=CN=a\\2g", NO_ESCAPE},
		{"subject=CN=a\\00", "has a NUL in it"},
		{"san=dns:*", NO_DNS},
		{"san=dns:*.", NO_DNS},
		{"san=dns:a.*.b", NO_DNS},
		{"san=dns:a*.b", NO_DNS},
		{"san=dns:*.*.b", NO_DNS},
		{"san=dns:.a", NO_DNS},
		{"san=dns:a.", NO_DNS},
		{"san=dns:a..b", NO_DNS},
		{"san=dns:a b", NO_DNS},
		{"san=dns:" LABEL "x.a", NO_DNS},
		{"san=dns:" LABEL "." LABEL "." LABEL "." LABEL, "is too long for a DNS name"},
		{"san=email:a", "is no address of the form LOCAL@DOMAIN"},
		{"san=email:@b", "is no address of the form LOCAL@DOMAIN"},
		{"san=email:a@", "is no address of the form LOCAL@DOMAIN"},
		{"san=email:\xC3\xBC@b", "has more than printable ASCII"},
		{"san=uri:*", "is no URI with its scheme"},
		{"san=uri:*://a", "is no URI with its scheme"},
		{"san=uri://a", "is no URI with its scheme"},
		{"san=uri:spiffe:", "is no URI with its scheme"},
		{"san=uri:a:b c", "has a blank, or more than printable ASCII"},
		{"san=uri:a:\xC3\xBC", "has a blank, or more than printable ASCII"},
		{"san=ip:10.0.0", "is no address"},
		{"san=ip:10.0.0.0.0", "is no address"},
		{"san=ip:*", "is no address"},
		{"san=ip:/8", "is no address"},
		{"san=ip:1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111", "is no address"},
		{"san=ip:10.0.0.0/", "has no valid length of a network"},
		{"san=ip:10.0.0.0/33", "has no valid length of a network"},
		{"san=ip:10.0.0.0/08", "has no valid length of a network"},
		{"san=ip:10.0.0.0/255.0.0.0", "has no valid length of a network"},
		{"san=ip:::/129", "has no valid length of a network"},
		{"san=ip:10.0.0.1/8", "has bits set behind the length of its network"},
		{"san=ip:10.128.0.0/8", "has bits set behind the length of its network"},
		{"san=ip:2001:db8:8000::/32", "has bits set behind the length of its network"},
		{"sha256=", "is empty"},
		{"sha256=::", "has not 64 hexadecimal digits"},
		{"sha256=" HEX "0", "has not 64 hexadecimal digits"},
		{"sha256=" HEX " ", "is not hexadecimal"},
		{"eku=clientauth", NO_EKU},
		{"eku=1", NO_EKU},
		{"eku=1.", NO_EKU},
		{"eku=.1", NO_EKU},
		{"eku=1..2", NO_EKU},
		{"eku=1.02", NO_EKU},
		{"eku=1.2 ", NO_EKU},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char quoted[512];
		(void)snprintf(quoted, sizeof(quoted), "'eku=1.2', '%s'", cases[i].rule);
		refused(quoted, "", "f:5: key 'hosts[0].client_certificate.allow[1]': '", cases[i].why);
	}
}

static void what_is_too_much_is_refused(void **state)
{
	(void)state;
	char rule[4096] = "'eku=1.2";
	for (int i = 1; i < 8; i++)
		(void)strncat(rule, " and eku=1.2", sizeof(rule) - strlen(rule) - 1);
	(void)strncat(rule, "'", sizeof(rule) - strlen(rule) - 1);
	struct config *config = good(rule, "", PLAIN);
	assert_int_equal(config->hosts[0].routes[0].certificate.allow[0].count, 8);
	config_free(&config);
	rule[strlen(rule) - 1] = '\0';
	(void)strncat(rule, " and eku=1.2'", sizeof(rule) - strlen(rule) - 1);
	refused(rule, "", "f:5: key 'hosts[0].client_certificate.allow[0]': ", "the rule has more than 8 tests");
	(void)memset(rule, 'a', sizeof(rule));
	(void)memcpy(rule, "'subject=CN=", 12);
	(void)strcpy(rule + 2049, "'");
	config = good(rule, "", PLAIN);
	config_free(&config);
	(void)strcpy(rule + 2049, "a'");
	refused(rule, "", "f:5: key 'hosts[0].client_certificate.allow[0]': ", "the rule is too long");
}

static void bad_shapes_are_refused(void **state)
{
	(void)state;
	refused("", "", "f:5: key 'hosts[0].client_certificate.allow': ", "the list is empty");
	refused("[ 'eku=1.2' ]", "", "f:5: key 'hosts[0].client_certificate.allow[0]': ", "a list is not allowed here");
	refused("''", "", "f:5: key 'hosts[0].client_certificate.allow[0]': ", "no value is given");
	refused(NULL, "  identity: []\n", "f:5: key 'hosts[0].identity': ", "the list is empty");
	refused(NULL, "  identity: xfcc\n",
		"f:5: key 'hosts[0].identity': ", "allowed: a list of rfc9440, rfc9440-leaf, xfcc, nginx");
	refused(NULL, "  identity: [ XFCC ]\n",
		"f:5: key 'hosts[0].identity[0]': ", "allowed: rfc9440, rfc9440-leaf, xfcc, nginx");
	refused(NULL, "  identity: [ xfcc, nginx, xfcc ]\n", "f:5: key 'hosts[0].identity[2]': ", "is there twice");
}

/* ---- want of memory ---- */

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	unsigned long refusals = 0;
	for (unsigned long n = 1;; n++) {
		struct thaw_error err = {0};
		fail_at = allocations + n;
		struct config *config = parse(
			"'subject=CN=a and eku=clientAuth', 'sha256=" HEX "'", "  identity: [ xfcc ]\n",
			PLAIN
			"  - { path: /b, upstream: 'builtin:sink', client_certificate: { allow: [ 'san=ip:::1' ] } }\n",
			&err);
		bool over = allocations < fail_at;
		fail_at = 0;
		assert_true((config == NULL) == (err.cls != THAW_ERR_NONE));
		if (config == NULL)
			assert_int_equal(err.cls, THAW_ERR_RESOURCE);
		else
			assert_int_equal(config->hosts[0].routes[0].certificate.allow_count, 2);
		refusals += config == NULL;
		config_free(&config);
		if (over)
			break;
	}
	assert_true(refusals > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_test_is_read),
		cmocka_unit_test(tests_are_joined),
		cmocka_unit_test(a_route_has_its_own_or_its_hosts),
		cmocka_unit_test(sets_are_read),
		cmocka_unit_test(a_bad_rule_is_refused),
		cmocka_unit_test(what_is_too_much_is_refused),
		cmocka_unit_test(bad_shapes_are_refused),
		cmocka_unit_test(every_failed_allocation_is_survived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
