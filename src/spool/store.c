#include "spool/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

/* A file is made and closed again, so that a wrong directory is told at the start. */
static enum thaw_status try_directory(const thaw_store *store, struct thaw_error *err)
{
	int fd = store->files->open(store->directory);

	if (fd < 0)
		return error_system(err, errno, "%s: no file can be made there for the spool", store->directory);
	(void)store->files->close(fd);
	return THAW_OK;
}

thaw_store *spool_store_new(thaw_ledger *ledger, unsigned worker, const char *directory, struct cipher cipher,
			    const struct spool_file_ops *files, struct thaw_error *err)
{
	if (worker >= ledger_workers(ledger)) {
		(void)error_set(err, THAW_ERR_USAGE, "the ledger has no place for worker %u", worker);
		return NULL;
	}
	thaw_store *store = calloc(1, sizeof(*store));
	if (store == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	store->ledger = ledger;
	store->worker = worker;
	store->files = files;
	if (directory != NULL && ledger_has_disk(ledger)) {
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

static void destroy(struct spool_chunk *chunk)
{
	(void)munmap(chunk->bytes, THAW_SPOOL_CHUNK);
	free(chunk);
}

void thaw_store_free(thaw_store **store)
{
	thaw_store *gone = *store;

	*store = NULL;
	if (gone == NULL)
		return;
	while (gone->spares != NULL) {
		struct spool_chunk *chunk = gone->spares;
		gone->spares = chunk->next;
		destroy(chunk);
	}
	if (gone->cipher.ops != NULL)
		gone->cipher.ops->free(gone->cipher.key);
	free(gone->directory);
	free(gone);
}

/* From mmap and not from the heap, where one small block that lives on would keep all those below it resident. */
static struct spool_chunk *create(void)
{
	struct spool_chunk *chunk = malloc(sizeof(*chunk));

	if (chunk == NULL)
		return NULL;
	void *bytes = mmap(NULL, THAW_SPOOL_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED) {
		free(chunk);
		return NULL;
	}
	chunk->bytes = bytes;
	return chunk;
}

struct spool_chunk *spool_chunk_new(thaw_store *store)
{
	struct spool_chunk *chunk = store->spares;

	if (chunk != NULL) {
		store->spares = chunk->next;
		store->spare_count--;
	} else {
		chunk = create();
		if (chunk == NULL)
			return NULL;
	}
	chunk->next = NULL;
	chunk->at = chunk->len = 0;
	return chunk;
}

void spool_chunk_free(thaw_store *store, struct spool_chunk *chunk)
{
	if (store->spare_count == SPOOL_SPARES_MAX) {
		destroy(chunk);
		return;
	}
	chunk->next = store->spares;
	store->spares = chunk;
	store->spare_count++;
}
