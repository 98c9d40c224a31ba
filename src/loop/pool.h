/*
 * A worker's upstream connections, which requests borrow (gateway/upconn.h).
 *
 * A *pool* has a *group* for each upstream, and a group has a *server* for each server of the upstream. A server has
 * upstream connections in use, and idle ones that can be used again (idle.c). For a new upstream connection, server.c
 * chooses a server that is not marked down, and of those the one with the fewest upstream connections in use. A server
 * that fails several times in a row is marked down for some time; after that, one upstream connection tries it. If all
 * servers are marked down, the one that was marked down first is tried anyway, because refusing would help nobody. A
 * new upstream connection tries one server after the other until it is connected (upconn.c); then it is a transport
 * (upconn_io.c).
 *
 *	new ─► naming ─► connecting ─► handshaking ─► ready ◄─► idle
 *	   each may go on to the next address, the next server, or end as failed
 */
#ifndef LOOP_POOL_H
#define LOOP_POOL_H

#include <ev.h>

#include "gateway/upconn.h"
#include "thaw/types.h"

struct pool;
struct pool_tls;

/* Loads what the https servers of all upstreams need. Call this before the workers are forked. NULL with *err set,
 * which names the file and the upstream. */
struct pool_tls *pool_tls_load(const struct config *config, struct thaw_error *err);
void pool_tls_free(struct pool_tls **tls);

/* Returns the context of one upstream; NULL: it has no https server. */
struct tls_client_context *pool_tls_of(const struct pool_tls *tls, size_t upstream);

struct pool_setup {
	struct ev_loop *loop;
	const struct config *config;
	const struct pool_tls *tls;
	const uint64_t *now_ms;   /* the loop's clock, in ms */
	size_t upconns_max;       /* at this number, each new one closes an idle one; 0: no limit */
	const char *name_servers; /* "127.0.0.1:5353"; NULL: those of the system */
	/* Logs a message for the operator; NULL: messages are dropped. */
	void (*say)(void *arg, enum config_log_level level, const char *text);
	void *arg;
};

/* Everything in setup is borrowed. NULL with *err set on failure. */
struct pool *pool_new(const struct pool_setup *setup, struct thaw_error *err);
/* Call this once every upstream connection has been given back. */
void pool_free(struct pool **pool);

struct gw_upconns pool_upconns(struct pool *pool);

/* Closes an idle upstream connection, to free its descriptor. False: there is none. */
bool pool_spare(struct pool *pool);

/* The use of one server, for metrics. */
struct pool_use {
	unsigned in_use, idle;
	uint64_t connects, reused; /* upstream connections that were newly connected, or had served before */
	uint64_t connect_failures; /* attempts in which no address worked: look-up, connect or TLS */
	uint64_t failures;         /* upstream connections given back with GW_UPCONN_FAIL */
	uint64_t resting_until_ms; /* marked down until then, by the loop's clock; 0: it is not */
};
void pool_read_use(const struct pool *pool, size_t upstream, size_t server, struct pool_use *use);

#endif
