/*
 * The inside of a store: what all spools of one process share.
 *
 * The public thaw_store_new() is in src/ask/store.c, where the cipher is known.
 */
#ifndef SPOOL_STORE_H
#define SPOOL_STORE_H

#include "base/cipher.h"
#include "spool/file.h"
#include "spool/ledger.h"

/* What a chunk becomes on the disk. */
#define SPOOL_BLOCK (THAW_SPOOL_CHUNK + CIPHER_TAG)

/* How many freed chunks a store keeps, as they come and go in bursts: 4 MiB, which count for nobody. */
#define SPOOL_SPARES_MAX 256

/* The bytes are pages of their own, which go back to the system when the chunk does. */
struct spool_chunk {
	struct spool_chunk *next;
	size_t at, len; /* unread bytes: at to len */
	unsigned char *bytes;
};

struct thaw_store {
	thaw_ledger *ledger; /* borrowed */
	unsigned worker;
	char *directory; /* NULL: memory only */
	const struct spool_file_ops *files;
	struct cipher cipher;
	uint64_t serial; /* the next one for a run of blocks on the disk: half of their nonces */
	struct spool_chunk *spares;
	unsigned spare_count;
	unsigned char block[SPOOL_BLOCK]; /* on its way to or from the disk */
};

/*
 * Takes over the cipher only on success. directory: NULL, or a place where a file can be made: tried at once, if the
 * ledger allows any disk.
 */
thaw_store *spool_store_new(thaw_ledger *ledger, unsigned worker, const char *directory, struct cipher cipher,
			    const struct spool_file_ops *files, struct thaw_error *err);

/* Empty, with room for THAW_SPOOL_CHUNK bytes; nothing of it is counted here. NULL: no memory. */
struct spool_chunk *spool_chunk_new(thaw_store *store);
void spool_chunk_free(thaw_store *store, struct spool_chunk *chunk);

#endif
