/*
 * Looks up the addresses of upstream names with c-ares, asynchronously, and caches them for the TTL. Many callers may
 * wait for one name, with a single query. While a name server does not answer, its previous answer stays in use for
 * RESOLVE_STALE_MS.
 */
#ifndef LOOP_RESOLVE_H
#define LOOP_RESOLVE_H

#include <ev.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "thaw/types.h"

#define RESOLVE_ADDRESSES   16      /* most addresses of one name */
#define RESOLVE_TTL_MIN     1000    /* ms */
#define RESOLVE_TTL_MAX     3600000 /* ms */
#define RESOLVE_TTL_NONE    60000   /* ms; for an answer from /etc/hosts */
#define RESOLVE_STALE_MS    600000  /* ms that an old answer is used if no new one is available */
#define RESOLVE_AGAIN_MS    1000    /* ms between a failed look-up and the next query */
#define RESOLVE_PATIENCE_MS 500     /* ms to wait for a new answer before the old one is used (RFC 8767 5) */

struct resolver;

struct resolved {
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES]; /* without ports */
	size_t count;
};

/* One waiting caller, which owns this memory. */
struct resolve_wait {
	void (*done)(void *arg); /* call resolver_find() again; never called within a function below */
	void *arg;
	bool waiting;
	LIST_ENTRY(resolve_wait) others;
};

/* servers: "127.0.0.1:5353"; NULL: those of the system. now_ms: the loop's clock. NULL with *err set on failure. */
struct resolver *resolver_new(struct ev_loop *loop, const char *servers, const uint64_t *now_ms,
			      struct thaw_error *err);
void resolver_free(struct resolver **resolver);

/*
 * THAW_OK: *resolved is set, and valid until the next call. THAW_WANT_READ: wait->done() will be called. THAW_FAILED:
 * *err is set.
 */
enum thaw_status resolver_find(struct resolver *resolver, const char *name, struct resolve_wait *wait,
			       const struct resolved **resolved, struct thaw_error *err) THAW_MUST_CHECK;

/* Cancels the wait. Does nothing if it does not wait. */
void resolver_cancel(struct resolve_wait *wait);

#endif
