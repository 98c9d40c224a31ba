/* The text of a field's value while it is put together, in memory with a ceiling. */
#ifndef GATEWAY_WORDS_H
#define GATEWAY_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gw_words {
	char *at;
	size_t len, room;
	bool overflow; /* it did not fit: what is there is not to be used */
};

void gw_words_put(struct gw_words *words, const char *bytes, size_t len);
void gw_words_text(struct gw_words *words, const char *string);
void gw_words_base64(struct gw_words *words, const uint8_t *bytes, size_t len);
/* A PEM certificate, percent-encoded: '+', '/' and '=' of Base64, blanks and line breaks. */
void gw_words_escaped_pem(struct gw_words *words, const uint8_t *der, size_t len);

/*
 * A name as Envoy and nginx write it: RFC 4514 with every byte beyond ASCII escaped, since a head has no charset. Where
 * it stands between quotes, an escaped quote or backslash in it is written by its digits, too: then neither a reader
 * that knows of backslashes nor one that does not can take a part of the name for the end of the quotes.
 */
void gw_words_name(struct gw_words *words, const char *name, bool quoted);

#endif
