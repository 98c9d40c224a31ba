/* Bytes from the wire as JSON text, and JSON as bytes. */
#ifndef GATEWAY_TEXT_H
#define GATEWAY_TEXT_H

#include <jansson.h>

#include "http/head.h"

/* A JSON string; bytes that are not UTF-8 become '?'. JSON null for a span that is not there (at NULL). NULL: no
 * memory. */
json_t *gw_text(struct http_span span);
json_t *gw_text_string(const char *text);

/* One line, or with JSON_INDENT() several, with a newline at the end; the caller frees it. NULL: no memory. */
#define GW_TEXT_MAX 524288 /* a head of full length, escaped */
char *gw_text_dump(const json_t *json, size_t flags, size_t *len);

#endif
