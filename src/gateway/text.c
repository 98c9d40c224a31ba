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
