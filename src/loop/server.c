/* Chooses a server, and marks servers down or up. */
#include "loop/server.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX 640

static void say(const struct server *server, enum config_log_level level, const char *format, ...) THAW_PRINTF(3, 4);
static void say(const struct server *server, enum config_log_level level, const char *format, ...)
{
	const struct pool_setup *setup = &server->group->pool->setup;
	char text[MESSAGE_MAX];
	va_list args;

	if (setup->say == NULL)
		return;
	int len = snprintf(text, sizeof(text), "upstream %s: %s ", server->group->config->name, server->config->text);
	if (len < 0 || (size_t)len >= sizeof(text))
		return;
	va_start(args, format);
	(void)vsnprintf(text + len, sizeof(text) - (size_t)len, format, args);
	va_end(args);
	setup->say(setup->arg, level, text);
}

static bool is_free(const struct server *server, uint64_t now_ms)
{
	return server->down_until_ms == 0 || (now_ms >= server->down_until_ms && !server->on_probation);
}

static bool is_better(const struct server *server, const struct server *best, uint64_t now_ms)
{
	bool free = is_free(server, now_ms);

	if (free != is_free(best, now_ms))
		return free;
	if (!free) /* each is marked down for the same time, so this one was marked down earlier */
		return server->down_until_ms < best->down_until_ms;
	return server->use.in_use < best->use.in_use;
}

struct server *server_best(struct group *group, const bool *tried)
{
	uint64_t now_ms = *group->pool->setup.now_ms;
	unsigned count = (unsigned)group->config->server_count;
	struct server *best = NULL;

	for (unsigned i = 0; i < count; i++) {
		unsigned at = (group->first + i) % count;
		if ((tried == NULL || !tried[at]) && (best == NULL || is_better(&group->servers[at], best, now_ms)))
			best = &group->servers[at];
	}
	return best;
}

void server_enter(struct server *server, struct gw_upconn *upconn)
{
	size_t at = (size_t)(server - server->group->servers);

	upconn->server = server;
	upconn->counted = true;
	upconn->tried[at] = true;
	server->use.in_use++;
	server->group->first = (unsigned)at + 1;
	upconn->on_probation = server->down_until_ms != 0;
	server->on_probation = server->on_probation || upconn->on_probation;
}

bool server_choose(struct gw_upconn *upconn)
{
	struct server *server = server_best(upconn->group, upconn->tried);

	if (server != NULL)
		server_enter(server, upconn);
	return server != NULL;
}

void server_leave(struct gw_upconn *upconn)
{
	if (!upconn->counted)
		return;
	upconn->counted = false;
	upconn->server->use.in_use--;
	if (upconn->on_probation)
		upconn->server->on_probation = false;
	upconn->on_probation = false;
}

void server_failed(struct server *server, const char *why)
{
	const struct config_upstream *config = server->group->config;

	if (server->failures < UINT_MAX)
		server->failures++;
	if (config->max_failures == 0 || server->failures < config->max_failures)
		return;
	if (server->down_until_ms == 0)
		say(server, CONFIG_LOG_WARNING, "marked down for %llu ms (%u failures in a row): %s",
		    (unsigned long long)config->down_ms, server->failures, why);
	server->down_until_ms = *server->group->pool->setup.now_ms + config->down_ms;
}

/* Keeps the failure count, which only a complete response resets. Otherwise a server that ends each response early
 * would never be marked down. */
void server_heard(struct server *server)
{
	if (server->down_until_ms == 0)
		return;
	say(server, CONFIG_LOG_INFO, "is up again");
	server->down_until_ms = 0;
	server->on_probation = false;
}

void server_well(struct server *server)
{
	server_heard(server);
	server->failures = 0;
}
