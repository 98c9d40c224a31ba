#include "gateway/proxy.h"

#include <stdlib.h>

#include "gateway/answer.h"
#include "gateway/forward.h"

static enum gw_step begin(struct gw_stream *stream)
{
	struct gw_proxy *proxy = calloc(1, sizeof(*proxy));

	if (proxy == NULL) {
		stream->ops = NULL;
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	}
	stream->upstream = proxy;
	proxy->upstream = &stream->gateway->config->upstreams[stream->route->config->proxy];
	proxy->limits = (struct http_limits){.line = proxy->upstream->max_head_line,
					     .head = proxy->upstream->max_head,
					     .fields = proxy->upstream->max_head_fields};
	proxy->head_scan.limits = &proxy->limits;
	proxy->rewrite.map = gw_rewrite_paths(stream->route->config);
	stream->service = proxy->upstream->name;
	proxy->upconns = &stream->gateway->env.upconns;
	proxy->began_ms = gw_stream_now(stream);
	proxy->continue_ms = THAW_NEVER;
	pace_stop(&proxy->pace);
	proxy->upgrade = gw_forward_is_upgrade(&stream->head, stream->route->config);
	if (stream->expect == GW_EXPECT_OWED && stream->body.received == 0 && stream->in.at == stream->in.len)
		gw_expect_enter(stream, GW_EXPECT_PASSED);
	if (proxy->upconns->ops == NULL || !gw_proxy_take(stream, false))
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	return GW_MOVED;
}

/* False: not connected yet, or the request is over; then *step is the result. */
static bool connected(struct gw_stream *stream, enum gw_step *step)
{
	struct gw_proxy *proxy = stream->upstream;
	struct gw_waits waits = {.server_connect = true};
	struct thaw_error err = {0};

	if (proxy->up != GW_UP_CONNECT)
		return true;
	switch (proxy->upconns->ops->ready(proxy->upconn, gw_stream_now(stream), &err)) {
	case THAW_OK:
		gw_proxy_enter(stream, GW_UP_HEAD);
		proxy->server = proxy->upconns->ops->transport(proxy->upconn);
		pace_stop(&proxy->pace);
		return true;
	case THAW_WANT_READ:
	case THAW_WANT_WRITE:
		gw_proxy_paces(stream, &waits);
		*step = GW_WAIT;
		return false;
	case THAW_CLOSED:
	case THAW_FAILED:
		break;
	}
	gw_notice(stream->gateway, gw_proxy_notice(stream), CONFIG_LOG_WARNING, gw_stream_now(stream),
		  "upstream %s: no server can be reached: %s", proxy->upstream->name, err.text);
	stream->server = proxy->upconns->ops->server(proxy->upconn);
	stream->server_ms = gw_stream_now(stream) - proxy->began_ms;
	stream->note = "no server of the upstream could be reached";
	*step = gw_refuse(stream, err.cls == THAW_ERR_TIMEOUT ? GW_PROBLEM_UPSTREAM_SLOW : GW_PROBLEM_UPSTREAM_AWAY,
			  NULL);
	return false;
}

static enum gw_step pass(struct gw_stream *stream)
{
	enum gw_step step = GW_MOVED;

	if (!connected(stream, &step))
		return step;
	return gw_proxy_drive(stream, gw_proxy_up, gw_proxy_down_head);
}

static uint64_t deadline(const struct gw_stream *stream)
{
	const struct gw_proxy *proxy = gw_proxy_of(stream);

	return proxy->continue_ms < proxy->pace.deadline_ms ? proxy->continue_ms : proxy->pace.deadline_ms;
}

static void overdue(struct gw_stream *stream)
{
	struct gw_proxy *proxy = stream->upstream;

	if (gw_stream_now(stream) >= proxy->continue_ms) {
		proxy->continue_ms = THAW_NEVER;
		gw_expect_enter(stream, GW_EXPECT_NONE);
		(void)gw_continue(stream);
		return;
	}
	gw_notice(stream->gateway, gw_proxy_notice(stream), CONFIG_LOG_WARNING, gw_stream_now(stream),
		  "upstream %s, %s: no data for %llu ms", proxy->upstream->name,
		  proxy->upconns->ops->server(proxy->upconn), (unsigned long long)proxy->pace.limit_ms);
	if (stream->state == GW_PASS)
		gw_proxy_count(stream, SCOREBOARD_TIMED_OUT);
	gw_proxy_give(proxy, GW_UPCONN_FAIL, gw_stream_now(stream));
	if (stream->state == GW_PASS) {
		stream->note = "the upstream did not answer in time";
		(void)gw_refuse(stream, GW_PROBLEM_UPSTREAM_SLOW, NULL);
	} else {
		(void)gw_cut(stream, "the upstream stopped in the middle of its response");
	}
}

static bool sent(const struct gw_stream *stream)
{
	return gw_proxy_of(stream)->up > GW_UP_HEAD;
}

static void stop(struct gw_stream *stream)
{
	gw_proxy_enter(stream, GW_UP_DEAD);
}

static void free_proxy(struct gw_stream *stream)
{
	struct gw_proxy *gone = gw_proxy_of(stream);

	gw_proxy_give(gone, GW_UPCONN_DROP, gw_stream_now(stream));
	buffer_free(&gone->unsent);
	buffer_free(&gone->head);
	http_trailers_free(&gone->trailers);
	free(gone);
	stream->upstream = NULL;
}

const struct gw_upstream_ops *gw_upstream_proxy(void)
{
	static const struct gw_upstream_ops ops = {
		.begin = begin,
		.pass = pass,
		.relay = gw_proxy_relay,
		.tunnel = gw_proxy_tunnel,
		.deadline = deadline,
		.overdue = overdue,
		.sent = sent,
		.stop = stop,
		.free = free_proxy,
	};
	return &ops;
}
