/*
 * One request's queue of bytes, in the order in which they are read:
 *
 *	memory ──► disk ──► stage
 *
 * memory: chunks, the last of which is written to until the memory allowed is spent. disk: full chunks, encrypted, in
 *blocks of SPOOL_BLOCK. stage: the chunk that is filled next for the disk; it is read from there if it never gets full.
 *A block is read back into one more chunk, `back`, which is set aside before the first block is written, so that
 *reading never fails for want of a budget.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spool/store.h"

#define PUNCH_BLOCKS 64 /* the disk is given back a MiB at a time */

struct thaw_spool {
	thaw_store *store;
	uint64_t client, limit, written;
	struct spool_chunk *first, *last; /* memory */
	struct spool_chunk *stage, *back; /* NULL until the disk is used */
	int fd;                           /* -1: no file yet */
	uint64_t serial;
	uint64_t blocks, read_blocks, punched; /* on the disk: written, read back, given back */
	struct thaw_spool_use use;
};

thaw_spool *thaw_spool_new(thaw_store *store, const struct sockaddr *client, uint64_t limit)
{
	thaw_spool *spool = calloc(1, sizeof(*spool));

	if (spool == NULL)
		return NULL;
	spool->store = store;
	spool->client = ledger_client(store->ledger, client);
	spool->limit = limit;
	spool->fd = -1;
	return spool;
}

static void release(thaw_spool *spool, enum ledger_tier tier, uint64_t bytes)
{
	ledger_release(spool->store->ledger, spool->store->worker, spool->client, tier, bytes);
	if (tier == LEDGER_MEMORY)
		spool->use.memory -= bytes;
	else
		spool->use.disk -= bytes;
}

static enum thaw_reason acquire(thaw_spool *spool, enum ledger_tier tier, uint64_t bytes, bool first)
{
	enum thaw_reason reason =
		ledger_acquire(spool->store->ledger, spool->store->worker, spool->client, tier, bytes, first);

	if (reason != THAW_REASON_NONE)
		return reason;
	if (tier == LEDGER_MEMORY)
		spool->use.memory += bytes;
	else
		spool->use.disk += bytes;
	if (spool->use.memory > spool->use.memory_most)
		spool->use.memory_most = spool->use.memory;
	return THAW_REASON_NONE;
}

static void drop_chunk(thaw_spool *spool, struct spool_chunk **chunk)
{
	if (*chunk == NULL)
		return;
	spool_chunk_free(spool->store, *chunk);
	*chunk = NULL;
	release(spool, LEDGER_MEMORY, THAW_SPOOL_CHUNK);
}

void thaw_spool_free(thaw_spool **spool)
{
	thaw_spool *gone = *spool;

	*spool = NULL;
	if (gone == NULL)
		return;
	while (gone->first != NULL) {
		struct spool_chunk *chunk = gone->first;
		gone->first = chunk->next;
		drop_chunk(gone, &chunk);
	}
	drop_chunk(gone, &gone->stage);
	drop_chunk(gone, &gone->back);
	if (gone->fd >= 0)
		(void)gone->store->files->close(gone->fd);
	release(gone, LEDGER_DISK, gone->use.disk);
	free(gone);
}

/* first: one of the chunks that a request needs to begin, or to spill. */
static enum thaw_reason take_chunk(thaw_spool *spool, bool first, struct spool_chunk **chunk)
{
	enum thaw_reason reason = acquire(spool, LEDGER_MEMORY, THAW_SPOOL_CHUNK, first);

	if (reason != THAW_REASON_NONE)
		return reason;
	*chunk = spool_chunk_new(spool->store);
	if (*chunk != NULL)
		return THAW_REASON_NONE;
	release(spool, LEDGER_MEMORY, THAW_SPOOL_CHUNK);
	return THAW_REASON_NO_MEMORY;
}

static enum thaw_reason disk_reason(int cause)
{
	return cause == ENOSPC || cause == EDQUOT || cause == EFBIG ? THAW_REASON_DISK_FULL : THAW_REASON_DISK_ERROR;
}

/* A spool's serial and a block's number: together never used twice under one key. */
static void make_nonce(const thaw_spool *spool, uint64_t block, uint8_t nonce[CIPHER_NONCE])
{
	for (int i = 0; i < CIPHER_NONCE / 2; i++) {
		nonce[i] = (uint8_t)(spool->serial >> 8 * i);
		nonce[CIPHER_NONCE / 2 + i] = (uint8_t)(block >> 8 * i);
	}
}

static enum thaw_reason open_file(thaw_spool *spool)
{
	if (spool->fd >= 0)
		return THAW_REASON_NONE;
	spool->fd = spool->store->files->open(spool->store->directory);
	if (spool->fd < 0)
		return disk_reason(errno);
	spool->serial = spool->store->serial++;
	return THAW_REASON_NONE;
}

/* A full chunk onto the disk. The chunk is left as it is, whatever comes of it. */
static enum thaw_reason write_block(thaw_spool *spool, const struct spool_chunk *chunk)
{
	thaw_store *store = spool->store;
	uint8_t nonce[CIPHER_NONCE];
	enum thaw_reason reason = acquire(spool, LEDGER_DISK, SPOOL_BLOCK, false);

	if (reason != THAW_REASON_NONE)
		return reason;
	reason = open_file(spool);
	make_nonce(spool, spool->blocks, nonce);
	if (reason == THAW_REASON_NONE &&
	    !store->cipher.ops->seal(store->cipher.key, nonce, chunk->bytes, THAW_SPOOL_CHUNK, store->block))
		reason = THAW_REASON_NO_MEMORY;
	if (reason == THAW_REASON_NONE) {
		int cause = spool_file_write_all(store->files, spool->fd, store->block, SPOOL_BLOCK,
						 (off_t)(spool->blocks * SPOOL_BLOCK));
		reason = cause != 0 ? disk_reason(cause) : THAW_REASON_NONE;
	}
	if (reason != THAW_REASON_NONE) {
		release(spool, LEDGER_DISK, SPOOL_BLOCK);
		return reason;
	}
	spool->blocks++;
	spool->use.to_disk += THAW_SPOOL_CHUNK;
	spool->use.to_memory -= THAW_SPOOL_CHUNK;
	return THAW_REASON_NONE;
}

/*
 * The disk could not be begun: all is still in memory. The next attempt may begin with other bytes, so it needs other
 * nonces.
 */
static void forget_blocks(thaw_spool *spool)
{
	release(spool, LEDGER_DISK, spool->blocks * SPOOL_BLOCK);
	spool->use.to_disk -= spool->blocks * THAW_SPOOL_CHUNK;
	spool->use.to_memory += spool->blocks * THAW_SPOOL_CHUNK;
	spool->blocks = 0;
	spool->serial = spool->store->serial++;
}

/* Cuts the list of memory chunks off before chunk. */
static void cut_off(thaw_spool *spool, const struct spool_chunk *chunk)
{
	struct spool_chunk **link = &spool->first;

	spool->last = NULL;
	while (*link != chunk) {
		spool->last = *link;
		link = &(*link)->next;
	}
	*link = NULL;
}

/*
 * The last memory chunk, which is full, goes to the disk, and becomes the stage. Where no memory is left for `back`,
 * the chunk before it goes there, too, and becomes that.
 */
static enum thaw_reason begin_disk(thaw_spool *spool)
{
	struct spool_chunk *last = spool->last, *before = spool->first, *back = NULL;
	enum thaw_reason reason = take_chunk(spool, true, &back);

	while (before != last && before->next != last)
		before = before->next;
	if (reason != THAW_REASON_NONE && before == last)
		return reason;
	const struct spool_chunk *oldest = back != NULL ? last : before;
	reason = back == NULL ? write_block(spool, before) : THAW_REASON_NONE;
	if (reason == THAW_REASON_NONE)
		reason = write_block(spool, last);
	if (reason != THAW_REASON_NONE) {
		forget_blocks(spool);
		drop_chunk(spool, &back);
		return reason;
	}
	cut_off(spool, oldest);
	spool->stage = last;
	spool->back = back != NULL ? back : before;
	/* What was read of it already is passed over when it is read back. */
	spool->back->at = oldest->at;
	spool->back->len = 0;
	last->next = spool->back->next = NULL;
	last->at = last->len = 0;
	return THAW_REASON_NONE;
}

/* Why no more memory chunk can be had; NONE: *chunk is one. */
static enum thaw_reason more_memory(thaw_spool *spool, struct spool_chunk **chunk)
{
	if (spool->first != NULL && spool->use.memory + THAW_SPOOL_CHUNK > ledger_request_memory(spool->store->ledger))
		return THAW_REASON_BUDGET_CLIENT;
	return take_chunk(spool, spool->first == NULL, chunk);
}

static enum thaw_reason room_in_memory(thaw_spool *spool, struct spool_chunk **where)
{
	struct spool_chunk *chunk = NULL;

	*where = spool->last;
	if (spool->last != NULL && spool->last->len < THAW_SPOOL_CHUNK)
		return THAW_REASON_NONE;
	enum thaw_reason reason = more_memory(spool, &chunk);
	if (reason == THAW_REASON_NONE) {
		if (spool->last != NULL)
			spool->last->next = chunk;
		else
			spool->first = chunk;
		*where = spool->last = chunk;
		return THAW_REASON_NONE;
	}
	if (spool->last == NULL || spool->store->directory == NULL)
		return reason;
	reason = begin_disk(spool);
	*where = spool->stage;
	return reason;
}

static enum thaw_reason room_in_stage(thaw_spool *spool, struct spool_chunk **where)
{
	*where = spool->stage;
	if (spool->stage->len < THAW_SPOOL_CHUNK)
		return THAW_REASON_NONE;
	bool all_read = spool->read_blocks == spool->blocks && spool->back->len == 0;
	enum thaw_reason reason = write_block(spool, spool->stage);
	if (reason != THAW_REASON_NONE)
		return reason;
	if (all_read) /* then the stage was being read from */
		spool->back->at = spool->stage->at;
	spool->stage->at = spool->stage->len = 0;
	return THAW_REASON_NONE;
}

enum thaw_reason thaw_spool_reserve(thaw_spool *spool, void **where, size_t *room)
{
	struct spool_chunk *chunk = NULL;

	if (spool->written >= spool->limit)
		return THAW_REASON_BODY_SIZE;
	enum thaw_reason reason = spool->stage != NULL ? room_in_stage(spool, &chunk) : room_in_memory(spool, &chunk);
	if (reason != THAW_REASON_NONE)
		return reason;
	*where = chunk->bytes + chunk->len;
	*room = THAW_SPOOL_CHUNK - chunk->len;
	if (*room > spool->limit - spool->written)
		*room = (size_t)(spool->limit - spool->written);
	return THAW_REASON_NONE;
}

void thaw_spool_commit(thaw_spool *spool, size_t len)
{
	struct spool_chunk *chunk = spool->stage != NULL ? spool->stage : spool->last;

	chunk->len += len;
	spool->written += len;
	spool->use.unread += len;
	spool->use.to_memory += len;
}

enum thaw_reason thaw_spool_write(thaw_spool *spool, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	while (len > 0) {
		void *where = NULL;
		size_t room = 0;
		enum thaw_reason reason = thaw_spool_reserve(spool, &where, &room);
		if (reason != THAW_REASON_NONE)
			return reason;
		size_t part = len < room ? len : room;
		memcpy(where, bytes, part);
		thaw_spool_commit(spool, part);
		bytes += part;
		len -= part;
	}
	return THAW_REASON_NONE;
}

/* The next block from the disk into `back`, whose `at` may pass over its beginning. */
static enum thaw_reason read_block(thaw_spool *spool)
{
	thaw_store *store = spool->store;
	uint8_t nonce[CIPHER_NONCE];

	int cause = spool_file_read_all(store->files, spool->fd, store->block, SPOOL_BLOCK,
					(off_t)(spool->read_blocks * SPOOL_BLOCK));
	if (cause != 0)
		return THAW_REASON_DISK_ERROR;
	make_nonce(spool, spool->read_blocks, nonce);
	if (!store->cipher.ops->open(store->cipher.key, nonce, store->block, THAW_SPOOL_CHUNK, spool->back->bytes))
		return THAW_REASON_DISK_ERROR;
	spool->back->len = THAW_SPOOL_CHUNK;
	spool->read_blocks++;
	return THAW_REASON_NONE;
}

enum thaw_reason thaw_spool_peek(thaw_spool *spool, const void **data, size_t *len)
{
	const struct spool_chunk *chunk = spool->first;

	*data = NULL;
	*len = 0;
	if (chunk == NULL && spool->stage != NULL) {
		chunk = spool->stage;
		if (spool->back->len == 0 && spool->read_blocks < spool->blocks) {
			enum thaw_reason reason = read_block(spool);
			if (reason != THAW_REASON_NONE)
				return reason;
		}
		if (spool->back->len > 0)
			chunk = spool->back;
	}
	if (chunk != NULL && chunk->at < chunk->len) {
		*data = chunk->bytes + chunk->at;
		*len = chunk->len - chunk->at;
	}
	return THAW_REASON_NONE;
}

/* What was read back is not needed on the disk any more. */
static void give_back(thaw_spool *spool)
{
	uint64_t blocks = spool->read_blocks - spool->punched;

	if (blocks < PUNCH_BLOCKS)
		return;
	if (spool->store->files->punch(spool->fd, (off_t)(spool->punched * SPOOL_BLOCK),
				       (off_t)(blocks * SPOOL_BLOCK)) != 0)
		return; /* then it is given back when the file is closed */
	spool->punched = spool->read_blocks;
	release(spool, LEDGER_DISK, blocks * SPOOL_BLOCK);
}

void thaw_spool_consume(thaw_spool *spool, size_t len)
{
	struct spool_chunk *chunk = spool->first;

	spool->use.unread -= len;
	if (chunk != NULL) {
		chunk->at += len;
		if (chunk->at < THAW_SPOOL_CHUNK || chunk->at < chunk->len)
			return;
		spool->first = chunk->next;
		if (spool->first == NULL)
			spool->last = NULL;
		drop_chunk(spool, &chunk);
		return;
	}
	if (spool->back->len > 0) {
		spool->back->at += len;
		if (spool->back->at == spool->back->len) {
			spool->back->at = spool->back->len = 0;
			give_back(spool);
		}
		return;
	}
	spool->stage->at += len;
	if (spool->stage->at == spool->stage->len)
		spool->stage->at = spool->stage->len = 0;
}

void thaw_spool_read_use(const thaw_spool *spool, struct thaw_spool_use *use)
{
	*use = spool->use;
}
