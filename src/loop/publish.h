/* What a worker tells the scoreboard (gateway/scoreboard.h) every second: that it turns, and what its pool does. */
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

/* Tells at once, and from then on. All is borrowed; scoreboard may be NULL: nothing is told. */
void publisher_start(struct publisher *publisher, struct ev_loop *loop, struct scoreboard_worker *scoreboard,
		     const struct config *config, const struct pool *pool);
/* Tells a last time. */
void publisher_stop(struct publisher *publisher);

#endif
