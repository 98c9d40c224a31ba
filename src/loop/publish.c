#include "loop/publish.h"

#include "base/clock.h"
#include "gateway/scoreboard.h"
#include "loop/pool.h"

#define PUBLISH_S 1.

static void tell(const struct publisher *publisher)
{
	uint64_t now_ms = clock_now_ms();

	scoreboard_alive(publisher->scoreboard, now_ms);
	for (size_t i = 0; i < publisher->config->upstream_count; i++)
		for (size_t j = 0; j < publisher->config->upstreams[i].server_count; j++) {
			struct pool_use use;
			pool_read_use(publisher->pool, i, j, &use);
			scoreboard_pool(publisher->scoreboard, i, j,
					&(struct scoreboard_use){
						.in_use = use.in_use,
						.idle = use.idle,
						.resting = use.resting_until_ms > now_ms,
						.connects = use.connects,
						.reused = use.reused,
						.connect_failures = use.connect_failures,
						.failures = use.failures,
					});
		}
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	tell(timer->data);
}

void publisher_start(struct publisher *publisher, struct ev_loop *loop, struct scoreboard_worker *scoreboard,
		     const struct config *config, const struct pool *pool)
{
	if (scoreboard == NULL)
		return;
	publisher->loop = loop;
	publisher->scoreboard = scoreboard;
	publisher->config = config;
	publisher->pool = pool;
	ev_timer_init(&publisher->timer, on_timer, PUBLISH_S, PUBLISH_S);
	publisher->timer.data = publisher;
	ev_timer_start(loop, &publisher->timer);
	tell(publisher);
}

void publisher_stop(struct publisher *publisher)
{
	if (publisher->loop == NULL)
		return;
	ev_timer_stop(publisher->loop, &publisher->timer);
	tell(publisher);
	publisher->loop = NULL;
}
