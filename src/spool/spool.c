/*
 * One request's queue of bytes, in the order in which they are read:
 *
 *	back ◄── disk ◄── chunks
 *
 * chunks: in memory; the last one is written to. Chunks are small at first and double in size, so that a few bytes cost
 * little. The oldest ones move to the disk when memory is short, which needs no extra memory. disk: encrypted blocks,
 * one for each chunk, in an unlinked file. back: the block that is being read. Reading back empties the spool, so no
 * quota refuses it: a request that is forwarded may hold one chunk more than its share.
 */
#include <stdlib.h>
#include <string.h>

#include "base/sized.h"
#include "spool/inside.h"

/* Memory that each request may take from the reserved part. */
#define BEGINNING (UINT64_C(4) * THAW_SPOOL_CHUNK)

/* How often to make room for one chunk: others may take what was freed. */
#define MAKE_ROOM_MAX 128

enum thaw_status thaw_spool_new(thaw_store *store, const struct sockaddr *client, uint64_t limit, thaw_spool **made,
				struct thaw_error *err)
{
	thaw_spool *spool = calloc(1, sizeof(*spool));

	error_clear(err);
	*made = spool;
	if (spool == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "%s: out of memory", "making a spool");
	spool->store = store;
	spool->client = quota_client(store->quota, client);
	spool->limit = limit;
	spool->fd = -1;
	TAILQ_INIT(&spool->chunks);
	return THAW_OK;
}

enum thaw_reason thaw_spool_ended(const thaw_spool *spool)
{
	return spool->ended;
}

void thaw_spool_free(thaw_spool **spool)
{
	thaw_spool *old = *spool;

	*spool = NULL;
	if (old == NULL)
		return;
	thaw_spool_yield(old, 0, NULL, NULL);
	spool_note_end(old);
	spool_drop_all(old);
	free(old);
}

/* Moves the oldest chunks to the disk while the request would exceed its own memory quota. */
static enum thaw_reason enforce_share(struct thaw_spool *spool, size_t size)
{
	uint64_t share = quota_request_memory(spool->store->quota);

	while (!TAILQ_EMPTY(&spool->chunks) && spool->use.memory + size > share) {
		enum thaw_reason reason =
			spool->store->directory != NULL ? spool_spill(spool) : THAW_REASON_BUDGET_CLIENT;
		if (reason != THAW_REASON_NONE)
			return reason;
	}
	return THAW_REASON_NONE;
}

/* Acquires quota for a chunk of that size; makes room if necessary. */
static enum thaw_reason acquire_chunk(struct thaw_spool *spool, size_t size)
{
	enum thaw_reason reason = enforce_share(spool, size);

	bool begins = spool->use.memory + size <= BEGINNING;

	spool_note_need(spool);
	for (int i = 0; reason == THAW_REASON_NONE; i++) {
		reason = spool_acquire(spool, QUOTA_MEMORY, size, begins);
		spool->refused = reason == THAW_REASON_BUDGET_TOTAL || reason == THAW_REASON_BUDGET_WORKER;
		if (reason == THAW_REASON_NONE && begins)
			spool_keep_share_open(spool);
		if (reason == THAW_REASON_NONE)
			return reason;
		if (i < MAKE_ROOM_MAX)
			reason = spool_make_room(spool, reason);
	}
	return reason;
}

static enum thaw_reason take_chunk(struct thaw_spool *spool, size_t size, struct spool_chunk **chunk)
{
	for (;;) {
		enum thaw_reason reason = acquire_chunk(spool, size);
		if (reason != THAW_REASON_NONE)
			return reason;
		*chunk = spool_chunk_new(spool->store, size);
		if (*chunk != NULL)
			return THAW_REASON_NONE;
		spool_release(spool, QUOTA_MEMORY, size);
		/* Out of memory: moves the oldest chunk to the disk, so that its memory can be reused. */
		if (TAILQ_EMPTY(&spool->chunks) || spool->store->directory == NULL)
			return THAW_REASON_NO_MEMORY;
		reason = spool_spill(spool);
		if (reason != THAW_REASON_NONE)
			return reason;
	}
}

/* The size of the next chunk: about as much as was written already, at most what the limit leaves. */
static size_t next_size(const struct thaw_spool *spool)
{
	uint64_t left = spool->limit - spool->written;
	uint64_t want = spool->written < left ? spool->written : left;
	size_t size = SPOOL_CHUNK_LEAST;

	while (size < THAW_SPOOL_CHUNK && 2 * size <= want)
		size *= 2;
	return size;
}

/* Returns the status for a reason, and stores the reason; why may be NULL. */
static enum thaw_status result(enum thaw_reason reason, enum thaw_reason *why)
{
	if (why != NULL)
		*why = reason;
	return reason == THAW_REASON_NONE ? THAW_OK : THAW_FAILED;
}

static enum thaw_reason reserve(thaw_spool *spool, void **where, size_t *room)
{
	struct spool_chunk *chunk = TAILQ_LAST(&spool->chunks, spool_chunks);

	spool->busy = false;
	if (spool->ended != THAW_REASON_NONE)
		return spool->ended;
	if (spool->written >= spool->limit)
		return THAW_REASON_BODY_SIZE;
	if (chunk == NULL || chunk->sealed || chunk->len == chunk->size) {
		enum thaw_reason reason = take_chunk(spool, next_size(spool), &chunk);
		if (reason != THAW_REASON_NONE)
			return reason;
		TAILQ_INSERT_TAIL(&spool->chunks, chunk, link);
		spool_note_memory(spool);
	}
	spool->busy = true;
	*where = chunk->bytes + chunk->len;
	*room = chunk->size - chunk->len;
	if (*room > spool->limit - spool->written)
		*room = (size_t)(spool->limit - spool->written);
	return THAW_REASON_NONE;
}

enum thaw_status thaw_spool_reserve(thaw_spool *spool, void **where, size_t *room, enum thaw_reason *why)
{
	return result(reserve(spool, where, room), why);
}

void thaw_spool_commit(thaw_spool *spool, size_t len)
{
	struct spool_chunk *chunk = TAILQ_LAST(&spool->chunks, spool_chunks);

	spool->busy = false;
	if (chunk == NULL)
		return;
	chunk->len += len;
	spool->written += len;
	spool->use.unread += len;
	spool->use.to_memory += len;
	if (chunk->len > 0) {
		spool_note_memory(spool);
		return;
	}
	/* Nothing was written: do not keep an empty chunk. */
	TAILQ_REMOVE(&spool->chunks, chunk, link);
	spool_drop_chunk(spool, &chunk);
}

enum thaw_status thaw_spool_write(thaw_spool *spool, const void *data, size_t len, enum thaw_reason *why)
{
	const unsigned char *bytes = data;

	while (len > 0) {
		void *where = NULL;
		size_t room = 0;
		enum thaw_reason reason = reserve(spool, &where, &room);
		if (reason != THAW_REASON_NONE)
			return result(reason, why);
		size_t part = len < room ? len : room;
		memcpy(where, bytes, part);
		thaw_spool_commit(spool, part);
		bytes += part;
		len -= part;
	}
	return result(THAW_REASON_NONE, why);
}

/* Allocates the chunk to read back into, even above the quotas. */
static enum thaw_reason allocate_back(struct thaw_spool *spool)
{
	if (spool->back != NULL)
		return THAW_REASON_NONE;
	if (spool_acquire(spool, QUOTA_MEMORY, THAW_SPOOL_CHUNK, true) != THAW_REASON_NONE &&
	    !spool_charge(spool, THAW_SPOOL_CHUNK))
		return THAW_REASON_BUDGET_WORKER;
	spool->back = spool_chunk_new(spool->store, THAW_SPOOL_CHUNK);
	if (spool->back != NULL)
		return THAW_REASON_NONE;
	spool_release(spool, QUOTA_MEMORY, THAW_SPOOL_CHUNK);
	return THAW_REASON_NO_MEMORY;
}

static bool has_unread(const struct spool_chunk *chunk)
{
	return chunk != NULL && chunk->at < chunk->len;
}

/* What is read next; NULL: nothing, or what must be read back from the disk first. */
static struct spool_chunk *front(const struct thaw_spool *spool)
{
	if (has_unread(spool->back))
		return spool->back;
	struct spool_chunk *chunk = spool->blocks == spool->read_blocks ? TAILQ_FIRST(&spool->chunks) : NULL;
	return has_unread(chunk) ? chunk : NULL;
}

static enum thaw_reason peek(thaw_spool *spool, const void **data, size_t *len)
{
	*data = NULL;
	*len = 0;
	spool->busy = false;
	if (spool->ended != THAW_REASON_NONE)
		return spool->ended;
	if (!has_unread(spool->back) && spool->read_blocks < spool->blocks) {
		enum thaw_reason reason = allocate_back(spool);
		if (reason == THAW_REASON_NONE)
			reason = spool_read_block(spool);
		if (reason != THAW_REASON_NONE)
			return reason;
	}
	const struct spool_chunk *chunk = front(spool);
	if (chunk != NULL) {
		spool->busy = true;
		*data = chunk->bytes + chunk->at;
		*len = chunk->len - chunk->at;
	}
	return THAW_REASON_NONE;
}

enum thaw_status thaw_spool_peek(thaw_spool *spool, const void **data, size_t *len, enum thaw_reason *why)
{
	return result(peek(spool, data, len), why);
}

static void finish_block(struct thaw_spool *spool)
{
	spool->back->at = spool->back->len = 0;
	if (spool->read_blocks < spool->blocks) {
		spool_release_read(spool);
		return;
	}
	spool_close_file(spool);
	spool_drop_chunk(spool, &spool->back);
}

void thaw_spool_consume(thaw_spool *spool, size_t len)
{
	struct spool_chunk *chunk = front(spool);

	spool->busy = false;
	if (chunk == NULL)
		return;
	if (len > chunk->len - chunk->at)
		len = chunk->len - chunk->at;
	chunk->at += len;
	spool->use.unread -= len;
	if (chunk->at < chunk->len)
		return;
	if (chunk == spool->back) {
		finish_block(spool);
		return;
	}
	TAILQ_REMOVE(&spool->chunks, chunk, link);
	spool_drop_chunk(spool, &chunk);
}

enum thaw_status thaw_spool_read_use(const thaw_spool *spool, struct thaw_spool_use *use)
{
	const size_t least = SIZED_UP_TO(struct thaw_spool_use, unread);

	return sized_give(use, &spool->use, sizeof(spool->use), least) ? THAW_OK : THAW_FAILED;
}
