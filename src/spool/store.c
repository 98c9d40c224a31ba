#include "spool/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

/* Creates and closes a file, so that an unusable directory is reported at the start. */
static enum thaw_status try_directory(const thaw_store *store, struct thaw_error *err)
{
	int fd = store->files->open(store->directory);

	if (fd < 0)
		return error_system(err, errno, "%s: cannot create a file for the spool in this directory",
				    store->directory);
	(void)store->files->close(fd);
	return THAW_OK;
}

thaw_store *spool_store_new(thaw_quota *quota, unsigned worker, const char *directory, struct cipher cipher,
			    const struct spool_file_ops *files, struct thaw_error *err)
{
	if (worker >= quota_workers(quota)) {
		(void)error_set(err, THAW_ERR_USAGE, "worker number %u is out of range for the quota", worker);
		return NULL;
	}
	thaw_store *store = calloc(1, sizeof(*store));
	if (store == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	store->quota = quota;
	store->worker = worker;
	TAILQ_INIT(&store->spares);
	TAILQ_INIT(&store->lru);
	TAILQ_INIT(&store->waiting);
	store->files = files;
	if (directory != NULL && quota_has_disk(quota)) {
		store->directory = strdup(directory);
		if (store->directory == NULL)
			(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		if (store->directory == NULL || try_directory(store, err) != THAW_OK) {
			thaw_store_free(&store);
			return NULL;
		}
	}
	store->cipher = cipher;
	return store;
}

/* ---- memory ---- */

/*
 * Full-size chunks come from mapped slabs, not from the heap, where one small block that is still in use would keep all
 * memory below it resident. A chunk's pages return to the system by madvise(), which does not split a mapping, so that
 * it cannot fail because of vm.max_map_count. Small chunks come from the heap: they are freed with their connection,
 * which uses much more of it.
 */

struct spool_slab {
	LIST_ENTRY(spool_slab) link;
	unsigned char *bytes;
	uint64_t unused; /* bit mask of its chunks */
};

#define SLAB_BYTES  ((size_t)SPOOL_SLAB_CHUNKS * THAW_SPOOL_CHUNK)
#define SLAB_UNUSED UINT64_MAX

_Static_assert(SPOOL_SLAB_CHUNKS == 64, "a bit for each chunk of a slab");

static struct spool_slab *slab_new(thaw_store *store)
{
	struct spool_slab *slab = malloc(sizeof(*slab));

	if (slab == NULL)
		return NULL;
	void *bytes = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED) {
		free(slab);
		return NULL;
	}
	*slab = (struct spool_slab){.bytes = bytes, .unused = SLAB_UNUSED};
	LIST_INSERT_HEAD(&store->free_slabs, slab, link);
	return slab;
}

/* Frees a slab without used chunks. If munmap() fails, the slab is kept for reuse, without resident memory. */
static void slab_free(struct spool_slab *slab)
{
	if (munmap(slab->bytes, SLAB_BYTES) != 0)
		return;
	LIST_REMOVE(slab, link);
	free(slab);
}

static bool slab_take(thaw_store *store, struct spool_chunk *chunk)
{
	struct spool_slab *slab = LIST_FIRST(&store->free_slabs);

	if (slab == NULL)
		slab = slab_new(store);
	if (slab == NULL)
		return false;
	unsigned number = (unsigned)__builtin_ctzll(slab->unused);
	slab->unused &= ~(UINT64_C(1) << number);
	if (slab->unused == 0) {
		LIST_REMOVE(slab, link);
		LIST_INSERT_HEAD(&store->full_slabs, slab, link);
	}
	chunk->bytes = slab->bytes + (size_t)number * THAW_SPOOL_CHUNK;
	chunk->slab = slab;
	return true;
}

/* False: madvise() failed. */
static bool slab_give(thaw_store *store, const struct spool_chunk *chunk)
{
	struct spool_slab *slab = chunk->slab;

	if (madvise(chunk->bytes, THAW_SPOOL_CHUNK, MADV_DONTNEED) != 0)
		return false;
	if (slab->unused == 0) {
		LIST_REMOVE(slab, link);
		LIST_INSERT_HEAD(&store->free_slabs, slab, link);
	}
	slab->unused |= UINT64_C(1) << (size_t)(chunk->bytes - slab->bytes) / THAW_SPOOL_CHUNK;
	if (slab->unused == SLAB_UNUSED)
		slab_free(slab);
	return true;
}

static struct spool_chunk *small_chunk(size_t size)
{
	struct spool_chunk *chunk = malloc(sizeof(*chunk) + size);

	if (chunk != NULL)
		*chunk = (struct spool_chunk){.size = size, .bytes = (unsigned char *)(chunk + 1)};
	return chunk;
}

static struct spool_chunk *whole_chunk(thaw_store *store)
{
	struct spool_chunk *chunk = malloc(sizeof(*chunk));

	if (chunk == NULL)
		return NULL;
	*chunk = (struct spool_chunk){.size = THAW_SPOOL_CHUNK};
	if (slab_take(store, chunk))
		return chunk;
	free(chunk);
	return NULL;
}

struct spool_chunk *spool_chunk_new(thaw_store *store, size_t size)
{
	struct spool_chunk *chunk = TAILQ_FIRST(&store->spares);

	if (size < THAW_SPOOL_CHUNK)
		return small_chunk(size);
	if (chunk == NULL)
		return whole_chunk(store);
	TAILQ_REMOVE(&store->spares, chunk, link);
	store->spare_count--;
	chunk->at = chunk->len = 0;
	chunk->sealed = false;
	return chunk;
}

void spool_chunk_free(thaw_store *store, struct spool_chunk *chunk)
{
	bool spare = chunk->slab != NULL && (store->spare_count < SPOOL_SPARES_MAX || !slab_give(store, chunk));

	if (!spare) {
		free(chunk);
		return;
	}
	TAILQ_INSERT_HEAD(&store->spares, chunk, link);
	store->spare_count++;
}

static void free_slabs(struct spool_slabs *slabs)
{
	struct spool_slab *slab, *next;

	for (slab = LIST_FIRST(slabs); slab != NULL; slab = next) {
		next = LIST_NEXT(slab, link);
		(void)munmap(slab->bytes, SLAB_BYTES);
		free(slab);
	}
}

void thaw_store_free(thaw_store **store)
{
	thaw_store *old = *store;

	*store = NULL;
	if (old == NULL)
		return;
	quota_publish_rank(old->quota, old->worker, 0);
	while (!TAILQ_EMPTY(&old->spares)) {
		struct spool_chunk *chunk = TAILQ_FIRST(&old->spares);
		TAILQ_REMOVE(&old->spares, chunk, link);
		free(chunk);
	}
	free_slabs(&old->free_slabs);
	free_slabs(&old->full_slabs);
	if (old->cipher.ops != NULL)
		old->cipher.ops->free(old->cipher.key);
	free(old->directory);
	free(old);
}
