/* Sends responses: nghttp2 copies heads; bodies are written directly to the output buffer. */
#include <string.h>

#include "base/ascii.h"
#include "http/h2_inside.h"

void h2_stream_set_user(struct h2_stream *stream, void *user)
{
	stream->user = user;
}

void *h2_stream_user(const struct h2_stream *stream)
{
	return stream->user;
}

/* RFC 9113 8.2.2 */
static bool is_for_connection(const struct h2_stream *stream, struct http_span name)
{
	static const char *const names[] = {"connection",        "keep-alive", "proxy-connection",
					    "transfer-encoding", "upgrade",    "te"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (http_span_is(name, names[i]))
			return true;
	return stream->kind == H2_KIND_WEBSOCKET && http_span_is(name, "sec-websocket-accept");
}

/* Selects the fields to send. nghttp2 converts names to lower case when it copies them. */
static size_t put_fields(const struct h2_stream *stream, const struct http_field *fields, size_t count, nghttp2_nv *out)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		if (!is_for_connection(stream, fields[i].name))
			out[used++] = (nghttp2_nv){.name = (uint8_t *)fields[i].name.at,
						   .value = (uint8_t *)fields[i].value.at,
						   .namelen = fields[i].name.len,
						   .valuelen = fields[i].value.len,
						   .flags = NGHTTP2_NV_FLAG_NONE};
	return used;
}

/*
 * Writes a piece of a body directly to the buffer of h2_server_pull(), after the room for its frame header. If the
 * stream was reset meanwhile, returns nghttp2's temporal error, which affects only this stream.
 */
static ssize_t on_read(nghttp2_session *session, int32_t id, uint8_t *unused, size_t len, uint32_t *flags,
		       nghttp2_data_source *source, void *arg)
{
	struct h2_server *server = arg;
	struct h2_stream *stream = source->ptr;
	size_t room = server->room - server->used;
	bool ended = false;

	(void)session;
	(void)id;
	(void)unused;
	if (room <= H2_FRAME_LEN || (server->used > 0 && room < H2_DATA_LEAST))
		return NGHTTP2_ERR_PAUSE;
	len = len < room - H2_FRAME_LEN ? len : room - H2_FRAME_LEN;
	server->asked = stream;
	len = server->ops->body(server->arg, stream, (char *)server->out + server->used + H2_FRAME_LEN, len, &ended);
	server->asked = NULL;
	if (!h2_usable(server))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	if (stream->owner != H2_OWNER_CALLER)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (len == 0 && !ended && stream->send == H2_SEND_BODY)
		return NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (stream->send == H2_SEND_LAST) /* the trailers end the stream */
		*flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	else if (ended)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (ended)
		stream->send = H2_SEND_LAST;
	return (ssize_t)len;
}

static int on_write(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *header, size_t len,
		    nghttp2_data_source *source, void *arg)
{
	struct h2_server *server = arg;

	(void)session;
	(void)frame;
	(void)source;
	memcpy(server->out + server->used, header, H2_FRAME_LEN);
	server->used += H2_FRAME_LEN + len;
	return 0;
}

/* Whether the client has provoked our reset (CVE-2025-8671); not resets by the caller, or because of our own errors. */
static void count_reset(struct h2_server *server, const struct h2_stream *stream, uint32_t code)
{
	if ((stream != NULL && stream->owner == H2_OWNER_RELEASED) || code == H2_NO_ERROR || code == H2_INTERNAL_ERROR)
		return;
	if (!h2_budget_reset(&server->budget))
		h2_server_fail(server, H2_ENHANCE_YOUR_CALM, "too many requests had to be reset");
}

static void end_sent(struct h2_stream *stream)
{
	stream->send = H2_SEND_ENDED;
	if (stream->receive == H2_RECEIVE_DROPS)
		stream->server->resets_due = true;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2_server *server = arg;
	int32_t id = frame->hd.stream_id;
	struct h2_stream *stream = id != 0 ? nghttp2_session_get_stream_user_data(session, id) : NULL;
	bool may_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;

	if (frame->hd.type == NGHTTP2_DATA)
		h2_budget_sent(&server->budget, frame->hd.length);
	if (may_end && stream != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		end_sent(stream);
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		count_reset(server, stream, frame->rst_stream.error_code);
	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
		uint32_t code = frame->goaway.error_code;
		const char *why = server->why != NULL ? server->why : nghttp2_http2_strerror(code);
		server->end = (struct h2_end){.code = code, .why = why};
		h2_enter(server, H2_ERROR_SENT);
		return 0; /* its bytes must still be returned */
	}
	return h2_callback_result(server);
}

/* nghttp2 cannot send a head (it is too long): the stream has no response. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
	struct h2_server *server = arg;
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)error;
	if (frame->hd.type == NGHTTP2_HEADERS && stream != NULL)
		h2_rst(stream, H2_INTERNAL_ERROR);
	return h2_callback_result(server);
}

void h2_send_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_not_sent);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, on_write);
}

static bool has_no_body(const struct h2_stream *stream, unsigned status)
{
	return stream->kind == H2_KIND_HEAD || status == 204 || status == 304;
}

static bool submit_head(struct h2_stream *stream, unsigned status, const nghttp2_nv *fields, size_t count, bool ended)
{
	nghttp2_session *session = h2_session(stream->server);
	const nghttp2_data_provider body = {.source = {.ptr = stream}, .read_callback = on_read};
	int result;

	if (status < 200) {
		result = nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, stream->id, NULL, fields, count, NULL);
	} else {
		result = nghttp2_submit_response(session, stream->id, fields, count, ended ? NULL : &body);
		stream->send = ended ? H2_SEND_LAST : H2_SEND_BODY;
	}
	h2_check(stream->server, result);
	return result == 0;
}

bool h2_stream_respond(struct h2_stream *stream, unsigned status, const struct http_field *fields, size_t count,
		       bool ended)
{
	nghttp2_nv out[H2_FIELDS_MAX + 1];
	char digits[3];

	if (status == 101 && stream->kind == H2_KIND_WEBSOCKET) /* RFC 8441 5 */
		status = 200;
	if (count > H2_FIELDS_MAX || stream->send != H2_SEND_HEAD || status < 100 || status == 101 || status > 999)
		return false;
	if (!h2_usable(stream->server)) /* gone() follows */
		return true;
	digits[0] = (char)('0' + status / 100);
	digits[1] = (char)('0' + status / 10 % 10);
	digits[2] = (char)('0' + status % 10);
	out[0] = (nghttp2_nv){.name = (uint8_t *)":status",
			      .value = (uint8_t *)digits,
			      .namelen = 7,
			      .valuelen = sizeof(digits),
			      .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME};
	size_t used = 1 + put_fields(stream, fields, count, out + 1);
	return submit_head(stream, status, out, used, ended || has_no_body(stream, status));
}

bool h2_stream_trailers(struct h2_stream *stream, const struct http_field *fields, size_t count)
{
	nghttp2_nv out[H2_FIELDS_MAX];

	if (count > H2_FIELDS_MAX || stream->send != H2_SEND_BODY || stream->server->asked != stream)
		return false;
	size_t used = put_fields(stream, fields, count, out);
	if (!h2_usable(stream->server) || used == 0)
		return true;
	int result = nghttp2_submit_trailer(h2_session(stream->server), stream->id, out, used);
	h2_check(stream->server, result);
	if (result == 0)
		stream->send = H2_SEND_LAST;
	return result == 0;
}

void h2_stream_resume(struct h2_stream *stream)
{
	struct h2_server *server = stream->server;

	if (h2_usable(server) && stream->send == H2_SEND_BODY)
		h2_check(server, nghttp2_session_resume_data(h2_session(server), stream->id));
}
