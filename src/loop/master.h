/*
 * The internals of the master, shared by its files:
 *
 *	master.c   signals, workers, the watchdog: the events that it waits for
 *	taking.c   from a requested configuration to one that serves
 *	upgrade.c  from this program to the one that replaces it
 *	phases.c   the phases, and how the master ends generations
 */
#ifndef LOOP_MASTER_H
#define LOOP_MASTER_H

#include "loop/control.h"
#include "loop/generation.h"
#include "loop/loop.h"
#include "loop/systemd.h"
#include "loop/upgrade.h"
#include "loop/watch.h"

enum phase {
	PHASE_STARTING, /* no configuration serves yet */
	PHASE_SERVING,
	PHASE_STOPPING, /* workers finish requests under way, or are killed */
	PHASE_OVER,
	PHASES
};

struct master {
	const struct loop_hooks *hooks;
	enum phase phase;
	struct generations all; /* the oldest first */
	struct generation *serving, *coming;
	struct generation *leaving; /* the previous one, until none of its workers accepts */
	uint64_t leaving_ms;        /* when the master stops waiting for that */
	unsigned made;              /* number of generations so far */
	bool stopped;               /* it got a stop signal after a successor has taken over */
	bool wanted;                /* a reload was requested and has not begun */
	struct thaw_error refused;  /* the last reload, if it was refused */
	struct watch watch;         /* watches the files of the generation that serves */
	uint64_t room_ms;           /* when a reload stops waiting for room; 0: not waiting */
	uint64_t now_ms;
	uint64_t ping_ms; /* time of the last watchdog ping */
	uint64_t look_ms; /* time of the last look() */
	atomic_uint *turns;
	struct scoreboard *scoreboard;
	struct away *away;
	struct throttle *throttle;
	struct systemd systemd;
	struct control control;
	struct upgrade upgrade;
	struct generation_birth birth; /* for each new process */
	int signals;                   /* a signalfd */
	int hear;                      /* an epoll(7) instance over the workers' channels */
	struct thaw_error *err;
};

/* The log of the generation that serves, or of the first one while it starts. */
static inline struct log *master_log(const struct master *m)
{
	return m->serving != NULL ? &m->serving->log : &TAILQ_FIRST(&m->all)->log;
}

/* ---- phases.c ---- */

/* The only writer of the phase. */
void master_enter(struct master *m, enum phase to);

/* Call this when a successor accepts on the same sockets. Stops as for SIGTERM, but does not remove the socket
 * files. */
void master_leave(struct master *m);
/* First call: requests under way get no more time. Second call: the workers are killed. */
void master_cut(struct master *m);

/* Pings the watchdog, if there is one. Call this at once when this process becomes the main process of the service: the
 * last ping of the process before it may be half an interval old. */
void master_ping(struct master *m);

/* ---- taking.c ---- */

/* Prepares the first configuration. */
enum thaw_status taking_first(struct master *m, const struct config *config) THAW_MUST_CHECK;

/* Starts a reload if one was requested, or if files have changed, and it can begin now. */
void taking_if_wanted(struct master *m);

/* Call this when all workers of the coming generation are ready. */
void taking_done(struct master *m);

/* Sends the result of the reload when the previous generation has stopped accepting, or has not reported so in time. */
void taking_if_left(struct master *m);

/* Gives up the coming generation. None of its workers has served a client. */
void taking_failed(struct master *m, const char *why);

#endif
