#include "gateway/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/printable.h"

#define ROOM_FIRST 1024 /* enough for most texts */

json_t *gw_text(struct http_span span)
{
	if (span.at == NULL)
		return json_null();
	json_t *text = json_stringn(span.at, span.len);
	if (text != NULL)
		return text;
	char *ascii = malloc(span.len + 1);
	if (ascii == NULL)
		return NULL;
	for (size_t i = 0; i < span.len; i++)
		ascii[i] = (unsigned char)span.at[i] < 0x80 ? span.at[i] : '?';
	text = json_stringn(ascii, span.len);
	free(ascii);
	return text;
}

json_t *gw_text_string(const char *text)
{
	return gw_text((struct http_span){text, text != NULL ? strlen(text) : 0});
}

/* "\uXXXX", or a pair of them (RFC 8259 7). */
static bool append_escaped(struct buffer *dump, uint32_t code)
{
	char text[13];
	int len = code < 0x10000
			  ? snprintf(text, sizeof(text), "\\u%04x", (unsigned)code)
			  : snprintf(text, sizeof(text), "\\u%04x\\u%04x", 0xD800 + (unsigned)((code - 0x10000) >> 10),
				     0xDC00 + (unsigned)(code & 0x3FF));

	return len > 0 && buffer_append(dump, GW_TEXT_MAX, text, (size_t)len);
}

/*
 * JSON allows characters that end a line for some programs (NEL, U+2028), or that control a terminal: they are escaped.
 * jansson splits no character. jansson 2.14 ignores some results of this function. The buffer remembers a failure, so
 * that incomplete text is never used.
 */
static int on_dump(const char *bytes, size_t len, void *arg)
{
	size_t from = 0, size = 1;
	bool ok = true;

	for (size_t at = 0; ok && at < len; at += size) {
		uint32_t code = 0;
		bool plain = (unsigned char)bytes[at] < 0x7F;
		size = plain ? 1 : printable_next(bytes + at, len - at, &code, &plain);
		if (size == 0) /* jansson has checked it */
			return -1;
		if (plain)
			continue;
		ok = buffer_append(arg, GW_TEXT_MAX, bytes + from, at - from) && append_escaped(arg, code);
		from = at + size;
	}
	return ok && buffer_append(arg, GW_TEXT_MAX, bytes + from, len - from) ? 0 : -1;
}

char *gw_text_dump(const json_t *json, size_t flags, size_t *len)
{
	struct buffer dump = {.bytes = NULL};

	if (!buffer_reserve(&dump, GW_TEXT_MAX, ROOM_FIRST) || json_dump_callback(json, on_dump, &dump, flags) != 0 ||
	    !buffer_append(&dump, GW_TEXT_MAX, "\n", 1)) {
		buffer_free(&dump);
		return NULL;
	}
	*len = dump.len;
	return dump.bytes;
}
