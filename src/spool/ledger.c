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
#define CHUNK_MIN   512
#define DISK_MIN    4096
#define WINDOW      64 /* how far after its hash position an entry may be */

/* A larger count is forged. With this limit the sum over all workers cannot wrap around. */
#define COUNT_MAX (UINT64_MAX / WORKERS_MAX)

/* ---- in shared memory: only counts. A compromised worker can write any value to any of them. ---- */

struct entry {
	_Atomic uint64_t client; /* key; 0: unused, and searches that pass here end */
	_Atomic uint64_t held[LEDGER_TIERS];
};

/* What each worker publishes for the others. */
enum published {
	RANK, /* the highest rank of its asks that may be ended */
	NEED, /* how strongly its asks need room */
	PUBLISHED
};

struct slot {
	alignas(CACHE_LINE) _Atomic uint64_t held[LEDGER_TIERS];
	_Atomic uint64_t clients; /* number of entries that hold something */
	_Atomic uint64_t refused;
	_Atomic uint64_t ended; /* asks ended to make room */
	_Atomic uint64_t published[PUBLISHED];
	_Atomic uint64_t wish, wish_since_ms;
};

/* ---- private to each process: all that is not a count. It does not change after the fork. ---- */

struct thaw_ledger {
	struct slot *slots;   /* shared: one for each worker; start of the mapping */
	struct entry *tables; /* shared: one for each worker, page-aligned */
	size_t mapped;
	size_t table_size; /* in bytes, whole pages */
	unsigned workers;
	uint64_t entries;   /* number of entries in each worker's table; a power of two */
	uint64_t secret[2]; /* of the hash, so that an attacker cannot choose colliding addresses */
	uint64_t whole[LEDGER_TIERS], worker[LEDGER_TIERS], client[LEDGER_TIERS];
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

/* Clears the whole table, since the worker's count of its entries may be forged. */
static void clear_table(const thaw_ledger *ledger, unsigned worker)
{
	struct entry *table = table_of(ledger, worker);

	/* Returns the pages to the system, without touching unused ones. */
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

/* The finalizer of MurmurHash3: every input bit affects every output bit. */
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
		/* A /64 usually belongs to one customer. */
		memcpy(&address, &v6->s6_addr[mapped ? 12 : 0], mapped ? 4 : 8);
	}
	uint64_t key = mix(mix(address ^ ledger->secret[0]) + family * ledger->secret[1] + ledger->secret[1]);
	return key != 0 ? key : 1;
}

static bool holds(const struct entry *entry)
{
	return atomic_load(&entry->held[LEDGER_MEMORY]) != 0 || atomic_load(&entry->held[LEDGER_DISK]) != 0;
}

/* The client's entry in a worker's table. NULL: none; *unused is a free entry for it, or NULL. */
static struct entry *find(const thaw_ledger *ledger, unsigned worker, uint64_t client, struct entry **unused)
{
	struct entry *table = table_of(ledger, worker);

	*unused = NULL;
	for (uint64_t i = 0; i < WINDOW; i++) {
		struct entry *entry = &table[(client + i) & (ledger->entries - 1)];
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
static void forget(const thaw_ledger *ledger, unsigned worker, const struct entry *entry)
{
	struct entry *table = table_of(ledger, worker);
	uint64_t mask = ledger->entries - 1, at = (uint64_t)(entry - table);

	/* One round at most, whatever another process writes meanwhile. */
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
		/* `clients` is incremented before memory is counted: of two workers that race, at least one sees the
		 * other. */
		if (atomic_load(&ledger->slots[i].clients) == 0)
			continue;
		const struct entry *entry = find(ledger, i, client, &unused);
		if (entry != NULL)
			total += read_count(&entry->held[tier]);
	}
	return total;
}

/* Checks the quotas after the new amount was added. A share as large as the whole is no limit. */
static enum thaw_reason check_quotas(const thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier,
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
		return THAW_REASON_BUDGET_WORKER; /* the table has no entry for another address */
	}
	if (entry == NULL) {
		entry = unused;
		atomic_store(&entry->client, client);
	}
	add(slot, entry, tier, bytes);
	enum thaw_reason reason = check_quotas(ledger, worker, client, tier, begins);
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

/* Whether less than 1/but of the total, or of this worker's part, is unused. */
static bool nearly_used(const thaw_ledger *ledger, unsigned worker, enum ledger_tier tier, uint64_t but)
{
	uint64_t own = ledger->worker[tier], whole = ledger->whole[tier];

	if (own < whole && read_count(&ledger->slots[worker].held[tier]) > own - own / but)
		return true;
	return sum(ledger, tier) > whole - whole / but;
}

bool ledger_pressed(const thaw_ledger *ledger, unsigned worker, enum ledger_tier tier)
{
	return nearly_used(ledger, worker, tier, tier == LEDGER_MEMORY ? LEDGER_PRESSED_MEMORY : LEDGER_PRESSED_DISK);
}

bool ledger_half_spent(const thaw_ledger *ledger, unsigned worker, enum ledger_tier tier)
{
	return nearly_used(ledger, worker, tier, 2);
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
