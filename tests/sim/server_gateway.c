#include <stdlib.h>
#include <string.h>

#include "gateway/away.h"
#include "server.h"

#define WALL_OFFSET_MS 1767225600000 /* 2026-01-01 */

struct gateway_server {
	struct config *config;
	struct gateway *gateway;
	struct away *away;
};

static void gateway_close(void *arg)
{
	struct gateway_server *server = arg;

	gateway_free(&server->gateway);
	config_free(&server->config);
	away_free(&server->away);
	free(server);
}

static void *gateway_open(const struct scenario *scenario, const struct server_env *env, struct thaw_error *err)
{
	struct gateway_server *server = calloc(1, sizeof(*server));
	struct away *away = away_new();
	struct gateway_env gateway_env = {
		.away = away,
		.store = env->store,
		.upconns = env->upconns,
		.trace = env->trace,
		.access = env->access,
		.message = env->message,
		.log_arg = env->arg,
		.wall_offset_ms = WALL_OFFSET_MS,
	};
	char *yaml = scenario_yaml(scenario);

	if (server == NULL || away == NULL)
		abort();
	server->away = away;
	server->config = config_parse(yaml, strlen(yaml), "sim", NULL, err);
	free(yaml);
	if (server->config != NULL)
		server->gateway = gateway_new(server->config, &gateway_env, err);
	if (server->gateway != NULL)
		return server;
	gateway_close(server);
	return NULL;
}

static void *gateway_accept(void *arg, struct transport transport, const struct sockaddr *peer, uint64_t now_ms)
{
	struct gateway_server *server = arg;
	return gw_conn_new(server->gateway, transport, peer, false, now_ms);
}

static struct gw_wants gateway_step(void *conn, uint64_t now_ms)
{
	return gw_conn_step(conn, now_ms);
}

static void gateway_drop(void *arg)
{
	struct gw_conn *conn = arg;
	gw_conn_free(&conn);
}

static void gateway_retire(void *conn, uint64_t now_ms)
{
	gw_conn_retire(conn, now_ms);
}

static void gateway_dismiss(void *conn, uint64_t now_ms)
{
	gw_conn_dismiss(conn, now_ms);
}

static void gateway_on_ready(void *conn, void (*wake)(void *arg), void *arg)
{
	gw_conn_on_wake(conn, wake, arg);
}

const struct server_ops server_gateway = {
	.open = gateway_open,
	.close = gateway_close,
	.accept = gateway_accept,
	.step = gateway_step,
	.drop = gateway_drop,
	.retire = gateway_retire,
	.dismiss = gateway_dismiss,
	.on_ready = gateway_on_ready,
};
