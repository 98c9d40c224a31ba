#include "gateway/allow.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define VALUE_MAX 1024 /* of a rule's text between two commas, and more than a rule may have */

/* ---- names (RFC 4514) ---- */

struct pattern {
	char type[64];
	size_t len;
	struct {
		char byte;
		bool any; /* an unescaped star: any run of bytes */
	} value[VALUE_MAX];
};

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void add(struct pattern *pattern, char byte, bool any)
{
	if (pattern->len == VALUE_MAX)
		return;
	pattern->value[pattern->len].byte = byte;
	pattern->value[pattern->len++].any = any;
}

/* The next TYPE=VALUE, and where the one behind it begins. The settings have been checked for form. */
static const char *next_pattern(const char *text, struct pattern *pattern)
{
	size_t type = strcspn(text, "=");

	pattern->len = 0;
	if (type >= sizeof(pattern->type))
		type = sizeof(pattern->type) - 1;
	memcpy(pattern->type, text, type);
	pattern->type[type] = '\0';
	text += strcspn(text, "=");
	for (text += text[0] == '='; text[0] != '\0' && text[0] != ',' && text[0] != '+'; text++) {
		if (text[0] != '\\') {
			add(pattern, text[0], text[0] == '*');
		} else if (hex_of(text[1]) >= 0 && hex_of(text[2]) >= 0) {
			add(pattern, (char)(hex_of(text[1]) << 4 | hex_of(text[2])), false);
			text += 2;
		} else {
			add(pattern, *++text, false);
		}
	}
	text += text[0] != '\0';
	return text + strspn(text, " ");
}

/* Stars match greedily from the left; going back to the last one suffices. */
static bool value_matches(const struct pattern *pattern, const char *text)
{
	size_t at = 0, star = SIZE_MAX;
	const char *resume = text;

	while (*text != '\0') {
		if (at < pattern->len && pattern->value[at].any) {
			star = at++;
			resume = text;
		} else if (at < pattern->len && pattern->value[at].byte == *text) {
			at++;
			text++;
		} else if (star != SIZE_MAX) {
			at = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (at < pattern->len && pattern->value[at].any)
		at++;
	return at == pattern->len;
}

/* Every attribute that the rule names is in the name, with a value that fits. */
static bool name_matches(const char *text, const struct tls_attribute *attributes, size_t count)
{
	struct pattern pattern;

	while (text[0] != '\0') {
		bool found = false;
		text = next_pattern(text, &pattern);
		for (size_t i = 0; i < count && !found; i++)
			found = strcasecmp(attributes[i].type, pattern.type) == 0 &&
				value_matches(&pattern, attributes[i].value);
		if (!found)
			return false;
	}
	return true;
}

/* ---- alternative names ---- */

/* RFC 6125 6.4.3: a star is the whole first label, and stands for one label. */
static bool dns_matches(const char *pattern, const char *name)
{
	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, name) == 0;
	size_t label = strcspn(name, ".");
	return label > 0 && strcasecmp(pattern + 1, name + label) == 0;
}

static bool ip_matches(const char *rule, const char *text)
{
	char network[INET6_ADDRSTRLEN];
	uint8_t want[16] = {0}, is[16] = {0};
	size_t len = strcspn(rule, "/");
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	unsigned bits = family == AF_INET ? 32 : 128;

	if (len >= sizeof(network))
		return false;
	memcpy(network, rule, len);
	network[len] = '\0';
	if (inet_pton(family, network, want) != 1 || inet_pton(family, text, is) != 1)
		return false;
	if (rule[len] == '/')
		bits = (unsigned)strtoul(rule + len + 1, NULL, 10);
	unsigned whole = bits / 8, rest = bits % 8;
	if (memcmp(want, is, whole) != 0)
		return false;
	return rest == 0 || (want[whole] ^ is[whole]) >> (8 - rest) == 0;
}

/* A star in an email address or a URI: any run of characters. */
static bool text_matches(const char *rule, const char *text)
{
	struct pattern pattern = {.len = 0};

	for (; *rule != '\0'; rule++)
		add(&pattern, *rule, *rule == '*');
	return value_matches(&pattern, text);
}

static bool any_san(const struct tls_details *details, enum tls_san_kind kind, const char *rule,
		    bool (*matches)(const char *rule, const char *text))
{
	for (size_t i = 0; i < details->san_count; i++)
		if (details->sans[i].kind == kind && matches(rule, details->sans[i].text))
			return true;
	return false;
}

static bool has_eku(const struct tls_details *details, const char *oid)
{
	for (size_t i = 0; i < details->eku_count; i++)
		if (strcmp(details->ekus[i], oid) == 0)
			return true;
	return false;
}

static bool holds(const struct config_test *test, const struct tls_details *details, const char *sha256_hex)
{
	switch (test->kind) {
	case CONFIG_TEST_SUBJECT:
		return name_matches(test->text, details->subject, details->subject_count);
	case CONFIG_TEST_ISSUER:
		return name_matches(test->text, details->issuer, details->issuer_count);
	case CONFIG_TEST_SAN_DNS:
		return any_san(details, TLS_SAN_DNS, test->text, dns_matches);
	case CONFIG_TEST_SAN_EMAIL:
		return any_san(details, TLS_SAN_EMAIL, test->text, text_matches);
	case CONFIG_TEST_SAN_URI:
		return any_san(details, TLS_SAN_URI, test->text, text_matches);
	case CONFIG_TEST_SAN_IP:
		return any_san(details, TLS_SAN_IP, test->text, ip_matches);
	case CONFIG_TEST_SHA256:
		return strcmp(sha256_hex, test->text) == 0;
	case CONFIG_TEST_EKU:
		return has_eku(details, test->text);
	}
	return false;
}

static bool all_hold(const struct config_allow *rule, const struct tls_details *details, const char *sha256_hex)
{
	for (size_t i = 0; i < rule->count; i++)
		if (!holds(&rule->tests[i], details, sha256_hex))
			return false;
	return true;
}

bool gw_allow(const struct config_certificate *settings, const struct tls_details *details, const char *sha256_hex)
{
	for (size_t i = 0; i < settings->allow_count; i++)
		if (all_hold(&settings->allow[i], details, sha256_hex))
			return true;
	return settings->allow_count == 0;
}
