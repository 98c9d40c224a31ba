/* The two directions of a proxied request, and what they wait for. */
#include "gateway/proxy.h"

#define CONNECTS_MAX 17 /* attempts for one server: a lookup and 16 addresses */

static void run_pace(struct pace *pace, bool owes, uint64_t limit_ms, uint64_t now_ms)
{
	if (!owes)
		pace_stop(pace);
	else if (pace->deadline_ms == THAW_NEVER)
		pace_start(pace, limit_ms, now_ms);
}

/* The time limit of each side runs only while the exchange waits for that side. */
void gw_proxy_paces(struct gw_stream *stream, const struct gw_waits *waits)
{
	struct gw_proxy *proxy = stream->upstream;
	bool sending = proxy->up <= GW_UP_BODY;
	bool server = waits->server_write ||
		      (waits->server_read && !(sending && (waits->client_read || waits->client_write)));
	uint64_t limit_ms = proxy->upstream->response_timeout_ms;

	if (stream->state == GW_TUNNEL)
		return;
	if (waits->server_connect) {
		server = true; /* the pool has its own deadline for each attempt */
		limit_ms = (CONNECTS_MAX * proxy->upstream->server_count + 1) * proxy->upstream->connect_timeout_ms;
	}
	run_pace(&proxy->pace, server, limit_ms, gw_stream_now(stream));
	/* A server may send tiny pieces: the client does not get the whole limit for each. */
	if (server)
		pace_pause(&stream->pace, gw_stream_now(stream));
	else
		pace_resume(&stream->pace, gw_limit_ms(stream, stream->state), gw_stream_now(stream));
}

enum gw_step gw_proxy_drive(struct gw_stream *stream, gw_flow_fn *up, gw_flow_fn *down)
{
	struct gw_proxy *proxy = stream->upstream;
	enum gw_stream_state was = stream->state;
	struct gw_waits waits = {0};

	if (up(stream, &waits) || stream->state != was)
		return GW_MOVED;
	if (down(stream, &waits) || stream->state != was)
		return GW_MOVED;
	proxy->just_sent = false;
	gw_proxy_paces(stream, &waits);
	stream->wants.read = stream->wants.read || waits.client_read;
	stream->wants.write = stream->wants.write || waits.client_write || gw_unwritten(stream);
	if (proxy->upconn != NULL)
		proxy->upconns->ops->watch(proxy->upconn, waits.server_read, waits.server_write);
	return GW_WAIT;
}
