#include "gateway/pump.h"

#include "gateway/body.h"

static enum gw_pumped full(enum thaw_reason reason, struct gw_pump_news *news)
{
	news->reason = reason;
	return GW_PUMPED_FULL;
}

static enum gw_pumped take(struct gw_stream *stream, const struct gw_sink *sink, void *to, struct gw_pump_news *news)
{
	size_t took = 0;
	enum thaw_reason reason = sink->take(stream, to, stream->body.span.at, stream->body.span.len, &took);

	if (reason != THAW_REASON_NONE)
		return full(reason, news);
	gw_body_took(stream, took);
	return GW_PUMPED_TAKEN;
}

enum gw_pumped gw_pump_read(struct gw_stream *stream, struct gw_pump_news *news)
{
	news->status = THAW_OK;
	news->reason = gw_body_fill(stream, &news->status);
	return news->reason != THAW_REASON_NONE ? GW_PUMPED_LOST : GW_PUMPED_READ;
}

/* A body of known length is read directly into the sink's own memory. */
static enum gw_pumped read_more(struct gw_stream *stream, const struct gw_sink *sink, void *to,
				struct gw_pump_news *news)
{
	void *where = NULL;
	size_t room = 0, got = 0;

	if (stream->body.framing == HTTP_BODY_LENGTH && !stream->body.raw) {
		enum thaw_reason reason = sink->reserve(stream, to, &where, &room);
		if (reason != THAW_REASON_NONE)
			return full(reason, news);
	}
	if (room == 0)
		return gw_pump_read(stream, news);
	news->status = gw_body_straight(stream, where, room, &got);
	sink->commit(stream, to, got);
	return GW_PUMPED_READ;
}

enum gw_pumped gw_pump(struct gw_stream *stream, const struct gw_sink *sink, void *to, struct gw_pump_news *news)
{
	switch (gw_body_next(stream, &news->refusal)) {
	case GW_BODY_SPAN:
		return take(stream, sink, to, news);
	case GW_BODY_NEED:
		return read_more(stream, sink, to, news);
	case GW_BODY_END:
		return GW_PUMPED_END;
	case GW_BODY_LARGE:
		return GW_PUMPED_LARGE;
	case GW_BODY_BAD:
		break;
	}
	return GW_PUMPED_BAD;
}
