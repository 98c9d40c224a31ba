#include "gateway/answer.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/account.h"
#include "gateway/headers.h"
#include "gateway/reply.h"
#include "http/accept.h"
#include "http/target.h"

bool gw_renegotiates(const struct gw_stream *stream)
{
	struct thaw_report report;

	if (thaw_conn_verdict(stream->conn->ask) != THAW_VERDICT_PENDING)
		return false;
	report = *thaw_conn_report(stream->conn->ask);
	return report.means == THAW_MEANS_RENEGOTIATION;
}

bool gw_overtaken(const struct gw_stream *stream)
{
	if (stream->overtaken || stream->account != GW_ACCOUNT_LATER)
		return stream->overtaken;
	bool behind = stream->in.at < stream->in.len || tls_conn_pending(stream->conn->tls);
	return behind && thaw_conn_means(stream->conn->ask, NULL) == THAW_MEANS_RENEGOTIATION;
}

bool gw_send_head(struct gw_stream *stream, unsigned status, struct gw_batch *batch, size_t len, bool last)
{
	const struct gw_protocol *protocol = stream->conn->protocol;

	return protocol->text || protocol->respond(stream, status, batch, len, last);
}

bool gw_send(struct gw_stream *stream, const struct gw_batch *batch)
{
	return batch->len == 0 || stream->conn->protocol->write(stream, batch->at, batch->len);
}

/* Takes ownership of the bytes; NULL is an error. */
static bool send_reply(struct gw_stream *stream, unsigned status, char *bytes, size_t head_len, size_t len)
{
	const struct gw_protocol *protocol = stream->conn->protocol;
	struct gw_batch batch = {.at = bytes, .len = len};

	if (protocol->text)
		return buffer_adopt(&stream->out, GW_OUT_MAX, bytes, len);
	bool sent = bytes != NULL && gw_send_head(stream, status, &batch, head_len, len == head_len) &&
		    gw_send(stream, &batch);
	free(bytes);
	protocol->finish(stream, NULL);
	return sent;
}

/* False: no memory. */
static bool add_fields(struct gw_stream *stream, struct gw_reply *reply)
{
	const struct config_headers *headers = &gw_headers_of(stream)->response;
	const size_t room = GW_HEADERS_MAX;
	struct http_writer writer;

	if (headers->count == 0)
		return true;
	reply->more = malloc(room);
	if (reply->more == NULL)
		return false;
	http_writer_init(&writer, reply->more, room);
	const struct gw_origin origin = gw_origin_of(stream);
	gw_headers_write(&origin, headers, &writer);
	reply->more_len = writer.overflow ? 0 : writer.len;
	return true;
}

enum gw_step gw_answer(struct gw_stream *stream, struct gw_reply *reply, bool close)
{
	bool parsed = stream->head_len > 0, head_only = parsed && stream->head.is_head;
	unsigned status = reply->status;
	size_t body_len = head_only ? 0 : reply->body_len, head_len = 0, len = 0;

	stream->close_after = close || stream->conn->retiring || !parsed || !stream->head.keep_alive ||
			      stream->cut_off || gw_overtaken(stream);
	char *bytes = NULL;
	if (add_fields(stream, reply))
		bytes = gw_reply_render(reply, head_only, !stream->close_after,
					gw_wall(stream->conn, gw_stream_now(stream)), &head_len, &len);
	gw_reply_free(reply);
	if (!send_reply(stream, status, bytes, head_len, len))
		return gw_abandon(stream, "out of memory for a response");
	/* Between the client's first message of a handshake and its last, no response can be written. */
	if (!thaw_conn_can_write(stream->conn->ask))
		return gw_abandon(stream, "in the middle of a TLS handshake");
	stream->status = status;
	stream->body_out = body_len;
	thaw_spool_free(&stream->spool);
	gw_upstream_free(stream);
	gw_stream_enter(stream, GW_REPLY);
	return GW_MOVED;
}

void gw_end_asks(struct gw_stream *stream, enum thaw_reason reason)
{
	thaw_conn_ask_end(stream->conn->ask, THAW_VERDICT_CANCELLED, reason, gw_stream_now(stream));
	if (stream->state == GW_ASK && stream->account == GW_ACCOUNT_ASKED)
		gw_note_story(stream);
	if (stream->account == GW_ACCOUNT_LATER)
		gw_account_enter(stream, GW_ACCOUNT_NONE);
	gw_expect_enter(stream, GW_EXPECT_NONE);
}

static struct gw_asker asker_of(struct gw_stream *stream)
{
	return (struct gw_asker){
		.id = gw_stream_id(stream),
		.wall_ms = gw_wall(stream->conn, gw_stream_now(stream)),
		.page = stream->head_len > 0 && http_prefers_html(&stream->head),
		.retry_s = stream->retry_s,
	};
}

enum gw_step gw_refuse(struct gw_stream *stream, enum gw_problem problem, const struct http_refusal *refusal)
{
	const struct gw_asker asker = asker_of(stream);
	struct gw_reply reply;

	scoreboard_refusal(stream->gateway->env.scoreboard, problem);
	if (problem == GW_PROBLEM_MEMORY)
		gw_notice_refused(stream->conn, THAW_REASON_NO_MEMORY);
	gw_end_asks(stream, THAW_REASON_CALLER);
	bool grpc = problem == GW_PROBLEM_GRPC && stream->conn->http2 != NULL;
	if (grpc)
		gw_problem_grpc(problem, &reply);
	else if (!gw_problem_reply(problem, refusal, &asker, &reply))
		return gw_abandon(stream, "out of memory for a response");
	if (grpc)
		gw_stream_note(stream, "gRPC needs HTTP/2 to the service");
	/* A request that is complete, and not to blame for more than its path or its client, leaves the connection
	 * usable. */
	bool usable = problem == GW_PROBLEM_NO_ROUTE || problem == GW_PROBLEM_ADDRESS || problem == GW_PROBLEM_RATE ||
		      problem == GW_PROBLEM_GRPC || problem == GW_PROBLEM_UPSTREAM ||
		      problem == GW_PROBLEM_UPSTREAM_AWAY || problem == GW_PROBLEM_UPSTREAM_SLOW;
	return gw_answer(stream, &reply, !usable || !stream->body.ended);
}

enum gw_step gw_refuse_with_link(struct gw_stream *stream, enum gw_problem problem, const char *link)
{
	const struct gw_asker asker = asker_of(stream);
	struct gw_reply reply;

	scoreboard_refusal(stream->gateway->env.scoreboard, problem);
	if (!gw_problem_with_link(problem, link, &asker, &reply))
		return gw_abandon(stream, "out of memory for a response");
	return gw_answer(stream, &reply, true);
}

enum gw_step gw_refuse_verdict(struct gw_stream *stream, enum thaw_verdict verdict, enum thaw_reason reason,
			       const char *detail)
{
	const struct gw_asker asker = asker_of(stream);
	struct gw_reply reply;
	char target[HTTP_ORIGIN_MAX];
	size_t len = http_target_origin(&stream->head, target);
	const struct gw_refused refused = {
		.verdict = verdict,
		.reason = reason,
		.detail = detail,
		.elsewhere = stream->route->config->certificate.elsewhere,
		.target = {target, len},
	};

	gw_end_asks(stream, THAW_REASON_CALLER);
	if (verdict == THAW_VERDICT_OVER_LIMIT)
		gw_notice_refused(stream->conn, reason);
	if (!gw_problem_verdict(&refused, &asker, &reply))
		return gw_abandon(stream, "out of memory for a response");
	return gw_answer(stream, &reply, true);
}

static enum gw_step end_without(struct gw_stream *stream, const char *note, enum gw_end how)
{
	gw_end_asks(stream, THAW_REASON_CONNECTION);
	gw_stream_note(stream, note);
	gw_stream_end(stream, how);
	return GW_MOVED;
}

enum gw_step gw_abandon(struct gw_stream *stream, const char *note)
{
	return end_without(stream, note, GW_END_ABANDON);
}

enum gw_step gw_cut(struct gw_stream *stream, const char *note)
{
	return end_without(stream, note, GW_END_CUT);
}

bool gw_write_kept(struct gw_stream *stream)
{
	bool can = gw_unwritten(stream) && thaw_conn_can_write(stream->conn->ask);
	enum thaw_status status = can ? stream->conn->protocol->flush(stream) : THAW_OK;

	if (status != THAW_FAILED && status != THAW_CLOSED)
		return true;
	(void)gw_abandon(stream, stream->gateway->err.text);
	return false;
}

enum gw_step gw_continue(struct gw_stream *stream)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	struct gw_batch batch = {.at = stream->gateway->batch, .len = sizeof(line) - 1};

	gw_expect_enter(stream, GW_EXPECT_NONE);
	memcpy(batch.at, line, batch.len);
	if (!gw_send_head(stream, 100, &batch, batch.len, false) ||
	    !buffer_append(&stream->out, GW_OUT_MAX, batch.at, batch.len)) {
		stream->out.failed = false; /* the error response replaces it */
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	}
	(void)gw_write_kept(stream);
	return GW_MOVED;
}

enum gw_step gw_blocked(struct gw_stream *stream, enum thaw_status status)
{
	switch (status) {
	case THAW_WANT_READ:
		return gw_wait_read(stream);
	case THAW_WANT_WRITE:
		return gw_wait_write(stream);
	case THAW_FAILED:
		return gw_abandon(stream, thaw_conn_error(stream->conn->ask)->text);
	case THAW_CLOSED:
	case THAW_OK:
		break;
	}
	return gw_abandon(stream, "closed by the client");
}
