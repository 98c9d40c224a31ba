/* The spool's disk: every operation on it fails in turn, what is on it is changed, and what is on it can be read by
 * nobody. */
#include "../made.h"
#include "spool_world.h"

#define LIMIT UINT64_C(1) << 40

static struct world disk_world(void)
{
	return world_new(
		(struct thaw_quota_limits){.memory = 64 * CHUNK, .disk = 1024 * CHUNK, .request_memory = 4 * CHUNK});
}

/* ---- one fault at a time, at every operation */

/* Goes over all of a spool's ways: memory, disk, partly read, more, drained, memory again, disk again. */
static const struct step {
	uint64_t write, read;
} script[] = {
	{6 * CHUNK + 100, 0}, {0, 3 * CHUNK + 5},     {40 * CHUNK, 0},
	{0, 30 * CHUNK},      {CHUNK - 100, 0},       {0, 1},
	{0, 20 * CHUNK},      {CHUNK / 2, CHUNK / 2}, {9 * CHUNK, CHUNK},
	{3 * CHUNK, 0},       {0, UINT64_C(1) << 40},
};

#define STEPS (sizeof(script) / sizeof(script[0]))

/* What a fault must be told as. */
static enum thaw_reason expected_reason(void)
{
	const struct fault *fault = &disk.fault;
	bool writes = disk.failed_op == OP_OPEN || disk.failed_op == OP_WRITE;

	if (!disk.happened || disk.failed_op == OP_PUNCH || disk.failed_op == OP_CLOSE || fault->kind == FAULT_SHORT)
		return THAW_REASON_NONE;
	if (fault->kind == FAULT_ERRNO && fault->cause == EINTR && disk.failed_op != OP_OPEN)
		return THAW_REASON_NONE;
	if (writes && fault->kind == FAULT_ERRNO && (fault->cause == ENOSPC || fault->cause == EDQUOT))
		return THAW_REASON_DISK_FULL;
	return THAW_REASON_DISK_ERROR;
}

/* What the quota says is what the spool says. */
static void assert_accounts(const struct world *world, const struct body *body)
{
	struct thaw_quota_use all = quota_use(world->quota);
	struct thaw_spool_use use = use_of(body);

	assert_int_equal(all.memory, use.memory);
	assert_int_equal(all.disk, use.disk);
	assert_int_equal(use.unread, body->written - body->read);
	assert_int_equal(use.to_memory + use.to_disk, body->written);
	assert_true(use.memory <= 5 * CHUNK); /* one to read back */
}

/* The whole script, although one operation fails once: it is told, it is asked again, and no byte is lost. */
static bool run_with_fault(struct fault fault)
{
	struct world world = disk_world();
	struct body body = body_new(world.store, NULL, LIMIT);
	unsigned refused = 0, failures = 0;

	disk_fault(fault);
	for (size_t i = 0; i < STEPS; i++) {
		uint64_t write_end = body.written + script[i].write, read_end = body.read + script[i].read;
		while (body.written < write_end) {
			enum thaw_reason reason = body_write(&body, write_end - body.written);
			assert_accounts(&world, &body);
			if (reason == THAW_REASON_NONE)
				continue;
			assert_int_equal(reason, expected_reason());
			failures++;
			assert_int_equal(++refused, 1);
		}
		if (read_end > body.written)
			read_end = body.written;
		while (body.read < read_end) {
			enum thaw_reason reason = body_read(&body, read_end - body.read);
			assert_accounts(&world, &body);
			if (reason == THAW_REASON_NONE)
				continue;
			assert_int_equal(reason, expected_reason());
			failures++;
			assert_int_equal(++refused, 1);
		}
	}
	body_drain(&body);
	bool happened = disk.happened;
	assert_int_equal(failures, happened && expected_reason() != THAW_REASON_NONE ? 1 : 0);
	assert_true(use_of(&body).to_disk > 0);
	thaw_spool_free(&body.spool);
	world_free(&world);
	return happened;
}

static void each_operation_in_turn(enum fault_kind kind, int cause)
{
	unsigned long k = 1;

	while (run_with_fault((struct fault){kind, cause, k, false, -1}))
		k++;
	/* The script makes some of each. */
	assert_true(k > 100);
}

static void test_no_fault(void **state)
{
	(void)state;
	assert_false(run_with_fault((struct fault){0}));
}

static void test_enospc_at_each(void **state)
{
	(void)state;
	each_operation_in_turn(FAULT_ERRNO, ENOSPC);
}

static void test_edquot_at_each(void **state)
{
	(void)state;
	each_operation_in_turn(FAULT_ERRNO, EDQUOT);
}

static void test_eio_at_each(void **state)
{
	(void)state;
	each_operation_in_turn(FAULT_ERRNO, EIO);
}

static void test_eintr_at_each(void **state)
{
	(void)state;
	for (int op = OP_WRITE; op <= OP_READ; op++)
		for (unsigned long k = 1; run_with_fault((struct fault){FAULT_ERRNO, EINTR, k, false, op}); k++)
			;
}

static void test_short_at_each(void **state)
{
	(void)state;
	each_operation_in_turn(FAULT_SHORT, 0);
}

/* A write that takes nothing and a file that ends early are errors, not endless loops. */
static void test_nothing_at_each(void **state)
{
	(void)state;
	for (int op = OP_WRITE; op <= OP_READ; op++) {
		unsigned long k = 1;
		while (run_with_fault((struct fault){FAULT_EMPTY, 0, k, false, op}))
			k++;
		assert_true(k > 10);
	}
}

/* The disk is full, and stays so: what was taken before comes back whole, and the budget with it. */
static void test_what_was_written_before_can_be_read(void **state)
{
	(void)state;
	for (unsigned long k = 1; k < 40; k++) {
		struct world world = disk_world();
		struct body body = body_new(world.store, NULL, LIMIT);
		disk_fault((struct fault){FAULT_ERRNO, ENOSPC, k, true, OP_WRITE});
		assert_int_equal(body_write(&body, 100 * CHUNK), THAW_REASON_DISK_FULL);
		/* The first six chunks are small, and together one whole one. */
		assert_int_equal(body.written, (k <= 6 ? 4 : k - 2) * CHUNK);
		for (int again = 0; again < 3; again++)
			assert_int_equal(body_write(&body, 1), THAW_REASON_DISK_FULL);
		assert_accounts(&world, &body);
		body_drain(&body);
		assert_accounts(&world, &body);
		thaw_spool_free(&body.spool);
		world_free(&world);
	}
}

/* Where no holes can be made the disk counts until the file is drained. */
static void test_punch_refused(void **state)
{
	struct world world = disk_world();
	struct body body = body_new(world.store, NULL, LIMIT);

	(void)state;
	disk_fault((struct fault){FAULT_ERRNO, EOPNOTSUPP, 1, true, OP_PUNCH});
	assert_int_equal(body_write(&body, 200 * CHUNK), THAW_REASON_NONE);
	uint64_t most = use_of(&body).disk;
	assert_int_equal(body_read(&body, 150 * CHUNK), THAW_REASON_NONE);
	assert_int_equal(use_of(&body).disk, most);
	body_drain(&body);
	assert_int_equal(use_of(&body).disk, 0);
	assert_int_equal(disk_open_files(), 0);
	thaw_spool_free(&body.spool);
	world_free(&world);
}

static void test_disk_is_released_while_reading(void **state)
{
	struct world world = disk_world();
	struct body body = body_new(world.store, NULL, LIMIT);

	(void)state;
	assert_int_equal(body_write(&body, 400 * CHUNK), THAW_REASON_NONE);
	while (body.read < body.written) {
		assert_int_equal(body_read(&body, CHUNK), THAW_REASON_NONE);
		uint64_t unread = use_of(&body).unread;
		assert_true(use_of(&body).disk <= unread + unread / 1000 + 20 * SPOOL_BLOCK);
	}
	assert_int_equal(use_of(&body).disk, 0);
	assert_int_equal(use_of(&body).memory, 0);
	assert_true(disk.of[OP_PUNCH] > 20);
	thaw_spool_free(&body.spool);
	world_free(&world);
}

static void test_seal_fails(void **state)
{
	struct world world = disk_world();
	struct body body = body_new(world.store, NULL, LIMIT);

	(void)state;
	for (int round = 0; round < 3; round++) {
		uint64_t end = body.written + 8 * CHUNK;
		enum thaw_reason reason;
		spy_of(world.store)->fail = true;
		while ((reason = body_write(&body, end - body.written)) == THAW_REASON_NONE && body.written < end)
			;
		assert_int_equal(reason, THAW_REASON_NO_MEMORY);
		assert_int_equal(body_write(&body, end - body.written), THAW_REASON_NONE);
	}
	body_drain(&body);
	thaw_spool_free(&body.spool);
	world_free(&world);
}

/* ---- what is on the disk is changed */

/* The next block cannot be read back as it is now; put right, it can be. */
static void assert_noticed(struct body *body, unsigned char *at, const void *changed, size_t len)
{
	unsigned char *saved = malloc(len);
	size_t none = 1;

	assert_non_null(saved);
	memcpy(saved, at, len);
	memcpy(at, changed, len);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(body_take(body, CHUNK, &none), THAW_REASON_DISK_ERROR);
		thaw_spool_consume(body->spool, CHUNK); /* there is nothing to consume */
		assert_int_equal(use_of(body).unread, body->written - body->read);
	}
	memcpy(at, saved, len);
	free(saved);
}

/* The first blocks hold the smallest chunks. */
#define FIRST_BLOCK (SPOOL_HEADER + SPOOL_CHUNK_LEAST + CIPHER_TAG)

static void test_changed_block(void **state)
{
	static const size_t places[] = {0, 1, 2, 3, 4, 5, 300, SPOOL_HEADER + SPOOL_CHUNK_LEAST, FIRST_BLOCK - 1};
	struct world world = disk_world();
	struct body body = body_new(world.store, NULL, LIMIT);

	(void)state;
	assert_int_equal(body_write(&body, 20 * CHUNK), THAW_REASON_NONE);
	struct fake_file *file = disk_the_file();
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		for (int bit = 0; bit < 8; bit++) {
			unsigned char changed = (unsigned char)(file->bytes[places[i]] ^ 1 << bit);
			assert_noticed(&body, &file->bytes[places[i]], &changed, 1);
		}
	}
	assert_noticed(&body, file->bytes, file->bytes + FIRST_BLOCK, FIRST_BLOCK); /* the next one in its place */
	size_t whole = file->size;
	size_t none = 1;
	file->size = FIRST_BLOCK - 1;
	assert_int_equal(body_take(&body, CHUNK, &none), THAW_REASON_DISK_ERROR);
	file->size = whole;
	body_drain(&body);
	thaw_spool_free(&body.spool);
	world_free(&world);
}

/* A block of the same place in another request's file, and one of this request's own from earlier. */
static void test_foreign_block_is_rejected(void **state)
{
	struct world world = disk_world();
	struct body body = body_new(world.store, NULL, LIMIT), other = body_new(world.store, NULL, LIMIT);
	unsigned char foreign[FIRST_BLOCK], older[FIRST_BLOCK];

	(void)state;
	assert_int_equal(body_write(&other, 5 * CHUNK), THAW_REASON_NONE);
	memcpy(foreign, disk_the_file()->bytes, FIRST_BLOCK);
	body_drain(&other);
	assert_int_equal(body_write(&body, 5 * CHUNK), THAW_REASON_NONE);
	memcpy(older, disk_the_file()->bytes, FIRST_BLOCK);
	body_drain(&body);
	assert_int_equal(body_write(&body, 5 * CHUNK), THAW_REASON_NONE);
	assert_noticed(&body, disk_the_file()->bytes, foreign, FIRST_BLOCK);
	assert_noticed(&body, disk_the_file()->bytes, older, FIRST_BLOCK);
	body_drain(&body);
	thaw_spool_free(&body.spool);
	thaw_spool_free(&other.spool);
	world_free(&world);
}

/*
 * A write fails half-way, with a part of the block on the disk; the spool is drained, filled with other bytes and
 * written again. The spy, which is asked when the store is freed, has seen no nonce twice.
 */
static void test_nonce_after_failed_write(void **state)
{
	struct world world = disk_world();
	struct body body = body_new(world.store, NULL, LIMIT);

	(void)state;
	for (unsigned long k = 1; k < 8; k++) {
		disk_fault((struct fault){FAULT_ERRNO, ENOSPC, k, true, OP_WRITE});
		assert_int_equal(body_write(&body, 40 * CHUNK), THAW_REASON_DISK_FULL);
		body_drain(&body);
		disk_fault((struct fault){0});
		assert_int_equal(body_write(&body, 20 * CHUNK + 7), THAW_REASON_NONE);
		body_drain(&body);
	}
	assert_true(spy_of(world.store)->count > 50);
	thaw_spool_free(&body.spool);
	world_free(&world);
}

/* ---- what is on the disk can be read by nobody */

static void test_no_plaintext_on_disk(void **state)
{
	static const unsigned char secret[] = "only memory may ever know this text, and no disk";
	struct world world = disk_world();
	thaw_spool *spool = made_spool_new(world.store, NULL, LIMIT);
	unsigned char piece[CHUNK];
	struct thaw_spool_use use = {.size = sizeof(use)};
	const void *data = NULL;
	size_t len = 0;

	(void)state;
	assert_non_null(spool);
	for (size_t i = 0; i < CHUNK; i++)
		piece[i] = secret[i % (sizeof(secret) - 1)];
	disk.never = secret;
	for (int i = 0; i < 50; i++)
		assert_int_equal(why_spool_write(spool, piece, sizeof(piece)), THAW_REASON_NONE);
	assert_true(disk.of[OP_WRITE] >= 46);
	assert_int_equal(disk.leaks, 0);
	/* The search does find it where it is. */
	disk_look_for_leaks(piece, sizeof(piece));
	assert_int_equal(disk.leaks, 1);
	for (size_t at = 0; at < 50 * CHUNK; at += len) {
		assert_int_equal(why_spool_peek(spool, &data, &len), THAW_REASON_NONE);
		assert_in_range(len, 1, CHUNK - at % CHUNK);
		assert_memory_equal(data, piece + at % CHUNK, len);
		thaw_spool_consume(spool, len);
	}
	assert_int_equal(thaw_spool_read_use(spool, &use), THAW_OK);
	assert_int_equal(use.to_disk, 46 * CHUNK);
	thaw_spool_free(&spool);
	world_free(&world);
}

static void test_seal(void **state)
{
	static const uint8_t nonce[CIPHER_NONCE] = {1}, other_nonce[CIPHER_NONCE] = {2};
	unsigned char plain[100] = "plain", sealed[100 + CIPHER_TAG], again[100 + CIPHER_TAG], out[100];
	struct cipher one, two;
	struct thaw_error err = {0};

	(void)state;
	assert_int_equal(tls_seal_new(&one, &err), THAW_OK);
	assert_int_equal(tls_seal_new(&two, &err), THAW_OK);
	assert_true(one.ops->seal(one.key, nonce, plain, sizeof(plain), sealed));
	assert_true(one.ops->open(one.key, nonce, sealed, sizeof(plain), out));
	assert_memory_equal(out, plain, sizeof(plain));
	assert_memory_not_equal(sealed, plain, sizeof(plain));
	assert_false(one.ops->open(one.key, other_nonce, sealed, sizeof(plain), out));
	assert_false(two.ops->open(two.key, nonce, sealed, sizeof(plain), out));
	assert_true(two.ops->seal(two.key, nonce, plain, sizeof(plain), again));
	assert_memory_not_equal(sealed, again, sizeof(sealed));
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 0x40;
		assert_false(one.ops->open(one.key, nonce, sealed, sizeof(plain), out));
		sealed[i] ^= 0x40;
	}
	/* A failure leaves nothing behind that would fail the next. */
	assert_true(one.ops->open(one.key, nonce, sealed, sizeof(plain), out));
	one.ops->free(one.key);
	two.ops->free(two.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_fault),
		cmocka_unit_test(test_enospc_at_each),
		cmocka_unit_test(test_edquot_at_each),
		cmocka_unit_test(test_eio_at_each),
		cmocka_unit_test(test_eintr_at_each),
		cmocka_unit_test(test_short_at_each),
		cmocka_unit_test(test_nothing_at_each),
		cmocka_unit_test(test_what_was_written_before_can_be_read),
		cmocka_unit_test(test_punch_refused),
		cmocka_unit_test(test_disk_is_released_while_reading),
		cmocka_unit_test(test_seal_fails),
		cmocka_unit_test(test_changed_block),
		cmocka_unit_test(test_foreign_block_is_rejected),
		cmocka_unit_test(test_nonce_after_failed_write),
		cmocka_unit_test(test_no_plaintext_on_disk),
		cmocka_unit_test(test_seal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
