#include "gateway/gather.h"

#include <string.h>

#include "gateway/answer.h"
#include "gateway/pump.h"
#include "http/response.h"

#define CHUNK_ROOM (HTTP_CHUNK_SIZE_MAX + 2) /* around a chunk's data: size line and CRLF */

static void batch_bytes(struct gw_batch *batch, const void *bytes, size_t len)
{
	memcpy(batch->at + batch->len, bytes, len);
	batch->len += len;
}

void gw_batch_chunk(struct gw_batch *batch, const char *data, size_t len)
{
	char line[HTTP_CHUNK_SIZE_MAX] = "";

	batch_bytes(batch, line, http_write_chunk_size(line, len));
	batch_bytes(batch, data, len);
	batch_bytes(batch, "\r\n", 2);
}

static void batch_data(struct gw_stream *stream, struct gw_batch *batch, const char *data, size_t len)
{
	if (batch->chunks)
		gw_batch_chunk(batch, data, len);
	else
		batch_bytes(batch, data, len);
	stream->passed += len;
}

/* ---- the batch as the pump's sink ---- */

static enum thaw_reason take(struct gw_stream *stream, void *to, const char *bytes, size_t len, size_t *took)
{
	struct gw_batch *batch = to;
	size_t room = batch->room - batch->len - CHUNK_ROOM;

	*took = len < room ? len : room;
	batch_data(stream, batch, bytes, *took);
	return THAW_REASON_NONE;
}

static enum thaw_reason reserve(struct gw_stream *stream, void *to, void **where, size_t *room)
{
	struct gw_batch *batch = to;

	(void)stream;
	*where = batch->at + batch->len;
	*room = batch->room - batch->len;
	return THAW_REASON_NONE;
}

static void commit(struct gw_stream *stream, void *to, size_t len)
{
	struct gw_batch *batch = to;

	batch->len += len;
	stream->passed += len;
}

static const struct gw_sink batch_sink = {.take = take, .reserve = reserve, .commit = commit};

/* ---- what came of it ---- */

enum gw_gather gw_give_up(struct gw_stream *stream, enum gw_problem problem, const struct http_refusal *refusal)
{
	if (stream->state == GW_PASS)
		(void)gw_refuse(stream, problem, refusal);
	else
		stream->ops->stop(stream);
	return GW_GATHER_OVER;
}

static enum gw_gather read_failed(struct gw_stream *stream, enum thaw_status status)
{
	switch (status) {
	case THAW_WANT_READ:
		return GW_GATHER_READ;
	case THAW_WANT_WRITE:
		return GW_GATHER_WRITE;
	case THAW_CLOSED:
		return gw_give_up(stream, GW_PROBLEM_CUT_OFF, NULL);
	case THAW_FAILED:
	case THAW_OK:
		(void)gw_cut(stream, thaw_conn_error(stream->conn->ask)->text);
		break;
	}
	return GW_GATHER_OVER;
}

/* The spool's oldest piece. */
static enum gw_gather batch_spooled(struct gw_stream *stream, struct gw_batch *batch)
{
	const void *data = NULL;
	size_t len = 0, room = batch->room - batch->len - CHUNK_ROOM;
	enum thaw_reason reason = THAW_REASON_NONE;
	enum thaw_status status = thaw_spool_peek(stream->spool, &data, &len, &reason);

	if (status != THAW_OK && stream->state == GW_PASS) {
		(void)gw_refuse_verdict(stream, THAW_VERDICT_OVER_LIMIT, reason, "");
		return GW_GATHER_OVER;
	}
	if (status != THAW_OK) {
		gw_notice_refused(stream->conn, reason);
		return gw_give_up(stream, GW_PROBLEM_MEMORY, NULL);
	}
	if (len == 0) {
		thaw_spool_free(&stream->spool);
		return GW_GATHER_MORE;
	}
	if (len > room)
		len = room;
	batch_data(stream, batch, data, len);
	thaw_spool_consume(stream->spool, len);
	return GW_GATHER_MORE;
}

/* One step of filling the batch. */
static enum gw_gather gather_some(struct gw_stream *stream, struct gw_batch *batch)
{
	struct gw_pump_news news = {.status = THAW_OK};

	if (stream->spool != NULL)
		return batch_spooled(stream, batch);
	switch (gw_pump(stream, &batch_sink, batch, &news)) {
	case GW_PUMPED_TAKEN:
		return GW_GATHER_MORE;
	case GW_PUMPED_READ:
		return news.status == THAW_OK ? GW_GATHER_MORE : read_failed(stream, news.status);
	case GW_PUMPED_END:
		return GW_GATHER_END;
	case GW_PUMPED_FULL:
	case GW_PUMPED_LOST:
		return gw_give_up(stream, GW_PROBLEM_MEMORY, NULL);
	case GW_PUMPED_LARGE:
		return gw_give_up(stream, GW_PROBLEM_BODY_SIZE, NULL);
	case GW_PUMPED_BAD:
		break;
	}
	return gw_give_up(stream, GW_PROBLEM_MALFORMED, &news.refusal);
}

enum gw_gather gw_gather(struct gw_stream *stream, struct gw_batch *batch)
{
	enum gw_gather came = GW_GATHER_MORE;

	/* At least one piece, even if other streams used up the work of this step, so that every stream progresses. */
	for (bool first = true; came == GW_GATHER_MORE && batch->room - batch->len >= GW_BATCH_LEAST &&
				(first || stream->conn->work < GW_WORK_MAX);
	     first = false) {
		came = gather_some(stream, batch);
		stream->conn->work += GW_WORK_LEAST;
	}
	return came;
}
