/*
 * The inside of the master, shared by the files that are it:
 *
 *	master.c   signals, workers, the watchdog: what it waits for
 *	taking.c   from a configuration that is asked for to the one that serves
 *	upgrade.c  from this program to the one that replaces it
 *	phases.c   the phases, and how the master ends what it serves
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
	PHASE_STOPPING, /* workers finish what is under way, or are ended */
	PHASE_OVER,
	PHASES
};

struct master {
	const struct loop_hooks *hooks;
	enum phase phase;
	struct generations all; /* the oldest first */
	struct generation *serving, *coming;
	struct generation *leaving; /* what served before, until all its workers have said that they accept no more */
	uint64_t leaving_ms;        /* when that is not waited for any more */
	unsigned made;              /* generations so far */
	bool stopped;               /* told to stop, after a successor has taken over */
	bool wanted;                /* a reload is, and has not begun */
	struct watch watch;         /* of what serves */
	uint64_t room_ms;           /* when a reload that is wanted stops waiting for room; 0: it does not wait */
	uint64_t now_ms;
	uint64_t ping_ms; /* when the watchdog was last told */
	uint64_t look_ms; /* when the master last looked at what it waits for */
	atomic_uint *turns;
	struct scoreboard *scoreboard;
	struct away *away;
	struct throttle *throttle;
	struct systemd systemd;
	struct control control;
	struct upgrade upgrade;
	struct generation_birth birth; /* of each worker */
	int signals;                   /* a signalfd */
	int hear;                      /* an epoll(7) instance over the workers' channels */
	struct thaw_error *err;
};

/* Where messages go: by the configuration that serves, or else the one that is to. */
static inline struct log *master_log(const struct master *m)
{
	return m->serving != NULL ? &m->serving->log : &TAILQ_FIRST(&m->all)->log;
}

/* ---- phases.c ---- */

/* The only writer of the phase. */
void master_enter(struct master *m, enum phase to);

/* A successor accepts on the same sockets: ends as at a stop, but leaves the sockets' files alone. */
void master_leave(struct master *m);
/* Requests under way get no more time. Again: nor do the workers. */
void master_cut(struct master *m);

/* ---- taking.c ---- */

/* Readies the first configuration. */
enum thaw_status taking_first(struct master *m, const struct config *config) THAW_MUST_CHECK;

/* A reload, if one is wanted and can begin now; also because of files that have changed. */
void taking_if_wanted(struct master *m);

/* All workers of the coming generation are ready. */
void taking_done(struct master *m);

/* What served before serves no more, or is too slow to say so: whoever asked for the reload is told. */
void taking_if_left(struct master *m);

/* The coming generation will not be; none of its workers has served anybody. */
void taking_failed(struct master *m, const char *why);

#endif
