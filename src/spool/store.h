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

struct spool_chunk {
	struct spool_chunk *next;
	size_t at, len; /* unread bytes: at to len */
	unsigned char bytes[THAW_SPOOL_CHUNK];
};

struct thaw_store {
	thaw_ledger *ledger; /* borrowed */
	unsigned worker;
	char *directory; /* NULL: memory only */
	const struct spool_file_ops *files;
	struct cipher cipher;
	uint64_t serial;            /* of the next spool that goes to the disk: half of its nonces */
	struct spool_chunk *spares; /* a few freed chunks; they count for nobody */
	unsigned spare_count;
	unsigned char block[SPOOL_BLOCK]; /* on its way to or from the disk */
};

/* Takes over the cipher only on success. directory: NULL, or a place where a file can be made: tried at once. */
thaw_store *spool_store_new(thaw_ledger *ledger, unsigned worker, const char *directory, struct cipher cipher,
			    const struct spool_file_ops *files, struct thaw_error *err);

struct spool_chunk *spool_chunk_new(thaw_store *store); /* NULL: no memory */
void spool_chunk_free(thaw_store *store, struct spool_chunk *chunk);

#endif
