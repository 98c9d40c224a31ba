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

/* One part in so many of the memory is for a request's first chunks: who comes late can always begin, and spill. */
#define LEDGER_RESERVED_PART 8

/* The key under which a client address is counted, never 0. */
uint64_t ledger_client(const thaw_ledger *ledger, const struct sockaddr *client);

/*
 * bytes: more than 0. first: may use the reserved part. THAW_REASON_NONE, or BUDGET_CLIENT, BUDGET_WORKER,
 * BUDGET_TOTAL. Only in the process that has this worker's number.
 */
enum thaw_reason ledger_acquire(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier,
				uint64_t bytes, bool first) THAW_MUST_CHECK;
void ledger_release(thaw_ledger *ledger, unsigned worker, uint64_t client, enum ledger_tier tier, uint64_t bytes);

/* A request's share of the memory, in bytes. */
uint64_t ledger_request_memory(const thaw_ledger *ledger);
bool ledger_has_disk(const thaw_ledger *ledger);
unsigned ledger_workers(const thaw_ledger *ledger);

#endif
