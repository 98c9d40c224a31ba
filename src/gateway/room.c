/* Connections that make room for others: which can, and how they end. */
#include "gateway/conn.h"
#include "gateway/gateway.h"
#include "gateway/notice.h"

enum gw_phase gw_conn_phase(const struct gw_conn *conn, uint64_t *since_ms)
{
	*since_ms = conn->waits_ms;
	switch (conn->state) {
	case GW_PREFACE:
		return GW_PHASE_UNNAMED;
	case GW_SILENT:
		return GW_PHASE_SILENT;
	case GW_TLS:
		return GW_PHASE_HANDSHAKE;
	case GW_IDLE:
	case GW_HEAD: /* of which not all has come */
		return conn->after.pending ? GW_PHASE_BUSY : GW_PHASE_IDLE;
	case GW_HELD:
	case GW_ASK:
	case GW_PASS:
	case GW_RELAY:
	case GW_TUNNEL:
	case GW_REPLY:
	case GW_LINGER:
	case GW_DEAD:
	case GW_STATES:
		break;
	}
	return GW_PHASE_BUSY;
}

const struct sockaddr *gw_conn_client(const struct gw_conn *conn)
{
	bool is_ip = conn->peer.any.sa_family == AF_INET || conn->peer.any.sa_family == AF_INET6;

	return conn->named && is_ip ? &conn->peer.any : NULL;
}

void gw_conn_evict(struct gw_conn *conn, uint64_t now_ms)
{
	conn->now_ms = conn->gateway->now_ms = now_ms;
	conn->work = 0;
	conn->gateway->err.cls = THAW_ERR_NONE;
	if (conn->state == GW_PREFACE || conn->state == GW_SILENT || conn->state == GW_TLS || conn->state == GW_IDLE)
		gw_notice_unused(conn, "closed to make room for other connections");
	if (conn->state == GW_HEAD && gw_refuse(conn, GW_PROBLEM_CROWDED, NULL) == GW_MOVED && conn->state == GW_REPLY)
		(void)gw_flush(conn);
	if (conn->state == GW_IDLE || conn->state == GW_REPLY)
		gw_enter(conn, GW_LINGER); /* for its close_notify: nobody will read what still comes */
	if (conn->state != GW_DEAD)
		gw_enter(conn, GW_DEAD);
}
