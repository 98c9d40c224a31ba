/* The request-target (RFC 9112 3.2) and the authority that it or the Host field names (RFC 3986 3.2). */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "http/head.h"

/*
 * Fills target, path, query, and for the absolute form host (at NULL: the target names none). request->method is set.
 * False: *refusal is set.
 */
bool http_target_parse(struct http_span target, struct http_request *request, struct http_refusal *refusal);

/* host[:port] to its host: a DNS name or an IPv4 address of at most HTTP_HOST_MAX bytes, or an IPv6 address with its
 * brackets. User information is refused. False: *refusal is set. */
bool http_authority_parse(struct http_span authority, struct http_span *host, struct http_refusal *refusal);

#endif
