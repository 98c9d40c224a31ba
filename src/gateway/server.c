/* The server of an upstream request: how it is chosen and used, and what happens when it fails. */
#include "gateway/answer.h"
#include "gateway/pin.h"
#include "gateway/proxy.h"

void gw_proxy_enter(struct gw_stream *stream, enum gw_up to)
{
	struct gw_proxy *proxy = gw_proxy_of(stream);

	if (proxy->up == to)
		return;
	if (gw_part_changes(&gw_up_part, proxy->up, to, &stream->gateway->env.trace, gw_stream_now(stream))) {
		proxy->up = to;
		return;
	}
	proxy->up = GW_UP_DEAD;
	if (stream->state != GW_OVER)
		(void)gw_cut(stream, "internal error: invalid state change of the upstream request");
}

void gw_proxy_give(struct gw_proxy *proxy, enum gw_upconn_end end, uint64_t now_ms)
{
	if (proxy->upconn != NULL)
		proxy->upconns->ops->give(&proxy->upconn, end, now_ms);
	pace_stop(&proxy->pace);
}

void gw_proxy_count(struct gw_stream *stream, enum scoreboard_outcome outcome)
{
	const struct gw_proxy *proxy = gw_proxy_of(stream);

	stream->server = proxy->upconn != NULL ? proxy->upconns->ops->server(proxy->upconn) : NULL;
	stream->server_ms = gw_stream_now(stream) - proxy->began_ms;
	if (stream->server != NULL)
		scoreboard_upstream(stream->gateway->env.scoreboard, proxy->upstream, stream->server, outcome,
				    stream->server_ms);
}

size_t gw_proxy_notice(const struct gw_stream *stream)
{
	return GW_NOTICE_UPSTREAM + (size_t)(gw_proxy_of(stream)->upstream - stream->gateway->config->upstreams);
}

static void wake(void *arg)
{
	gw_stream_wake(arg);
}

bool gw_proxy_take(struct gw_stream *stream, bool fresh)
{
	struct gw_proxy *proxy = gw_proxy_of(stream);

	proxy->upconn = fresh ? NULL : gw_pin_take(stream->conn, proxy->upstream);
	if (proxy->upconn != NULL)
		proxy->upconns->ops->wakes(proxy->upconn, wake, stream);
	proxy->pinned = proxy->upconn != NULL || gw_pin_by_request(&stream->head);
	if (proxy->upconn == NULL)
		proxy->upconn = proxy->upconns->ops->take(proxy->upconns->pool, proxy->upstream, fresh, wake, stream,
							  gw_stream_now(stream));
	gw_proxy_enter(stream, GW_UP_CONNECT);
	return proxy->upconn != NULL;
}

/* Whether the request can be sent again: RFC 9110 9.2.2, and no data was sent that cannot be sent a second time. */
static bool repeatable(const struct gw_stream *stream)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", NULL};
	const struct gw_proxy *proxy = stream->upstream;

	if (proxy->retries >= GW_RETRIES || proxy->heard || stream->passed > 0)
		return false;
	if (proxy->up <= GW_UP_HEAD)
		return true;
	for (const char *const *method = methods; *method != NULL; method++)
		if (http_span_equal(stream->head.method, *method))
			return true;
	return false;
}

void gw_proxy_server_gone(struct gw_stream *stream, const char *how)
{
	struct gw_proxy *proxy = stream->upstream;
	const char *server = proxy->upconns->ops->server(proxy->upconn);
	bool used = proxy->upconns->ops->used(proxy->upconn);

	gw_notice(stream->gateway, gw_proxy_notice(stream), used ? CONFIG_LOG_DEBUG : CONFIG_LOG_WARNING,
		  gw_stream_now(stream), "upstream %s, %s: the request failed: %s", proxy->upstream->name, server, how);
	bool again = repeatable(stream);
	if (!used || !again)
		gw_proxy_count(stream, SCOREBOARD_FAILED);
	/* If a server ends a connection that was idle, that is not a failure of the server. */
	gw_proxy_give(proxy, used ? GW_UPCONN_DROP : GW_UPCONN_FAIL, gw_stream_now(stream));
	if (!again) {
		stream->note = how;
		(void)gw_refuse(stream, GW_PROBLEM_UPSTREAM, NULL);
		return;
	}
	proxy->retries++;
	buffer_free(&proxy->unsent);
	if (!gw_proxy_take(stream, true))
		(void)gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
}

/* Returns how many bytes the server accepted; 0: the write would block, or the connection is broken. */
static size_t put(struct gw_stream *stream, const char *bytes, size_t len)
{
	struct gw_proxy *proxy = stream->upstream;
	ssize_t n = proxy->server.ops->write(proxy->server.io, bytes, len);

	if (n == TRANSPORT_BROKEN || n == TRANSPORT_END) {
		gw_proxy_enter(stream, GW_UP_DEAD); /* the server may have answered already, and closed */
		return 0;
	}
	if (n < 0)
		return 0;
	proxy->just_sent = true;
	stream->conn->work += (size_t)n;
	pace_progress(&proxy->pace, (uint64_t)n, gw_stream_now(stream));
	return (size_t)n;
}

bool gw_proxy_send(struct gw_stream *stream, const char *bytes, size_t len)
{
	struct gw_proxy *proxy = stream->upstream;
	size_t taken = put(stream, bytes, len);

	if (taken == len || proxy->up == GW_UP_DEAD)
		return true;
	return buffer_append(&proxy->unsent, GW_BATCH_MAX, bytes + taken, len - taken);
}

bool gw_proxy_send_kept(struct gw_stream *stream, struct gw_waits *waits)
{
	struct gw_proxy *proxy = stream->upstream;
	size_t taken = put(stream, buffer_first(&proxy->unsent), buffer_left(&proxy->unsent));

	buffer_consume(&proxy->unsent, taken);
	if (buffer_left(&proxy->unsent) == 0 || proxy->up == GW_UP_DEAD) {
		buffer_free(&proxy->unsent);
		return true;
	}
	waits->server_write = true;
	return taken > 0;
}
