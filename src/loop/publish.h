/* What a worker publishes on the scoreboard (gateway/scoreboard.h) every second: that it runs, and the use of its
 * pool. */
#ifndef LOOP_PUBLISH_H
#define LOOP_PUBLISH_H

#include <ev.h>

#include "loop/pool.h"

struct scoreboard_worker;

struct publisher {
	struct ev_loop *loop; /* NULL: not started */
	struct scoreboard_worker *scoreboard;
	const struct config *config;
	const struct pool *pool;
	ev_timer timer;
};

/* Publishes at once, and then every second. All arguments are borrowed. scoreboard NULL: publishes nothing. */
void publisher_start(struct publisher *publisher, struct ev_loop *loop, struct scoreboard_worker *scoreboard,
		     const struct config *config, const struct pool *pool);
/* Publishes a last time, and stops. */
void publisher_stop(struct publisher *publisher);

#endif
