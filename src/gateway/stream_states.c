#include "gateway/stream_states.h"

#define ENDS (GW_STREAM_BIT(GW_REPLY) | GW_STREAM_BIT(GW_OVER))

const struct gw_stream_row gw_stream_rows[GW_STREAM_STATES] = {
	[GW_HEAD] = {"head", GW_STREAM_BIT(GW_HELD) | GW_STREAM_BIT(GW_ASK) | GW_STREAM_BIT(GW_PASS) | ENDS, 30000,
		     false},
	[GW_HELD] = {"held", GW_STREAM_BIT(GW_ASK) | GW_STREAM_BIT(GW_PASS) | ENDS, 0, true},
	[GW_ASK] = {"ask", GW_STREAM_BIT(GW_PASS) | ENDS, 0, true},
	[GW_PASS] = {"pass", GW_STREAM_BIT(GW_RELAY) | ENDS, 60000, false},
	[GW_RELAY] = {"relay", GW_STREAM_BIT(GW_TUNNEL) | ENDS, 60000, false},
	[GW_TUNNEL] = {"tunnel", GW_STREAM_BIT(GW_OVER), 60000, false}, /* then by the upstream's tunnel_timeout */
	[GW_REPLY] = {"reply", GW_STREAM_BIT(GW_OVER), 60000, false},
	[GW_OVER] = {"over", 0, 0, false},
};
