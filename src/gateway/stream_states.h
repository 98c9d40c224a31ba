/*
 * A stream's state table: one request and its response, whatever protocol they come by. Apart from the code that runs
 * it so that tests can walk it: every path ends in over, and every state that waits has a deadline.
 *
 *	head ─┬─► ask ─► pass ─┬──────────► reply ─► over
 *	      └─► held ─►┴─────►  └─► relay ─►
 *	                               └─► tunnel ─►
 *
 * Every state before reply may go to reply (a refusal), and every state to over.
 */
#ifndef GATEWAY_STREAM_STATES_H
#define GATEWAY_STREAM_STATES_H

#include "config/config.h"

enum gw_stream_state {
	GW_HEAD,   /* a request's head has begun to come */
	GW_HELD,   /* an earlier response's ask is awaited; the body is drained into the spool */
	GW_ASK,    /* a certificate is awaited; the body is drained into the spool */
	GW_PASS,   /* the body goes to the upstream: what was spooled first */
	GW_RELAY,  /* the upstream's response comes, and goes to the client; perhaps the body still goes up */
	GW_TUNNEL, /* another protocol, both ways (RFC 9110 7.8) */
	GW_REPLY,  /* the response is complete here, and written */
	GW_OVER,   /* struct gw_stream says how it ended */
	GW_STREAM_STATES,
};

#define GW_STREAM_BIT(state) (1U << (state))

struct gw_stream_row {
	const char *name;
	uint32_t next;     /* GW_STREAM_BIT of each state that may follow */
	uint32_t limit_ms; /* without progress; 0: it does not wait */
	bool by_ask;       /* its deadline is the ask's */
	size_t setting;    /* offset in struct config_connections of what replaces limit_ms; 0: nothing does */
};

extern const struct gw_stream_row gw_stream_rows[GW_STREAM_STATES];

uint64_t gw_stream_limit_ms(enum gw_stream_state state, const struct config_connections *settings);

#endif
