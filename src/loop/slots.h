/*
 * The slots of workers: which process runs in each, and when an empty one is to be filled again. A worker that ends is
 * replaced at once. If its successors end quickly, too, the delay doubles each time. This knows only the ids of
 * processes.
 */
#ifndef LOOP_SLOTS_H
#define LOOP_SLOTS_H

#include <sys/types.h>

#include "thaw/types.h"

#define SLOT_QUICK_MS    10000 /* a worker that ran for less than this ended quickly */
#define SLOT_WAIT_MS     100   /* the first delay; doubled each time */
#define SLOT_WAIT_MAX_MS 5000

struct slot {
	unsigned number;     /* of its worker: its place in shared memory */
	int channel;         /* the master's end; -1: none */
	int place;           /* on the scoreboard; -1: none */
	pid_t pid;           /* 0: empty */
	bool ready;          /* its worker has reported that it runs */
	bool quiet;          /* its worker has stopped accepting */
	bool ended;          /* its worker was killed, because it made no progress, and has not ended yet */
	uint64_t heard_ms;   /* when its worker last reported, or was started */
	uint64_t started_ms; /* when its current or last worker was started */
	uint64_t due_ms;     /* if empty: when to fill it; THAW_NEVER: never */
	uint64_t wait_ms;    /* delay before the next worker, if this one ends quickly */
};

struct slots {
	struct slot *items;
	unsigned count;
};

/* Creates empty slots, due at once, numbered from 0. False: out of memory. */
bool slots_init(struct slots *slots, unsigned count);
void slots_free(struct slots *slots);

void slot_filled(struct slot *slot, pid_t pid, uint64_t now_ms);
/* Call this when its worker has reported that it runs. */
void slot_heard(struct slot *slot, uint64_t now_ms);
/* Call this when the worker has ended, or could not be started. */
void slot_emptied(struct slot *slot, uint64_t now_ms);

/* Returns the slot in which that process runs, or NULL. */
struct slot *slots_find(const struct slots *slots, pid_t pid);

/* Returns an empty slot that is due now, or NULL. */
struct slot *slots_due(const struct slots *slots, uint64_t now_ms);

/* Returns when the next empty slot is due; THAW_NEVER: none. */
uint64_t slots_next_ms(const struct slots *slots);

/* Returns whether all running workers have reported that they have stopped accepting. */
bool slots_all_quiet(const struct slots *slots);

unsigned slots_filled(const struct slots *slots);
bool slots_all_ready(const struct slots *slots);

/*
 * Returns a worker that makes no progress: it has not reported for limit_ms, or has not become ready within start_ms.
 * Skips workers that are marked as ended. NULL: none.
 */
struct slot *slots_stalled(const struct slots *slots, uint64_t limit_ms, uint64_t start_ms, uint64_t now_ms);

/* Does not count the time in which the master itself did not run, for example in a frozen container. */
void slots_forgive(struct slots *slots, uint64_t lost_ms);

/* Returns a worker that has not reported for longer than limit_ms. NULL: none. */
const struct slot *slots_silent(const struct slots *slots, uint64_t limit_ms, uint64_t now_ms);

#endif
