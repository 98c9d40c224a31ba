#include "gateway/after.h"

#include <string.h>

#include "ask/identity.h"
#include "gateway/account.h"

/* If the ask that ended was the one after a response, writes that response's record. */
static void settled(void *arg)
{
	struct gw_conn *conn = arg;

	if (!gw_after_pending(conn))
		return;
	struct gw_record_ask story = {0};
	json_t *record = conn->after.record;

	story.report = *thaw_conn_report(conn->ask);
	gw_after_enter(conn, story.report.verdict == THAW_VERDICT_ACCEPTED ? GW_AFTER_NONE : GW_AFTER_REFUSED);
	conn->after.record = NULL;
	scoreboard_verdict(conn->gateway->env.scoreboard, &story.report, 0, gw_wall(conn, gw_now(conn)));
	conn->after.verdict = story.report.verdict;
	conn->after.reason = story.report.reason;
	memcpy(conn->after.detail, story.report.detail, sizeof(conn->after.detail));
	if (record != NULL && !gw_record_add_ask(record, &story, gw_on_demand(conn))) {
		json_decref(record);
		record = NULL;
	}
	if (conn->gateway->env.access != NULL)
		gw_account_emit(conn->gateway, record);
	if (conn->state == GW_IDLE)
		pace_start(&conn->pace, gw_idle_limit_ms(conn), gw_now(conn));
}

void gw_after_watch(struct gw_conn *conn)
{
	ask_on_settled(conn->ask, settled, conn);
}

/* For `when: response`: asks the client after the response, for its next requests. */
static void ask(struct gw_stream *stream)
{
	struct gw_conn *conn = stream->conn;
	const struct gw_route *route = stream->route;
	const struct config_certificate *settings = &route->config->certificate;
	const struct thaw_ask_options options = {
		.size = sizeof(options),
		.trust = route->trust,
		.moment = THAW_MOMENT_RESPONSE,
		.timeout_ms = settings->timeout_ms,
		.decline_grace_ms = settings->decline_grace_ms,
		.unverified = settings->require == CONFIG_OPTIONAL_UNVERIFIED,
	};

	gw_account_scoreboard(stream);
	conn->after.record = conn->gateway->env.access != NULL ? gw_account_make(stream) : NULL;
	gw_account_enter(stream, GW_ACCOUNT_RECORDED);
	conn->after.trust = route->trust;
	gw_after_enter(conn, GW_AFTER_PENDING); /* before the ask starts, since it may end at once */
	if (thaw_conn_ask(conn->ask, &options, gw_now(conn)) == THAW_OK)
		return;
	gw_notice(conn->gateway, GW_NOTICE_ASK, CONFIG_LOG_ERROR, gw_now(conn), "cannot ask: %s",
		  thaw_conn_error(conn->ask)->text);
	gw_after_enter(conn, GW_AFTER_NONE);
	if (conn->after.record != NULL)
		gw_account_emit(conn->gateway, conn->after.record);
	conn->after.record = NULL;
}

void gw_after_response(struct gw_stream *stream)
{
	if (stream->account == GW_ACCOUNT_LATER && !stream->close_after)
		ask(stream);
	else
		gw_account_stream(stream);
}
