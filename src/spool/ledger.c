#include "spool/ledger.h"

#include <netinet/in.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/sized.h"

#define WORKERS_MAX 1024
#define CACHE_LINE  64
#define ENTRIES_MIN (UINT64_C(1) << 8)
#define ENTRIES_MAX (UINT64_C(1) << 18)
#define CHUNK_LEAST 512
#define DISK_LEAST  4096
#define WINDOW      64 /* how far behind its place an address's entry may lie */

/* A count above this one is forged. So limited, the sum over all workers cannot wrap around to a small number. */
#define COUNT_MAX (UINT64_MAX / WORKERS_MAX)

/* ---- in shared memory: only counts. A worker that was taken over can write any value to any of them. */

struct entry {
	_Atomic uint64_t client; /* 0: none, and none further on that began its search here or before */
	_Atomic uint64_t held[LEDGER_TIERS];
};

/* What each worker says of itself, for the others to compare. */
enum published {
	RANK, /* of the worst ask that could be ended */
	NEED, /* of an ask, for room */
	PUBLISHED
};

struct slot {
	alignas(CACHE_LINE) _Atomic uint64_t held[LEDGER_TIERS];
	_Atomic uint64_t clients; /* entries that hold something */
	_Atomic uint64_t refused;
	_Atomic uint64_t ended; /* asks, to make room */
	_Atomic uint64_t published[PUBLISHED];
	_Atomic uint64_t wish, wish_since_ms;
};

/* ---- each process's own: what is not a count. It does not change after the fork. */

struct thaw_ledger {
	struct slot *slots;   /* shared: one a worker; this is where the map begins */
	struct entry *tables; /* shared: one a worker, each on pages of its own */
	size_t mapped;
	size_t table_size; /* in bytes, whole pages */
	unsigned workers;
	uint64_t entries;   /* in each worker's table; a power of two */
	uint64_t secret[2]; /* an attacker shall not choose addresses that share a place */
	uint64_t whole[LEDGER_TIERS], worker[LEDGER_TIERS], client[LEDGER_TIERS];
	uint64_t request_memory;
};

static uint64_t chunks(uint64_t bytes)
{
	return bytes / THAW_SPOOL_CHUNK * THAW_SPOOL_CHUNK;
}

/* A limit of a part; 0 means the whole. */
static uint64_t part(uint64_t bytes, uint64_t whole)
{
	uint64_t limit = chunks(bytes);
	return bytes == 0 || limit > whole ? whole : limit;
}

/*
 * Whoever holds anything holds one of the smallest chunks of memory, or a page of the disk. Four entries for each: a
 * table that is never more than a quarter full, so that no number of addresses can crowd another one out.
 */
static uint64_t entries_for(uint64_t memory, uint64_t disk)
{
	uint64_t entries = ENTRIES_MIN, holders = memory / CHUNK_LEAST + disk / DISK_LEAST;

	while (entries < ENTRIES_MAX && entries / 4 < holders)
		entries *= 2;
	return entries;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static bool map_counts(thaw_ledger *ledger)
{
	size_t slots = whole_pages(ledger->workers * sizeof(struct slot));

	ledger->table_size = whole_pages(ledger->entries * sizeof(struct entry));
	ledger->mapped = slots + ledger->workers * ledger->table_size;
	void *map =
		mmap(NULL, ledger->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return false;
	ledger->slots = map;
	ledger->tables = (struct entry *)(void *)((char *)map + slots);
	return true;
}

static void set_budgets(thaw_ledger *ledger, const struct thaw_ledger_limits *limits)
{
	uint64_t memory = chunks(limits->memory), disk = chunks(limits->disk);

	ledger->workers = limits->workers;
	ledger->entries = entries_for(part(limits->worker_memory, memory), part(limits->worker_disk, disk));
	ledger->whole[LEDGER_MEMORY] = memory;
	ledger->whole[LEDGER_DISK] = disk;
	ledger->worker[LEDGER_MEMORY] = part(limits->worker_memory, memory);
	ledger->worker[LEDGER_DISK] = part(limits->worker_disk, disk);
	ledger->client[LEDGER_MEMORY] = part(limits->client_memory, memory);
	ledger->client[LEDGER_DISK] = part(limits->client_disk, disk);
	ledger->request_memory = part(limits->request_memory, ledger->client[LEDGER_MEMORY]);
}

enum thaw_status thaw_ledger_new(const struct thaw_ledger_limits *limits, thaw_ledger **made, struct thaw_error *err)
{
	struct thaw_ledger_limits ours;

	error_clear(err);
	*made = NULL;
	if (!sized_take(&ours, sizeof(ours), limits, SIZED_UP_TO(struct thaw_ledger_limits, disk)))
		return error_usage(err, SIZED_WRONG, "thaw_ledger_limits");
	if (ours.workers == 0 || ours.workers > WORKERS_MAX)
		return error_usage(err, "making a ledger: workers must be between 1 and %d", WORKERS_MAX);
	thaw_ledger *ledger = calloc(1, sizeof(*ledger));
	if (ledger != NULL)
		set_budgets(ledger, &ours);
	if (ledger == NULL || !map_counts(ledger) ||
	    getrandom(ledger->secret, sizeof(ledger->secret), 0) != (ssize_t)sizeof(ledger->secret)) {
		thaw_ledger_free(&ledger);
		return error_set(err, THAW_ERR_RESOURCE, "%s: out of memory", "making a ledger");
	}
	*made = ledger;
	return THAW_OK;
}

void thaw_ledger_free(thaw_ledger **ledger)
{
	if (*ledger != NULL && (*ledger)->slots != NULL)
		(void)munmap((*ledger)->slots, (*ledger)->mapped);
	free(*ledger);
	*ledger = NULL;
}

static struct entry *table_of(const thaw_ledger *ledger, unsigned worker)
{
	return (struct entry *)(void *)((char *)ledger->tables + worker * ledger->table_size);
}

/* All of it, for the worker's own count of what is in it may be forged. */
static void clear_table(const thaw_ledger *ledger, unsigned worker)
{
	struct entry *table = table_of(ledger, worker);

	/* The pages go back to the system, and those that were never used need not be looked at. */
	if (madvise(table, ledger->table_size, MADV_REMOVE) == 0)
		return;
	for (uint64_t i = 0; i < ledger->entries; i++) {
		for (int tier = 0; tier < LEDGER_TIERS; tier++)
			atomic_store(&table[i].held[tier], 0);
		atomic_store(&table[i].client, 0);
	}
}

void thaw_ledger_reclaim(thaw_ledger *ledger, unsigned worker)
{
	if (worker >= ledger->workers)
		return;
	struct slot *slot = &ledger->slots[worker];

	clear_table(ledger, worker);
	atomic_store(&slot->clients, 0);
	for (size_t i = 0; i < PUBLISHED; i++)
		atomic_store(&slot->published[i], 0);
	atomic_store(&slot->wish, 0);
	for (int tier = 0; tier < LEDGER_TIERS; tier++)
		atomic_store(&slot->held[tier], 0);
}

static uint64_t read_count(const _Atomic uint64_t *count)
{
	uint64_t value = atomic_load(count);

	return value < COUNT_MAX ? value : COUNT_MAX;
}

static uint64_t sum(const thaw_ledger *ledger, enum ledger_tier tier)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < ledger->workers; i++)
		total += read_count(&ledger->slots[i].held[tier]);
	return total;
}

enum thaw_status thaw_ledger_read_use(const thaw_ledger *ledger, struct thaw_ledger_use *use)
{
	struct thaw_ledger_use ours = {
		.size = sizeof(ours), .memory = sum(ledger, LEDGER_MEMORY), .disk = sum(ledger, LEDGER_DISK)};

	for (unsigned i = 0; i < ledger->workers; i++) {
		ours.refused += read_count(&ledger->slots[i].refused);
		ours.clients += read_count(&ledger->slots[i].clients);
		ours.ended += read_count(&ledger->slots[i].ended);
	}
	return sized_give(use, &ours, sizeof(ours), SIZED_UP_TO(struct thaw_ledger_use, disk)) ? THAW_OK : THAW_FAILED;
}

uint64_t ledger_request_memory(const thaw_ledger *ledger)
{
	return ledger->request_memory;
}

bool ledger_has_disk(const thaw_ledger *ledger)
{
	return ledger->whole[LEDGER_DISK] > 0;
}

unsigned ledger_workers(const thaw_ledger *ledger)
{
	return ledger->workers;
}

/* The finalizer of MurmurHash3: every bit of the input moves every bit of the output. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

uint64_t ledger_client(const thaw_ledger *ledger, const struct sockaddr *client)
{
	uint64_t family = 0, address = 0;

	if (client != NULL && client->sa_family == AF_INET) {
		family = AF_INET;
		address = ((const struct sockaddr_in *)(const void *)client)->sin_addr.s_addr;
	} else if (client != NULL && client->sa_family == AF_INET6) {
		const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr;
		bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
		family = mapped ? AF_INET : AF_INET6;
		/* A whole /64 is one customer's. */
		memcpy(&address, &v6->s6_addr[mapped ? 12 : 0], mapped ? 4 : 8);
	}
	uint64_t key = mix(mix(address ^ ledger->secret[0]) + family * ledger->secret[1] + ledger->secret[1]);
	return key != 0 ? key : 1;
}

static bool holds(const struct entry *entry)
{
	return atomic_load(&entry->held[LEDGER_MEMORY]) != 0 || atomic_load(&entry->held[LEDGER_DISK]) != 0;
}

/* The client's entry in a worker's table. NULL: none, and *unused is where it could be (NULL: nowhere). */
static struct entry *find(const thaw_ledger *ledger, unsigned worker, uint64_t client, struct entry **unused)
{
	struct entry *table = table_of(ledger, worker);

	*unused = NULL;
	for (uint64_t i = 0; i < WINDOW; i++) {
		struct entry *entry = &table[(client + i) & (ledger->entries - 1)];
		uint64_t who = atomic_load(&entry->client);
		if (who == client)
			return entry;
		if (*unused == NULL && (who == 0 || !holds(entry)))
			*unused = entry;
		if (who == 0)
			return NULL;
	}
	return NULL;
}

/* Of an entry that holds nothing, and of those before it that were kept only so that searches go on behind them. */
static void forget(const thaw_ledger *ledger, unsigned worker, const struct entry *entry)
{
	struct entry *table = table_of(ledger, worker);
	uint64_t mask = ledger->entries - 1, at = (uint64_t)(entry - table);

	/* Once around at most, whatever another process writes there meanwhile. */
	for (uint64_t i = 0; i < ledger->entries && atomic_load(&table[at].client) != 0 && !holds(&table[at]) &&
			     atomic_load(&table[(at + 1) & mask].client) == 0;
	     i++) {
		atomic_store(&table[at].client, 0);
		at = (at - 1) & mask;
	}
}

static uint64_t client_sum(const thaw_ledger *ledger, uint64_t client, enum ledger_tier tier)
{
	uint64_t total = 0;
	struct entry *unused = NULL;

	for (unsigned i = 0; i < ledger->workers; i++) {
		/* Counted before it holds anything: of two that race, one at least sees the other. */
		if (atomic_load(&ledger->slots[i].clients) == 0)
			continue;
		const struct entry *entry = find(ledger, i, client, &unused);
		if (entry != NULL)
			total += read_count(&entry->held[tier]);
	}
	return total;
}

/* Whether what is held now, with what was just added, is too much. A share that is as large as the whole is none. */
static enum thaw_reason judge(const thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier,
			      bool begins)
{
	uint64_t whole = ledger->whole[tier], share = ledger->client[tier];
	bool reserves = tier == LEDGER_MEMORY && !begins;

	if (reserves)
		share -= share / LEDGER_RESERVED_PART;
	if (ledger->client[tier] < whole && client_sum(ledger, client, tier) > share)
		return THAW_REASON_BUDGET_CLIENT;
	if (ledger->worker[tier] < whole && atomic_load(&ledger->slots[worker].held[tier]) > ledger->worker[tier])
		return THAW_REASON_BUDGET_WORKER;
	if (reserves)
		whole -= whole / LEDGER_RESERVED_PART;
	return sum(ledger, tier) > whole ? THAW_REASON_BUDGET_TOTAL : THAW_REASON_NONE;
}

static void add(struct slot *slot, struct entry *entry, enum ledger_tier tier, uint64_t bytes)
{
	if (!holds(entry))
		atomic_fetch_add(&slot->clients, 1);
	atomic_fetch_add(&entry->held[tier], bytes);
	atomic_fetch_add(&slot->held[tier], bytes);
}

enum thaw_reason ledger_acquire(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier,
				uint64_t bytes, bool begins)
{
	struct slot *slot = &ledger->slots[worker];
	struct entry *unused = NULL, *entry = find(ledger, worker, client, &unused);

	if (entry == NULL && unused == NULL) {
		atomic_fetch_add(&slot->refused, 1);
		return THAW_REASON_BUDGET_WORKER; /* it holds for so many addresses that it can count no more */
	}
	if (entry == NULL) {
		entry = unused;
		atomic_store(&entry->client, client);
	}
	add(slot, entry, tier, bytes);
	enum thaw_reason reason = judge(ledger, worker, client, tier, begins);
	if (reason != THAW_REASON_NONE) {
		ledger_release(ledger, worker, client, tier, bytes);
		atomic_fetch_add(&slot->refused, 1);
	}
	return reason;
}

void ledger_release(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier, uint64_t bytes)
{
	struct slot *slot = &ledger->slots[worker];
	struct entry *unused = NULL, *entry = find(ledger, worker, client, &unused);

	if (entry == NULL || bytes == 0)
		return;
	atomic_fetch_sub(&slot->held[tier], bytes);
	atomic_fetch_sub(&entry->held[tier], bytes);
	if (holds(entry))
		return;
	atomic_fetch_sub(&slot->clients, 1);
	forget(ledger, worker, entry);
}

bool ledger_charge(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier, uint64_t bytes)
{
	struct entry *unused = NULL, *entry = find(ledger, worker, client, &unused);

	if (entry == NULL)
		return false;
	add(&ledger->slots[worker], entry, tier, bytes);
	return true;
}

/* Is all of the whole, or of this worker's part, in use but for one part in so many? */
static bool spent(const thaw_ledger *ledger, unsigned worker, enum ledger_tier tier, uint64_t but)
{
	uint64_t own = ledger->worker[tier], whole = ledger->whole[tier];

	if (own < whole && read_count(&ledger->slots[worker].held[tier]) > own - own / but)
		return true;
	return sum(ledger, tier) > whole - whole / but;
}

bool ledger_pressed(const thaw_ledger *ledger, unsigned worker, enum ledger_tier tier)
{
	return spent(ledger, worker, tier, tier == LEDGER_MEMORY ? LEDGER_PRESSED_MEMORY : LEDGER_PRESSED_DISK);
}

bool ledger_half_spent(const thaw_ledger *ledger, unsigned worker, enum ledger_tier tier)
{
	return spent(ledger, worker, tier, 2);
}

uint64_t ledger_client_held(const thaw_ledger *ledger, uint64_t client)
{
	return client_sum(ledger, client, LEDGER_MEMORY) + client_sum(ledger, client, LEDGER_DISK);
}

static void publish(_Atomic uint64_t *number, uint64_t value)
{
	if (atomic_load_explicit(number, memory_order_relaxed) != value)
		atomic_store_explicit(number, value, memory_order_relaxed);
}

static uint64_t largest(const thaw_ledger *ledger, enum published what)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < ledger->workers; i++) {
		uint64_t number = atomic_load_explicit(&ledger->slots[i].published[what], memory_order_relaxed);
		most = number > most ? number : most;
	}
	return most;
}

void ledger_publish_rank(thaw_ledger *ledger, unsigned worker, uint64_t rank)
{
	publish(&ledger->slots[worker].published[RANK], rank);
}

uint64_t ledger_worst_rank(const thaw_ledger *ledger)
{
	return largest(ledger, RANK);
}

void ledger_publish_wish(thaw_ledger *ledger, unsigned worker, struct ledger_wish wish)
{
	publish(&ledger->slots[worker].wish_since_ms, wish.since_ms);
	publish(&ledger->slots[worker].wish, wish.client);
}

struct ledger_wish ledger_wish_of(const thaw_ledger *ledger, unsigned worker)
{
	return (struct ledger_wish){
		atomic_load_explicit(&ledger->slots[worker].wish, memory_order_relaxed),
		atomic_load_explicit(&ledger->slots[worker].wish_since_ms, memory_order_relaxed),
	};
}

bool ledger_client_pressed(const thaw_ledger *ledger, uint64_t client, enum ledger_tier tier, uint64_t but)
{
	uint64_t share = ledger->client[tier];

	return share < ledger->whole[tier] && client_sum(ledger, client, tier) > share - share / but;
}

static uint64_t held_by(const thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier)
{
	struct entry *unused = NULL;
	const struct entry *entry = find(ledger, worker, client, &unused);

	return entry != NULL ? read_count(&entry->held[tier]) : 0;
}

bool ledger_holds_most(const thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier)
{
	uint64_t own = held_by(ledger, worker, client, tier);

	for (unsigned i = 0; i < ledger->workers; i++) {
		uint64_t held = held_by(ledger, i, client, tier);
		if (held > own || (held == own && i < worker))
			return false;
	}
	return own > 0;
}

void ledger_publish_need(thaw_ledger *ledger, unsigned worker, uint64_t need)
{
	publish(&ledger->slots[worker].published[NEED], need);
}

uint64_t ledger_strongest_need(const thaw_ledger *ledger)
{
	return largest(ledger, NEED);
}

void ledger_count_ended(thaw_ledger *ledger, unsigned worker)
{
	atomic_fetch_add(&ledger->slots[worker].ended, 1);
}
