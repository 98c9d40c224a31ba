#include "gateway/part_states.h"

#include "base/require.h"

#define BIT GW_PART_BIT

static const struct gw_part_row after[GW_AFTER_STATES] = {
	[GW_AFTER_NONE] = {"none", BIT(GW_AFTER_PENDING)},
	[GW_AFTER_PENDING] = {"pending", BIT(GW_AFTER_NONE) | BIT(GW_AFTER_REFUSED)},
	[GW_AFTER_REFUSED] = {"refused", BIT(GW_AFTER_PENDING)},
};

#define RECORDED BIT(GW_ACCOUNT_RECORDED)

static const struct gw_part_row account[GW_ACCOUNT_STATES] = {
	[GW_ACCOUNT_NONE] = {"none", BIT(GW_ACCOUNT_LATER) | BIT(GW_ACCOUNT_ASKED) | RECORDED},
	[GW_ACCOUNT_LATER] = {"later", BIT(GW_ACCOUNT_NONE) | RECORDED},
	/* none: over HTTP/2 no certificate was requested; the stream is reset instead */
	[GW_ACCOUNT_ASKED] = {"asked", BIT(GW_ACCOUNT_NONE) | BIT(GW_ACCOUNT_FINAL) | RECORDED},
	[GW_ACCOUNT_FINAL] = {"final", RECORDED},
	[GW_ACCOUNT_RECORDED] = {"recorded", 0},
};

static const struct gw_part_row expect[GW_EXPECT_STATES] = {
	[GW_EXPECT_NONE] = {"none", BIT(GW_EXPECT_OWED)},
	[GW_EXPECT_OWED] = {"owed", BIT(GW_EXPECT_PASSED) | BIT(GW_EXPECT_NONE)},
	[GW_EXPECT_PASSED] = {"passed", BIT(GW_EXPECT_NONE)},
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

const struct gw_part gw_account_part = {"account", account, GW_ACCOUNT_STATES};
const struct gw_part gw_expect_part = {"expect", expect, GW_EXPECT_STATES};
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
