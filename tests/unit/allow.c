/* Which certificates a rule allows: rules as they are written in the settings, certificates as plain data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/objects.h>

#include "gateway/allow.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEX          "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

#define CN(text)                                              \
	{                                                     \
		(char[]){"CN"}, (char[]){"2.5.4.3"}, (char[]) \
		{                                             \
			text                                  \
		}                                             \
	}
#define O(text)                                               \
	{                                                     \
		(char[]){"O"}, (char[]){"2.5.4.10"}, (char[]) \
		{                                             \
			text                                  \
		}                                             \
	}
#define OU(text)                                               \
	{                                                      \
		(char[]){"OU"}, (char[]){"2.5.4.11"}, (char[]) \
		{                                              \
			text                                   \
		}                                              \
	}
#define OWN(text)                                                                \
	{                                                                        \
		(char[]){"1.2.840.9999.1"}, (char[]){"1.2.840.9999.1"}, (char[]) \
		{                                                                \
			text                                                     \
		}                                                                \
	}

/* The settings of a file with these rules, each in quotes as YAML has them. */
static struct config *settings_of(const char *rules)
{
	struct thaw_error err = {0};
	char text[4096];
	int len = snprintf(
		text, sizeof(text),
		"hosts:\n- name: a\n  certificate: c\n  key: k\n  client_certificate: { ca: c, allow: [ %s ] }\n"
		"  routes: [ { path: /, upstream: 'builtin:sink' } ]\n",
		rules);
	struct config *config = config_parse(text, (size_t)len, "thaw.yaml", NULL, &err);
	if (config == NULL)
		fail_msg("%s", err.text);
	return config;
}

static bool allows(const char *rules, const struct tls_details *details)
{
	struct config *config = settings_of(rules);
	bool allowed = gw_allow(&config->hosts[0].routes[0].certificate, details, HEX);
	config_free(&config);
	return allowed;
}

struct expected {
	const char *rule;
	bool allowed;
};

static void assert_all(const struct expected *cases, size_t count, const struct tls_details *details)
{
	for (size_t i = 0; i < count; i++) {
		char quoted[1024];
		(void)snprintf(quoted, sizeof(quoted), "'%s'", cases[i].rule);
		if (allows(quoted, details) != cases[i].allowed)
			fail_msg("%s: %s", cases[i].rule, cases[i].allowed ? "not allowed" : "allowed");
	}
}

/* ---- names ---- */

static void names(void **state)
{
	(void)state;
	struct tls_attribute subject[] = {O("Example"), OU("one"), OU("two, or three"),
					  CN("a*b\\c"), OWN("x"),  CN("J\xC3\xBCrgen")},
			     issuer[] = {O("Example"), CN("the CA")};
	struct tls_details details = {.subject = {subject, COUNT(subject), true},
				      .issuer = {issuer, COUNT(issuer), true}};
	static const struct expected cases[] = {
		{"subject=O=Example", true},
		{"subject=O=example", false},
		{"subject=O=Exampl", false},
		{"subject=O=Examplee", false},
		{"subject=OU=Example", false},
		{"subject=o=Example", true},
		{"subject=2.5.4.10=Example", true},
		{"subject=2.5.4.1=Example", false},
		{"subject=1.2.840.9999.1=x", true},
		{"subject=1.2.840.9999.1=y", false},
		/* any order, each of them, one attribute of several */
		{"subject=OU=one,O=Example", true},
		{"subject=OU=two\\, or three,OU=one", true},
		{"subject=OU=two\\2C or three", true},
		{"subject=OU=two\\2c\\20or\\20three", true},
		{"subject=OU=one,O=Other", false},
		{"subject=OU=one+O=Example", true},
		{"subject=OU=one, O=Example,  CN=*", true},
		{"subject=C=*", false},
		/* stars and what is none */
		{"subject=CN=*", true},
		{"subject=CN=a*c", true},
		{"subject=CN=a\\2ab\\5cc", true},
		{"subject=CN=a\\*b\\\\c", true},
		{"subject=CN=a\\2ab", false},
		{"subject=CN=a\\2a*", true},
		{"subject=CN=a\\2ac", false},
		{"subject=O=*E*x*a*m*p*l*e*", true},
		{"subject=O=*mp*le", true},
		{"subject=O=*mp*l", false},
		{"subject=O=E**e", true},
		{"subject=O=E*E*e", false},
		{"subject=CN=J\xC3\xBCrgen", true},
		{"subject=CN=J\\C3\\BCrgen", true},
		{"subject=CN=J*rgen", true},
		/* the other name */
		{"issuer=CN=the CA", true},
		{"issuer=CN=the CA,O=Example", true},
		{"issuer=OU=one", false},
		{"subject=CN=the CA", false},
	};
	assert_all(cases, COUNT(cases), &details);
}

/* A rule's names are those that certificates are read with. */
static void every_known_type_is_one_of_openssl(void **state)
{
	(void)state;
	static const char *const types[] = {
		"CN",
		"O",
		"OU",
		"C",
		"L",
		"ST",
		"street",
		"DC",
		"UID",
		"SN",
		"GN",
		"initials",
		"title",
		"name",
		"serialNumber",
		"emailAddress",
		"generationQualifier",
		"dnQualifier",
		"pseudonym",
		"description",
		"postalCode",
		"businessCategory",
		"organizationIdentifier",
		"role",
		"jurisdictionC",
		"jurisdictionL",
		"jurisdictionST",
		"unstructuredName",
	};
	for (size_t i = 0; i < COUNT(types); i++) {
		char rule[128], oid[64];
		int nid = OBJ_sn2nid(types[i]);
		assert_int_not_equal(nid, NID_undef);
		assert_true(OBJ_obj2txt(oid, sizeof(oid), OBJ_nid2obj(nid), 1) > 0);
		struct tls_attribute attribute = {(char *)OBJ_nid2sn(nid), oid, (char[]){"x"}};
		struct tls_details details = {.subject = {&attribute, 1, true}};
		(void)snprintf(rule, sizeof(rule), "'subject=%s=x'", types[i]);
		assert_true(allows(rule, &details));
		(void)snprintf(rule, sizeof(rule), "'subject=%s=x'", oid);
		assert_true(allows(rule, &details));
	}
}

/* Stars against the plainest matcher that there is. */
static bool plainly(const char *rule, const char *text)
{
	if (*rule == '\0')
		return *text == '\0';
	if (*rule == '*')
		return plainly(rule + 1, text) || (*text != '\0' && plainly(rule, text + 1));
	return *rule == *text && plainly(rule + 1, text + 1);
}

static void numbered(unsigned number, const char *letters, size_t len, char *text)
{
	unsigned base = (unsigned)strlen(letters);
	for (size_t i = 0; i < len; i++, number /= base)
		text[i] = letters[number % base];
	text[len] = '\0';
}

static void stars_are_as_they_seem(void **state)
{
	(void)state;
	struct tls_attribute attribute = CN("");
	struct tls_details details = {.subject = {&attribute, 1, true}};
	char rule_text[16], value[16];
	struct config_test test = {.kind = CONFIG_TEST_SUBJECT, .text = rule_text};
	struct config_allow rule = {.tests = &test, .count = 1};
	struct config_certificate settings = {.allow = &rule, .allow_count = 1};
	attribute.value = value;
	(void)memcpy(rule_text, "CN=", 4);
	for (size_t rule_len = 1; rule_len <= 5; rule_len++)
		for (unsigned r = 0; r < 243 && (rule_len == 5 || r < (unsigned[]){1, 3, 9, 27, 81}[rule_len]); r++)
			for (size_t len = 0; len <= 6; len++)
				for (unsigned v = 0; v < 1u << len; v++) {
					numbered(r, "ab*", rule_len, rule_text + 3);
					numbered(v, "ab", len, value);
					if (gw_allow(&settings, &details, HEX) != plainly(rule_text + 3, value))
						fail_msg("%s and %s", rule_text, value);
				}
}

/* ---- alternative names ---- */

static void alternative_names(void **state)
{
	(void)state;
	struct tls_san sans[] = {
		{TLS_SAN_DNS, (char[]){"Api.svc.example"}},
		{TLS_SAN_DNS, (char[]){"deep.er.example"}},
		{TLS_SAN_EMAIL, (char[]){"Jane@mail.Example.org"}},
		{TLS_SAN_EMAIL, (char[]){"a@b@c.example"}},
		{TLS_SAN_URI, (char[]){"spiffe://example.org/ns/prod/sa/web"}},
		{TLS_SAN_IP, (char[]){"10.1.2.3"}},
		{TLS_SAN_IP, (char[]){"2001:db8::1"}},
	};
	struct tls_details details = {.sans = sans, .san_count = COUNT(sans)};
	static const struct expected cases[] = {
		{"san=dns:api.svc.example", true},
		{"san=dns:API.SVC.EXAMPLE", true},
		{"san=dns:*.svc.example", true},
		{"san=dns:*.example", false},
		{"san=dns:svc.example", false},
		{"san=dns:*.er.example", true},
		{"san=dns:*.api.svc.example", false},
		{"san=dns:10.1.2.3", false},
		{"san=email:Jane@mail.example.org", true},
		{"san=email:jane@mail.example.org", false},
		{"san=email:*@MAIL.example.ORG", true},
		{"san=email:*@example.org", false},
		{"san=email:*@*.example.org", true},
		{"san=email:J*@mail.example.org", true},
		{"san=email:a@c.example", false},
		{"san=email:a@b@c.example", true},
		{"san=email:a*@c.example", true},
		{"san=email:a@*.example", false},
		{"san=uri:spiffe://example.org/ns/prod/sa/web", true},
		{"san=uri:spiffe://example.org/ns/prod/sa/we", false},
		{"san=uri:spiffe://example.org/ns/*/sa/web", true},
		{"san=uri:spiffe://example.org/*/web", false},
		{"san=uri:spiffe://example.org/*", true},
		{"san=uri:spiffe://*/ns/*/sa/*", true},
		{"san=uri:spiffe://e*.org/*/p*d/s*/*b", true},
		{"san=uri:spiffe://*/*/*/*/*/*", false},
		{"san=uri:Spiffe://example.org/*", false},
		{"san=uri:spiffe:*", true},
		{"san=ip:10.1.2.3", true},
		{"san=ip:10.1.2.4", false},
		{"san=ip:10.0.0.0/8", true},
		{"san=ip:10.1.2.2/31", true},
		{"san=ip:10.1.2.0/31", false},
		{"san=ip:10.1.2.3/32", true},
		{"san=ip:10.1.3.0/24", false},
		{"san=ip:0.0.0.0/0", true},
		{"san=ip:2001:db8::1", true},
		{"san=ip:2001:DB8:0:0::1/128", true},
		{"san=ip:2001:db8::/33", true},
		{"san=ip:2001:db8:8000::/33", false},
		{"san=ip:fe80::/10", false},
	};
	assert_all(cases, COUNT(cases), &details);
	/* Families are apart. */
	details.sans = &sans[6];
	details.san_count = 1;
	assert_false(allows("'san=ip:0.0.0.0/0'", &details));
	assert_true(allows("'san=ip:::/0'", &details));
}

/* A star in a certificate is the CA's word for every such name; no rule for one name is met by it. */
static void a_star_in_a_certificate_matches_no_name(void **state)
{
	(void)state;
	struct tls_san sans[] = {{TLS_SAN_DNS, (char[]){"*.svc.example"}}};
	struct tls_details details = {.sans = sans, .san_count = 1};
	assert_false(allows("'san=dns:api.svc.example'", &details));
	assert_true(allows("'san=dns:*.svc.example'", &details));
}

/* ---- the others, and how rules go together ---- */

static void digests_and_usages(void **state)
{
	(void)state;
	char *ekus[] = {(char[]){"1.3.6.1.5.5.7.3.1"}, (char[]){"1.3.6.1.5.5.7.3.2"}};
	struct tls_details details = {.ekus = ekus, .eku_count = 2};
	static const struct expected cases[] = {
		{"sha256=" HEX, true},
		{"sha256=00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:"
		 "FF",
		 true},
		{"sha256=10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", false},
		{"eku=clientAuth", true},
		{"eku=1.3.6.1.5.5.7.3.1", true},
		{"eku=1.3.6.1.5.5.7.3", false},
		{"eku=codeSigning", false},
	};
	assert_all(cases, COUNT(cases), &details);
}

static void rules_are_alternatives_of_tests_together(void **state)
{
	(void)state;
	struct tls_attribute subject[] = {O("Example"), CN("a")};
	struct tls_details details = {.subject = {subject, 2, true}};
	static const struct expected cases[] = {
		{"subject=CN=a and subject=O=Example", true},
		{"subject=CN=a and subject=O=Other", false},
		{"subject=CN=a and sha256=" HEX " and subject=O=*", true},
		{"subject=CN=b", false},
	};
	assert_all(cases, COUNT(cases), &details);
	assert_true(allows("'subject=CN=b', 'subject=CN=a'", &details));
	assert_true(allows("'subject=CN=a', 'subject=CN=b'", &details));
	assert_false(allows("'subject=CN=b', 'subject=CN=a and eku=clientAuth'", &details));
}

static void nothing_is_met_by_nothing(void **state)
{
	(void)state;
	struct tls_details nobody = {0};
	struct config_certificate open = {0};
	static const struct expected cases[] = {
		{"subject=CN=*", false}, {"issuer=CN=*", false}, {"san=dns:*.a", false},      {"san=email:*@*", false},
		{"san=uri:a:*", false},  {"san=ip:::/0", false}, {"san=ip:0.0.0.0/0", false}, {"eku=1.2", false},
	};
	assert_all(cases, COUNT(cases), &nobody);
	/* No rules at all: every certificate that was verified. */
	assert_true(gw_allow(&open, &nobody, HEX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(every_known_type_is_one_of_openssl),
		cmocka_unit_test(stars_are_as_they_seem),
		cmocka_unit_test(alternative_names),
		cmocka_unit_test(a_star_in_a_certificate_matches_no_name),
		cmocka_unit_test(digests_and_usages),
		cmocka_unit_test(rules_are_alternatives_of_tests_together),
		cmocka_unit_test(nothing_is_met_by_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
