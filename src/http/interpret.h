/* Interprets the fields of a head: host, framing, Expect, Connection. */
#ifndef HTTP_INTERPRET_H
#define HTTP_INTERPRET_H

#include "http/head.h"

/* request: all its fields are set; host is that of the target (at NULL: none). Sets the remaining members. False:
 * *refusal is set. */
bool http_interpret(struct http_request *request, struct http_refusal *refusal);

/* Max-Forwards of an OPTIONS or TRACE request (RFC 9110 7.6.2). */
enum http_forwards {
	HTTP_FORWARDS_ANY, /* no limit, or another method */
	HTTP_FORWARDS_LIMITED,
	HTTP_FORWARDS_BAD, /* the field is not a number, or occurs twice */
};
#define HTTP_FORWARDS_MAX 1000 /* higher limits are reduced to this */

/* *left: for HTTP_FORWARDS_LIMITED, the remaining hops. */
enum http_forwards http_max_forwards(const struct http_request *request, uint64_t *left);

#endif
