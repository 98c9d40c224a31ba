#include <stdlib.h>
#include <string.h>

#include "gateway/conn.h"
#include "http/target.h"

int64_t gw_wall(const struct gw_conn *conn, uint64_t at_ms)
{
	return (int64_t)at_ms + conn->gateway->env.wall_offset_ms;
}

static json_t *make_record(const struct gw_conn *conn)
{
	const struct gw_request *request = conn->request;
	struct gw_record_facts facts = {
		.peer = conn->has_peer ? (const struct sockaddr *)&conn->peer : NULL,
		.head = request->head_len > 0 ? &request->head : NULL,
		.host = gw_conn_host(conn)->config->name,
		.tls = tls_link_version(conn->tls),
		.cipher = tls_link_cipher(conn->tls),
		.resumed = tls_link_resumed(conn->tls),
		.status = request->status,
		.note = request->note,
		.bytes_in = request->body.received,
		.bytes_out = request->body_out,
		.took_ms = conn->now_ms - request->began_ms,
		.wall_ms = gw_wall(conn, request->began_ms),
		.identity = request->identity,
		.server = request->server,
		.server_ms = request->server_ms,
		.repairs = request->repairs,
	};
	json_t *record = gw_record_new(&facts);

	if (record != NULL && request->asked && !gw_record_add_ask(record, &request->story)) {
		json_decref(record);
		return NULL;
	}
	return record;
}

/* Takes over the record; NULL: there was no memory for it. */
static void emit(struct gw_conn *conn, json_t *record)
{
	const struct gateway_env *env = &conn->gateway->env;
	size_t len = 0;
	char *line = record != NULL ? gw_record_line(record, conn->gateway->config->log.format, &len) : NULL;

	if (line == NULL)
		gw_notice(conn->gateway, GW_NOTICE_MEMORY, CONFIG_LOG_ERROR, conn->now_ms,
			  "out of memory: an access record is lost");
	else if (env->access != NULL)
		env->access(env->log_arg, line, len);
	free(line);
	json_decref(record);
}

static void tell_board(const struct gw_conn *conn)
{
	const struct gw_request *request = conn->request;

	board_request(conn->gateway->env.board, request->status, conn->now_ms - request->began_ms,
		      request->body.received, request->body_out);
}

void gw_show_ask(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	const struct http_request *head = &request->head;
	struct board_ask_facts facts = {
		.client = conn->has_peer ? (const struct sockaddr *)&conn->peer : NULL,
		.host = gw_conn_host(conn)->config->name,
		.path = head->path,
		.means = request->story.report.means,
		.moment = request->story.report.moment,
		.length = head->framing == HTTP_BODY_CHUNKED ? UINT64_MAX : head->length,
	};

	if (conn->gateway->env.board != NULL)
		request->shown = board_ask_begin(conn->gateway->env.board, &facts, conn->now_ms);
}

void gw_hide_ask(struct gw_conn *conn)
{
	if (conn->request != NULL && conn->request->shown != 0)
		board_ask_end(conn->gateway->env.board, &conn->request->shown);
}

static void record_request(struct gw_conn *conn)
{
	if (conn->request == NULL || conn->request->recorded)
		return;
	tell_board(conn);
	if (conn->request->asked)
		board_verdict(conn->gateway->env.board, &conn->request->story.report, conn->request->story.drained,
			      gw_wall(conn, conn->now_ms));
	conn->request->recorded = true;
	if (conn->gateway->env.access != NULL) /* else nobody reads it: it is a good part of a small request's work */
		emit(conn, make_record(conn));
}

void gw_ask_settled(void *arg)
{
	struct gw_conn *conn = arg;

	if (!conn->after.pending)
		return;
	struct gw_record_ask story = {0};
	json_t *record = conn->after.record;

	thaw_conn_report(conn->ask, &story.report);
	conn->after.pending = false;
	conn->after.record = NULL;
	board_verdict(conn->gateway->env.board, &story.report, 0, gw_wall(conn, conn->now_ms));
	conn->after.verdict = story.report.verdict;
	conn->after.reason = story.report.reason;
	memcpy(conn->after.detail, story.report.detail, sizeof(conn->after.detail));
	if (story.report.verdict == THAW_VERDICT_ACCEPTED)
		conn->after.trust = NULL;
	if (record != NULL && !gw_record_add_ask(record, &story)) {
		json_decref(record);
		record = NULL;
	}
	if (conn->gateway->env.access != NULL)
		emit(conn, record);
	if (conn->state == GW_IDLE)
		pace_start(&conn->pace, gw_idle_limit_ms(conn), conn->now_ms);
}

/* For `when: response`: the request is answered, now its client is asked, for the sake of the next ones. */
static void ask_after(struct gw_conn *conn, const struct gw_route *route)
{
	const struct config_certificate *settings = &route->config->certificate;
	struct thaw_ask_options options = {
		.trust = route->trust,
		.moment = THAW_MOMENT_RESPONSE,
		.timeout_ms = settings->timeout_ms,
		.decline_grace_ms = settings->decline_grace_ms,
	};

	tell_board(conn);
	conn->request->recorded = true;
	conn->after.record = conn->gateway->env.access != NULL ? make_record(conn) : NULL;
	conn->after.trust = route->trust;
	conn->after.pending = true; /* before it begins: it may be settled at once */
	if (thaw_ask(conn->ask, &options, conn->now_ms) == THAW_OK)
		return;
	gw_notice(conn->gateway, GW_NOTICE_ASK, CONFIG_LOG_ERROR, conn->now_ms, "cannot ask: %s",
		  thaw_conn_error(conn->ask)->text);
	conn->after.pending = false;
	conn->after.trust = NULL;
	if (conn->after.record != NULL)
		emit(conn, conn->after.record);
	conn->after.record = NULL;
}

/* Keeps the bytes of the next request, if some are here already. */
static void next_request(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	struct gw_input in = request->in;

	if (in.at == in.len) {
		gw_request_free(&conn->request);
		gw_enter(conn, GW_IDLE);
		conn->answered = !tls_link_pending(conn->tls);
	} else {
		if (request->upstream != NULL)
			request->ops->free(request->upstream);
		thaw_spool_free(&request->spool);
		gw_proxy_free(&request->proxy);
		http_trailers_free(&request->body.trailers);
		*request = (struct gw_request){.in = in, .began_ms = conn->now_ms};
		gw_enter(conn, gw_input_next(&request->in) ? GW_HEAD : GW_LINGER);
	}
}

enum gw_step gw_make_way(struct gw_conn *conn)
{
	ssize_t got = conn->transport.ops->discard(conn->transport.io, GW_WORK_MAX);

	if (got == TRANSPORT_BROKEN)
		return gw_abandon(conn, "the client broke the connection off");
	if (got > 0) {
		conn->work += (size_t)got;
		return GW_MOVED;
	}
	conn->wants.read = got == TRANSPORT_BLOCKED;
	return gw_wait_write(conn);
}

bool gw_renegotiates(const struct gw_conn *conn)
{
	struct thaw_report report;

	if (thaw_verdict(conn->ask) != THAW_VERDICT_PENDING)
		return false;
	thaw_conn_report(conn->ask, &report);
	return report.means == THAW_MEANS_RENEGOTIATION;
}

bool gw_overtaken(const struct gw_conn *conn)
{
	const struct gw_request *request = conn->request;
	bool behind = request->in.at < request->in.len || tls_link_pending(conn->tls);

	return request->overtaken ||
	       (request->then.ask && behind && thaw_conn_means(conn->ask, NULL) == THAW_MEANS_RENEGOTIATION);
}

enum gw_step gw_run_reply(struct gw_conn *conn)
{
	enum thaw_status status = gw_flush(conn);

	if (status == THAW_WANT_WRITE && conn->close_after)
		return gw_make_way(conn);
	if (status == THAW_WANT_READ || status == THAW_WANT_WRITE)
		return gw_blocked(conn, status);
	if (status != THAW_OK)
		return gw_abandon(conn, conn->gateway->err.text);
	if (gw_overtaken(conn)) {
		conn->close_after = true;
		gw_say(conn->gateway, CONFIG_LOG_INFO,
		       "connection closed after a response: the next request was sent before the renegotiation");
	}
	if (conn->request->then.ask && !conn->close_after)
		ask_after(conn, conn->request->route);
	else
		record_request(conn);
	if (conn->close_after)
		gw_enter(conn, GW_LINGER);
	else
		next_request(conn);
	return GW_MOVED;
}

bool gw_write(struct gw_conn *conn, const char *bytes, size_t len)
{
	enum thaw_status status = THAW_OK;

	while (!gw_unwritten(conn) && len > 0 && status == THAW_OK && thaw_can_write(conn->ask)) {
		size_t put = 0;
		status = tls_link_write(conn->tls, bytes, len, &put, &conn->gateway->err);
		bytes += put;
		len -= put;
		conn->work += put;
		pace_progress(&conn->pace, put, conn->now_ms);
	}
	if (status == THAW_FAILED || status == THAW_CLOSED)
		return false;
	return len == 0 || buffer_append(&conn->out, GW_OUT_MAX, bytes, len);
}

enum gw_step gw_continue(struct gw_conn *conn)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	conn->request->then.answer_continue = false;
	if (!buffer_append(&conn->out, GW_OUT_MAX, line, sizeof(line) - 1)) {
		conn->out.failed = false; /* the refusal goes instead */
		return gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
	}
	enum thaw_status status = thaw_can_write(conn->ask) ? gw_flush(conn) : THAW_OK;
	if (status == THAW_FAILED || status == THAW_CLOSED)
		return gw_abandon(conn, conn->gateway->err.text);
	return GW_MOVED;
}

enum gw_step gw_answer(struct gw_conn *conn, struct gw_reply *reply, bool close)
{
	struct gw_request *request = conn->request;
	bool parsed = request->head_len > 0, head_only = parsed && request->head.is_head;
	unsigned status = reply->status;
	size_t body_len = head_only ? 0 : reply->body_len, len = 0;

	conn->close_after = close || conn->retiring || !parsed || !request->head.keep_alive || request->cut_off ||
			    gw_overtaken(conn);
	char *bytes = gw_reply_render(reply, head_only, !conn->close_after, gw_wall(conn, conn->now_ms), &len);
	gw_reply_free(reply);
	if (!buffer_adopt(&conn->out, GW_OUT_MAX, bytes, len))
		return gw_abandon(conn, "out of memory for a response");
	/* Between the client's first message of a handshake and its last, no response can be written. */
	if (!thaw_can_write(conn->ask))
		return gw_abandon(conn, "in the middle of a TLS handshake");
	request->status = status;
	request->body_out = body_len;
	thaw_spool_free(&request->spool);
	gw_proxy_free(&request->proxy);
	gw_enter(conn, GW_REPLY);
	return GW_MOVED;
}

void gw_end_asks(struct gw_conn *conn, enum thaw_reason reason)
{
	thaw_ask_end(conn->ask, THAW_VERDICT_CANCELLED, reason, conn->now_ms);
	if (conn->state == GW_ASK && conn->request->asked && !conn->request->settled)
		gw_note_story(conn);
	conn->request->then = (struct gw_then){0};
}

enum gw_step gw_refuse(struct gw_conn *conn, enum gw_problem problem, const struct http_refusal *refusal)
{
	struct gw_reply reply;

	board_refusal(conn->gateway->env.board, problem);
	if (problem == GW_PROBLEM_MEMORY)
		gw_notice_refused(conn, THAW_REASON_NO_MEMORY);
	gw_end_asks(conn, THAW_REASON_CALLER);
	if (!gw_problem_reply(problem, refusal, &reply))
		return gw_abandon(conn, "out of memory for a response");
	/* A request that is complete, and not to blame for more than its path, leaves the connection usable. */
	bool usable = problem == GW_PROBLEM_NO_ROUTE || problem == GW_PROBLEM_UPSTREAM ||
		      problem == GW_PROBLEM_UPSTREAM_AWAY || problem == GW_PROBLEM_UPSTREAM_SLOW;
	return gw_answer(conn, &reply, !usable || !conn->request->body.ended);
}

enum gw_step gw_refuse_verdict(struct gw_conn *conn, enum thaw_verdict verdict, enum thaw_reason reason,
			       const char *detail)
{
	const struct gw_request *request = conn->request;
	struct gw_reply reply;
	char target[HTTP_ORIGIN_MAX];
	size_t len = http_target_origin(&request->head, target);

	gw_end_asks(conn, THAW_REASON_CALLER);
	if (verdict == THAW_VERDICT_OVER_LIMIT)
		gw_notice_refused(conn, reason);
	if (!gw_problem_verdict(verdict, reason, detail, request->route->config->certificate.elsewhere,
				(struct http_span){target, len}, &reply))
		return gw_abandon(conn, "out of memory for a response");
	return gw_answer(conn, &reply, true);
}

enum gw_step gw_abandon(struct gw_conn *conn, const char *note)
{
	gw_end_asks(conn, THAW_REASON_CONNECTION);
	if (conn->request->note == NULL)
		conn->request->note = note;
	gw_enter(conn, GW_LINGER);
	return GW_MOVED;
}

enum gw_step gw_cut(struct gw_conn *conn, const char *note)
{
	conn->cut = true;
	return gw_abandon(conn, note);
}

void gw_records_close(struct gw_conn *conn)
{
	if (conn->after.pending)
		thaw_ask_end(conn->ask, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, conn->now_ms);
	record_request(conn);
}
