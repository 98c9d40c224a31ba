/*
 * The inside of a spool, shared by the files that run it:
 *
 *	spool.c    the queue: written at one end, read at the other
 *	room.c     what makes room: to the disk, or at the cost of those that have waited longest
 *	disk.c     blocks, to the file and back
 *	holding.c  what it holds, as the budgets count it
 */
#ifndef SPOOL_INSIDE_H
#define SPOOL_INSIDE_H

#include "spool/store.h"

struct thaw_spool {
	thaw_store *store;
	uint64_t client, limit, written;
	struct spool_chunks chunks; /* in memory; what is on the disk is older */
	struct spool_chunk *back;   /* a block that was read back; NULL: none */
	int fd;                     /* -1: no file */
	uint64_t serial;            /* of this run of blocks */
	uint64_t blocks, read_blocks;
	uint64_t end, read_at; /* in the file: behind the last block; the next one to be read back */
	uint64_t punched;      /* so much of the file's beginning was given back, if it could be done */
	size_t skip;           /* of the run's first block: read before it went to the disk */
	bool busy;             /* the caller has a pointer into a chunk: nothing of it moves */
	bool rests;            /* in the store's list */
	bool refused;          /* there was no memory for it, beside all others */
	enum thaw_reason ended;
	struct {
		thaw_spool_end_fn *end; /* NULL: may not be ended */
		void *arg;
		uint64_t since_ms;
	} yields;
	TAILQ_ENTRY(thaw_spool) resting, waiting;
	struct thaw_spool_use use;
};

/* holding.c */
enum thaw_reason spool_acquire(struct thaw_spool *spool, enum ledger_tier tier, uint64_t bytes, bool begins);
/* Memory without a limit, for what empties the spool. False: the client cannot be counted. */
bool spool_charge(struct thaw_spool *spool, uint64_t bytes);
void spool_release(struct thaw_spool *spool, enum ledger_tier tier, uint64_t bytes);
/* Gives its memory back. *chunk becomes NULL. */
void spool_drop_chunk(struct thaw_spool *spool, struct spool_chunk **chunk);
/* It was written to just now, or holds no memory any more. */
void spool_note_memory(struct thaw_spool *spool);

/* disk.c */

/* The oldest chunk in memory goes to the disk; there is one, and it has bytes. It stays where it is on a failure. */
enum thaw_reason spool_spill(struct thaw_spool *spool);
/* The next block into `back`, which is there and empty. */
enum thaw_reason spool_read_block(struct thaw_spool *spool);
/* What was read back is not needed on the disk any more. */
void spool_give_back(struct thaw_spool *spool);
void spool_give_up_file(struct thaw_spool *spool);
/* All that it holds, in memory and on the disk. */
void spool_drop_all(struct thaw_spool *spool);

/* room.c */

/* It takes memory now. */
void spool_note_need(struct thaw_spool *spool);
/* It has got memory for its beginning: its client's share is kept open for the next one. */
void spool_keep_share_open(struct thaw_spool *spool);
/* It is about to be freed. */
void spool_note_end(struct thaw_spool *spool);
/*
 * The ledger has refused it memory for that reason: some is given back to the ledger. NONE: try again; else why there
 * is no more.
 */
enum thaw_reason spool_make_room(struct thaw_spool *spool, enum thaw_reason refused);

#endif
