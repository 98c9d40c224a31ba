/*
 * The one pump of a request's body: one piece at a time from its protocol (body.h) into a sink, which is the spool
 * while the request waits (drain.c), and what goes to its upstream afterwards (gather.c).
 */
#ifndef GATEWAY_PUMP_H
#define GATEWAY_PUMP_H

#include "gateway/stream.h"

struct gw_sink {
	/* Takes bytes that are here: *took of them, more than none. Else the reason why it holds no more. */
	enum thaw_reason (*take)(struct gw_stream *stream, void *to, const char *bytes, size_t len, size_t *took);
	/* Where bytes of a body of known length can be read to at once. *room 0: nowhere, they are to be taken. */
	enum thaw_reason (*reserve)(struct gw_stream *stream, void *to, void **where, size_t *room);
	/* So many were. */
	void (*commit)(struct gw_stream *stream, void *to, size_t len);
};

/* What came of one piece. */
enum gw_pumped {
	GW_PUMPED_TAKEN, /* the sink has taken some */
	GW_PUMPED_READ,  /* the client was read: status; THAW_OK: something has come */
	GW_PUMPED_END,   /* the sink has all of the body */
	GW_PUMPED_FULL,  /* the sink holds no more: reason */
	GW_PUMPED_LOST,  /* what has come cannot be kept, or no more could be: reason */
	GW_PUMPED_LARGE, /* it exceeds the route's max_request_body */
	GW_PUMPED_BAD,   /* refusal */
};

struct gw_pump_news {
	enum thaw_status status;
	enum thaw_reason reason;
	struct http_refusal refusal;
};

enum gw_pumped gw_pump(struct gw_stream *stream, const struct gw_sink *sink, void *to, struct gw_pump_news *news);

/* Reads more of the client, of the body or of what is behind it: READ, or LOST. */
enum gw_pumped gw_pump_read(struct gw_stream *stream, struct gw_pump_news *news);

#endif
