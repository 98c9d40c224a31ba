/* Sends the request to the server, one batch at a time. */
#include "gateway/answer.h"
#include "gateway/body.h"
#include "gateway/forward.h"
#include "gateway/gather.h"
#include "gateway/proxy.h"

/* Writes the head for the server to the beginning of the batch. False: the request is refused. */
static bool batch_head(struct gw_stream *stream, struct gw_batch *batch)
{
	struct gw_proxy *proxy = stream->upstream;
	const struct gw_outgoing out = {
		.host = gw_conn_host(stream->conn)->config,
		.route = stream->route->config,
		.upstream = proxy->upstream,
		.server = proxy->upconns->ops->server(proxy->upconn),
		.targets = &stream->targets,
		.head = &stream->head,
		.origin = gw_origin_of(stream),
		.expects = stream->expect == GW_EXPECT_PASSED,
		.upgrade = proxy->upgrade,
	};
	struct http_writer writer;

	http_writer_init(&writer, batch->at, GW_UP_HEAD_MAX);
	gw_forward_head(&out, &proxy->rewrite, &writer);
	if (writer.overflow) {
		bool by_rules = stream->identity != NULL && gw_headers_of(stream)->request.count > 0;
		bool too_large = stream->conn->identity_text.too_large || by_rules || stream->unverified != NULL;
		if (too_large)
			stream->note = "the client certificate is too large for the identity fields";
		(void)gw_refuse(stream, too_large ? GW_PROBLEM_IDENTITY_SIZE : GW_PROBLEM_MEMORY, NULL);
		return false;
	}
	batch->len = writer.len;
	if (stream->expect == GW_EXPECT_PASSED)
		proxy->continue_ms = gw_stream_now(stream) + GW_CONTINUE_MS;
	return true;
}

static bool send_batch(struct gw_stream *stream, struct gw_waits *waits)
{
	struct gw_proxy *proxy = stream->upstream;
	struct gw_batch batch = {.at = stream->gateway->batch,
				 .room = GW_BATCH_MAX,
				 .chunks = stream->head.framing == HTTP_BODY_CHUNKED};

	if (proxy->up == GW_UP_HEAD && !batch_head(stream, &batch))
		return true;
	enum gw_gather came = gw_gather(stream, &batch);
	if (came == GW_GATHER_OVER)
		return true;
	if (came == GW_GATHER_END && batch.chunks) {
		const struct gw_trailer_rules rules = {gw_conn_host(stream->conn)->config,
						       &gw_headers_of(stream)->request};
		gw_forward_end(&rules, &stream->body.trailers, &batch);
	}
	gw_proxy_enter(stream, came == GW_GATHER_END ? GW_UP_DONE : GW_UP_BODY);
	waits->client_read = came == GW_GATHER_READ;
	waits->client_write = came == GW_GATHER_WRITE;
	if (batch.len == 0)
		return came == GW_GATHER_END || came == GW_GATHER_MORE;
	if (!gw_proxy_send(stream, batch.at, batch.len))
		(void)gw_give_up(stream, GW_PROBLEM_MEMORY, NULL);
	return true;
}

/* The whole request is written. Meanwhile the client may end its connection or send its next request. */
static bool look_at_client(struct gw_stream *stream, struct gw_waits *waits)
{
	struct gw_proxy *proxy = stream->upstream;
	enum thaw_status status = THAW_OK;

	if (proxy->just_sent || !stream->body.ended) {
		waits->client_read = proxy->just_sent && stream->body.ended;
		return false;
	}
	enum thaw_reason reason = gw_body_fill(stream, &status);
	if (reason == THAW_REASON_NO_MEMORY) { /* bytes of the next request are lost */
		(void)(stream->state == GW_PASS ? gw_refuse(stream, GW_PROBLEM_MEMORY, NULL)
						: gw_cut(stream, "out of memory"));
		return true;
	}
	if (reason != THAW_REASON_NONE) /* the input buffer is full */
		return false;
	if (status == THAW_FAILED) {
		(void)gw_cut(stream, "the client aborted the connection");
		return true;
	}
	if (status == THAW_CLOSED) {
		stream->cut_off = true;
		gw_proxy_enter(stream, GW_UP_ENDED);
	}
	waits->client_read = status == THAW_WANT_READ;
	waits->client_write = status == THAW_WANT_WRITE;
	return status == THAW_OK;
}

bool gw_proxy_up(struct gw_stream *stream, struct gw_waits *waits)
{
	struct gw_proxy *proxy = stream->upstream;

	if (proxy->unsent.bytes != NULL)
		return gw_proxy_send_kept(stream, waits);
	switch (proxy->up) {
	case GW_UP_HEAD:
	case GW_UP_BODY:
		return send_batch(stream, waits);
	case GW_UP_DONE:
		return look_at_client(stream, waits);
	case GW_UP_CONNECT:
	case GW_UP_ENDED:
	case GW_UP_DEAD:
	case GW_UP_STATES:
		break;
	}
	return false;
}
