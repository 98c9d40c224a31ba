/*
 * What serves: the gateway, or one of the small servers. All are driven alike, as the gateway's event loop would: step
 * when the transport is ready or the deadline has come, and believe what the step says it waits for.
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "base/trace.h"
#include "gateway/gateway.h"
#include "scenario.h"

struct sockaddr;

struct server_env {
	thaw_store *store;
	struct gw_upconns upconns;
	struct trace trace;
	void (*access)(void *arg, const char *line, size_t len);
	void (*message)(void *arg, enum config_log_level level, const char *text);
	void *arg;
};

struct server_ops {
	/* NULL with *err set. */
	void *(*open)(const struct scenario *scenario, const struct server_env *env, struct thaw_error *err);
	void (*close)(void *server);
	void *(*accept)(void *server, struct transport transport, const struct sockaddr *peer, uint64_t now_ms);
	struct gw_wants (*step)(void *conn, uint64_t now_ms);
	void (*drop)(void *conn);
	void (*retire)(void *conn, uint64_t now_ms);                     /* NULL: cannot */
	void (*dismiss)(void *conn, uint64_t now_ms);                    /* NULL: cannot */
	void (*on_wake)(void *conn, void (*wake)(void *arg), void *arg); /* NULL: never wakes */
};

extern const struct server_ops server_gateway, server_small;

#endif
