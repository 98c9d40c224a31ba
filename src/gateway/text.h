/* Bytes from the wire as JSON text. */
#ifndef GATEWAY_TEXT_H
#define GATEWAY_TEXT_H

#include <jansson.h>

#include "http/head.h"

/* A JSON string; bytes that are not UTF-8 become '?'. JSON null for a span that is not there (at NULL). NULL: no
 * memory. */
json_t *gw_text(struct http_span span);
json_t *gw_text_string(const char *text);

#endif
