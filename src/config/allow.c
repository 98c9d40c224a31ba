/* Identity header sets, and the certificates that a route allows. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "config/schema.h"

#define TESTS_MAX     8    /* of one rule */
#define RULE_MAX      2048 /* bytes */
#define SHA256_HEX    64
#define DNS_NAME_MAX  253
#define DNS_LABEL_MAX 63

enum thaw_status config_read_identity(const struct config_at *at, const struct config_rule *rule, void *into)
{
	static const struct config_word sets[] = {
		{"rfc9440", CONFIG_IDENTITY_RFC9440},
		{"rfc9440-leaf", CONFIG_IDENTITY_RFC9440 | CONFIG_IDENTITY_LEAF},
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

/* At least two numbers without leading zeros. */
static bool is_oid(const char *text, size_t len)
{
	size_t arcs = 0;

	for (size_t i = 0; i < len; i++) {
		size_t start = i;
		while (i < len && text[i] >= '0' && text[i] <= '9')
			i++;
		if (i == start || (i - start > 1 && text[start] == '0') ||
		    (i < len && (text[i] != '.' || i + 1 == len)))
			return false;
		arcs++;
	}
	return arcs >= 2;
}

/* An attribute type of a name, by OpenSSL's names, ignoring case. */
static bool is_attribute(const char *text, size_t len)
{
	static const char *const known[] = {
		"CN",
		"O",
		"OU",
		"C",
		"L",
		"ST",
		"STREET",
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

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i]) == len && strncasecmp(known[i], text, len) == 0)
			return true;
	return is_oid(text, len);
}

/* A value in a name, up to ',' or '+': RFC 4514 2.4, strictly, to avoid misinterpretation. *len: its length. */
static const char *check_value(const char *text, size_t *len)
{
	size_t at = 0;
	bool blank = false;

	if (text[0] == ' ' || text[0] == '#')
		return "has a value that begins with a blank or a '#'; write \\20 or \\23";
	for (; text[at] != '\0' && text[at] != ',' && text[at] != '+'; at++) {
		if (strchr("\"<>;", text[at]) != NULL)
			return "has one of \" < > ; without a backslash in front";
		blank = text[at] == ' ';
		if (text[at] != '\\')
			continue;
		if (text[at + 1] == '\0')
			return "ends in a backslash";
		if (text[at + 1] == '0' && text[at + 2] == '0')
			return "has a NUL in it, which no name may have";
		if (ascii_hex_byte(text + at + 1) >= 0)
			at += 2;
		else if (strchr(" \"#+,;<=>\\*", text[at + 1]) != NULL)
			at++;
		else
			return "has a backslash that is followed neither by two hexadecimal digits nor by one of "
			       "\" # + , ; < = > \\ * or a blank";
	}
	*len = at;
	if (at == 0)
		return "has an empty value";
	return blank ? "has a value that ends in a blank; write \\20" : NULL;
}

/* TYPE=VALUE, separated by ',' or '+'. */
static const char *check_name(const char *text)
{
	for (;;) {
		size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.");
		if (len == 0 || text[len] != '=')
			return "is no name of the form TYPE=VALUE,TYPE=VALUE";
		if (!is_attribute(text, len))
			return "has a type that is not known; it may be CN, O, OU, C, L, ST, DC, UID, serialNumber, "
			       "emailAddress, ... or a dotted OID";
		text += len + 1;
		const char *why = check_value(text, &len);
		if (why != NULL)
			return why;
		text += len;
		if (text[0] == '\0')
			return NULL;
		text++;
		text += strspn(text, " ");
	}
}

/* RFC 6125 6.4.3: a star only as the whole first label, followed by others. */
static const char *check_dns(const char *text)
{
	size_t label = 0;

	if (strlen(text) > DNS_NAME_MAX)
		return "is too long for a DNS name";
	if (strncmp(text, "*.", 2) == 0)
		text += 2;
	for (;; text++) {
		bool end = *text == '.' || *text == '\0';
		if (end && (label == 0 || label > DNS_LABEL_MAX))
			return "is no DNS name with, perhaps, '*.' in front";
		if (!end && !ascii_is_alnum(*text) && *text != '-' && *text != '_')
			return "is no DNS name with, perhaps, '*.' in front";
		if (*text == '\0')
			return NULL;
		label = end ? 0 : label + 1;
	}
}

/* Whether it can occur in a certificate (RFC 5280 4.2.1.6: IA5String). */
static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text == 0x7F)
			return false;
	return true;
}

static const char *check_email(const char *text)
{
	const char *at = strrchr(text, '@');

	if (!is_printable(text))
		return "has more than printable ASCII";
	return at != NULL && at != text && at[1] != '\0' ? NULL : "is no address of the form LOCAL@DOMAIN";
}

/* RFC 3986 3.1: the scheme is required, without a star. */
static const char *check_uri(const char *text)
{
	size_t scheme = 0;

	if (!is_printable(text) || strchr(text, ' ') != NULL)
		return "has a blank, or more than printable ASCII";
	while (ascii_is_alnum(text[scheme]) ||
	       (scheme > 0 && text[scheme] != '\0' && strchr("+-.", text[scheme]) != NULL))
		scheme++;
	return scheme > 0 && text[scheme] == ':' && text[scheme + 1] != '\0' ? NULL : "is no URI with its scheme";
}

/* All bits after the prefix must be zero. */
static bool is_network(const uint8_t *bytes, size_t len, size_t bits)
{
	for (size_t i = bits; i < 8 * len; i++)
		if ((bytes[i / 8] & 0x80 >> i % 8) != 0)
			return false;
	return true;
}

/* An address, or a network with a prefix length. */
static const char *check_ip(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	size_t len = strcspn(text, "/");
	uint64_t bits;

	if (len >= sizeof(address))
		return "is no address";
	memcpy(address, text, len);
	address[len] = '\0';
	bool v4 = inet_pton(AF_INET, address, bytes) == 1, v6 = !v4 && inet_pton(AF_INET6, address, bytes) == 1;
	if (!v4 && !v6)
		return "is no address";
	if (text[len] == '\0')
		return NULL;
	size_t digits = config_scan_number(text + len + 1, v4 ? 32 : 128, &bits);
	if (digits == 0 || text[len + 1 + digits] != '\0')
		return "has no valid length of a network";
	return is_network(bytes, v4 ? 4 : 16, bits) ? NULL : "has bits set behind the length of its network";
}

/* Converts to lower case and removes colons, in place. */
static const char *take_sha256(char *text)
{
	size_t len = 0;

	for (const char *at = text; *at != '\0'; at++) {
		if (*at == ':')
			continue;
		if (ascii_hex(*at) < 0)
			return "is not hexadecimal";
		text[len++] = ascii_lower(*at);
	}
	text[len] = '\0';
	return len == SHA256_HEX ? NULL : "has not 64 hexadecimal digits";
}

/* The dotted OID of a named extended key usage, or NULL. */
static const char *eku_of(const char *text, size_t len)
{
	static const struct {
		const char *name, *oid;
	} known[] = {
		{"clientAuth", "1.3.6.1.5.5.7.3.2"},          {"serverAuth", "1.3.6.1.5.5.7.3.1"},
		{"codeSigning", "1.3.6.1.5.5.7.3.3"},         {"emailProtection", "1.3.6.1.5.5.7.3.4"},
		{"smartcardLogon", "1.3.6.1.4.1.311.20.2.2"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == len && memcmp(text, known[i].name, len) == 0)
			return known[i].oid;
	return NULL;
}

static const struct {
	const char *prefix;
	enum config_test_kind kind;
} prefixes[] = {
	{"subject=", CONFIG_TEST_SUBJECT}, {"issuer=", CONFIG_TEST_ISSUER}, {"san=dns:", CONFIG_TEST_SAN_DNS},
	{"san=uri:", CONFIG_TEST_SAN_URI}, {"san=ip:", CONFIG_TEST_SAN_IP}, {"san=email:", CONFIG_TEST_SAN_EMAIL},
	{"sha256=", CONFIG_TEST_SHA256},   {"eku=", CONFIG_TEST_EKU},
};

/* NULL, or the error in the test's text. */
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
		return is_oid(test->text, strlen(test->text))
			       ? NULL
			       : "is neither a dotted OID nor one of clientAuth, serverAuth, codeSigning, "
				 "emailProtection, smartcardLogon";
	case CONFIG_TEST_SAN_DNS:
		return check_dns(test->text);
	case CONFIG_TEST_SAN_EMAIL:
		return check_email(test->text);
	case CONFIG_TEST_SAN_URI:
		return check_uri(test->text);
	}
	return NULL;
}

/* Returns whether it begins with an attribute of a name, such as CN=. It may be the rest of a rule that YAML split at a
 * comma. */
static bool names_attribute(const char *text)
{
	static const char *const names[] = {"CN=", "O=", "OU=", "C=", "L=", "ST=", "DC=", "emailAddress="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(text, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static enum thaw_status read_test(const struct config_at *at, const struct config_rule *rule, const char *text,
				  size_t len, struct config_test *test)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t skip = strlen(prefixes[i].prefix);
		if (len < skip || memcmp(text, prefixes[i].prefix, skip) != 0)
			continue;
		test->kind = prefixes[i].kind;
		const char *value = text + skip, *oid = NULL;
		if (test->kind == CONFIG_TEST_EKU)
			oid = eku_of(value, len - skip);
		if (config_set_text(at, &test->text, oid != NULL ? oid : value,
				    oid != NULL ? strlen(oid) : len - skip) != THAW_OK)
			return THAW_FAILED;
		const char *why = check_test(test);
		if (why == NULL)
			return THAW_OK;
		return config_refuse(at, "'%s' %s; allowed: %s", config_quote(text, len).text, why, rule->allowed);
	}
	if (len > 0 && text[0] == '/' && memchr(text, '=', len) != NULL)
		return config_refuse(
			at, "'%s' is a name in an old form; write 'subject=CN=NAME,O=ORGANISATION'; allowed: %s",
			config_quote(text, len).text, rule->allowed);
	if (memchr(text, '=', len) != NULL && names_attribute(text))
		return config_refuse(at,
				     "'%s' has no 'subject=' or 'issuer=' before it; a rule with a comma is written in "
				     "quotes; allowed: %s",
				     config_quote(text, len).text, rule->allowed);
	return config_not_understood(at, text, len, rule->allowed);
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

/* into: certificate->allow. Replaces the host's list. */
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
