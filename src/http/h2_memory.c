#include "http/h2_memory.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

/* Header before each allocation. */
struct h2_block {
	alignas(max_align_t) struct h2_block *next;
	uint32_t size; /* only in a slab */
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

static bool in_slab(const struct h2_memory *memory, const struct h2_block *block)
{
	uintptr_t bytes = (uintptr_t)memory->slab.bytes, at = (uintptr_t)block;

	return memory->slab.of != NULL && at >= bytes && at - bytes < H2_SLAB_ROOM;
}

/* Allocates in the slab. NULL: the session is initialized already, or the slab is full. */
static struct h2_block *slab_block(struct h2_memory *memory, size_t size)
{
	size_t room = H2_SLAB_ROOM - memory->used, all = sizeof(struct h2_block) + size;

	if (!memory->begins || memory->slab.of == NULL || size > H2_SLAB_ROOM || all > room)
		return NULL;
	struct h2_block *block = (struct h2_block *)(void *)(memory->slab.bytes + memory->used);
	all = (all + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	memory->used += all < room ? all : room;
	block->size = (uint32_t)size;
	return block;
}

static void *take(size_t size, void *arg)
{
	struct h2_block *block = slab_block(arg, size);

	if (block == NULL && size <= SIZE_MAX - sizeof(struct h2_block))
		block = malloc(sizeof(struct h2_block) + size);
	return begin(arg, block);
}

static void *take_zeroed(size_t count, size_t size, void *arg)
{
	if (size != 0 && count > (SIZE_MAX - sizeof(struct h2_block)) / size)
		return begin(arg, NULL);
	struct h2_block *block = slab_block(arg, count * size); /* zero, since no byte is used twice */
	return begin(arg, block != NULL ? block : calloc(1, sizeof(struct h2_block) + count * size));
}

/* Recognizes the allocation of the frame buffer, by its size, during initialization. */
static void *take_first(struct h2_memory *memory, size_t size)
{
	if (!memory->begins || memory->shares || size < FRAME_LEAST || size > FRAME_MOST)
		return take(size, memory);
	memory->shares = true;
	return &shared.block + 1;
}

static void *take_more(void *old, size_t size, void *arg)
{
	struct h2_block *block = old != NULL ? (struct h2_block *)old - 1 : NULL;

	if (block == NULL)
		return take_first(arg, size);
	if (size > SIZE_MAX - sizeof(struct h2_block))
		return begin(arg, NULL);
	if (block != &shared.block && !in_slab(arg, block))
		return begin(arg, realloc(block, sizeof(struct h2_block) + size));
	size_t had = block == &shared.block ? FRAME_MOST : block->size;
	void *own = take(size, arg);
	if (own != NULL)
		memcpy(own, old, size < had ? size : had);
	return own;
}

static void give_back(void *bytes, void *arg)
{
	struct h2_memory *memory = arg;
	struct h2_block *block = bytes != NULL ? (struct h2_block *)bytes - 1 : NULL;

	if (block == NULL || block == &shared.block || in_slab(memory, block) || block->freed)
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

/* ---- folding ---- */

typedef uint64_t word;

#define WORDS (H2_SLAB_ROOM / sizeof(word))

struct h2_folded {
	uint64_t kept[WORDS / 64]; /* a bit for each non-zero word of the slab */
	word words[];
};

void h2_memory_fold(struct h2_memory *memory)
{
	const word *words = (const word *)(const void *)memory->slab.bytes;
	size_t all = memory->used / sizeof(word), count = 0;

	if (memory->slab.of == NULL || memory->folded != NULL || memory->failed)
		return;
	for (size_t i = 0; i < all; i++)
		count += words[i] != 0;
	struct h2_folded *folded = calloc(1, sizeof(*folded) + count * sizeof(word));
	if (folded == NULL)
		return;
	count = 0;
	for (size_t i = 0; i < all; i++) {
		if (words[i] == 0)
			continue;
		folded->kept[i / 64] |= UINT64_C(1) << i % 64;
		folded->words[count++] = words[i];
	}
	if (h2_slab_empty(&memory->slab))
		memory->folded = folded;
	else
		free(folded);
}

void h2_memory_unfold(struct h2_memory *memory)
{
	struct h2_folded *folded = memory->folded;
	word *words = (word *)(void *)memory->slab.bytes;
	size_t count = 0;

	if (folded == NULL)
		return;
	for (size_t i = 0; i < WORDS / 64; i++)
		for (uint64_t left = folded->kept[i]; left != 0; left &= left - 1)
			words[i * 64 + (size_t)__builtin_ctzll(left)] = folded->words[count++];
	free(folded);
	memory->folded = NULL;
}

void h2_memory_begin(struct h2_memory *memory)
{
	memory->slab = h2_slab_take();
	memory->begins = true;
}

void h2_memory_end(struct h2_memory *memory)
{
	struct h2_block *block;

	free(memory->folded);
	memory->folded = NULL;
	h2_slab_give(&memory->slab);
	while ((block = memory->late) != NULL) {
		memory->late = block->next;
		free(block);
	}
}
