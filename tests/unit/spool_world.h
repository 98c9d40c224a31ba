/*
 * What the tests of the spool need: files in memory that fail on demand, a cipher that checks its nonces, and a body
 * whose every byte follows from its position.
 */
#ifndef UNIT_SPOOL_WORLD_H
#define UNIT_SPOOL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../made.h"
#include "spool/store.h"
#include "tls/seal.h"

#define CHUNK     THAW_SPOOL_CHUNK
#define FILES_MAX 64
#define FD_BASE   100000 /* no real descriptor */

/* ---- files in memory */

enum file_op { OP_OPEN, OP_WRITE, OP_READ, OP_PUNCH, OP_CLOSE, OP_COUNT };

enum fault_kind { FAULT_NONE, FAULT_ERRNO, FAULT_SHORT, FAULT_EMPTY };

struct fault {
	enum fault_kind kind;
	int cause;          /* for FAULT_ERRNO */
	unsigned long call; /* the number of the failing call, from 1, as counted in `calls` */
	bool from_then_on;
	int only; /* an enum file_op; -1: any */
};

struct fake_file {
	bool open;
	unsigned char *bytes;
	size_t size, room;
};

struct fake_disk {
	struct fake_file files[FILES_MAX];
	unsigned long calls, of[OP_COUNT];
	struct fault fault;
	bool happened;
	enum file_op failed_op;
	const unsigned char *never; /* 32 bytes that must not reach a file; NULL: none */
	unsigned long leaks;
};

static struct fake_disk disk;

static inline void disk_reset(void)
{
	for (int i = 0; i < FILES_MAX; i++)
		free(disk.files[i].bytes);
	disk = (struct fake_disk){0};
}

static inline void disk_fault(struct fault fault)
{
	disk.fault = fault;
	disk.calls = 0;
	disk.happened = false;
}

static inline unsigned disk_open_files(void)
{
	unsigned open = 0;

	for (int i = 0; i < FILES_MAX; i++)
		open += disk.files[i].open;
	return open;
}

/* The only open file. */
static inline struct fake_file *disk_the_file(void)
{
	struct fake_file *found = NULL;

	for (int i = 0; i < FILES_MAX; i++) {
		if (disk.files[i].open) {
			assert_null(found);
			found = &disk.files[i];
		}
	}
	assert_non_null(found);
	return found;
}

static inline enum fault_kind disk_call(enum file_op op)
{
	const struct fault *fault = &disk.fault;

	disk.of[op]++;
	if (fault->kind == FAULT_NONE || (fault->only >= 0 && fault->only != (int)op))
		return FAULT_NONE;
	disk.calls++;
	if (disk.calls != fault->call && !(fault->from_then_on && disk.calls > fault->call))
		return FAULT_NONE;
	disk.happened = true;
	disk.failed_op = op;
	errno = fault->cause;
	return fault->kind;
}

static inline struct fake_file *disk_file(int fd)
{
	assert_in_range(fd, FD_BASE, FD_BASE + FILES_MAX - 1);
	struct fake_file *file = &disk.files[fd - FD_BASE];
	assert_true(file->open);
	return file;
}

static inline int fake_open(const char *directory)
{
	(void)directory;
	if (disk_call(OP_OPEN) == FAULT_ERRNO)
		return -1;
	for (int i = 0; i < FILES_MAX; i++) {
		if (disk.files[i].open)
			continue;
		free(disk.files[i].bytes);
		disk.files[i] = (struct fake_file){.open = true};
		return FD_BASE + i;
	}
	fail_msg("too many files");
	return -1;
}

static inline void disk_look_for_leaks(const unsigned char *data, size_t len)
{
	if (disk.never != NULL && memmem(data, len, disk.never, 32) != NULL)
		disk.leaks++;
}

static inline ssize_t fake_write(int fd, const void *data, size_t len, off_t at)
{
	struct fake_file *file = disk_file(fd);
	enum fault_kind kind = disk_call(OP_WRITE);
	size_t end = (size_t)at + len;

	assert_true(len > 0);
	if (kind == FAULT_ERRNO && disk.fault.cause != ENOSPC)
		return -1;
	/* A full disk takes a part, as real disks do, and reports the error at the next call. */
	if (kind != FAULT_NONE)
		len = kind == FAULT_EMPTY ? 0 : (len + 1) / 2;
	if (end > file->room) {
		file->room = 2 * end;
		file->bytes = realloc(file->bytes, file->room);
		assert_non_null(file->bytes);
	}
	if (end > file->size) {
		memset(file->bytes + file->size, 0, end - file->size);
		file->size = end;
	}
	memcpy(file->bytes + at, data, len);
	disk_look_for_leaks(file->bytes, file->size < 4U * SPOOL_BLOCK ? file->size : 4U * SPOOL_BLOCK);
	disk_look_for_leaks(data, len);
	if (kind == FAULT_ERRNO) {
		errno = disk.fault.cause;
		return -1;
	}
	return (ssize_t)len;
}

static inline ssize_t fake_read(int fd, void *data, size_t room, off_t at)
{
	const struct fake_file *file = disk_file(fd);
	enum fault_kind kind = disk_call(OP_READ);

	assert_true(room > 0);
	if (kind == FAULT_ERRNO)
		return -1;
	if (kind == FAULT_EMPTY || (size_t)at >= file->size)
		return 0;
	size_t len = file->size - (size_t)at < room ? file->size - (size_t)at : room;
	if (kind == FAULT_SHORT)
		len = (len + 1) / 2;
	memcpy(data, file->bytes + at, len);
	return (ssize_t)len;
}

static inline int fake_punch(int fd, off_t at, off_t len)
{
	struct fake_file *file = disk_file(fd);

	assert_true(at >= 0 && len > 0 && (size_t)(at + len) <= file->size);
	if (disk_call(OP_PUNCH) == FAULT_ERRNO)
		return -1;
	memset(file->bytes + at, 0, (size_t)len);
	return 0;
}

/* The descriptor is closed even if close() fails (close(2), Linux). */
static inline int fake_close(int fd)
{
	disk_file(fd)->open = false;
	return disk_call(OP_CLOSE) == FAULT_ERRNO ? -1 : 0;
}

static const struct spool_file_ops fake_files = {fake_open, fake_write, fake_read, fake_punch, fake_close};

/* ---- a checked cipher: one nonce must never seal two different texts */

#define SEALS_MAX (1U << 17) /* a power of two */

struct spy {
	struct cipher inner;
	struct {
		uint8_t nonce[CIPHER_NONCE];
		uint64_t sum;
		bool used;
	} seals[SEALS_MAX];
	unsigned long count, reused;
	bool fail; /* the next seal fails */
};

static inline uint64_t sum_of(const void *data, size_t len)
{
	const unsigned char *bytes = data;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static inline bool spy_seal(void *arg, const uint8_t nonce[CIPHER_NONCE], const void *plain, size_t len, void *out)
{
	struct spy *spy = arg;
	uint64_t sum = sum_of(plain, len);
	size_t at = sum_of(nonce, CIPHER_NONCE) & (SEALS_MAX - 1);

	if (spy->fail) {
		spy->fail = false;
		return false;
	}
	while (spy->seals[at].used && memcmp(spy->seals[at].nonce, nonce, CIPHER_NONCE) != 0)
		at = (at + 1) & (SEALS_MAX - 1);
	if (spy->seals[at].used && spy->seals[at].sum != sum)
		spy->reused++;
	if (!spy->seals[at].used)
		spy->count++;
	assert_true(spy->count < SEALS_MAX / 2);
	spy->seals[at].used = true;
	spy->seals[at].sum = sum;
	memcpy(spy->seals[at].nonce, nonce, CIPHER_NONCE);
	return spy->inner.ops->seal(spy->inner.key, nonce, plain, len, out);
}

static inline bool spy_open(void *arg, const uint8_t nonce[CIPHER_NONCE], const void *sealed, size_t len, void *out)
{
	struct spy *spy = arg;
	return spy->inner.ops->open(spy->inner.key, nonce, sealed, len, out);
}

static inline void spy_free(void *arg)
{
	struct spy *spy = arg;

	assert_int_equal(spy->reused, 0);
	spy->inner.ops->free(spy->inner.key);
	free(spy);
}

/* The store takes the ownership. */
static inline struct cipher spy_new(void)
{
	static const struct cipher_ops ops = {spy_seal, spy_open, spy_free};
	struct spy *spy = calloc(1, sizeof(*spy));
	struct thaw_error err = {0};

	assert_non_null(spy);
	assert_int_equal(tls_seal_new(&spy->inner, &err), THAW_OK);
	return (struct cipher){&ops, spy};
}

static inline struct spy *spy_of(const thaw_store *store)
{
	return store->cipher.key;
}

/* ---- a quota with one store over files in memory */

struct world {
	thaw_quota *quota;
	thaw_store *store;
};

static inline thaw_store *store_on(thaw_quota *quota, unsigned worker, const char *directory)
{
	struct thaw_error err = {0};
	thaw_store *store = spool_store_new(quota, worker, directory, spy_new(), &fake_files, &err);

	if (store == NULL)
		fail_msg("%s", err.text);
	return store;
}

static inline struct world world_new(struct thaw_quota_limits limits)
{
	disk_reset();
	if (limits.workers == 0)
		limits.workers = 1;
	struct world world = {.quota = made_quota_new(&limits)};
	assert_non_null(world.quota);
	world.store = store_on(world.quota, 0, limits.disk > 0 ? "in memory" : NULL);
	return world;
}

static inline struct thaw_quota_use quota_use(const thaw_quota *quota)
{
	struct thaw_quota_use use = {.size = sizeof(use)};

	assert_int_equal(thaw_quota_read_use(quota, &use), THAW_OK);
	return use;
}

/* Every spool was freed: the whole quota is given back. */
static inline void world_free(struct world *world)
{
	struct thaw_quota_use use = quota_use(world->quota);

	assert_int_equal(use.memory, 0);
	assert_int_equal(use.disk, 0);
	assert_int_equal(use.clients, 0);
	assert_int_equal(disk_open_files(), 0);
	thaw_store_free(&world->store);
	thaw_quota_free(&world->quota);
	assert_null(world->store);
	assert_null(world->quota);
	disk_reset();
}

/* ---- a body whose bytes follow from their position */

struct body {
	thaw_spool *spool;
	uint64_t seed, written, read;
};

static inline unsigned char body_byte(const struct body *body, uint64_t at)
{
	return (unsigned char)((at + body->seed) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

static inline struct thaw_spool_use use_of(const struct body *body)
{
	struct thaw_spool_use use = {.size = sizeof(use)};

	assert_int_equal(thaw_spool_read_use(body->spool, &use), THAW_OK);
	return use;
}

/* Writes at most `most` bytes, and at most one chunk. */
static inline enum thaw_reason body_fill(struct body *body, size_t most)
{
	void *where = NULL;
	size_t room = 0;
	enum thaw_reason reason = why_spool_reserve(body->spool, &where, &room);

	if (reason != THAW_REASON_NONE)
		return reason;
	assert_in_range(room, 1, CHUNK);
	size_t len = most < room ? most : room;
	for (size_t i = 0; i < len; i++)
		((unsigned char *)where)[i] = body_byte(body, body->written + i);
	thaw_spool_commit(body->spool, len);
	body->written += len;
	return THAW_REASON_NONE;
}

/* Writes len bytes, or up to the first refusal. */
static inline enum thaw_reason body_write(struct body *body, uint64_t len)
{
	uint64_t end = body->written + len;

	while (body->written < end) {
		uint64_t left = end - body->written;
		enum thaw_reason reason = body_fill(body, left < CHUNK ? (size_t)left : CHUNK);
		if (reason != THAW_REASON_NONE)
			return reason;
	}
	return THAW_REASON_NONE;
}

/* Peeks one piece, and consumes at most `most` bytes of it. *len 0: nothing to read. */
static inline enum thaw_reason body_take(struct body *body, size_t most, size_t *len)
{
	const void *data = NULL;
	enum thaw_reason reason = why_spool_peek(body->spool, &data, len);

	if (reason != THAW_REASON_NONE) {
		assert_int_equal(*len, 0);
		return reason;
	}
	assert_true(*len <= body->written - body->read);
	assert_true((*len == 0) == (body->written == body->read));
	for (size_t i = 0; i < *len; i++)
		if (((const unsigned char *)data)[i] != body_byte(body, body->read + i))
			fail_msg("byte %llu is not what was written", (unsigned long long)(body->read + i));
	if (*len > most)
		*len = most;
	thaw_spool_consume(body->spool, *len);
	body->read += *len;
	return reason;
}

static inline enum thaw_reason body_read(struct body *body, uint64_t len)
{
	uint64_t end = body->read + len;

	while (body->read < end) {
		uint64_t left = end - body->read;
		size_t took = 0;
		enum thaw_reason reason = body_take(body, left < CHUNK ? (size_t)left : CHUNK, &took);
		if (reason != THAW_REASON_NONE)
			return reason;
		assert_true(took > 0);
	}
	return THAW_REASON_NONE;
}

/* Reads and checks everything that was written and not read yet. */
static inline void body_drain(struct body *body)
{
	size_t none = 1;

	assert_int_equal(body_read(body, body->written - body->read), THAW_REASON_NONE);
	assert_int_equal(body_take(body, CHUNK, &none), THAW_REASON_NONE);
	assert_int_equal(none, 0);
	assert_int_equal(use_of(body).unread, 0);
}

static inline struct body body_new(thaw_store *store, const struct sockaddr *client, uint64_t limit)
{
	static uint64_t seed;
	struct body body = {.spool = made_spool_new(store, client, limit), .seed = seed += 1000003};

	assert_non_null(body.spool);
	return body;
}

/* ---- numbers */

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline uint64_t random_below(uint64_t *state, uint64_t end)
{
	return random_next(state) % end;
}

#endif
