/*
 * What the master and a worker tell each other. A worker hears the master on a socket of its own: when to begin to
 * accept connections, where the access log goes from now on, and when no time is left for requests under way. It
 * answers on a pipe that all workers share, with nothing but its process id: first when it is ready, then again and
 * again, if a watchdog wants to know that it lives.
 */
#ifndef LOOP_CHANNEL_H
#define LOOP_CHANNEL_H

#include <ev.h>

#include "thaw/types.h"

/* A worker's ends; borrowed. */
struct channel_ends {
	int hear, tell;
	uint64_t alive_ms; /* how often it tells that it lives; 0: only once, that it is ready */
};

/* ---- in the master ---- */

/* ends[0] is the master's, ends[1] the worker's. False: errno tells. */
bool channel_open(int ends[2]) THAW_MUST_CHECK;

/* False: the worker does not listen any more. log_fd stays the caller's. */
bool channel_send_go(int fd);
bool channel_send_cut(int fd);
bool channel_send_log(int fd, int log_fd);

/* ---- in a worker ---- */

struct channel {
	struct ev_loop *loop; /* borrowed; NULL: not started */
	struct channel_ends ends;
	ev_io heard;
	ev_timer alive;
	void (*go)(void *arg);
	void (*cut)(void *arg);         /* stop now: requests under way are answered, not finished */
	void (*log)(void *arg, int fd); /* takes over fd */
	void *arg;
};

/* Tells that this process is ready. go, cut, log and arg are set before. */
void channel_start(struct channel *channel, struct ev_loop *loop, const struct channel_ends *ends);
/* To the master: this worker accepts nothing any more. */
void channel_tell_quiet(const struct channel *channel);

void channel_stop(struct channel *channel);

#endif
