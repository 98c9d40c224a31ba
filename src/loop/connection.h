/*
 * A worker's connections: each is a socket, a gw_conn, and two watchers.
 *
 * A gw_conn says after every step what it waits for; the watchers follow, but only when that has changed. The timer is
 * lazy: deadlines move with almost every step, mostly further away, so it is left to fire too early and is set anew
 * then. A connection that has more to do than one step allows queues up, and has its next turn once all others had
 * theirs.
 */
#ifndef LOOP_CONNECTION_H
#define LOOP_CONNECTION_H

#include <ev.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "gateway/gateway.h"

struct connection;
LIST_HEAD(connection_list, connection);
TAILQ_HEAD(connection_queue, connection);

struct connections {
	struct ev_loop *loop;    /* borrowed */
	struct gateway *gateway; /* borrowed */
	uint64_t now_ms;         /* read once in an iteration of the loop, by its owner */
	size_t count;
	struct connection_list all;
	struct connection_queue queue;
	void (*gone)(void *arg); /* after each connection's end */
	void *arg;
};

void connections_init(struct connections *connections, struct ev_loop *loop, struct gateway *gateway);

/* Takes over fd, and steps at once. preface: it begins with a PROXY protocol header. False: no memory; fd is closed. */
bool connections_add(struct connections *connections, int fd, const struct sockaddr_storage *peer, bool preface);

/* One step for each that is queued. False: none is queued any more. */
bool connections_turn(struct connections *connections);

/* Every connection ends after the request under way. */
void connections_retire(struct connections *connections);

/* Every request under way is answered now, and its connection ends after that. */
void connections_dismiss(struct connections *connections);

/* Closes all that are left, with their access records. */
void connections_end(struct connections *connections);

#endif
