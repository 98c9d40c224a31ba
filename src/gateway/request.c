#include "gateway/request.h"

#include "gateway/account.h"
#include "gateway/admit.h"
#include "gateway/answer.h"
#include "gateway/decide.h"
#include "gateway/find.h"

/* Starts the ask that was decided. GW_MOVED: it is pending or settled; gw_run_ask() continues. */
static enum gw_step ask(struct gw_stream *stream, const struct gw_decision *decision)
{
	const struct config_certificate *settings = &stream->route->config->certificate;
	const struct thaw_ask_options options = {
		.size = sizeof(options),
		.trust = stream->route->trust,
		.moment = decision->moment,
		.body_follows = decision->body_follows,
		.early = decision->early,
		.timeout_ms = settings->timeout_ms,
		.body_idle_ms = stream->gateway->config->connections.body_ms,
		.decline_grace_ms = settings->decline_grace_ms,
		.unverified = settings->require == CONFIG_OPTIONAL_UNVERIFIED,
	};

	enum thaw_status status = decision->moment == THAW_MOMENT_HANDSHAKE
					  ? thaw_conn_check(stream->conn->ask, options.trust, gw_stream_now(stream))
					  : thaw_conn_ask(stream->conn->ask, &options, gw_stream_now(stream));
	if (status != THAW_OK) {
		gw_notice(stream->gateway, GW_NOTICE_ASK, CONFIG_LOG_ERROR, gw_stream_now(stream), "cannot ask: %s",
			  thaw_conn_error(stream->conn->ask)->text);
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	}
	gw_account_enter(stream, GW_ACCOUNT_ASKED);
	stream->story.report = *thaw_conn_report(stream->conn->ask);
	bool drains_first = decision->body_follows && stream->story.report.moment == THAW_MOMENT_BODY;
	if (thaw_conn_verdict(stream->conn->ask) == THAW_VERDICT_PENDING)
		gw_show_ask(stream);
	if (thaw_conn_verdict(stream->conn->ask) == THAW_VERDICT_PENDING && drains_first &&
	    gw_drains_too_much(settings, stream->body.framing == HTTP_BODY_LENGTH ? stream->head.length : 0))
		thaw_conn_ask_end(stream->conn->ask, THAW_VERDICT_OVER_LIMIT, THAW_REASON_BODY_SIZE,
				  gw_stream_now(stream));
	if (decision->continue_now)
		return gw_continue(stream);
	return GW_MOVED;
}

/* For `when: response`: uses what is already known about this client, from an earlier ask or from the handshake. */
static enum gw_step go_then_ask(struct gw_stream *stream)
{
	const struct config_certificate *settings = &stream->route->config->certificate;
	bool refused =
		stream->conn->after.state == GW_AFTER_REFUSED && stream->conn->after.trust == stream->route->trust;

	if (thaw_conn_check(stream->conn->ask, stream->route->trust, gw_stream_now(stream)) != THAW_OK)
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	const struct thaw_report *report = thaw_conn_report(stream->conn->ask);
	enum gw_course course = gw_course(settings, report->verdict, report->reason);
	if (course == GW_COURSE_ADMIT || course == GW_COURSE_MARKED) {
		gw_account_enter(stream, GW_ACCOUNT_ASKED);
		stream->story.report = *report;
		if (course == GW_COURSE_MARKED)
			gw_mark(stream);
		else if (!gw_admit(stream))
			return GW_MOVED;
	} else if (refused && settings->require == CONFIG_REQUIRED) {
		return gw_refuse_verdict(stream, stream->conn->after.verdict, stream->conn->after.reason,
					 stream->conn->after.detail);
	} else if (!refused) {
		gw_account_enter(stream, GW_ACCOUNT_LATER);
	}
	gw_stream_enter(stream, GW_PASS);
	return GW_MOVED;
}

static bool body_here(const struct gw_stream *stream)
{
	return stream->in.at < stream->in.len;
}

/* Over HTTP/2: does not read the body of a request that must be sent again. */
static enum gw_step go_or_away(struct gw_stream *stream, const struct gw_decision *decision)
{
	enum gw_step step = ask(stream, decision);

	if (stream->state != GW_HEAD)
		return step;
	const struct thaw_report *report = &stream->story.report;
	enum gw_course course = gw_course(&stream->route->config->certificate, report->verdict, report->reason);
	if (course == GW_COURSE_ADMIT || course == GW_COURSE_MARKED) {
		gw_stream_enter(stream, GW_ASK);
		return GW_MOVED;
	}
	gw_account_enter(stream, GW_ACCOUNT_NONE);
	gw_send_away(stream->conn, stream->route);
	gw_stream_note(stream, "stream reset with HTTP_1_1_REQUIRED: no certificate can be requested over HTTP/2");
	gw_stream_end(stream, GW_END_AWAY);
	return GW_MOVED;
}

enum gw_step gw_request_act(struct gw_stream *stream)
{
	struct gw_facts facts = {
		.when = stream->route->config->certificate.when,
		.has_body = !stream->body.ended,
		.expects = stream->head.expect_continue,
		.body_here = body_here(stream) || stream->body.received > 0,
		.cannot_ask = !stream->conn->protocol->asks,
		.demanded = tls_conn_demanded(stream->conn->tls, stream->route->trust),
	};
	struct gw_decision decision = gw_decide(&facts);

	gw_expect_enter(stream, decision.continue_then ? GW_EXPECT_OWED : GW_EXPECT_NONE);
	switch (decision.action) {
	case GW_GO:
		gw_stream_enter(stream, GW_PASS);
		return GW_MOVED;
	case GW_GO_THEN_ASK:
		return go_then_ask(stream);
	case GW_GO_OR_AWAY:
		return go_or_away(stream, &decision);
	case GW_GO_ASK:
		break;
	}
	gw_stream_enter(stream, GW_ASK);
	return ask(stream, &decision);
}

void gw_request_parsed(struct gw_stream *stream)
{
	const struct http_request *head = &stream->head;
	struct gw_body *body = &stream->body;

	body->framing = head->framing;
	body->left = head->framing == HTTP_BODY_LENGTH ? head->length : 0;
	body->ended = body->ended || (head->framing != HTTP_BODY_CHUNKED && body->left == 0);
	http_chunked_init(&body->chunked);
	body->chunked.trailers = &body->trailers;
	stream->conn->work += GW_WORK_REQUEST;
}

enum gw_step gw_request_route(struct gw_stream *stream)
{
	enum gw_step step = GW_MOVED;

	if (!gw_find_route(stream, &step))
		return step;
	if (gw_after_pending(stream->conn)) {
		gw_stream_enter(stream, GW_HELD);
		return GW_MOVED;
	}
	return gw_request_act(stream);
}
