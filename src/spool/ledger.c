#include "spool/ledger.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define ENTRIES     4096 /* client addresses that hold something in one worker; a power of two */
#define WINDOW      32   /* where an address may lie behind its place */
#define WORKERS_MAX 1024

struct entry {
	_Atomic uint64_t client; /* 0: never used */
	_Atomic uint64_t held[LEDGER_TIERS];
};

struct slot {
	_Atomic uint64_t held[LEDGER_TIERS];
	_Atomic uint64_t refused;
	struct entry entries[ENTRIES];
};

struct thaw_ledger {
	size_t mapped;
	unsigned workers;
	uint64_t secret[2]; /* an attacker shall not choose addresses that share an entry */
	uint64_t whole[LEDGER_TIERS], worker[LEDGER_TIERS], client[LEDGER_TIERS];
	uint64_t request_memory;
	struct slot slots[];
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

thaw_ledger *thaw_ledger_new(const struct thaw_ledger_limits *limits)
{
	if (limits->workers == 0 || limits->workers > WORKERS_MAX)
		return NULL;
	size_t size = sizeof(struct thaw_ledger) + limits->workers * sizeof(struct slot);
	thaw_ledger *ledger = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ledger == MAP_FAILED)
		return NULL;
	ledger->mapped = size;
	ledger->workers = limits->workers;
	ledger->whole[LEDGER_MEMORY] = chunks(limits->memory);
	ledger->whole[LEDGER_DISK] = chunks(limits->disk);
	ledger->worker[LEDGER_MEMORY] = part(limits->worker_memory, ledger->whole[LEDGER_MEMORY]);
	ledger->worker[LEDGER_DISK] = part(limits->worker_disk, ledger->whole[LEDGER_DISK]);
	ledger->client[LEDGER_MEMORY] = part(limits->client_memory, ledger->whole[LEDGER_MEMORY]);
	ledger->client[LEDGER_DISK] = part(limits->client_disk, ledger->whole[LEDGER_DISK]);
	ledger->request_memory = part(limits->request_memory, ledger->client[LEDGER_MEMORY]);
	if (getrandom(ledger->secret, sizeof(ledger->secret), 0) != (ssize_t)sizeof(ledger->secret))
		thaw_ledger_free(&ledger);
	return ledger;
}

void thaw_ledger_free(thaw_ledger **ledger)
{
	if (*ledger != NULL)
		(void)munmap(*ledger, (*ledger)->mapped);
	*ledger = NULL;
}

void thaw_ledger_reclaim(thaw_ledger *ledger, unsigned worker)
{
	struct slot *slot = &ledger->slots[worker];

	for (size_t i = 0; i < ENTRIES; i++)
		for (int tier = 0; tier < LEDGER_TIERS; tier++)
			atomic_store(&slot->entries[i].held[tier], 0);
	for (int tier = 0; tier < LEDGER_TIERS; tier++)
		atomic_store(&slot->held[tier], 0);
}

static uint64_t sum(const thaw_ledger *ledger, enum ledger_tier tier)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < ledger->workers; i++)
		total += atomic_load(&ledger->slots[i].held[tier]);
	return total;
}

static bool holds(const struct entry *entry)
{
	return atomic_load(&entry->held[LEDGER_MEMORY]) != 0 || atomic_load(&entry->held[LEDGER_DISK]) != 0;
}

void thaw_ledger_read(const thaw_ledger *ledger, struct thaw_ledger_use *use)
{
	*use = (struct thaw_ledger_use){.memory = sum(ledger, LEDGER_MEMORY), .disk = sum(ledger, LEDGER_DISK)};
	for (unsigned i = 0; i < ledger->workers; i++) {
		const struct slot *slot = &ledger->slots[i];
		use->refused += atomic_load(&slot->refused);
		for (size_t k = 0; k < ENTRIES; k++)
			use->clients += holds(&slot->entries[k]);
	}
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

/* The client's entry in a slot. With make, an unused one if it has none; NULL: none, or all of them are in use. */
static struct entry *find(struct slot *slot, uint64_t client, bool make)
{
	struct entry *unused = NULL;

	for (uint64_t i = 0; i < WINDOW; i++) {
		struct entry *entry = &slot->entries[(client + i) & (ENTRIES - 1)];
		if (atomic_load(&entry->client) == client)
			return entry;
		if (unused == NULL && !holds(entry))
			unused = entry;
	}
	if (!make || unused == NULL)
		return NULL;
	atomic_store(&unused->client, client);
	return unused;
}

static uint64_t client_sum(thaw_ledger *ledger, uint64_t client, enum ledger_tier tier)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < ledger->workers; i++) {
		const struct entry *entry = find(&ledger->slots[i], client, false);
		if (entry != NULL)
			total += atomic_load(&entry->held[tier]);
	}
	return total;
}

enum thaw_reason ledger_acquire(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier,
				uint64_t bytes, bool first)
{
	struct slot *slot = &ledger->slots[worker];
	struct entry *entry = find(slot, client, true);
	uint64_t whole = ledger->whole[tier];
	enum thaw_reason reason = THAW_REASON_NONE;

	if (tier == LEDGER_MEMORY && !first)
		whole -= whole / LEDGER_RESERVED_PART;
	if (entry == NULL) {
		atomic_fetch_add(&slot->refused, 1);
		return THAW_REASON_BUDGET_WORKER;
	}
	uint64_t own = atomic_fetch_add(&slot->held[tier], bytes) + bytes;
	atomic_fetch_add(&entry->held[tier], bytes);
	if (client_sum(ledger, client, tier) > ledger->client[tier])
		reason = THAW_REASON_BUDGET_CLIENT;
	else if (own > ledger->worker[tier])
		reason = THAW_REASON_BUDGET_WORKER;
	else if (sum(ledger, tier) > whole)
		reason = THAW_REASON_BUDGET_TOTAL;
	if (reason != THAW_REASON_NONE) {
		ledger_release(ledger, worker, client, tier, bytes);
		atomic_fetch_add(&slot->refused, 1);
	}
	return reason;
}

void ledger_release(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier, uint64_t bytes)
{
	struct slot *slot = &ledger->slots[worker];
	struct entry *entry = find(slot, client, false);

	if (entry != NULL)
		atomic_fetch_sub(&entry->held[tier], bytes);
	atomic_fetch_sub(&slot->held[tier], bytes);
}
