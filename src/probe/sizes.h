/*
 * The search for the size at which a server's response changes. No I/O: it is given each size's result and returns
 * the sizes to try next. It first tries sizes at which servers are known to change, then narrows the gap between the
 * last good and the first bad size until they are neighbours.
 */
#ifndef PROBE_SIZES_H
#define PROBE_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZES_MAX       192 /* maximum sizes in one search: a span of 2^40 needs 16, and 6 in each of 15 rounds */
#define SIZES_ROUND_MAX 16  /* at the same time */
#define SIZES_FINER     6   /* at the same time, when narrowing down */

struct sizes_point {
	uint64_t size;
	bool known, good;
};

struct sizes {
	uint64_t max;
	struct sizes_point points[SIZES_MAX]; /* in the order of the search */
	size_t count;
	bool began, brief;
};

/* brief: first try only the largest size, for a server that is not expected to change. */
void sizes_init(struct sizes *sizes, uint64_t max, bool brief);

/* The next sizes to try, all different, at most SIZES_ROUND_MAX; 0: the search is over. Report all results with
 * sizes_tell() before the next call. */
size_t sizes_next(struct sizes *sizes, uint64_t next[static SIZES_ROUND_MAX]);

/* Reports a result. If one size has different results, the search is not exact. */
void sizes_tell(struct sizes *sizes, uint64_t size, bool good);

struct sizes_boundary {
	bool found;         /* some size was bad */
	uint64_t good, bad; /* the largest good size below the first bad one (0: none), and that bad one */
	bool exact;         /* they are neighbours, no size had both results, and no larger size was good */
	bool mixed;         /* some larger sizes were good */
};
void sizes_boundary(const struct sizes *sizes, struct sizes_boundary *boundary);

#endif
