/*
 * Names of upstreams to addresses, by c-ares: asynchronously, and kept for as long as the name server says. Many may
 * wait for one name; it is asked for once. What a name server could tell before is used on while it does not answer.
 */
#ifndef LOOP_RESOLVE_H
#define LOOP_RESOLVE_H

#include <ev.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "thaw/types.h"

#define RESOLVE_ADDRESSES   16      /* of one name, at most */
#define RESOLVE_TTL_MIN     1000    /* ms */
#define RESOLVE_TTL_MAX     3600000 /* ms */
#define RESOLVE_TTL_NONE    60000   /* ms; of an answer from /etc/hosts */
#define RESOLVE_STALE_MS    600000  /* how long an old answer is used while no new one can be had */
#define RESOLVE_AGAIN_MS    1000    /* before a name that could not be looked up is asked for again */
#define RESOLVE_PATIENCE_MS 500     /* before an old answer is used while the new one is on its way (RFC 8767 5) */

struct resolver;

struct resolved {
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES]; /* without their ports */
	size_t count;
};

/* One who waits; the caller's memory. */
struct resolve_wait {
	void (*done)(void *arg); /* find again; never called from within a function below */
	void *arg;
	bool waiting;
	LIST_ENTRY(resolve_wait) others;
};

/* servers: "127.0.0.1:5353", or NULL: the system's. now_ms: the loop's clock. NULL with *err set. */
struct resolver *resolver_new(struct ev_loop *loop, const char *servers, const uint64_t *now_ms,
			      struct thaw_error *err);
void resolver_free(struct resolver **resolver);

/*
 * THAW_OK: *resolved, which is valid until the next call. THAW_WANT_READ: wait->done will be called. THAW_FAILED: *err.
 */
enum thaw_status resolver_find(struct resolver *resolver, const char *name, struct resolve_wait *wait,
			       const struct resolved **resolved, struct thaw_error *err) THAW_MUST_CHECK;

/* Waits no more; also where it does not. */
void resolver_cancel(struct resolve_wait *wait);

#endif
