/*
 * The search for the size at which a server's answer changes: pure, it is told what came of each size, and says which
 * to try next. First those at which servers are known to change, then ever finer between the last good one and the
 * first bad one, until they are neighbours.
 */
#ifndef PROBE_SIZES_H
#define PROBE_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIZES_MAX       192 /* sizes tried in one search: a span of 2^40 takes 16, and 6 in each of 15 rounds */
#define SIZES_ROUND_MAX 16  /* at once */
#define SIZES_FINER     6   /* at once, while it gets finer */

struct sizes_point {
	uint64_t size;
	bool known, good;
};

struct sizes {
	uint64_t max;
	struct sizes_point points[SIZES_MAX]; /* as they were asked for */
	size_t count;
	bool began, brief;
};

/* brief: only the largest size is tried at first, for a server that is not expected to change. */
void sizes_init(struct sizes *sizes, uint64_t max, bool brief);

/* The next sizes to try, all different, at most SIZES_ROUND_MAX; 0: the search is over. Each must be told of before
 * the next call. */
size_t sizes_next(struct sizes *sizes, uint64_t next[static SIZES_ROUND_MAX]);

/* What came of it. Told twice of a size with different ends, the search is no more exact. */
void sizes_tell(struct sizes *sizes, uint64_t size, bool good);

struct sizes_boundary {
	bool found;         /* a size was bad */
	uint64_t good, bad; /* the largest good size below the first bad one (0: none was good), and that one */
	bool exact;         /* they are neighbours, no size was both, and no larger one was good */
	bool mixed;         /* larger ones were good again */
};
void sizes_boundary(const struct sizes *sizes, struct sizes_boundary *boundary);

#endif
