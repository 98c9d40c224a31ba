/* Closes connections to make room for others: which ones can be closed, and how. */
#include "gateway/answer.h"
#include "gateway/close.h"
#include "gateway/gateway.h"

enum gw_phase gw_conn_phase(const struct gw_conn *conn, uint64_t *since_ms)
{
	*since_ms = conn->waits_ms;
	switch (conn->state) {
	case GW_PREFACE:
		return GW_PHASE_UNNAMED;
	case GW_SILENT:
		return GW_PHASE_SILENT;
	case GW_TLS:
	case GW_CHOICE:
		return GW_PHASE_HANDSHAKE;
	case GW_IDLE:
		return gw_after_pending(conn) ? GW_PHASE_BUSY : GW_PHASE_IDLE;
	case GW_BUSY: /* idle while its head is incomplete */
		return conn->stream != NULL && conn->stream->state == GW_HEAD && !gw_after_pending(conn)
			       ? GW_PHASE_IDLE
			       : GW_PHASE_BUSY;
	case GW_LINGER:
	case GW_DEAD:
	case GW_STATES:
		break;
	}
	return GW_PHASE_BUSY;
}

/* Sends a refusal, as far as this is possible without waiting. */
static void answer_crowded(struct gw_stream *stream)
{
	if (stream->state != GW_HEAD)
		return;
	(void)gw_refuse(stream, GW_PROBLEM_CROWDED, NULL);
	if (stream->state == GW_REPLY)
		(void)stream->conn->protocol->flush(stream);
}

void gw_conn_evict(struct gw_conn *conn, uint64_t now_ms)
{
	conn->gateway->now_ms = now_ms;
	conn->work = 0;
	conn->gateway->err.cls = THAW_ERR_NONE;
	if (conn->state == GW_PREFACE || conn->state == GW_SILENT || gw_is_handshaking(conn) || conn->state == GW_IDLE)
		gw_notice_unused(conn, "closed to make room for other connections");
	if (conn->stream != NULL)
		answer_crowded(conn->stream);
	if (conn->state == GW_IDLE || (conn->stream != NULL && conn->stream->state == GW_REPLY))
		gw_close(conn, GW_CLOSE_ANSWERED); /* to send a close_notify; further input is not read */
	if (conn->state != GW_DEAD)
		gw_die(conn);
}
