/* The built-in upstreams. They respond with gw_answer(), so nothing is relayed. */
#ifndef GATEWAY_LOCAL_H
#define GATEWAY_LOCAL_H

#include "gateway/stream.h"

const struct gw_upstream_ops *gw_upstream_local(void);

/* Whether the gateway must answer the request instead of forwarding it, because Max-Forwards is 0 (RFC 9110 7.6.2). */
bool gw_ends_here(const struct gw_stream *stream);

#endif
