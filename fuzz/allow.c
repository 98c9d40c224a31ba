/*
 * Every rule is refused with a message, or a certificate can satisfy it: a certificate with exactly the rule's values,
 * and nothing for its stars, is allowed, and is not allowed after one value is changed.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/allow.h"
#include "holds.h"

#define RULE_MAX   4096
#define PARTS_MAX  1024
#define OTHER_HASH "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A certificate being built; its strings are pieces of memory. */
struct built {
	struct tls_attribute subject[PARTS_MAX], issuer[PARTS_MAX];
	struct tls_san sans[PARTS_MAX];
	char *ekus[PARTS_MAX];
	char *memory[4 * PARTS_MAX];
	size_t memory_count;
	struct tls_details details;
	const char *hash;
};

static char *keep(struct built *built, const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	HOLDS(copy != NULL && built->memory_count < 4 * PARTS_MAX);
	memcpy(copy, text, len);
	copy[len] = '\0';
	built->memory[built->memory_count++] = copy;
	return copy;
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* Decodes RFC 4514 text, without its stars, in place. */
static void plain(char *text)
{
	char *to = text;
	for (; *text != '\0'; text++) {
		if (*text == '*')
			continue;
		if (*text == '\\' && text[1] != '\0') {
			text++;
			if (strchr("0123456789abcdefABCDEF", *text) != NULL) {
				HOLDS(text[1] != '\0' && strchr("0123456789abcdefABCDEF", text[1]) != NULL);
				*to++ = (char)(digit(text[0]) << 4 | digit(text[1]));
				text++;
				continue;
			}
		}
		*to++ = *text;
	}
	*to = '\0';
}

static void add_name(struct built *built, struct tls_attribute *attributes, size_t *count, const char *rule)
{
	while (*rule != '\0') {
		const char *equals = strchr(rule, '=');
		HOLDS(equals != NULL && equals != rule && *count < PARTS_MAX);
		const char *end = equals + 1;
		while (*end != '\0' && *end != ',' && *end != '+')
			end += *end == '\\' ? 2 : 1;
		struct tls_attribute *next = &attributes[(*count)++];
		next->type = next->oid = keep(built, rule, (size_t)(equals - rule));
		next->value = keep(built, equals + 1, (size_t)(end - equals - 1));
		HOLDS(next->value[0] != '\0');
		plain(next->value);
		rule = *end != '\0' ? end + 1 : end;
		while (*rule == ' ')
			rule++;
	}
}

static void without_stars(char *text)
{
	char *to = text;
	for (; *text != '\0'; text++)
		if (*text != '*')
			*to++ = *text;
	*to = '\0';
}

static void add_san(struct built *built, enum tls_san_kind kind, const char *rule)
{
	struct tls_san *san = &built->sans[built->details.san_count++];
	san->kind = kind;
	san->text = keep(built, rule, kind == TLS_SAN_IP ? strcspn(rule, "/") : strlen(rule));
	if (kind == TLS_SAN_DNS && san->text[0] == '*') {
		san->text[0] = 'x';
		HOLDS(strchr(san->text, '*') == NULL);
	} else if (kind == TLS_SAN_IP) {
		char text[INET6_ADDRSTRLEN];
		uint8_t bytes[16];
		int family = strchr(san->text, ':') != NULL ? AF_INET6 : AF_INET;
		HOLDS(inet_pton(family, san->text, bytes) == 1);
		san->text = keep(built, inet_ntop(family, bytes, text, sizeof(text)), strlen(text));
	} else {
		without_stars(san->text);
	}
}

static void add_test(struct built *built, const struct config_test *test)
{
	struct tls_details *details = &built->details;
	HOLDS(test->text != NULL && test->text[0] != '\0');
	switch (test->kind) {
	case CONFIG_TEST_SUBJECT:
		add_name(built, built->subject, &details->subject.count, test->text);
		break;
	case CONFIG_TEST_ISSUER:
		add_name(built, built->issuer, &details->issuer.count, test->text);
		break;
	case CONFIG_TEST_SAN_DNS:
	case CONFIG_TEST_SAN_EMAIL:
	case CONFIG_TEST_SAN_URI:
	case CONFIG_TEST_SAN_IP:
		add_san(built, TLS_SAN_DNS + (test->kind - CONFIG_TEST_SAN_DNS), test->text);
		break;
	case CONFIG_TEST_SHA256:
		HOLDS(strlen(test->text) == 64 && strspn(test->text, "0123456789abcdef") == 64);
		/* Two of them can both match only if they are equal. */
		if (built->hash == NULL)
			built->hash = test->text;
		break;
	case CONFIG_TEST_EKU:
		built->ekus[details->eku_count++] = keep(built, test->text, strlen(test->text));
		break;
	}
}

static bool meets_all(const struct config_allow *rule, const struct built *built)
{
	for (size_t i = 0; i < rule->count; i++)
		if (rule->tests[i].kind == CONFIG_TEST_SHA256 && strcmp(rule->tests[i].text, built->hash) != 0)
			return false;
	return true;
}

static bool has_star(const struct config_allow *rule)
{
	return strchr(rule->text, '*') != NULL;
}

static void check_rule(const struct config_certificate *settings)
{
	const struct config_allow *rule = &settings->allow[0];
	struct tls_details nobody = {0};
	struct built *built = calloc(1, sizeof(*built));
	HOLDS(built != NULL && rule->count >= 1);
	for (size_t i = 0; i < rule->count; i++)
		add_test(built, &rule->tests[i]);
	built->details.subject.attributes = built->subject;
	built->details.issuer.attributes = built->issuer;
	built->details.sans = built->sans;
	built->details.ekus = built->ekus;
	const char *hash = built->hash != NULL ? built->hash : OTHER_HASH;
	HOLDS(gw_allow(settings, &built->details, hash) == meets_all(rule, built));
	if (built->hash == NULL || strcmp(hash, OTHER_HASH) != 0)
		HOLDS(!gw_allow(settings, &nobody, OTHER_HASH));
	/* Adds a byte at the end of a name's value, where no star matches it. */
	if (built->details.subject.count == 1 && !has_star(rule)) {
		struct tls_attribute *only = &built->subject[0];
		size_t len = strlen(only->value);
		char *longer = keep(built, only->value, len + 1); /* its NUL, too */
		longer[len] = 'x';
		only->value = longer;
		HOLDS(!gw_allow(settings, &built->details, hash));
	}
	for (size_t i = 0; i < built->memory_count; i++)
		free(built->memory[i]);
	free(built);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char before[] =
		"hosts:\n- name: a\n  certificate: c\n  key: k\n  client_certificate: { ca: c, allow: [ '",
			  behind[] = "' ] }\n  routes: [ { path: /, upstream: 'builtin:sink' } ]\n";
	char text[sizeof(before) + 2 * RULE_MAX + sizeof(behind)];
	size_t len = sizeof(before) - 1;
	struct thaw_error err = {0};
	if (size > RULE_MAX)
		return 0;
	memcpy(text, before, len);
	for (size_t i = 0; i < size; i++) {
		text[len++] = (char)data[i];
		if (data[i] == '\'')
			text[len++] = '\'';
	}
	memcpy(text + len, behind, sizeof(behind) - 1);
	struct config *config = config_parse(text, len + sizeof(behind) - 1, "f", NULL, &err);
	HOLDS((config == NULL) == (err.cls != THAW_ERR_NONE));
	if (config != NULL)
		check_rule(&config->hosts[0].routes[0].certificate);
	config_free(&config);
	return 0;
}
