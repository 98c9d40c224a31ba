#include "gateway/text.h"

#include <stdlib.h>
#include <string.h>

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

struct dump {
	char *bytes;
	size_t len, room;
	bool failed;
};

static bool append(struct dump *dump, const char *bytes, size_t len)
{
	size_t room = dump->room;

	while (room - dump->len < len && room < GW_TEXT_MAX)
		room *= 2;
	if (room > dump->room) {
		char *more = realloc(dump->bytes, room);
		if (more == NULL)
			return false;
		dump->bytes = more;
		dump->room = room;
	}
	if (room - dump->len < len)
		return false;
	memcpy(dump->bytes + dump->len, bytes, len);
	dump->len += len;
	return true;
}

/* jansson 2.14 does not look at every result of this one, so a failure is kept: nothing with a hole in it is ever used.
 */
static int on_dump(const char *bytes, size_t len, void *arg)
{
	struct dump *dump = arg;

	dump->failed = dump->failed || !append(dump, bytes, len);
	return dump->failed ? -1 : 0;
}

char *gw_text_dump(const json_t *json, size_t flags, size_t *len)
{
	struct dump dump = {.room = 1024};

	dump.bytes = malloc(dump.room);
	if (dump.bytes == NULL || json_dump_callback(json, on_dump, &dump, flags) != 0 || dump.failed ||
	    !append(&dump, "\n", 1)) {
		free(dump.bytes);
		return NULL;
	}
	*len = dump.len;
	return dump.bytes;
}
