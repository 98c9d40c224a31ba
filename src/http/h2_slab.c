#include "http/h2_slab.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <threads.h>
#include <unistd.h>

#define COUNT 64 /* bits of `unused` */
#define BYTES ((size_t)COUNT * H2_SLAB_ROOM)

struct h2_slabs {
	struct h2_slabs *next, *prev; /* list of blocks with unused slabs */
	uint8_t *bytes;
	uint64_t unused;
};

static thread_local struct h2_slabs *first;

static void link_in(struct h2_slabs *slabs)
{
	slabs->prev = NULL;
	slabs->next = first;
	if (first != NULL)
		first->prev = slabs;
	first = slabs;
}

static void link_out(struct h2_slabs *slabs)
{
	if (slabs->next != NULL)
		slabs->next->prev = slabs->prev;
	if (slabs->prev != NULL)
		slabs->prev->next = slabs->next;
	else
		first = slabs->next;
}

static bool make(void)
{
	/* With larger pages, releasing one slab would clear its neighbours. */
	if (H2_SLAB_ROOM % sysconf(_SC_PAGESIZE) != 0)
		return false;
	struct h2_slabs *slabs = calloc(1, sizeof(*slabs));

	if (slabs == NULL)
		return false;
	void *bytes = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bytes == MAP_FAILED) {
		free(slabs);
		return false;
	}
	(void)madvise(bytes, BYTES, MADV_NOHUGEPAGE); /* otherwise one used slab keeps 2 MiB resident */
	slabs->bytes = bytes;
	slabs->unused = UINT64_MAX;
	link_in(slabs);
	return true;
}

struct h2_slab h2_slab_take(void)
{
	if (first == NULL && !make())
		return (struct h2_slab){0};
	struct h2_slabs *of = first;
	unsigned at = (unsigned)__builtin_ctzll(of->unused);
	of->unused &= ~(UINT64_C(1) << at);
	if (of->unused == 0)
		link_out(of);
	return (struct h2_slab){of, of->bytes + (size_t)at * H2_SLAB_ROOM};
}

bool h2_slab_empty(const struct h2_slab *slab)
{
	return madvise(slab->bytes, H2_SLAB_ROOM, MADV_DONTNEED) == 0;
}

/* Keeps one empty block for reuse. */
void h2_slab_give(struct h2_slab *slab)
{
	struct h2_slabs *of = slab->of;

	if (of == NULL)
		return;
	if (!h2_slab_empty(slab))
		memset(slab->bytes, 0, H2_SLAB_ROOM);
	if (of->unused == 0)
		link_in(of);
	of->unused |= UINT64_C(1) << ((size_t)(slab->bytes - of->bytes) / H2_SLAB_ROOM);
	*slab = (struct h2_slab){0};
	if (of->unused != UINT64_MAX || (of == first && of->next == NULL))
		return;
	link_out(of);
	(void)munmap(of->bytes, BYTES);
	free(of);
}
