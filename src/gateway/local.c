/* The built-in upstreams. Their responses are in builtin.c and last_hop.c. */
#include "gateway/local.h"

#include "gateway/answer.h"
#include "gateway/builtin.h"
#include "gateway/gather.h"
#include "http/interpret.h"

bool gw_ends_here(const struct gw_stream *stream)
{
	uint64_t hops = 0;

	return http_max_forwards(&stream->head, &hops) == HTTP_FORWARDS_LIMITED && hops == 0;
}

static const struct gw_builtin_ops *builtin_of(const struct gw_stream *stream)
{
	enum config_upstream_kind kind = stream->route->config->upstream;

	return kind == CONFIG_PROXY ? gw_builtin_last_hop() : gw_builtin(kind);
}

static enum gw_step begin(struct gw_stream *stream)
{
	struct gw_exchange exchange = {
		.head = &stream->head,
		.host = gw_conn_host(stream->conn)->config,
		.route = stream->route->config,
		.identity = stream->identity,
		.unverified = stream->unverified,
		.report = &stream->story.report,
		.before_verdict = stream->story.drained,
	};

	stream->upstream = builtin_of(stream)->open(&exchange);
	if (stream->upstream == NULL)
		return gw_refuse(stream, GW_PROBLEM_MEMORY, NULL);
	if (stream->expect == GW_EXPECT_OWED && stream->body.received == 0 && stream->in.at == stream->in.len)
		return gw_continue(stream);
	return GW_MOVED;
}

static enum gw_step finish(struct gw_stream *stream)
{
	struct gw_reply reply = {0};

	if (!builtin_of(stream)->finish(stream->upstream, &reply))
		return gw_refuse(stream, GW_PROBLEM_UPSTREAM, NULL);
	return gw_answer(stream, &reply, false);
}

static enum gw_step pass(struct gw_stream *stream)
{
	struct gw_batch batch = {.at = stream->gateway->batch, .room = GW_BATCH_MAX};
	enum gw_gather came = gw_gather(stream, &batch);

	if (came == GW_GATHER_OVER)
		return GW_MOVED;
	stream->conn->work += batch.len;
	if (batch.len > 0 && !builtin_of(stream)->body(stream->upstream, batch.at, batch.len))
		return gw_refuse(stream, GW_PROBLEM_UPSTREAM, NULL);
	switch (came) {
	case GW_GATHER_READ:
		return gw_wait_read(stream);
	case GW_GATHER_WRITE:
		return gw_wait_write(stream);
	case GW_GATHER_END:
		return finish(stream);
	case GW_GATHER_MORE:
	case GW_GATHER_OVER:
		break;
	}
	return GW_MOVED;
}

static uint64_t deadline(const struct gw_stream *stream)
{
	(void)stream;
	return THAW_NEVER;
}

static bool sent(const struct gw_stream *stream)
{
	(void)stream;
	return false; /* it acts only on complete requests */
}

static void free_local(struct gw_stream *stream)
{
	if (stream->upstream != NULL)
		builtin_of(stream)->free(stream->upstream);
	stream->upstream = NULL;
}

const struct gw_upstream_ops *gw_upstream_local(void)
{
	static const struct gw_upstream_ops ops = {
		.begin = begin, .pass = pass, .deadline = deadline, .sent = sent, .free = free_local};

	return &ops;
}
