/* The request target (RFC 9112 3.2), and the authority in it or in the Host field (RFC 3986 3.2). */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include "http/head.h"

/*
 * Sets target, path, query, and for the absolute form host (otherwise host.at is NULL). request->method must be set.
 * False: *refusal is set.
 */
bool http_target_parse(struct http_span target, struct http_request *request, struct http_refusal *refusal);

/* Merges leading slashes of the path: a parser of URL references would take "//x/y" for host x and path /y (RFC 3986
 * 4.2). */
void http_target_merge_front(struct http_request *request);

/* Writes path and query in origin form (RFC 9112 3.2.1), or "*"; returns the length. It always fits, since the target
 * came from a head. */
#define HTTP_ORIGIN_MAX (HTTP_LINE_MAX + 1)
size_t http_target_origin(const struct http_request *request, char out[static HTTP_ORIGIN_MAX]);

/* The host of host[:port]: a DNS name or an IPv4 address of at most HTTP_HOST_MAX bytes, or an IPv6 address with its
 * brackets. User information is refused. False: *refusal is set. */
bool http_authority_parse(struct http_span authority, struct http_span *host, struct http_refusal *refusal);

/* The host that a request names, as hosts are compared: in lower case, without a port or the root's dot. Its length; 0:
 * it names none. */
size_t http_host_text(const struct http_request *head, char host[static HTTP_HOST_MAX + 1]);

#endif
