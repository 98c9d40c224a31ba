#include "gateway/part_states.h"

#include "base/require.h"

#define BIT GW_PART_BIT

static const struct gw_part_row after[GW_AFTER_STATES] = {
	[GW_AFTER_NONE] = {"none", BIT(GW_AFTER_PENDING)},
	[GW_AFTER_PENDING] = {"pending", BIT(GW_AFTER_NONE) | BIT(GW_AFTER_REFUSED)},
	[GW_AFTER_REFUSED] = {"refused", BIT(GW_AFTER_PENDING)},
};

#define UP_ANY (BIT(GW_UP_DEAD) | BIT(GW_UP_CONNECT))

static const struct gw_part_row up[GW_UP_STATES] = {
	[GW_UP_CONNECT] = {"connect", BIT(GW_UP_HEAD) | BIT(GW_UP_DEAD)},
	[GW_UP_HEAD] = {"head", BIT(GW_UP_BODY) | BIT(GW_UP_DONE) | UP_ANY},
	[GW_UP_BODY] = {"body", BIT(GW_UP_DONE) | UP_ANY},
	[GW_UP_DONE] = {"done", BIT(GW_UP_ENDED) | UP_ANY},
	[GW_UP_ENDED] = {"ended", UP_ANY},
	[GW_UP_DEAD] = {"dead", BIT(GW_UP_CONNECT)},
};

const struct gw_part gw_after_part = {"after", after, GW_AFTER_STATES};
const struct gw_part gw_up_part = {"up", up, GW_UP_STATES};

bool gw_part_changes(const struct gw_part *part, unsigned from, unsigned to, const struct trace *trace, uint64_t now_ms)
{
	const struct gw_part_row *was = &part->rows[from], *is = &part->rows[to];

	if (!require_transition((was->next & BIT(to)) != 0, part->machine, was->name, is->name))
		return false;
	trace_change(trace, part->machine, was->name, is->name, now_ms);
	return true;
}
