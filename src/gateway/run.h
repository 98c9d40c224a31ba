/* Runs a stream, whatever its state. */
#ifndef GATEWAY_RUN_H
#define GATEWAY_RUN_H

#include "gateway/stream.h"

/* One piece of work; not in over. */
enum gw_step gw_stream_run(struct gw_stream *stream);

/* Its own, and its upstream's. */
uint64_t gw_stream_deadline(const struct gw_stream *stream);
/* That has come. */
void gw_stream_overdue(struct gw_stream *stream);

#define GW_OUT_OF_TIME "the worker stopped before the request was over (stop_timeout)"

/* The time for it is over (graceful stop): it is answered now (503), or broken off where its response has begun. */
void gw_stream_dismiss(struct gw_stream *stream);

#endif
