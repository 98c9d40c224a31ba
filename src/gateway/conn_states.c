#include "gateway/conn_states.h"

#include <string.h>

#define SETTING(field) offsetof(struct config_connections, field)

#define ENDS (GW_BIT(GW_LINGER) | GW_BIT(GW_DEAD))

const struct gw_state_row gw_states[GW_STATES] = {
	[GW_PREFACE] = {"preface", GW_BIT(GW_SILENT) | GW_BIT(GW_DEAD), CONFIG_FIRST_BYTE_MS, SETTING(first_byte_ms)},
	[GW_SILENT] = {"silent", GW_BIT(GW_TLS) | GW_BIT(GW_IDLE) | GW_BIT(GW_DEAD), CONFIG_FIRST_BYTE_MS,
		       SETTING(first_byte_ms)},
	[GW_TLS] = {"tls", GW_BIT(GW_CHOICE) | GW_BIT(GW_IDLE) | ENDS, CONFIG_HANDSHAKE_MS, SETTING(handshake_ms)},
	/* or client_certificate.timeout, if that is longer */
	[GW_CHOICE] = {"choice", GW_BIT(GW_IDLE) | ENDS, CONFIG_HANDSHAKE_MS, SETTING(handshake_ms)},
	[GW_IDLE] = {"idle", GW_BIT(GW_BUSY) | ENDS, CONFIG_KEEPALIVE_MS, SETTING(keepalive_ms)},
	[GW_BUSY] = {"busy", GW_BIT(GW_IDLE) | ENDS, 0, 0},
	[GW_LINGER] = {"linger", GW_BIT(GW_DEAD), 5000, 0},
	[GW_DEAD] = {"dead", 0, 0, 0},
};

uint64_t gw_state_limit_ms(enum gw_state state, const struct config_connections *settings)
{
	uint64_t limit_ms = gw_states[state].limit_ms;

	if (gw_states[state].setting != 0)
		memcpy(&limit_ms, (const char *)settings + gw_states[state].setting, sizeof(limit_ms));
	return limit_ms;
}
