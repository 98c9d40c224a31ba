/*
 * One request's queue of bytes, in the order in which they are read:
 *
 *	memory ──► disk ──► stage
 *
 * memory: a list of chunks, the last of which is written to until the memory allowed is spent. Then that last one,
 *	which is full, goes to the disk as the first block of a run, and becomes the stage.
 * disk: full chunks, encrypted, in blocks of SPOOL_BLOCK. Each is read back into one more chunk, back, which is the
 *	last chunk of the memory to be read. Where the only chunk goes to the disk, another is set aside beforehand. So
 *	what was let in is never stuck for want of a budget.
 * stage: the chunk that is filled next for the disk. Once every block has been read it is memory again, and the file
 *	is given up: there is a stage exactly while there are unread blocks.
 *
 * A block's nonce is the number of its run and its own number in it. It is never used for other bytes, even when a
 * write has failed half-way: the stage is not touched until it is on the disk, and every run has a number of its own.
 * So it also tells a block from all others: none can be put in another's place, and no older one played back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "spool/store.h"

#define PUNCH_BLOCKS 16 /* the disk is given back 256 KiB at a time */

/* Only whole blocks of the filesystem are given back, so each hole begins with the part of one that the last left. */
#define PUNCH_ALIGN 65536

struct thaw_spool {
	thaw_store *store;
	uint64_t client, limit, written;
	struct spool_chunk *first, *last; /* memory; NULL: none */
	struct spool_chunk *stage;        /* NULL: nothing unread is on the disk */
	struct spool_chunk *back;         /* NULL without a stage, and perhaps while there is memory to be read */
	int fd;                           /* -1: no file */
	uint64_t serial;                  /* of this run of blocks */
	uint64_t blocks, read_blocks;     /* of this run: written, read back */
	uint64_t punched;                 /* of read_blocks: no more on the disk, if it could be done */
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

static void give_up_file(thaw_spool *spool)
{
	if (spool->fd >= 0)
		(void)spool->store->files->close(spool->fd);
	spool->fd = -1;
	spool->blocks = spool->read_blocks = spool->punched = 0;
	release(spool, LEDGER_DISK, spool->use.disk);
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
	give_up_file(gone);
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
	return spool->fd < 0 ? disk_reason(errno) : THAW_REASON_NONE;
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

/* The chunk before the last one; NULL: there is only one. */
static struct spool_chunk *before_last(const thaw_spool *spool)
{
	struct spool_chunk *chunk = spool->first;

	if (chunk == spool->last)
		return NULL;
	while (chunk->next != spool->last)
		chunk = chunk->next;
	return chunk;
}

/* The last memory chunk, which is full, goes to the disk, and becomes the stage. */
static enum thaw_reason begin_disk(thaw_spool *spool)
{
	struct spool_chunk *last = spool->last, *before = before_last(spool), *back = NULL;
	enum thaw_reason reason = before == NULL ? take_chunk(spool, true, &back) : THAW_REASON_NONE;

	if (reason != THAW_REASON_NONE)
		return reason;
	spool->serial = spool->store->serial++;
	reason = write_block(spool, last);
	if (reason != THAW_REASON_NONE) {
		drop_chunk(spool, &back);
		return reason;
	}
	if (before != NULL)
		before->next = NULL;
	else
		spool->first = NULL;
	spool->last = before;
	if (back != NULL) /* what was read of the last chunk already is passed over when it is read back */
		back->at = last->at;
	last->at = last->len = 0;
	spool->stage = last;
	spool->back = back;
	return THAW_REASON_NONE;
}

/* Every block has been read: what the stage holds is all there is. */
static void leave_disk(thaw_spool *spool)
{
	give_up_file(spool);
	drop_chunk(spool, &spool->back);
	if (spool->stage->len == 0)
		drop_chunk(spool, &spool->stage);
	spool->first = spool->last = spool->stage;
	spool->stage = NULL;
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
	enum thaw_reason reason = write_block(spool, spool->stage);
	if (reason != THAW_REASON_NONE)
		return reason;
	spool->stage->len = 0;
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

/* What is read next; NULL: nothing, or what must be read back from the disk first. */
static struct spool_chunk *front(const thaw_spool *spool)
{
	struct spool_chunk *chunk = spool->first != NULL ? spool->first : spool->back;
	return chunk != NULL && chunk->at < chunk->len ? chunk : NULL;
}

enum thaw_reason thaw_spool_peek(thaw_spool *spool, const void **data, size_t *len)
{
	*data = NULL;
	*len = 0;
	if (spool->first == NULL && spool->stage != NULL && spool->back->len == 0) {
		enum thaw_reason reason = read_block(spool);
		if (reason != THAW_REASON_NONE)
			return reason;
	}
	const struct spool_chunk *chunk = front(spool);
	if (chunk != NULL) {
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
	uint64_t from = spool->punched * SPOOL_BLOCK, to = spool->read_blocks * SPOOL_BLOCK;
	from -= from % PUNCH_ALIGN;
	spool->punched = spool->read_blocks;
	/* Where it cannot be done it stays, and counts, until the file is given up. */
	if (spool->store->files->punch(spool->fd, (off_t)from, (off_t)(to - from)) == 0)
		release(spool, LEDGER_DISK, blocks * SPOOL_BLOCK);
}

/* The first memory chunk was read to its end. */
static void pass_memory(thaw_spool *spool)
{
	struct spool_chunk *chunk = spool->first;

	spool->first = chunk->next;
	if (spool->first == NULL)
		spool->last = NULL;
	if (spool->first != NULL || spool->stage == NULL || spool->back != NULL) {
		drop_chunk(spool, &chunk);
		return;
	}
	chunk->at = chunk->len = 0;
	spool->back = chunk;
}

void thaw_spool_consume(thaw_spool *spool, size_t len)
{
	struct spool_chunk *chunk = front(spool);

	if (chunk == NULL)
		return;
	if (len > chunk->len - chunk->at)
		len = chunk->len - chunk->at;
	chunk->at += len;
	spool->use.unread -= len;
	if (chunk->at < chunk->len)
		return;
	if (chunk == spool->first) {
		pass_memory(spool);
		return;
	}
	chunk->at = chunk->len = 0;
	if (spool->read_blocks == spool->blocks)
		leave_disk(spool);
	else
		give_back(spool);
}

void thaw_spool_read_use(const thaw_spool *spool, struct thaw_spool_use *use)
{
	*use = spool->use;
}
