#include "gateway/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

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

/* jansson 2.14 ignores some results of this function. The buffer remembers a failure, so that incomplete text is never
 * used. */
static int on_dump(const char *bytes, size_t len, void *arg)
{
	return buffer_append(arg, GW_TEXT_MAX, bytes, len) ? 0 : -1;
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
