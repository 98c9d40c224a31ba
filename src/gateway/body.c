#include <string.h>

#include "gateway/conn.h"
#include "http/meaning.h"

enum gw_body_step gw_body_next(struct gw_request *request, struct http_refusal *refusal)
{
	struct gw_body *body = &request->body;
	const char *unread = request->in.bytes + request->in.at;
	size_t here = request->in.len - request->in.at, used = 0;

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
		request->in.at += used;
		return GW_BODY_SPAN;
	}
	enum http_chunk chunk = http_chunked_decode(&body->chunked, unread, here, &used, &body->span, refusal);
	request->in.at += used;
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

void gw_body_took(struct gw_request *request, size_t len)
{
	request->body.span.at += len;
	request->body.span.len -= len;
}

enum thaw_reason gw_body_fill(struct gw_conn *conn, enum thaw_status *status)
{
	struct gw_request *request = conn->request;
	char *where = NULL;
	size_t room = gw_input_room(&request->in, conn->gateway->scratch, &where), got = 0;

	if (room == 0)
		return THAW_REASON_PIPELINED;
	if (request->body.framing == HTTP_BODY_LENGTH && !request->body.ended && room > request->body.left)
		room = (size_t)request->body.left;
	*status = thaw_read(conn->ask, where, room, &got, conn->now_ms);
	conn->work += got;
	pace_progress(&conn->pace, got, conn->now_ms);
	return gw_input_came(&request->in, where, got) ? THAW_REASON_NONE : THAW_REASON_NO_MEMORY;
}

/* No more of this request can be held: that decides it. */
static enum gw_step over(struct gw_conn *conn, enum thaw_reason reason)
{
	if (!conn->after.pending) {
		thaw_ask_end(conn->ask, THAW_VERDICT_OVER_LIMIT, reason, conn->now_ms);
		return GW_MOVED;
	}
	/* It was held for the ask that followed the response before. */
	thaw_ask_end(conn->ask, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, conn->now_ms);
	return gw_refuse_verdict(conn, THAW_VERDICT_OVER_LIMIT, reason, "");
}

/*
 * The spool is ended to make room for others: the connection's next step answers the request. Not in the middle of the
 * client's handshake messages, when no response can be written; but one that stops there has not answered.
 */
static bool on_end(void *arg)
{
	struct gw_conn *conn = arg;

	if (conn->wake == NULL)
		return false;
	if (!thaw_can_write(conn->ask) && conn->gateway->now_ms < conn->request->began_ms + GW_MIDDLE_MS)
		return false;
	conn->wake(conn->wake_arg);
	return true;
}

static enum thaw_reason open_spool(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	const struct sockaddr *peer = conn->has_peer ? (const struct sockaddr *)&conn->peer : NULL;

	if (request->spool != NULL)
		return THAW_REASON_NONE;
	request->spool = thaw_spool_new(conn->gateway->env.store, peer, request->route->config->certificate.max_body);
	if (request->spool == NULL)
		return THAW_REASON_NO_MEMORY;
	thaw_spool_yield(request->spool, request->began_ms, on_end, conn);
	return THAW_REASON_NONE;
}

/* After a read while an ask is pending; what the ask has come to is looked at by gw_run_ask(). */
static enum gw_step after_read(struct gw_conn *conn, enum thaw_status status)
{
	struct gw_request *request = conn->request;

	request->cut_off = request->cut_off || status == THAW_CLOSED;
	bool over = status == THAW_CLOSED || status == THAW_FAILED;
	bool waiting = conn->after.pending || (request->asked && thaw_verdict(conn->ask) == THAW_VERDICT_PENDING);
	if (over && !request->asked)
		return request->cut_off ? gw_refuse(conn, GW_PROBLEM_CUT_OFF, NULL)
					: gw_abandon(conn, thaw_conn_error(conn->ask)->text);
	return waiting && status != THAW_OK ? gw_blocked(conn, status) : GW_MOVED;
}

static enum gw_step hold_span(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	enum thaw_reason reason = open_spool(conn);

	if (reason == THAW_REASON_NONE)
		reason = thaw_spool_write(request->spool, request->body.span.at, request->body.span.len);
	if (reason != THAW_REASON_NONE)
		return over(conn, reason);
	gw_body_took(request, request->body.span.len);
	return GW_MOVED;
}

/* A body of known length is read straight into the spool's own memory. */
static enum gw_step read_straight(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	enum thaw_reason reason = open_spool(conn);
	size_t room = 0, got = 0;
	void *where = NULL;

	gw_input_rest(&request->in);
	if (reason == THAW_REASON_NONE)
		reason = thaw_spool_reserve(request->spool, &where, &room);
	if (reason != THAW_REASON_NONE)
		return over(conn, reason);
	if (room > request->body.left)
		room = (size_t)request->body.left;
	enum thaw_status status = thaw_read(conn->ask, where, room, &got, conn->now_ms);
	thaw_spool_commit(request->spool, got);
	request->body.left -= got;
	request->body.received += got;
	request->body.ended = request->body.left == 0;
	conn->work += got;
	return after_read(conn, status);
}

/* More of a body whose bytes must be looked at; or, behind its end, of the next requests, while the certificate is
 * still to come. */
static enum gw_step read_on(struct gw_conn *conn)
{
	enum thaw_status status = THAW_OK;
	enum thaw_reason reason = gw_body_fill(conn, &status);

	if (reason == THAW_REASON_NO_MEMORY) /* bytes are lost, whatever the verdict is by now */
		return gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
	return reason != THAW_REASON_NONE ? over(conn, reason) : after_read(conn, status);
}

static void show_progress(struct gw_conn *conn)
{
	struct thaw_report report;

	thaw_conn_report(conn->ask, &report);
	board_ask_progress(conn->gateway->env.board, conn->request->shown, conn->request->body.received,
			   report.asked_ms);
}

enum gw_step gw_drain(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	struct http_refusal refusal = {0};

	if (request->shown != 0)
		show_progress(conn);
	if (request->spool != NULL && thaw_spool_ended(request->spool) != THAW_REASON_NONE)
		return over(conn, thaw_spool_ended(request->spool));
	switch (gw_body_next(request, &refusal)) {
	case GW_BODY_SPAN:
		return hold_span(conn);
	case GW_BODY_END:
		/* A 100 Continue that is half written must go out first: OpenSSL ends a connection on which a handshake
		 * message is begun in the middle of another write. */
		if (request->in.at < request->in.len && gw_renegotiates(conn))
			request->overtaken = true;
		if (!gw_unwritten(conn))
			thaw_body_ended(conn->ask, conn->now_ms);
		if (request->asked && thaw_verdict(conn->ask) != THAW_VERDICT_PENDING)
			return GW_MOVED;
		return read_on(conn);
	case GW_BODY_NEED:
		/* The spool is opened for bytes that are here: a client that waits for its 100 needs none. */
		if (request->body.framing == HTTP_BODY_LENGTH && request->spool != NULL)
			return read_straight(conn);
		return read_on(conn);
	case GW_BODY_BAD:
		break;
	}
	return gw_refuse(conn, GW_PROBLEM_MALFORMED, &refusal);
}

/* The verdict is in, or none was needed: only now does the upstream see the request. */
static enum gw_step begin_pass(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	struct gw_exchange exchange = {
		.head = &request->head,
		.host = gw_conn_host(conn)->config,
		.route = request->route->config,
		.identity = request->identity,
		.report = &request->story.report,
		.before_verdict = request->story.drained,
	};

	uint64_t hops = 0;
	bool proxy = request->route->config->upstream == CONFIG_PROXY;
	bool ends_here = proxy && http_max_forwards(&request->head, &hops) == HTTP_FORWARDS_LIMITED && hops == 0;
	if (proxy && !ends_here)
		return gw_proxy_begin(conn);
	request->ops = ends_here ? gw_upstream_last_hop() : gw_upstream_builtin(request->route->config->upstream);
	request->upstream = request->ops->open(&exchange);
	if (request->upstream == NULL)
		return gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
	if (request->then.answer_continue && request->body.received == 0 && request->in.at == request->in.len)
		return gw_continue(conn);
	return GW_MOVED;
}

static enum gw_step pass_spooled(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	const void *data = NULL;
	size_t len = 0;
	enum thaw_reason reason = thaw_spool_peek(request->spool, &data, &len);

	if (reason != THAW_REASON_NONE)
		return gw_refuse_verdict(conn, THAW_VERDICT_OVER_LIMIT, reason, "");
	if (len == 0) {
		thaw_spool_free(&request->spool);
		return GW_MOVED;
	}
	if (!request->ops->body(request->upstream, data, len))
		return gw_refuse(conn, GW_PROBLEM_UPSTREAM, NULL);
	thaw_spool_consume(request->spool, len);
	conn->work += len;
	return GW_MOVED;
}

static enum gw_step finish(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	struct gw_reply reply = {0};

	if (!request->ops->finish(request->upstream, &reply))
		return gw_refuse(conn, GW_PROBLEM_UPSTREAM, NULL);
	return gw_answer(conn, &reply, false);
}

static enum gw_step pass_more(struct gw_conn *conn)
{
	enum thaw_status status = THAW_OK;

	if (gw_body_fill(conn, &status) != THAW_REASON_NONE)
		return gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
	if (status == THAW_CLOSED)
		return gw_refuse(conn, GW_PROBLEM_CUT_OFF, NULL);
	if (status == THAW_FAILED)
		return gw_abandon(conn, thaw_conn_error(conn->ask)->text);
	return status == THAW_OK ? GW_MOVED : gw_blocked(conn, status);
}

enum gw_step gw_run_pass(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	struct http_refusal refusal = {0};
	/* A 100 Continue that could not be written whole. */
	enum thaw_status status = gw_unwritten(conn) && thaw_can_write(conn->ask) ? gw_flush(conn) : THAW_OK;

	if (status == THAW_FAILED || status == THAW_CLOSED)
		return gw_abandon(conn, conn->gateway->err.text);
	if (request->proxy != NULL)
		return gw_proxy_pass(conn);
	if (request->upstream == NULL)
		return begin_pass(conn);
	if (request->spool != NULL)
		return pass_spooled(conn);
	switch (gw_body_next(request, &refusal)) {
	case GW_BODY_SPAN:
		if (!request->ops->body(request->upstream, request->body.span.at, request->body.span.len))
			return gw_refuse(conn, GW_PROBLEM_UPSTREAM, NULL);
		gw_body_took(request, request->body.span.len);
		return GW_MOVED;
	case GW_BODY_END:
		return finish(conn);
	case GW_BODY_NEED:
		return pass_more(conn);
	case GW_BODY_BAD:
		break;
	}
	return gw_refuse(conn, GW_PROBLEM_MALFORMED, &refusal);
}
