/* Which clients may send requests to a host or a route, by address, and how many: `allow_from`, `deny_from`, `rate`. */
#ifndef GATEWAY_ACCESS_H
#define GATEWAY_ACCESS_H

#include "config/config.h"

struct gw_stream;
struct sockaddr;

/* address: NULL if unknown, which matches no list. */
bool gw_access(const struct config_access *access, const struct sockaddr *address);

/* Whether every client that a allows is also allowed by b, at least at the same rate. */
bool gw_access_is_stricter(const struct config_access *a, const struct config_access *b);

/* Counts a request after its route is known, or known not to exist. False: the client has sent too many;
 * stream->retry_s says when it may retry. */
bool gw_count(struct gw_stream *stream, const struct config_access *access);

#endif
