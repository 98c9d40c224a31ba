/*
 * A connection's state table, apart from the code that runs it so that tests can walk it: every path ends in dead, and
 * every state that waits has a deadline.
 *
 *	(preface ─►) silent ─► tls ─► idle ─► head ─┬─► ask ─► pass ─┬──────────► reply ─┬─► idle or head (the next)
 *	                                       └─► held ─►┴────────►    └─► relay ─►        └─► linger ─► dead
 *	                                                                      └─► tunnel ──────►
 *
 * Every state may also go to reply (a refusal) once there is a request, to linger, or to dead.
 */
#ifndef GATEWAY_CONN_STATES_H
#define GATEWAY_CONN_STATES_H

#include <stdbool.h>
#include <stdint.h>

enum gw_state {
	GW_PREFACE, /* the PROXY protocol's header, where the listener has one */
	GW_SILENT,  /* nothing of TLS has come: there is no SSL yet */
	GW_TLS,     /* the handshake */
	GW_IDLE,    /* no request; perhaps an ask is pending that the last response was followed by */
	GW_HEAD,    /* a request's head has begun to come */
	GW_HELD,    /* an earlier response's ask is awaited; the body is drained into the spool */
	GW_ASK,     /* a certificate is awaited; the body is drained into the spool */
	GW_PASS,    /* the body goes to the upstream: what was spooled first */
	GW_RELAY,   /* the upstream's response comes, and goes to the client; perhaps the body still goes up */
	GW_TUNNEL,  /* another protocol, both ways (RFC 9110 7.8) */
	GW_REPLY,   /* the response is complete here, and written */
	GW_LINGER,  /* half-closed; what still comes is thrown away, so that no reset erases the response (RFC 9112 9.6)
		     */
	GW_DEAD,
	GW_STATES,
};

#define GW_BIT(state) (1U << (state))

struct gw_state_row {
	const char *name;
	uint32_t next;     /* GW_BIT of each state that may follow */
	uint32_t limit_ms; /* without progress; 0: it does not wait */
	bool by_ask;       /* its deadline is the ask's */
};

extern const struct gw_state_row gw_states[GW_STATES];

#endif
