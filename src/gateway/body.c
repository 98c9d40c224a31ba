#include <string.h>

#include "gateway/body.h"

static enum gw_body_step next(struct gw_stream *stream, struct http_refusal *refusal)
{
	struct gw_body *body = &stream->body;
	const char *unread = stream->in.bytes + stream->in.at;
	size_t here = stream->in.len - stream->in.at, used = 0;

	if (body->raw) {
		body->span = (struct http_span){unread, here};
		return here > 0 ? GW_BODY_SPAN : body->ended ? GW_BODY_END : GW_BODY_NEED;
	}
	if (body->span.len > 0)
		return GW_BODY_SPAN;
	if (body->ended)
		return GW_BODY_END;
	if (here == 0)
		return GW_BODY_NEED;
	if (body->framing == HTTP_BODY_LENGTH) {
		used = here < body->left ? here : (size_t)body->left;
		body->span = (struct http_span){unread, used};
		body->left -= used;
		body->ended = body->left == 0;
		body->received += used;
		stream->in.at += used;
		return GW_BODY_SPAN;
	}
	enum http_chunk chunk = http_chunked_decode(&body->chunked, unread, here, &used, &body->span, refusal);
	stream->in.at += used;
	switch (chunk) {
	case HTTP_CHUNK_DATA:
		body->received += body->span.len;
		return GW_BODY_SPAN;
	case HTTP_CHUNK_END:
		body->span.len = 0;
		body->ended = true;
		return GW_BODY_END;
	case HTTP_CHUNK_MORE:
		body->span.len = 0;
		return GW_BODY_NEED;
	case HTTP_CHUNK_BAD:
		break;
	}
	body->span.len = 0;
	return GW_BODY_BAD;
}

/* The length of such a body was checked with its head. */
enum gw_body_step gw_body_next(struct gw_stream *stream, struct http_refusal *refusal)
{
	enum gw_body_step step = next(stream, refusal);

	return step == GW_BODY_SPAN && stream->body.received > stream->route->config->max_request_body ? GW_BODY_LARGE
												       : step;
}

void gw_input_took(struct gw_stream *stream, size_t len)
{
	stream->in.at += len;
	if (stream->conn->protocol->took != NULL)
		stream->conn->protocol->took(stream, len);
}

void gw_body_took(struct gw_stream *stream, size_t len)
{
	stream->body.span.at += len;
	stream->body.span.len -= len;
	if (stream->body.raw)
		gw_input_took(stream, len);
}

enum thaw_reason gw_body_fill(struct gw_stream *stream, enum thaw_status *status)
{
	char *where = NULL;
	size_t room = gw_input_room(&stream->in, stream->gateway->scratch, &where), got = 0;

	if (room == 0)
		return THAW_REASON_PIPELINED;
	if (stream->body.framing == HTTP_BODY_LENGTH && !stream->body.raw && !stream->body.ended &&
	    room > stream->body.left)
		room = (size_t)stream->body.left;
	*status = gw_read(stream, where, room, &got);
	return gw_input_came(&stream->in, where, got) ? THAW_REASON_NONE : THAW_REASON_NO_MEMORY;
}

enum thaw_status gw_read(struct gw_stream *stream, void *where, size_t room, size_t *len)
{
	*len = 0;
	enum thaw_status status = stream->conn->protocol->read(stream, where, room, len);
	stream->conn->work += *len;
	pace_progress(&stream->pace, *len, gw_stream_now(stream));
	return status;
}

enum thaw_status gw_body_straight(struct gw_stream *stream, void *where, size_t room, size_t *len)
{
	struct gw_body *body = &stream->body;

	if (room > body->left)
		room = (size_t)body->left;
	enum thaw_status status = gw_read(stream, where, room, len);
	body->left -= *len;
	body->received += *len;
	body->ended = body->left == 0;
	return status;
}
