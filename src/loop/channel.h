/*
 * What the master and a worker tell each other, on a pair of sockets that no other process has. A worker hears when to
 * begin to accept connections, where the access log goes from now on, and when no time is left for requests under way.
 * It says that it runs, first when it is ready and then again and again, and that it accepts no more.
 *
 * Who speaks is known by the socket, so that no worker can speak for another, hold up what another says, or say half of
 * it. The master takes one byte a message, and a few messages at a time.
 */
#ifndef LOOP_CHANNEL_H
#define LOOP_CHANNEL_H

#include <ev.h>

#include "thaw/types.h"

/* A worker's end; borrowed. */
struct channel_end {
	int fd;
	uint64_t alive_ms; /* how often it tells that it runs; 0: only once, that it is ready */
};

/* ---- in the master ---- */

/* ends[0] is the master's, ends[1] the worker's. False: errno tells. */
bool channel_open(int ends[2]) THAW_MUST_CHECK;

/* False: the worker does not listen any more. log_fd stays the caller's. */
bool channel_send_go(int fd);
bool channel_send_cut(int fd);
bool channel_send_log(int fd, int log_fd);

enum channel_word {
	CHANNEL_SILENCE, /* nothing more for now */
	CHANNEL_ALIVE,   /* it runs */
	CHANNEL_QUIET,   /* it accepts no more */
	CHANNEL_CLOSED,  /* it will say nothing more */
	CHANNEL_WRONG,   /* what no worker of ours says */
};

/* Its next message; does not wait. */
enum channel_word channel_hear(int fd);

/* ---- in a worker ---- */

struct channel {
	struct ev_loop *loop; /* borrowed; NULL: not started */
	struct channel_end end;
	ev_io heard;
	ev_timer alive;
	void (*go)(void *arg);
	void (*cut)(void *arg);         /* stop now: requests under way are answered, not finished */
	void (*log)(void *arg, int fd); /* takes over fd */
	void *arg;
};

/* Tells that this process is ready. go, cut, log and arg are set before. */
void channel_start(struct channel *channel, struct ev_loop *loop, const struct channel_end *end);
/* To the master: this worker accepts nothing any more. */
void channel_tell_quiet(const struct channel *channel);

void channel_stop(struct channel *channel);

#endif
