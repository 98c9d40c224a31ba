/* Readers of the keys of `tls`: TLS versions, groups and cipher suites, by OpenSSL's names. */
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

#define NAMES_MAX 16 /* elements of a list */
#define JOIN_MAX  1024

/* No finite-field groups (RFC 7919): a handshake with ffdhe8192 costs 120 ms before authentication. */
static const struct config_word groups[] = {
	{"X25519MLKEM768", 0}, {"X25519", 0}, {"P-256", 0}, {"P-384", 0}, {"P-521", 0}, {NULL, 0},
};

#define OF_TLS13 1
/* Forward secrecy and AEAD only. */
static const struct config_word ciphers[] = {
	{"ECDHE-ECDSA-AES128-GCM-SHA256", 0},       {"ECDHE-RSA-AES128-GCM-SHA256", 0},
	{"ECDHE-ECDSA-AES256-GCM-SHA384", 0},       {"ECDHE-RSA-AES256-GCM-SHA384", 0},
	{"ECDHE-ECDSA-CHACHA20-POLY1305", 0},       {"ECDHE-RSA-CHACHA20-POLY1305", 0},
	{"TLS_AES_128_GCM_SHA256", OF_TLS13},       {"TLS_AES_256_GCM_SHA384", OF_TLS13},
	{"TLS_CHACHA20_POLY1305_SHA256", OF_TLS13}, {NULL, 0},
};

enum thaw_status config_read_tls_versions(const struct config_at *at, const struct config_rule *rule, void *into)
{
	static const struct config_word versions[] = {{"1.2", CONFIG_TLS_12}, {"1.3", CONFIG_TLS_13}, {NULL, 0}};
	const struct config_rule element = {.words = versions};
	unsigned *chosen = into;
	size_t count;

	*chosen = 0;
	if (config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < count; i++) {
		struct config_at item = config_item(at, i);
		unsigned version = 0;
		if (config_read_word(&item, &element, &version) != THAW_OK)
			return THAW_FAILED;
		if ((*chosen & version) != 0)
			return config_refuse(&item, "this version is there twice");
		*chosen |= version;
	}
	return THAW_OK;
}

/* Appends the name after a colon; *joined has room for NAMES_MAX of these names. */
static void join(char joined[JOIN_MAX], const char *name)
{
	size_t used = strlen(joined), len = strlen(name);

	if (used + len + 2 > JOIN_MAX)
		return;
	if (used > 0)
		joined[used++] = ':';
	memcpy(joined + used, name, len + 1);
}

/* joined: for the words with value 0, and those with 1. */
static enum thaw_status read_names(const struct config_at *at, const struct config_rule *rule,
				   const struct config_word *words, char joined[2][JOIN_MAX])
{
	const struct config_rule element = {.words = words};
	char names[NAMES_MAX][CONFIG_QUOTE_MAX];
	size_t count;

	joined[0][0] = joined[1][0] = '\0';
	if (config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (count > NAMES_MAX)
		return config_refuse(at, "the list has %zu elements; allowed: at most %d", count, NAMES_MAX);
	for (size_t i = 0; i < count; i++) {
		struct config_at item = config_item(at, i);
		struct config_scalar scalar;
		unsigned kind = 0;
		if (config_read_word(&item, &element, &kind) != THAW_OK ||
		    config_text(&item, &scalar, rule->allowed) != THAW_OK)
			return THAW_FAILED;
		for (size_t k = 0; k < i; k++)
			if (strcmp(names[k], scalar.text) == 0)
				return config_refuse(&item, "'%s' is there twice", scalar.text);
		memcpy(names[i], scalar.text, scalar.len + 1); /* one of the words */
		join(joined[kind], scalar.text);
	}
	return THAW_OK;
}

enum thaw_status config_read_tls_groups(const struct config_at *at, const struct config_rule *rule, void *into)
{
	char joined[2][JOIN_MAX];

	if (read_names(at, rule, groups, joined) != THAW_OK)
		return THAW_FAILED;
	return config_set_text(at, into, joined[0], strlen(joined[0]));
}

/* into: tls.ciphers; those of TLS 1.3 go to tls.suites. */
enum thaw_status config_read_tls_ciphers(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config *config = (struct config *)((char *)into - rule->offset);
	char joined[2][JOIN_MAX];

	if (read_names(at, rule, ciphers, joined) != THAW_OK)
		return THAW_FAILED;
	if (joined[0][0] != '\0' && config_set_text(at, &config->tls.ciphers, joined[0], strlen(joined[0])) != THAW_OK)
		return THAW_FAILED;
	if (joined[1][0] == '\0')
		return THAW_OK;
	return config_set_text(at, &config->tls.suites, joined[OF_TLS13], strlen(joined[OF_TLS13]));
}

enum thaw_status config_check_tls(const struct config_at *at, void *object)
{
	struct config *config = object;

	return config_keep_place(at, "groups", &config->tls.groups_place);
}
