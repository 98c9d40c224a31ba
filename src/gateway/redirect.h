/* Requests that come without TLS: all of them are answered here, and none gets to a host's routes. */
#ifndef GATEWAY_REDIRECT_H
#define GATEWAY_REDIRECT_H

#include "gateway/stream.h"

/* HTTP/1.1 on a connection without TLS. */
const struct gw_protocol *gw_http1_plain(void);

#endif
