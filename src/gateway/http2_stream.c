/* A stream's input and output over HTTP/2. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/account.h"
#include "gateway/answer.h"
#include "gateway/forward.h"
#include "gateway/http2_inside.h"
#include "gateway/request.h"

static struct h2_stream *carrier(const struct gw_stream *stream)
{
	return stream->carrier;
}

static struct gw_stream *stream_of(const struct h2_stream *carrier)
{
	return h2_stream_user(carrier);
}

/* ---- input ---- */

static void link_in(struct gw_conn *conn, struct gw_stream *stream)
{
	struct gw_stream **at = &conn->http2->streams;

	while (*at != NULL)
		at = &(*at)->next;
	*at = stream;
}

static void unlink_and_free(struct gw_stream *stream)
{
	struct gw_stream **at = &stream->conn->http2->streams;

	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	gw_stream_free(&stream);
}

static void on_request(void *arg, struct h2_stream *from, struct h2_request *request)
{
	struct gw_conn *conn = arg;
	struct gw_stream *stream = gw_stream_new(conn);

	if (stream == NULL) {
		gw_notice(conn->gateway, GW_NOTICE_MEMORY, CONFIG_LOG_ERROR, gw_now(conn),
			  "out of memory for a request");
		free(request->head);
		h2_stream_reset(from, H2_INTERNAL_ERROR);
		return;
	}
	stream->carrier = from;
	stream->ready = true;
	h2_stream_set_user(from, stream);
	link_in(conn, stream);
	conn->began = true;
	stream->body.raw = !request->websocket;
	stream->ends = request->ended;
	stream->body.ended = request->ended || request->websocket;
	if (request->head == NULL) {
		(void)gw_refuse(stream, GW_PROBLEM_MALFORMED, &request->refusal);
		return;
	}
	gw_input_adopt(&stream->in, request->head, request->len);
}

static void on_data(void *arg, struct h2_stream *from, const char *bytes, size_t len)
{
	struct gw_stream *stream = stream_of(from);

	(void)arg;
	stream->ready = true;
	stream->conn->work += len;
	if (stream->body.raw)
		stream->body.received += len;
	pace_progress(&stream->pace, len, gw_stream_now(stream));
	if (!gw_input_keep(&stream->in, bytes, len, H2_STREAM_WINDOW + stream->gateway->limits.head))
		(void)gw_cut(stream, "out of memory");
}

static void on_ended(void *arg, struct h2_stream *from, struct http_trailers *trailers)
{
	struct gw_stream *stream = stream_of(from);

	(void)arg;
	stream->ready = true;
	stream->ends = true;
	if (!stream->body.raw)
		return;
	stream->body.ended = true;
	stream->body.trailers = *trailers;
	trailers->lines = (struct buffer){0};
}

static enum http_parse parse(struct gw_stream *stream, struct http_refusal *refusal)
{
	return http_head_parse(stream->in.head, stream->in.head_len, &stream->scan, &stream->head, &stream->head_len,
			       refusal);
}

/* Parses the head of a request that ended before it was processed, for its access record. */
static void look_at_head(struct gw_stream *stream)
{
	struct http_refusal refusal = {0};

	if (stream->state == GW_HEAD && stream->in.head != NULL && parse(stream, &refusal) != HTTP_PARSE_DONE)
		stream->head_len = 0;
}

/* Called when the engine no longer uses the stream. */
static void on_gone(void *arg, struct h2_stream *from, uint32_t code)
{
	struct gw_stream *stream = stream_of(from);

	(void)arg;
	if (stream == NULL)
		return;
	stream->carrier = NULL;
	stream->ready = true;
	if (stream->state != GW_OVER && code == H2_NO_ERROR && stream->state == GW_REPLY)
		gw_stream_end(stream, GW_END_DONE);
	else if (stream->state != GW_OVER) {
		look_at_head(stream);
		(void)gw_abandon(stream, code == H2_CANCEL ? "the client cancelled the request"
							   : "the stream ended before its response did");
	}
}

enum thaw_status gw_http2_read(struct gw_stream *stream, void *where, size_t room, size_t *len)
{
	(void)where;
	(void)room;
	*len = 0; /* received data is already in stream->in */
	return stream->state == GW_TUNNEL && stream->ends ? THAW_CLOSED : THAW_WANT_READ;
}

void gw_http2_took(struct gw_stream *stream, size_t len)
{
	if (stream->carrier != NULL)
		h2_stream_took(carrier(stream), len);
	gw_input_rest(&stream->in);
}

/* ---- output ---- */

/* Sends the trailer fields of the response that may be forwarded. */
static void send_trailers(struct gw_stream *stream)
{
	struct http_field fields[H2_FIELDS_MAX];
	const struct gw_trailer_rules rules = {.headers = &gw_headers_of(stream)->response};
	size_t at = 0, count = 0;

	while (stream->trailers != NULL && count < H2_FIELDS_MAX &&
	       http_trailers_next(stream->trailers, &at, &fields[count]))
		if (gw_forward_trailer(&rules, fields[count].name))
			count++;
	if (count > 0)
		(void)h2_stream_trailers(carrier(stream), fields, count); /* RFC 9110 6.5.1: they may be left out */
}

static size_t on_body(void *arg, struct h2_stream *to, char *buffer, size_t room, bool *ended)
{
	struct gw_stream *stream = stream_of(to);
	size_t left = buffer_left(&stream->out), len = left < room ? left : room;

	(void)arg;
	if (len > 0)
		memcpy(buffer, buffer_first(&stream->out), len);
	buffer_consume(&stream->out, len);
	stream->conn->work += len;
	pace_progress(&stream->pace, len, gw_stream_now(stream));
	if (len < left)
		return len;
	buffer_free(&stream->out);
	stream->ready = true;
	*ended = stream->whole;
	if (*ended)
		send_trailers(stream);
	return len;
}

static void on_random(void *arg, uint8_t *bytes, size_t len)
{
	(void)arg;
	if (getrandom(bytes, len, 0) != (ssize_t)len)
		memset(bytes, 0, len); /* the key of a WebSocket handshake need not be secret (RFC 6455 10.3) */
}

const struct h2_ops gw_http2_ops = {.request = on_request,
				    .data = on_data,
				    .ended = on_ended,
				    .gone = on_gone,
				    .body = on_body,
				    .random = on_random};

/* Returns the next line without its CRLF, and moves rest after it. */
static struct http_span next_line(struct http_span *rest)
{
	const char *end = memchr(rest->at, '\r', rest->len);
	struct http_span line = {rest->at, end != NULL ? (size_t)(end - rest->at) : rest->len};

	rest->at += line.len + 2;
	rest->len -= line.len + 2;
	return line;
}

/* The gateway wrote this head itself, so its lines are well-formed. */
static size_t fields_of(struct http_span head, struct http_field fields[static H2_FIELDS_MAX])
{
	size_t count = 0;

	(void)next_line(&head);
	while (head.len > 2 && count < H2_FIELDS_MAX) {
		struct http_span line = next_line(&head);
		const char *colon = memchr(line.at, ':', line.len);
		size_t name = (size_t)(colon - line.at);
		fields[count].name = (struct http_span){line.at, name};
		fields[count++].value = (struct http_span){colon + 2, line.len - name - 2};
	}
	return head.len > 2 ? H2_FIELDS_MAX + 1 : count;
}

bool gw_http2_respond(struct gw_stream *stream, unsigned status, struct gw_batch *batch, size_t len, bool last)
{
	struct http_field fields[H2_FIELDS_MAX];
	size_t count = fields_of((struct http_span){batch->at, len}, fields);

	if (stream->carrier == NULL || count > H2_FIELDS_MAX ||
	    !h2_stream_respond(carrier(stream), status, fields, count, last))
		return false;
	batch->at += len;
	batch->len -= len;
	batch->room -= len;
	return true;
}

void gw_http2_finish(struct gw_stream *stream, const struct http_trailers *trailers)
{
	stream->whole = true;
	stream->trailers = trailers;
	if (stream->carrier == NULL)
		return;
	h2_stream_resume(carrier(stream));
	if (!stream->ends) /* also for a tunnel, because its client may never end it */
		h2_stream_drop_body(carrier(stream));
}

bool gw_http2_write(struct gw_stream *stream, const char *bytes, size_t len)
{
	if (stream->carrier == NULL || !buffer_append(&stream->out, GW_OUT_MAX, bytes, len))
		return false;
	h2_stream_resume(carrier(stream));
	return true;
}

enum thaw_status gw_http2_flush(struct gw_stream *stream)
{
	return gw_unwritten(stream) ? THAW_WANT_WRITE : THAW_OK;
}

enum gw_step gw_http2_make_way(struct gw_stream *stream)
{
	if (stream->carrier != NULL)
		h2_stream_drop_body(carrier(stream));
	return gw_wait_write(stream);
}

/* ---- the stream's states ---- */

enum gw_step gw_http2_head(struct gw_stream *stream)
{
	struct http_refusal refusal = {0};

	if (parse(stream, &refusal) == HTTP_PARSE_DONE) {
		gw_request_parsed(stream);
		return gw_request_route(stream);
	}
	stream->head_len = 0;
	return gw_refuse(stream, GW_PROBLEM_MALFORMED, &refusal);
}

/* The whole response is in memory; on_body() and on_gone() continue. */
enum gw_step gw_http2_reply(struct gw_stream *stream)
{
	return gw_wait_write(stream);
}

void gw_http2_over(struct gw_stream *stream)
{
	gw_account_stream(stream);
	if (stream->carrier != NULL && stream->end == GW_END_DONE) {
		if (!stream->whole)
			gw_http2_finish(stream, NULL);
		return; /* on_gone() is called later */
	}
	if (stream->carrier != NULL)
		h2_stream_reset(carrier(stream), stream->end == GW_END_AWAY ? H2_HTTP_1_1_REQUIRED : H2_INTERNAL_ERROR);
	unlink_and_free(stream);
}
