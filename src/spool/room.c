/*
 * What makes room.
 *
 * Memory is made by moving chunks to the disk, first those of the request that was not written to for longest. Where
 * that does not do, because there is no disk or it is full, too, asks that wait for a certificate are ended. The worst
 *is the one with the highest rank:
 *
 *	- one that has waited for SPOOL_OVERDUE_MS is worse than any that has not: who answers within seconds is served;
 *	- of those that have, the time waited is multiplied by all that its client address holds;
 *	- of those that have not, by the logarithm of that: a client with a large body that answers at once is not worse
 *	  than many with small ones that do not.
 *
 * Both begin before the budget is spent (ledger_pressed()), at every call of thaw_store_tend(), so that a newcomer
 * finds room; only where that was not enough are they done while one waits for it. Asks end in advance only if another
 * one needs room: one that has taken memory, or was refused it, since there is pressure. If there is only one, of all
 * workers, asks of a lower rank than its own do not end for it.
 *
 * Over all workers: each publishes the rank of its worst ask in its own slot of the ledger, and ends it only if it is
 * about as bad as the worst of all; so does each further one. A worker whose worst stays where it is, for it stands
 * still or lies, is waited for PATIENCE_MS. Each also publishes whether its asks need room. Nothing else is read from
 * other workers.
 */
#include "spool/inside.h"

#define SPILLS_MAX  64  /* chunks to the disk in one call: 1 MiB */
#define TRIES_MAX   8   /* spools that cannot be moved, before no more are tried */
#define VICTIMS_MAX 32  /* ended in one call */
#define OLDEST_MAX  64  /* whose ranks are looked at while there is no pressure */
#define TEND_MS     100 /* between two calls of thaw_store_tend() at most, while something is held */
#define LOOK_MS     20  /* between two searches of which the first found nothing */
#define PATIENCE_MS 500 /* for other workers to end what is worse */
#define WISH_MS     1000
#define OVERDUE_BIT (UINT64_C(1) << 63)

/* ---- to the disk ---- */

static bool can_spill(const struct thaw_spool *spool)
{
	const struct spool_chunk *chunk = TAILQ_FIRST(&spool->chunks);

	return !spool->busy && chunk != NULL && chunk->at < chunk->len;
}

/* One chunk of the spool that has rested longest. NONE; else why none can be moved. */
static enum thaw_reason spill_resting(thaw_store *store)
{
	enum thaw_reason reason = THAW_REASON_BUDGET_PRESSURE;

	for (int tries = 0; tries < TRIES_MAX && !TAILQ_EMPTY(&store->resting); tries++) {
		struct thaw_spool *spool = TAILQ_FIRST(&store->resting);
		if (can_spill(spool))
			reason = spool_spill(spool);
		if (reason == THAW_REASON_NONE)
			return reason;
		spool_note_memory(spool); /* others have their turn first */
	}
	return reason;
}

/* One chunk of a request of that client. NONE; else why none can be moved. */
static enum thaw_reason spill_of_client(thaw_store *store, uint64_t client)
{
	struct thaw_spool *spool;

	TAILQ_FOREACH(spool, &store->resting, resting)
	if (spool->client == client && can_spill(spool))
		return spool_spill(spool);
	return THAW_REASON_BUDGET_CLIENT;
}

/* ---- at the cost of those that wait ---- */

void thaw_spool_yield(thaw_spool *spool, uint64_t since_ms, thaw_spool_end_fn *end, void *arg)
{
	if (spool->ended != THAW_REASON_NONE)
		return;
	if (spool->yields.end != NULL)
		TAILQ_REMOVE(&spool->store->waiting, spool, waiting);
	spool->yields.end = end;
	spool->yields.arg = arg;
	spool->yields.since_ms = since_ms;
	if (end != NULL)
		TAILQ_INSERT_TAIL(&spool->store->waiting, spool, waiting);
}

static uint64_t waited_ms(const struct thaw_spool *spool)
{
	uint64_t now_ms = spool->store->now_ms;

	return now_ms > spool->yields.since_ms ? now_ms - spool->yields.since_ms : 0;
}

/* How much the client's holding counts for. */
static uint64_t burden(uint64_t held, bool overdue)
{
	uint64_t units = held / SPOOL_CHUNK_LEAST + 1, bits = 1;

	if (overdue)
		return units < INT32_MAX ? units : INT32_MAX;
	while (units >>= 1)
		bits++;
	return bits;
}

/* 0: it cannot be ended. Without the bit it is below 2^63. */
static uint64_t rank_of(const struct thaw_spool *spool)
{
	if (spool->yields.end == NULL)
		return 0;
	uint64_t held = ledger_client_held(spool->store->ledger, spool->client), waited = waited_ms(spool);
	bool overdue = waited >= SPOOL_OVERDUE_MS;
	uint64_t weight = (waited < UINT32_MAX ? waited + 1 : UINT32_MAX) * burden(held, overdue);

	return overdue ? weight | OVERDUE_BIT : weight;
}

static uint64_t held_in(const struct thaw_spool *spool, enum ledger_tier tier)
{
	return tier == LEDGER_MEMORY ? spool->use.memory : spool->use.disk;
}

struct victim {
	struct thaw_spool *spool;
	uint64_t rank;
};

struct victims {
	struct victim of[VICTIMS_MAX]; /* the worst first */
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

/* Those that hold something in the tier, and are worse than `least`. */
static void look_for_victims(const thaw_store *store, enum ledger_tier tier, uint64_t least, struct victims *victims)
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

/* Why asks end, if that is why the disk does not relieve the memory. */
static enum thaw_reason end_reason(enum thaw_reason disk)
{
	return disk == THAW_REASON_DISK_FULL || disk == THAW_REASON_DISK_ERROR ? disk : THAW_REASON_BUDGET_PRESSURE;
}

/* False: its owner says that it cannot be ended just now. */
static bool end_spool(struct thaw_spool *spool, enum thaw_reason why)
{
	if (!spool->yields.end(spool->yields.arg))
		return false;
	thaw_spool_yield(spool, 0, NULL, NULL);
	spool_drop_all(spool);
	spool->ended = why;
	ledger_count_ended(spool->store->ledger, spool->store->worker);
	return true;
}

/* Is an ask of that rank, in this worker, about as bad as the worst of all? */
static bool is_my_turn(thaw_store *store, uint64_t rank)
{
	ledger_publish_rank(store->ledger, store->worker, rank);
	uint64_t worst = ledger_worst_rank(store->ledger);

	if ((rank & OVERDUE_BIT) >= (worst & OVERDUE_BIT) && (rank & ~OVERDUE_BIT) >= (worst & ~OVERDUE_BIT) / 2) {
		store->deferred_ms = 0;
		return true;
	}
	if (store->deferred_ms == 0)
		store->deferred_ms = store->now_ms;
	return store->now_ms - store->deferred_ms >= PATIENCE_MS;
}

/*
 * While it is this worker's turn: until there is no pressure, and one at least. at_once: the first one in any case.
 * False: not one.
 */
static bool end_victims(thaw_store *store, enum ledger_tier tier, const struct victims *victims, enum thaw_reason why,
			bool at_once)
{
	bool ended = false;

	for (unsigned i = 0; i < victims->count; i++) {
		if (ended && !ledger_pressed(store->ledger, store->worker, tier))
			break;
		if ((ended || !at_once) && !is_my_turn(store, victims->of[i].rank))
			break;
		ended = end_spool(victims->of[i].spool, why) || ended;
	}
	return ended;
}

/* What a client's ask wishes of its other ones. */
static struct ledger_wish wish_of(const struct thaw_spool *spool)
{
	return (struct ledger_wish){spool->client, spool->yields.end != NULL ? spool->yields.since_ms : UINT64_MAX};
}

/* The client's share is spent: its own request that has waited longest makes room, if it has waited longer. */
static bool end_of_client(thaw_store *store, struct ledger_wish wish, enum ledger_tier tier, enum thaw_reason why)
{
	struct thaw_spool *spool, *oldest = NULL;

	for (spool = TAILQ_FIRST(&store->waiting); spool != NULL; spool = TAILQ_NEXT(spool, waiting)) {
		if (spool->client != wish.client || spool->busy || held_in(spool, tier) == 0)
			continue;
		if (oldest == NULL || spool->yields.since_ms < oldest->yields.since_ms)
			oldest = spool;
	}
	return oldest != NULL && oldest->yields.since_ms < wish.since_ms && end_spool(oldest, why);
}

/* Other workers hold it, perhaps. */
static void publish_wish(thaw_store *store, struct ledger_wish wish)
{
	store->wish = wish;
	store->wish_ms = store->now_ms;
	ledger_publish_wish(store->ledger, store->worker, wish);
}

void spool_keep_share_open(struct thaw_spool *spool)
{
	thaw_store *store = spool->store;

	if (!ledger_client_pressed(store->ledger, spool->client, LEDGER_MEMORY, LEDGER_RESERVED_PART))
		return;
	if (store->directory == NULL || spill_of_client(store, spool->client) != THAW_REASON_NONE)
		publish_wish(store, wish_of(spool));
}

static bool is_budget(enum thaw_reason reason)
{
	return reason == THAW_REASON_BUDGET_WORKER || reason == THAW_REASON_BUDGET_TOTAL;
}

static bool end_for(struct thaw_spool *asker, enum ledger_tier tier, enum thaw_reason refused, enum thaw_reason why)
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
		if (refused != THAW_REASON_BUDGET_CLIENT && spill_resting(spool->store) == THAW_REASON_NONE)
			return THAW_REASON_NONE;
		if (can_spill(spool))
			reason = spool_spill(spool);
		else if (refused == THAW_REASON_BUDGET_CLIENT)
			reason = spill_of_client(spool->store, spool->client);
		if (reason == THAW_REASON_NONE)
			return reason;
		if (can_spill(spool) && end_for(spool, LEDGER_DISK, reason, THAW_REASON_BUDGET_PRESSURE))
			return THAW_REASON_NONE;
	}
	if (end_for(spool, LEDGER_MEMORY, refused, end_reason(reason)))
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
	ledger_publish_need(store->ledger, store->worker, need);
}

void spool_note_need(struct thaw_spool *spool)
{
	thaw_store *store = spool->store;

	if (store->several_need || store->needs == spool)
		return;
	store->several_need = store->needs != NULL;
	store->needs = spool;
	publish_need(store); /* at once: it may be another worker's turn */
}

void spool_note_end(struct thaw_spool *spool)
{
	thaw_store *store = spool->store;

	/* Its client may try again. */
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

static bool make_way(thaw_store *store, enum ledger_tier tier, enum thaw_reason why)
{
	struct victims victims;

	publish_need(store);
	uint64_t need = ledger_strongest_need(store->ledger);
	if (need == 0 || store->now_ms < store->look_ms)
		return false;
	look_for_victims(store, tier, UINT64_MAX - need, &victims);
	if (victims.count == 0)
		ledger_publish_rank(store->ledger, store->worker, 0);
	if (end_victims(store, tier, &victims, why, false))
		return true;
	store->look_ms = store->now_ms + LOOK_MS;
	return false;
}

/*
 * There is no pressure, but there may be before this worker is at work again: its worst ask is known to the others by
 * then. Of the oldest ones, so that it costs little.
 */
static void publish_in_advance(thaw_store *store)
{
	enum ledger_tier tier = store->directory == NULL ? LEDGER_MEMORY : LEDGER_DISK;
	const struct thaw_spool *spool = TAILQ_FIRST(&store->waiting);
	uint64_t worst = 0;

	if (store->now_ms < store->publish_ms)
		return;
	store->publish_ms = store->now_ms + LOOK_MS;
	if (!ledger_half_spent(store->ledger, store->worker, tier))
		spool = NULL;
	for (int i = 0; i < OLDEST_MAX && spool != NULL; i++, spool = TAILQ_NEXT(spool, waiting)) {
		uint64_t rank = held_in(spool, tier) > 0 ? rank_of(spool) : 0;
		worst = rank > worst ? rank : worst;
	}
	ledger_publish_rank(store->ledger, store->worker, worst);
}

/* NONE; else memory is short, and why asks must end: the disk cannot help. */
static enum thaw_reason relieve_memory(thaw_store *store)
{
	bool pressed = ledger_pressed(store->ledger, store->worker, LEDGER_MEMORY);

	if (store->directory == NULL)
		return pressed ? THAW_REASON_BUDGET_PRESSURE : THAW_REASON_NONE;
	for (int i = 0; pressed && i < SPILLS_MAX; i++) {
		enum thaw_reason reason = spill_resting(store);
		if (reason != THAW_REASON_NONE)
			return TAILQ_EMPTY(&store->resting) ? THAW_REASON_NONE : end_reason(reason);
		pressed = ledger_pressed(store->ledger, store->worker, LEDGER_MEMORY);
	}
	return THAW_REASON_NONE;
}

/* One step for another worker's wish. False: none was to be done, or could be. */
static bool grant(thaw_store *store, struct ledger_wish wish, enum ledger_tier tier)
{
	enum thaw_reason why = THAW_REASON_BUDGET_PRESSURE;
	uint64_t free_part = tier == LEDGER_MEMORY ? LEDGER_PRESSED_MEMORY : LEDGER_PRESSED_DISK;

	if (!ledger_client_pressed(store->ledger, wish.client, tier, free_part) ||
	    !ledger_holds_most(store->ledger, store->worker, wish.client, tier))
		return false;
	if (tier == LEDGER_MEMORY && store->directory != NULL) {
		enum thaw_reason reason = spill_of_client(store, wish.client);
		if (reason == THAW_REASON_NONE)
			return true;
		why = end_reason(reason);
	}
	return end_of_client(store, wish, tier, why);
}

/* A client's share is spent here, and another worker has an ask of it. True: there is more to do at once. */
static bool grant_wishes(thaw_store *store)
{
	bool granted = false;

	if (store->now_ms < store->grant_ms)
		return false;
	for (unsigned i = 0; i < ledger_workers(store->ledger); i++) {
		struct ledger_wish wish = ledger_wish_of(store->ledger, i);
		if (wish.client != 0 && i != store->worker)
			granted = grant(store, wish, LEDGER_DISK) || grant(store, wish, LEDGER_MEMORY) || granted;
	}
	if (!granted)
		store->grant_ms = store->now_ms + LOOK_MS;
	return granted;
}

static void forget_wish(thaw_store *store)
{
	if (store->wish.client == 0 || store->now_ms - store->wish_ms < WISH_MS)
		return;
	store->wish.client = 0;
	ledger_publish_wish(store->ledger, store->worker, store->wish);
}

uint64_t thaw_store_tend(thaw_store *store, uint64_t now_ms)
{
	bool moved = false;

	store->now_ms = now_ms;
	enum thaw_reason short_of = relieve_memory(store);
	bool disk = ledger_pressed(store->ledger, store->worker, LEDGER_DISK);
	bool memory = ledger_pressed(store->ledger, store->worker, LEDGER_MEMORY);
	if (short_of != THAW_REASON_NONE || disk) {
		moved = make_way(store, disk ? LEDGER_DISK : LEDGER_MEMORY,
				 short_of != THAW_REASON_NONE ? short_of : THAW_REASON_BUDGET_PRESSURE);
	} else {
		store->deferred_ms = 0;
		publish_in_advance(store);
		if (!memory)
			forget_need(store);
		publish_need(store);
	}
	moved = grant_wishes(store) || moved;
	forget_wish(store);
	bool needy = store->needs != NULL || store->several_need || store->wish.client != 0;
	if (TAILQ_EMPTY(&store->resting) && TAILQ_EMPTY(&store->waiting) && !needy)
		return THAW_NEVER;
	bool more = moved || (memory && !TAILQ_EMPTY(&store->resting) && store->directory != NULL &&
			      short_of == THAW_REASON_NONE);
	return more ? now_ms : now_ms + TEND_MS;
}
