/*
 * The workers' places: which process runs in each, and when an empty one is to be filled again. A worker that ends is
 * replaced at once; if its successors end quickly, too, each waits longer. Knows nothing of processes but their ids.
 */
#ifndef LOOP_SLOTS_H
#define LOOP_SLOTS_H

#include <sys/types.h>

#include "thaw/types.h"

#define SLOT_QUICK_MS    10000 /* a worker that lived shorter than this ended quickly */
#define SLOT_WAIT_MS     100   /* the first wait; doubled each time */
#define SLOT_WAIT_MAX_MS 5000

struct slot {
	unsigned number;     /* of its worker: its place in what the workers share */
	int channel;         /* the master's end; -1: none */
	int place;           /* on the scoreboard; -1: none */
	pid_t pid;           /* 0: empty */
	bool ready;          /* its worker has said that it runs */
	bool quiet;          /* ... and that it accepts no more */
	bool ended;          /* it was ended, for it made no progress, and is not gone yet */
	uint64_t heard_ms;   /* when its worker last said so; or when it was started */
	uint64_t started_ms; /* of the worker that is, or was, in it */
	uint64_t due_ms;     /* empty: when it is to be filled; THAW_NEVER: not at all */
	uint64_t wait_ms;    /* before the next one, if this one ends quickly */
};

struct slots {
	struct slot *items;
	unsigned count;
};

/* All empty and due at once, numbered from 0. False: no memory. */
bool slots_init(struct slots *slots, unsigned count);
void slots_free(struct slots *slots);

void slot_filled(struct slot *slot, pid_t pid, uint64_t now_ms);
/* Its worker has said that it runs. */
void slot_heard(struct slot *slot, uint64_t now_ms);
/* The worker has ended, or could not be started. */
void slot_emptied(struct slot *slot, uint64_t now_ms);

/* The slot in which that process runs, or NULL. */
struct slot *slots_find(const struct slots *slots, pid_t pid);

/* An empty slot that is due now, or NULL. */
struct slot *slots_due(const struct slots *slots, uint64_t now_ms);

/* When the next empty slot is due; THAW_NEVER: none will be. */
uint64_t slots_next_ms(const struct slots *slots);

/* Of those that are left, every one has said that it accepts no more. */
bool slots_all_quiet(const struct slots *slots);

unsigned slots_filled(const struct slots *slots);
bool slots_all_ready(const struct slots *slots);

/*
 * A worker that makes no progress: it has not been heard of for limit_ms, or has not become ready within start_ms.
 * NULL: none but such as are marked as ended already.
 */
struct slot *slots_stalled(const struct slots *slots, uint64_t limit_ms, uint64_t start_ms, uint64_t now_ms);

/* Time in which the master itself did not run is not counted against the workers: a frozen container, say. */
void slots_forgive(struct slots *slots, uint64_t lost_ms);

/* A worker that has not been heard of for longer than limit_ms; NULL: none. */
const struct slot *slots_silent(const struct slots *slots, uint64_t limit_ms, uint64_t now_ms);

#endif
