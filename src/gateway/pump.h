/*
 * Moves a request's body, one piece at a time, from its protocol (body.h) to a sink. The sink is the spool while the
 * request waits (drain.c), and the batch for its upstream after that (gather.c).
 */
#ifndef GATEWAY_PUMP_H
#define GATEWAY_PUMP_H

#include "gateway/stream.h"

struct gw_sink {
	/* Takes at least one of the bytes; *took: how many. Otherwise returns the reason why the sink is full. */
	enum thaw_reason (*take)(struct gw_stream *stream, void *to, const char *bytes, size_t len, size_t *took);
	/* Memory for reading a body of known length directly. *room 0: none; the bytes go through take(). */
	enum thaw_reason (*reserve)(struct gw_stream *stream, void *to, void **where, size_t *room);
	/* len bytes were read to the reserved memory. */
	void (*commit)(struct gw_stream *stream, void *to, size_t len);
};

/* The result for one piece. */
enum gw_pumped {
	GW_PUMPED_TAKEN, /* the sink has taken some */
	GW_PUMPED_READ,  /* input was read: see status; THAW_OK: some bytes were received */
	GW_PUMPED_END,   /* the sink has the whole body */
	GW_PUMPED_FULL,  /* the sink is full: see reason */
	GW_PUMPED_LOST,  /* input cannot be kept, or there is no room to read more: see reason */
	GW_PUMPED_LARGE, /* the body exceeds the route's max_request_body */
	GW_PUMPED_BAD,   /* the body is malformed: see refusal */
};

struct gw_pump_news {
	enum thaw_status status;
	enum thaw_reason reason;
	struct http_refusal refusal;
};

enum gw_pumped gw_pump(struct gw_stream *stream, const struct gw_sink *sink, void *to, struct gw_pump_news *news);

/* Reads more input from the client: of the body, or after it. Returns READ or LOST. */
enum gw_pumped gw_pump_read(struct gw_stream *stream, struct gw_pump_news *news);

#endif
