/*
 * How many connections each worker has, in total and by client address, in memory that all workers share.
 *
 * Only counters are shared, and each worker writes only its own. The connections of a client in a worker are counted in
 * one cell of each of several rows; hashes of the client's address choose the cells. Other clients may share some of
 * these cells, but hardly ever all. So the smallest cell is the client's number of connections, or in rare cases a
 * little more. For its own connections a worker has the exact number: clients.h.
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
	atomic_uint takes;                     /* 1: it accepts connections; 0: it is full, or does not serve */
	atomic_uint cells[COUNTS_ROWS][COUNTS_CELLS];
};

struct counts {
	unsigned workers;
	uint64_t secret[2]; /* so that no client can choose addresses that share cells */
	struct counts_of *of;
};

/* Call this before the workers are forked. False: out of memory. Unused parts cost no memory. */
bool counts_make(struct counts *counts, unsigned workers);
void counts_free(struct counts *counts);

/* Clears the counts of a worker that has ended. */
void counts_reclaim(const struct counts *counts, unsigned worker);

/* Returns the key of a client, never 0. It is made from an IPv4 address, also one mapped into IPv6, or from the /64
 * prefix of an IPv6 address, which belongs to one customer. client: an IPv4 or IPv6 address. */
uint64_t counts_key(const struct counts *counts, const struct sockaddr *client);

/* Called in the worker with that number. */
void counts_say_open(const struct counts *counts, unsigned worker, size_t open);
void counts_add(const struct counts *counts, unsigned worker, uint64_t key);
void counts_remove(const struct counts *counts, unsigned worker, uint64_t key);
void counts_say_takes(const struct counts *counts, unsigned worker, bool takes);

/* Connections in all workers; connections of one client in the other workers; whether another worker takes
 * connections. */
size_t counts_open(const struct counts *counts);
size_t counts_elsewhere(const struct counts *counts, unsigned worker, uint64_t key);
bool counts_another_takes(const struct counts *counts, unsigned worker);

#endif
