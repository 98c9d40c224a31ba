/* Builds the text of a field value, in memory of a fixed size. */
#ifndef GATEWAY_WORDS_H
#define GATEWAY_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_words {
	char *at;
	size_t len, room;
	bool overflow; /* it did not fit: the text must not be used */
};

void gw_words_put(struct gw_words *words, const char *bytes, size_t len);
void gw_words_text(struct gw_words *words, const char *string);
void gw_words_base64(struct gw_words *words, const uint8_t *bytes, size_t len);
/* A PEM certificate, percent-encoded: '+', '/' and '=' of Base64, spaces and line breaks. */
void gw_words_escaped_pem(struct gw_words *words, const uint8_t *der, size_t len);

/*
 * Writes a name as Envoy and nginx do: RFC 4514, with every byte outside ASCII escaped, because a head has no charset.
 * quoted: the name is in quotes. Then an escaped quote or backslash is also written as hex digits, so that no reader
 * can take a part of the name for the closing quote, whether it knows backslash escapes or not.
 */
void gw_words_name(struct gw_words *words, const char *name, bool quoted);

#endif
