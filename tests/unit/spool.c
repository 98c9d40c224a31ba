/* The spool as its users see it: in order, within its budgets, and nothing left behind. */
#include "../made.h"
#include "spool_world.h"

#include <dirent.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB     (UINT64_C(1) << 20)
#define NO_SIZE (UINT64_C(1) << 40)

/* ---- allocations that fail on demand (the linker's --wrap) */

static unsigned long allocations, failing_allocation;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset);

static bool allocation_fails(void)
{
	return failing_allocation != 0 && ++allocations == failing_allocation;
}

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_mmap(void *at, size_t len, int protection, int flags, int fd, off_t offset)
{
	if (!allocation_fails())
		return __real_mmap(at, len, protection, flags, fd, offset);
	errno = ENOMEM;
	return MAP_FAILED;
}

static void fail_allocation(unsigned long k)
{
	allocations = 0;
	failing_allocation = k;
}

static struct sockaddr_in address(uint32_t number)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000 + number)};
}

static struct body body_of(thaw_store *store, uint32_t client)
{
	struct sockaddr_in from = address(client);
	return body_new(store, (const struct sockaddr *)&from, NO_SIZE);
}

/* ---- against a plain model, over two stores of one quota, with faults */

#define BODIES  8
#define CLIENTS 4

static const struct thaw_quota_limits model_limits[] = {
	{.memory = 24 * CHUNK,
	 .disk = 60 * CHUNK,
	 .client_memory = 12 * CHUNK,
	 .client_disk = 40 * CHUNK,
	 .request_memory = 5 * CHUNK,
	 .workers = 2},
	{.memory = 9 * CHUNK, .disk = 200 * CHUNK, .worker_memory = 8 * CHUNK, .workers = 2},
	{.memory = 40 * CHUNK, .disk = 200 * CHUNK, .request_memory = CHUNK, .workers = 2},
	{.memory = 30 * CHUNK, .client_memory = 11 * CHUNK, .request_memory = 6 * CHUNK, .workers = 2},
};

struct model {
	const struct thaw_quota_limits *limits;
	thaw_quota *quota;
	thaw_store *stores[2];
	struct body bodies[BODIES];
	uint64_t random;
	unsigned long refused[THAW_REASON_BUDGET_PRESSURE + 1];
	uint64_t to_disk;
};

static void assert_within(uint64_t held, uint64_t limit)
{
	assert_true(limit == 0 || held <= limit);
}

/* What the spools say adds up to what the quota says, and nobody is over a limit. */
static void assert_sums(const struct model *model)
{
	struct thaw_quota_use all = quota_use(model->quota);
	uint64_t memory = 0, on_disk = 0, holders = 0, reading = 0;
	uint64_t by_worker[2] = {0}, by_client[CLIENTS][2] = {0};
	const struct thaw_quota_limits *limits = model->limits;

	for (unsigned i = 0; i < BODIES; i++) {
		const struct body *body = &model->bodies[i];
		if (body->spool == NULL)
			continue;
		struct thaw_spool_use use = use_of(body);
		assert_int_equal(use.unread, body->written - body->read);
		assert_int_equal(use.to_memory + use.to_disk, body->written);
		assert_true(use.memory <= use.memory_most);
		assert_int_equal(use.memory % SPOOL_CHUNK_LEAST, 0);
		assert_int_equal(use.disk % 4096, 0);
		assert_true(use.memory + use.disk >= use.unread);
		/* One chunk more, to read back. */
		assert_within(use.memory_most,
			      limits->request_memory != 0 ? limits->request_memory + CHUNK : limits->memory + CHUNK);
		reading += use.disk > 0 ? CHUNK : 0;
		memory += use.memory;
		on_disk += use.disk;
		by_worker[i % 2] += use.memory;
		by_client[i % CLIENTS][0] += use.memory;
		by_client[i % CLIENTS][1] += use.disk;
	}
	assert_int_equal(all.memory, memory);
	assert_int_equal(all.disk, on_disk);
	assert_true(memory <= limits->memory + reading && on_disk <= limits->disk);
	for (unsigned i = 0; i < CLIENTS; i++) {
		/* Bodies i and i + 4 are one client's, both in worker i % 2. */
		holders += by_client[i][0] != 0 || by_client[i][1] != 0;
		assert_within(by_client[i][0], limits->client_memory != 0 ? limits->client_memory + reading : 0);
		assert_within(by_client[i][1], limits->client_disk);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_within(by_worker[i], limits->worker_memory != 0 ? limits->worker_memory + reading : 0);
	assert_int_equal(all.clients, holders);
}

static void write_copy(struct model *model, struct body *body)
{
	static unsigned char data[4 * CHUNK];
	size_t len = random_below(&model->random, sizeof(data));
	uint64_t before = use_of(body).unread;

	for (size_t i = 0; i < len; i++)
		data[i] = body_byte(body, body->written + i);
	enum thaw_reason reason = why_spool_write(body->spool, data, len);
	uint64_t took = use_of(body).unread - before;
	assert_true(reason == THAW_REASON_NONE ? took == len : took < len);
	body->written += took;
	model->refused[reason]++;
}

static void random_fault(struct model *model)
{
	static const int causes[] = {ENOSPC, EIO, EINTR, EDQUOT};
	enum fault_kind kind = random_below(&model->random, 3) == 0 ? FAULT_SHORT : FAULT_ERRNO;
	int cause = causes[random_below(&model->random, 4)];
	bool from_then_on = cause != EINTR && random_below(&model->random, 8) == 0;

	disk_fault((struct fault){kind, cause, 1 + random_below(&model->random, 20), from_then_on, -1});
}

static void step_body(struct model *model, unsigned number)
{
	struct body *body = &model->bodies[number];
	uint64_t what = random_below(&model->random, 100);
	/* Now more is written, now more is read. */
	uint64_t ebb = model->random / UINT64_C(0x9e3779b97f4a7c15) / 300 % 2 == 0 ? 0 : 30;
	size_t some = random_below(&model->random, 4) == 0 ? 1 + random_below(&model->random, 40)
							   : 1 + random_below(&model->random, CHUNK);
	size_t took = 0;

	if (body->spool == NULL) {
		*body = body_of(model->stores[number % 2], number % CLIENTS);
	} else if (what < 35) {
		model->refused[body_write(body, ebb > 0 ? some : 6 * some)]++;
	} else if (what < 50) {
		write_copy(model, body);
	} else if (what < 60 + ebb) {
		model->refused[body_read(body, body->written - body->read < 3 * some ? body->written - body->read
										     : 3 * some)]++;
	} else if (what < 97) {
		model->refused[body_take(body, some, &took)]++;
	} else if (what < 98) {
		model->to_disk += use_of(body).to_disk;
		thaw_spool_free(&body->spool);
	} else {
		random_fault(model);
	}
}

static void run_model(const struct thaw_quota_limits *limits, uint64_t seed, int steps)
{
	struct model *model = calloc(1, sizeof(*model));

	assert_non_null(model);
	disk_reset();
	*model = (struct model){.limits = limits, .quota = made_quota_new(limits), .random = seed};
	assert_non_null(model->quota);
	for (unsigned i = 0; i < 2; i++)
		model->stores[i] = store_on(model->quota, i, limits->disk > 0 ? "in memory" : NULL);
	for (int i = 0; i < steps; i++) {
		step_body(model, (unsigned)random_below(&model->random, BODIES));
		assert_sums(model);
	}
	disk_fault((struct fault){0});
	for (unsigned i = 0; i < BODIES; i++) {
		if (model->bodies[i].spool == NULL)
			continue;
		body_drain(&model->bodies[i]);
		assert_int_equal(use_of(&model->bodies[i]).disk, 0);
		model->to_disk += use_of(&model->bodies[i]).to_disk;
		thaw_spool_free(&model->bodies[i].spool);
		assert_sums(model);
	}
	/* It was everywhere. */
	assert_true(model->refused[THAW_REASON_NONE] > 100);
	assert_int_equal(model->refused[THAW_REASON_NO_MEMORY] + model->refused[THAW_REASON_BODY_SIZE], 0);
	if (limits->disk > 0) {
		assert_true(model->to_disk > 100 * CHUNK);
		assert_true(disk.of[OP_CLOSE] > 10 && disk.of[OP_PUNCH] > 0);
		assert_true(model->refused[THAW_REASON_DISK_ERROR] + model->refused[THAW_REASON_DISK_FULL] > 0);
	}
	assert_int_equal(disk_open_files(), 0);
	for (unsigned i = 0; i < 2; i++)
		thaw_store_free(&model->stores[i]);
	thaw_quota_free(&model->quota);
	free(model);
}

static void test_like_a_plain_model(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(model_limits) / sizeof(model_limits[0]); i++)
		for (uint64_t seed = 1; seed <= 4; seed++)
			run_model(&model_limits[i], seed * 7919, 4000);
	disk_reset();
}

/* ---- sizes */

/* However it is cut up, a body costs at most twice what it holds, and one smallest chunk. */
static void test_one_byte_writes_cost_no_more(void **state)
{
	static const struct thaw_quota_limits limits = {
		.size = sizeof(limits), .memory = 64 * CHUNK, .disk = 64 * CHUNK, .request_memory = 4 * CHUNK};
	struct world world = world_new(limits);
	struct body tiny = body_of(world.store, 1), full = body_of(world.store, 2);

	(void)state;
	for (unsigned i = 0; i < 10 * CHUNK; i++) {
		assert_int_equal(body_fill(&tiny, 1), THAW_REASON_NONE);
		assert_true(use_of(&tiny).memory + use_of(&tiny).disk <= 2 * tiny.written + 8192);
		assert_true(use_of(&tiny).memory <= 2 * tiny.written + SPOOL_CHUNK_LEAST);
		assert_int_equal(body_write(&full, tiny.written - full.written), THAW_REASON_NONE);
		assert_int_equal(use_of(&tiny).memory, use_of(&full).memory);
		assert_int_equal(use_of(&tiny).disk, use_of(&full).disk);
	}
	assert_int_equal(use_of(&tiny).memory, 4 * CHUNK);
	assert_in_range(use_of(&tiny).disk, 6 * CHUNK, 6 * CHUNK + 4096);
	/* Read byte by byte, too. */
	while (tiny.read < tiny.written)
		assert_int_equal(body_read(&tiny, 1), THAW_REASON_NONE);
	assert_int_equal(use_of(&tiny).memory + use_of(&tiny).disk, 0);
	thaw_spool_free(&tiny.spool);
	thaw_spool_free(&full.spool);
	world_free(&world);
}

/* Many requests of one byte: as many as there are smallest chunks, and without a disk. */
static void test_one_byte_holds_one_smallest_chunk(void **state)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 4 * CHUNK});
	struct body bodies[4 * CHUNK / SPOOL_CHUNK_LEAST];

	(void)state;
	for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		bodies[i] = body_of(world.store, i);
		assert_int_equal(body_write(&bodies[i], 1), THAW_REASON_NONE);
		assert_int_equal(use_of(&bodies[i]).memory, SPOOL_CHUNK_LEAST);
	}
	for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		thaw_spool_free(&bodies[i].spool);
	world_free(&world);
}

/* Room of which nothing is used is not kept. */
static void test_reserved_room_is_given_back(void **state)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 4 * CHUNK});
	struct body body = body_of(world.store, 1);
	void *where = NULL;
	size_t room = 0;

	(void)state;
	assert_int_equal(why_spool_reserve(body.spool, &where, &room), THAW_REASON_NONE);
	thaw_spool_commit(body.spool, 0);
	assert_int_equal(use_of(&body).memory, 0);
	assert_int_equal(body_write(&body, CHUNK), THAW_REASON_NONE);
	assert_int_equal(why_spool_reserve(body.spool, &where, &room), THAW_REASON_NONE);
	assert_int_equal(room, CHUNK);
	thaw_spool_commit(body.spool, 0);
	assert_int_equal(use_of(&body).memory, CHUNK);
	thaw_spool_free(&body.spool);
	world_free(&world);
}

static void test_body_size(void **state)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 16 * CHUNK});
	struct body body = body_new(world.store, NULL, 2 * CHUNK + 10);
	unsigned char more[20] = {0};
	void *where = NULL;
	size_t room = 0;

	(void)state;
	assert_int_equal(body_write(&body, 2 * CHUNK), THAW_REASON_NONE);
	assert_int_equal(why_spool_reserve(body.spool, &where, &room), THAW_REASON_NONE);
	assert_int_equal(room, 10);
	thaw_spool_commit(body.spool, 0);
	assert_int_equal(why_spool_write(body.spool, more, 0), THAW_REASON_NONE);
	assert_int_equal(body_write(&body, 11), THAW_REASON_BODY_SIZE);
	assert_int_equal(body.written, 2 * CHUNK + 10);
	/* What was read does not make room: it is the size of the body. */
	body_drain(&body);
	assert_int_equal(why_spool_write(body.spool, more, 1), THAW_REASON_BODY_SIZE);
	thaw_spool_free(&body.spool);
	/* A part of what is too long is taken, and no more. */
	body = body_new(world.store, NULL, 15);
	assert_int_equal(why_spool_write(body.spool, more, sizeof(more)), THAW_REASON_BODY_SIZE);
	assert_int_equal(use_of(&body).unread, 15);
	thaw_spool_free(&body.spool);
	body = body_new(world.store, NULL, 100);
	assert_int_equal(why_spool_reserve(body.spool, &where, &room), THAW_REASON_NONE);
	assert_int_equal(room, 100);
	thaw_spool_free(&body.spool);
	body = body_new(world.store, NULL, 0);
	assert_int_equal(body_write(&body, 1), THAW_REASON_BODY_SIZE);
	assert_int_equal(quota_use(world.quota).memory, 0);
	thaw_spool_free(&body.spool);
	thaw_spool_free(&body.spool);
	world_free(&world);
}

static void test_empty(void **state)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 16 * CHUNK, .disk = 16 * CHUNK});
	struct body body = body_new(world.store, NULL, NO_SIZE);

	(void)state;
	body_drain(&body);
	thaw_spool_consume(body.spool, 0);
	thaw_spool_consume(body.spool, 5);
	assert_int_equal(use_of(&body).unread, 0);
	assert_int_equal(quota_use(world.quota).memory, 0);
	/* More than there is. */
	assert_int_equal(body_write(&body, 3), THAW_REASON_NONE);
	thaw_spool_consume(body.spool, 1000);
	assert_int_equal(use_of(&body).unread, 0);
	thaw_spool_free(&body.spool);
	world_free(&world);
}

/* ---- budgets, each with its own reason */

static void assert_refused_until_freed(struct body *hoarder, struct body *body, enum thaw_reason expected)
{
	for (int again = 0; again < 3; again++)
		assert_int_equal(body_write(body, 20 * CHUNK), expected);
	thaw_spool_free(&hoarder->spool);
	uint64_t before = body->written;
	assert_int_equal(body_write(body, 3 * CHUNK), THAW_REASON_NONE);
	assert_int_equal(body->written, before + 3 * CHUNK);
	body_drain(body);
	thaw_spool_free(&body->spool);
}

static void each_reason(bool on_disk)
{
	struct thaw_quota_limits limits = {.size = sizeof(limits),
					   .memory = 32 * CHUNK,
					   .worker_memory = 20 * CHUNK,
					   .client_memory = 10 * CHUNK,
					   .workers = 2};
	uint64_t hoard = on_disk ? 9 * CHUNK : 8 * CHUNK;
	if (on_disk) {
		limits.disk = 28 * CHUNK;
		limits.worker_disk = 20 * CHUNK;
		limits.client_disk = 10 * CHUNK;
		limits.request_memory = 2 * CHUNK;
	}
	struct world world = world_new(limits);
	thaw_store *other = store_on(world.quota, 1, on_disk ? "in memory" : NULL);
	struct body a = body_of(world.store, 1), b = body_of(world.store, 1);

	assert_int_equal(body_write(&a, 6 * CHUNK), THAW_REASON_NONE);
	assert_refused_until_freed(&a, &b, THAW_REASON_BUDGET_CLIENT);

	a = body_of(world.store, 1), b = body_of(world.store, 2);
	struct body c = body_of(world.store, 3);
	assert_int_equal(body_write(&a, hoard), THAW_REASON_NONE);
	assert_int_equal(body_write(&c, hoard), THAW_REASON_NONE);
	assert_refused_until_freed(&a, &b, THAW_REASON_BUDGET_WORKER);

	a = body_of(world.store, 1), b = body_of(other, 2);
	struct body d = body_of(other, 4);
	assert_int_equal(body_write(&a, hoard), THAW_REASON_NONE);
	assert_int_equal(body_write(&d, hoard), THAW_REASON_NONE);
	assert_refused_until_freed(&a, &b, THAW_REASON_BUDGET_TOTAL);
	thaw_spool_free(&c.spool);
	thaw_spool_free(&d.spool);
	assert_true(quota_use(world.quota).refused >= 9);
	thaw_store_free(&other);
	world_free(&world);
}

static void test_each_budget_in_memory(void **state)
{
	(void)state;
	each_reason(false);
}

static void test_each_budget_on_disk(void **state)
{
	(void)state;
	each_reason(true);
}

static void test_one_request(void **state)
{
	static const struct thaw_quota_limits limits = {
		.size = sizeof(limits), .memory = 32 * CHUNK, .request_memory = 5 * CHUNK};
	struct world world = world_new(limits);
	struct body body = body_of(world.store, 1), next = body_of(world.store, 1);

	(void)state;
	assert_int_equal(body_write(&body, 6 * CHUNK), THAW_REASON_BUDGET_CLIENT);
	assert_int_equal(body.written, 5 * CHUNK);
	assert_int_equal(body_write(&next, 5 * CHUNK), THAW_REASON_NONE);
	assert_int_equal(body_read(&body, CHUNK), THAW_REASON_NONE);
	assert_int_equal(body_write(&body, CHUNK), THAW_REASON_NONE);
	thaw_spool_free(&body.spool);
	thaw_spool_free(&next.spool);
	world_free(&world);
}

/* The memory is in the hands of others, who rest: it is theirs no more once a newcomer needs it. */
static void test_what_rests_moves_to_the_disk(void **state)
{
	static const struct thaw_quota_limits limits = {
		.size = sizeof(limits), .memory = 64 * CHUNK, .disk = 2000 * CHUNK, .client_disk = 1000 * CHUNK};
	struct world world = world_new(limits);
	struct body hoarders[3], body = body_of(world.store, 99);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		hoarders[i] = body_of(world.store, i);
		assert_int_equal(body_write(&hoarders[i], 100 * CHUNK + 1), THAW_REASON_NONE);
	}
	assert_int_equal(body_write(&body, 500 * CHUNK), THAW_REASON_NONE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(use_of(&hoarders[i]).memory, 0);
	body_drain(&body);
	for (unsigned i = 0; i < 3; i++) {
		body_drain(&hoarders[i]);
		thaw_spool_free(&hoarders[i].spool);
	}
	thaw_spool_free(&body.spool);
	world_free(&world);
}

/* Before the memory is spent, and down to the smallest holdings. */
static void test_tend_moves_what_rests(void **state)
{
	static const struct thaw_quota_limits limits = {
		.size = sizeof(limits), .memory = 16 * CHUNK, .disk = 100 * CHUNK};
	struct world world = world_new(limits);
	struct body bodies[500];

	(void)state;
	assert_int_equal(thaw_store_tend(world.store, 1), THAW_NEVER);
	for (unsigned i = 0; i < 500; i++) {
		bodies[i] = body_of(world.store, i);
		/* The fake disk has few files: the first ones are on it. */
		if (i == 12 * CHUNK / SPOOL_CHUNK_LEAST) {
			assert_int_equal(disk.of[OP_OPEN], 1); /* the store's own attempt */
			assert_true(thaw_store_tend(world.store, 2) > 2);
			assert_int_equal(disk.of[OP_OPEN], 1);
		}
		assert_int_equal(body_write(&bodies[i], 1), THAW_REASON_NONE);
		if (i == 12 * CHUNK / SPOOL_CHUNK_LEAST + 5)
			break;
	}
	assert_true(thaw_store_tend(world.store, 3) > 3);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(use_of(&bodies[i]).memory, 0);
		assert_int_equal(use_of(&bodies[i]).disk, 4096);
		assert_int_equal(use_of(&bodies[i]).to_disk, 1);
	}
	assert_int_equal(use_of(&bodies[6]).disk, 0);
	for (unsigned i = 0; i <= 12 * CHUNK / SPOOL_CHUNK_LEAST + 5; i++) {
		body_drain(&bodies[i]);
		thaw_spool_free(&bodies[i].spool);
	}
	assert_int_equal(thaw_store_tend(world.store, 4), THAW_NEVER);
	world_free(&world);
}

/* What a caller has a pointer into stays where it is. */
static void test_reserved_and_peeked_do_not_move(void **state)
{
	static const struct thaw_quota_limits limits = {
		.size = sizeof(limits), .memory = 8 * CHUNK, .disk = 100 * CHUNK};
	struct world world = world_new(limits);
	struct body reserved = body_of(world.store, 1), peeked = body_of(world.store, 2),
		    large = body_of(world.store, 3);
	void *where = NULL;
	const void *data = NULL;
	size_t room = 0, len = 0;

	(void)state;
	assert_int_equal(body_write(&reserved, 10), THAW_REASON_NONE);
	assert_int_equal(body_write(&peeked, 10), THAW_REASON_NONE);
	assert_int_equal(why_spool_reserve(reserved.spool, &where, &room), THAW_REASON_NONE);
	assert_int_equal(why_spool_peek(peeked.spool, &data, &len), THAW_REASON_NONE);
	assert_int_equal(body_write(&large, 50 * CHUNK), THAW_REASON_NONE);
	(void)thaw_store_tend(world.store, 1);
	assert_int_equal(use_of(&reserved).memory, SPOOL_CHUNK_LEAST);
	assert_int_equal(use_of(&peeked).memory, SPOOL_CHUNK_LEAST);
	memset(where, body_byte(&reserved, 10), 1);
	thaw_spool_commit(reserved.spool, 1);
	reserved.written++;
	assert_int_equal(*(const unsigned char *)data, body_byte(&peeked, 0));
	body_drain(&reserved);
	body_drain(&peeked);
	thaw_spool_free(&reserved.spool);
	thaw_spool_free(&peeked.spool);
	thaw_spool_free(&large.spool);
	world_free(&world);
}

/* Writing and reading in step, far more than all the budgets together. */
static void test_streams_through(void **state)
{
	static const struct thaw_quota_limits limits = {
		.size = sizeof(limits), .memory = 8 * CHUNK, .disk = 40 * CHUNK, .request_memory = 4 * CHUNK};
	struct world world = world_new(limits);
	struct body body = body_of(world.store, 1);

	(void)state;
	assert_int_equal(body_write(&body, 20 * CHUNK), THAW_REASON_NONE);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(body_write(&body, CHUNK - 5), THAW_REASON_NONE);
		assert_int_equal(body_read(&body, CHUNK - 5), THAW_REASON_NONE);
	}
	body_drain(&body);
	assert_int_equal(use_of(&body).memory + use_of(&body).disk, 0);
	thaw_spool_free(&body.spool);
	world_free(&world);
}

/* ---- no memory */

/*
 * One scenario; the allocation that fails is told as a reason, and the same call works again. Where there is a disk, it
 * is used instead of a chunk that cannot be had.
 */
static bool allocate_with_failure(unsigned long k, uint64_t on_disk)
{
	struct thaw_quota_limits limits = {.size = sizeof(limits),
					   .memory = 32 * CHUNK,
					   .disk = on_disk,
					   .request_memory = on_disk > 0 ? 4 * CHUNK : 0,
					   .workers = 1};
	struct thaw_error err = {0};
	struct cipher cipher = spy_new();
	unsigned failures = 0;

	disk_reset();
	fail_allocation(k);
	thaw_quota *quota = made_quota_new(&limits);
	if (quota == NULL && ++failures)
		quota = made_quota_new(&limits);
	assert_non_null(quota);
	thaw_store *store = spool_store_new(quota, 0, "in memory", cipher, &fake_files, &err);
	if (store == NULL && ++failures) {
		assert_int_equal(err.cls, THAW_ERR_RESOURCE);
		store = spool_store_new(quota, 0, "in memory", cipher, &fake_files, &err);
	}
	assert_non_null(store);
	struct body body = {.spool = made_spool_new(store, NULL, NO_SIZE)};
	if (body.spool == NULL && ++failures)
		body.spool = made_spool_new(store, NULL, NO_SIZE);
	assert_non_null(body.spool);
	while (body.written < 12 * CHUNK) {
		enum thaw_reason reason = body_write(&body, 12 * CHUNK - body.written);
		if (reason == THAW_REASON_NONE)
			continue;
		assert_int_equal(reason, THAW_REASON_NO_MEMORY);
		assert_int_equal(quota_use(quota).memory, use_of(&body).memory);
		failures++;
	}
	while (body.read < body.written) {
		enum thaw_reason reason = body_read(&body, body.written - body.read);
		if (reason == THAW_REASON_NONE)
			continue;
		assert_int_equal(reason, THAW_REASON_NO_MEMORY); /* for a chunk to read back into */
		failures++;
	}
	body_drain(&body);
	bool reached = allocations >= k;
	fail_allocation(0);
	if (reached && failures == 0)
		assert_true(use_of(&body).to_disk >= 8 * CHUNK);
	else
		assert_int_equal(failures, reached ? 1 : 0);
	thaw_spool_free(&body.spool);
	assert_int_equal(quota_use(quota).memory + quota_use(quota).disk, 0);
	thaw_store_free(&store);
	thaw_quota_free(&quota);
	return reached;
}

static void test_each_allocation_fails(void **state)
{
	unsigned long k = 1;

	(void)state;
	while (allocate_with_failure(k, 0))
		k++;
	/* Two for the quota, the store, the spool, and one for each chunk at least. */
	assert_true(k - 1 >= 4 + 12);
	for (k = 1; allocate_with_failure(k, 64 * CHUNK); k++)
		;
	assert_true(k - 1 >= 4 + 4);
	disk_reset();
}

static uint64_t resident(void)
{
	char line[128] = "";
	unsigned long long all = 0, pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	(void)fclose(file);
	assert_int_equal(sscanf(line, "%llu %llu", &all, &pages), 2);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What is given back goes back to the system, also from under what stays. */
static void test_memory_returns_to_the_system(void **state)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 128 * MIB});
	struct body large = body_of(world.store, 1), small = body_of(world.store, 2);

	(void)state;
	uint64_t before = resident();
	for (int i = 0; i < 64; i++) {
		assert_int_equal(body_write(&large, MIB), THAW_REASON_NONE);
		assert_int_equal(body_write(&small, CHUNK), THAW_REASON_NONE);
	}
	assert_true(resident() >= before + 64 * MIB);
	thaw_spool_free(&large.spool);
	assert_int_equal(quota_use(world.quota).memory, MIB);
	assert_true(resident() <= before + 8 * MIB);
	thaw_spool_free(&small.spool);
	world_free(&world);
}

static unsigned mappings(void)
{
	unsigned lines = 0;
	FILE *file = fopen("/proc/self/maps", "re");

	assert_non_null(file);
	for (int c; (c = fgetc(file)) != EOF;)
		lines += c == '\n';
	(void)fclose(file);
	return lines;
}

/* However chunks come and go, there are no more mappings than slabs: a process may have vm.max_map_count of them. */
static void test_freed_chunks_cut_no_mapping(void **state)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 256 * MIB});
	struct body odd = body_of(world.store, 1), even = body_of(world.store, 2);
	unsigned before = mappings();

	(void)state;
	for (uint64_t i = 0; i < 64 * MIB / CHUNK; i++) {
		assert_int_equal(body_write(&odd, CHUNK), THAW_REASON_NONE);
		assert_int_equal(body_write(&even, CHUNK), THAW_REASON_NONE);
	}
	thaw_spool_free(&odd.spool);
	assert_true(mappings() <= before + 128 * MIB / CHUNK / SPOOL_SLAB_CHUNKS + 8);
	thaw_spool_free(&even.spool);
	assert_true(mappings() <= before + 32);
	world_free(&world);
}

/* ---- a real directory */

static unsigned names_in(const char *directory)
{
	unsigned names = 0;
	DIR *dir = opendir(directory);

	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
		names += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	(void)closedir(dir);
	return names;
}

/* The descriptor of this process's only file there; -1: none. */
static int file_in(const char *directory)
{
	int found = -1;
	DIR *dir = opendir("/proc/self/fd");

	assert_non_null(dir);
	for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char path[PATH_MAX], target[PATH_MAX] = "";
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, target, sizeof(target) - 1) <= 0 ||
		    strncmp(target, directory, strlen(directory)) != 0)
			continue;
		assert_int_equal(found, -1);
		assert_non_null(strstr(target, "(deleted)"));
		found = atoi(entry->d_name);
	}
	(void)closedir(dir);
	return found;
}

static uint64_t blocks_of(int fd)
{
	struct stat now;

	assert_int_equal(fstat(fd, &now), 0);
	return (uint64_t)now.st_blocks * 512;
}

static void make_directory(char path[static PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "./unit-spool-XXXXXX");
	assert_non_null(mkdtemp(path));
	char *absolute = realpath(path, NULL);
	assert_non_null(absolute);
	(void)snprintf(path, PATH_MAX, "%s", absolute);
	free(absolute);
}

static struct world real_world(const char *directory, uint64_t memory)
{
	struct thaw_quota_limits limits = {
		.size = sizeof(limits), .memory = memory, .disk = 256 * MIB, .request_memory = 8 * CHUNK, .workers = 1};
	struct thaw_error err = {0};
	struct world world = {.quota = made_quota_new(&limits)};

	disk_reset();
	assert_non_null(world.quota);
	world.store = spool_store_new(world.quota, 0, directory, spy_new(), &spool_file_system, &err);
	if (world.store == NULL)
		fail_msg("%s", err.text);
	return world;
}

static void test_real_file(void **state)
{
	char directory[PATH_MAX];

	(void)state;
	make_directory(directory);
	struct world world = real_world(directory, MIB);
	struct body body = body_of(world.store, 1);
	assert_int_equal(file_in(directory), -1);
	assert_int_equal(body_write(&body, 24 * MIB), THAW_REASON_NONE);
	int fd = file_in(directory);
	assert_true(fd >= 0);
	assert_int_equal(names_in(directory), 0);
	assert_int_equal(fsync(fd), 0);
	uint64_t most = blocks_of(fd);
	assert_true(most >= use_of(&body).to_disk);
	assert_int_equal(body_read(&body, 20 * MIB), THAW_REASON_NONE);
	/* What the quota says of the disk is true: the file has shrunk as it was read. */
	assert_true(use_of(&body).disk <= 5 * MIB);
	assert_true(blocks_of(fd) <= use_of(&body).disk + MIB / 8);
	body_drain(&body);
	assert_int_equal(use_of(&body).disk, 0);
	assert_int_equal(file_in(directory), -1);
	thaw_spool_free(&body.spool);
	world_free(&world);
	assert_int_equal(rmdir(directory), 0);
}

/* A large file is closed apart; it is gone soon, and the quota does not wait for it. */
static void test_large_file_is_closed(void **state)
{
	char directory[PATH_MAX];

	(void)state;
	make_directory(directory);
	struct world world = real_world(directory, MIB);
	struct body body = body_of(world.store, 1);
	assert_int_equal(body_write(&body, 64 * MIB), THAW_REASON_NONE);
	assert_true(file_in(directory) >= 0);
	thaw_spool_free(&body.spool);
	world_free(&world);
	while (file_in(directory) >= 0)
		(void)sched_yield();
	assert_int_equal(rmdir(directory), 0);
}

/* For filesystems that know no files without a name. */
static void test_open_and_unlink(void **state)
{
	char directory[PATH_MAX], long_name[PATH_MAX + 1] = "/";
	unsigned char data[100] = "data", out[100];

	(void)state;
	make_directory(directory);
	int fd = spool_file_open_and_unlink(directory);
	assert_true(fd >= 0);
	assert_int_equal(names_in(directory), 0);
	assert_int_equal(file_in(directory), fd);
	assert_int_equal(spool_file_write_all(&spool_file_system, fd, data, sizeof(data), 70000), 0);
	assert_int_equal(spool_file_read_all(&spool_file_system, fd, out, sizeof(out), 70000), 0);
	assert_memory_equal(data, out, sizeof(out));
	assert_int_equal(spool_file_read_all(&spool_file_system, fd, out, sizeof(out), 70001), EIO);
	assert_int_equal(spool_file_system.close(fd), 0);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(spool_file_open_and_unlink(directory), -1);
	assert_int_equal(errno, ENOENT);
	memset(long_name + 1, 'a', sizeof(long_name) - 2);
	assert_int_equal(spool_file_open_and_unlink(long_name), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

static void test_wrong_store(void **state)
{
	struct thaw_quota_limits limits = {.size = sizeof(limits), .memory = MIB, .disk = MIB, .workers = 2};
	struct thaw_error err = {0};
	thaw_quota *quota = made_quota_new(&limits);
	struct cipher cipher = spy_new();

	(void)state;
	assert_non_null(quota);
	assert_null(spool_store_new(quota, 0, "/no/such/place", cipher, &spool_file_system, &err));
	assert_int_equal(err.cls, THAW_ERR_SYSTEM);
	assert_non_null(strstr(err.text, "/no/such/place"));
	err = (struct thaw_error){0};
	assert_null(spool_store_new(quota, 2, NULL, cipher, &spool_file_system, &err));
	assert_int_equal(err.cls, THAW_ERR_USAGE);
	cipher.ops->free(cipher.key);
	thaw_quota_free(&quota);
}

/* No disk, or no directory: over the memory's budget is a reason. */
static void test_memory_only(void **state)
{
	struct thaw_quota_limits no_disk = {.size = sizeof(no_disk), .memory = 16 * CHUNK, .workers = 1};
	struct thaw_quota_limits no_directory = {
		.size = sizeof(no_directory), .memory = 16 * CHUNK, .disk = MIB, .workers = 1};

	(void)state;
	for (int i = 0; i < 2; i++) {
		disk_reset();
		struct world world = {.quota = made_quota_new(i == 0 ? &no_disk : &no_directory)};
		assert_non_null(world.quota);
		world.store = store_on(world.quota, 0, i == 0 ? "in memory" : NULL);
		struct body body = body_of(world.store, 1);
		assert_int_equal(body_write(&body, 15 * CHUNK), THAW_REASON_BUDGET_TOTAL);
		body_drain(&body);
		assert_int_equal(disk.of[OP_OPEN], 0);
		thaw_spool_free(&body.spool);
		world_free(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_a_plain_model),
		cmocka_unit_test(test_one_byte_writes_cost_no_more),
		cmocka_unit_test(test_one_byte_holds_one_smallest_chunk),
		cmocka_unit_test(test_reserved_room_is_given_back),
		cmocka_unit_test(test_body_size),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_each_budget_in_memory),
		cmocka_unit_test(test_each_budget_on_disk),
		cmocka_unit_test(test_one_request),
		cmocka_unit_test(test_what_rests_moves_to_the_disk),
		cmocka_unit_test(test_tend_moves_what_rests),
		cmocka_unit_test(test_reserved_and_peeked_do_not_move),
		cmocka_unit_test(test_streams_through),
		cmocka_unit_test(test_each_allocation_fails),
		cmocka_unit_test(test_memory_returns_to_the_system),
		cmocka_unit_test(test_freed_chunks_cut_no_mapping),
		cmocka_unit_test(test_real_file),
		cmocka_unit_test(test_large_file_is_closed),
		cmocka_unit_test(test_open_and_unlink),
		cmocka_unit_test(test_wrong_store),
		cmocka_unit_test(test_memory_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
