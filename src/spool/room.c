/*
 * Makes room in the spool.
 *
 * Chunks move to the disk, first those of the least recently written spool. If that is not enough, because there is no
 * disk or it is full, too, pending asks are ended, the one with the highest rank first:
 *
 *	- an ask that has waited for SPOOL_OVERDUE_MS ranks above any that has not, so that clients that answer within
 * seconds are served;
 *	- among those, the rank is the time waited, multiplied by all that the client address holds;
 *	- among the others, it is multiplied by the logarithm of that: a client with a large body that answers promptly
 * does not rank above many clients with small bodies that do not.
 *
 * Both start before the quota is used up (quota_pressed()), in thaw_store_tend(), so that new requests find room. Only
 * if that was not enough do they happen while a request needs memory. Asks are ended in advance only if another ask
 * needs room: it has taken memory, or was refused memory, since pressure began. If only one ask of all workers needs
 * room, asks with a lower rank are not ended for it.
 *
 * Across workers: each worker publishes its highest rank in its slot of the quota, and ends an ask only if its rank is
 * close to the highest of all workers. It waits at most PATIENCE_MS for a worker that does not end its asks, since it
 * is stalled or lies. Each worker also publishes whether its asks need room. Workers read nothing else from each other.
 */
#include "spool/inside.h"

#define SPILLS_MAX  64  /* most chunks to the disk in one call: 1 MiB */
#define TRIES_MAX   8   /* stop after this many spools that cannot be moved */
#define VICTIMS_MAX 32  /* most spools ended in one call */
#define OLDEST_MAX  64  /* number of spools whose ranks are computed while there is no pressure */
#define TEND_MS     100 /* longest time between calls of thaw_store_tend(), while something is held */
#define LOOK_MS     20  /* time until the next search after one that found nothing */
#define DEFER_MS    500 /* how long to wait for other workers to end higher ranks */
#define WISH_MS     1000
#define OVERDUE_BIT (UINT64_C(1) << 63)

/* ---- moving chunks to the disk ---- */

static bool can_spill(const struct thaw_spool *spool)
{
	const struct spool_chunk *chunk = TAILQ_FIRST(&spool->chunks);

	return !spool->busy && chunk != NULL && chunk->at < chunk->len;
}

/* Moves one chunk of the least recently written spool to the disk. NONE; otherwise why none can be moved. */
static enum thaw_reason spill_oldest(thaw_store *store)
{
	enum thaw_reason reason = THAW_REASON_BUDGET_PRESSURE;

	for (int tries = 0; tries < TRIES_MAX && !TAILQ_EMPTY(&store->lru); tries++) {
		struct thaw_spool *spool = TAILQ_FIRST(&store->lru);
		if (can_spill(spool))
			reason = spool_spill(spool);
		if (reason == THAW_REASON_NONE)
			return reason;
		spool_note_memory(spool); /* move it to the end of the list */
	}
	return reason;
}

/* Moves one chunk of that client's requests to the disk. NONE; otherwise why none can be moved. */
static enum thaw_reason spill_of_client(thaw_store *store, uint64_t client)
{
	struct thaw_spool *spool;

	TAILQ_FOREACH(spool, &store->lru, lru)
	if (spool->client == client && can_spill(spool))
		return spool_spill(spool);
	return THAW_REASON_BUDGET_CLIENT;
}

/* ---- ending asks ---- */

void thaw_spool_yield(thaw_spool *spool, uint64_t since_ms, thaw_spool_end_fn *end, void *arg)
{
	if (spool->ended != THAW_REASON_NONE)
		return;
	if (spool->evictable.end != NULL)
		TAILQ_REMOVE(&spool->store->waiting, spool, waiting);
	spool->evictable.end = end;
	spool->evictable.arg = arg;
	spool->evictable.since_ms = since_ms;
	if (end != NULL)
		TAILQ_INSERT_TAIL(&spool->store->waiting, spool, waiting);
}

static uint64_t waited_ms(const struct thaw_spool *spool)
{
	uint64_t now_ms = spool->store->now_ms;

	return now_ms > spool->evictable.since_ms ? now_ms - spool->evictable.since_ms : 0;
}

/* The weight of what the client holds. */
static uint64_t held_weight(uint64_t held, bool overdue)
{
	uint64_t units = held / SPOOL_CHUNK_LEAST + 1, bits = 1;

	if (overdue)
		return units < INT32_MAX ? units : INT32_MAX;
	while (units >>= 1)
		bits++;
	return bits;
}

/* The rank of a spool; 0: it must not be ended. Below 2^63 without OVERDUE_BIT. */
static uint64_t rank_of(const struct thaw_spool *spool)
{
	if (spool->evictable.end == NULL)
		return 0;
	uint64_t held = quota_client_held(spool->store->quota, spool->client), waited = waited_ms(spool);
	bool overdue = waited >= SPOOL_OVERDUE_MS;
	uint64_t weight = (waited < UINT32_MAX ? waited + 1 : UINT32_MAX) * held_weight(held, overdue);

	return overdue ? weight | OVERDUE_BIT : weight;
}

static uint64_t held_in(const struct thaw_spool *spool, enum quota_tier tier)
{
	return tier == QUOTA_MEMORY ? spool->use.memory : spool->use.disk;
}

struct victim {
	struct thaw_spool *spool;
	uint64_t rank;
};

struct victims {
	struct victim of[VICTIMS_MAX]; /* the highest rank first */
	unsigned count;
};

static void consider(struct victims *victims, struct thaw_spool *spool, uint64_t rank)
{
	unsigned at = victims->count < VICTIMS_MAX ? victims->count++ : VICTIMS_MAX - 1;

	if (at == VICTIMS_MAX - 1 && victims->of[at].spool != NULL && victims->of[at].rank >= rank)
		return;
	while (at > 0 && victims->of[at - 1].rank < rank) {
		victims->of[at] = victims->of[at - 1];
		at--;
	}
	victims->of[at] = (struct victim){spool, rank};
}

/* Finds spools that hold something in the tier and rank above `least`. */
static void look_for_victims(const thaw_store *store, enum quota_tier tier, uint64_t least, struct victims *victims)
{
	struct thaw_spool *spool;

	*victims = (struct victims){.count = 0};
	for (spool = TAILQ_FIRST(&store->waiting); spool != NULL; spool = TAILQ_NEXT(spool, waiting)) {
		if (spool->busy || held_in(spool, tier) == 0)
			continue;
		uint64_t rank = rank_of(spool);
		if (rank > least)
			consider(victims, spool, rank);
	}
}

/* The reason for ended asks, given the error of the disk. */
static enum thaw_reason end_reason(enum thaw_reason disk)
{
	return disk == THAW_REASON_DISK_FULL || disk == THAW_REASON_DISK_ERROR ? disk : THAW_REASON_BUDGET_PRESSURE;
}

/* False: its owner does not allow it now. */
static bool end_spool(struct thaw_spool *spool, enum thaw_reason why)
{
	if (!spool->evictable.end(spool->evictable.arg))
		return false;
	thaw_spool_yield(spool, 0, NULL, NULL);
	spool_drop_all(spool);
	spool->ended = why;
	quota_count_ended(spool->store->quota, spool->store->worker);
	return true;
}

/* Whether this rank is close to the highest rank of all workers. */
static bool is_my_turn(thaw_store *store, uint64_t rank)
{
	quota_publish_rank(store->quota, store->worker, rank);
	uint64_t worst = quota_worst_rank(store->quota);

	if ((rank & OVERDUE_BIT) >= (worst & OVERDUE_BIT) && (rank & ~OVERDUE_BIT) >= (worst & ~OVERDUE_BIT) / 2) {
		store->deferred_ms = 0;
		return true;
	}
	if (store->deferred_ms == 0)
		store->deferred_ms = store->now_ms;
	return store->now_ms - store->deferred_ms >= DEFER_MS;
}

/*
 * Ends victims until there is no pressure, at least one, while it is this worker's turn. at_once: ends the first one in
 * any case. False: none was ended.
 */
static bool end_victims(thaw_store *store, enum quota_tier tier, const struct victims *victims, enum thaw_reason why,
			bool at_once)
{
	bool ended = false;

	for (unsigned i = 0; i < victims->count; i++) {
		if (ended && !quota_pressed(store->quota, store->worker, tier))
			break;
		if ((ended || !at_once) && !is_my_turn(store, victims->of[i].rank))
			break;
		ended = end_spool(victims->of[i].spool, why) || ended;
	}
	return ended;
}

/* The wish of a client's ask for room in the client's share. */
static struct quota_wish wish_of(const struct thaw_spool *spool)
{
	return (struct quota_wish){spool->client,
				   spool->evictable.end != NULL ? spool->evictable.since_ms : UINT64_MAX};
}

/* The client's share is used up: ends the client's ask that has waited longest, if it has waited longer than the
 * wishing one. */
static bool end_of_client(thaw_store *store, struct quota_wish wish, enum quota_tier tier, enum thaw_reason why)
{
	struct thaw_spool *spool, *oldest = NULL;

	for (spool = TAILQ_FIRST(&store->waiting); spool != NULL; spool = TAILQ_NEXT(spool, waiting)) {
		if (spool->client != wish.client || spool->busy || held_in(spool, tier) == 0)
			continue;
		if (oldest == NULL || spool->evictable.since_ms < oldest->evictable.since_ms)
			oldest = spool;
	}
	return oldest != NULL && oldest->evictable.since_ms < wish.since_ms && end_spool(oldest, why);
}

/* Other workers may hold the client's share. */
static void publish_wish(thaw_store *store, struct quota_wish wish)
{
	store->wish = wish;
	store->wish_ms = store->now_ms;
	quota_publish_wish(store->quota, store->worker, wish);
}

void spool_keep_share_open(struct thaw_spool *spool)
{
	thaw_store *store = spool->store;

	if (!quota_client_pressed(store->quota, spool->client, QUOTA_MEMORY, QUOTA_RESERVED_PART))
		return;
	if (store->directory == NULL || spill_of_client(store, spool->client) != THAW_REASON_NONE)
		publish_wish(store, wish_of(spool));
}

static bool is_budget(enum thaw_reason reason)
{
	return reason == THAW_REASON_BUDGET_WORKER || reason == THAW_REASON_BUDGET_TOTAL;
}

static bool end_for(struct thaw_spool *asker, enum quota_tier tier, enum thaw_reason refused, enum thaw_reason why)
{
	struct victims victims;

	if (refused == THAW_REASON_BUDGET_CLIENT)
		return end_of_client(asker->store, wish_of(asker), tier, why);
	if (!is_budget(refused))
		return false;
	bool was = asker->busy;
	asker->busy = true;
	look_for_victims(asker->store, tier, rank_of(asker), &victims);
	asker->busy = was;
	return end_victims(asker->store, tier, &victims, why, true);
}

enum thaw_reason spool_make_room(struct thaw_spool *spool, enum thaw_reason refused)
{
	enum thaw_reason reason = refused;

	if (spool->store->directory != NULL) {
		if (refused != THAW_REASON_BUDGET_CLIENT && spill_oldest(spool->store) == THAW_REASON_NONE)
			return THAW_REASON_NONE;
		if (can_spill(spool))
			reason = spool_spill(spool);
		else if (refused == THAW_REASON_BUDGET_CLIENT)
			reason = spill_of_client(spool->store, spool->client);
		if (reason == THAW_REASON_NONE)
			return reason;
		if (can_spill(spool) && end_for(spool, QUOTA_DISK, reason, THAW_REASON_BUDGET_PRESSURE))
			return THAW_REASON_NONE;
	}
	if (end_for(spool, QUOTA_MEMORY, refused, end_reason(reason)))
		return THAW_REASON_NONE;
	if (reason == THAW_REASON_BUDGET_CLIENT || refused == THAW_REASON_BUDGET_CLIENT)
		publish_wish(spool->store, wish_of(spool));
	return reason;
}

/* ---- in advance ---- */

static void publish_need(thaw_store *store)
{
	uint64_t need = 0;

	if (store->several_need)
		need = UINT64_MAX;
	else if (store->needs != NULL)
		need = UINT64_MAX - rank_of(store->needs);
	quota_publish_need(store->quota, store->worker, need);
}

void spool_note_need(struct thaw_spool *spool)
{
	thaw_store *store = spool->store;

	if (store->several_need || store->needs == spool)
		return;
	store->several_need = store->needs != NULL;
	store->needs = spool;
	publish_need(store); /* immediately: it may be another worker's turn */
}

void spool_note_end(struct thaw_spool *spool)
{
	thaw_store *store = spool->store;

	/* The client may retry. */
	if (spool->refused)
		store->several_need = true;
	if (store->needs == spool)
		store->needs = NULL;
	publish_need(store);
}

static void forget_need(thaw_store *store)
{
	store->needs = NULL;
	store->several_need = false;
}

static bool evict_in_advance(thaw_store *store, enum quota_tier tier, enum thaw_reason why)
{
	struct victims victims;

	publish_need(store);
	uint64_t need = quota_strongest_need(store->quota);
	if (need == 0 || store->now_ms < store->look_ms)
		return false;
	look_for_victims(store, tier, UINT64_MAX - need, &victims);
	if (victims.count == 0)
		quota_publish_rank(store->quota, store->worker, 0);
	if (end_victims(store, tier, &victims, why, false))
		return true;
	store->look_ms = store->now_ms + LOOK_MS;
	return false;
}

/*
 * Publishes this worker's highest rank before there is pressure, since there may be pressure before this worker runs
 * again. Checks only the oldest asks, to limit the cost.
 */
static void publish_in_advance(thaw_store *store)
{
	enum quota_tier tier = store->directory == NULL ? QUOTA_MEMORY : QUOTA_DISK;
	const struct thaw_spool *spool = TAILQ_FIRST(&store->waiting);
	uint64_t worst = 0;

	if (store->now_ms < store->publish_ms)
		return;
	store->publish_ms = store->now_ms + LOOK_MS;
	if (!quota_half_spent(store->quota, store->worker, tier))
		spool = NULL;
	for (int i = 0; i < OLDEST_MAX && spool != NULL; i++, spool = TAILQ_NEXT(spool, waiting)) {
		uint64_t rank = held_in(spool, tier) > 0 ? rank_of(spool) : 0;
		worst = rank > worst ? rank : worst;
	}
	quota_publish_rank(store->quota, store->worker, worst);
}

/* Moves chunks to the disk while memory is short. NONE; otherwise the reason why asks must be ended: the disk cannot
 * help. */
static enum thaw_reason relieve_memory(thaw_store *store)
{
	bool pressed = quota_pressed(store->quota, store->worker, QUOTA_MEMORY);

	if (store->directory == NULL)
		return pressed ? THAW_REASON_BUDGET_PRESSURE : THAW_REASON_NONE;
	for (int i = 0; pressed && i < SPILLS_MAX; i++) {
		enum thaw_reason reason = spill_oldest(store);
		if (reason != THAW_REASON_NONE)
			return TAILQ_EMPTY(&store->lru) ? THAW_REASON_NONE : end_reason(reason);
		pressed = quota_pressed(store->quota, store->worker, QUOTA_MEMORY);
	}
	return THAW_REASON_NONE;
}

/* Makes room for another worker's wish, by one step. False: nothing was done. */
static bool satisfy_wish(thaw_store *store, struct quota_wish wish, enum quota_tier tier)
{
	enum thaw_reason why = THAW_REASON_BUDGET_PRESSURE;
	uint64_t free_part = tier == QUOTA_MEMORY ? QUOTA_PRESSED_MEMORY : QUOTA_PRESSED_DISK;

	if (!quota_client_pressed(store->quota, wish.client, tier, free_part) ||
	    !quota_holds_most(store->quota, store->worker, wish.client, tier))
		return false;
	if (tier == QUOTA_MEMORY && store->directory != NULL) {
		enum thaw_reason reason = spill_of_client(store, wish.client);
		if (reason == THAW_REASON_NONE)
			return true;
		why = end_reason(reason);
	}
	return end_of_client(store, wish, tier, why);
}

/* Makes room for the wishes of other workers. True: there may be more to do. */
static bool satisfy_wishes(thaw_store *store)
{
	bool satisfied = false;

	if (store->now_ms < store->wishes_ms)
		return false;
	for (unsigned i = 0; i < quota_workers(store->quota); i++) {
		struct quota_wish wish = quota_wish_of(store->quota, i);
		if (wish.client != 0 && i != store->worker)
			satisfied = satisfy_wish(store, wish, QUOTA_DISK) || satisfy_wish(store, wish, QUOTA_MEMORY) ||
				    satisfied;
	}
	if (!satisfied)
		store->wishes_ms = store->now_ms + LOOK_MS;
	return satisfied;
}

static void forget_wish(thaw_store *store)
{
	if (store->wish.client == 0 || store->now_ms - store->wish_ms < WISH_MS)
		return;
	store->wish.client = 0;
	quota_publish_wish(store->quota, store->worker, store->wish);
}

uint64_t thaw_store_tend(thaw_store *store, uint64_t now_ms)
{
	bool moved = false;

	store->now_ms = now_ms;
	enum thaw_reason short_of = relieve_memory(store);
	bool disk = quota_pressed(store->quota, store->worker, QUOTA_DISK);
	bool memory = quota_pressed(store->quota, store->worker, QUOTA_MEMORY);
	if (short_of != THAW_REASON_NONE || disk) {
		moved = evict_in_advance(store, disk ? QUOTA_DISK : QUOTA_MEMORY,
					 short_of != THAW_REASON_NONE ? short_of : THAW_REASON_BUDGET_PRESSURE);
	} else {
		store->deferred_ms = 0;
		publish_in_advance(store);
		if (!memory)
			forget_need(store);
		publish_need(store);
	}
	moved = satisfy_wishes(store) || moved;
	forget_wish(store);
	bool pending = store->needs != NULL || store->several_need || store->wish.client != 0;
	if (TAILQ_EMPTY(&store->lru) && TAILQ_EMPTY(&store->waiting) && !pending)
		return THAW_NEVER;
	bool more = moved ||
		    (memory && !TAILQ_EMPTY(&store->lru) && store->directory != NULL && short_of == THAW_REASON_NONE);
	return more ? now_ms : now_ms + TEND_MS;
}
