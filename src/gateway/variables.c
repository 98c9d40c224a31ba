#include "gateway/variables.h"

#include <string.h>

/* Whether a value is unambiguous, also in a list with other values, and after a reader has trimmed its ends. */
static bool is_plain(const char *text, const char *unfit)
{
	size_t len = strlen(text);

	if (len == 0 || text[0] == ' ' || text[len - 1] == ' ' || strpbrk(text, unfit) != NULL)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static bool put_name(struct gw_words *words, const struct tls_name *parts, const char *name)
{
	gw_words_name(words, name, false);
	return parts->whole && name[0] != '\0';
}

/* Only if there is one: of several names it is not clear which one is meant. */
static bool put_common_name(struct gw_words *words, const struct tls_name *subject)
{
	const char *found = NULL;

	for (size_t i = 0; i < subject->count; i++) {
		if (strcmp(subject->attributes[i].oid, "2.5.4.3") != 0)
			continue;
		if (found != NULL)
			return false;
		found = subject->attributes[i].value;
	}
	if (found == NULL || !subject->whole || !is_plain(found, "\"\\"))
		return false;
	gw_words_text(words, found);
	return true;
}

/* All SANs of a kind, separated by commas. */
static bool put_sans(struct gw_words *words, const struct tls_details *details, enum tls_san_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < details->san_count; i++) {
		if (details->sans[i].kind != kind || !is_plain(details->sans[i].text, "\"\\, "))
			continue;
		gw_words_text(words, count++ > 0 ? "," : "");
		gw_words_text(words, details->sans[i].text);
	}
	return count > 0;
}

static void put_chain(struct gw_words *words, const struct tls_identity *identity, const struct tls_details *details)
{
	gw_words_base64(words, identity->certificate, identity->certificate_len);
	for (size_t i = 0; i < details->chain_count; i++) {
		gw_words_text(words, ",");
		gw_words_base64(words, details->chain[i].bytes, details->chain[i].len);
	}
}

bool gw_variable_identity(unsigned variable, const struct tls_identity *identity, const struct tls_details *details,
			  struct gw_words *words)
{
	switch (variable) {
	case CONFIG_VAR_IDENTITY_SUBJECT:
		return put_name(words, &details->subject, identity->subject);
	case CONFIG_VAR_IDENTITY_ISSUER:
		return put_name(words, &details->issuer, identity->issuer);
	case CONFIG_VAR_IDENTITY_COMMON_NAME:
		return put_common_name(words, &details->subject);
	case CONFIG_VAR_IDENTITY_SERIAL:
		gw_words_text(words, details->serial);
		return true;
	case CONFIG_VAR_IDENTITY_SHA256:
		gw_words_text(words, identity->sha256_hex);
		return true;
	case CONFIG_VAR_IDENTITY_NOT_BEFORE:
		gw_words_text(words, details->not_before);
		return true;
	case CONFIG_VAR_IDENTITY_NOT_AFTER:
		gw_words_text(words, details->not_after);
		return true;
	case CONFIG_VAR_IDENTITY_SAN_DNS:
		return put_sans(words, details, TLS_SAN_DNS);
	case CONFIG_VAR_IDENTITY_SAN_EMAIL:
		return put_sans(words, details, TLS_SAN_EMAIL);
	case CONFIG_VAR_IDENTITY_SAN_URI:
		return put_sans(words, details, TLS_SAN_URI);
	case CONFIG_VAR_IDENTITY_SAN_IP:
		return put_sans(words, details, TLS_SAN_IP);
	case CONFIG_VAR_IDENTITY_CERTIFICATE:
		gw_words_base64(words, identity->certificate, identity->certificate_len);
		return true;
	case CONFIG_VAR_IDENTITY_PEM:
		gw_words_escaped_pem(words, identity->certificate, identity->certificate_len);
		return true;
	case CONFIG_VAR_IDENTITY_CHAIN:
		put_chain(words, identity, details);
		return true;
	default:
		return false;
	}
}

bool gw_variable_unverified(unsigned variable, const struct tls_identity *unverified, const char *reason,
			    struct gw_words *words)
{
	switch (variable) {
	case CONFIG_VAR_UNVERIFIED_REASON:
		gw_words_text(words, reason);
		return true;
	case CONFIG_VAR_UNVERIFIED_SHA256:
		gw_words_text(words, unverified->sha256_hex);
		return true;
	case CONFIG_VAR_UNVERIFIED_CERTIFICATE:
		gw_words_base64(words, unverified->certificate, unverified->certificate_len);
		return true;
	case CONFIG_VAR_UNVERIFIED_PEM:
		gw_words_escaped_pem(words, unverified->certificate, unverified->certificate_len);
		return true;
	default:
		return false;
	}
}
