/* The bytes of a request's body, from the stream's input or directly from its protocol. */
#ifndef GATEWAY_BODY_H
#define GATEWAY_BODY_H

#include "gateway/stream.h"

enum gw_body_step {
	GW_BODY_SPAN, /* stream->body.span has bytes; call gw_body_took() for them */
	GW_BODY_NEED, /* read more */
	GW_BODY_END,
	GW_BODY_LARGE, /* it exceeds the route's max_request_body */
	GW_BODY_BAD,   /* *refusal */
};
enum gw_body_step gw_body_next(struct gw_stream *stream, struct http_refusal *refusal);
void gw_body_took(struct gw_stream *stream, size_t len);

/* Bytes of the input were used that are not a body: a tunnel's. */
void gw_input_took(struct gw_stream *stream, size_t len);

/*
 * Reads up to one record, but not beyond the end of the body if that is known. Returns the reason why no more can be
 * kept, or NONE and *status.
 */
enum thaw_reason gw_body_fill(struct gw_stream *stream, enum thaw_status *status);

/* Reads more of the request. */
enum thaw_status gw_read(struct gw_stream *stream, void *where, size_t room, size_t *len);

/* Reads more of a body of known length directly into the caller's memory, if nothing of it is buffered. */
enum thaw_status gw_body_straight(struct gw_stream *stream, void *where, size_t room, size_t *len);

#endif
