/*
 * The inside of the ledger: budgets in memory that all workers share.
 *
 * Each worker writes its own slot only: what it holds in all, and a table of what each client address holds in it. The
 * whole is the sum over the slots, so a worker that was killed in the middle of anything is put right by clearing its
 * slot. To acquire is to add to the own slot first and then to look at the sums: two workers that race may both be
 * refused, but never both be let in.
 *
 * A worker can be taken over by an attacker, and the master may be root: so only counts are shared. Where they lie, how
 * many there are and what is allowed is in each process's own memory. A forged count is a wrong count, and no more: the
 * sum over all workers does not wrap around.
 */
#ifndef SPOOL_LEDGER_H
#define SPOOL_LEDGER_H

#include "thaw/spool.h"

enum ledger_tier { LEDGER_MEMORY, LEDGER_DISK, LEDGER_TIERS };

/* One part in so many of the memory, and of each client's share of it, is for what a request needs to begin. */
#define LEDGER_RESERVED_PART 8

/* There is pressure on a tier once all but one part in so many are in use: less in memory, which the disk relieves. */
#define LEDGER_PRESSED_MEMORY 4
#define LEDGER_PRESSED_DISK   8

/* The key under which a client address is counted, never 0. */
uint64_t ledger_client(const thaw_ledger *ledger, const struct sockaddr *client);

/*
 * bytes: more than 0. begins: may use the reserved part. THAW_REASON_NONE, or BUDGET_CLIENT, BUDGET_WORKER,
 * BUDGET_TOTAL. Only in the process that has this worker's number.
 */
enum thaw_reason ledger_acquire(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier,
				uint64_t bytes, bool begins) THAW_MUST_CHECK;
/* The same without a limit. False: the client holds nothing yet, and cannot be counted. */
bool ledger_charge(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier, uint64_t bytes);
void ledger_release(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier, uint64_t bytes);

/* Is the whole, or this worker's part, nearly spent? */
bool ledger_pressed(const thaw_ledger *ledger, unsigned worker, enum ledger_tier tier);
/* Is half of it spent? There may soon be pressure. */
bool ledger_half_spent(const thaw_ledger *ledger, unsigned worker, enum ledger_tier tier);
/* What the client holds in all workers, in memory and on the disk. */
uint64_t ledger_client_held(const thaw_ledger *ledger, uint64_t client);

/* How bad the worst ask of this worker is, for the others to know; and of all workers. 0: none. */
void ledger_publish_rank(thaw_ledger *ledger, unsigned worker, uint64_t rank);
uint64_t ledger_worst_rank(const thaw_ledger *ledger);
/*
 * Does an ask of this worker need room? Asks of all workers end for it, if their rank is above `above`. No need: 0;
 * else UINT64_MAX less `above`, so that the strongest need of all workers is the largest number.
 */
void ledger_publish_need(thaw_ledger *ledger, unsigned worker, uint64_t need);
uint64_t ledger_strongest_need(const thaw_ledger *ledger);
/* Room is wished for in a client's share, for an ask that waits since then. Client 0: there is no wish. */
struct ledger_wish {
	uint64_t client, since_ms;
};

void ledger_publish_wish(thaw_ledger *ledger, unsigned worker, struct ledger_wish wish);
struct ledger_wish ledger_wish_of(const thaw_ledger *ledger, unsigned worker);
/* Is all of the client's share in use, but for one part in so many? */
bool ledger_client_pressed(const thaw_ledger *ledger, uint64_t client, enum ledger_tier tier, uint64_t but);
/* Of all workers, does this one hold most for the client? Of those that hold as much, the first one does. */
bool ledger_holds_most(const thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier);

/* One ask of this worker was ended to make room. */
void ledger_count_ended(thaw_ledger *ledger, unsigned worker);

/* A request's share of the memory, in bytes. */
uint64_t ledger_request_memory(const thaw_ledger *ledger);
bool ledger_has_disk(const thaw_ledger *ledger);
unsigned ledger_workers(const thaw_ledger *ledger);

#endif
