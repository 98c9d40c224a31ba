#include "http/h2_memory.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* In front of what nghttp2 gets. */
struct h2_block {
	alignas(max_align_t) struct h2_block *next;
	bool freed;
};

static void *begin(struct h2_memory *memory, struct h2_block *block)
{
	if (block == NULL) {
		memory->failed = true;
		return NULL;
	}
	block->next = NULL;
	block->freed = false;
	return block + 1;
}

static void *take(size_t size, void *arg)
{
	return begin(arg, size <= SIZE_MAX - sizeof(struct h2_block) ? malloc(sizeof(struct h2_block) + size) : NULL);
}

static void *take_zeroed(size_t count, size_t size, void *arg)
{
	if (size != 0 && count > (SIZE_MAX - sizeof(struct h2_block)) / size)
		return begin(arg, NULL);
	return begin(arg, calloc(1, sizeof(struct h2_block) + count * size));
}

static void *take_more(void *old, size_t size, void *arg)
{
	if (old == NULL)
		return take(size, arg);
	if (size > SIZE_MAX - sizeof(struct h2_block))
		return begin(arg, NULL);
	return begin(arg, realloc((struct h2_block *)old - 1, sizeof(struct h2_block) + size));
}

static void give_back(void *bytes, void *arg)
{
	struct h2_memory *memory = arg;
	struct h2_block *block = bytes != NULL ? (struct h2_block *)bytes - 1 : NULL;

	if (block == NULL || block->freed)
		return;
	if (!memory->failed) {
		free(block);
		return;
	}
	block->freed = true;
	block->next = memory->late;
	memory->late = block;
}

nghttp2_mem h2_memory_hooks(struct h2_memory *memory)
{
	return (nghttp2_mem){.mem_user_data = memory,
			     .malloc = take,
			     .calloc = take_zeroed,
			     .realloc = take_more,
			     .free = give_back};
}

void h2_memory_end(struct h2_memory *memory)
{
	struct h2_block *block;

	while ((block = memory->late) != NULL) {
		memory->late = block->next;
		free(block);
	}
}
