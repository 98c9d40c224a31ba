/*
 * A worker's accepting of connections: in turns with the other workers, within the limits.
 *
 * A worker that has more connections than others leaves new ones to them for a moment. One that is full, so that it can
 * neither take a connection nor close another for it, leaves them to the others, too. When none of them takes any, new
 * connections wait in the kernel for a second, since a request may end; after that they are closed as they come, until
 * there is room.
 */
#ifndef LOOP_ACCEPTOR_H
#define LOOP_ACCEPTOR_H

#include <ev.h>

#include "loop/connection.h"

struct pool;
struct worker_setup;

/* What became of connections at the limits, since the last message. */
struct acceptor_crowd {
	unsigned long long evicted[CLIENTS_KINDS], refused, refused_client;
};

struct acceptor {
	const struct worker_setup *setup; /* all borrowed */
	struct ev_loop *loop;
	struct connections *connections;
	struct pool *pool;
	ev_io *accepts; /* one a listener */
	ev_timer nap;
	bool on;      /* it listens */
	bool going;   /* it may */
	bool stopped; /* it may not any more */
	bool insists; /* has left connections to others, who did not take them */
	bool full;    /* as it was published last */
	unsigned full_naps;
	uint64_t told_ms, told_crowd_ms;
	struct acceptor_crowd crowd;
};

/* The most connections that the file descriptors of this process are enough for. */
size_t acceptor_room(const struct worker_setup *setup);
/* What the configuration allows one worker with room for so many. */
struct connections_limits acceptor_limits(const struct worker_setup *setup, size_t room);

/* False: no memory. */
bool acceptor_init(struct acceptor *acceptor, const struct worker_setup *setup, struct ev_loop *loop,
		   struct connections *connections, struct pool *pool);
void acceptor_free(struct acceptor *acceptor);

void acceptor_go(struct acceptor *acceptor);
void acceptor_stop(struct acceptor *acceptor);

/* A connection has ended. */
void acceptor_room_again(struct acceptor *acceptor);
/* As connections.crowded. */
void acceptor_crowded(struct acceptor *acceptor, enum connections_crowd what, enum clients_kind kind,
		      const struct sockaddr *client);
/* Before the loop sleeps: tells the other workers and the scoreboard whether this one takes connections. */
void acceptor_publish(struct acceptor *acceptor);

#endif
