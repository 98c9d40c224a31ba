#include "loop/pool.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/socket.h"
#include "loop/server.h"

/* ---- the interface of gateway/upconn.h ---- */

static void pool_wakes(struct gw_upconn *upconn, void (*wake)(void *arg), void *arg)
{
	upconn->wake = wake;
	upconn->arg = arg;
}

static struct gw_upconn *pool_take(void *arg, const struct config_upstream *upstream, bool fresh,
				   void (*wake)(void *arg), void *wake_arg, uint64_t now_ms)
{
	struct pool *pool = arg;
	struct group *group = &pool->groups[upstream - pool->setup.config->upstreams];
	struct server *server = server_best(group, NULL);
	struct gw_upconn *upconn = fresh ? NULL : idle_take(server);

	(void)now_ms; /* the loop's clock has the same value */
	if (upconn == NULL) {
		if (pool->setup.upconns_max != 0 && pool->upconns >= pool->setup.upconns_max)
			(void)idle_spare(pool);
		upconn = upconn_new(server);
		if (upconn == NULL)
			return NULL;
		upconn_begin(upconn);
	}
	pool_wakes(upconn, wake, wake_arg);
	return upconn;
}

static enum thaw_status pool_ready(struct gw_upconn *upconn, uint64_t now_ms, struct thaw_error *err)
{
	(void)now_ms;
	if (upconn->state == UPCONN_READY)
		return THAW_OK;
	if (upconn->state != UPCONN_FAILED)
		return THAW_WANT_READ;
	return error_set(err, upconn->err.cls, "%s", upconn->err.text);
}

static bool pool_used(const struct gw_upconn *upconn)
{
	return upconn->used;
}

static const char *pool_server(const struct gw_upconn *upconn)
{
	return upconn->server != NULL ? upconn->server->config->text : "-";
}

static void pool_stay(struct gw_upconn *upconn)
{
	server_well(upconn->server);
	upconn->used = true;
	upconn->heard = false;
}

static void pool_give(struct gw_upconn **given, enum gw_upconn_end end, uint64_t now_ms)
{
	struct gw_upconn *upconn = *given;
	struct server *server = upconn->server;
	const struct config_upstream *config = upconn->group->config;
	bool ready = upconn->state == UPCONN_READY;

	(void)now_ms;
	*given = NULL;
	if (ready && end == GW_UPCONN_FAIL) {
		server->use.failures++;
		server_failed(server, "invalid response");
	}
	if (ready && (end == GW_UPCONN_KEEP || (end == GW_UPCONN_DROP && upconn->heard)))
		server_well(server);
	if (ready && end == GW_UPCONN_KEEP && !upconn->closing && server->use.idle < config->keepalive &&
	    config->keepalive_timeout_ms > 0)
		idle_put(upconn);
	else
		upconn_free(&upconn);
}

struct gw_upconns pool_upconns(struct pool *pool)
{
	static const struct gw_upconn_ops ops = {
		.take = pool_take,
		.ready = pool_ready,
		.transport = upconn_transport,
		.watch = upconn_watch,
		.used = pool_used,
		.server = pool_server,
		.stay = pool_stay,
		.wakes = pool_wakes,
		.give = pool_give,
	};

	return (struct gw_upconns){&ops, pool};
}

/* ---- creation and end ---- */

static bool make_server(struct server *server, struct thaw_error *err)
{
	const struct config_server *config = server->config;

	TAILQ_INIT(&server->idle);
	if (config->tls) {
		server->memory = tls_client_memory_new();
		if (server->memory == NULL) {
			(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
			return false;
		}
	}
	if (config->path != NULL)
		return socket_address_unix(&server->address, config->path, err);
	return config->named || socket_address(&server->address, config->host, config->port, err);
}

static bool make_group(struct pool *pool, size_t i, bool *names, struct thaw_error *err)
{
	struct group *group = &pool->groups[i];

	group->pool = pool;
	group->config = &pool->setup.config->upstreams[i];
	group->tls = pool_tls_of(pool->setup.tls, i);
	group->servers = calloc(group->config->server_count, sizeof(*group->servers));
	if (group->servers == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return false;
	}
	for (size_t k = 0; k < group->config->server_count; k++) {
		struct server *server = &group->servers[k];
		server->config = &group->config->servers[k];
		server->group = group;
		*names = *names || server->config->named;
		if (!make_server(server, err))
			return false;
	}
	return true;
}

bool pool_spare(struct pool *pool)
{
	return idle_spare(pool);
}

struct pool *pool_new(const struct pool_setup *setup, struct thaw_error *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	bool made = pool != NULL, names = false;

	if (made) {
		pool->setup = *setup;
		idle_init(pool);
		pool->groups = calloc(setup->config->upstream_count + 1, sizeof(*pool->groups));
		made = pool->groups != NULL;
	}
	if (!made)
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
	for (size_t i = 0; made && i < setup->config->upstream_count; i++)
		made = make_group(pool, i, &names, err);
	if (made && names) {
		pool->resolver = resolver_new(setup->loop, setup->name_servers, setup->now_ms, err);
		made = pool->resolver != NULL;
	}
	if (!made)
		pool_free(&pool);
	return pool;
}

static void free_server(struct server *server)
{
	struct gw_upconn *upconn;

	while (server->config != NULL && (upconn = TAILQ_FIRST(&server->idle)) != NULL)
		idle_drop(upconn);
	tls_client_memory_free(&server->memory);
}

void pool_free(struct pool **pool)
{
	struct pool *gone = *pool;

	*pool = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; gone->groups != NULL && i < gone->setup.config->upstream_count; i++) {
		struct group *group = &gone->groups[i];
		for (size_t k = 0; group->servers != NULL && k < group->config->server_count; k++)
			free_server(&group->servers[k]);
		free(group->servers);
	}
	idle_stop(gone);
	resolver_free(&gone->resolver);
	free(gone->groups);
	free(gone);
}

void pool_read_use(const struct pool *pool, size_t upstream, size_t server, struct pool_use *use)
{
	const struct server *read = &pool->groups[upstream].servers[server];

	*use = read->use;
	use->resting_until_ms = read->down_until_ms;
}
