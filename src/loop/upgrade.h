/*
 * Replaces the running program. The master starts its program file as another master with the same listening sockets.
 * Once that one serves, the old one ends as for SIGTERM. So there is always a process that accepts, and if the new one
 * does not start, nothing changes.
 *
 *	the process that is replaced    its successor
 *	starts it                   ─►  reads its configuration, starts its workers
 *	                            ◄─  READY: its workers accept; or FAILED, and why
 *	notifies systemd of the new
 *	main process            GO  ─►  notifies systemd that it is ready, writes the pid file
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
	int link;          /* to the successor; -1: none */
	uint64_t limit_ms; /* when the successor must be ready; THAW_NEVER: it is ready, or there is none */
	bool over;         /* the successor has taken over */
	char why[256];     /* why the successor has failed; "": it has not reported that */
	int elder;         /* to the process that this one replaces; -1: it has ended, or there is none */
	struct handover handover;
};

/* Starts an upgrade if one was requested and can begin now. */
void upgrade_if_wanted(struct master *m);
/* Reads messages of the successor, and ends it if it is not ready in time. */
void upgrade_hear(struct master *m);
/* Call this when a child that is not a worker has ended. */
void upgrade_ended(struct master *m, pid_t pid, int how);
/* Call this when this master stops. Ends a successor that is not ready. */
void upgrade_give_up(struct master *m, const char *why);

/* Call this at the start. Takes the sockets that were handed over, if any. */
void upgrade_begin(struct master *m);

/* In a successor: call this when its workers accept. Waits until the other process has notified systemd, at most 5
 * s. */
void upgrade_ready(struct master *m);
/* In a successor: reports that it cannot start. */
void upgrade_failed(const struct master *m, const char *why);
/* Tells the process that this one replaces to end at once, too. */
void upgrade_cut_elder(const struct master *m);
/* Checks whether that process has ended. */
void upgrade_hear_elder(struct master *m);

/* Closes all sockets. Called in a new worker, and at the end. */
void upgrade_close(struct upgrade *upgrade);

/* Returns when upgrade_hear() is due. */
static inline uint64_t upgrade_due_ms(const struct upgrade *upgrade)
{
	return upgrade->limit_ms;
}

#endif
