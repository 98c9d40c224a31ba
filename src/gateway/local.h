/* The upstreams within the gateway. They answer with gw_answer(), so that nothing is relayed. */
#ifndef GATEWAY_LOCAL_H
#define GATEWAY_LOCAL_H

#include "gateway/stream.h"

const struct gw_upstream_ops *gw_upstream_local(void);

/* Whether a request that is meant for a proxy may go no further (RFC 9110 7.6.2). */
bool gw_ends_here(const struct gw_stream *stream);

#endif
