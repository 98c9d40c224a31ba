/*
 * A worker's end of its socket to the signer: takes the answers, and keeps the deadlines of the requests. tls/signing.h
 * says which connection waits for which answer.
 */
#ifndef LOOP_SIGNATURES_H
#define LOOP_SIGNATURES_H

#include <ev.h>

struct signatures {
	struct ev_loop *loop; /* NULL: there is no signer */
	ev_io answers;
	ev_timer deadline;
	ev_prepare before_sleep;
};

/* fd: the worker's socket to the signer, borrowed; -1: there is no signer. Call it after fork. */
void signatures_start(struct signatures *signatures, struct ev_loop *loop, int fd);
void signatures_stop(struct signatures *signatures);

#endif
