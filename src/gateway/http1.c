#include "gateway/http1.h"

#include "gateway/after.h"
#include "gateway/answer.h"
#include "gateway/close.h"
#include "gateway/request.h"
#include "gateway/run.h"

/* ---- a stream's bytes ---- */

static enum thaw_status read_some(struct gw_stream *stream, void *where, size_t room, size_t *len)
{
	if (stream->conn->plain != NULL)
		return gw_plain_read(stream->conn, where, room, len);
	return thaw_conn_read(stream->conn->ask, where, room, len, gw_stream_now(stream));
}

/* *put: the number of bytes written. */
static enum thaw_status write_some(struct gw_stream *stream, const char *bytes, size_t len, size_t *put)
{
	struct gw_conn *conn = stream->conn;
	enum thaw_status status = conn->plain != NULL
					  ? gw_plain_write(conn, bytes, len, put)
					  : tls_conn_write(conn->tls, bytes, len, put, &stream->gateway->err);

	conn->work += *put;
	pace_progress(&stream->pace, *put, gw_stream_now(stream));
	return status;
}

static enum thaw_status flush(struct gw_stream *stream)
{
	while (gw_unwritten(stream)) {
		size_t put = 0;
		enum thaw_status status =
			write_some(stream, buffer_first(&stream->out), buffer_left(&stream->out), &put);
		if (status != THAW_OK)
			return status;
		buffer_consume(&stream->out, put);
	}
	buffer_free(&stream->out);
	return THAW_OK;
}

static bool write_all(struct gw_stream *stream, const char *bytes, size_t len)
{
	enum thaw_status status = THAW_OK;

	while (!gw_unwritten(stream) && len > 0 && status == THAW_OK && thaw_conn_can_write(stream->conn->ask)) {
		size_t put = 0;
		status = write_some(stream, bytes, len, &put);
		bytes += put;
		len -= put;
	}
	if (status == THAW_FAILED || status == THAW_CLOSED)
		return false;
	return len == 0 || buffer_append(&stream->out, GW_OUT_MAX, bytes, len);
}

static void finish(struct gw_stream *stream, const struct http_trailers *trailers)
{
	(void)stream;
	(void)trailers;
}

static enum gw_step make_way(struct gw_stream *stream)
{
	struct transport transport = stream->conn->transport;
	ssize_t got = transport.ops->discard(transport.io, GW_WORK_MAX);

	if (got == TRANSPORT_BROKEN)
		return gw_abandon(stream, "the client aborted the connection");
	if (got > 0) {
		stream->conn->work += (size_t)got;
		return GW_MOVED;
	}
	stream->wants.read = got == TRANSPORT_BLOCKED;
	return gw_wait_write(stream);
}

/* ---- a stream's states ---- */

static enum gw_step read_head(struct gw_stream *stream)
{
	static const struct http_refusal around = {400, "the head began before a renegotiation and ended after it",
						   "Send the whole head at once."};
	struct gw_input *in = &stream->in;
	size_t got = 0;

	if (!gw_input_grow(in))
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	bool waits = in->head_len > 0 && gw_renegotiates(stream);
	enum thaw_status status = read_some(stream, in->head + in->head_len, in->head_room - in->head_len, &got);
	if (waits && !gw_after_pending(stream->conn) && status != THAW_CLOSED && status != THAW_FAILED)
		return gw_refuse(stream, GW_PROBLEM_MALFORMED, &around);
	if (status == THAW_CLOSED)
		return gw_abandon(stream, "the client ended the connection in the middle of a head");
	if (status != THAW_OK)
		return gw_blocked(stream, status);
	in->head_len += got;
	stream->conn->work += got;
	return GW_MOVED;
}

static enum gw_step head(struct gw_stream *stream)
{
	struct http_refusal refusal = {0};

	switch (http_head_parse(stream->in.head, stream->in.head_len, &stream->scan, &stream->head, &stream->head_len,
				&refusal)) {
	case HTTP_PARSE_DONE:
		gw_input_head_ends(&stream->in, stream->head_len);
		gw_request_parsed(stream);
		return stream->conn->protocol->route(stream);
	case HTTP_PARSE_BAD:
		stream->head_len = 0;
		return gw_refuse(stream, GW_PROBLEM_MALFORMED, &refusal);
	case HTTP_PARSE_MORE:
		stream->head_len = 0;
		break;
	}
	return read_head(stream);
}

static enum gw_step reply(struct gw_stream *stream)
{
	enum thaw_status status = flush(stream);

	if (status == THAW_WANT_WRITE && stream->close_after)
		return make_way(stream);
	if (status == THAW_WANT_READ || status == THAW_WANT_WRITE)
		return gw_blocked(stream, status);
	if (status != THAW_OK)
		return gw_abandon(stream, stream->gateway->err.text);
	if (gw_overtaken(stream)) {
		stream->close_after = true;
		gw_say(stream->gateway, CONFIG_LOG_INFO,
		       "connection closed after a response: the next request was sent before the renegotiation");
	}
	gw_after_response(stream);
	gw_stream_end(stream, GW_END_DONE);
	return GW_MOVED;
}

/* ---- the connection ---- */

static enum gw_step ends(struct gw_conn *conn, const char *why)
{
	gw_notice_unused(conn, why);
	gw_close(conn, GW_CLOSE_QUIET); /* so that the client can also read an alert */
	return GW_MOVED;
}

static enum gw_step idle_blocked(struct gw_conn *conn, enum thaw_status status)
{
	switch (status) {
	case THAW_WANT_READ:
		conn->wants.read = true;
		return GW_WAIT;
	case THAW_WANT_WRITE:
		conn->wants.write = true;
		return GW_WAIT;
	case THAW_FAILED:
		gw_say(conn->gateway, CONFIG_LOG_DEBUG, "connection ended: %s", thaw_conn_error(conn->ask)->text);
		return ends(conn, thaw_conn_error(conn->ask)->text);
	case THAW_CLOSED:
	case THAW_OK:
		break;
	}
	return ends(conn, "closed by the client");
}

static enum gw_step idle(struct gw_conn *conn)
{
	size_t got = 0;

	if (conn->answered) {
		conn->answered = false;
		return idle_blocked(conn, THAW_WANT_READ);
	}
	struct gw_stream *stream = gw_stream_new(conn);
	if (stream != NULL && !gw_input_open(&stream->in))
		gw_stream_free(&stream);
	if (stream == NULL) {
		gw_notice(conn->gateway, GW_NOTICE_MEMORY, CONFIG_LOG_ERROR, gw_now(conn),
			  "out of memory for a request");
		return ends(conn, "out of memory");
	}
	enum thaw_status status = read_some(stream, stream->in.head, stream->in.head_room, &got);
	if (status != THAW_OK) {
		gw_stream_free(&stream);
		return idle_blocked(conn, status);
	}
	stream->in.head_len = got;
	conn->work += got;
	conn->began = true;
	conn->stream = stream;
	conn->waits_ms = gw_now(conn);
	gw_enter(conn, GW_BUSY);
	return GW_MOVED;
}

/* Keeps the bytes of the next request if some were already received. */
static void next_request(struct gw_conn *conn)
{
	if (conn->stream->in.at == conn->stream->in.len) {
		gw_stream_free(&conn->stream);
		gw_enter(conn, GW_IDLE);
		conn->answered = !tls_conn_pending(conn->tls);
	} else if (gw_stream_restart(conn->stream)) {
		conn->waits_ms = gw_now(conn);
	} else {
		gw_close(conn, GW_CLOSE_ANSWERED);
	}
}

static enum gw_step over(struct gw_conn *conn)
{
	struct gw_stream *stream = conn->stream;

	if (stream->end == GW_END_DONE && !stream->close_after)
		next_request(conn);
	else if (stream->end == GW_END_ABANDON)
		gw_close(conn, GW_CLOSE_QUIET);
	else
		gw_close(conn, stream->end == GW_END_CUT ? GW_CLOSE_CUT : GW_CLOSE_ANSWERED);
	return GW_MOVED;
}

static enum gw_step busy(struct gw_conn *conn)
{
	struct gw_stream *stream = conn->stream;
	enum gw_step step = GW_MOVED;

	stream->wants = (struct gw_wants){0};
	if (gw_now(conn) >= gw_stream_deadline(stream) && !gw_stream_rows[stream->state].by_ask)
		gw_stream_overdue(stream);
	else
		step = gw_stream_run(stream);
	conn->wants.read = stream->wants.read;
	/* During a handshake nothing can be written, even if the transport is writable. */
	conn->wants.write =
		stream->wants.write || (stream->wants.read && gw_unwritten(stream) && thaw_conn_can_write(conn->ask));
	return step;
}

/* The ask's deadline or the stream's own, whichever is earlier. A stream that is forwarded uses only its own. Without a
 * stream: the ask's deadline, or the connection's if the ask has none. */
static uint64_t deadline(const struct gw_conn *conn)
{
	uint64_t ask_ms = thaw_conn_deadline(conn->ask);

	if (conn->stream == NULL)
		return ask_ms != THAW_NEVER ? ask_ms : conn->pace.deadline_ms;
	uint64_t own_ms = gw_stream_deadline(conn->stream);
	bool passes =
		conn->stream->state == GW_PASS || conn->stream->state == GW_RELAY || conn->stream->state == GW_TUNNEL;
	return passes || own_ms < ask_ms ? own_ms : ask_ms;
}

static enum gw_step run(struct gw_conn *conn)
{
	if (conn->stream == NULL && gw_now(conn) >= deadline(conn))
		return ends(conn, conn->retiring ? GW_STOPS : "no request came in time");
	if (conn->stream == NULL)
		return idle(conn);
	return conn->stream->state == GW_OVER ? over(conn) : busy(conn);
}

static struct gw_stream *next_stream(const struct gw_conn *conn, const struct gw_stream *behind)
{
	return behind == NULL ? conn->stream : NULL;
}

static void drop(struct gw_conn *conn)
{
	gw_stream_free(&conn->stream);
}

const struct gw_protocol *gw_http1(void)
{
	static const struct gw_protocol protocol = {
		.version = "1.1",
		.text = true,
		.asks = true,
		.piece = GW_DOWN_ROOM,
		.read = read_some,
		.finish = finish,
		.write = write_all,
		.flush = flush,
		.make_way = make_way,
		.head = head,
		.route = gw_request_route,
		.reply = reply,
		.run = run,
		.deadline = deadline,
		.next_stream = next_stream,
		.drop = drop,
	};
	return &protocol;
}
