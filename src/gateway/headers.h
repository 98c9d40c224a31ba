/* The `headers` setting: the header fields that the operator sets, adds or removes in requests and responses. */
#ifndef GATEWAY_HEADERS_H
#define GATEWAY_HEADERS_H

#include "config/config.h"
#include "gateway/origin.h"
#include "http/response.h"

/* Room in bytes for the fields of rules without variables, and of some rules with variables. A value with a certificate
 * may need up to GW_IDENTITY_MAX bytes; a head that becomes too large is refused. */
#define GW_HEADERS_MAX 32768

/* Whether a received field is left out because a rule sets or removes it. */
bool gw_headers_replace(const struct config_headers *headers, struct http_span name);

/*
 * Writes the fields that the rules set and add. A field is left out if one of its variables has no value, or if its
 * value contains a character that a field value must not contain. So no value can end its line.
 */
void gw_headers_write(const struct gw_origin *origin, const struct config_headers *headers, struct http_writer *writer);

#endif
