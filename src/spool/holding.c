/* Counts what a spool holds against the quotas, and maintains the store's LRU list of spools that hold memory. */
#include "spool/inside.h"

void spool_release(struct thaw_spool *spool, enum quota_tier tier, uint64_t bytes)
{
	quota_release(spool->store->quota, spool->store->worker, spool->client, tier, bytes);
	if (tier == QUOTA_MEMORY)
		spool->use.memory -= bytes;
	else
		spool->use.disk -= bytes;
}

static void count_memory(struct thaw_spool *spool, uint64_t bytes)
{
	spool->use.memory += bytes;
	if (spool->use.memory > spool->use.memory_most)
		spool->use.memory_most = spool->use.memory;
}

enum thaw_reason spool_acquire(struct thaw_spool *spool, enum quota_tier tier, uint64_t bytes, bool begins)
{
	enum thaw_reason reason =
		quota_acquire(spool->store->quota, spool->store->worker, spool->client, tier, bytes, begins);

	if (reason != THAW_REASON_NONE)
		return reason;
	if (tier == QUOTA_MEMORY)
		count_memory(spool, bytes);
	else
		spool->use.disk += bytes;
	return THAW_REASON_NONE;
}

bool spool_charge(struct thaw_spool *spool, uint64_t bytes)
{
	if (!quota_charge(spool->store->quota, spool->store->worker, spool->client, QUOTA_MEMORY, bytes))
		return false;
	count_memory(spool, bytes);
	return true;
}

void spool_note_memory(struct thaw_spool *spool)
{
	struct spool_list *lru = &spool->store->lru;

	if (spool->in_lru)
		TAILQ_REMOVE(lru, spool, lru);
	spool->in_lru = !TAILQ_EMPTY(&spool->chunks);
	if (spool->in_lru)
		TAILQ_INSERT_TAIL(lru, spool, lru);
}

void spool_drop_chunk(struct thaw_spool *spool, struct spool_chunk **chunk)
{
	if (*chunk == NULL)
		return;
	size_t size = (*chunk)->size;
	spool_chunk_free(spool->store, *chunk);
	*chunk = NULL;
	spool_release(spool, QUOTA_MEMORY, size);
	if (TAILQ_EMPTY(&spool->chunks))
		spool_note_memory(spool);
}
