/*
 * A generation: one configuration with all that was readied for it, and the workers that run by it.
 *
 * While a new configuration is taken there are several: the one that serves, one that is being started, and older ones
 * whose workers end what they have. Each has descriptors of its own for the listening sockets (listen.h), and places of
 * its own in the quota (load.h).
 *
 *	starting ─► serving ─► retiring ─► cutting ─► ending ─► over
 *
 * A worker of a generation that is starting accepts nothing, so one that is given up has not served anybody.
 */
#ifndef LOOP_GENERATION_H
#define LOOP_GENERATION_H

#include <signal.h>
#include <sys/queue.h>

#include "loop/load.h"
#include "loop/signer.h"
#include "loop/slots.h"
#include "loop/worker.h"

enum generation_state {
	GENERATION_STARTING, /* not all workers have said yet that they are ready */
	GENERATION_SERVING,
	GENERATION_RETIRING, /* the workers finish what is under way */
	GENERATION_CUTTING,  /* ... or answer what is left with 503, and end */
	GENERATION_ENDING,   /* they are ended, whatever they do */
	GENERATION_OVER,     /* none is left */
	GENERATION_STATES
};

struct generation {
	TAILQ_ENTRY(generation) link;
	unsigned number; /* 1 is the first */
	const struct config *config;
	struct config *own; /* NULL: config is borrowed */
	struct loaded loaded;
	struct listeners listeners;
	struct log log;
	struct slots slots;
	struct slots admin;            /* one, or none */
	struct slots signer;           /* one, or none */
	struct signer_links links;     /* with its workers, in the order of the slots */
	struct scoreboard *scoreboard; /* borrowed */
	struct away *away;             /* borrowed */
	struct throttle *throttle;     /* borrowed */
	struct scoreboard_map *map;    /* this configuration's servers on it */
	int hear;                      /* borrowed */
	enum generation_state state;
	uint64_t limit_ms; /* when patience with this state ends */
};
TAILQ_HEAD(generations, generation);

/* What a generation is made of; all but own is borrowed. */
struct generation_parts {
	unsigned number;
	const struct config *config;
	struct config *own;              /* taken over, also on failure */
	const struct generation *before; /* NULL: this is the first */
	const struct handed *handed;
	atomic_uint *turns;
	struct scoreboard *scoreboard;
	struct away *away;
	struct throttle *throttle;
	int hear; /* an epoll(7) instance: it gives the process ids of workers that have said something */
};

/* Everything is readied, no worker started. NULL with *err set: nothing has changed. */
struct generation *generation_new(const struct generation_parts *parts, uint64_t now_ms, struct thaw_error *err);

/* Once no worker is left. go_on: of the generation that serves on; NULL: none does. */
void generation_free(struct generation **generation, const struct listeners *go_on);

/* The only writer of the state, which tells the workers. */
void generation_enter(struct generation *generation, enum generation_state to, uint64_t now_ms);

/* How often within worker_timeout a worker says that it runs, and the master looks whether all have. */
#define GENERATION_LOOKS 4

struct generation_birth {
	sigset_t signals;                                         /* that the worker begins with */
	uint64_t alive_ms;                                        /* how often a watchdog needs to hear; 0: never */
	uint64_t began_ms;                                        /* when the master did */
	void (*forget)(void *arg, const struct generation *mine); /* closes what is only the master's */
	void *arg;
};

/* False: errno tells. The slot is empty then. */
bool generation_start_worker(struct generation *generation, struct slot *slot, const struct generation_birth *birth,
			     uint64_t now_ms);

typedef void generation_ended(void *arg, pid_t process, uint64_t limit_ms);

/*
 * Ends the workers, the admin process and the signer that make no progress, and names each by worker(), admin() or
 * signer(). They are replaced once they are gone.
 */
void generation_end_stalled(const struct generation *generation, uint64_t now_ms, generation_ended *worker,
			    generation_ended *admin, generation_ended *signer, void *arg);

/* The same for the process that shows all of them to the operator. */
bool generation_start_admin(struct generation *generation, const struct generation_birth *birth, uint64_t now_ms);
void generation_lost_admin(struct generation *generation, uint64_t now_ms);

/* The same for the process that has the keys on tokens. no_keys: it could not open them, and is not started again. */
bool generation_start_signer(struct generation *generation, const struct generation_birth *birth, uint64_t now_ms);
void generation_lost_signer(struct generation *generation, bool no_keys, uint64_t now_ms);

/* All that are to serve have said that they can. */
bool generation_is_ready(const struct generation *generation);

/* It ends by itself then. */
void generation_dismiss_signer(const struct generation *generation);
void generation_dismiss_admin(const struct generation *generation);

/* Processes that are not gone. */
unsigned generation_alive(const struct generation *generation);

/* The worker's process is gone: gives back what it held. */
void generation_lost_worker(struct generation *generation, struct slot *slot, uint64_t now_ms);

/* Takes what the process in that slot has said. False: it has said what none of ours says. */
bool generation_hear(struct generation *generation, struct slot *slot, uint64_t now_ms);

/* Opens the log's file anew, and passes it on. */
enum thaw_status generation_reopen_log(struct generation *generation, struct thaw_error *err) THAW_MUST_CHECK;

/* In a process of another generation: closes the sockets between this one's workers and its signer. */
void generation_close_links(struct generation *generation);

/* Closes the master's ends of all channels. */
void generation_close_channels(const struct generation *generation);

#endif
