#include "gateway/words.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"

#define LINE_BREAK "%0A"
#define PEM_LINE   64 /* characters, for 48 bytes */

void gw_words_put(struct gw_words *words, const char *bytes, size_t len)
{
	if (words->overflow || len > words->room - words->len) {
		words->overflow = true;
		return;
	}
	memcpy(words->at + words->len, bytes, len);
	words->len += len;
}

void gw_words_text(struct gw_words *words, const char *string)
{
	gw_words_put(words, string, strlen(string));
}

void gw_words_base64(struct gw_words *words, const uint8_t *bytes, size_t len)
{
	if (words->overflow || BASE64_LEN(len) > words->room - words->len) {
		words->overflow = true;
		return;
	}
	base64_encode(bytes, len, words->at + words->len);
	words->len += BASE64_LEN(len);
}

static void put_escaped(struct gw_words *words, const char *base64, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (base64[i] == '+')
			gw_words_text(words, "%2B");
		else if (base64[i] == '/')
			gw_words_text(words, "%2F");
		else if (base64[i] == '=')
			gw_words_text(words, "%3D");
		else
			gw_words_put(words, base64 + i, 1);
	}
}

void gw_words_escaped_pem(struct gw_words *words, const uint8_t *der, size_t len)
{
	const size_t most = PEM_LINE / 4 * 3;
	char line[PEM_LINE];

	gw_words_text(words, "-----BEGIN%20CERTIFICATE-----" LINE_BREAK);
	for (size_t at = 0; at < len; at += most) {
		size_t piece = len - at < most ? len - at : most;
		base64_encode(der + at, piece, line);
		put_escaped(words, line, BASE64_LEN(piece));
		gw_words_text(words, LINE_BREAK);
	}
	gw_words_text(words, "-----END%20CERTIFICATE-----" LINE_BREAK);
}

void gw_words_name(struct gw_words *words, const char *name, bool quoted)
{
	char digits[4];

	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;
		bool escaped = c == '\\' && name[1] != '\0';
		if (escaped)
			c = (unsigned char)*++name;
		/* A space at the end of a field value would be trimmed, and only its backslash would remain. */
		if (c >= 0x80 || (!quoted && escaped && c == ' ') || (quoted && (c == '"' || c == '\\'))) {
			(void)snprintf(digits, sizeof(digits), "\\%02X", c);
			gw_words_put(words, digits, 3);
		} else {
			gw_words_put(words, name - escaped, 1 + (size_t)escaped);
		}
	}
}
