/* `headers` of the configuration: what an operator sets, adds or removes, of requests and responses. */
#ifndef GATEWAY_HEADERS_H
#define GATEWAY_HEADERS_H

#include "config/config.h"
#include "gateway/origin.h"
#include "http/response.h"

/* Bytes of what rules without variables write, and of some with them. One whose value is as large as a certificate may
 * be as large as GW_IDENTITY_MAX: what does not fit in the end is refused. */
#define GW_HEADERS_MAX 32768

/* Whether a field that came is left out, since a rule sets or removes it. */
bool gw_headers_replace(const struct config_headers *headers, struct http_span name);

/*
 * Writes what is set and added. A field one of whose variables has no value is left out, and so is one whose value may
 * not stand in a head: no value can end its line.
 */
void gw_headers_write(const struct gw_origin *origin, const struct config_headers *headers, struct http_writer *writer);

#endif
