/*
 * The spool: bounded storage for the bytes of a request body that arrive while an ask is pending.
 *
 * There are three objects. A quota has the quotas, in memory that all worker processes share: in total, per worker,
 * per client address, and per request. A store belongs to one process: it has its chunks of memory and the directory
 * for its files. A spool is one request's queue of bytes, in chunks of memory. When memory is short the oldest chunks
 * move to an unlinked file, encrypted with a key that never leaves memory.
 *
 * A call blocks at most for writing a bounded number of chunks to the disk. Every refusal has a reason. Everything is
 * returned to the quota when the spool is freed, or when the worker is reclaimed. Quotas count allocated bytes, not
 * sent bytes. A chunk is at most as large as all that was written before it, so small TLS records cost no more than
 * full ones.
 *
 * When the quotas are nearly used up a store makes room, if its owner calls thaw_store_tend(): it moves the least
 * recently written chunks to the disk, and ends spools that thaw_spool_yield() allows to be ended: first those that
 * have waited longest, of the clients that use most.
 *
 * Threads: a quota may be used by all threads and processes that share it, at once. A store and its spools are used by
 * one thread at a time; each thread needs its own store, with its own worker number.
 */
#ifndef THAW_SPOOL_H
#define THAW_SPOOL_H

#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sockaddr;

#define THAW_SPOOL_CHUNK 16384 /* bytes of the largest chunk: the plaintext of a full TLS record */

typedef struct thaw_quota thaw_quota;
typedef struct thaw_store thaw_store;
typedef struct thaw_spool thaw_spool;

/* Quotas, in bytes, rounded down to whole chunks. disk 0: memory only. workers is required. A memory of less than a
 * chunk stores nothing. */
struct thaw_quota_limits {
	size_t size;                         /* sizeof(struct thaw_quota_limits) */
	unsigned workers;                    /* 1 to 1024 */
	uint64_t memory, disk;               /* of all requests of all workers */
	uint64_t worker_memory, worker_disk; /* of one worker process; 0: no separate limit */
	uint64_t client_memory, client_disk; /* of one client address; 0: no separate limit */
	uint64_t request_memory; /* of one request, above which the disk is used; 0: as client_memory; see below */
};

/*
 * A request that has used its memory continues on the disk; without a disk it is refused with BUDGET_CLIENT. The last
 * eighth of `memory`, and of a client's share, is reserved for the first four chunks of each request, so that new
 * requests can start. A spool that is read back from the disk may use one chunk above every limit, since reading back
 * empties it.
 */

/* Current use. It includes requests for memory that may still be refused, so it can exceed a limit briefly. */
struct thaw_quota_use {
	size_t size;           /* sizeof(struct thaw_quota_use): set by the caller */
	uint64_t memory, disk; /* allocated now, in bytes */
	uint64_t refused;      /* number of refusals since the quota was made */
	uint64_t clients;      /* number of client addresses that hold something now */
	uint64_t ended;        /* number of spools ended to make room since the quota was made */
};

/* Makes a quota. Call it once, before the workers are forked. THAW_FAILED: out of memory, or wrong limits. */
enum thaw_status thaw_quota_new(const struct thaw_quota_limits *limits, thaw_quota **quota,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Frees a quota, once its stores have been freed. Sets the pointer to NULL; *quota may be NULL. */
void thaw_quota_free(thaw_quota **quota);

/* Releases all that a worker held. Call it only after that worker's process has ended. */
void thaw_quota_reclaim(thaw_quota *quota, unsigned worker);

/* Fills *use, whose size is set. THAW_FAILED: its size is wrong. */
enum thaw_status thaw_quota_read_use(const thaw_quota *quota, struct thaw_quota_use *use) THAW_MUST_CHECK;

/*
 * Makes a store. Call it after the fork, in the process that uses it: two processes must not share its key. quota:
 * borrowed, must outlive the store. worker: 0 to workers-1, used by no other store. directory: for the files
 * (O_TMPFILE); copied; NULL: memory only.
 */
enum thaw_status thaw_store_new(thaw_quota *quota, unsigned worker, const char *directory, thaw_store **store,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Frees a store, once its spools have been freed. Sets the pointer to NULL; *store may be NULL. */
void thaw_store_free(thaw_store **store);

/*
 * Makes room if the quotas are nearly used up, with a bounded amount of work. Returns the latest time for the next
 * call: now_ms if there is more to do, THAW_NEVER while no spool holds anything. Without these calls room is made only
 * after a refusal. now_ms uses the same clock as since_ms of thaw_spool_yield().
 */
uint64_t thaw_store_tend(thaw_store *store, uint64_t now_ms);

/*
 * Makes one request's spool. client: the address whose share it counts against (an IPv6 address counts as its /64);
 * NULL: a common share of all spools without an address. limit: the most bytes that may ever be written. THAW_FAILED:
 * out of memory.
 */
enum thaw_status thaw_spool_new(thaw_store *store, const struct sockaddr *client, uint64_t limit, thaw_spool **spool,
				struct thaw_error *err) THAW_MUST_CHECK;

/* Frees a spool, and releases all that it holds. Sets the pointer to NULL; *spool may be NULL. */
void thaw_spool_free(thaw_spool **spool);

/*
 * Decides whether a spool may be ended: see thaw_spool_yield(). True: it is ended. Its contents are discarded, and
 * later calls fail with THAW_REASON_BUDGET_PRESSURE, or with DISK_FULL or DISK_ERROR if that is why there is no room.
 * False: not now. The function must not call the spool or free one; it only records that the request must be answered.
 */
typedef bool thaw_spool_end_fn(void *arg);

/*
 * Allows a spool to be ended to make room for others while its request waits for a certificate, since since_ms. `end`
 * is called from within any call on any spool of the store, or from thaw_store_tend(). NULL: the spool must not be
 * ended any more.
 */
void thaw_spool_yield(thaw_spool *spool, uint64_t since_ms, thaw_spool_end_fn *end, void *arg);

/* Why a spool was ended; THAW_REASON_NONE: it was not ended. */
enum thaw_reason thaw_spool_ended(const thaw_spool *spool);

/*
 * Reserves room for 1 to THAW_SPOOL_CHUNK bytes at *where. The caller writes there and then calls thaw_spool_commit(),
 * with a length of 0 if there was nothing to write, and makes no other call on the spool in between. THAW_FAILED, with
 * *why: BODY_SIZE, BUDGET_*, NO_MEMORY or DISK_*. The call may be repeated later, when quota has been released. why may
 * be NULL; after THAW_OK *why is THAW_REASON_NONE.
 */
enum thaw_status thaw_spool_reserve(thaw_spool *spool, void **where, size_t *room,
				    enum thaw_reason *why) THAW_MUST_CHECK;

/* Appends the len bytes that the caller wrote to the room from thaw_spool_reserve(). */
void thaw_spool_commit(thaw_spool *spool, size_t len);

/* Appends a copy of data. THAW_FAILED, with *why: a part of it may have been written. */
enum thaw_status thaw_spool_write(thaw_spool *spool, const void *data, size_t len,
				  enum thaw_reason *why) THAW_MUST_CHECK;

/*
 * Returns the oldest unconsumed bytes, as many as are contiguous; *len is 0 when the spool is empty. They are valid
 * until the next call on the spool. THAW_FAILED, with *why: DISK_ERROR if a block could not be read back or was
 * modified on the disk; or the reason why the spool was ended.
 */
enum thaw_status thaw_spool_peek(thaw_spool *spool, const void **data, size_t *len,
				 enum thaw_reason *why) THAW_MUST_CHECK;

/* Removes the oldest len bytes: at most as many as the last thaw_spool_peek() returned. */
void thaw_spool_consume(thaw_spool *spool, size_t len);

/* Current and past use of a spool. */
struct thaw_spool_use {
	size_t size;                 /* sizeof(struct thaw_spool_use): set by the caller */
	uint64_t unread;             /* bytes written and not consumed */
	uint64_t memory, disk;       /* bytes allocated now */
	uint64_t to_memory, to_disk; /* body bytes that ever went to each tier; the sum is all that was written */
	uint64_t memory_most;        /* the most bytes ever allocated in memory */
};

/* Fills *use, whose size is set. THAW_FAILED: its size is wrong. */
enum thaw_status thaw_spool_read_use(const thaw_spool *spool, struct thaw_spool_use *use) THAW_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
