/*
 * A worker's connections: each is a socket, a gw_conn, and two watchers.
 *
 * After every step a gw_conn says what it waits for. The watchers are changed only if that has changed. The timer is
 * lazy: deadlines move with almost every step, mostly to a later time, so the timer may fire too early, and is then set
 * again. A connection that has more to do than one step allows is queued, and gets its next step after all others had
 * theirs.
 *
 * The number of connections is limited: in this worker, in all workers, and for each client address. At a limit, a
 * connection that waits for its client is closed for the new one (clients.h says which); if there is none, the new one
 * is refused. Behind a load balancer, the client is known once the PROXY protocol header is read, and counts from then
 * on.
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
	size_t own;    /* in this worker */
	size_t all;    /* in all workers; 0: no limit */
	size_t client; /* of one client address, in all workers; 0: no limit */
	/* A client may have this many connections here, whatever the counts of other workers say: a compromised worker
	 * could write anything there. */
	size_t client_sure;
};

enum connections_crowd { CONNECTIONS_EVICTED, CONNECTIONS_REFUSED, CONNECTIONS_REFUSED_CLIENT };

struct connections {
	struct ev_loop *loop;                /* borrowed */
	struct gateway *gateway;             /* borrowed */
	const struct config_listen *listens; /* borrowed from the configuration */
	uint64_t now_ms;                     /* the owner sets it once in each iteration of the loop */
	size_t count, queued;
	struct connection_list all;
	struct connection_queue queue;
	struct clients clients;
	const struct counts *counts; /* borrowed */
	unsigned number;             /* of the worker in counts */
	struct connections_limits limits;
	bool retiring;
	void (*gone)(void *arg); /* called after each connection has ended */
	/* Called when a connection was closed or refused at a limit. kind: of the closed one. client NULL: not
	 * known. */
	void (*crowded)(void *arg, enum connections_crowd what, enum clients_kind kind, const struct sockaddr *client);
	void *arg;
};

/* counts: borrowed. number: of this worker in counts. False: out of memory. The caller calls connections_end() in any
 * case. */
bool connections_init(struct connections *connections, struct ev_loop *loop, struct gateway *gateway,
		      const struct connections_limits *limits, const struct counts *counts, unsigned number);

/* Returns whether the limit is reached and no connection can be closed for a new one. */
bool connections_full(const struct connections *connections);

/* Takes ownership of fd, and steps the connection at once. listener: index in the configuration. At a limit it makes
 * room, or closes fd and returns true. False: out of memory; fd is closed. */
bool connections_add(struct connections *connections, int fd, const struct sockaddr_storage *peer, size_t listener);

/* Closes a connection that waits for its client, to free its descriptor. False: there is none. */
bool connections_spare(struct connections *connections);

/* Steps each queued connection once. True: connections are still queued. */
bool connections_turn(struct connections *connections);

/* Lets each connection end after the request under way. */
void connections_retire(struct connections *connections);

/* Answers all requests under way now; then their connections end. */
void connections_dismiss(struct connections *connections);

/* Closes all remaining connections, and writes their access records. */
void connections_end(struct connections *connections);

#endif
