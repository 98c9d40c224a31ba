/* Runs a stream in any state. */
#ifndef GATEWAY_RUN_H
#define GATEWAY_RUN_H

#include "gateway/stream.h"

/* Does one piece of work. Not for the state over. */
enum gw_step gw_stream_run(struct gw_stream *stream);

/* The earlier one of the stream's own deadline and its upstream's. */
uint64_t gw_stream_deadline(const struct gw_stream *stream);
/* Call when that deadline has passed. */
void gw_stream_overdue(struct gw_stream *stream);

#define GW_OUT_OF_TIME "the worker stopped before the request was over (stop_timeout)"

/* Call when the time for it is over (graceful stop). Answers it with 503, or aborts its response if that has begun. */
void gw_stream_dismiss(struct gw_stream *stream);

#endif
