/*
 * The admin process: one event loop that shows the gateway's state to its operator (admin/admin.h). It is a separate
 * process, so that admin requests cost the workers nothing.
 */
#ifndef LOOP_ADMIN_H
#define LOOP_ADMIN_H

#include "config/config.h"
#include "loop/channel.h"
#include "thaw/spool.h"

struct scoreboard;
struct log;

/* All borrowed. They are this process's copies of the master's objects. */
struct admin_setup {
	const struct config *config; /* with an admin address */
	const struct scoreboard *scoreboard;
	const thaw_quota *quota;
	const struct expiries *expiries;
	int listener;      /* admin_run() closes it */
	uint64_t began_ms; /* when the master started; as clock_now_ms() */
	struct log *log;
	struct channel_end master;
};

/*
 * Serves until SIGTERM. The caller must have blocked SIGTERM before. After SIGTERM the process accepts no connections,
 * and the open ones may finish their current response. True: it stopped because of SIGTERM.
 */
bool admin_run(const struct admin_setup *setup) THAW_MUST_CHECK;

#endif
