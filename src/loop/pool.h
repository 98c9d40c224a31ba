/*
 * A worker's connections to upstreams, as upstream connections that requests borrow (gateway/upconn.h).
 *
 * A *pool* has a *group* for each upstream, a group a *server* for each of its servers. A server has upstream
 *connections in use and idle ones that can be used again (idle.c). Which server an upstream connection is of
 *(server.c): one that does not rest, and of those the one with the fewest upstream connections in use. One that fails
 *several times in a row rests; then one upstream connection is let through to try it. When all rest, the one that has
 *rested longest is tried all the same, since refusing would help nobody. A new upstream connection goes from server to
 *server until it is connected (upconn.c); then it is a transport (upconn_io.c).
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

/* What https servers need, of all upstreams. Before the workers are forked. NULL with *err set, which names the file
 * and the upstream. */
struct pool_tls *pool_tls_load(const struct config *config, struct thaw_error *err);
void pool_tls_free(struct pool_tls **tls);

/* Of one upstream; NULL: it has no https server. */
/*
 * Of client keys on tokens. After fork: this process's socket to the signer (tls/signer.h); borrowed. Whether a
 * handshake that may need a signature can go on in this turn of the event loop. Why the last signature was not made,
 * and forgets it; NULL: it was.
 */
void pool_tls_use_signer(const struct pool_tls *tls, int fd);
bool pool_tls_may_sign(const struct pool_tls *tls);
const char *pool_tls_unsigned(const struct pool_tls *tls);

struct tls_client_context *pool_tls_of(const struct pool_tls *tls, size_t upstream);

struct pool_setup {
	struct ev_loop *loop;
	const struct config *config;
	const struct pool_tls *tls;
	const uint64_t *now_ms;   /* the loop's clock */
	size_t upconns_max;       /* above that, an idle one is closed for each that is made; 0: no limit */
	const char *name_servers; /* "127.0.0.1:5353"; NULL: the system's */
	/* One message for the operator; NULL: dropped. */
	void (*say)(void *arg, enum config_log_level level, const char *text);
	void *arg;
};

/* All borrowed. NULL with *err set. */
struct pool *pool_new(const struct pool_setup *setup, struct thaw_error *err);
/* Once every upstream connection has been given back. */
void pool_free(struct pool **pool);

struct gw_upconns pool_upconns(struct pool *pool);

/* Closes an idle upstream connection, for its descriptor. False: there is none. */
bool pool_spare(struct pool *pool);

/* Of one server, for metrics. */
struct pool_use {
	unsigned in_use, idle;
	uint64_t connects, reused; /* upstream connections that were connected anew, or had served before */
	uint64_t connect_failures; /* its address, or none of its addresses, could be connected to */
	uint64_t failures;         /* upstream connections given back as failed */
	uint64_t resting_until_ms; /* by the loop's clock; 0: it does not rest */
};
void pool_read_use(const struct pool *pool, size_t upstream, size_t server, struct pool_use *use);

#endif
