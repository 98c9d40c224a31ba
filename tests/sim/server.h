/*
 * The server under test: the gateway, or one of the small servers. All are driven as the gateway's event loop does it:
 * step when the transport is ready or the deadline has passed, then wait for what the step returned.
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
	/* Returns NULL with *err set on failure. */
	void *(*open)(const struct scenario *scenario, const struct server_env *env, struct thaw_error *err);
	void (*close)(void *server);
	void *(*accept)(void *server, struct transport transport, const struct sockaddr *peer, uint64_t now_ms);
	struct gw_wants (*step)(void *conn, uint64_t now_ms);
	void (*drop)(void *conn);
	void (*retire)(void *conn, uint64_t now_ms);                      /* NULL: not supported */
	void (*dismiss)(void *conn, uint64_t now_ms);                     /* NULL: not supported */
	void (*on_ready)(void *conn, void (*wake)(void *arg), void *arg); /* NULL: it never wakes */
};

extern const struct server_ops server_gateway, server_small;

#endif
