/* Who may send requests to a host or a route, by the client's address, and how many: `allow_from`, `deny_from`, `rate`.
 */
#ifndef GATEWAY_ACCESS_H
#define GATEWAY_ACCESS_H

#include "config/config.h"

struct gw_stream;
struct sockaddr;

/* address: NULL: not known; that is in no list. */
bool gw_access(const struct config_access *access, const struct sockaddr *address);

/* Whether each client that a lets through is one that b lets through, as often. */
bool gw_access_is_stricter(const struct config_access *a, const struct config_access *b);

/* Counts a request whose route is found, or is known to be none. False: its client has sent too many; stream->retry_s
 * says when one may be sent. */
bool gw_count(struct gw_stream *stream, const struct config_access *access);

#endif
