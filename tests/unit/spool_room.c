/* What makes room when the budgets are nearly spent: which spool is ended, when, and at whose word. */
#include "spool_world.h"

#include "../made.h"
#include "spool/inside.h"

#include <netinet/in.h>

#define NO_SIZE (UINT64_C(1) << 40)
#define OVERDUE SPOOL_OVERDUE_MS
#define NOW     UINT64_C(1000000)

/* A request that waits for a certificate. */
struct asker {
	struct body body;
	bool refuses; /* to be ended */
	unsigned ends;
};

static bool on_end(void *arg)
{
	struct asker *asker = arg;

	asker->ends++;
	return !asker->refuses;
}

/* waited: for so long at the time NOW. */
static void ask(struct asker *asker, thaw_store *store, uint32_t client, uint64_t waited, uint64_t bytes)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000 + client)};

	*asker = (struct asker){.body = body_new(store, (const struct sockaddr *)&from, NO_SIZE)};
	thaw_spool_yield(asker->body.spool, NOW - waited, on_end, asker);
	assert_int_equal(body_write(&asker->body, bytes), THAW_REASON_NONE);
}

static bool has_ended(const struct asker *asker)
{
	return thaw_spool_ended(asker->body.spool) != THAW_REASON_NONE;
}

static void leave(struct asker *askers, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		thaw_spool_free(&askers[i].body.spool);
}

/* Until there is nothing to be done at once. */
static void tend(thaw_store *store, uint64_t now_ms)
{
	while (thaw_store_tend(store, now_ms) <= now_ms)
		;
}

static struct world memory_world(unsigned workers)
{
	return world_new((struct thaw_quota_limits){.memory = 64 * CHUNK, .workers = workers});
}

static void test_without_pressure_none_is_ended(void **state)
{
	struct world world = memory_world(1);
	struct asker askers[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		ask(&askers[i], world.store, i, 100 * OVERDUE, 12 * CHUNK);
	tend(world.store, NOW);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(askers[i].ends, 0);
	leave(askers, 4);
	world_free(&world);
}

static void test_oldest_ask_of_the_largest_client_is_ended(void **state)
{
	struct world world = memory_world(1);
	struct asker askers[6];

	(void)state;
	ask(&askers[0], world.store, 1, 20000, 4 * CHUNK);
	ask(&askers[1], world.store, 2, 20000, 10 * CHUNK);
	ask(&askers[2], world.store, 2, 20001, 10 * CHUNK);
	ask(&askers[3], world.store, 2, 20000, 10 * CHUNK);
	ask(&askers[4], world.store, 3, 20001, 8 * CHUNK);
	ask(&askers[5], world.store, 4, 20001, 8 * CHUNK);
	tend(world.store, NOW);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(has_ended(&askers[i]), i == 2);
	assert_int_equal(quota_use(world.quota).ended, 1);
	assert_int_equal(quota_use(world.quota).memory, 40 * CHUNK);
	leave(askers, 6);
	world_free(&world);
}

static void test_asks_that_are_not_overdue_are_ended_last(void **state)
{
	struct world world = memory_world(1);
	struct asker askers[3];

	(void)state;
	ask(&askers[0], world.store, 1, OVERDUE - 1, 40 * CHUNK);
	ask(&askers[1], world.store, 2, OVERDUE, CHUNK);
	ask(&askers[2], world.store, 3, 5, 8 * CHUNK);
	tend(world.store, NOW);
	assert_true(has_ended(&askers[1]));
	assert_false(has_ended(&askers[0]));
	assert_false(has_ended(&askers[2]));
	leave(askers, 3);
	world_free(&world);
}

/* Where nobody has waited for long, the time counts for more than the size. */
static void test_new_large_body_is_kept(void **state)
{
	struct world world = memory_world(1);
	struct asker askers[26];

	(void)state;
	ask(&askers[0], world.store, 1, 100, 24 * CHUNK);
	for (unsigned i = 1; i < 26; i++)
		ask(&askers[i], world.store, 1 + i, 1000 + i, CHUNK);
	tend(world.store, NOW);
	assert_false(has_ended(&askers[0]));
	assert_true(has_ended(&askers[25]));
	assert_false(has_ended(&askers[24]));
	leave(askers, 26);
	world_free(&world);
}

static void test_owner_may_refuse(void **state)
{
	struct world world = memory_world(1);
	struct asker askers[2];

	(void)state;
	ask(&askers[0], world.store, 1, 2 * OVERDUE, 30 * CHUNK);
	ask(&askers[1], world.store, 2, 2 * OVERDUE, 20 * CHUNK);
	askers[0].refuses = true;
	tend(world.store, NOW);
	assert_int_equal(askers[0].ends, 1);
	assert_false(has_ended(&askers[0]));
	assert_true(has_ended(&askers[1]));
	body_drain(&askers[0].body);
	leave(askers, 2);
	world_free(&world);
}

/* One that is passed on, or that never was to yield, keeps what it holds. */
static void test_spools_without_end_function_are_kept(void **state)
{
	struct world world = memory_world(1);
	struct asker askers[2];

	(void)state;
	ask(&askers[0], world.store, 1, 2 * OVERDUE, 50 * CHUNK);
	ask(&askers[1], world.store, 2, 1, CHUNK);
	thaw_spool_yield(askers[0].body.spool, 0, NULL, NULL);
	tend(world.store, NOW);
	assert_int_equal(askers[0].ends, 0);
	body_drain(&askers[0].body);
	leave(askers, 2);
	world_free(&world);
}

/* What an ended spool says, and that it does not come back. */
static void test_ended_spool_refuses(void **state)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 64 * CHUNK, .disk = 64 * CHUNK});
	struct asker asker;
	const void *data = NULL;
	size_t len = 0;

	(void)state;
	ask(&asker, world.store, 1, 2 * OVERDUE, 63 * CHUNK);
	tend(world.store, NOW);
	struct body hoarder = body_new(world.store, NULL, NO_SIZE);
	assert_int_equal(body_write(&hoarder, 90 * CHUNK), THAW_REASON_NONE);
	assert_true(has_ended(&asker));
	assert_int_equal(use_of(&asker.body).memory + use_of(&asker.body).disk, 0);
	assert_int_equal(use_of(&asker.body).to_memory + use_of(&asker.body).to_disk, 63 * CHUNK);
	assert_int_equal(body_write(&asker.body, 1), THAW_REASON_BUDGET_PRESSURE);
	assert_int_equal(why_spool_peek(asker.body.spool, &data, &len), THAW_REASON_BUDGET_PRESSURE);
	thaw_spool_yield(asker.body.spool, 0, on_end, &asker);
	tend(world.store, NOW);
	assert_int_equal(asker.ends, 1);
	leave(&asker, 1);
	body_drain(&hoarder);
	thaw_spool_free(&hoarder.spool);
	world_free(&world);
}

/* With nothing left, before the next thaw_store_tend(): room is made when it is needed. */
static void test_new_request_is_admitted_when_quota_is_used_up(void **state)
{
	struct world world = memory_world(1);
	struct asker askers[7], newcomer;

	(void)state;
	(void)thaw_store_tend(world.store, NOW);
	for (unsigned i = 0; i < 7; i++)
		ask(&askers[i], world.store, i, OVERDUE + 10 * i, 8 * CHUNK);
	ask(&newcomer, world.store, 99, 0, 6 * CHUNK);
	assert_int_equal(quota_use(world.quota).ended > 0, true);
	assert_false(has_ended(&newcomer));
	assert_true(has_ended(&askers[6]));
	leave(askers, 7);
	leave(&newcomer, 1);
	world_free(&world);
}

/* ---- asks end only for others that need the room */

/* All that is not kept for those who begin. */
static void test_lone_ask_uses_all_memory(void **state)
{
	struct world world = memory_world(2);
	struct asker lone;

	(void)state;
	ask(&lone, world.store, 1, 2 * OVERDUE, CHUNK);
	while (use_of(&lone.body).memory < 56 * CHUNK) {
		assert_int_equal(body_write(&lone.body, CHUNK / 2), THAW_REASON_NONE);
		tend(world.store, NOW);
	}
	assert_int_equal(lone.ends, 0);
	assert_int_equal(body_write(&lone.body, 2 * CHUNK), THAW_REASON_BUDGET_TOTAL);
	leave(&lone, 1);
	world_free(&world);
}

static void test_lone_ask_uses_all_of_the_disk(void **state)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 16 * CHUNK, .disk = 64 * CHUNK});
	struct asker lone;

	(void)state;
	ask(&lone, world.store, 1, 2 * OVERDUE, CHUNK);
	for (unsigned i = 0; i < 120; i++) {
		assert_int_equal(body_write(&lone.body, CHUNK / 2), THAW_REASON_NONE);
		tend(world.store, NOW);
	}
	assert_int_equal(lone.ends, 0);
	leave(&lone, 1);
	world_free(&world);
}

static void test_lone_ask_ends_for_another(void **state)
{
	struct world world = memory_world(1);
	struct asker lone, other;

	(void)state;
	ask(&lone, world.store, 1, 2 * OVERDUE, 50 * CHUNK);
	tend(world.store, NOW);
	assert_false(has_ended(&lone));
	ask(&other, world.store, 2, 0, CHUNK);
	tend(world.store, NOW + 100);
	assert_int_equal(thaw_spool_ended(lone.body.spool), THAW_REASON_BUDGET_PRESSURE);
	assert_false(has_ended(&other));
	leave(&lone, 1);
	leave(&other, 1);
	world_free(&world);
}

/* The one that needs room is worse than the other, which needs none. */
static void test_idle_ask_does_not_end_for_a_worse_one(void **state)
{
	struct world world = memory_world(1);
	struct asker idle, grows;

	(void)state;
	ask(&idle, world.store, 1, 5, 8 * CHUNK);
	tend(world.store, NOW);
	ask(&grows, world.store, 2, 2 * OVERDUE, 44 * CHUNK);
	tend(world.store, NOW + 100);
	assert_false(has_ended(&idle));
	assert_false(has_ended(&grows));
	leave(&idle, 1);
	leave(&grows, 1);
	world_free(&world);
}

/* Who is worse than all others is refused, and ends none of them. */
static void test_worst_asker_is_refused(void **state)
{
	struct world world = memory_world(1);
	struct asker askers[2], worst;

	(void)state;
	ask(&askers[0], world.store, 1, OVERDUE, CHUNK);
	ask(&askers[1], world.store, 2, OVERDUE, CHUNK);
	(void)thaw_store_tend(world.store, NOW);
	ask(&worst, world.store, 3, 2 * OVERDUE, 50 * CHUNK);
	assert_int_equal(body_write(&worst.body, 14 * CHUNK), THAW_REASON_BUDGET_TOTAL);
	assert_int_equal(quota_use(world.quota).ended, 0);
	leave(askers, 2);
	leave(&worst, 1);
	world_free(&world);
}

/* A client's share is spent: its own oldest makes room for its newest, and nobody else. */
static void test_share_is_the_clients_own_matter(void **state)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 256 * CHUNK, .client_memory = 32 * CHUNK});
	struct asker own[4], other;

	(void)state;
	ask(&other, world.store, 2, 9 * OVERDUE, 28 * CHUNK);
	ask(&own[0], world.store, 1, 300, 9 * CHUNK);
	ask(&own[1], world.store, 1, 200, 9 * CHUNK);
	ask(&own[2], world.store, 1, 100, 9 * CHUNK);
	ask(&own[3], world.store, 1, 0, 9 * CHUNK);
	assert_true(has_ended(&own[0]));
	for (unsigned i = 1; i < 4; i++)
		assert_false(has_ended(&own[i]));
	/* The oldest is refused itself. */
	assert_int_equal(body_write(&own[1].body, 20 * CHUNK), THAW_REASON_BUDGET_CLIENT);
	assert_false(has_ended(&own[2]));
	assert_false(has_ended(&other));
	leave(own, 4);
	leave(&other, 1);
	world_free(&world);
}

/* ---- many workers */

struct two {
	struct world world;
	thaw_store *other;
	struct asker mild, bad; /* of the world's store, and of the other's */
};

static void two_workers(struct two *two)
{
	two->world = memory_world(3);
	two->other = store_on(two->world.quota, 1, NULL);
	ask(&two->mild, two->world.store, 1, OVERDUE, 8 * CHUNK);
	ask(&two->bad, two->other, 2, 2 * OVERDUE, 42 * CHUNK);
	quota_publish_need(two->world.quota, 2, UINT64_MAX); /* a third one's ask */
}

static void two_end(struct two *two)
{
	thaw_spool_free(&two->mild.body.spool);
	thaw_spool_free(&two->bad.body.spool);
	thaw_store_free(&two->other);
	world_free(&two->world);
}

static void test_worker_leaves_it_to_the_one_with_the_worst(void **state)
{
	struct two two;

	(void)state;
	two_workers(&two);
	quota_publish_rank(two.world.quota, 1, UINT64_MAX / 2 + 10000000); /* as the other's last search said */
	tend(two.world.store, NOW);
	assert_false(has_ended(&two.mild));
	tend(two.other, NOW + 50);
	assert_true(has_ended(&two.bad));
	tend(two.world.store, NOW + 100);
	assert_false(has_ended(&two.mild));
	two_end(&two);
}

/* Another worker says that it has a worse one, and ends nobody: it is not waited for without end. */
static void test_worker_with_a_false_rank_is_not_waited_for(void **state)
{
	struct two two;
	uint64_t now_ms = NOW;

	(void)state;
	two_workers(&two);
	quota_publish_rank(two.world.quota, 1, UINT64_MAX);
	for (; now_ms < NOW + 400; now_ms += 50) {
		tend(two.world.store, now_ms);
		assert_false(has_ended(&two.mild));
	}
	tend(two.world.store, NOW + 1000);
	assert_true(has_ended(&two.mild));
	two_end(&two);
}

/* The room that a worker's ask needs may be another worker's to make; also if the ask was refused, and has left. */
static void test_need_of_another_worker(void **state)
{
	static const uint64_t sizes[] = {CHUNK, 12 * CHUNK};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world world = memory_world(2);
		thaw_store *other = store_on(world.quota, 1, NULL);
		struct asker lone, needs;
		ask(&lone, world.store, 1, 2 * OVERDUE, 54 * CHUNK);
		tend(world.store, NOW);
		tend(other, NOW);
		assert_false(has_ended(&lone));
		ask(&needs, other, 2, 0, 1);
		enum thaw_reason reason = body_write(&needs.body, sizes[i]);
		assert_int_equal(reason, i == 0 ? THAW_REASON_NONE : THAW_REASON_BUDGET_TOTAL);
		if (reason != THAW_REASON_NONE)
			leave(&needs, 1);
		assert_true(thaw_store_tend(other, NOW + 100) < NOW + 1000); /* there is something to look after */
		tend(world.store, NOW + 100);
		assert_true(has_ended(&lone));
		tend(other, NOW + 200);
		leave(&lone, 1);
		ask(&lone, world.store, 1, 2 * OVERDUE, 54 * CHUNK); /* what was needed then is not needed now */
		tend(world.store, NOW + 300);
		assert_false(has_ended(&lone));
		leave(&lone, 1);
		if (reason == THAW_REASON_NONE)
			leave(&needs, 1);
		thaw_store_free(&other);
		world_free(&world);
	}
}

/* ---- an ask that has just come, in a worker that holds little else */

struct young {
	struct world world;
	thaw_store *other;
	struct asker crowd[4]; /* of the other's store: the worst of all */
	struct asker old, honest;
};

/* Not yet under pressure. */
static void young_begin(struct young *young)
{
	young->world = memory_world(2);
	young->other = store_on(young->world.quota, 1, NULL);
	for (unsigned i = 0; i < 4; i++)
		ask(&young->crowd[i], young->other, 10 + i, 5000, 9 * CHUNK);
	tend(young->other, NOW);
	tend(young->world.store, NOW);
}

static void young_end(struct young *young)
{
	leave(young->crowd, 4);
	leave(&young->old, 1);
	leave(&young->honest, 1);
	thaw_store_free(&young->other);
	world_free(&young->world);
}

static bool crowd_ended(const struct young *young)
{
	return has_ended(&young->crowd[0]) || has_ended(&young->crowd[1]) || has_ended(&young->crowd[2]) ||
	       has_ended(&young->crowd[3]);
}

/* The other worker has not been at work since there is pressure: what is worse there is known all the same. */
static void test_young_ask_stays_while_another_worker_has_worse(void **state)
{
	struct young young;

	(void)state;
	young_begin(&young);
	ask(&young.old, young.world.store, 1, 10, CHUNK);
	ask(&young.honest, young.world.store, 2, 5, 14 * CHUNK);
	tend(young.world.store, NOW + 1);
	assert_false(has_ended(&young.honest));
	assert_false(crowd_ended(&young));
	tend(young.other, NOW + 100);
	assert_true(crowd_ended(&young));
	tend(young.world.store, NOW + 101);
	assert_false(has_ended(&young.honest));
	assert_false(has_ended(&young.old));
	young_end(&young);
}

/* One here is as bad as the worst of all. The next one here is not, although ending that one is not enough. */
static void test_young_ask_does_not_end_beside_an_old_one(void **state)
{
	struct young young;

	(void)state;
	young_begin(&young);
	ask(&young.old, young.world.store, 1, 6000, CHUNK);
	ask(&young.honest, young.world.store, 2, 5, 14 * CHUNK);
	tend(young.world.store, NOW + 1);
	assert_true(has_ended(&young.old));
	assert_false(has_ended(&young.honest));
	tend(young.other, NOW + 100);
	assert_true(crowd_ended(&young));
	assert_false(has_ended(&young.honest));
	young_end(&young);
}

/* The same where one is refused, and makes room at once: one ends for it, and no more than that. */
static void test_young_ask_does_not_end_for_one_that_is_refused(void **state)
{
	struct young young;
	struct asker newcomer;

	(void)state;
	young_begin(&young);
	ask(&young.old, young.world.store, 1, 6000, 5 * CHUNK);
	ask(&young.honest, young.world.store, 2, 5, 14 * CHUNK);
	ask(&newcomer, young.world.store, 3, 0, 5 * CHUNK);
	assert_true(has_ended(&young.old));
	assert_false(has_ended(&young.honest));
	leave(&newcomer, 1);
	young_end(&young);
}

/* ---- one client's share, in many workers */

struct shared {
	struct world world;
	thaw_store *other;
	struct asker own[40]; /* of the world's store */
	struct asker next;    /* of the other's */
};

static void shared_begin(struct shared *shared, uint64_t on_disk)
{
	struct thaw_quota_limits limits = {.size = sizeof(limits),
					   .memory = 256 * CHUNK,
					   .disk = on_disk,
					   .client_memory = 32 * CHUNK,
					   .client_disk = on_disk / 2,
					   .workers = 2};

	shared->world = world_new(limits);
	shared->other = store_on(shared->world.quota, 1, on_disk > 0 ? "in memory" : NULL);
}

static void shared_end(struct shared *shared, unsigned count)
{
	leave(shared->own, count);
	leave(&shared->next, 1);
	thaw_store_free(&shared->other);
	world_free(&shared->world);
}

static void test_share_in_another_worker_moves_to_the_disk(void **state)
{
	struct shared shared;

	(void)state;
	shared_begin(&shared, 512 * CHUNK);
	for (unsigned i = 0; i < 40; i++)
		ask(&shared.own[i], shared.world.store, 1, OVERDUE, CHUNK);
	ask(&shared.next, shared.other, 1, 0, 40 * CHUNK);
	assert_int_equal(quota_use(shared.world.quota).ended, 0);
	shared_end(&shared, 40);
}

/* Without a disk: the next one of that client finds room, and the one that was refused does when it comes again. */
static void test_oldest_in_another_worker_ends(void **state)
{
	struct shared shared;

	(void)state;
	shared_begin(&shared, 0);
	ask(&shared.own[0], shared.world.store, 1, 300, 14 * CHUNK);
	ask(&shared.own[1], shared.world.store, 1, 200, 13 * CHUNK);
	ask(&shared.next, shared.other, 1, 0, 2 * CHUNK);
	assert_int_equal(body_write(&shared.next.body, 6 * CHUNK), THAW_REASON_BUDGET_CLIENT);
	tend(shared.world.store, NOW);
	assert_true(has_ended(&shared.own[0]));
	assert_false(has_ended(&shared.own[1]));
	assert_int_equal(body_write(&shared.next.body, 6 * CHUNK), THAW_REASON_NONE);
	tend(shared.other, NOW);
	tend(shared.world.store, NOW + 100);
	assert_false(has_ended(&shared.own[1]));
	shared_end(&shared, 2);
}

static void test_younger_in_another_worker_stays(void **state)
{
	struct shared shared;

	(void)state;
	shared_begin(&shared, 0);
	ask(&shared.own[0], shared.world.store, 1, 200, 26 * CHUNK);
	ask(&shared.next, shared.other, 1, 300, 2 * CHUNK);
	assert_int_equal(body_write(&shared.next.body, 6 * CHUNK), THAW_REASON_BUDGET_CLIENT);
	tend(shared.world.store, NOW);
	assert_false(has_ended(&shared.own[0]));
	shared_end(&shared, 1);
}

/* A worker may ask for anything: no share is relieved that is not nearly spent. */
static void test_wish_for_a_share_that_is_not_spent(void **state)
{
	struct shared shared;

	(void)state;
	shared_begin(&shared, 0);
	ask(&shared.own[0], shared.world.store, 1, 200, 20 * CHUNK);
	ask(&shared.next, shared.other, 1, 0, CHUNK);
	quota_publish_wish(shared.world.quota, 1, (struct quota_wish){shared.next.body.spool->client, UINT64_MAX});
	tend(shared.world.store, NOW);
	assert_false(has_ended(&shared.own[0]));
	shared_end(&shared, 1);
}

static void test_wish_does_not_last(void **state)
{
	struct shared shared;

	(void)state;
	shared_begin(&shared, 0);
	ask(&shared.own[0], shared.world.store, 1, 200, 27 * CHUNK);
	tend(shared.other, NOW);
	ask(&shared.next, shared.other, 1, 0, CHUNK);
	assert_int_equal(body_write(&shared.next.body, 6 * CHUNK), THAW_REASON_BUDGET_CLIENT);
	tend(shared.other, NOW);
	assert_int_not_equal(quota_wish_of(shared.world.quota, 1).client, 0);
	tend(shared.other, NOW + 2000);
	assert_int_equal(quota_wish_of(shared.world.quota, 1).client, 0);
	thaw_quota_reclaim(shared.world.quota, 1);
	leave(shared.own, 1);
	thaw_spool_free(&shared.next.body.spool);
	thaw_store_free(&shared.other);
	thaw_store_free(&shared.world.store);
	thaw_quota_free(&shared.world.quota);
}

/* ---- a full disk */

/* The disk is full, although its budget is not spent: all that ends for that says so, whatever is noticed first. */
static void full_disk(bool tended)
{
	struct world world = world_new((struct thaw_quota_limits){.memory = 64 * CHUNK, .disk = 640 * CHUNK});
	struct asker old, grows;
	enum thaw_reason reason = THAW_REASON_NONE;

	ask(&old, world.store, 1, 2 * OVERDUE, 30 * CHUNK);
	disk_fault((struct fault){FAULT_ERRNO, ENOSPC, 1, true, OP_WRITE});
	ask(&grows, world.store, 2, 0, CHUNK);
	(void)thaw_store_tend(world.store, NOW);
	while (reason == THAW_REASON_NONE) {
		reason = body_write(&grows.body, CHUNK);
		if (tended)
			tend(world.store, NOW);
	}
	assert_int_equal(reason, THAW_REASON_DISK_FULL);
	assert_int_equal(thaw_spool_ended(old.body.spool), THAW_REASON_DISK_FULL);
	leave(&old, 1);
	leave(&grows, 1);
	world_free(&world);
}

static void test_full_disk_is_the_reason(void **state)
{
	(void)state;
	full_disk(false);
	full_disk(true);
}

static void test_rank_of_a_dead_worker_is_forgotten(void **state)
{
	struct world world = memory_world(2);

	(void)state;
	quota_publish_rank(world.quota, 1, UINT64_MAX);
	assert_int_equal(quota_worst_rank(world.quota), UINT64_MAX);
	thaw_quota_reclaim(world.quota, 1);
	assert_int_equal(quota_worst_rank(world.quota), 0);
	world_free(&world);
}

/* ---- a crowd */

/* Many that wait, from few or many addresses; one after another, an honest client that answers at once. */
static void crowd_from(unsigned addresses)
{
	enum { COUNT = 2000 };
	struct world world = world_new((struct thaw_quota_limits){.memory = 256 * CHUNK, .client_memory = 64 * CHUNK});
	struct asker *crowd = calloc(COUNT, sizeof(*crowd)), honest;

	assert_non_null(crowd);
	for (unsigned i = 0; i < COUNT; i++) {
		uint64_t now_ms = NOW + i, waited = 0;
		ask(&crowd[i], world.store, 1 + i % addresses, waited, CHUNK);
		thaw_spool_yield(crowd[i].body.spool, now_ms, on_end, &crowd[i]);
		(void)thaw_store_tend(world.store, now_ms);
		if (i % 10 != 0)
			continue;
		ask(&honest, world.store, 100000 + i, waited, i % 20 == 0 ? 8 * CHUNK : 1);
		thaw_spool_yield(honest.body.spool, now_ms, on_end, &honest);
		(void)thaw_store_tend(world.store, now_ms + 1);
		assert_int_equal(honest.ends, 0);
		body_drain(&honest.body);
		thaw_spool_free(&honest.body.spool);
	}
	assert_true(quota_use(world.quota).ended > COUNT / 2);
	leave(crowd, COUNT);
	free(crowd);
	world_free(&world);
}

static void test_honest_client_beside_a_crowd(void **state)
{
	static const unsigned addresses[] = {5, 16, 1000, 2000};

	(void)state;
	for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		crowd_from(addresses[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_pressure_none_is_ended),
		cmocka_unit_test(test_oldest_ask_of_the_largest_client_is_ended),
		cmocka_unit_test(test_asks_that_are_not_overdue_are_ended_last),
		cmocka_unit_test(test_new_large_body_is_kept),
		cmocka_unit_test(test_owner_may_refuse),
		cmocka_unit_test(test_spools_without_end_function_are_kept),
		cmocka_unit_test(test_ended_spool_refuses),
		cmocka_unit_test(test_new_request_is_admitted_when_quota_is_used_up),
		cmocka_unit_test(test_lone_ask_uses_all_memory),
		cmocka_unit_test(test_lone_ask_uses_all_of_the_disk),
		cmocka_unit_test(test_lone_ask_ends_for_another),
		cmocka_unit_test(test_idle_ask_does_not_end_for_a_worse_one),
		cmocka_unit_test(test_worst_asker_is_refused),
		cmocka_unit_test(test_share_is_the_clients_own_matter),
		cmocka_unit_test(test_worker_leaves_it_to_the_one_with_the_worst),
		cmocka_unit_test(test_worker_with_a_false_rank_is_not_waited_for),
		cmocka_unit_test(test_need_of_another_worker),
		cmocka_unit_test(test_young_ask_stays_while_another_worker_has_worse),
		cmocka_unit_test(test_young_ask_does_not_end_beside_an_old_one),
		cmocka_unit_test(test_young_ask_does_not_end_for_one_that_is_refused),
		cmocka_unit_test(test_share_in_another_worker_moves_to_the_disk),
		cmocka_unit_test(test_oldest_in_another_worker_ends),
		cmocka_unit_test(test_younger_in_another_worker_stays),
		cmocka_unit_test(test_wish_for_a_share_that_is_not_spent),
		cmocka_unit_test(test_wish_does_not_last),
		cmocka_unit_test(test_full_disk_is_the_reason),
		cmocka_unit_test(test_rank_of_a_dead_worker_is_forgotten),
		cmocka_unit_test(test_honest_client_beside_a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
