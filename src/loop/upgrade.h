/*
 * Replacing the program that runs: the master starts its program's file anew, as another master with the same
 * listening sockets, and once that one serves it ends as at a stop. So there is no moment at which nobody accepts, and
 * what does not start changes nothing.
 *
 *	the one that is replaced        its successor
 *	starts it                   ─►  reads its configuration, starts its workers
 *	                            ◄─  READY: its workers accept; or FAILED, and why
 *	tells systemd of the new
 *	main process            GO  ─►  tells systemd that it is ready, writes the pid file
 *	ends what it has            ◄─  CUT, if it is itself told to stop at once
 *	ends                        ─►  (the link is closed) may end, too
 */
#ifndef LOOP_UPGRADE_H
#define LOOP_UPGRADE_H

#include <poll.h>
#include <sys/types.h>

#include "loop/control.h"
#include "loop/handover.h"

struct master;

struct upgrade {
	struct control control; /* `thaw upgrade` */
	bool wanted;
	pid_t successor;   /* 0: none was started */
	int link;          /* to it; -1: none */
	uint64_t limit_ms; /* when it must be ready; THAW_NEVER: it is, or there is none */
	bool over;         /* it has taken over */
	char why[256];     /* it has failed; "" : it has not said so */
	int elder;         /* to the one that this one replaces; -1: gone, or none */
	struct handover handover;
};

/* A new one, if it is wanted and can begin now. */
void upgrade_if_wanted(struct master *m);
/* What the successor has said, or has failed to say in time. */
void upgrade_hear(struct master *m);
/* A child that is no worker has ended. */
void upgrade_ended(struct master *m, pid_t pid, int how);
/* This master stops: a successor that is not ready is ended. */
void upgrade_give_up(struct master *m, const char *why);

/* At the beginning: what was handed over, if something was. */
void upgrade_begin(struct master *m);

/* In a successor: its workers accept. Waits until the other one has told systemd. */
void upgrade_ready(struct master *m);
/* It cannot be one. */
void upgrade_failed(const struct master *m, const char *why);
/* The other one is to end at once, too. */
void upgrade_cut_elder(const struct master *m);
/* Looks whether it is gone. */
void upgrade_hear_elder(struct master *m);

/* In a worker, and at the end. */
void upgrade_close(struct upgrade *upgrade);

/* When upgrade_hear() is due. */
static inline uint64_t upgrade_due_ms(const struct upgrade *upgrade)
{
	return upgrade->limit_ms;
}

#endif
