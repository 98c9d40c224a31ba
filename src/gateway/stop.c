/* How connections end when their worker stops: they are retired, then dismissed, then ended. */
#include "gateway/answer.h"
#include "gateway/close.h"
#include "gateway/gateway.h"
#include "gateway/run.h"

void gw_conn_retire(struct gw_conn *conn, uint64_t now_ms)
{
	conn->gateway->now_ms = now_ms;
	conn->retiring = true;
	if (conn->protocol != NULL && conn->protocol->retire != NULL &&
	    (conn->state == GW_IDLE || conn->state == GW_BUSY))
		conn->protocol->retire(conn);
	/* A request that the client has just sent is still answered, and the response says that it is the last. */
	if (conn->state == GW_SILENT || (conn->state == GW_IDLE && !gw_after_pending(conn)))
		pace_start(&conn->pace, GW_RETIRE_MS, now_ms);
}

static void begin(struct gw_conn *conn, uint64_t now_ms)
{
	conn->gateway->now_ms = now_ms;
	conn->work = 0;
	conn->gateway->err.cls = THAW_ERR_NONE;
}

void gw_conn_dismiss(struct gw_conn *conn, uint64_t now_ms)
{
	begin(conn, now_ms);
	conn->retiring = true;
	switch (conn->state) {
	case GW_PREFACE:
	case GW_SILENT:
	case GW_TLS:
	case GW_CHOICE:
		gw_notice_unused(conn, GW_STOPS);
		gw_die(conn);
		break;
	case GW_IDLE:
		gw_notice_unused(conn, GW_STOPS);
		gw_close(conn, GW_CLOSE_QUIET);
		break;
	case GW_BUSY:
		for (struct gw_stream *at = gw_next_stream(conn, NULL); at != NULL; at = gw_next_stream(conn, at))
			gw_stream_dismiss(at);
		break;
	case GW_LINGER:
	case GW_DEAD:
	case GW_STATES:
		break;
	}
}

void gw_conn_end(struct gw_conn *conn, uint64_t now_ms)
{
	begin(conn, now_ms);
	if (conn->state == GW_DEAD)
		return;
	for (struct gw_stream *at = gw_next_stream(conn, NULL); at != NULL; at = gw_next_stream(conn, at)) {
		gw_stream_note(at, GW_OUT_OF_TIME);
		gw_end_asks(at, THAW_REASON_CALLER);
	}
	gw_notice_unused(conn, GW_STOPS);
	gw_die(conn);
}
