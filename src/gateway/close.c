#include "gateway/close.h"

#include "gateway/account.h"
#include "gateway/pin.h"
#include "gateway/record.h"
#include "gateway/stream.h"

#define LINGER_MS    60000 /* limit for lingering */
#define LINGER_BYTES (UINT64_C(1) << 30)
#define FLOOD_BYTES  (UINT64_C(1) << 20) /* for a client that was dropped because it floods: tls/records.h */
#define ALERT_MS     2000                /* limit for lingering if there is no response, only an alert */
#define ALERT_BYTES  262144

void gw_settle_accounts(struct gw_conn *conn)
{
	if (gw_after_pending(conn))
		thaw_conn_ask_end(conn->ask, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, gw_now(conn));
	for (struct gw_stream *stream = gw_next_stream(conn, NULL); stream != NULL;
	     stream = gw_next_stream(conn, stream))
		gw_account_stream(stream);
}

static void say_flood(struct gw_conn *conn)
{
	char peer[GW_RECORD_ADDRESS];

	gw_record_address(gw_conn_peer(conn), peer, sizeof(peer));
	gw_notice(conn->gateway, GW_NOTICE_FLOOD, CONFIG_LOG_INFO, gw_now(conn), "%s: connection closed: %s", peer,
		  thaw_conn_error(conn->ask)->text);
}

/*
 * RFC 9112 9.6: the client may still be sending when it gets the response, and a reset would destroy it. A TLS alert
 * is lost in the same way, but it arrives much faster than an upload ends.
 */
void gw_close(struct gw_conn *conn, enum gw_close how)
{
	bool answered = how != GW_CLOSE_QUIET, floods = tls_conn_flooded(conn->tls);

	gw_settle_accounts(conn);
	if (conn->protocol != NULL)
		conn->protocol->drop(conn);
	gw_pins_free(conn);
	thaw_conn_ask_end(conn->ask, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, gw_now(conn));
	if (floods && thaw_conn_error(conn->ask)->cls != THAW_ERR_NONE)
		say_flood(conn);
	tls_conn_give_up(conn->tls);
	if (how != GW_CLOSE_CUT)
		tls_conn_close_notify(conn->tls);
	conn->transport.ops->half_close(conn->transport.io);
	conn->linger_left = floods ? FLOOD_BYTES : answered ? LINGER_BYTES : ALERT_BYTES;
	conn->linger_end_ms = gw_now(conn) + (answered ? LINGER_MS : ALERT_MS);
	gw_enter(conn, GW_LINGER);
}

void gw_die(struct gw_conn *conn)
{
	gw_settle_accounts(conn);
	gw_enter(conn, GW_DEAD);
}

enum gw_step gw_out_of_memory(struct gw_conn *conn)
{
	gw_notice(conn->gateway, GW_NOTICE_MEMORY, CONFIG_LOG_ERROR, gw_now(conn), "out of memory for a connection");
	gw_notice_unused(conn, "out of memory");
	gw_die(conn);
	return GW_MOVED;
}

const char *gw_ended_by(ssize_t how)
{
	return how == TRANSPORT_END ? "closed by the client" : "reset by the client";
}
