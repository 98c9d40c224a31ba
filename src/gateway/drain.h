/* Drains the body of a request that waits for a certificate into its spool. */
#ifndef GATEWAY_DRAIN_H
#define GATEWAY_DRAIN_H

#include "gateway/stream.h"

/* One piece of work. */
enum gw_step gw_drain(struct gw_stream *stream);

#endif
