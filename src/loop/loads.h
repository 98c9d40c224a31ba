/* How many connections each worker has. All workers share this, so that busier ones leave new connections to the
 * others. */
#ifndef LOOP_LOADS_H
#define LOOP_LOADS_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#define LOADS_NONE UINT_MAX /* accepts no connections: not running, or stopping */

/* Only the counts are in shared memory. A worker must not be able to change their number. */
struct loads {
	unsigned count;
	atomic_uint *of; /* one per worker */
};

/* Call this before the workers are forked. False: out of memory. */
static inline bool loads_make(struct loads *loads, unsigned count)
{
	void *of = mmap(NULL, count * sizeof(atomic_uint), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*loads = (struct loads){.of = NULL};
	if (of == MAP_FAILED)
		return false;
	*loads = (struct loads){.count = count, .of = of};
	for (unsigned i = 0; i < count; i++)
		atomic_init(&loads->of[i], LOADS_NONE);
	return true;
}

static inline void loads_free(struct loads *loads)
{
	if (loads->of != NULL)
		(void)munmap(loads->of, loads->count * sizeof(atomic_uint));
	*loads = (struct loads){.of = NULL};
}

#endif
