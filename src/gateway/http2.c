#include "gateway/http2.h"

#include <stdlib.h>

#include "gateway/close.h"
#include "gateway/http2_inside.h"
#include "gateway/run.h"

#define REST_AFTER_MS 1000 /* idle connections release memory; longer than pauses between a page's requests */
#define STOP_LIMIT_MS 2000 /* for a connection without requests, after the last GOAWAY */

bool gw_http2_open(struct gw_conn *conn)
{
	struct gw_http2 *http2 = calloc(1, sizeof(*http2));

	if (http2 == NULL)
		return false;
	http2->server = h2_server_new(&gw_http2_ops, conn, &conn->gateway->limits, gw_now(conn));
	if (http2->server == NULL) {
		free(http2);
		return false;
	}
	pace_stop(&http2->pace);
	http2->goaway_ms = THAW_NEVER;
	http2->rest_ms = gw_now(conn) + REST_AFTER_MS;
	conn->http2 = http2;
	return true;
}

static struct gw_stream *next_stream(const struct gw_conn *conn, const struct gw_stream *behind)
{
	return behind != NULL ? behind->next : conn->http2 != NULL ? conn->http2->streams : NULL;
}

static void drop(struct gw_conn *conn)
{
	struct gw_http2 *gone = conn->http2;

	if (gone == NULL)
		return;
	h2_server_free(&gone->server);
	while (gone->streams != NULL) {
		struct gw_stream *first = gone->streams;
		gone->streams = first->next;
		gw_stream_free(&first);
	}
	buffer_free(&gone->out);
	free(gone);
	conn->http2 = NULL;
}

static enum gw_step ends(struct gw_conn *conn, const char *why, enum gw_close how)
{
	gw_notice_unused(conn, why);
	for (struct gw_stream *at = conn->http2->streams; at != NULL; at = at->next)
		gw_stream_note(at, why);
	gw_close(conn, how);
	return GW_MOVED;
}

/* ---- output ---- */

static enum thaw_status write_some(struct gw_conn *conn, const char *bytes, size_t len, size_t *put)
{
	enum thaw_status status = tls_conn_write(conn->tls, bytes, len, put, &conn->gateway->err);

	conn->work += *put;
	return status;
}

static enum thaw_status write_kept(struct gw_conn *conn)
{
	struct buffer *out = &conn->http2->out;
	enum thaw_status status = THAW_OK;

	while (buffer_left(out) > 0 && status == THAW_OK) {
		size_t put = 0;
		status = write_some(conn, buffer_first(out), buffer_left(out), &put);
		buffer_consume(out, put);
		pace_progress(&conn->http2->pace, put, gw_now(conn));
	}
	if (status == THAW_OK)
		buffer_free(out);
	return status;
}

/* Writes frames until the transport blocks or the work limit is reached. */
static enum thaw_status write_frames(struct gw_conn *conn, bool *moved)
{
	struct gw_http2 *http2 = conn->http2;
	char *frames = conn->gateway->batch;
	enum thaw_status status = write_kept(conn);

	while (status == THAW_OK && conn->work < GW_WORK_MAX) {
		size_t len = h2_server_pull(http2->server, frames, GW_H2_OUT_ROOM), put = 0;
		if (len == 0)
			break;
		*moved = true;
		while (put < len && status == THAW_OK) {
			size_t some = 0;
			status = write_some(conn, frames + put, len - put, &some);
			put += some;
		}
		if (put < len && !buffer_append(&http2->out, GW_H2_OUT_ROOM, frames + put, len - put))
			return THAW_FAILED;
	}
	if (conn->work >= GW_WORK_MAX)
		*moved = true; /* there may be more */
	/* Time that a slow client has used up still counts after a pause: see pace_resume(). */
	if (buffer_left(&http2->out) == 0)
		pace_pause(&http2->pace, gw_now(conn));
	else
		pace_resume(&http2->pace, conn->gateway->config->connections.body_ms, gw_now(conn));
	return status;
}

/* ---- input ---- */

static enum thaw_status read_frames(struct gw_conn *conn, bool *moved)
{
	char *bytes = conn->gateway->scratch;
	size_t len = 0;
	enum thaw_status status = THAW_WANT_READ;

	if (!tls_conn_empty(conn->tls)) /* a read that finds nothing would still cost a system call */
		status = thaw_conn_read(conn->ask, bytes, GW_SCRATCH_ROOM, &len, gw_now(conn));
	if (status != THAW_OK)
		return status;
	conn->work += len;
	*moved = true;
	(void)h2_server_take(conn->http2->server, bytes, len, gw_now(conn));
	return THAW_OK;
}

/* Reads and discards input after the HTTP/2 connection has ended: a client may not read the last frames before it has
 * sent its own data. */
static enum thaw_status read_on(struct gw_conn *conn)
{
	bool came = false;
	enum thaw_status status = read_frames(conn, &came);

	return status == THAW_OK || status == THAW_WANT_READ ? status : THAW_WANT_WRITE;
}

/* ---- the streams ---- */

static void run_stream(struct gw_stream *stream, bool *moved)
{
	stream->wants = (struct gw_wants){0};
	if (gw_stream_now(stream) >= gw_stream_deadline(stream) && !gw_stream_rows[stream->state].by_ask)
		gw_stream_overdue(stream);
	else if (!stream->ready)
		return;
	else if (gw_stream_run(stream) == GW_WAIT)
		stream->ready = false;
	stream->conn->work += GW_WORK_LEAST;
	*moved = *moved || stream->ready || stream->state == GW_OVER;
}

/* Does one piece of work for each stream in turn. */
static void run_streams(struct gw_conn *conn, bool *moved)
{
	for (struct gw_stream *at = conn->http2->streams, *next; at != NULL; at = next) {
		next = at->next;
		if (at->state != GW_OVER)
			run_stream(at, moved);
		if (at->state == GW_OVER)
			gw_http2_over(at);
	}
}

/* ---- the connection ---- */

static void look_at_use(struct gw_conn *conn)
{
	bool used = conn->http2->streams != NULL;

	if (used && conn->state == GW_IDLE)
		gw_enter(conn, GW_BUSY);
	else if (!used && conn->state == GW_BUSY)
		gw_enter(conn, GW_IDLE);
}

static void stop(struct gw_conn *conn)
{
	gw_notice_unused(conn, conn->retiring ? GW_STOPS : "no request came in time");
	if (!h2_server_stop(conn->http2->server))
		h2_server_fail(conn->http2->server, H2_INTERNAL_ERROR, "out of memory");
	conn->http2->goaway = GW_GOAWAY_STOPPED;
	conn->http2->goaway_ms = gw_now(conn) + STOP_LIMIT_MS;
}

/* Handles the timers that are due. False: the connection is over. */
static bool look_at_clock(struct gw_conn *conn)
{
	struct gw_http2 *http2 = conn->http2;
	bool due = gw_now(conn) >= http2->goaway_ms;

	if (gw_now(conn) >= h2_server_deadline(http2->server))
		h2_server_tick(http2->server, gw_now(conn));
	if (conn->state == GW_IDLE && gw_now(conn) >= http2->rest_ms) {
		h2_server_rest(http2->server);
		http2->rest_ms = THAW_NEVER;
	}
	switch (http2->goaway) {
	case GW_GOAWAY_NONE:
		if (conn->state == GW_IDLE && gw_now(conn) >= conn->pace.deadline_ms)
			stop(conn);
		break;
	case GW_GOAWAY_NOTICED:
		if (due)
			stop(conn);
		break;
	case GW_GOAWAY_STOPPED: /* a stream with an incomplete head is known only to the engine, so it is not counted */
		if (due && http2->streams == NULL)
			return false;
		break;
	}
	return gw_now(conn) < http2->pace.deadline_ms;
}

static enum gw_step broken(struct gw_conn *conn, enum thaw_status status)
{
	if (status == THAW_CLOSED)
		return ends(conn, "closed by the client", GW_CLOSE_QUIET);
	if (thaw_conn_error(conn->ask)->cls == THAW_ERR_NONE)
		return ends(conn, conn->gateway->err.text, GW_CLOSE_QUIET);
	return ends(conn, thaw_conn_error(conn->ask)->text, GW_CLOSE_QUIET);
}

static bool is_over(enum thaw_status status)
{
	return status == THAW_CLOSED || status == THAW_FAILED;
}

static enum gw_step run(struct gw_conn *conn)
{
	struct gw_http2 *http2 = conn->http2;
	bool moved = false;

	if (!look_at_clock(conn))
		return ends(conn, "the client stopped sending", GW_CLOSE_QUIET);
	enum thaw_status in = h2_server_end(http2->server) == NULL ? read_frames(conn, &moved) : read_on(conn);
	run_streams(conn, &moved);
	enum thaw_status out = is_over(in) ? THAW_OK : write_frames(conn, &moved);
	run_streams(conn, &moved);
	if (is_over(in) || is_over(out))
		return broken(conn, is_over(in) ? in : out);
	const struct h2_end *end = h2_server_end(http2->server);
	if (end != NULL && out == THAW_OK && !moved)
		return ends(conn, end->why, GW_CLOSE_ANSWERED);
	look_at_use(conn);
	if (moved)
		http2->rest_ms = gw_now(conn) + REST_AFTER_MS;
	conn->wants.read = in == THAW_WANT_READ || in == THAW_OK;
	conn->wants.write = in == THAW_WANT_WRITE || out == THAW_WANT_WRITE;
	return moved ? GW_MOVED : GW_WAIT;
}

static uint64_t sooner(uint64_t one_ms, uint64_t other_ms)
{
	return one_ms < other_ms ? one_ms : other_ms;
}

static uint64_t deadline(const struct gw_conn *conn)
{
	const struct gw_http2 *http2 = conn->http2;
	uint64_t due_ms = sooner(h2_server_deadline(http2->server), http2->pace.deadline_ms);

	if (http2->goaway != GW_GOAWAY_STOPPED || http2->streams == NULL)
		due_ms = sooner(due_ms, http2->goaway_ms);
	if (http2->goaway == GW_GOAWAY_NONE && conn->state == GW_IDLE)
		due_ms = sooner(due_ms, conn->pace.deadline_ms);
	if (conn->state == GW_IDLE)
		due_ms = sooner(due_ms, http2->rest_ms);
	for (const struct gw_stream *at = http2->streams; at != NULL; at = at->next)
		if (at->state != GW_OVER)
			due_ms = sooner(due_ms, gw_stream_deadline(at));
	return due_ms;
}

/* Stops in two steps, so that requests that the client has already sent are still answered (RFC 9113 6.8). */
static void retire(struct gw_conn *conn)
{
	if (conn->http2->goaway != GW_GOAWAY_NONE)
		return;
	(void)h2_server_notice(conn->http2->server);
	conn->http2->goaway = GW_GOAWAY_NOTICED;
	conn->http2->goaway_ms = gw_now(conn) + GW_RETIRE_MS;
}

const struct gw_protocol *gw_http2(void)
{
	static const struct gw_protocol protocol = {
		.version = "2.0",
		.piece = GW_H2_PIECE,
		.read = gw_http2_read,
		.took = gw_http2_took,
		.respond = gw_http2_respond,
		.finish = gw_http2_finish,
		.write = gw_http2_write,
		.flush = gw_http2_flush,
		.make_way = gw_http2_make_way,
		.head = gw_http2_head,
		.reply = gw_http2_reply,
		.run = run,
		.deadline = deadline,
		.next_stream = next_stream,
		.drop = drop,
		.retire = retire,
	};
	return &protocol;
}
