#include "gateway/allow.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"

/* ---- text with stars ---- */

struct text {
	const char *at;
	size_t len;
};

/* How the text of a rule is matched. */
struct ways {
	bool escapes; /* RFC 4514: \ and two digits, or one character */
	bool no_case; /* of ASCII letters */
	char stop;    /* what a star does not match, unless it is the last of the rule; NUL: nothing */
};

/* One byte that a rule wants, or a star. */
struct unit {
	char byte;
	bool star;
	size_t len; /* of the rule's text */
};

static struct unit unit_at(struct text rule, size_t at, const struct ways *ways)
{
	char c = rule.at[at];

	if (!ways->escapes || c != '\\' || at + 1 == rule.len)
		return (struct unit){.byte = c, .star = c == '*', .len = 1};
	int byte = at + 2 < rule.len ? ascii_hex_byte(rule.at + at + 1) : -1;
	if (byte >= 0)
		return (struct unit){.byte = (char)byte, .len = 3};
	return (struct unit){.byte = rule.at[at + 1], .len = 2};
}

static bool same_byte(char a, char b, const struct ways *ways)
{
	return a == b || (ways->no_case && ascii_lower(a) == ascii_lower(b));
}

/*
 * Each star matches as little as possible. If the rest does not match, the last star takes one byte more. Going back
 * to earlier stars cannot help, because the text before the last star already matches as far left as possible. A
 * star does not match the stop byte, so a stop byte in the rule ends all stars before it. The number of steps is at
 * most the product of both lengths.
 */
static bool fits(struct text rule, struct text value, const struct ways *ways)
{
	size_t at = 0, in = 0, star = SIZE_MAX, star_in = 0;

	while (in < value.len) {
		struct unit unit = at < rule.len ? unit_at(rule, at, ways) : (struct unit){.len = 0};
		if (unit.star) {
			at += unit.len;
			if (at == rule.len)
				return true;
			star = at;
			star_in = in;
		} else if (unit.len > 0 && same_byte(unit.byte, value.at[in], ways)) {
			at += unit.len;
			if (ways->stop != '\0' && value.at[in] == ways->stop)
				star = SIZE_MAX;
			in++;
		} else if (star != SIZE_MAX && (ways->stop == '\0' || value.at[star_in] != ways->stop)) {
			at = star;
			in = ++star_in;
		} else {
			return false;
		}
	}
	while (at < rule.len && unit_at(rule, at, ways).star)
		at++;
	return at == rule.len;
}

/* The next TYPE=VALUE of a rule; the configuration reader has checked its form. */

/* The next TYPE=VALUE of a rule; the configuration reader has checked its form. */
static void next_part(const char **rule, struct text *type, struct text *value)
{
	const char *at = *rule;

	*type = (struct text){at, strcspn(at, "=")};
	at += type->len;
	at += *at == '=';
	value->at = at;
	while (*at != '\0' && *at != ',' && *at != '+')
		at += *at == '\\' && at[1] != '\0' ? 2 : 1;
	value->len = (size_t)(at - value->at);
	at += *at != '\0';
	*rule = at + strspn(at, " ");
}

static bool is_type(const struct tls_attribute *attribute, struct text type)
{
	if (type.len == strlen(attribute->type) && strncasecmp(attribute->type, type.at, type.len) == 0)
		return true;
	return type.len == strlen(attribute->oid) && memcmp(attribute->oid, type.at, type.len) == 0;
}

/* Whether the name contains every attribute of the rule with a matching value. */
static bool name_matches(const char *rule, const struct tls_name *name)
{
	static const struct ways ways = {.escapes = true};
	struct text type, value;

	while (*rule != '\0') {
		bool found = false;
		next_part(&rule, &type, &value);
		for (size_t i = 0; i < name->count && !found; i++) {
			struct text is = {name->attributes[i].value, strlen(name->attributes[i].value)};
			found = is_type(&name->attributes[i], type) && fits(value, is, &ways);
		}
		if (!found)
			return false;
	}
	return true;
}

/* ---- alternative names ---- */

/* RFC 6125 6.4.3: a star replaces the whole first label, and matches one label. */
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

/* RFC 5280 7.5: case does not matter after the '@'. A star does not match across the '@'. */
static bool email_matches(const char *rule, const char *address)
{
	static const struct ways local = {0}, domain = {.no_case = true};
	const char *rule_at = strrchr(rule, '@'), *at = strrchr(address, '@');

	if (rule_at == NULL || at == NULL)
		return false;
	return fits((struct text){rule, (size_t)(rule_at - rule)}, (struct text){address, (size_t)(at - address)},
		    &local) &&
	       fits((struct text){rule_at, strlen(rule_at)}, (struct text){at, strlen(at)}, &domain);
}

static bool uri_matches(const char *rule, const char *uri)
{
	static const struct ways ways = {.stop = '/'};

	return fits((struct text){rule, strlen(rule)}, (struct text){uri, strlen(uri)}, &ways);
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
		return name_matches(test->text, &details->subject);
	case CONFIG_TEST_ISSUER:
		return name_matches(test->text, &details->issuer);
	case CONFIG_TEST_SAN_DNS:
		return any_san(details, TLS_SAN_DNS, test->text, dns_matches);
	case CONFIG_TEST_SAN_EMAIL:
		return any_san(details, TLS_SAN_EMAIL, test->text, email_matches);
	case CONFIG_TEST_SAN_URI:
		return any_san(details, TLS_SAN_URI, test->text, uri_matches);
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
