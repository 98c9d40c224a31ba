#include <stdlib.h>
#include <string.h>

#include "ask/identity.h"
#include "gateway/allow.h"
#include "gateway/conn.h"
#include "gateway/decide.h"

struct gw_request *gw_request_new(uint64_t now_ms)
{
	struct gw_request *request = calloc(1, sizeof(*request));

	if (request == NULL)
		return NULL;
	request->began_ms = now_ms;
	if (!gw_input_open(&request->in)) {
		free(request);
		return NULL;
	}
	return request;
}

void gw_request_free(struct gw_request **request)
{
	struct gw_request *gone = *request;

	*request = NULL;
	if (gone == NULL)
		return;
	if (gone->upstream != NULL)
		gone->ops->free(gone->upstream);
	gw_proxy_free(&gone->proxy);
	http_trailers_free(&gone->body.trailers);
	thaw_spool_free(&gone->spool);
	gw_input_close(&gone->in);
	free(gone);
}

/* Asks by the decision. GW_MOVED: pending or settled, which gw_run_ask() looks at. */
static enum gw_step ask(struct gw_conn *conn, const struct gw_decision *decision)
{
	struct gw_request *request = conn->request;
	const struct config_certificate *settings = &request->route->config->certificate;
	struct thaw_ask_options options = {
		.trust = request->route->trust,
		.moment = decision->moment,
		.body_follows = decision->body_follows,
		.early = decision->early,
		.timeout_ms = settings->timeout_ms,
		.body_idle_ms = GW_BODY_IDLE_MS,
		.decline_grace_ms = settings->decline_grace_ms,
	};

	if (thaw_ask(conn->ask, &options, conn->now_ms) != THAW_OK) {
		gw_notice(conn->gateway, GW_NOTICE_ASK, CONFIG_LOG_ERROR, conn->now_ms, "cannot ask: %s",
			  thaw_conn_error(conn->ask)->text);
		return gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
	}
	request->asked = true;
	thaw_conn_report(conn->ask, &request->story.report);
	/* What will be held whole, and is known to be too large, is refused before it is sent. */
	bool drains_first = decision->body_follows && request->story.report.moment == THAW_MOMENT_BODY;
	if (thaw_verdict(conn->ask) == THAW_VERDICT_PENDING)
		gw_show_ask(conn);
	if (thaw_verdict(conn->ask) == THAW_VERDICT_PENDING && drains_first &&
	    request->body.framing == HTTP_BODY_LENGTH && request->head.length > settings->max_body)
		thaw_ask_end(conn->ask, THAW_VERDICT_OVER_LIMIT, THAW_REASON_BODY_SIZE, conn->now_ms);
	if (decision->continue_now)
		return gw_continue(conn);
	return GW_MOVED;
}

const struct tls_details *gw_conn_details(struct gw_conn *conn)
{
	if (conn->details == NULL)
		conn->details = ask_details(conn->ask);
	return conn->details;
}

/* The certificate is verified: is it one that this route allows? False: refused. */
static bool admit(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	const struct config_certificate *settings = &request->route->config->certificate;
	const struct thaw_identity *identity = thaw_conn_identity(conn->ask);

	if (settings->allow_count > 0) {
		const struct tls_details *details = gw_conn_details(conn);
		if (details == NULL) {
			(void)gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
			return false;
		}
		if (!gw_allow(settings, details, identity->sha256_hex)) {
			request->story.report.verdict = THAW_VERDICT_REJECTED;
			request->story.report.reason = THAW_REASON_NOT_ALLOWED;
			request->settled = true;
			(void)gw_refuse_verdict(conn, THAW_VERDICT_REJECTED, THAW_REASON_NOT_ALLOWED, "");
			return false;
		}
	}
	request->identity = identity;
	return true;
}

/* For `when: response`: what is known about this client already, by an earlier ask or by the handshake. */
static enum gw_step go_then_ask(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	bool refused = conn->after.trust == request->route->trust;

	struct thaw_ask_options here = {.trust = request->route->trust, .moment = THAW_MOMENT_HANDSHAKE};
	if (thaw_ask(conn->ask, &here, conn->now_ms) != THAW_OK)
		return gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
	if (thaw_verdict(conn->ask) == THAW_VERDICT_ACCEPTED) {
		request->asked = true;
		thaw_conn_report(conn->ask, &request->story.report);
		if (!admit(conn))
			return GW_MOVED;
	} else if (refused && request->route->config->certificate.require) {
		return gw_refuse_verdict(conn, conn->after.verdict, conn->after.reason, conn->after.detail);
	} else {
		request->then.ask = !refused;
	}
	gw_enter(conn, GW_PASS);
	return GW_MOVED;
}

static bool body_here(const struct gw_request *request)
{
	return request->in.at < request->in.len;
}

/* The head is parsed and its route is found: what now? */
static enum gw_step act(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	struct gw_facts facts = {
		.when = request->route->config->certificate.when,
		.has_body = !request->body.ended,
		.expects = request->head.expect_continue,
		.body_here = body_here(request) || request->body.received > 0,
	};
	struct gw_decision decision = gw_decide(&facts);

	request->then.answer_continue = decision.continue_then;
	switch (decision.action) {
	case GW_GO:
		gw_enter(conn, GW_PASS);
		return GW_MOVED;
	case GW_GO_THEN_ASK:
		return go_then_ask(conn);
	case GW_GO_ASK:
		break;
	}
	gw_enter(conn, GW_ASK);
	return ask(conn, &decision);
}

/* Host, path, method: which route is it? */
static enum gw_step find_route(struct gw_conn *conn)
{
	enum gw_step step = GW_MOVED;

	if (!gw_find_route(conn, &step))
		return step;
	if (conn->after.pending) {
		gw_enter(conn, GW_HELD);
		return GW_MOVED;
	}
	return act(conn);
}

enum gw_step gw_run_head(struct gw_conn *conn)
{
	static const struct http_refusal around = {400, "a head that began before a renegotiation and ended after it",
						   "Send a whole request at once."};
	struct gw_request *request = conn->request;
	struct http_refusal refusal = {0};
	size_t got = 0;

	switch (http_head_parse(request->in.head, request->in.head_len, &request->scan, &request->head,
				&request->head_len, &refusal)) {
	case HTTP_PARSE_DONE:
		gw_input_head_ends(&request->in, request->head_len);
		request->body.framing = request->head.framing;
		request->body.left = request->head.framing == HTTP_BODY_LENGTH ? request->head.length : 0;
		request->body.ended = request->head.framing != HTTP_BODY_CHUNKED && request->body.left == 0;
		conn->work += GW_WORK_REQUEST;
		http_chunked_init(&request->body.chunked);
		request->body.chunked.trailers = &request->body.trailers;
		return find_route(conn);
	case HTTP_PARSE_BAD:
		request->head_len = 0;
		return gw_refuse(conn, GW_PROBLEM_MALFORMED, &refusal);
	case HTTP_PARSE_MORE:
		request->head_len = 0;
		break;
	}
	if (!gw_input_grow(&request->in))
		return gw_refuse(conn, GW_PROBLEM_MEMORY, NULL);
	bool waits = request->in.head_len > 0 && gw_renegotiates(conn);
	enum thaw_status status = thaw_read(conn->ask, request->in.head + request->in.head_len,
					    request->in.head_room - request->in.head_len, &got, conn->now_ms);
	if (waits && !conn->after.pending && status != THAW_CLOSED && status != THAW_FAILED)
		return gw_refuse(conn, GW_PROBLEM_MALFORMED, &around);
	if (status == THAW_CLOSED)
		return gw_abandon(conn, "the client ended the connection in the middle of a head");
	if (status == THAW_FAILED)
		return gw_abandon(conn, thaw_conn_error(conn->ask)->text);
	if (status != THAW_OK)
		return gw_blocked(conn, status);
	request->in.head_len += got;
	conn->work += got;
	return GW_MOVED;
}

void gw_note_story(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	struct thaw_spool_use use = {0};

	if (request->spool != NULL)
		thaw_spool_read_use(request->spool, &use);
	thaw_conn_report(conn->ask, &request->story.report);
	request->story.drained = request->body.received;
	request->story.to_memory = use.to_memory;
	request->story.to_disk = use.to_disk;
}

/* A verdict that is not 'accepted' is a refusal, but where the route lets a request go on without an identity. */
static enum gw_step verdict_in(struct gw_conn *conn)
{
	struct gw_request *request = conn->request;
	const struct thaw_report *report = &request->story.report;
	bool optional = !request->route->config->certificate.require;

	gw_note_story(conn);
	switch (report->verdict) {
	case THAW_VERDICT_ACCEPTED:
		if (!admit(conn))
			return GW_MOVED;
		break;
	case THAW_VERDICT_DECLINED:
	case THAW_VERDICT_IMPOSSIBLE:
		if (report->reason == THAW_REASON_REFUSED_RENEG)
			return gw_abandon(conn, "the client refused to renegotiate");
		if (!optional)
			return gw_refuse_verdict(conn, report->verdict, report->reason, report->detail);
		break;
	case THAW_VERDICT_CANCELLED:
		if (request->cut_off)
			return gw_refuse(conn, GW_PROBLEM_CUT_OFF, NULL);
		return gw_abandon(conn, thaw_conn_error(conn->ask)->text);
	case THAW_VERDICT_REJECTED:
	case THAW_VERDICT_TIMED_OUT:
	case THAW_VERDICT_OVER_LIMIT:
	case THAW_VERDICT_NONE:
	case THAW_VERDICT_PENDING:
		return gw_refuse_verdict(conn, report->verdict, report->reason, report->detail);
	}
	gw_enter(conn, GW_PASS);
	return GW_MOVED;
}

enum gw_step gw_run_held(struct gw_conn *conn)
{
	return conn->after.pending ? gw_drain(conn) : act(conn); /* gw_ask_settled() ends it */
}

enum gw_step gw_run_ask(struct gw_conn *conn)
{
	enum thaw_status status = gw_unwritten(conn) && thaw_can_write(conn->ask) ? gw_flush(conn) : THAW_OK;

	if (status == THAW_FAILED || status == THAW_CLOSED)
		return gw_abandon(conn, conn->gateway->err.text);
	if (thaw_verdict(conn->ask) != THAW_VERDICT_PENDING)
		return verdict_in(conn);
	return gw_drain(conn);
}
