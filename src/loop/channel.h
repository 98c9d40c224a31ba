/*
 * Messages between the master and a worker, over a pair of sockets that no other process has. The master tells a worker
 * when to begin to accept connections, where to write the access log from now on, and when requests under way get no
 * more time. A worker reports that it runs, first when it is ready and then regularly, and that it has stopped
 * accepting.
 *
 * The socket identifies the sender, so a worker cannot send in another's name, delay another's messages, or send part
 * of one. The master accepts messages of one byte, and reads a few at a time.
 */
#ifndef LOOP_CHANNEL_H
#define LOOP_CHANNEL_H

#include <ev.h>

#include "thaw/types.h"

/* A worker's end; borrowed. */
struct channel_end {
	int fd;
	uint64_t alive_ms; /* interval of CHANNEL_ALIVE; 0: sent only once, when it is ready */
};

/* ---- in the master ---- */

/* ends[0] is the master's, ends[1] the worker's. On failure returns false and sets errno. */
bool channel_open(int ends[2]) THAW_MUST_CHECK;

/* False: the message could not be sent. The caller keeps log_fd. */
bool channel_send_go(int fd);
bool channel_send_cut(int fd);
bool channel_send_log(int fd, int log_fd);

enum channel_word {
	CHANNEL_SILENCE, /* no message is available */
	CHANNEL_ALIVE,   /* the worker runs */
	CHANNEL_QUIET,   /* the worker has stopped accepting */
	CHANNEL_CLOSED,  /* the worker has closed its end */
	CHANNEL_WRONG,   /* the message is invalid */
};

/* Returns the next message of the worker. Does not wait. */
enum channel_word channel_hear(int fd);

/* ---- in a worker, the admin process or the signer ---- */

struct channel {
	struct ev_loop *loop; /* borrowed; NULL: not started */
	struct channel_end end;
	ev_io heard;
	ev_timer alive;
	/* A message whose function is NULL is ignored. */
	void (*go)(void *arg);
	void (*cut)(void *arg);         /* stop now: requests under way are answered with 503 */
	void (*log)(void *arg, int fd); /* takes ownership of fd */
	void *arg;
};

/* Tells the master that this process is ready, and unblocks SIGTERM, whose watcher is started before. The caller sets
 * go, cut, log and arg before. */
void channel_start(struct channel *channel, struct ev_loop *loop, const struct channel_end *end);
/* Tells the master that this worker has stopped accepting. */
void channel_tell_quiet(const struct channel *channel);

/* Blocks SIGTERM again. */
void channel_stop(struct channel *channel);

#endif
