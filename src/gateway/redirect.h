/* Requests without TLS: redirects, refusals and ACME challenges. None of them reaches the routes of a host. */
#ifndef GATEWAY_REDIRECT_H
#define GATEWAY_REDIRECT_H

#include "gateway/stream.h"

/* HTTP/1.1 on a connection without TLS. */
const struct gw_protocol *gw_http1_plain(void);

#endif
