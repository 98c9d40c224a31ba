#include "gateway/drain.h"

#include "gateway/answer.h"
#include "gateway/pump.h"

#define GW_MIDDLE_MS 20000 /* a request is not ended in the middle of a handshake before this time */

/* No more of this request can be held: it is refused. */
static enum gw_step over(struct gw_stream *stream, enum thaw_reason reason)
{
	if (!gw_after_pending(stream->conn)) {
		thaw_conn_ask_end(stream->conn->ask, THAW_VERDICT_OVER_LIMIT, reason, gw_stream_now(stream));
		return GW_MOVED;
	}
	/* It was held because of the ask after the previous response. */
	thaw_conn_ask_end(stream->conn->ask, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, gw_stream_now(stream));
	return gw_refuse_verdict(stream, THAW_VERDICT_OVER_LIMIT, reason, "");
}

/*
 * The spool is taken away to make room for others; the next step of the connection answers the request. Not in the
 * middle of the client's handshake messages, when no response can be written, unless the client has stopped there.
 */
static bool on_end(void *arg)
{
	struct gw_stream *stream = arg;

	if (stream->conn->wake == NULL)
		return false;
	if (!thaw_conn_can_write(stream->conn->ask) && gw_stream_now(stream) < stream->began_ms + GW_MIDDLE_MS)
		return false;
	gw_stream_wake(stream);
	return true;
}

static enum thaw_reason open_spool(struct gw_stream *stream)
{
	const struct sockaddr *peer = gw_conn_peer(stream->conn);

	if (stream->spool != NULL)
		return THAW_REASON_NONE;
	if (thaw_spool_new(stream->gateway->env.store, peer, stream->route->config->certificate.max_body,
			   &stream->spool, NULL) != THAW_OK)
		return THAW_REASON_NO_MEMORY;
	thaw_spool_yield(stream->spool, stream->began_ms, on_end, stream);
	return THAW_REASON_NONE;
}

/* After a read while an ask is pending; gw_run_ask() evaluates the ask. */
static enum gw_step after_read(struct gw_stream *stream, enum thaw_status status)
{

	stream->cut_off = stream->cut_off || status == THAW_CLOSED;
	bool over = status == THAW_CLOSED || status == THAW_FAILED;
	bool waiting = gw_after_pending(stream->conn) ||
		       (gw_asked(stream) && thaw_conn_verdict(stream->conn->ask) == THAW_VERDICT_PENDING);
	if (over && !gw_asked(stream))
		return stream->cut_off ? gw_refuse(stream, GW_PROBLEM_CUT_OFF, NULL)
				       : gw_abandon(stream, thaw_conn_error(stream->conn->ask)->text);
	return waiting && status != THAW_OK ? gw_blocked(stream, status) : GW_MOVED;
}

/* After a read from the client; bytes after the body belong to the next requests. */
static enum gw_step after_pump_read(struct gw_stream *stream, enum gw_pumped came, const struct gw_pump_news *news)
{
	if (came == GW_PUMPED_READ)
		return after_read(stream, news->status);
	if (news->reason == THAW_REASON_NO_MEMORY) /* bytes were lost, so the verdict does not matter */
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	return over(stream, news->reason);
}

/* ---- the spool as the pump's sink ---- */

static enum thaw_reason take(struct gw_stream *stream, void *to, const char *bytes, size_t len, size_t *took)
{
	enum thaw_reason reason = open_spool(stream);

	(void)to;
	*took = len;
	if (reason == THAW_REASON_NONE)
		(void)!thaw_spool_write(stream->spool, bytes, len, &reason);
	return reason;
}

/* The spool is opened when bytes arrive: a client that waits for its 100 needs none. */
static enum thaw_reason reserve(struct gw_stream *stream, void *to, void **where, size_t *room)
{
	(void)to;
	*room = 0;
	if (stream->spool == NULL)
		return THAW_REASON_NONE;
	enum thaw_reason reason = THAW_REASON_NONE;
	gw_input_rest(&stream->in);
	(void)!thaw_spool_reserve(stream->spool, where, room, &reason);
	return reason;
}

static void commit(struct gw_stream *stream, void *to, size_t len)
{
	(void)to;
	thaw_spool_commit(stream->spool, len);
}

static const struct gw_sink spool = {.take = take, .reserve = reserve, .commit = commit};

/* ---- one piece ---- */

static void show_progress(struct gw_stream *stream)
{
	scoreboard_ask_progress(stream->gateway->env.scoreboard, stream->shown, stream->body.received,
				thaw_conn_report(stream->conn->ask)->asked_ms);
}

static enum gw_step at_end(struct gw_stream *stream)
{
	struct gw_pump_news news;

	/* An incomplete 100 Continue must be finished first: OpenSSL ends a connection if a handshake message is
	 * started in the middle of another write. */
	if (stream->in.at < stream->in.len && gw_renegotiates(stream))
		stream->overtaken = true;
	if (!gw_unwritten(stream))
		thaw_conn_body_ended(stream->conn->ask, gw_stream_now(stream));
	if (gw_asked(stream) && thaw_conn_verdict(stream->conn->ask) != THAW_VERDICT_PENDING)
		return GW_MOVED;
	enum gw_pumped came = gw_pump_read(stream, &news);
	return after_pump_read(stream, came, &news);
}

enum gw_step gw_drain(struct gw_stream *stream)
{
	struct gw_pump_news news = {.status = THAW_OK};

	if (stream->shown != 0)
		show_progress(stream);
	if (stream->spool != NULL && thaw_spool_ended(stream->spool) != THAW_REASON_NONE)
		return over(stream, thaw_spool_ended(stream->spool));
	enum gw_pumped came = gw_pump(stream, &spool, NULL, &news);
	switch (came) {
	case GW_PUMPED_TAKEN:
		return GW_MOVED;
	case GW_PUMPED_READ:
	case GW_PUMPED_LOST:
		return after_pump_read(stream, came, &news);
	case GW_PUMPED_END:
		return at_end(stream);
	case GW_PUMPED_FULL:
		return over(stream, news.reason);
	case GW_PUMPED_LARGE:
		return gw_refuse(stream, GW_PROBLEM_BODY_SIZE, NULL);
	case GW_PUMPED_BAD:
		break;
	}
	return gw_refuse(stream, GW_PROBLEM_MALFORMED, &news.refusal);
}
