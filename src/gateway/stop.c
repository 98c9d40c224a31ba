/* How connections end when their worker stops: retired, then dismissed, then ended. */
#include "gateway/conn.h"
#include "gateway/gateway.h"
#include "gateway/proxy.h"

static const char out_of_time[] = "the worker stopped before the request was over (stop_timeout)";

void gw_conn_retire(struct gw_conn *conn, uint64_t now_ms)
{
	conn->now_ms = now_ms;
	conn->retiring = true;
	/* A request that its client has just sent is still answered, and the answer says that it is the last. */
	if (conn->state == GW_SILENT || (conn->state == GW_IDLE && !conn->after.pending))
		pace_start(&conn->pace, GW_RETIRE_MS, now_ms);
}

static void note(struct gw_conn *conn)
{
	if (conn->request->note == NULL)
		conn->request->note = out_of_time;
}

static void refuse(struct gw_conn *conn)
{
	const struct gw_proxy *proxy = conn->request->proxy;
	bool sent = proxy != NULL && proxy->up != GW_UP_HEAD;

	note(conn);
	(void)gw_refuse(conn, sent ? GW_PROBLEM_STOPPING_SENT : GW_PROBLEM_STOPPING, NULL);
}

static void begin(struct gw_conn *conn, uint64_t now_ms)
{
	conn->now_ms = now_ms;
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
		gw_notice_unused(conn, GW_STOPS);
		gw_enter(conn, GW_DEAD);
		break;
	case GW_IDLE:
		gw_notice_unused(conn, GW_STOPS);
		gw_enter(conn, GW_LINGER);
		break;
	case GW_HEAD:
	case GW_HELD:
	case GW_ASK:
	case GW_PASS:
		refuse(conn);
		break;
	case GW_RELAY: /* the response has begun: to end it here would make it look complete */
		(void)gw_cut(conn, out_of_time);
		break;
	case GW_TUNNEL:
		note(conn);
		gw_enter(conn, GW_LINGER);
		break;
	case GW_REPLY:
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
	if (conn->request != NULL) {
		note(conn);
		gw_end_asks(conn, THAW_REASON_CALLER);
	}
	gw_notice_unused(conn, GW_STOPS);
	gw_enter(conn, GW_DEAD);
}
