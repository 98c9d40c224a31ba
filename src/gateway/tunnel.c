/* After 101 Switching Protocols (RFC 9110 7.8): bytes in both directions, until either side ends. */
#include <string.h>

#include "gateway/answer.h"
#include "gateway/body.h"
#include "gateway/proxy.h"

void gw_tunnel_begin(struct gw_stream *stream, struct gw_batch *batch, const char *bytes, size_t len)
{
	struct gw_proxy *proxy = stream->upstream;

	memcpy(batch->at + batch->len, bytes, len);
	batch->len += len;
	stream->close_after = true;
	stream->body_out = len;
	gw_stream_enter(stream, GW_RELAY);
	if (!gw_send(stream, batch)) {
		(void)gw_cut(stream, "the response could not be written to the client");
		return;
	}
	pace_stop(&proxy->pace);
	gw_stream_enter(stream, GW_TUNNEL);
	pace_start(&stream->pace, proxy->upstream->tunnel_timeout_ms, gw_stream_now(stream));
}

static void moved(struct gw_stream *stream, size_t len)
{
	stream->conn->work += len;
	pace_start(&stream->pace, gw_proxy_of(stream)->upstream->tunnel_timeout_ms, gw_stream_now(stream));
}

static bool to_server(struct gw_stream *stream, const char *bytes, size_t len)
{
	stream->body.received += len;
	moved(stream, len);
	if (!gw_proxy_send(stream, bytes, len))
		(void)gw_cut(stream, "out of memory");
	return true;
}

static bool send_request(struct gw_stream *stream, struct gw_waits *waits)
{
	bool some = gw_proxy_up(stream, waits);

	if (some && stream->state == GW_TUNNEL)
		moved(stream, 0);
	return some;
}

static bool up(struct gw_stream *stream, struct gw_waits *waits)
{
	struct gw_proxy *proxy = stream->upstream;
	size_t here = stream->in.len - stream->in.at, got = 0;

	/* RFC 9110 7.8: the rest of the request is sent, even though the server has already responded. */
	if (proxy->up == GW_UP_HEAD || proxy->up == GW_UP_BODY)
		return send_request(stream, waits);
	if (buffer_left(&proxy->unsent) > 0)
		return gw_proxy_send_kept(stream, waits);
	if (proxy->up == GW_UP_DEAD || proxy->up == GW_UP_ENDED)
		return false;
	if (here > 0) { /* received after the head */
		bool some = to_server(stream, stream->in.bytes + stream->in.at, here);
		gw_input_took(stream, here);
		return some;
	}
	enum thaw_status status = gw_read(stream, stream->gateway->batch, GW_BATCH_MAX, &got);
	switch (status) {
	case THAW_OK:
		return to_server(stream, stream->gateway->batch, got);
	case THAW_WANT_READ:
		waits->client_read = true;
		return false;
	case THAW_WANT_WRITE:
		waits->client_write = true;
		return false;
	case THAW_CLOSED: /* the server may still send data */
		gw_proxy_enter(stream, GW_UP_ENDED);
		proxy->server.ops->half_close(proxy->server.io);
		return true;
	case THAW_FAILED:
		break;
	}
	(void)gw_cut(stream, thaw_conn_error(stream->conn->ask)->text);
	return true;
}

static bool down(struct gw_stream *stream, struct gw_waits *waits)
{
	struct gw_proxy *proxy = stream->upstream;

	if (gw_unwritten(stream)) {
		waits->client_write = true;
		return false;
	}
	ssize_t n = proxy->server.ops->read(proxy->server.io, stream->gateway->down, stream->conn->protocol->piece);
	if (n == TRANSPORT_BLOCKED) {
		waits->server_read = true;
		return false;
	}
	if (n == TRANSPORT_BROKEN) {
		(void)gw_cut(stream, "the upstream aborted the connection");
		return true;
	}
	if (n == TRANSPORT_END) {
		gw_stream_end(stream, GW_END_DONE);
		return true;
	}
	stream->body_out += (size_t)n;
	moved(stream, (size_t)n);
	if (!stream->conn->protocol->write(stream, stream->gateway->down, (size_t)n))
		(void)gw_cut(stream, "the response could not be written to the client");
	return true;
}

enum gw_step gw_proxy_tunnel(struct gw_stream *stream)
{
	enum thaw_status status = gw_unwritten(stream) ? stream->conn->protocol->flush(stream) : THAW_OK;

	if (status == THAW_FAILED || status == THAW_CLOSED)
		return gw_cut(stream, stream->gateway->err.text);
	return gw_proxy_drive(stream, up, down);
}
