/*
 * How a worker accepts connections: it shares them with the other workers, and keeps the limits.
 *
 * A worker that has more connections than others pauses for a moment, so that the others accept new ones. A worker is
 * full if it can neither take a connection nor close another one for it; it also leaves new connections to the others.
 * If no worker takes any, new connections wait in the kernel for a second, because a request may end in that time.
 * After that they are accepted and closed at once, until there is room.
 */
#ifndef LOOP_ACCEPTOR_H
#define LOOP_ACCEPTOR_H

#include <ev.h>

#include "loop/connection.h"

struct pool;
struct worker_setup;

/* Connections closed or refused at the limits since the last message. */
struct acceptor_crowd {
	unsigned long long evicted[CLIENTS_KINDS], refused, refused_client;
};

struct acceptor {
	const struct worker_setup *setup; /* all borrowed */
	struct ev_loop *loop;
	struct connections *connections;
	struct pool *pool;
	ev_io *accepts; /* one per listener */
	ev_timer nap;
	bool on;      /* the watchers are active */
	bool going;   /* acceptor_go() was called */
	bool stopped; /* acceptor_stop() was called */
	bool insists; /* it has paused, and accepts the next connection even if it is ahead */
	bool full;    /* the value published last */
	unsigned full_naps;
	uint64_t logged_ms, logged_crowd_ms;
	struct acceptor_crowd crowd;
};

/* Returns how many connections the descriptor limit (RLIMIT_NOFILE) of this process allows. */
size_t acceptor_room(const struct worker_setup *setup);
/* Returns the limits of one worker. room: the result of acceptor_room(). */
struct connections_limits acceptor_limits(const struct worker_setup *setup, size_t room);

/* False: out of memory. */
bool acceptor_init(struct acceptor *acceptor, const struct worker_setup *setup, struct ev_loop *loop,
		   struct connections *connections, struct pool *pool);
void acceptor_free(struct acceptor *acceptor);

void acceptor_go(struct acceptor *acceptor);
void acceptor_stop(struct acceptor *acceptor);

/* Call this after a connection has ended. */
void acceptor_room_again(struct acceptor *acceptor);
/* See crowded() of struct connections. */
void acceptor_crowded(struct acceptor *acceptor, enum connections_crowd what, enum clients_kind kind,
		      const struct sockaddr *client);
/* Call this before the loop sleeps. Publishes to the other workers and the scoreboard whether this worker takes
 * connections. */
void acceptor_publish(struct acceptor *acceptor);

#endif
