/*
 * Private parts of a store, which all spools of one process share. It allocates chunks. room.c decides which spools
 * move to the disk, and which are ended to make room.
 *
 * The public thaw_store_new() is in src/ask/store.c, which adds the cipher.
 */
#ifndef SPOOL_STORE_H
#define SPOOL_STORE_H

#include <sys/queue.h>

#include "base/cipher.h"
#include "spool/file.h"
#include "spool/quota.h"

/* A block on the disk: the length in 4 bytes, then the encrypted bytes and the tag. */
#define SPOOL_HEADER 4
#define SPOOL_BLOCK  (SPOOL_HEADER + THAW_SPOOL_CHUNK + CIPHER_TAG)

/* Bytes of the smallest chunk. Chunks double in size as a body grows, so that a spool allocates at most twice what it
 * contains. */
#define SPOOL_CHUNK_LEAST 512

/* Enough time to answer, also for a program on a slow path. No ask that has waited less is ended while there is one
 * that has waited longer. */
#define SPOOL_OVERDUE_MS 10000

/* How many freed chunks a store keeps for reuse: 4 MiB, which no quota counts. */
#define SPOOL_SPARES_MAX 256

/* Chunks in one mapping. A mapping for each would exceed vm.max_map_count. */
#define SPOOL_SLAB_CHUNKS 64

/* A chunk of THAW_SPOOL_CHUNK bytes is in a slab; the bytes of a smaller one follow its struct on the heap. */
struct spool_chunk {
	TAILQ_ENTRY(spool_chunk) link;
	size_t size;    /* bytes allocated, which the quotas count */
	size_t at, len; /* unread bytes: at to len */
	bool sealed;    /* it was encrypted under its nonce, so no bytes may be added */
	unsigned char *bytes;
	struct spool_slab *slab; /* NULL: on the heap */
};

TAILQ_HEAD(spool_chunks, spool_chunk);
TAILQ_HEAD(spool_list, thaw_spool);
LIST_HEAD(spool_slabs, spool_slab);

struct thaw_store {
	thaw_quota *quota; /* borrowed */
	unsigned worker;
	char *directory; /* NULL: memory only */
	const struct spool_file_ops *files;
	struct cipher cipher;
	uint64_t serial; /* for the next run of blocks on the disk: half of their nonces */

	struct spool_slabs free_slabs, full_slabs; /* with and without unused chunks */
	struct spool_chunks spares;
	unsigned spare_count;

	struct spool_list lru;     /* spools that hold memory, the least recently written first */
	struct spool_list waiting; /* spools that may be ended to make room */
	uint64_t now_ms;           /* the caller's time, at the last call */
	struct thaw_spool *needs;  /* a spool that has taken memory, or was refused memory, since pressure began */
	bool several_need;         /* more than one */
	struct quota_wish wish;    /* the published wish */
	uint64_t wish_ms;          /* when it was published */
	uint64_t deferred_ms;      /* since when this worker waits for others to end asks; 0: it does not */
	uint64_t look_ms;          /* when to search for victims again */
	uint64_t wishes_ms;        /* when to check other workers' wishes again */
	uint64_t publish_ms;       /* when to publish the rank again, while there is no pressure */

	unsigned char block[SPOOL_BLOCK]; /* buffer for a block */
};

/*
 * Takes ownership of the cipher on success only. directory: NULL, or for the files; creating one is tried at once if
 * the quota has disk quota.
 */
thaw_store *spool_store_new(thaw_quota *quota, unsigned worker, const char *directory, struct cipher cipher,
			    const struct spool_file_ops *files, struct thaw_error *err);

/* An empty chunk with room for size bytes, at most THAW_SPOOL_CHUNK. It does not count against quotas here. NULL: out
 * of memory. */
struct spool_chunk *spool_chunk_new(thaw_store *store, size_t size);
void spool_chunk_free(thaw_store *store, struct spool_chunk *chunk);

#endif
