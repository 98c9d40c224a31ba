#include "gateway/headers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "gateway/identity.h"
#include "gateway/variables.h"
#include "http/syntax.h"

const struct config_header_set *gw_headers_of(const struct gw_stream *stream)
{
	return stream->route != NULL ? &stream->route->config->headers : &gw_conn_host(stream->conn)->config->headers;
}

bool gw_headers_replace(const struct config_headers *headers, struct http_span name)
{
	for (size_t i = 0; i < headers->count; i++)
		if (headers->rules[i]->action != CONFIG_HEADER_ADD &&
		    gw_identity_is_named(headers->rules[i]->name, name))
			return true;
	return false;
}

static bool put_address(const struct gw_conn *conn, struct gw_words *words)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (conn->has_peer && conn->peer.any.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &conn->peer.v4.sin_addr, text, sizeof(text));
	else if (conn->has_peer && conn->peer.any.sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &conn->peer.v6.sin6_addr, text, sizeof(text));
	gw_words_text(words, text);
	return text[0] != '\0';
}

static bool put_port(const struct gw_conn *conn, struct gw_words *words)
{
	char text[8];
	sa_family_t family = conn->has_peer ? conn->peer.any.sa_family : AF_UNSPEC;

	if (family != AF_INET && family != AF_INET6)
		return false;
	(void)snprintf(text, sizeof(text), "%u",
		       ntohs(family == AF_INET ? conn->peer.v4.sin_port : conn->peer.v6.sin6_port));
	gw_words_text(words, text);
	return true;
}

/* In lower case, without the root's dot. */
static bool put_host(const struct gw_stream *stream, struct gw_words *words)
{
	struct http_span host = stream->head_len > 0 ? stream->head.host : (struct http_span){"", 0};

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
	gw_words_text(words, text);
	return text[0] != '\0';
}

static bool put_variable(struct gw_stream *stream, unsigned variable, struct gw_words *words)
{
	switch (variable) {
	case CONFIG_VAR_CLIENT_ADDRESS:
		return put_address(stream->conn, words);
	case CONFIG_VAR_CLIENT_PORT:
		return put_port(stream->conn, words);
	case CONFIG_VAR_TLS_VERSION:
		return put_text(words, tls_link_version(stream->conn->tls));
	case CONFIG_VAR_TLS_CIPHER:
		return put_text(words, tls_link_cipher(stream->conn->tls));
	case CONFIG_VAR_REQUEST_ID:
		return put_text(words, gw_stream_id(stream));
	case CONFIG_VAR_REQUEST_HOST:
		return put_host(stream, words);
	case CONFIG_VAR_IDENTITY_VERIFIED:
		return put_text(words, stream->identity != NULL ? "SUCCESS" : "NONE");
	default:
		break;
	}
	const struct tls_details *details = stream->identity != NULL ? gw_conn_details(stream->conn) : NULL;
	if (stream->identity != NULL && details == NULL)
		words->overflow = true; /* out of memory: never without the identity that it has */
	return details != NULL && gw_variable_identity(variable, stream->identity, details, words);
}

static bool put_value(struct gw_stream *stream, const struct config_header *rule, struct gw_words *words)
{
	for (size_t i = 0; i < rule->piece_count; i++) {
		const struct config_piece *piece = &rule->pieces[i];
		if (piece->variable == CONFIG_VAR_TEXT)
			gw_words_text(words, piece->text);
		else if (!put_variable(stream, piece->variable, words))
			return words->overflow;
	}
	return true;
}

static void write_rule(struct gw_stream *stream, const struct config_header *rule, struct http_writer *writer)
{
	size_t begin = writer->len;
	struct gw_words words = {.at = writer->at, .len = begin, .room = writer->room, .overflow = writer->overflow};

	gw_words_text(&words, rule->name);
	gw_words_text(&words, ": ");
	size_t value = words.len;
	bool has = put_value(stream, rule, &words);
	bool fit = words.overflow || http_is_field_value((struct http_span){words.at + value, words.len - value});
	if (!has || !fit)
		return;
	gw_words_text(&words, "\r\n");
	writer->overflow = words.overflow;
	writer->len = words.len;
}

void gw_headers_write(struct gw_stream *stream, const struct config_headers *headers, struct http_writer *writer)
{
	for (size_t i = 0; i < headers->count; i++)
		if (headers->rules[i]->action != CONFIG_HEADER_REMOVE)
			write_rule(stream, headers->rules[i], writer);
}
