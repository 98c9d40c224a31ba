#include "gateway/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"

static void begin(struct gw_stream *stream, struct gw_conn *conn)
{
	memset(stream, 0, sizeof(*stream));
	stream->conn = conn;
	stream->gateway = conn->gateway;
	stream->scan.limits = &conn->gateway->limits;
	stream->began_ms = gw_now(conn);
	pace_start(&stream->pace, gw_limit_ms(stream, GW_HEAD), gw_now(conn));
}

/* Reuses a freed stream if there is one: each request needs one, and it is too large for the caches of malloc(). */
static struct gw_stream *spare(struct gateway *gateway)
{
	struct gw_stream *stream = gateway->spare.first;

	if (stream == NULL)
		return malloc(sizeof(*stream));
	gateway->spare.first = stream->next;
	gateway->spare.count--;
	return stream;
}

void gw_streams_free(struct gateway *gateway)
{
	struct gw_stream *first;

	while ((first = gateway->spare.first) != NULL) {
		gateway->spare.first = first->next;
		free(first);
	}
	gateway->spare.count = 0;
}

struct gw_stream *gw_stream_new(struct gw_conn *conn)
{
	struct gw_stream *stream = spare(conn->gateway);

	if (stream != NULL)
		begin(stream, conn);
	return stream;
}

void gw_upstream_free(struct gw_stream *stream)
{
	if (stream->ops != NULL)
		stream->ops->free(stream);
	stream->ops = NULL;
}

/* Frees everything in it, except the received input. */
static void clear(struct gw_stream *stream)
{
	gw_upstream_free(stream);
	http_trailers_free(&stream->body.trailers);
	thaw_spool_free(&stream->spool);
	buffer_free(&stream->out);
	http_request_free(&stream->head);
}

void gw_stream_free(struct gw_stream **stream)
{
	struct gw_stream *gone = *stream;

	*stream = NULL;
	if (gone == NULL)
		return;
	clear(gone);
	gw_input_close(&gone->in);
	struct gateway *gateway = gone->gateway;
	if (gateway->spare.count + 1 > GW_SPARE_STREAMS) { /* not ">=": the macro is 0 in builds with sanitizers */
		free(gone);
		return;
	}
	gone->next = gateway->spare.first;
	gateway->spare.first = gone;
	gateway->spare.count++;
}

bool gw_stream_restart(struct gw_stream *stream)
{
	struct gw_conn *conn = stream->conn;
	struct gw_input in = stream->in;

	clear(stream);
	begin(stream, conn);
	stream->in = in;
	return gw_input_next(&stream->in);
}

void gw_stream_note(struct gw_stream *stream, const char *note)
{
	if (stream->note == NULL)
		stream->note = note;
}

const char *gw_stream_id(struct gw_stream *stream)
{
	const char *from = gw_conn_host(stream->conn)->config->request_id_from;

	if (stream->id[0] == '\0' &&
	    (from == NULL || stream->head_len == 0 || !gw_request_id_take(&stream->head, from, stream->id)))
		gw_request_id(&stream->gateway->ids, stream->id);
	return stream->id;
}

/* A response that has not begun cannot be cut: the request is abandoned. One that has begun cannot be abandoned: it is
 * unread. */
static enum gw_end ended_as(enum gw_stream_state state, enum gw_end how)
{
	bool answered = state == GW_REPLY || state == GW_RELAY || state == GW_TUNNEL;

	if (answered)
		return how == GW_END_ABANDON ? GW_END_UNREAD : how;
	return how == GW_END_CUT ? GW_END_ABANDON : how;
}

void gw_stream_enter(struct gw_stream *stream, enum gw_stream_state to)
{
	const struct gw_stream_row *was = &gw_stream_rows[stream->state];
	uint64_t now_ms = gw_stream_now(stream);

	if (!require_transition((was->next & GW_STREAM_BIT(to)) != 0, "stream", was->name, gw_stream_rows[to].name)) {
		to = GW_OVER;
		stream->end = ended_as(stream->state, GW_END_CUT);
	}
	trace_change(&stream->gateway->env.trace, "stream", was->name, gw_stream_rows[to].name, now_ms);
	stream->state = to;
	if (to != GW_ASK && stream->shown != 0)
		scoreboard_ask_end(stream->gateway->env.scoreboard, &stream->shown);
	/* A request that is forwarded or answered must not be ended to free spool space. */
	if (!gw_stream_rows[to].by_ask && stream->spool != NULL)
		thaw_spool_yield(stream->spool, 0, NULL, NULL);
	if (gw_stream_rows[to].limit_ms != 0)
		pace_start(&stream->pace, gw_limit_ms(stream, to), now_ms);
	else
		pace_stop(&stream->pace);
}

void gw_stream_end(struct gw_stream *stream, enum gw_end how)
{
	stream->end = ended_as(stream->state, how);
	gw_stream_enter(stream, GW_OVER);
}

/* False: the state is the same already, or the change is an internal error, which ends the stream. */
static bool part_changes(struct gw_stream *stream, const struct gw_part *part, unsigned from, unsigned to)
{
	if (from == to)
		return false;
	if (gw_part_changes(part, from, to, &stream->gateway->env.trace, gw_stream_now(stream)))
		return true;
	if (stream->state != GW_OVER)
		gw_stream_end(stream, GW_END_CUT);
	return false;
}

void gw_account_enter(struct gw_stream *stream, enum gw_account to)
{
	if (part_changes(stream, &gw_account_part, stream->account, to))
		stream->account = to;
}

void gw_expect_enter(struct gw_stream *stream, enum gw_expect to)
{
	if (part_changes(stream, &gw_expect_part, stream->expect, to))
		stream->expect = to;
}

const struct config_header_set *gw_headers_of(const struct gw_stream *stream)
{
	return stream->route != NULL ? &stream->route->config->headers : &gw_conn_host(stream->conn)->config->headers;
}

void gw_stream_wake(struct gw_stream *stream)
{
	stream->ready = true;
	if (stream->conn->wake != NULL)
		stream->conn->wake(stream->conn->wake_arg);
}
