/* Converts received bytes to JSON strings, and JSON to text. */
#ifndef GATEWAY_TEXT_H
#define GATEWAY_TEXT_H

#include <jansson.h>

#include "http/head.h"

/* Returns a JSON string. If the bytes are not valid UTF-8, all bytes outside ASCII become '?'. JSON null if span.at is
 * NULL. NULL: out of memory. */
json_t *gw_text(struct http_span span);
json_t *gw_text_string(const char *text);

/* Returns one line, or several with JSON_INDENT(), with a newline at the end; the caller frees it. NULL: out of
 * memory. */
#define GW_TEXT_MAX 524288 /* a head of full length, escaped */
char *gw_text_dump(const json_t *json, size_t flags, size_t *len);

#endif
