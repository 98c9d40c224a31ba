/* Legs that nobody has, kept for the next request to the same server. One lazy timer closes those of all servers. */
#include "loop/server.h"

static uint64_t now_of(const struct pool *pool)
{
	return *pool->setup.now_ms;
}

void idle_drop(struct gw_leg *leg)
{
	TAILQ_REMOVE(&leg->server->idle, leg, idle);
	leg->server->use.idle--;
	leg_free(&leg);
}

/* May fire too early, and is set anew then. */
static void arm(struct pool *pool, uint64_t until_ms)
{
	uint64_t now_ms = now_of(pool);

	if (until_ms >= pool->idle_armed_ms)
		return;
	ev_timer_stop(pool->setup.loop, &pool->idle_timer);
	ev_timer_set(&pool->idle_timer, until_ms > now_ms ? (double)(until_ms - now_ms + 1) / 1000. : 0., 0.);
	ev_timer_start(pool->setup.loop, &pool->idle_timer);
	pool->idle_armed_ms = until_ms;
}

/* When the next one is due; the oldest are at the end. */
static uint64_t close_overdue(struct server *server, uint64_t now_ms)
{
	struct gw_leg *leg;

	while ((leg = TAILQ_LAST(&server->idle, leg_list)) != NULL) {
		if (leg->idle_until_ms > now_ms)
			return leg->idle_until_ms;
		idle_drop(leg);
	}
	return THAW_NEVER;
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct pool *pool = timer->data;
	uint64_t next_ms = THAW_NEVER;

	(void)loop;
	(void)events;
	pool->idle_armed_ms = THAW_NEVER;
	for (size_t i = 0; i < pool->setup.config->upstream_count; i++) {
		struct group *group = &pool->groups[i];
		for (size_t k = 0; k < group->config->server_count; k++) {
			uint64_t due_ms = close_overdue(&group->servers[k], now_of(pool));
			next_ms = due_ms < next_ms ? due_ms : next_ms;
		}
	}
	arm(pool, next_ms);
}

void idle_put(struct gw_leg *leg)
{
	struct server *server = leg->server;
	struct pool *pool = leg->group->pool;

	server_leave(leg);
	ev_timer_stop(pool->setup.loop, &leg->timer);
	leg->wake = NULL;
	leg->want_read = leg->want_write = leg->read_wants_write = leg->write_wants_read = leg->heard = false;
	leg->used = true;
	leg_enter(leg, LEG_IDLE);
	leg->put = ev_iteration(pool->setup.loop);
	leg->idle_until_ms = now_of(pool) + leg->group->config->keepalive_timeout_ms;
	TAILQ_INSERT_HEAD(&server->idle, leg, idle);
	server->use.idle++;
	leg_watch_events(leg, EV_READ);
	arm(pool, leg->idle_until_ms);
}

/*
 * Nothing has come on it. The loop watches it, so what came by the time of its last look is told already, or waits to
 * be: only a leg that rests since that look has to be looked at.
 */
static bool is_quiet(struct gw_leg *leg)
{
	if (leg->tls == NULL && ev_iteration(leg->group->pool->setup.loop) != leg->put)
		return !ev_is_pending(&leg->io);
	return leg_is_fit(leg);
}

struct gw_leg *idle_take(struct server *server)
{
	uint64_t now_ms = now_of(server->group->pool);
	struct gw_leg *leg;

	(void)close_overdue(server, now_ms);
	while ((leg = TAILQ_FIRST(&server->idle)) != NULL) {
		if (!is_quiet(leg)) {
			idle_drop(leg);
			continue;
		}
		TAILQ_REMOVE(&server->idle, leg, idle);
		server->use.idle--;
		server->use.reused++;
		leg_enter(leg, LEG_READY);
		leg->want_read = true; /* and is watched on: its answer is what will be waited for */
		server_enter(server, leg);
		return leg;
	}
	return NULL;
}

bool idle_spare(struct pool *pool)
{
	for (size_t i = 0; i < pool->setup.config->upstream_count; i++) {
		struct group *group = &pool->groups[i];
		for (size_t k = 0; k < group->config->server_count; k++) {
			struct gw_leg *leg = TAILQ_LAST(&group->servers[k].idle, leg_list);
			if (leg == NULL)
				continue;
			idle_drop(leg);
			return true;
		}
	}
	return false;
}

void idle_init(struct pool *pool)
{
	ev_init(&pool->idle_timer, on_timer);
	pool->idle_timer.data = pool;
	pool->idle_armed_ms = THAW_NEVER;
}

void idle_stop(struct pool *pool)
{
	ev_timer_stop(pool->setup.loop, &pool->idle_timer);
}
