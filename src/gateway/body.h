/* The bytes of a request's body, as they come: out of the stream's input, or straight from its protocol. */
#ifndef GATEWAY_BODY_H
#define GATEWAY_BODY_H

#include "gateway/stream.h"

enum gw_body_step {
	GW_BODY_SPAN, /* stream->body.span has bytes; gw_body_took() them */
	GW_BODY_NEED, /* read more */
	GW_BODY_END,
	GW_BODY_LARGE, /* it exceeds the route's max_request_body */
	GW_BODY_BAD,   /* *refusal */
};
enum gw_body_step gw_body_next(struct gw_stream *stream, struct http_refusal *refusal);
void gw_body_took(struct gw_stream *stream, size_t len);

/* Bytes of the input were used that are no body: a tunnel's. */
void gw_input_took(struct gw_stream *stream, size_t len);

/*
 * Reads as much as one record, no further than the body's end where that is known. The reason why no more can be kept,
 * or NONE and *status.
 */
enum thaw_reason gw_body_fill(struct gw_stream *stream, enum thaw_status *status);

/* More of the request, as it comes. */
enum thaw_status gw_read(struct gw_stream *stream, void *where, size_t room, size_t *len);

/* More of a body of known length of which nothing else is here: into the caller's memory. */
enum thaw_status gw_body_straight(struct gw_stream *stream, void *where, size_t room, size_t *len);

#endif
