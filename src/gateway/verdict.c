/* A request that waits for its client's certificate, and what becomes of it. */
#include "gateway/account.h"
#include "gateway/admit.h"
#include "gateway/answer.h"
#include "gateway/drain.h"
#include "gateway/request.h"

/* A verdict that is not 'accepted' is a refusal, but where the route lets a request go on without an identity. */
static enum gw_step verdict_in(struct gw_stream *stream)
{
	const struct thaw_report *report = &stream->story.report;
	bool optional = !stream->route->config->certificate.require;

	gw_note_story(stream);
	switch (report->verdict) {
	case THAW_VERDICT_ACCEPTED:
		if (!gw_admit(stream))
			return GW_MOVED;
		break;
	case THAW_VERDICT_DECLINED:
	case THAW_VERDICT_IMPOSSIBLE:
		if (report->reason == THAW_REASON_REFUSED_RENEG)
			return gw_abandon(stream, "the client refused to renegotiate");
		if (!optional)
			return gw_refuse_verdict(stream, report->verdict, report->reason, report->detail);
		break;
	case THAW_VERDICT_CANCELLED:
		if (stream->cut_off)
			return gw_refuse(stream, GW_PROBLEM_CUT_OFF, NULL);
		return gw_abandon(stream, thaw_conn_error(stream->conn->ask)->text);
	case THAW_VERDICT_REJECTED:
	case THAW_VERDICT_TIMED_OUT:
	case THAW_VERDICT_OVER_LIMIT:
	case THAW_VERDICT_NONE:
	case THAW_VERDICT_PENDING:
		return gw_refuse_verdict(stream, report->verdict, report->reason, report->detail);
	}
	gw_stream_enter(stream, GW_PASS);
	return GW_MOVED;
}

enum gw_step gw_run_ask(struct gw_stream *stream)
{
	if (!gw_write_kept(stream))
		return GW_MOVED;
	if (thaw_verdict(stream->conn->ask) != THAW_VERDICT_PENDING)
		return verdict_in(stream);
	return gw_drain(stream);
}
