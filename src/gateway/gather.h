/* What an upstream gets of a request's body: what was spooled first, then the rest as it comes, one batch at a time. */
#ifndef GATEWAY_GATHER_H
#define GATEWAY_GATHER_H

#include "gateway/problem.h"
#include "gateway/stream.h"

#define GW_PACK_LEAST 20480 /* room below which a batch is sent: for a record, or the trailers */

/* What a gathering came to. */
enum gw_gather {
	GW_GATHER_MORE, /* the pack is full, or it is enough work for one step: send it, and go on */
	GW_GATHER_READ, /* the client has no more now */
	GW_GATHER_WRITE,
	GW_GATHER_END,
	GW_GATHER_OVER, /* the request is over: refused, or its client is gone */
};

/* Fills the pack, which may hold a head already. */
enum gw_gather gw_gather(struct gw_stream *stream, struct gw_pack *pack);

/*
 * The body cannot be gone on with. While there is no response, that is one; once the server's own is on its way, that
 * goes on, and what still comes of the body is nobody's any more.
 */
enum gw_gather gw_give_up(struct gw_stream *stream, enum gw_problem problem, const struct http_refusal *refusal);

/* A chunk of data that there is room for. */
void gw_pack_chunk(struct gw_pack *pack, const char *data, size_t len);

#endif
