/* Receives the response to a request over HTTP/2. */
#include "h2_inside.h"

static bool is(const uint8_t *name, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(name, text, len) == 0;
}

static void copy(char *to, size_t room, const uint8_t *value, size_t len)
{
	size_t fits = len < room - 1 ? len : room - 1;

	memcpy(to, value, fits);
	to[fits] = '\0';
}

static struct peer_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* An interim response: a 100 releases the body that waited for it. */
static void receive_interim(struct peer_stream *stream)
{
	stream->answer->hundreds += stream->answer->status == 100;
	if (stream->answer->status == 100)
		stream->next_us = 0;
	stream->answer->status = 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct peer_stream *stream = stream_of(session, frame->hd.stream_id);
	struct h2_peer *peer = arg;

	(void)flags;
	if (stream == NULL)
		return 0;
	if (is(name, name_len, ":status"))
		stream->answer->status = (unsigned)strtoul((const char *)value, NULL, 10);
	if (is(name, name_len, "location"))
		copy(stream->answer->location, sizeof(stream->answer->location), value, len);
	if (is(name, name_len, "content-type"))
		copy(stream->answer->type, sizeof(stream->answer->type), value, len);
	if (is(name, name_len, "x-site"))
		copy(stream->answer->site, sizeof(stream->answer->site), value, len);
	if (is(name, name_len, "connection") || is(name, name_len, "transfer-encoding"))
		peer->why = "a field that HTTP/2 does not have";
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
	struct peer_stream *stream = stream_of(session, id);
	struct h2_peer *peer = arg;
	const struct conn_plan *plan = plan_of(peer);

	(void)flags;
	if (plan->windows.grants == GRANTS_AT_ONCE)
		must(nghttp2_session_consume(session, id, len));
	else if (!plan->windows.withholds_connection)
		must(nghttp2_session_consume_connection(session, len));
	if (stream == NULL)
		return 0;
	if (stream->got + len + 1 > stream->room) {
		stream->room = 2 * (stream->got + len + 1);
		stream->answer->body = realloc(stream->answer->body, stream->room);
		if (stream->answer->body == NULL)
			abort();
	}
	memcpy(stream->answer->body + stream->got, data, len);
	stream->got += len;
	stream->kept += len;
	stream->answer->body[stream->got] = '\0';
	stream->answer->body_len = stream->got;
	return 0;
}

void h2_cancel(struct peer_stream *stream, uint32_t code)
{
	if (stream->outcome.over || stream->outcome.cancelled || !stream->outcome.begun)
		return;
	stream->outcome.cancelled = true;
	must(nghttp2_submit_rst_stream(stream->peer->session, NGHTTP2_FLAG_NONE, stream->id, code));
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct peer_stream *stream = stream_of(session, frame->hd.stream_id);
	struct h2_peer *peer = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY)
		peer->goaway = true;
	if (stream == NULL || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
		return 0;
	if (stream->answer->status >= 100 && stream->answer->status < 200)
		receive_interim(stream);
	if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
		return 0;
	stream->ended = true;
	/* A client that held back its body gets a final response instead of a 100: it no longer sends the body. */
	if (stream->next_us == SIM_NEVER)
		h2_cancel(stream, NGHTTP2_NO_ERROR);
	return 0;
}

void h2_finish(struct peer_stream *stream, uint32_t code)
{
	struct answer *answer = stream->answer;

	if (stream->outcome.over)
		return;
	stream->outcome.over = true;
	stream->outcome.code = code;
	answer->complete = stream->ended;
	if (answer->body == NULL && (answer->body = calloc(1, 1)) == NULL)
		abort();
	if (!stream->ended || answer->body_len == 0 || strstr(answer->type, "json") == NULL)
		return;
	answer->json = json_loadb(answer->body, answer->body_len, JSON_REJECT_DUPLICATES, NULL);
	if (answer->json == NULL)
		stream->peer->why = "a body that calls itself JSON and is not";
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct peer_stream *stream = stream_of(session, id);

	(void)arg;
	if (stream != NULL)
		h2_finish(stream, code);
	return 0;
}

/* After a GOAWAY the client begins no more requests. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
	struct peer_stream *stream = stream_of(session, frame->hd.stream_id);

	(void)error;
	(void)arg;
	if (stream != NULL && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
		stream->outcome.begun = false;
		h2_finish(stream, NGHTTP2_REFUSED_STREAM);
	}
	return 0;
}

void h2_hear_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
}
