/*
 * A connection's state table, apart from the code that runs it so that tests can walk it: every path ends in dead, and
 * every state that waits has a deadline. What a request is doing meanwhile is in stream_states.h.
 *
 *	(preface ─►) silent ─► tls (─► choice) ─► idle ◄─► busy ─► linger ─► dead
 *
 * A connection without TLS goes from silent to idle.
 *
 * Every state may also go to dead, and all from tls on to linger.
 */
#ifndef GATEWAY_CONN_STATES_H
#define GATEWAY_CONN_STATES_H

#include "config/config.h"

enum gw_state {
	GW_PREFACE, /* the PROXY protocol's header, where the listener has one */
	GW_SILENT,  /* nothing of TLS has come: there is no SSL yet */
	GW_TLS,     /* the handshake */
	GW_CHOICE,  /* the same, once the client is asked for its certificate: a human may have to choose it */
	GW_IDLE,    /* no request; perhaps an ask is pending that the last response was followed by */
	GW_BUSY,    /* there is a stream: its deadline is the connection's */
	GW_LINGER,  /* half-closed; what still comes is thrown away, so that no reset erases the response (RFC 9112 9.6)
		     */
	GW_DEAD,
	GW_STATES,
};

#define GW_BIT(state) (1U << (state))

struct gw_state_row {
	const char *name;
	uint32_t next;     /* GW_BIT of each state that may follow */
	uint32_t limit_ms; /* without progress; 0: it does not wait, or something else has its deadline */
	size_t setting;    /* offset in struct config_connections of what replaces it; 0: nothing does */
};

extern const struct gw_state_row gw_states[GW_STATES];

uint64_t gw_state_limit_ms(enum gw_state state, const struct config_connections *settings);

#endif
