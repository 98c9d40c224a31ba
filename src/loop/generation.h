/*
 * A generation: one configuration with everything that was prepared for it, and the workers that run with it.
 *
 * During a reload there are several: the one that serves, one that is starting, and older ones whose workers finish
 * their requests. Each has its own descriptors of the listening sockets (listen.h), and its own places in the quota
 * (load.h).
 *
 *	starting ─► serving ─► retiring ─► cutting ─► ending ─► over
 *
 * A worker of a starting generation accepts nothing, so a generation that fails to start has not served any client.
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
	GENERATION_STARTING, /* not all workers have reported yet that they are ready */
	GENERATION_SERVING,
	GENERATION_RETIRING, /* the workers finish requests under way */
	GENERATION_CUTTING,  /* the workers answer the remaining requests with 503, and end */
	GENERATION_ENDING,   /* the workers were killed */
	GENERATION_OVER,     /* no process is left */
	GENERATION_STATES
};

struct generation {
	TAILQ_ENTRY(generation) link;
	unsigned number; /* starts with 1 */
	const struct config *config;
	struct config *own; /* NULL: config is borrowed */
	struct loaded loaded;
	struct listeners listeners;
	struct log log;
	struct slots slots;
	struct slots admin;            /* one slot, or none */
	struct slots signer;           /* one slot, or none */
	struct signer_links links;     /* sockets between workers and signer, in the order of the slots */
	struct scoreboard *scoreboard; /* borrowed */
	struct away *away;             /* borrowed */
	struct throttle *throttle;     /* borrowed */
	struct scoreboard_map *map;    /* this configuration's servers on the scoreboard */
	int hear;                      /* borrowed */
	enum generation_state state;
	uint64_t limit_ms; /* when this state must have ended */
};
TAILQ_HEAD(generations, generation);

/* The parts of a new generation. All but own are borrowed. */
struct generation_parts {
	unsigned number;
	const struct config *config;
	struct config *own;              /* ownership passes, also on failure */
	const struct generation *before; /* NULL: this is the first */
	const struct handed *handed;
	atomic_uint *turns;
	struct scoreboard *scoreboard;
	struct away *away;
	struct throttle *throttle;
	int hear; /* an epoll(7) instance, which returns the process ids of workers that have sent a message */
};

/* Prepares everything, but starts no worker. On failure returns NULL and sets *err; nothing has changed then. */
struct generation *generation_new(const struct generation_parts *parts, uint64_t now_ms, struct thaw_error *err);

/* Call this once no worker is left. go_on: listeners of the generation that continues to serve; NULL: none. */
void generation_free(struct generation **generation, const struct listeners *go_on);

/* The only writer of the state. Sends the messages and signals that the new state needs to the workers. */
void generation_enter(struct generation *generation, enum generation_state to, uint64_t now_ms);

/* How often within worker_timeout a worker reports that it runs, and the master checks the reports. */
#define GENERATION_LOOKS 4

struct generation_birth {
	sigset_t signals;                                         /* the signal mask of the new process */
	uint64_t alive_ms;                                        /* interval that the watchdog needs; 0: no watchdog */
	uint64_t began_ms;                                        /* when the master started */
	void (*forget)(void *arg, const struct generation *mine); /* closes what belongs only to the master */
	void *arg;
};

/* On failure returns false and sets errno; the slot is empty then. */
bool generation_start_worker(struct generation *generation, struct slot *slot, const struct generation_birth *birth,
			     uint64_t now_ms);

typedef void generation_ended(void *arg, pid_t process, uint64_t limit_ms);

/*
 * Kills the workers, the admin process and the signer that make no progress, after calling worker(), admin() or
 * signer() for each. They are replaced after they have ended.
 */
void generation_end_stalled(const struct generation *generation, uint64_t now_ms, generation_ended *worker,
			    generation_ended *admin, generation_ended *signer, void *arg);

/* The same for the admin process. */
bool generation_start_admin(struct generation *generation, const struct generation_birth *birth, uint64_t now_ms);
void generation_lost_admin(struct generation *generation, uint64_t now_ms);

/* The same for the signer process. no_keys: it could not open its keys, so it is not started again. */
bool generation_start_signer(struct generation *generation, const struct generation_birth *birth, uint64_t now_ms);
void generation_lost_signer(struct generation *generation, bool no_keys, uint64_t now_ms);

/* Returns whether all workers and the signer have reported that they are ready. */
bool generation_is_ready(const struct generation *generation);

/* Sends SIGTERM. The process then ends by itself. */
void generation_dismiss_signer(const struct generation *generation);
void generation_dismiss_admin(const struct generation *generation);

/* Returns the number of processes that have not ended. */
unsigned generation_alive(const struct generation *generation);

/* Call this after the worker's process has ended. Gives back what it used. */
void generation_lost_worker(struct generation *generation, struct slot *slot, uint64_t now_ms);

/* Reads the messages of the process in that slot. False: a message was invalid. */
bool generation_hear(struct generation *generation, struct slot *slot, uint64_t now_ms);

/* Opens the log file again, and sends the new descriptor to the workers. */
enum thaw_status generation_reopen_log(struct generation *generation, struct thaw_error *err) THAW_MUST_CHECK;

/* In a process of another generation: closes the sockets between this generation's workers and its signer. */
void generation_close_links(struct generation *generation);

/* Closes the master's ends of all channels. */
void generation_close_channels(const struct generation *generation);

#endif
