/* What the fields of a head say together: host, framing, Expect, Connection. */
#ifndef HTTP_MEANING_H
#define HTTP_MEANING_H

#include "http/head.h"

/* request: all its fields are read; host is what the target named (at NULL: nothing). Fills in the rest. False:
 * *refusal is set. */
bool http_meaning(struct http_request *request, struct http_refusal *refusal);

#endif
