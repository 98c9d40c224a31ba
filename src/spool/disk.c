/*
 * Writes blocks to the file and reads them back. A block is a chunk's length, then its encrypted bytes.
 *
 * A block's nonce is the serial number of its run and its number within the run. A nonce is never used for different
 * bytes, even after a write that failed half-way: an encrypted chunk takes no more bytes, it is read only after the
 * blocks on the disk, and a run whose first block failed restarts with a new serial number. So blocks cannot be swapped
 * or replayed. The length needs no extra protection: a block with a wrong length does not decrypt.
 */
#include <errno.h>

#include "spool/inside.h"

#define PUNCH_BYTES 196608 /* least number of bytes to release at once */

/* Only whole blocks of the filesystem can be released. */
#define PUNCH_ALIGN 65536

/* Allocation unit of the filesystem. */
#define DISK_PAGE 4096

static enum thaw_reason disk_reason(int cause)
{
	return cause == ENOSPC || cause == EDQUOT || cause == EFBIG ? THAW_REASON_DISK_FULL : THAW_REASON_DISK_ERROR;
}

static uint64_t allocated(uint64_t bytes)
{
	return (bytes + DISK_PAGE - 1) / DISK_PAGE * DISK_PAGE;
}

static void make_nonce(const struct thaw_spool *spool, uint64_t block, uint8_t nonce[CIPHER_NONCE])
{
	for (int i = 0; i < CIPHER_NONCE / 2; i++) {
		nonce[i] = (uint8_t)(spool->serial >> 8 * i);
		nonce[CIPHER_NONCE / 2 + i] = (uint8_t)(block >> 8 * i);
	}
}

static enum thaw_reason open_file(struct thaw_spool *spool)
{
	if (spool->fd >= 0)
		return THAW_REASON_NONE;
	spool->fd = spool->store->files->open(spool->store->directory);
	return spool->fd < 0 ? disk_reason(errno) : THAW_REASON_NONE;
}

/* Does not change the chunk, except that it becomes sealed. */
static enum thaw_reason write_block(struct thaw_spool *spool, struct spool_chunk *chunk)
{
	thaw_store *store = spool->store;
	uint8_t nonce[CIPHER_NONCE];
	enum thaw_reason reason = open_file(spool);

	if (reason != THAW_REASON_NONE)
		return reason;
	for (int i = 0; i < SPOOL_HEADER; i++)
		store->block[i] = (unsigned char)(chunk->len >> 8 * i);
	make_nonce(spool, spool->blocks, nonce);
	chunk->sealed = true;
	if (!store->cipher.ops->seal(store->cipher.key, nonce, chunk->bytes, chunk->len, store->block + SPOOL_HEADER))
		return THAW_REASON_NO_MEMORY;
	int cause = spool_file_write_all(store->files, spool->fd, store->block, SPOOL_HEADER + chunk->len + CIPHER_TAG,
					 (off_t)spool->end);
	return cause != 0 ? disk_reason(cause) : THAW_REASON_NONE;
}

enum thaw_reason spool_spill(struct thaw_spool *spool)
{
	struct spool_chunk *chunk = TAILQ_FIRST(&spool->chunks);
	uint64_t end = spool->end + SPOOL_HEADER + chunk->len + CIPHER_TAG;
	uint64_t more = allocated(end) - allocated(spool->end);
	enum thaw_reason reason = THAW_REASON_NONE;

	if (more > 0)
		reason = spool_acquire(spool, QUOTA_DISK, more, false);
	if (reason != THAW_REASON_NONE)
		return reason;
	if (spool->blocks == 0)
		spool->serial = spool->store->serial++;
	reason = write_block(spool, chunk);
	if (reason != THAW_REASON_NONE) {
		spool_release(spool, QUOTA_DISK, more);
		return reason;
	}
	if (spool->blocks == 0)
		spool->skip = chunk->at;
	spool->blocks++;
	spool->end = end;
	spool->use.to_disk += chunk->len;
	spool->use.to_memory -= chunk->len;
	TAILQ_REMOVE(&spool->chunks, chunk, link);
	spool_drop_chunk(spool, &chunk);
	return THAW_REASON_NONE;
}

enum thaw_reason spool_read_block(struct thaw_spool *spool)
{
	thaw_store *store = spool->store;
	uint64_t left = spool->end - spool->read_at;
	size_t most = left < SPOOL_BLOCK ? (size_t)left : SPOOL_BLOCK, len = 0;
	uint8_t nonce[CIPHER_NONCE];

	/* The block's length is not known yet: this may read a part of the next blocks, too. */
	if (spool_file_read_all(store->files, spool->fd, store->block, most, (off_t)spool->read_at) != 0)
		return THAW_REASON_DISK_ERROR;
	for (int i = 0; i < SPOOL_HEADER; i++)
		len |= (size_t)store->block[i] << 8 * i;
	if (len == 0 || len > THAW_SPOOL_CHUNK || SPOOL_HEADER + len + CIPHER_TAG > most)
		return THAW_REASON_DISK_ERROR;
	make_nonce(spool, spool->read_blocks, nonce);
	if (!store->cipher.ops->open(store->cipher.key, nonce, store->block + SPOOL_HEADER, len, spool->back->bytes))
		return THAW_REASON_DISK_ERROR;
	spool->back->at = spool->read_blocks == 0 ? spool->skip : 0;
	spool->back->len = len;
	spool->read_blocks++;
	spool->read_at += SPOOL_HEADER + len + CIPHER_TAG;
	return THAW_REASON_NONE;
}

void spool_release_read(struct thaw_spool *spool)
{
	uint64_t from = spool->punched, to = spool->read_at - spool->read_at % PUNCH_ALIGN;

	if (to - from < PUNCH_BYTES)
		return;
	spool->punched = to;
	/* If it fails, the bytes stay allocated, and are counted, until the file is closed. */
	if (spool->store->files->punch(spool->fd, (off_t)from, (off_t)(to - from)) == 0)
		spool_release(spool, QUOTA_DISK, to - from);
}

void spool_close_file(struct thaw_spool *spool)
{
	if (spool->fd >= 0)
		(void)spool->store->files->close(spool->fd);
	spool->fd = -1;
	spool->blocks = spool->read_blocks = 0;
	spool->end = spool->read_at = spool->punched = 0;
	spool_release(spool, QUOTA_DISK, spool->use.disk);
}

void spool_drop_all(struct thaw_spool *spool)
{
	while (!TAILQ_EMPTY(&spool->chunks)) {
		struct spool_chunk *chunk = TAILQ_FIRST(&spool->chunks);
		TAILQ_REMOVE(&spool->chunks, chunk, link);
		spool_drop_chunk(spool, &chunk);
	}
	spool_drop_chunk(spool, &spool->back);
	spool_close_file(spool);
	spool->use.unread = 0;
}
