/*
 * The state table of a stream: one request and its response, in any protocol. It is separate from the code that runs
 * it, so that tests can check it: every path ends in over, and every state that waits has a deadline.
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
	GW_HEAD,   /* the head of a request is being received */
	GW_HELD,   /* waiting for the ask after an earlier response; the body is drained into the spool */
	GW_ASK,    /* waiting for a certificate; the body is drained into the spool */
	GW_PASS,   /* the body is sent to the upstream: first the spooled part */
	GW_RELAY,  /* the upstream's response is sent to the client; the body may still be sent to the upstream */
	GW_TUNNEL, /* another protocol, in both directions (RFC 9110 7.8) */
	GW_REPLY,  /* the response is complete in memory, and is being written */
	GW_OVER,   /* struct gw_stream says how it ended */
	GW_STREAM_STATES,
};

#define GW_STREAM_BIT(state) (1U << (state))

struct gw_stream_row {
	const char *name;
	uint32_t next;     /* GW_STREAM_BIT of each state that may follow */
	uint32_t limit_ms; /* without progress; 0: no limit of its own */
	bool by_ask;       /* its deadline is the ask's */
	size_t setting;    /* offset in struct config_connections of the setting that replaces limit_ms; 0: none */
};

extern const struct gw_stream_row gw_stream_rows[GW_STREAM_STATES];

uint64_t gw_stream_limit_ms(enum gw_stream_state state, const struct config_connections *settings);

#endif
