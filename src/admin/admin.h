/*
 * The admin server: what an operator sees of the gateway, over plain HTTP/1.1, for machines and for people.
 *
 *	/             a page that shows the gateway at a glance, and refreshes itself       page.c, status.html/.css/.js
 *	/status.json  what that page shows                                                  status.c
 *	/metrics      all counters, for Prometheus                                          metrics.c
 *	/healthz      200: there is somebody who answers
 *	/readyz       200: the gateway serves, with all workers that it should have
 *
 * It only reads: the board (gateway/board_view.h) and the spool's ledger. It does no I/O and looks at no clock: a
 * connection (conn.c) is handed a transport and the time, and says what it waits for; a response (respond.c) is made
 * whole before its first byte is written. The event loop around it is loop/admin.c.
 *
 * It trusts whoever reaches its address, but no page of another site that makes a browser do so: the Host field must be
 * an IP address, localhost, this machine's name or one of admin.names (DNS rebinding), and what is not GET or HEAD is
 * refused.
 */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "base/expiry.h"
#include "base/transport.h"
#include "thaw/spool.h"

#define ADMIN_CONNECTIONS_MAX 32
#define ADMIN_CROWD           16    /* with more connections than that, each ends with its response */
#define ADMIN_LIMIT_MS        10000 /* for a request to come, and for a response to be taken */

struct board;
struct admin_conn;

/* All borrowed. */
struct admin {
	const struct board *board;
	const thaw_ledger *ledger;
	const struct expiries *expiries;   /* of the configuration; NULL: none */
	uint64_t memory_limit, disk_limit; /* of the spool, in bytes */
	const char *host;                  /* the machine's name; NULL: it has none */
	char *const *names;                /* other names for it, NULL-terminated; NULL: none */
	uint64_t began_ms;                 /* the gateway */
	int64_t wall_offset_ms;            /* of the monotonic clock's 0, since 1970 */
};

struct admin_wants {
	bool read, write, dead;
	uint64_t deadline_ms;
};

/* admin: borrowed. NULL: no memory. */
struct admin_conn *admin_conn_new(const struct admin *admin, struct transport transport, uint64_t now_ms);
/* Does all that can be done without waiting. crowded: it ends with its response. */
struct admin_wants admin_conn_step(struct admin_conn *conn, bool crowded, uint64_t now_ms);
/* It ends after the request under way, or at once if there is none. */
void admin_conn_retire(struct admin_conn *conn);
void admin_conn_free(struct admin_conn **conn);

#endif
