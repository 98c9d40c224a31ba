/*
 * Private parts of a spool, shared by:
 *
 *	spool.c    the queue: written at one end, read at the other
 *	room.c     makes room: moves chunks to the disk, or ends spools
 *	disk.c     writes blocks to the file and reads them back
 *	holding.c  counts what a spool holds against the quotas
 */
#ifndef SPOOL_INSIDE_H
#define SPOOL_INSIDE_H

#include "spool/store.h"

struct thaw_spool {
	thaw_store *store;
	uint64_t client, limit, written;
	struct spool_chunks chunks; /* in memory; blocks on the disk are older */
	struct spool_chunk *back;   /* the block that was read back; NULL: none */
	int fd;                     /* -1: no file */
	uint64_t serial;            /* serial number of this run of blocks */
	uint64_t blocks, read_blocks;
	uint64_t end, read_at; /* in the file: the end of the last block; the start of the next one to read back */
	uint64_t punched;      /* this many bytes at the start of the file were released, if possible */
	size_t skip;           /* bytes of the run's first block that were consumed before it was written */
	bool busy;             /* the caller has a pointer into a chunk, which must not move */
	bool in_lru;           /* in the store's list `lru` */
	bool refused;          /* the total or the worker's quota has refused memory */
	enum thaw_reason ended;
	struct {
		thaw_spool_end_fn *end; /* NULL: may not be ended */
		void *arg;
		uint64_t since_ms;
	} evictable;
	TAILQ_ENTRY(thaw_spool) lru, waiting;
	struct thaw_spool_use use;
};

/* holding.c */
enum thaw_reason spool_acquire(struct thaw_spool *spool, enum quota_tier tier, uint64_t bytes, bool begins);
/* Counts memory without a limit, to read back. False: the client cannot be counted. */
bool spool_charge(struct thaw_spool *spool, uint64_t bytes);
void spool_release(struct thaw_spool *spool, enum quota_tier tier, uint64_t bytes);
/* Frees the chunk and releases its memory. *chunk becomes NULL. */
void spool_drop_chunk(struct thaw_spool *spool, struct spool_chunk **chunk);
/* Updates the LRU list after a write, or when the spool holds no memory any more. */
void spool_note_memory(struct thaw_spool *spool);

/* disk.c */

/* Moves the oldest chunk in memory, which must have bytes, to the disk. On failure it stays in memory. */
enum thaw_reason spool_spill(struct thaw_spool *spool);
/* Reads the next block into `back`, which must be allocated and empty. */
enum thaw_reason spool_read_block(struct thaw_spool *spool);
/* Releases the disk space of blocks that were read back. */
void spool_release_read(struct thaw_spool *spool);
void spool_close_file(struct thaw_spool *spool);
/* Discards all that the spool holds, in memory and on the disk. */
void spool_drop_all(struct thaw_spool *spool);

/* room.c */

/* The spool is about to take memory. */
void spool_note_need(struct thaw_spool *spool);
/* The spool has got memory from the reserved part: frees some of its client's share for the next one. */
void spool_keep_share_open(struct thaw_spool *spool);
/* The spool is about to be freed. */
void spool_note_end(struct thaw_spool *spool);
/*
 * Releases some memory after the quota has refused memory for that reason. NONE: try again; otherwise why there is
 * none.
 */
enum thaw_reason spool_make_room(struct thaw_spool *spool, enum thaw_reason refused);

#endif
