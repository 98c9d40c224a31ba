/*
 * The admin server: shows the state of the gateway over plain HTTP/1.1, to programs and people.
 *
 *	/             a page with an overview; it refreshes itself       page.c, status.html/.css/.js
 *	/status.json  the data of that page                              status.c
 *	/metrics      all counters, for Prometheus                       metrics.c
 *	/healthz      200: the admin process answers
 *	/readyz       200: the gateway serves, with all configured workers
 *
 * It only reads the scoreboard (gateway/scoreboard_view.h) and the counters of the spool. It does no I/O and reads no
 * clock: a connection (conn.c) is given a transport and the time, and returns what it waits for. A response (respond.c)
 * is complete before its first byte is written. The event loop is in loop/admin.c.
 *
 * Anybody who can reach its address may read, except pages of other sites in a browser (DNS rebinding): the Host field
 * must be an IP address, localhost, this machine's name or one of admin.names. Only GET and HEAD are allowed.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/expiry.h"
#include "base/transport.h"
#include "thaw/spool.h"

#define ADMIN_CONNECTIONS_MAX 32
#define ADMIN_CROWD           16    /* with more connections than this, each is closed after its response */
#define ADMIN_LIMIT_MS        10000 /* for receiving a request, and for sending a response */

struct scoreboard;
struct admin_conn;

/* All borrowed. */
struct admin {
	const struct scoreboard *scoreboard;
	const thaw_quota *quota;
	const struct expiries *expiries;   /* from the configuration; NULL: none */
	uint64_t memory_limit, disk_limit; /* of the spool, in bytes */
	const char *host;                  /* the machine's name; NULL: unknown */
	char *const *names;                /* other accepted names, NULL-terminated; NULL: none */
	uint64_t began_ms;                 /* start time of the gateway */
	int64_t wall_offset_ms;            /* what to add to the monotonic clock to get the time since 1970 */
};

struct admin_wants {
	bool read, write, dead;
	uint64_t deadline_ms;
};

/* admin is borrowed. NULL: out of memory. */
struct admin_conn *admin_conn_new(const struct admin *admin, struct transport transport, uint64_t now_ms);
/* Does everything that is possible without waiting. crowded: close after the response. */
struct admin_wants admin_conn_step(struct admin_conn *conn, bool crowded, uint64_t now_ms);
/* Refuses each request: this client may not read anything. Call this before the first step. */
void admin_conn_bar(struct admin_conn *conn);
/* Closes after the current request, or at once if there is none. */
void admin_conn_retire(struct admin_conn *conn);
void admin_conn_free(struct admin_conn **conn);

#endif
