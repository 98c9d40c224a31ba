#include "gateway/conn_states.h"

#define ENDS (GW_BIT(GW_LINGER) | GW_BIT(GW_DEAD))

const struct gw_state_row gw_states[GW_STATES] = {
	[GW_PREFACE] = {"preface", GW_BIT(GW_SILENT) | GW_BIT(GW_DEAD), 10000, false},
	[GW_SILENT] = {"silent", GW_BIT(GW_TLS) | GW_BIT(GW_DEAD), 10000, false},
	[GW_TLS] = {"tls", GW_BIT(GW_IDLE) | ENDS, 30000, false},
	[GW_IDLE] = {"idle", GW_BIT(GW_HEAD) | ENDS, 60000, false},
	[GW_HEAD] = {"head", GW_BIT(GW_HELD) | GW_BIT(GW_ASK) | GW_BIT(GW_PASS) | GW_BIT(GW_REPLY) | ENDS, 30000,
		     false},
	[GW_HELD] = {"held", GW_BIT(GW_ASK) | GW_BIT(GW_PASS) | GW_BIT(GW_REPLY) | ENDS, 0, true},
	[GW_ASK] = {"ask", GW_BIT(GW_PASS) | GW_BIT(GW_REPLY) | ENDS, 0, true},
	[GW_PASS] = {"pass", GW_BIT(GW_RELAY) | GW_BIT(GW_REPLY) | ENDS, 60000, false},
	[GW_RELAY] = {"relay", GW_BIT(GW_TUNNEL) | GW_BIT(GW_REPLY) | ENDS, 60000, false},
	[GW_TUNNEL] = {"tunnel", ENDS, 60000, false}, /* and then by the upstream's tunnel_timeout */
	[GW_REPLY] = {"reply", GW_BIT(GW_IDLE) | GW_BIT(GW_HEAD) | ENDS, 60000, false},
	[GW_LINGER] = {"linger", GW_BIT(GW_DEAD), 5000, false},
	[GW_DEAD] = {"dead", 0, 0, false},
};
