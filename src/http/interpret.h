/* What the fields of a head say together: host, framing, Expect, Connection. */
#ifndef HTTP_INTERPRET_H
#define HTTP_INTERPRET_H

#include "http/head.h"

/* request: all its fields are read; host is what the target named (at NULL: nothing). Fills in the rest. False:
 * *refusal is set. */
bool http_interpret(struct http_request *request, struct http_refusal *refusal);

/* How far an OPTIONS or TRACE may go (RFC 9110 7.6.2). */
enum http_forwards {
	HTTP_FORWARDS_ANY, /* no limit, or another method */
	HTTP_FORWARDS_LIMITED,
	HTTP_FORWARDS_BAD, /* the field is not a number, or there are two */
};
#define HTTP_FORWARDS_MAX 1000 /* a higher limit becomes this one */

/* *left: for HTTP_FORWARDS_LIMITED, how many more hops. */
enum http_forwards http_max_forwards(const struct http_request *request, uint64_t *left);

#endif
