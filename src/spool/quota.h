/*
 * Private parts of the quota: quotas in memory that all workers share.
 *
 * Each worker writes only its own slot: its total, and a table with the amount of each client address. The overall
 * total is the sum over the slots, so clearing the slot of a killed worker is enough to recover. quota_acquire() first
 * adds to its own slot and then checks the sums: two workers that race may both be refused, but never both succeed
 * above the limit.
 *
 * An attacker may take over a worker, and the master may be root, so only counts are shared. Their addresses, their
 * number and the limits are in each process's own memory. A forged count has no effect beyond a wrong sum, which cannot
 * wrap around.
 */
#ifndef SPOOL_QUOTA_H
#define SPOOL_QUOTA_H

#include "thaw/spool.h"

enum quota_tier { QUOTA_MEMORY, QUOTA_DISK, QUOTA_TIERS };

/* 1/8 of the memory, and of each client's share, is reserved for requests that begin. */
#define QUOTA_RESERVED_PART 8

/* A tier is under pressure when less than this part of it (1/4, 1/8) is free. Memory has more reserve, since chunks can
 * move to the disk. */
#define QUOTA_PRESSED_MEMORY 4
#define QUOTA_PRESSED_DISK   8

/* The key of a client address, never 0. */
uint64_t quota_client(const thaw_quota *quota, const struct sockaddr *client);

/*
 * Adds bytes (> 0) to the client's and the worker's counts. begins: may use the reserved part. THAW_REASON_NONE, or
 * BUDGET_CLIENT, BUDGET_WORKER, BUDGET_TOTAL. Only for the process with this worker number.
 */
enum thaw_reason quota_acquire(thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier,
			       uint64_t bytes, bool begins) THAW_MUST_CHECK;
/* The same without a limit. False: the client has no entry, and cannot be counted. */
bool quota_charge(thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier, uint64_t bytes);
void quota_release(thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier, uint64_t bytes);

/* Whether the total, or this worker's part, is nearly used up. */
bool quota_pressed(const thaw_quota *quota, unsigned worker, enum quota_tier tier);
/* Whether half of it is used, so that there may be pressure soon. */
bool quota_half_spent(const thaw_quota *quota, unsigned worker, enum quota_tier tier);
/* Bytes that the client holds in all workers, in memory and on the disk. */
uint64_t quota_client_held(const thaw_quota *quota, uint64_t client);

/* Publishes the highest rank of this worker's asks (room.c), and returns the highest of all workers. 0: none. */
void quota_publish_rank(thaw_quota *quota, unsigned worker, uint64_t rank);
uint64_t quota_worst_rank(const thaw_quota *quota);
/*
 * Publishes how strongly this worker's asks need room. Asks of all workers with a rank above R are ended for it. need:
 * 0: no need; otherwise UINT64_MAX - R, so that the strongest need is the largest number.
 */
void quota_publish_need(thaw_quota *quota, unsigned worker, uint64_t need);
uint64_t quota_strongest_need(const thaw_quota *quota);
/* A wish for room in a client's share, for an ask that has waited since since_ms. client 0: no wish. */
struct quota_wish {
	uint64_t client, since_ms;
};

void quota_publish_wish(thaw_quota *quota, unsigned worker, struct quota_wish wish);
struct quota_wish quota_wish_of(const thaw_quota *quota, unsigned worker);
/* Whether less than 1/but of the client's share is unused. */
bool quota_client_pressed(const thaw_quota *quota, uint64_t client, enum quota_tier tier, uint64_t but);
/* Whether this worker holds the most for the client, of all workers; on a tie the first worker does. */
bool quota_holds_most(const thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier);

/* Counts an ask of this worker that was ended to make room. */
void quota_count_ended(thaw_quota *quota, unsigned worker);

/* The memory quota of a request, in bytes. */
uint64_t quota_request_memory(const thaw_quota *quota);
bool quota_has_disk(const thaw_quota *quota);
unsigned quota_workers(const thaw_quota *quota);

#endif
