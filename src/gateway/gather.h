/* The body of a request for its upstream: spooled bytes first, then the rest as it arrives, in batches. */
#ifndef GATEWAY_GATHER_H
#define GATEWAY_GATHER_H

#include "gateway/problem.h"
#include "gateway/stream.h"

#define GW_BATCH_LEAST 20480 /* with less room, the batch is sent: a record or the trailers might not fit */

/* The result of filling a batch. */
enum gw_gather {
	GW_GATHER_MORE, /* the batch is full, or there was enough work for one step: send it, and continue */
	GW_GATHER_READ, /* the client has not sent more yet */
	GW_GATHER_WRITE,
	GW_GATHER_END,
	GW_GATHER_OVER, /* the request is over: refused, or the client has gone */
};

/* Fills the batch buffer, which may already contain a head. */
enum gw_gather gw_gather(struct gw_stream *stream, struct gw_batch *batch);

/*
 * The body cannot be continued. Without a response, this error becomes the response; if the server's response is
 * being sent, that continues, and the rest of the body is discarded.
 */
enum gw_gather gw_give_up(struct gw_stream *stream, enum gw_problem problem, const struct http_refusal *refusal);

/* Appends a chunk that fits. */
void gw_batch_chunk(struct gw_batch *batch, const char *data, size_t len);

#endif
