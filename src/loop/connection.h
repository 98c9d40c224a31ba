/*
 * A worker's connections: each is a socket, a gw_conn, and two watchers.
 *
 * A gw_conn says after every step what it waits for; the watchers follow, but only when that has changed. The timer is
 * lazy: deadlines move with almost every step, mostly further away, so it is left to fire too early and is set anew
 * then. A connection that has more to do than one step allows queues up, and has its next turn once all others had
 * theirs.
 *
 * How many there are is limited: in this worker, in all workers, and of each client address. At a limit, a connection
 * that waits for its client is closed for a new one (clients.h says which); if there is none, the new one is refused.
 * Behind a load balancer the client is known once the PROXY protocol's header is read, and counts from then on.
 */
#ifndef LOOP_CONNECTION_H
#define LOOP_CONNECTION_H

#include <ev.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "gateway/gateway.h"
#include "loop/clients.h"
#include "loop/counts.h"

struct connection;
LIST_HEAD(connection_list, connection);
TAILQ_HEAD(connection_queue, connection);

struct connections_limits {
	size_t own;    /* of this worker */
	size_t all;    /* of all workers; 0: none */
	size_t client; /* of one client address, in all workers; 0: none */
	/* So many of one client it may have here, whatever the others say: one that was taken over could say anything.
	 */
	size_t client_sure;
};

enum connections_crowd { CONNECTIONS_EVICTED, CONNECTIONS_REFUSED, CONNECTIONS_REFUSED_CLIENT };

struct connections {
	struct ev_loop *loop;                /* borrowed */
	struct gateway *gateway;             /* borrowed */
	const struct config_listen *listens; /* borrowed: the configuration's */
	uint64_t now_ms;                     /* read once in an iteration of the loop, by its owner */
	size_t count, queued;
	struct connection_list all;
	struct connection_queue queue;
	struct clients clients;
	const struct counts *counts; /* borrowed */
	unsigned number;             /* the worker's, among the counts */
	struct connections_limits limits;
	bool retiring;
	void (*gone)(void *arg); /* after each connection's end */
	/* A connection was closed or refused at a limit. kind: of one that was closed. client: NULL: not known. */
	void (*crowded)(void *arg, enum connections_crowd what, enum clients_kind kind, const struct sockaddr *client);
	void *arg;
};

/* False: no memory. counts: borrowed; number: of this worker among them. connections_end() in any case. */
bool connections_init(struct connections *connections, struct ev_loop *loop, struct gateway *gateway,
		      const struct connections_limits *limits, const struct counts *counts, unsigned number);

/* No more can be taken: the limit is reached, and no connection could be closed for another. */
bool connections_full(const struct connections *connections);

/* Takes over fd, and steps at once. listener: that it came to, an index in the configuration's. False: no memory; fd is
 * closed. At a limit it makes room, or closes fd. */
bool connections_add(struct connections *connections, int fd, const struct sockaddr_storage *peer, size_t listener);

/* Closes one that waits for its client, for its descriptor. False: there is none. */
bool connections_spare(struct connections *connections);

/* One step for each that is queued. False: none is queued any more. */
bool connections_turn(struct connections *connections);

/* Every connection ends after the request under way. */
void connections_retire(struct connections *connections);

/* Every request under way is answered now, and its connection ends after that. */
void connections_dismiss(struct connections *connections);

/* Closes all that are left, with their access records. */
void connections_end(struct connections *connections);

#endif
