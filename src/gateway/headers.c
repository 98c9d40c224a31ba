#include "gateway/headers.h"

#include <stdio.h>
#include <string.h>

#include "gateway/identity.h"
#include "gateway/variables.h"
#include "http/syntax.h"

bool gw_headers_replace(const struct config_headers *headers, struct http_span name)
{
	for (size_t i = 0; i < headers->count; i++)
		if (headers->rules[i]->action != CONFIG_HEADER_ADD &&
		    config_is_named(headers->rules[i]->name, name.at, name.len))
			return true;
	return false;
}

static bool put_address(const struct gw_origin *origin, struct gw_words *words)
{
	char text[GW_ADDRESS_ROOM];

	gw_origin_address(origin, text);
	gw_words_text(words, text);
	return text[0] != '\0';
}

static bool put_port(const struct gw_origin *origin, struct gw_words *words)
{
	char text[8];
	unsigned port = gw_origin_port(origin);

	(void)snprintf(text, sizeof(text), "%u", port);
	gw_words_text(words, port > 0 ? text : "");
	return port > 0;
}

/* The host of the request in lower case, without a trailing dot. */
static bool put_host(const struct gw_origin *origin, struct gw_words *words)
{
	struct http_span host = origin->host;

	if (host.len > 1 && host.at[host.len - 1] == '.')
		host.len--;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.at[i];
		c = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
		gw_words_put(words, &c, 1);
	}
	return host.len > 0;
}

static bool put_text(struct gw_words *words, const char *text)
{
	if (text != NULL)
		gw_words_text(words, text);
	return text != NULL && text[0] != '\0';
}

static bool put_variable(const struct gw_origin *origin, unsigned variable, struct gw_words *words)
{
	switch (variable) {
	case CONFIG_VAR_CLIENT_ADDRESS:
		return put_address(origin, words);
	case CONFIG_VAR_CLIENT_PORT:
		return put_port(origin, words);
	case CONFIG_VAR_TLS_VERSION:
		return put_text(words, origin->tls);
	case CONFIG_VAR_TLS_CIPHER:
		return put_text(words, origin->cipher);
	case CONFIG_VAR_REQUEST_ID:
		return put_text(words, origin->id(origin->arg));
	case CONFIG_VAR_REQUEST_HOST:
		return put_host(origin, words);
	case CONFIG_VAR_IDENTITY_VERIFIED:
		gw_identity_verify(origin, words);
		return true;
	case CONFIG_VAR_UNVERIFIED_REASON:
	case CONFIG_VAR_UNVERIFIED_SHA256:
	case CONFIG_VAR_UNVERIFIED_CERTIFICATE:
	case CONFIG_VAR_UNVERIFIED_PEM:
		return origin->unverified != NULL &&
		       gw_variable_unverified(variable, origin->unverified, origin->reason, words);
	default:
		break;
	}
	const struct tls_details *details = origin->identity != NULL ? origin->details(origin->arg) : NULL;
	if (origin->identity != NULL && details == NULL)
		words->overflow = true; /* out of memory: do not forward the request without its identity */
	return details != NULL && gw_variable_identity(variable, origin->identity, details, words);
}

static bool put_value(const struct gw_origin *origin, const struct config_header *rule, struct gw_words *words)
{
	for (size_t i = 0; i < rule->piece_count; i++) {
		const struct config_piece *piece = &rule->pieces[i];
		if (piece->variable == CONFIG_VAR_TEXT)
			gw_words_text(words, piece->text);
		else if (!put_variable(origin, piece->variable, words))
			return words->overflow;
	}
	return true;
}

static void write_rule(const struct gw_origin *origin, const struct config_header *rule, struct http_writer *writer)
{
	size_t begin = writer->len;
	struct gw_words words = {.at = writer->at, .len = begin, .room = writer->room, .overflow = writer->overflow};

	gw_words_text(&words, rule->name);
	gw_words_text(&words, ": ");
	size_t value = words.len;
	bool has = put_value(origin, rule, &words);
	bool fit = words.overflow || http_is_field_value((struct http_span){words.at + value, words.len - value});
	if (!has || !fit)
		return;
	gw_words_text(&words, "\r\n");
	writer->overflow = words.overflow;
	writer->len = words.len;
}

void gw_headers_write(const struct gw_origin *origin, const struct config_headers *headers, struct http_writer *writer)
{
	for (size_t i = 0; i < headers->count; i++)
		if (headers->rules[i]->action != CONFIG_HEADER_REMOVE)
			write_rule(origin, headers->rules[i], writer);
}
