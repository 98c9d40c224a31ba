#include "gateway/conn_states.h"

#define ENDS (GW_BIT(GW_LINGER) | GW_BIT(GW_DEAD))

const struct gw_state_row gw_states[GW_STATES] = {
	[GW_PREFACE] = {"preface", GW_BIT(GW_SILENT) | GW_BIT(GW_DEAD), 10000},
	[GW_SILENT] = {"silent", GW_BIT(GW_TLS) | GW_BIT(GW_DEAD), 10000},
	[GW_TLS] = {"tls", GW_BIT(GW_IDLE) | ENDS, 30000},
	[GW_IDLE] = {"idle", GW_BIT(GW_BUSY) | ENDS, 60000},
	[GW_BUSY] = {"busy", GW_BIT(GW_IDLE) | ENDS, 0},
	[GW_LINGER] = {"linger", GW_BIT(GW_DEAD), 5000},
	[GW_DEAD] = {"dead", 0, 0},
};
