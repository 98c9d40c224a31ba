/* The phases of the master, how it ends generations, and the watchdog ping. */
#include "base/require.h"
#include "gateway/scoreboard.h"
#include "loop/master.h"

void master_enter(struct master *m, enum phase to)
{
	static const struct {
		const char *name;
		unsigned next;
	} phases[PHASES] = {
		[PHASE_STARTING] = {"starting", 1u << PHASE_SERVING | 1u << PHASE_STOPPING},
		[PHASE_SERVING] = {"serving", 1u << PHASE_STOPPING},
		[PHASE_STOPPING] = {"stopping", 1u << PHASE_OVER},
		[PHASE_OVER] = {"over", 0},
	};

	if (require_transition((phases[m->phase].next & 1u << to) != 0, "master", phases[m->phase].name,
			       phases[to].name))
		m->phase = to;
}

void master_leave(struct master *m)
{
	master_enter(m, PHASE_STOPPING);
	scoreboard_enter(m->scoreboard, SCOREBOARD_STOPPING, m->made, 0);
	listeners_close(&m->serving->listeners);
	generation_enter(m->serving, GENERATION_RETIRING, m->now_ms);
	generation_dismiss_admin(m->serving);
}

void master_cut(struct master *m)
{
	struct generation *g;

	for (g = TAILQ_FIRST(&m->all); g != NULL; g = TAILQ_NEXT(g, link)) {
		if (g->state == GENERATION_RETIRING)
			generation_enter(g, GENERATION_CUTTING, m->now_ms);
		else if (g->state == GENERATION_CUTTING)
			generation_enter(g, GENERATION_ENDING, m->now_ms);
	}
}

void master_ping(struct master *m)
{
	m->ping_ms = m->now_ms;
	if (m->systemd.watchdog_ms > 0)
		systemd_alive();
}
