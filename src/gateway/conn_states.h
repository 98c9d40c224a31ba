/*
 * The state table of a connection, separate from the code that runs it, so that tests can check it: every path ends
 * in dead, and every waiting state has a deadline. The states of a request are in stream_states.h.
 *
 *         (preface ─►) silent ─► tls (─► choice) ─► idle ◄─► busy ─► linger ─► dead
 *
 * A connection without TLS goes from silent to idle.
 *
 * Every state may also go to dead, and all from tls on to linger.
 */
#ifndef GATEWAY_CONN_STATES_H
#define GATEWAY_CONN_STATES_H

#include "config/config.h"

enum gw_state {
	GW_PREFACE, /* waits for the PROXY protocol header, if the listener expects one */
	GW_SILENT,  /* no TLS data yet: there is no SSL object */
	GW_TLS,     /* the handshake */
	GW_CHOICE,  /* the handshake after the certificate request: a person may have to choose it */
	GW_IDLE,    /* no request; an ask may be pending after the last response */
	GW_BUSY,    /* there is a stream, which has its own deadline */
	GW_LINGER,  /* half-closed; received data is discarded, so that no reset destroys the response (RFC 9112 9.6) */
	GW_DEAD,
	GW_STATES,
};

#define GW_BIT(state) (1U << (state))

struct gw_state_row {
	const char *name;
	uint32_t next;     /* GW_BIT of each state that may follow */
	uint32_t limit_ms; /* without progress; 0: it does not wait, or another deadline applies */
	size_t setting;    /* offset of the setting in struct config_connections that replaces it; 0: none */
};

extern const struct gw_state_row gw_states[GW_STATES];

uint64_t gw_state_limit_ms(enum gw_state state, const struct config_connections *settings);

#endif
