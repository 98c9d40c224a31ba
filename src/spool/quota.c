#include "spool/quota.h"

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
#define CHUNK_MIN   512
#define DISK_MIN    4096
#define WINDOW      64 /* how far after its hash position an entry may be */

/* A larger count is forged. With this limit the sum over all workers cannot wrap around. */
#define COUNT_MAX (UINT64_MAX / WORKERS_MAX)

/* ---- in shared memory: only counts. A compromised worker can write any value to any of them. ---- */

struct entry {
	_Atomic uint64_t client; /* key; 0: unused, and searches that pass here end */
	_Atomic uint64_t held[QUOTA_TIERS];
};

/* What each worker publishes for the others. */
enum published {
	RANK, /* the highest rank of its asks that may be ended */
	NEED, /* how strongly its asks need room */
	PUBLISHED
};

struct slot {
	alignas(CACHE_LINE) _Atomic uint64_t held[QUOTA_TIERS];
	_Atomic uint64_t clients; /* number of entries that hold something */
	_Atomic uint64_t refused;
	_Atomic uint64_t ended; /* asks ended to make room */
	_Atomic uint64_t published[PUBLISHED];
	_Atomic uint64_t wish, wish_since_ms;
};

/* ---- private to each process: all that is not a count. It does not change after the fork. ---- */

struct thaw_quota {
	struct slot *slots;   /* shared: one for each worker; start of the mapping */
	struct entry *tables; /* shared: one for each worker, page-aligned */
	size_t mapped;
	size_t table_size; /* in bytes, whole pages */
	unsigned workers;
	uint64_t entries;   /* number of entries in each worker's table; a power of two */
	uint64_t secret[2]; /* of the hash, so that an attacker cannot choose colliding addresses */
	uint64_t whole[QUOTA_TIERS], worker[QUOTA_TIERS], client[QUOTA_TIERS];
	uint64_t request_memory;
};

static uint64_t chunks(uint64_t bytes)
{
	return bytes / THAW_SPOOL_CHUNK * THAW_SPOOL_CHUNK;
}

/* A limit of a part; 0 means `whole`. */
static uint64_t part(uint64_t bytes, uint64_t whole)
{
	uint64_t limit = chunks(bytes);
	return bytes == 0 || limit > whole ? whole : limit;
}

/*
 * Every client that holds anything holds at least the smallest chunk, or a page of the disk. With four entries for
 * each, the table is never more than a quarter full, so that clients cannot exclude another one.
 */
static uint64_t entries_for(uint64_t memory, uint64_t disk)
{
	uint64_t entries = ENTRIES_MIN, holders = memory / CHUNK_MIN + disk / DISK_MIN;

	while (entries < ENTRIES_MAX && entries / 4 < holders)
		entries *= 2;
	return entries;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static bool map_counts(thaw_quota *quota)
{
	size_t slots = whole_pages(quota->workers * sizeof(struct slot));

	quota->table_size = whole_pages(quota->entries * sizeof(struct entry));
	quota->mapped = slots + quota->workers * quota->table_size;
	void *map =
		mmap(NULL, quota->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return false;
	quota->slots = map;
	quota->tables = (struct entry *)(void *)((char *)map + slots);
	return true;
}

static void set_budgets(thaw_quota *quota, const struct thaw_quota_limits *limits)
{
	uint64_t memory = chunks(limits->memory), disk = chunks(limits->disk);

	quota->workers = limits->workers;
	quota->entries = entries_for(part(limits->worker_memory, memory), part(limits->worker_disk, disk));
	quota->whole[QUOTA_MEMORY] = memory;
	quota->whole[QUOTA_DISK] = disk;
	quota->worker[QUOTA_MEMORY] = part(limits->worker_memory, memory);
	quota->worker[QUOTA_DISK] = part(limits->worker_disk, disk);
	quota->client[QUOTA_MEMORY] = part(limits->client_memory, memory);
	quota->client[QUOTA_DISK] = part(limits->client_disk, disk);
	quota->request_memory = part(limits->request_memory, quota->client[QUOTA_MEMORY]);
}

enum thaw_status thaw_quota_new(const struct thaw_quota_limits *limits, thaw_quota **made, struct thaw_error *err)
{
	struct thaw_quota_limits ours;

	error_clear(err);
	*made = NULL;
	if (!sized_take(&ours, sizeof(ours), limits, SIZED_UP_TO(struct thaw_quota_limits, disk)))
		return error_usage(err, SIZED_WRONG, "thaw_ledger_limits");
	if (ours.workers == 0 || ours.workers > WORKERS_MAX)
		return error_usage(err, "making a quota: workers must be between 1 and %d", WORKERS_MAX);
	thaw_quota *quota = calloc(1, sizeof(*quota));
	if (quota != NULL)
		set_budgets(quota, &ours);
	if (quota == NULL || !map_counts(quota) ||
	    getrandom(quota->secret, sizeof(quota->secret), 0) != (ssize_t)sizeof(quota->secret)) {
		thaw_quota_free(&quota);
		return error_set(err, THAW_ERR_RESOURCE, "%s: out of memory", "making a quota");
	}
	*made = quota;
	return THAW_OK;
}

void thaw_quota_free(thaw_quota **quota)
{
	if (*quota != NULL && (*quota)->slots != NULL)
		(void)munmap((*quota)->slots, (*quota)->mapped);
	free(*quota);
	*quota = NULL;
}

static struct entry *table_of(const thaw_quota *quota, unsigned worker)
{
	return (struct entry *)(void *)((char *)quota->tables + worker * quota->table_size);
}

/* Clears the whole table, since the worker's count of its entries may be forged. */
static void clear_table(const thaw_quota *quota, unsigned worker)
{
	struct entry *table = table_of(quota, worker);

	/* Returns the pages to the system, without touching unused ones. */
	if (madvise(table, quota->table_size, MADV_REMOVE) == 0)
		return;
	for (uint64_t i = 0; i < quota->entries; i++) {
		for (int tier = 0; tier < QUOTA_TIERS; tier++)
			atomic_store(&table[i].held[tier], 0);
		atomic_store(&table[i].client, 0);
	}
}

void thaw_quota_reclaim(thaw_quota *quota, unsigned worker)
{
	if (worker >= quota->workers)
		return;
	struct slot *slot = &quota->slots[worker];

	clear_table(quota, worker);
	atomic_store(&slot->clients, 0);
	for (size_t i = 0; i < PUBLISHED; i++)
		atomic_store(&slot->published[i], 0);
	atomic_store(&slot->wish, 0);
	for (int tier = 0; tier < QUOTA_TIERS; tier++)
		atomic_store(&slot->held[tier], 0);
}

static uint64_t read_count(const _Atomic uint64_t *count)
{
	uint64_t value = atomic_load(count);

	return value < COUNT_MAX ? value : COUNT_MAX;
}

static uint64_t sum(const thaw_quota *quota, enum quota_tier tier)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < quota->workers; i++)
		total += read_count(&quota->slots[i].held[tier]);
	return total;
}

enum thaw_status thaw_quota_read_use(const thaw_quota *quota, struct thaw_quota_use *use)
{
	struct thaw_quota_use ours = {
		.size = sizeof(ours), .memory = sum(quota, QUOTA_MEMORY), .disk = sum(quota, QUOTA_DISK)};

	for (unsigned i = 0; i < quota->workers; i++) {
		ours.refused += read_count(&quota->slots[i].refused);
		ours.clients += read_count(&quota->slots[i].clients);
		ours.ended += read_count(&quota->slots[i].ended);
	}
	return sized_give(use, &ours, sizeof(ours), SIZED_UP_TO(struct thaw_quota_use, disk)) ? THAW_OK : THAW_FAILED;
}

uint64_t quota_request_memory(const thaw_quota *quota)
{
	return quota->request_memory;
}

bool quota_has_disk(const thaw_quota *quota)
{
	return quota->whole[QUOTA_DISK] > 0;
}

unsigned quota_workers(const thaw_quota *quota)
{
	return quota->workers;
}

/* The finalizer of MurmurHash3: every input bit affects every output bit. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

uint64_t quota_client(const thaw_quota *quota, const struct sockaddr *client)
{
	uint64_t family = 0, address = 0;

	if (client != NULL && client->sa_family == AF_INET) {
		family = AF_INET;
		address = ((const struct sockaddr_in *)(const void *)client)->sin_addr.s_addr;
	} else if (client != NULL && client->sa_family == AF_INET6) {
		const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr;
		bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
		family = mapped ? AF_INET : AF_INET6;
		/* A /64 usually belongs to one customer. */
		memcpy(&address, &v6->s6_addr[mapped ? 12 : 0], mapped ? 4 : 8);
	}
	uint64_t key = mix(mix(address ^ quota->secret[0]) + family * quota->secret[1] + quota->secret[1]);
	return key != 0 ? key : 1;
}

static bool holds(const struct entry *entry)
{
	return atomic_load(&entry->held[QUOTA_MEMORY]) != 0 || atomic_load(&entry->held[QUOTA_DISK]) != 0;
}

/* The client's entry in a worker's table. NULL: none; *unused is a free entry for it, or NULL. */
static struct entry *find(const thaw_quota *quota, unsigned worker, uint64_t client, struct entry **unused)
{
	struct entry *table = table_of(quota, worker);

	*unused = NULL;
	for (uint64_t i = 0; i < WINDOW; i++) {
		struct entry *entry = &table[(client + i) & (quota->entries - 1)];
		uint64_t key = atomic_load(&entry->client);
		if (key == client)
			return entry;
		if (*unused == NULL && (key == 0 || !holds(entry)))
			*unused = entry;
		if (key == 0)
			return NULL;
	}
	return NULL;
}

/* Removes an entry that holds nothing, and empty entries before it that were only kept for searches to pass. */
static void forget(const thaw_quota *quota, unsigned worker, const struct entry *entry)
{
	struct entry *table = table_of(quota, worker);
	uint64_t mask = quota->entries - 1, at = (uint64_t)(entry - table);

	/* One round at most, whatever another process writes meanwhile. */
	for (uint64_t i = 0; i < quota->entries && atomic_load(&table[at].client) != 0 && !holds(&table[at]) &&
			     atomic_load(&table[(at + 1) & mask].client) == 0;
	     i++) {
		atomic_store(&table[at].client, 0);
		at = (at - 1) & mask;
	}
}

static uint64_t client_sum(const thaw_quota *quota, uint64_t client, enum quota_tier tier)
{
	uint64_t total = 0;
	struct entry *unused = NULL;

	for (unsigned i = 0; i < quota->workers; i++) {
		/* `clients` is incremented before memory is counted: of two workers that race, at least one sees the
		 * other. */
		if (atomic_load(&quota->slots[i].clients) == 0)
			continue;
		const struct entry *entry = find(quota, i, client, &unused);
		if (entry != NULL)
			total += read_count(&entry->held[tier]);
	}
	return total;
}

/* Checks the quotas after the new amount was added. A share as large as the whole is no limit. */
static enum thaw_reason check_quotas(const thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier,
				     bool begins)
{
	uint64_t whole = quota->whole[tier], share = quota->client[tier];
	bool reserves = tier == QUOTA_MEMORY && !begins;

	if (reserves)
		share -= share / QUOTA_RESERVED_PART;
	if (quota->client[tier] < whole && client_sum(quota, client, tier) > share)
		return THAW_REASON_BUDGET_CLIENT;
	if (quota->worker[tier] < whole && atomic_load(&quota->slots[worker].held[tier]) > quota->worker[tier])
		return THAW_REASON_BUDGET_WORKER;
	if (reserves)
		whole -= whole / QUOTA_RESERVED_PART;
	return sum(quota, tier) > whole ? THAW_REASON_BUDGET_TOTAL : THAW_REASON_NONE;
}

static void add(struct slot *slot, struct entry *entry, enum quota_tier tier, uint64_t bytes)
{
	if (!holds(entry))
		atomic_fetch_add(&slot->clients, 1);
	atomic_fetch_add(&entry->held[tier], bytes);
	atomic_fetch_add(&slot->held[tier], bytes);
}

enum thaw_reason quota_acquire(thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier,
			       uint64_t bytes, bool begins)
{
	struct slot *slot = &quota->slots[worker];
	struct entry *unused = NULL, *entry = find(quota, worker, client, &unused);

	if (entry == NULL && unused == NULL) {
		atomic_fetch_add(&slot->refused, 1);
		return THAW_REASON_BUDGET_WORKER; /* the table has no entry for another address */
	}
	if (entry == NULL) {
		entry = unused;
		atomic_store(&entry->client, client);
	}
	add(slot, entry, tier, bytes);
	enum thaw_reason reason = check_quotas(quota, worker, client, tier, begins);
	if (reason != THAW_REASON_NONE) {
		quota_release(quota, worker, client, tier, bytes);
		atomic_fetch_add(&slot->refused, 1);
	}
	return reason;
}

void quota_release(thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier, uint64_t bytes)
{
	struct slot *slot = &quota->slots[worker];
	struct entry *unused = NULL, *entry = find(quota, worker, client, &unused);

	if (entry == NULL || bytes == 0)
		return;
	atomic_fetch_sub(&slot->held[tier], bytes);
	atomic_fetch_sub(&entry->held[tier], bytes);
	if (holds(entry))
		return;
	atomic_fetch_sub(&slot->clients, 1);
	forget(quota, worker, entry);
}

bool quota_charge(thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier, uint64_t bytes)
{
	struct entry *unused = NULL, *entry = find(quota, worker, client, &unused);

	if (entry == NULL)
		return false;
	add(&quota->slots[worker], entry, tier, bytes);
	return true;
}

/* Whether less than 1/but of the total, or of this worker's part, is unused. */
static bool nearly_used(const thaw_quota *quota, unsigned worker, enum quota_tier tier, uint64_t but)
{
	uint64_t own = quota->worker[tier], whole = quota->whole[tier];

	if (own < whole && read_count(&quota->slots[worker].held[tier]) > own - own / but)
		return true;
	return sum(quota, tier) > whole - whole / but;
}

bool quota_pressed(const thaw_quota *quota, unsigned worker, enum quota_tier tier)
{
	return nearly_used(quota, worker, tier, tier == QUOTA_MEMORY ? QUOTA_PRESSED_MEMORY : QUOTA_PRESSED_DISK);
}

bool quota_half_spent(const thaw_quota *quota, unsigned worker, enum quota_tier tier)
{
	return nearly_used(quota, worker, tier, 2);
}

uint64_t quota_client_held(const thaw_quota *quota, uint64_t client)
{
	return client_sum(quota, client, QUOTA_MEMORY) + client_sum(quota, client, QUOTA_DISK);
}

static void publish(_Atomic uint64_t *number, uint64_t value)
{
	if (atomic_load_explicit(number, memory_order_relaxed) != value)
		atomic_store_explicit(number, value, memory_order_relaxed);
}

static uint64_t largest(const thaw_quota *quota, enum published what)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < quota->workers; i++) {
		uint64_t number = atomic_load_explicit(&quota->slots[i].published[what], memory_order_relaxed);
		most = number > most ? number : most;
	}
	return most;
}

void quota_publish_rank(thaw_quota *quota, unsigned worker, uint64_t rank)
{
	publish(&quota->slots[worker].published[RANK], rank);
}

uint64_t quota_worst_rank(const thaw_quota *quota)
{
	return largest(quota, RANK);
}

void quota_publish_wish(thaw_quota *quota, unsigned worker, struct quota_wish wish)
{
	publish(&quota->slots[worker].wish_since_ms, wish.since_ms);
	publish(&quota->slots[worker].wish, wish.client);
}

struct quota_wish quota_wish_of(const thaw_quota *quota, unsigned worker)
{
	return (struct quota_wish){
		atomic_load_explicit(&quota->slots[worker].wish, memory_order_relaxed),
		atomic_load_explicit(&quota->slots[worker].wish_since_ms, memory_order_relaxed),
	};
}

bool quota_client_pressed(const thaw_quota *quota, uint64_t client, enum quota_tier tier, uint64_t but)
{
	uint64_t share = quota->client[tier];

	return share < quota->whole[tier] && client_sum(quota, client, tier) > share - share / but;
}

static uint64_t held_by(const thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier)
{
	struct entry *unused = NULL;
	const struct entry *entry = find(quota, worker, client, &unused);

	return entry != NULL ? read_count(&entry->held[tier]) : 0;
}

bool quota_holds_most(const thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier)
{
	uint64_t own = held_by(quota, worker, client, tier);

	for (unsigned i = 0; i < quota->workers; i++) {
		uint64_t held = held_by(quota, i, client, tier);
		if (held > own || (held == own && i < worker))
			return false;
	}
	return own > 0;
}

void quota_publish_need(thaw_quota *quota, unsigned worker, uint64_t need)
{
	publish(&quota->slots[worker].published[NEED], need);
}

uint64_t quota_strongest_need(const thaw_quota *quota)
{
	return largest(quota, NEED);
}

void quota_count_ended(thaw_quota *quota, unsigned worker)
{
	atomic_fetch_add(&quota->slots[worker].ended, 1);
}
