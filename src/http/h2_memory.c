#include "http/h2_memory.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

/* In front of what nghttp2 gets. */
struct h2_block {
	alignas(max_align_t) struct h2_block *next;
	bool freed;
};

#define FRAME_LEAST 16384 /* RFC 9113 4.2: the largest frame that is sent, */
#define FRAME_MOST  16448 /* with its header and some more */

static thread_local struct {
	struct h2_block block;
	uint8_t bytes[FRAME_MOST];
} shared;

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

/* The buffer for frames is what it asks for in this way, and of this size, while it begins. */
static void *take_first(struct h2_memory *memory, size_t size)
{
	if (!memory->begins || size < FRAME_LEAST || size > FRAME_MOST)
		return take(size, memory);
	memory->begins = false;
	return &shared.block + 1;
}

static void *take_more(void *old, size_t size, void *arg)
{
	struct h2_block *block = old != NULL ? (struct h2_block *)old - 1 : NULL;

	if (block == NULL)
		return take_first(arg, size);
	if (size > SIZE_MAX - sizeof(struct h2_block))
		return begin(arg, NULL);
	if (block != &shared.block)
		return begin(arg, realloc(block, sizeof(struct h2_block) + size));
	void *own = take(size, arg);
	if (own != NULL)
		memcpy(own, old, size < FRAME_MOST ? size : FRAME_MOST);
	return own;
}

static void give_back(void *bytes, void *arg)
{
	struct h2_memory *memory = arg;
	struct h2_block *block = bytes != NULL ? (struct h2_block *)bytes - 1 : NULL;

	if (block == NULL || block == &shared.block || block->freed)
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
