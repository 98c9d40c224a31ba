/* A request that waits for its client's certificate, and how it continues after the verdict. */
#include "gateway/account.h"
#include "gateway/admit.h"
#include "gateway/answer.h"
#include "gateway/decide.h"
#include "gateway/drain.h"
#include "gateway/request.h"

static enum gw_step verdict_in(struct gw_stream *stream)
{
	const struct thaw_report *report = &stream->story.report;

	gw_note_story(stream);
	if (report->reason == THAW_REASON_REFUSED_RENEG)
		return gw_abandon(stream, "the client refused to renegotiate");
	if (report->verdict == THAW_VERDICT_CANCELLED && stream->cut_off)
		return gw_refuse(stream, GW_PROBLEM_CUT_OFF, NULL);
	if (report->verdict == THAW_VERDICT_CANCELLED)
		return gw_abandon(stream, thaw_conn_error(stream->conn->ask)->text);
	switch (gw_course(&stream->route->config->certificate, report->verdict, report->reason)) {
	case GW_COURSE_ADMIT:
		if (!gw_admit(stream))
			return GW_MOVED;
		break;
	case GW_COURSE_MARKED:
		gw_mark(stream);
		break;
	case GW_COURSE_GO:
		break;
	case GW_COURSE_REFUSE:
		return gw_refuse_verdict(stream, report->verdict, report->reason, report->detail);
	}
	gw_stream_enter(stream, GW_PASS);
	return GW_MOVED;
}

enum gw_step gw_run_ask(struct gw_stream *stream)
{
	if (!gw_write_kept(stream))
		return GW_MOVED;
	if (thaw_conn_verdict(stream->conn->ask) != THAW_VERDICT_PENDING)
		return verdict_in(stream);
	return gw_drain(stream);
}
