/*
 * The admin process: one event loop that shows the gateway to its operator (admin/admin.h). It is a process of its own
 * so that whoever looks costs the workers nothing.
 */
#ifndef LOOP_ADMIN_H
#define LOOP_ADMIN_H

#include "config/config.h"
#include "loop/channel.h"
#include "thaw/spool.h"

struct scoreboard;
struct log;

/* All borrowed, and this process's own copies of what the master made. */
struct admin_setup {
	const struct config *config; /* with an admin address */
	const struct scoreboard *scoreboard;
	const thaw_quota *quota;
	const struct expiries *expiries;
	int listener;      /* closed on the way */
	uint64_t began_ms; /* when the master began; of clock_now_ms() */
	struct log *log;
	struct channel_end master;
};

/*
 * Serves until SIGTERM, which is blocked until this is called. From then on nobody is accepted any more, and those that
 * are there have the response under way. True: stopped as told.
 */
bool admin_run(const struct admin_setup *setup) THAW_MUST_CHECK;

#endif
