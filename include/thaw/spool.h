/*
 * The spool: a bounded place for the bytes of a request body that arrive while a certificate is awaited.
 *
 * Three objects. A ledger holds the budgets, in memory that all worker processes share: what may be held in
 * the whole, by one worker, by one client address, by one request. A store is one process's way to the
 * ledger: its chunks of memory and the directory for its files. A spool is one request's queue of bytes: in
 * chunks of memory, the oldest of which move to an unlinked file when memory is short, encrypted with a key that
 * never leaves memory.
 *
 * No call blocks longer than a bounded number of chunks' writes to the disk take. Every refusal is a reason, and
 * everything held is given back to the ledger when the spool is freed, or when the worker is reclaimed.
 * Counts are of bytes really allocated, not of bytes sent: a chunk is at most as large as what was written before it,
 * and small TLS records cost no more than full ones.
 *
 * When the budgets are nearly spent a store makes room, if its owner calls thaw_store_tend(): bytes that rest move to
 * the disk; and of the spools that thaw_spool_yield() has named, those are ended that have waited longest, of the
 * clients that hold most.
 *
 * Threads: a ledger may be used by all threads and processes that share it, at once. A store, with all of its spools,
 * is used by one thread at a time; another thread has a store of its own, with a worker number of its own.
 */
#ifndef THAW_SPOOL_H
#define THAW_SPOOL_H

#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sockaddr;

#define THAW_SPOOL_CHUNK 16384 /* the largest: one full TLS record's plaintext */

typedef struct thaw_ledger thaw_ledger;
typedef struct thaw_store thaw_store;
typedef struct thaw_spool thaw_spool;

/* All in bytes. Each is rounded down to whole chunks; a disk of 0 means memory only. workers is required. */
struct thaw_ledger_limits {
	size_t size;                         /* sizeof(struct thaw_ledger_limits) */
	unsigned workers;                    /* 1 to 1024 */
	uint64_t memory, disk;               /* all requests of all workers */
	uint64_t worker_memory, worker_disk; /* one worker process; 0: as the whole */
	uint64_t client_memory, client_disk; /* one client address; 0: as the whole */
	uint64_t request_memory;             /* one request; above it the disk is used; 0: as the client; see below */
};

/*
 * A request whose memory is spent goes on to the disk; where there is none the reason is BUDGET_CLIENT. The last eighth
 * of `memory`, and of a client's share of it, is for the first four chunks of each request: so that whoever comes late
 * can begin. A spool that is read back from the disk may take one chunk more than any limit allows: that empties it.
 */

/* What is just being asked for, and may be refused, counts too: so the sums may be over a limit for a moment. */
struct thaw_ledger_use {
	size_t size;           /* sizeof(struct thaw_ledger_use): set by the caller */
	uint64_t memory, disk; /* held now */
	uint64_t refused;      /* how often a budget said no, since the ledger was made */
	uint64_t clients;      /* client addresses that hold something now */
	uint64_t ended;        /* spools ended to make room, since the ledger was made */
};

/* Makes a ledger: once, before the workers are forked. THAW_FAILED: out of memory, or wrong limits. */
enum thaw_status thaw_ledger_new(const struct thaw_ledger_limits *limits, thaw_ledger **ledger,
				 struct thaw_error *err) THAW_MUST_CHECK;

/* Frees a ledger, once its stores have been freed. Sets the pointer to NULL; *ledger may be NULL. */
void thaw_ledger_free(thaw_ledger **ledger);

/* Gives back all that a worker held. Only after that worker's process has ended. */
void thaw_ledger_reclaim(thaw_ledger *ledger, unsigned worker);

/* Fills *use, whose size is set. THAW_FAILED: its size is wrong. */
enum thaw_status thaw_ledger_read_use(const thaw_ledger *ledger, struct thaw_ledger_use *use);

/*
 * Makes a store: after the fork, by the process that uses it, for two may not share its key. ledger: borrowed, outlives
 * the store. worker: 0 to workers-1, used by no other live store. directory: where files are made (O_TMPFILE); copied;
 * NULL: memory only.
 */
enum thaw_status thaw_store_new(thaw_ledger *ledger, unsigned worker, const char *directory, thaw_store **store,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Frees a store, once its spools have been freed. Sets the pointer to NULL; *store may be NULL. */
void thaw_store_free(thaw_store **store);

/*
 * Makes room if the budgets are nearly spent: a bounded amount of work. Returns when to call it again, at the latest:
 * now_ms if there is more to do at once, THAW_NEVER while no spool holds anything. Without these calls room is made
 * only where a budget has refused. now_ms is also what thaw_spool_yield()'s since_ms is compared with.
 */
uint64_t thaw_store_tend(thaw_store *store, uint64_t now_ms);

/*
 * Makes one request's spool. client: whose share it counts against (an IPv6 address counts as its /64); NULL: an
 * unnamed one, shared by all such. limit: the most bytes that may ever be written. THAW_FAILED: out of memory.
 */
enum thaw_status thaw_spool_new(thaw_store *store, const struct sockaddr *client, uint64_t limit, thaw_spool **spool,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Frees a spool, and gives back all that it holds. Sets the pointer to NULL; *spool may be NULL. */
void thaw_spool_free(thaw_spool **spool);

/*
 * Is asked whether a spool may be ended: see thaw_spool_yield(). True: it is. All that it held is gone, and every call
 * that needs it fails with THAW_REASON_BUDGET_PRESSURE, or DISK_FULL or DISK_ERROR where that is why there is no room.
 * False: not now. The function may not call the spool, or free one: let it note that the request has to be answered.
 */
typedef bool thaw_spool_end_fn(void *arg);

/*
 * Lets a spool be ended to make room for others, while its request waits for a certificate: since_ms is when that
 * began. `end` is asked then, from within any call on any spool of the store, or thaw_store_tend(). NULL: the spool may
 * not be ended any more.
 */
void thaw_spool_yield(thaw_spool *spool, uint64_t since_ms, thaw_spool_end_fn *end, void *arg);

/* Why a spool was ended; THAW_REASON_NONE: it was not. */
enum thaw_reason thaw_spool_ended(const thaw_spool *spool);

/*
 * Gives room for 1 to THAW_SPOOL_CHUNK bytes at *where, to be written by the caller and then committed, with a length
 * of 0 if there was nothing to write; no other call on the spool in between. What is reserved stays in memory until
 * then. THAW_FAILED, and *why there is none: BODY_SIZE, BUDGET_*, NO_MEMORY, DISK_*. A spool that has refused once may
 * be asked again (a budget may have been given back). why may be NULL; after THAW_OK it is THAW_REASON_NONE.
 */
enum thaw_status thaw_spool_reserve(thaw_spool *spool, void **where, size_t *room,
				    enum thaw_reason *why) THAW_MUST_CHECK;

/* len bytes were written to what thaw_spool_reserve() has given. */
void thaw_spool_commit(thaw_spool *spool, size_t len);

/* Writes a copy of data. THAW_FAILED, and *why: a part of it may have been written. */
enum thaw_status thaw_spool_write(thaw_spool *spool, const void *data, size_t len,
				  enum thaw_reason *why) THAW_MUST_CHECK;

/*
 * Shows the oldest bytes that have not been consumed, as many as lie in one piece; *len 0 when the spool is empty.
 * Valid until the next call on the spool. THAW_FAILED, and *why: DISK_ERROR if a block could not be read back, or was
 * changed on the disk; or why the spool was ended.
 */
enum thaw_status thaw_spool_peek(thaw_spool *spool, const void **data, size_t *len,
				 enum thaw_reason *why) THAW_MUST_CHECK;

/* Removes the oldest len bytes: at most as many as the last thaw_spool_peek() has shown. */
void thaw_spool_consume(thaw_spool *spool, size_t len);

/* What a spool holds, and has held. */
struct thaw_spool_use {
	size_t size;                 /* sizeof(struct thaw_spool_use): set by the caller */
	uint64_t unread;             /* bytes written and not consumed */
	uint64_t memory, disk;       /* bytes allocated now */
	uint64_t to_memory, to_disk; /* bytes of body that ever went to each tier: together all that was written */
	uint64_t memory_most;        /* the most ever allocated in memory */
};

/* Fills *use, whose size is set. THAW_FAILED: its size is wrong. */
enum thaw_status thaw_spool_read_use(const thaw_spool *spool, struct thaw_spool_use *use);

#ifdef __cplusplus
}
#endif
#endif
