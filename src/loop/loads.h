/* How many connections each worker has: shared by all of them, so that the busier leave new ones to the others. */
#ifndef LOOP_LOADS_H
#define LOOP_LOADS_H

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LOADS_NONE UINT_MAX /* takes no connections: not there, or stopping */

struct loads {
	unsigned count;
	atomic_uint of[]; /* one a worker */
};

static inline size_t loads_size(unsigned count)
{
	return sizeof(struct loads) + count * sizeof(atomic_uint);
}

/* Before the workers are forked. NULL: no memory. */
static inline struct loads *loads_new(unsigned count)
{
	struct loads *loads = mmap(NULL, loads_size(count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (loads == MAP_FAILED)
		return NULL;
	loads->count = count;
	for (unsigned i = 0; i < count; i++)
		atomic_init(&loads->of[i], LOADS_NONE);
	return loads;
}

static inline void loads_free(struct loads **loads)
{
	if (*loads != NULL)
		(void)munmap(*loads, loads_size((*loads)->count));
	*loads = NULL;
}

#endif
