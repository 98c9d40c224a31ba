#include "gateway/stream_states.h"

#include <string.h>

#define SETTING(field) offsetof(struct config_connections, field)

#define ENDS (GW_STREAM_BIT(GW_REPLY) | GW_STREAM_BIT(GW_OVER))

const struct gw_stream_row gw_stream_rows[GW_STREAM_STATES] = {
	[GW_HEAD] = {"head", GW_STREAM_BIT(GW_HELD) | GW_STREAM_BIT(GW_ASK) | GW_STREAM_BIT(GW_PASS) | ENDS,
		     CONFIG_HEAD_MS, false, SETTING(head_ms)},
	[GW_HELD] = {"held", GW_STREAM_BIT(GW_ASK) | GW_STREAM_BIT(GW_PASS) | ENDS, 0, true, 0},
	[GW_ASK] = {"ask", GW_STREAM_BIT(GW_PASS) | ENDS, 0, true, 0},
	[GW_PASS] = {"pass", GW_STREAM_BIT(GW_RELAY) | ENDS, CONFIG_BODY_MS, false, SETTING(body_ms)},
	[GW_RELAY] = {"relay", GW_STREAM_BIT(GW_TUNNEL) | ENDS, CONFIG_BODY_MS, false, SETTING(body_ms)},
	[GW_TUNNEL] = {"tunnel", GW_STREAM_BIT(GW_OVER), 60000, false, 0}, /* then the upstream's tunnel_timeout */
	[GW_REPLY] = {"reply", GW_STREAM_BIT(GW_OVER), CONFIG_BODY_MS, false, SETTING(body_ms)},
	[GW_OVER] = {"over", 0, 0, false, 0},
};

uint64_t gw_stream_limit_ms(enum gw_stream_state state, const struct config_connections *settings)
{
	uint64_t limit_ms = gw_stream_rows[state].limit_ms;

	if (gw_stream_rows[state].setting != 0)
		memcpy(&limit_ms, (const char *)settings + gw_stream_rows[state].setting, sizeof(limit_ms));
	return limit_ms;
}
