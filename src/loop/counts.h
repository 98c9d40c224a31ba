/*
 * How many connections each worker has, in all and by client address, in memory that all workers share.
 *
 * What is shared are counters only, and each worker writes to its own. What a client has in a worker is counted in one
 * cell of each of several rows, chosen by hashes of its address; other clients may share one of them, but hardly all,
 * so the least of these cells is what it has, or in rare cases a little more. Its own worker need not guess: clients.h.
 */
#ifndef LOOP_COUNTS_H
#define LOOP_COUNTS_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

#define COUNTS_ROWS  3
#define COUNTS_CELLS 16384 /* in a row; a power of two */
#define COUNTS_PAGE  4096

struct counts_of {
	alignas(COUNTS_PAGE) atomic_uint open; /* connections */
	atomic_uint takes;                     /* 1: it would take one more; 0: it would not, or it does not serve */
	atomic_uint cells[COUNTS_ROWS][COUNTS_CELLS];
};

struct counts {
	unsigned workers;
	uint64_t secret[2]; /* nobody shall choose addresses that share cells */
	struct counts_of *of;
};

/* Before the workers are forked. False: no memory. What is never used costs none. */
bool counts_make(struct counts *counts, unsigned workers);
void counts_free(struct counts *counts);

/* The worker with that number is gone. */
void counts_reclaim(const struct counts *counts, unsigned worker);

/* The key of a client: of an IPv4 address, also one that is mapped into IPv6, or of an IPv6 address's /64, which is one
 * customer's. Never 0. client: of that kind. */
uint64_t counts_key(const struct counts *counts, const struct sockaddr *client);

/* In the worker with that number. */
void counts_say_open(const struct counts *counts, unsigned worker, size_t open);
void counts_add(const struct counts *counts, unsigned worker, uint64_t key);
void counts_remove(const struct counts *counts, unsigned worker, uint64_t key);
void counts_say_takes(const struct counts *counts, unsigned worker, bool takes);

/* Of all workers; of that client in the others; whether another one takes connections. */
size_t counts_open(const struct counts *counts);
size_t counts_elsewhere(const struct counts *counts, unsigned worker, uint64_t key);
bool counts_another_takes(const struct counts *counts, unsigned worker);

#endif
