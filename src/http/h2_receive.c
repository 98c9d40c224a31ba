/* Handles frames from a client: nghttp2's receive callbacks. */
#include <stdlib.h>

#include "http/h2_inside.h"

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

/* RFC 9113 5.1.2, 6.8: whether a new stream is refused, because the connection is stopping or has too many streams. */
static bool takes_another(const struct h2_server *server)
{
	return server->state != H2_STOPPING && server->count < H2_STREAMS_MAX;
}

/* Refuses a stream before its request was processed: the client may repeat it. */
static int refuse(struct h2_server *server, int32_t id)
{
	h2_check(server, nghttp2_submit_rst_stream(h2_session(server), NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM));
	return h2_usable(server) ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : NGHTTP2_ERR_CALLBACK_FAILURE;
}

#define BEGUN_BITS 64

static void note_begun(struct h2_server *server, int32_t id)
{
	uint32_t further = (uint32_t)(id - server->newest) / 2;

	server->begun = further < BEGUN_BITS ? server->begun << further : 0;
	server->begun |= 1;
	server->newest = id;
}

/* RFC 9113 5.1.1: opening a stream closes lower-numbered streams that were never opened. nghttp2 accepts frames for
 * them as if they had been open. */
static bool goes_back(const struct h2_server *server, int32_t id)
{
	if (id % 2 == 0 || id >= server->newest)
		return false;
	uint32_t before = (uint32_t)(server->newest - id) / 2;
	return before < BEGUN_BITS && (server->begun >> before & 1) == 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *arg)
{
	struct h2_server *server = arg;

	(void)session;
	if (head->type == NGHTTP2_HEADERS && goes_back(server, head->stream_id))
		h2_server_fail(server, H2_PROTOCOL_ERROR, "a stream has a lower number than one before it");
	return h2_callback_result(server);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2_server *server = arg;

	h2_head_free(&server->head);
	if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return h2_callback_result(server);
	note_begun(server, frame->hd.stream_id);
	struct h2_stream *stream = takes_another(server) ? calloc(1, sizeof(*stream)) : NULL;
	if (stream == NULL)
		return refuse(server, frame->hd.stream_id);
	*stream = (struct h2_stream){.server = server, .next = server->streams, .id = frame->hd.stream_id};
	if (stream->next != NULL)
		stream->next->prev = stream;
	server->streams = stream;
	server->count++;
	(void)nghttp2_session_set_stream_user_data(session, stream->id, stream); /* it exists */
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
		     const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct h2_server *server = arg;
	struct http_span name_span = {(const char *)name, name_len}, value_span = {(const char *)value, len};

	(void)session;
	(void)flags;
	if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		h2_head_field(&server->head, name_span, value_span);
	else
		h2_head_trailer(&server->head, name_span, value_span);
	if (server->head.outcome == H2_HEAD_FLOOD)
		h2_server_fail(server, H2_ENHANCE_YOUR_CALM, "a header list is too long");
	return h2_callback_result(server);
}

/* The error code for a bad head or bad trailers. */
static uint32_t code_of(enum h2_outcome outcome)
{
	return outcome == H2_HEAD_NO_MEMORY ? H2_REFUSED_STREAM : H2_PROTOCOL_ERROR;
}

/* HPACK makes a large head of a few bytes. So the heads of a connection's open streams are limited together; a client
 * with usual heads reaches the number of streams first. */
static bool has_room(const struct h2_server *server, const struct h2_head *head)
{
	return server->heads + head->text.room <= server->heads_max;
}

static void head_complete(struct h2_stream *stream, bool ended)
{
	struct h2_server *server = stream->server;
	struct h2_head *head = &server->head;
	struct h2_request request = {.ended = ended};
	uint8_t key[H2_KEY_LEN] = {0};

	if (head->kind == H2_KIND_WEBSOCKET)
		server->ops->random(server->arg, key, sizeof(key));
	enum h2_outcome outcome = h2_head_end(head, ended, key);
	if (outcome != H2_HEAD_GOOD && outcome != H2_HEAD_REFUSED) {
		h2_rst(stream, code_of(outcome));
		return;
	}
	if (outcome == H2_HEAD_GOOD && !has_room(server, head)) {
		h2_rst(stream, H2_REFUSED_STREAM);
		return;
	}
	stream->kind = head->kind;
	stream->owner = H2_OWNER_CALLER;
	stream->receive = ended ? H2_RECEIVE_ENDED : H2_RECEIVE_BODY;
	request.websocket = head->kind == H2_KIND_WEBSOCKET;
	request.refusal = head->refusal;
	if (outcome == H2_HEAD_GOOD) {
		request.head = head->text.bytes;
		request.len = head->text.len;
		stream->room = head->text.room;
		server->heads += stream->room;
		head->text = (struct buffer){.bytes = NULL};
	}
	h2_head_free(head);
	server->ops->request(server->arg, stream, &request);
}

static void body_complete(struct h2_stream *stream, struct http_trailers *trailers)
{
	bool to_caller = stream->owner == H2_OWNER_CALLER && stream->receive == H2_RECEIVE_BODY;

	stream->receive = H2_RECEIVE_ENDED;
	if (to_caller)
		stream->server->ops->ended(stream->server->arg, stream, trailers);
}

static void trailers_complete(struct h2_stream *stream)
{
	struct h2_head *head = &stream->server->head;
	struct http_trailers trailers = {.lines = head->text};

	if (head->outcome != H2_HEAD_GOOD) {
		h2_rst(stream, head->outcome == H2_HEAD_REFUSED ? H2_ENHANCE_YOUR_CALM : code_of(head->outcome));
		return;
	}
	head->text = (struct buffer){.bytes = NULL};
	body_complete(stream, &trailers);
	http_trailers_free(&trailers);
}

/* Before the stream is closed because of it. */
static void count_reset(struct h2_server *server, const struct h2_stream *stream)
{
	if (stream != NULL && stream->send != H2_SEND_ENDED && stream->owner != H2_OWNER_RELEASED &&
	    !h2_budget_reset(&server->budget))
		h2_server_fail(server, H2_ENHANCE_YOUR_CALM, "too many requests were reset");
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct h2_server *server = arg;
	struct h2_stream *stream = frame->hd.stream_id != 0 ? stream_of(session, frame->hd.stream_id) : NULL;
	bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
	struct http_trailers none = {.lines = {.bytes = NULL}};

	if (frame->hd.type == NGHTTP2_HEADERS && stream != NULL && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		head_complete(stream, ended);
	else if (frame->hd.type == NGHTTP2_HEADERS && stream != NULL)
		trailers_complete(stream);
	else if (frame->hd.type == NGHTTP2_DATA && stream != NULL && ended)
		body_complete(stream, &none);
	else if (frame->hd.type == NGHTTP2_RST_STREAM)
		count_reset(server, stream);
	else if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
		server->settings_due = THAW_NEVER;
	else if (frame->hd.type == NGHTTP2_GOAWAY)
		server->end = (struct h2_end){.code = frame->goaway.error_code,
					      .by_client = true,
					      .why = nghttp2_http2_strerror(frame->goaway.error_code)};
	return h2_callback_result(server);
}

/* Discarded data must still be returned to the connection's window. */
static void drop(struct h2_stream *stream, size_t len)
{
	struct h2_server *server = stream->server;

	h2_check(server, stream->receive == H2_RECEIVE_DROPS
				 ? nghttp2_session_consume(h2_session(server), stream->id, len)
				 : nghttp2_session_consume_connection(h2_session(server), len));
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *arg)
{
	struct h2_server *server = arg;
	struct h2_stream *stream = stream_of(session, id);

	(void)flags;
	if (stream == NULL) {
		h2_check(server, nghttp2_session_consume_connection(session, len));
	} else if (stream->owner != H2_OWNER_CALLER || stream->receive != H2_RECEIVE_BODY) {
		drop(stream, len);
	} else if (stream->held + len > H2_STREAM_WINDOW) { /* nghttp2 reports the streams that it resets */
		drop(stream, len);
		h2_rst(stream, H2_FLOW_CONTROL_ERROR);
	} else {
		stream->held += len;
		server->ops->data(server->arg, stream, (const char *)bytes, len);
	}
	return h2_callback_result(server);
}

static bool complete(const struct h2_stream *stream)
{
	return stream->send == H2_SEND_ENDED && stream->receive >= H2_RECEIVE_DROPS;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2_server *server = arg;
	struct h2_stream *stream = stream_of(session, id);

	if (stream == NULL)
		return h2_callback_result(server);
	(void)nghttp2_session_set_stream_user_data(session, id, NULL);
	bool whole = complete(stream);
	if (whole)
		h2_budget_completed(&server->budget);
	h2_close(server, stream, whole || code != H2_NO_ERROR ? code : H2_CANCEL);
	return h2_callback_result(server);
}

/* Records the error for logs; nghttp2 then resets the stream or closes the connection. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *arg)
{
	struct h2_server *server = arg;

	(void)session;
	(void)frame;
	server->why = nghttp2_strerror(error);
	return h2_callback_result(server);
}

void h2_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
}

void h2_stream_took(struct h2_stream *stream, size_t len)
{
	struct h2_server *server = stream->server;

	len = len < stream->held ? len : stream->held;
	stream->held -= len;
	if (!h2_usable(server) || len == 0)
		return;
	h2_check(server, stream->receive == H2_RECEIVE_ENDED
				 ? nghttp2_session_consume_connection(h2_session(server), len)
				 : nghttp2_session_consume(h2_session(server), stream->id, len));
}

void h2_stream_drop_body(struct h2_stream *stream)
{
	if (stream->receive != H2_RECEIVE_BODY)
		return;
	h2_stream_took(stream, stream->held);
	stream->receive = H2_RECEIVE_DROPS;
	stream->server->resets_due = true;
}

void h2_stream_reset(struct h2_stream *stream, uint32_t code)
{
	struct h2_server *server = stream->server;

	stream->owner = H2_OWNER_RELEASED;
	if (h2_usable(server) && stream->held > 0)
		h2_check(server, nghttp2_session_consume_connection(h2_session(server), stream->held));
	stream->held = 0;
	h2_rst(stream, code);
}
