/* Which header fields tell an upstream who the client is, and which certificates a route allows. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

#define TESTS_MAX  8    /* of one rule */
#define RULE_MAX   2048 /* bytes */
#define SHA256_HEX 64

enum thaw_status config_read_identity(const struct config_at *at, const struct config_rule *rule, void *into)
{
	static const struct config_word sets[] = {
		{"rfc9440", CONFIG_IDENTITY_RFC9440},
		{"xfcc", CONFIG_IDENTITY_XFCC},
		{"nginx", CONFIG_IDENTITY_NGINX},
		{NULL, 0},
	};
	struct config_rule element = {.words = sets};
	unsigned *identity = into;
	size_t count;

	if (config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < count; i++) {
		struct config_at item = config_item(at, i);
		unsigned set = 0;
		if (config_read_word(&item, &element, &set) != THAW_OK)
			return THAW_FAILED;
		if ((*identity & set) != 0)
			return config_refuse(&item, "this set is there twice");
		*identity |= set;
	}
	return THAW_OK;
}

/* RFC 4514: TYPE=VALUE, joined by ',' or '+'; in a value a backslash escapes one character, or two hex digits a byte.
 */
static const char *check_name(const char *text)
{
	for (;;) {
		size_t type = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.");
		if (type == 0 || text[type] != '=')
			return "is no name of the form TYPE=VALUE,TYPE=VALUE";
		text += type + 1;
		if (text[0] == '\0' || text[0] == ',')
			return "has an empty value";
		for (; text[0] != '\0' && text[0] != ',' && text[0] != '+'; text++)
			if (text[0] == '\\' && *++text == '\0')
				return "ends in a backslash";
		if (text[0] == '\0')
			return NULL;
		text++;
		text += strspn(text, " ");
	}
}

/* An address, or one with the length of its network behind it. */
static const char *check_ip(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr unused;
	size_t len = strcspn(text, "/");
	uint64_t bits;

	if (len >= sizeof(address))
		return "is no address";
	memcpy(address, text, len);
	address[len] = '\0';
	bool v4 = inet_pton(AF_INET, address, &unused) == 1, v6 = inet_pton(AF_INET6, address, &unused) == 1;
	if (!v4 && !v6)
		return "is no address";
	if (text[len] == '\0')
		return NULL;
	size_t digits = config_scan_number(text + len + 1, v4 ? 32 : 128, &bits);
	return digits > 0 && text[len + 1 + digits] == '\0' ? NULL : "has no valid length of a network";
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* To lower case and without colons, in place. */
static const char *take_sha256(char *text)
{
	size_t len = 0;

	for (const char *at = text; *at != '\0'; at++) {
		if (*at == ':')
			continue;
		if (!is_hex(*at))
			return "is not hexadecimal";
		text[len++] = (char)(*at >= 'A' && *at <= 'F' ? *at | 0x20 : *at);
	}
	text[len] = '\0';
	return len == SHA256_HEX ? NULL : "has not 64 hexadecimal digits";
}

static const char *take_eku(char **text)
{
	static const struct {
		const char *name, *oid;
	} known[] = {
		{"clientAuth", "1.3.6.1.5.5.7.3.2"},          {"serverAuth", "1.3.6.1.5.5.7.3.1"},
		{"codeSigning", "1.3.6.1.5.5.7.3.3"},         {"emailProtection", "1.3.6.1.5.5.7.3.4"},
		{"smartcardLogon", "1.3.6.1.4.1.311.20.2.2"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(*text, known[i].name) == 0) {
			char *oid = strdup(known[i].oid);
			if (oid == NULL)
				return "is too much for the memory that is left";
			free(*text);
			*text = oid;
			return NULL;
		}
	size_t len = strlen(*text);
	bool dotted = len > 0 && strspn(*text, "0123456789.") == len && strchr(*text, '.') != NULL &&
		      strstr(*text, "..") == NULL && (*text)[0] != '.' && (*text)[len - 1] != '.';
	return dotted ? NULL
		      : "is neither a dotted OID nor one of clientAuth, serverAuth, codeSigning, "
			"emailProtection, smartcardLogon";
}

static const struct {
	const char *prefix;
	enum config_test_kind kind;
} prefixes[] = {
	{"subject=", CONFIG_TEST_SUBJECT}, {"issuer=", CONFIG_TEST_ISSUER}, {"san=dns:", CONFIG_TEST_SAN_DNS},
	{"san=uri:", CONFIG_TEST_SAN_URI}, {"san=ip:", CONFIG_TEST_SAN_IP}, {"san=email:", CONFIG_TEST_SAN_EMAIL},
	{"sha256=", CONFIG_TEST_SHA256},   {"eku=", CONFIG_TEST_EKU},
};

/* NULL, or what is wrong with the test's text. */
static const char *check_test(struct config_test *test)
{
	if (test->text[0] == '\0')
		return "is empty";
	switch (test->kind) {
	case CONFIG_TEST_SUBJECT:
	case CONFIG_TEST_ISSUER:
		return check_name(test->text);
	case CONFIG_TEST_SAN_IP:
		return check_ip(test->text);
	case CONFIG_TEST_SHA256:
		return take_sha256(test->text);
	case CONFIG_TEST_EKU:
		return take_eku(&test->text);
	case CONFIG_TEST_SAN_DNS:
	case CONFIG_TEST_SAN_EMAIL:
	case CONFIG_TEST_SAN_URI:
		break;
	}
	return NULL;
}

static enum thaw_status read_test(const struct config_at *at, const struct config_rule *rule, const char *text,
				  size_t len, struct config_test *test)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t skip = strlen(prefixes[i].prefix);
		if (len < skip || memcmp(text, prefixes[i].prefix, skip) != 0)
			continue;
		test->kind = prefixes[i].kind;
		if (config_set_text(at, &test->text, text + skip, len - skip) != THAW_OK)
			return THAW_FAILED;
		const char *why = check_test(test);
		if (why == NULL)
			return THAW_OK;
		return config_refuse(at, "'%s' %s; allowed: %s", config_quote(text, len).text, why, rule->allowed);
	}
	return config_refuse(at, "'%s' is not understood; allowed: %s", config_quote(text, len).text, rule->allowed);
}

static enum thaw_status read_rule(const struct config_at *at, const struct config_rule *rule,
				  struct config_allow *allow)
{
	struct config_scalar scalar;

	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (scalar.len > RULE_MAX)
		return config_refuse(at, "the rule is too long; allowed: at most %d bytes", RULE_MAX);
	if (config_set_text(at, &allow->text, scalar.text, scalar.len) != THAW_OK)
		return THAW_FAILED;
	allow->tests = calloc(TESTS_MAX, sizeof(*allow->tests));
	if (allow->tests == NULL)
		return config_no_memory(at);
	for (const char *text = scalar.text; text != NULL;) {
		const char *joint = strstr(text, " and ");
		size_t len = joint != NULL ? (size_t)(joint - text) : strlen(text);
		if (allow->count == TESTS_MAX)
			return config_refuse(at, "the rule has more than %d tests", TESTS_MAX);
		if (read_test(at, rule, text, len, &allow->tests[allow->count++]) != THAW_OK)
			return THAW_FAILED;
		text = joint != NULL ? joint + strlen(" and ") : NULL;
	}
	return THAW_OK;
}

void config_free_allow(struct config_certificate *certificate)
{
	for (size_t i = 0; i < certificate->allow_count; i++) {
		for (size_t k = 0; k < certificate->allow[i].count; k++)
			free(certificate->allow[i].tests[k].text);
		free(certificate->allow[i].tests);
		free(certificate->allow[i].text);
	}
	free(certificate->allow);
	certificate->allow = NULL;
	certificate->allow_count = 0;
}

/* into: certificate->allow. What the host said is replaced. */
enum thaw_status config_read_allow(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_certificate *certificate =
		(struct config_certificate *)(void *)((char *)into - offsetof(struct config_certificate, allow));
	size_t count;

	if (config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	config_free_allow(certificate);
	certificate->allow = calloc(count, sizeof(*certificate->allow));
	if (certificate->allow == NULL)
		return config_no_memory(at);
	certificate->allow_count = count;
	for (size_t i = 0; i < count; i++) {
		struct config_at item = config_item(at, i);
		if (read_rule(&item, rule, &certificate->allow[i]) != THAW_OK)
			return THAW_FAILED;
	}
	return THAW_OK;
}

static bool copy_rule(struct config_allow *to, const struct config_allow *from)
{
	to->text = strdup(from->text);
	to->tests = calloc(from->count, sizeof(*to->tests));
	if (to->text == NULL || to->tests == NULL)
		return false;
	for (; to->count < from->count; to->count++) {
		to->tests[to->count].kind = from->tests[to->count].kind;
		to->tests[to->count].text = strdup(from->tests[to->count].text);
		if (to->tests[to->count].text == NULL)
			return false;
	}
	return true;
}

bool config_copy_allow(struct config_certificate *to, const struct config_certificate *from)
{
	to->allow = from->allow_count > 0 ? calloc(from->allow_count, sizeof(*to->allow)) : NULL;
	if (from->allow_count > 0 && to->allow == NULL)
		return false;
	for (; to->allow_count < from->allow_count; to->allow_count++)
		if (!copy_rule(&to->allow[to->allow_count], &from->allow[to->allow_count])) {
			to->allow_count++;
			return false;
		}
	return true;
}
