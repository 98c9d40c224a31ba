/*
 * The inside of a store: what all spools of one process share. Its chunks are allocated here; which of its spools moves
 * to the disk, and which is ended to make room, is decided in room.c.
 *
 * The public thaw_store_new() is in src/ask/store.c, where the cipher is known.
 */
#ifndef SPOOL_STORE_H
#define SPOOL_STORE_H

#include <sys/queue.h>

#include "base/cipher.h"
#include "spool/file.h"
#include "spool/ledger.h"

/* A chunk on the disk: the length of its text in 4 bytes, then the text, encrypted. */
#define SPOOL_HEADER 4
#define SPOOL_BLOCK  (SPOOL_HEADER + THAW_SPOOL_CHUNK + CIPHER_TAG)

/* The smallest chunk. They double in size as a body grows, so that a holding costs at most twice what it holds. */
#define SPOOL_CHUNK_LEAST 512

/* Time enough to answer, also for a program on a slow path: none that has waited less is ended while one has more. */
#define SPOOL_OVERDUE_MS 10000

/* How many freed chunks a store keeps, as they come and go in bursts: 4 MiB, which count for nobody. */
#define SPOOL_SPARES_MAX 256

/* Chunks are mapped so many together: one mapping each would run into vm.max_map_count. */
#define SPOOL_SLAB_CHUNKS 64

/* A chunk of THAW_SPOOL_CHUNK bytes lies in a slab; the bytes of a smaller one follow it on the heap. */
struct spool_chunk {
	TAILQ_ENTRY(spool_chunk) link;
	size_t size;    /* allocated; what it counts for */
	size_t at, len; /* unread bytes: at to len */
	bool sealed;    /* it was encrypted under its nonce, so no byte may be added to it */
	unsigned char *bytes;
	struct spool_slab *slab; /* NULL: on the heap */
};

TAILQ_HEAD(spool_chunks, spool_chunk);
TAILQ_HEAD(spool_list, thaw_spool);
LIST_HEAD(spool_slabs, spool_slab);

struct thaw_store {
	thaw_ledger *ledger; /* borrowed */
	unsigned worker;
	char *directory; /* NULL: memory only */
	const struct spool_file_ops *files;
	struct cipher cipher;
	uint64_t serial; /* the next one for a run of blocks on the disk: half of their nonces */

	struct spool_slabs free_slabs, full_slabs; /* with and without a chunk to give out */
	struct spool_chunks spares;
	unsigned spare_count;

	struct spool_list resting; /* that hold memory; the one that was not written to for longest is the first */
	struct spool_list waiting; /* that may be ended to make room */
	uint64_t now_ms;           /* as the caller has said last */
	struct thaw_spool *needs;  /* it took memory, or was refused it, since there is pressure */
	bool several_need;         /* not only that one */
	struct ledger_wish wish;   /* as it was published */
	uint64_t wish_ms;          /* when it began */
	uint64_t deferred_ms;      /* since when others were let go first; 0: they are not */
	uint64_t look_ms;          /* when to look for victims again */
	uint64_t grant_ms;         /* when to look at other workers' wishes again */
	uint64_t publish_ms;       /* when to publish the rank again, while there is no pressure */

	unsigned char block[SPOOL_BLOCK]; /* on its way to or from the disk */
};

/*
 * Takes over the cipher only on success. directory: NULL, or a place where a file can be made: tried at once, if the
 * ledger allows any disk.
 */
thaw_store *spool_store_new(thaw_ledger *ledger, unsigned worker, const char *directory, struct cipher cipher,
			    const struct spool_file_ops *files, struct thaw_error *err);

/* Empty, with room for size bytes, THAW_SPOOL_CHUNK at most; nothing of it is counted here. NULL: no memory. */
struct spool_chunk *spool_chunk_new(thaw_store *store, size_t size);
void spool_chunk_free(thaw_store *store, struct spool_chunk *chunk);

#endif
