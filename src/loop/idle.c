/* Idle upstream connections, kept for the next request to the same server. One lazy timer closes the overdue ones of
 * all servers. */
#include "loop/server.h"

static uint64_t now_of(const struct pool *pool)
{
	return *pool->setup.now_ms;
}

void idle_drop(struct gw_upconn *upconn)
{
	TAILQ_REMOVE(&upconn->server->idle, upconn, idle);
	upconn->server->use.idle--;
	upconn_free(&upconn);
}

/* The timer may fire too early, and is then set again. */
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

/* Returns when the next one is due. The oldest ones are at the end of the list. */
static uint64_t close_overdue(struct server *server, uint64_t now_ms)
{
	struct gw_upconn *upconn;

	while ((upconn = TAILQ_LAST(&server->idle, upconn_list)) != NULL) {
		if (upconn->idle_until_ms > now_ms)
			return upconn->idle_until_ms;
		idle_drop(upconn);
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

void idle_put(struct gw_upconn *upconn)
{
	struct server *server = upconn->server;
	struct pool *pool = upconn->group->pool;

	server_leave(upconn);
	ev_timer_stop(pool->setup.loop, &upconn->timer);
	upconn->wake = NULL;
	upconn->want_read = upconn->want_write = upconn->read_wants_write = upconn->write_wants_read = upconn->heard =
		false;
	upconn->used = true;
	upconn_enter(upconn, UPCONN_IDLE);
	upconn->put = ev_iteration(pool->setup.loop);
	upconn->idle_until_ms = now_of(pool) + upconn->group->config->keepalive_timeout_ms;
	TAILQ_INSERT_HEAD(&server->idle, upconn, idle);
	server->use.idle++;
	upconn_watch_events(upconn, EV_READ);
	arm(pool, upconn->idle_until_ms);
}

/*
 * Returns whether nothing has arrived on it. The loop watches the socket, so anything that arrived by the last poll was
 * either handled already or is a pending event. Only a connection that became idle after the last poll, or one with
 * TLS, must be checked itself.
 */
static bool is_quiet(struct gw_upconn *upconn)
{
	if (upconn->tls == NULL && ev_iteration(upconn->group->pool->setup.loop) != upconn->put)
		return !ev_is_pending(&upconn->io);
	return upconn_is_fit(upconn);
}

struct gw_upconn *idle_take(struct server *server)
{
	uint64_t now_ms = now_of(server->group->pool);
	struct gw_upconn *upconn;

	(void)close_overdue(server, now_ms);
	while ((upconn = TAILQ_FIRST(&server->idle)) != NULL) {
		if (!is_quiet(upconn)) {
			idle_drop(upconn);
			continue;
		}
		TAILQ_REMOVE(&server->idle, upconn, idle);
		server->use.idle--;
		server->use.reused++;
		upconn_enter(upconn, UPCONN_READY);
		upconn->want_read = true; /* stay watched: the request will wait for the response */
		server_enter(server, upconn);
		return upconn;
	}
	return NULL;
}

bool idle_spare(struct pool *pool)
{
	for (size_t i = 0; i < pool->setup.config->upstream_count; i++) {
		struct group *group = &pool->groups[i];
		for (size_t k = 0; k < group->config->server_count; k++) {
			struct gw_upconn *upconn = TAILQ_LAST(&group->servers[k].idle, upconn_list);
			if (upconn == NULL)
				continue;
			idle_drop(upconn);
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
