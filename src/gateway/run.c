#include "gateway/run.h"

#include "gateway/answer.h"
#include "gateway/drain.h"
#include "gateway/request.h"

static bool passes(const struct gw_stream *stream)
{
	return stream->state == GW_PASS || stream->state == GW_RELAY || stream->state == GW_TUNNEL;
}

enum gw_step gw_stream_run(struct gw_stream *stream)
{
	switch (stream->state) {
	case GW_HEAD:
		return stream->conn->protocol->head(stream);
	case GW_HELD:
		return gw_after_pending(stream->conn) ? gw_drain(stream) : gw_request_act(stream);
	case GW_ASK:
		return gw_run_ask(stream);
	case GW_PASS:
		return gw_run_pass(stream);
	case GW_RELAY:
		return stream->ops->relay(stream);
	case GW_TUNNEL:
		return stream->ops->tunnel(stream);
	case GW_REPLY:
		return stream->conn->protocol->reply(stream);
	case GW_OVER:
	case GW_STREAM_STATES:
		break;
	}
	return GW_WAIT;
}

uint64_t gw_stream_deadline(const struct gw_stream *stream)
{
	uint64_t server_ms = passes(stream) && stream->ops != NULL ? stream->ops->deadline(stream) : THAW_NEVER;

	return server_ms < stream->pace.deadline_ms ? server_ms : stream->pace.deadline_ms;
}

void gw_stream_overdue(struct gw_stream *stream)
{
	if (passes(stream) && stream->ops != NULL && gw_stream_now(stream) >= stream->ops->deadline(stream)) {
		stream->ops->overdue(stream);
		return;
	}
	switch (stream->state) {
	case GW_HEAD:
		(void)gw_refuse(stream, GW_PROBLEM_SLOW_HEAD, NULL);
		break;
	case GW_PASS:
		(void)gw_refuse(stream, GW_PROBLEM_SLOW_BODY, NULL);
		break;
	case GW_RELAY:
		(void)gw_cut(stream, "the client stopped in the middle of the exchange");
		break;
	case GW_TUNNEL:
		stream->note = "no data in the tunnel within the limit";
		gw_stream_end(stream, GW_END_DONE);
		break;
	case GW_REPLY:
		(void)gw_abandon(stream, "the client did not read the response");
		break;
	case GW_HELD:
	case GW_ASK:
	case GW_OVER:
	case GW_STREAM_STATES:
		break;
	}
}

void gw_stream_dismiss(struct gw_stream *stream)
{
	bool sent = stream->ops != NULL && stream->ops->sent(stream);

	switch (stream->state) {
	case GW_HEAD:
	case GW_HELD:
	case GW_ASK:
	case GW_PASS:
		gw_stream_note(stream, GW_OUT_OF_TIME);
		(void)gw_refuse(stream, sent ? GW_PROBLEM_STOPPING_SENT : GW_PROBLEM_STOPPING, NULL);
		break;
	case GW_RELAY: /* the response has begun: to end it here would make it look complete */
		(void)gw_cut(stream, GW_OUT_OF_TIME);
		break;
	case GW_TUNNEL:
		gw_stream_note(stream, GW_OUT_OF_TIME);
		gw_stream_end(stream, GW_END_DONE);
		break;
	case GW_REPLY:
	case GW_OVER:
	case GW_STREAM_STATES:
		break;
	}
}
