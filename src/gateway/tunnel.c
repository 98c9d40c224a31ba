/* After 101 Switching Protocols (RFC 9110 7.8): bytes both ways, until either side ends. */
#include <string.h>

#include "gateway/proxy.h"

void gw_tunnel_begin(struct gw_conn *conn, struct gw_pack *pack, const char *bytes, size_t len)
{
	struct gw_proxy *proxy = conn->request->proxy;

	memcpy(pack->at + pack->len, bytes, len);
	conn->close_after = true;
	conn->request->body_out = len;
	gw_enter(conn, GW_RELAY);
	if (!gw_write(conn, pack->at, pack->len + len)) {
		(void)gw_cut(conn, "the client could not be written to");
		return;
	}
	pace_stop(&proxy->pace);
	gw_enter(conn, GW_TUNNEL);
	pace_start(&conn->pace, proxy->upstream->tunnel_timeout_ms, conn->now_ms);
}

static void moved(struct gw_conn *conn, size_t len)
{
	conn->work += len;
	pace_start(&conn->pace, conn->request->proxy->upstream->tunnel_timeout_ms, conn->now_ms);
}

static bool to_server(struct gw_conn *conn, const char *bytes, size_t len)
{
	conn->request->body.received += len;
	moved(conn, len);
	if (!gw_proxy_send(conn, bytes, len))
		(void)gw_cut(conn, "out of memory");
	return true;
}

static bool send_request(struct gw_conn *conn, struct gw_waits *waits)
{
	bool some = gw_proxy_up(conn, waits);

	if (some && conn->state == GW_TUNNEL)
		moved(conn, 0);
	return some;
}

static bool up(struct gw_conn *conn, struct gw_waits *waits)
{
	struct gw_request *request = conn->request;
	struct gw_proxy *proxy = request->proxy;
	size_t here = request->in.len - request->in.at, got = 0;

	/* RFC 9110 7.8: the request goes on to its end, whatever its server has said. */
	if (proxy->up == GW_UP_HEAD || proxy->up == GW_UP_BODY)
		return send_request(conn, waits);
	if (buffer_left(&proxy->unsent) > 0)
		return gw_proxy_send_kept(conn, waits);
	if (proxy->up == GW_UP_DEAD || proxy->client_ended)
		return false;
	if (here > 0) { /* it came behind the head */
		request->in.at += here;
		return to_server(conn, request->in.bytes + request->in.at - here, here);
	}
	enum thaw_status status = thaw_read(conn->ask, conn->gateway->pack, GW_PACK_MAX, &got, conn->now_ms);
	switch (status) {
	case THAW_OK:
		return to_server(conn, conn->gateway->pack, got);
	case THAW_WANT_READ:
		waits->client_read = true;
		return false;
	case THAW_WANT_WRITE:
		waits->client_write = true;
		return false;
	case THAW_CLOSED: /* the server may have more to say */
		proxy->client_ended = true;
		proxy->server.ops->half_close(proxy->server.io);
		return true;
	case THAW_FAILED:
		break;
	}
	(void)gw_cut(conn, thaw_conn_error(conn->ask)->text);
	return true;
}

static bool down(struct gw_conn *conn, struct gw_waits *waits)
{
	struct gw_proxy *proxy = conn->request->proxy;

	if (gw_unwritten(conn)) {
		waits->client_write = true;
		return false;
	}
	ssize_t n = proxy->server.ops->read(proxy->server.io, conn->gateway->down, sizeof(conn->gateway->down));
	if (n == TRANSPORT_BLOCKED) {
		waits->server_read = true;
		return false;
	}
	if (n == TRANSPORT_BROKEN) {
		(void)gw_cut(conn, "the upstream broke its connection off");
		return true;
	}
	if (n == TRANSPORT_END) {
		gw_enter(conn, GW_LINGER);
		return true;
	}
	conn->request->body_out += (size_t)n;
	moved(conn, (size_t)n);
	if (!gw_write(conn, conn->gateway->down, (size_t)n))
		(void)gw_cut(conn, "the client could not be written to");
	return true;
}

enum gw_step gw_run_tunnel(struct gw_conn *conn)
{
	enum thaw_status status = gw_unwritten(conn) ? gw_flush(conn) : THAW_OK;

	if (status == THAW_FAILED || status == THAW_CLOSED)
		return gw_cut(conn, conn->gateway->err.text);
	return gw_proxy_drive(conn, up, down);
}
