#include "loop/counts.h"

#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

bool counts_make(struct counts *counts, unsigned workers)
{
	size_t size = workers * sizeof(struct counts_of);
	void *of = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	*counts = (struct counts){.of = NULL};
	if (of == MAP_FAILED)
		return false;
	*counts = (struct counts){.workers = workers, .of = of};
	if (getrandom(counts->secret, sizeof(counts->secret), 0) != (ssize_t)sizeof(counts->secret))
		counts_free(counts);
	return counts->of != NULL;
}

void counts_free(struct counts *counts)
{
	if (counts->of != NULL)
		(void)munmap(counts->of, counts->workers * sizeof(struct counts_of));
	*counts = (struct counts){.of = NULL};
}

void counts_reclaim(const struct counts *counts, unsigned worker)
{
	struct counts_of *of = &counts->of[worker];

	/* This sets all of it to 0, and gives the memory back. */
	if (madvise(of, sizeof(*of), MADV_REMOVE) == 0)
		return;
	atomic_store(&of->open, 0);
	atomic_store(&of->takes, 0);
	for (unsigned row = 0; row < COUNTS_ROWS; row++)
		for (unsigned i = 0; i < COUNTS_CELLS; i++)
			if (atomic_load_explicit(&of->cells[row][i], memory_order_relaxed) != 0)
				atomic_store_explicit(&of->cells[row][i], 0, memory_order_relaxed);
}

/* ---- keys ---- */

/* The finalizer of MurmurHash3: every bit of the input affects every bit of the output. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * UINT64_C(0xff51afd7ed558ccd);
	x = (x ^ x >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

uint64_t counts_key(const struct counts *counts, const struct sockaddr *client)
{
	uint64_t family = AF_INET, address = 0;

	if (client->sa_family == AF_INET6) {
		const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr;
		bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
		family = mapped ? AF_INET : AF_INET6;
		memcpy(&address, &v6->s6_addr[mapped ? 12 : 0], mapped ? 4 : 8);
	} else {
		address = ((const struct sockaddr_in *)(const void *)client)->sin_addr.s_addr;
	}
	uint64_t key = mix(mix(address ^ counts->secret[0]) + family * counts->secret[1] + counts->secret[1]);
	return key != 0 ? key : 1;
}

static atomic_uint *cell(const struct counts *counts, unsigned worker, uint64_t key, unsigned row)
{
	_Static_assert(COUNTS_ROWS * 16 <= 64, "each row has bits of its own in a key");
	return &counts->of[worker].cells[row][(key >> 16 * row) & (COUNTS_CELLS - 1)];
}

/* ---- what a worker writes ---- */

/* Only one process writes to each word, so this need not be atomic as a whole. */
static void change(atomic_uint *word, unsigned by)
{
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + by, memory_order_relaxed);
}

void counts_say_open(const struct counts *counts, unsigned worker, size_t open)
{
	atomic_store_explicit(&counts->of[worker].open, (unsigned)open, memory_order_relaxed);
}

void counts_add(const struct counts *counts, unsigned worker, uint64_t key)
{
	for (unsigned row = 0; row < COUNTS_ROWS; row++)
		change(cell(counts, worker, key, row), 1);
}

void counts_remove(const struct counts *counts, unsigned worker, uint64_t key)
{
	for (unsigned row = 0; row < COUNTS_ROWS; row++)
		change(cell(counts, worker, key, row), UINT_MAX);
}

void counts_say_takes(const struct counts *counts, unsigned worker, bool takes)
{
	atomic_store_explicit(&counts->of[worker].takes, takes, memory_order_relaxed);
}

/* ---- what a worker reads ---- */

size_t counts_open(const struct counts *counts)
{
	size_t total = 0;

	for (unsigned i = 0; i < counts->workers; i++)
		total += atomic_load_explicit(&counts->of[i].open, memory_order_relaxed);
	return total;
}

static size_t count_in(const struct counts *counts, unsigned worker, uint64_t key)
{
	unsigned least = UINT_MAX;

	for (unsigned row = 0; row < COUNTS_ROWS; row++) {
		unsigned here = atomic_load_explicit(cell(counts, worker, key, row), memory_order_relaxed);
		least = here < least ? here : least;
	}
	return least;
}

size_t counts_elsewhere(const struct counts *counts, unsigned worker, uint64_t key)
{
	size_t total = 0;

	for (unsigned i = 0; i < counts->workers; i++)
		if (i != worker && atomic_load_explicit(&counts->of[i].open, memory_order_relaxed) > 0)
			total += count_in(counts, i, key);
	return total;
}

bool counts_another_takes(const struct counts *counts, unsigned worker)
{
	for (unsigned i = 0; i < counts->workers; i++)
		if (i != worker && atomic_load_explicit(&counts->of[i].takes, memory_order_relaxed) != 0)
			return true;
	return false;
}
