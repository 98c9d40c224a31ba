/* The budgets: each with its own reason, over all workers, in a race, and after a worker was killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../made.h"
#include "hostile.h"
#include "spool/quota.h"

#define CHUNK   THAW_SPOOL_CHUNK
#define WORKERS 4

static thaw_quota *make(struct thaw_quota_limits limits)
{
	if (limits.workers == 0)
		limits.workers = 1;
	thaw_quota *quota = made_quota_new(&limits);
	assert_non_null(quota);
	return quota;
}

static struct thaw_quota_use use_of(const thaw_quota *quota)
{
	struct thaw_quota_use use = {.size = sizeof(use)};

	assert_int_equal(thaw_quota_read_use(quota, &use), THAW_OK);
	return use;
}

static void assert_holds(const thaw_quota *quota, uint64_t memory, uint64_t disk, uint64_t clients)
{
	struct thaw_quota_use use = use_of(quota);

	assert_int_equal(use.memory, memory);
	assert_int_equal(use.disk, disk);
	assert_int_equal(use.clients, clients);
}

static void assert_empty_and_free(thaw_quota **quota)
{
	assert_holds(*quota, 0, 0, 0);
	thaw_quota_free(quota);
	assert_null(*quota);
}

/* ---- who a client is */

static uint64_t v4(const thaw_quota *quota, uint32_t address, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)};
	return quota_client(quota, (const struct sockaddr *)&sa);
}

static uint64_t v6(const thaw_quota *quota, const char *text, uint16_t port)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET6, text, &sa.sin6_addr), 1);
	return quota_client(quota, (const struct sockaddr *)&sa);
}

static void test_client_keys(void **state)
{
	thaw_quota *quota = make((struct thaw_quota_limits){.memory = CHUNK});
	thaw_quota *other = make((struct thaw_quota_limits){.memory = CHUNK});
	struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/a"};
	uint64_t unnamed = quota_client(quota, NULL);

	(void)state;
	assert_int_equal(v4(quota, 0x01020304, 80), v4(quota, 0x01020304, 81));
	assert_int_not_equal(v4(quota, 0x01020304, 80), v4(quota, 0x01020305, 80));
	assert_int_equal(v4(quota, 0x01020304, 80), v6(quota, "::ffff:1.2.3.4", 80));
	assert_int_equal(v6(quota, "2001:db8::1", 1), v6(quota, "2001:db8::ffff:ffff:ffff:ffff", 2));
	assert_int_not_equal(v6(quota, "2001:db8::1", 1), v6(quota, "2001:db8:0:1::1", 1));
	/* An IPv6 prefix with an IPv4 address's bytes is somebody else. */
	assert_int_not_equal(v6(quota, "102:304::", 1), v4(quota, 0x01020304, 80));
	assert_int_equal(unnamed, quota_client(quota, (const struct sockaddr *)&local));
	assert_int_not_equal(unnamed, v4(quota, 0, 0));
	assert_int_not_equal(unnamed, v6(quota, "::", 0));
	assert_int_not_equal(unnamed, 0);
	/* Nobody outside can tell where an address lies. */
	assert_int_not_equal(v4(quota, 0x01020304, 80), v4(other, 0x01020304, 80));
	thaw_quota_free(&quota);
	thaw_quota_free(&other);
	thaw_quota_free(&other);
}

/* ---- limits and reasons */

static void test_wrong_limits(void **state)
{
	struct thaw_quota_limits limits = {.size = sizeof(limits), .memory = CHUNK, .workers = 0};

	(void)state;
	assert_null(made_quota_new(&limits));
	limits.workers = 1025;
	assert_null(made_quota_new(&limits));
	limits.workers = 1024;
	thaw_quota *quota = made_quota_new(&limits);
	assert_non_null(quota);
	assert_int_equal(quota_workers(quota), 1024);
	assert_int_equal(quota_acquire(quota, 1023, 1, QUOTA_MEMORY, CHUNK, true), THAW_REASON_NONE);
	thaw_quota_reclaim(quota, 1024); /* no such worker */
	assert_holds(quota, CHUNK, 0, 1);
	thaw_quota_reclaim(quota, 1023);
	assert_empty_and_free(&quota);
}

static void test_rounding(void **state)
{
	thaw_quota *quota = make((struct thaw_quota_limits){
		.memory = 3 * CHUNK + 1, .disk = CHUNK - 1, .request_memory = 2 * CHUNK + 5});

	(void)state;
	assert_false(quota_has_disk(quota));
	assert_int_equal(quota_request_memory(quota), 2 * CHUNK);
	assert_int_equal(quota_acquire(quota, 0, 1, QUOTA_MEMORY, 3 * CHUNK, true), THAW_REASON_NONE);
	assert_int_not_equal(quota_acquire(quota, 0, 2, QUOTA_MEMORY, 1, true), THAW_REASON_NONE);
	quota_release(quota, 0, 1, QUOTA_MEMORY, 3 * CHUNK);
	assert_empty_and_free(&quota);
	/* What is not said is the whole; what is more than the whole, too. */
	quota = make((struct thaw_quota_limits){.memory = 8 * CHUNK, .disk = CHUNK, .request_memory = 99 * CHUNK});
	assert_int_equal(quota_request_memory(quota), 8 * CHUNK);
	assert_true(quota_has_disk(quota));
	thaw_quota_free(&quota);
}

/* Takes chunks until it is told why not, then gives one back and takes it again. Returns how many it holds. */
static uint64_t take_all(thaw_quota *quota, unsigned worker, uint64_t client, enum quota_tier tier,
			 enum thaw_reason expected)
{
	uint64_t count = 0, refused = use_of(quota).refused;
	enum thaw_reason reason;

	while ((reason = quota_acquire(quota, worker, client, tier, CHUNK, true)) == THAW_REASON_NONE)
		count++;
	assert_int_equal(reason, expected);
	assert_int_equal(use_of(quota).refused, refused + 1);
	quota_release(quota, worker, client, tier, CHUNK);
	assert_int_equal(quota_acquire(quota, worker, client, tier, CHUNK, true), THAW_REASON_NONE);
	assert_int_equal(quota_acquire(quota, worker, client, tier, CHUNK, true), expected);
	return count;
}

static void each_budget(enum quota_tier tier)
{
	thaw_quota *quota = make((struct thaw_quota_limits){.memory = 20 * CHUNK,
							    .disk = 20 * CHUNK,
							    .worker_memory = 12 * CHUNK,
							    .worker_disk = 12 * CHUNK,
							    .client_memory = 5 * CHUNK,
							    .client_disk = 5 * CHUNK,
							    .workers = 2});
	uint64_t held[5];

	assert_int_equal(held[0] = take_all(quota, 0, 11, tier, THAW_REASON_BUDGET_CLIENT), 5);
	assert_int_equal(held[1] = take_all(quota, 0, 22, tier, THAW_REASON_BUDGET_CLIENT), 5);
	assert_int_equal(held[2] = take_all(quota, 0, 33, tier, THAW_REASON_BUDGET_WORKER), 2);
	assert_int_equal(held[3] = take_all(quota, 1, 44, tier, THAW_REASON_BUDGET_CLIENT), 5);
	assert_int_equal(held[4] = take_all(quota, 1, 55, tier, THAW_REASON_BUDGET_TOTAL), 3);
	/* A client's share is one over all workers. */
	assert_int_equal(quota_acquire(quota, 1, 11, tier, CHUNK, true), THAW_REASON_BUDGET_CLIENT);
	assert_holds(quota, tier == QUOTA_MEMORY ? 20 * CHUNK : 0, tier == QUOTA_DISK ? 20 * CHUNK : 0, 5);
	/* The other tier is another budget. */
	enum quota_tier other = tier == QUOTA_MEMORY ? QUOTA_DISK : QUOTA_MEMORY;
	assert_int_equal(quota_acquire(quota, 0, 11, other, CHUNK, true), THAW_REASON_NONE);
	quota_release(quota, 0, 11, other, CHUNK);
	for (unsigned i = 0; i < 5; i++)
		quota_release(quota, i < 3 ? 0 : 1, 11 * (i + 1), tier, held[i] * CHUNK);
	assert_empty_and_free(&quota);
}

static void test_each_budget(void **state)
{
	(void)state;
	each_budget(QUOTA_MEMORY);
	each_budget(QUOTA_DISK);
}

static void test_last_eighth_is_for_beginners(void **state)
{
	thaw_quota *quota = make((struct thaw_quota_limits){.memory = 16 * CHUNK, .disk = 16 * CHUNK});
	enum thaw_reason reason = THAW_REASON_NONE;
	uint64_t count = 0;

	(void)state;
	for (; reason == THAW_REASON_NONE; count += reason == THAW_REASON_NONE)
		reason = quota_acquire(quota, 0, 1 + count % 3, QUOTA_MEMORY, CHUNK, false);
	assert_int_equal(reason, THAW_REASON_BUDGET_TOTAL);
	assert_int_equal(count, 14);
	assert_int_equal(quota_acquire(quota, 0, 9, QUOTA_MEMORY, CHUNK, true), THAW_REASON_NONE);
	assert_int_equal(quota_acquire(quota, 0, 9, QUOTA_MEMORY, CHUNK, true), THAW_REASON_NONE);
	assert_int_equal(quota_acquire(quota, 0, 9, QUOTA_MEMORY, CHUNK, true), THAW_REASON_BUDGET_TOTAL);
	/* The disk has no such part. */
	assert_int_equal(quota_acquire(quota, 0, 9, QUOTA_DISK, 16 * CHUNK, false), THAW_REASON_NONE);
	thaw_quota_reclaim(quota, 0);
	assert_empty_and_free(&quota);
}

static void test_reclaim_is_one_workers(void **state)
{
	thaw_quota *quota = make((struct thaw_quota_limits){.memory = 64 * CHUNK, .disk = 64 * CHUNK, .workers = 3});

	(void)state;
	for (unsigned worker = 0; worker < 3; worker++) {
		for (uint64_t client = 1; client <= 4; client++) {
			assert_int_equal(quota_acquire(quota, worker, client, QUOTA_MEMORY, CHUNK, true),
					 THAW_REASON_NONE);
			assert_int_equal(quota_acquire(quota, worker, client, QUOTA_DISK, 2 * CHUNK, true),
					 THAW_REASON_NONE);
		}
	}
	assert_holds(quota, 12 * CHUNK, 24 * CHUNK, 12);
	thaw_quota_reclaim(quota, 1);
	assert_holds(quota, 8 * CHUNK, 16 * CHUNK, 8);
	/* What the dead worker's spools would have given back does nobody any harm. */
	quota_release(quota, 1, 1, QUOTA_MEMORY, CHUNK);
	assert_holds(quota, 8 * CHUNK, 16 * CHUNK, 8);
	thaw_quota_reclaim(quota, 0);
	thaw_quota_reclaim(quota, 2);
	assert_empty_and_free(&quota);
}

/* ---- against a plain model */

#define CLIENTS 300
#define LIMIT   120 /* chunks in the whole; a table of 512 entries, in which searches run into one another */

static uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

struct model {
	uint64_t held[2][CLIENTS][QUOTA_TIERS]; /* chunks, by worker */
	uint64_t refused;
};

static const struct thaw_quota_limits model_limits = {
	.size = sizeof(model_limits),
	.memory = LIMIT * CHUNK,
	.disk = 2 * LIMIT * CHUNK,
	.worker_memory = 80 * CHUNK,
	.worker_disk = 150 * CHUNK,
	.client_memory = 9 * CHUNK,
	.client_disk = 20 * CHUNK,
	.workers = 2,
};

static enum thaw_reason model_acquire(struct model *model, unsigned worker, unsigned client, enum quota_tier tier,
				      bool first)
{
	static const uint64_t of_client[] = {9, 20}, of_worker[] = {80, 150}, of_all[] = {LIMIT, 2 * LIMIT};
	uint64_t own = 0, all = 0, whole = of_all[tier], share = of_client[tier];

	for (unsigned i = 0; i < CLIENTS; i++) {
		own += model->held[worker][i][tier];
		all += model->held[0][i][tier] + model->held[1][i][tier];
	}
	if (tier == QUOTA_MEMORY && !first) {
		whole -= whole / QUOTA_RESERVED_PART;
		share = share * (QUOTA_RESERVED_PART - 1) / QUOTA_RESERVED_PART;
	}
	if (model->held[0][client][tier] + model->held[1][client][tier] + 1 > share)
		return THAW_REASON_BUDGET_CLIENT;
	if (own + 1 > of_worker[tier])
		return THAW_REASON_BUDGET_WORKER;
	if (all + 1 > whole)
		return THAW_REASON_BUDGET_TOTAL;
	model->held[worker][client][tier]++;
	return THAW_REASON_NONE;
}

static void assert_like_model(const thaw_quota *quota, const struct model *model)
{
	uint64_t held[QUOTA_TIERS] = {0}, clients = 0;

	for (unsigned worker = 0; worker < 2; worker++) {
		for (unsigned i = 0; i < CLIENTS; i++) {
			const uint64_t *own = model->held[worker][i];
			held[QUOTA_MEMORY] += own[QUOTA_MEMORY] * CHUNK;
			held[QUOTA_DISK] += own[QUOTA_DISK] * CHUNK;
			clients += own[QUOTA_MEMORY] != 0 || own[QUOTA_DISK] != 0;
		}
	}
	assert_holds(quota, held[QUOTA_MEMORY], held[QUOTA_DISK], clients);
	assert_int_equal(use_of(quota).refused, model->refused);
}

static void model_step(thaw_quota *quota, struct model *model, uint64_t *seed)
{
	unsigned worker = random_next(seed) % 2;
	unsigned client = (unsigned)(random_next(seed) % CLIENTS);
	enum quota_tier tier = random_next(seed) % 2 != 0 ? QUOTA_MEMORY : QUOTA_DISK;
	uint64_t key = v4(quota, client, 1), *held = &model->held[worker][client][tier];

	if (random_next(seed) % 3 == 0) {
		/* A few clients want much. */
		client %= 10;
		key = v4(quota, client, 1);
		held = &model->held[worker][client][tier];
	}
	/* It swells and ebbs, so that the table fills and empties. */
	uint64_t phase = *seed / UINT64_C(0x9e3779b97f4a7c15) / 2000 % 2;
	if (random_next(seed) % 4 < 1 + 2 * phase && *held > 0) {
		uint64_t some = 1 + random_next(seed) % *held;
		quota_release(quota, worker, key, tier, some * CHUNK);
		*held -= some;
	} else if (random_next(seed) % 5000 == 0) {
		thaw_quota_reclaim(quota, worker);
		memset(model->held[worker], 0, sizeof(model->held[worker]));
	} else {
		bool first = random_next(seed) % 2 != 0;
		enum thaw_reason expected = model_acquire(model, worker, client, tier, first);
		model->refused += expected != THAW_REASON_NONE;
		assert_int_equal(quota_acquire(quota, worker, key, tier, CHUNK, first), expected);
	}
}

static void test_like_a_plain_model(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	thaw_quota *quota = made_quota_new(&model_limits);
	uint64_t seed = 20261123;

	(void)state;
	assert_non_null(model);
	assert_non_null(quota);
	for (int i = 0; i < 60000; i++) {
		model_step(quota, model, &seed);
		assert_like_model(quota, model);
	}
	assert_true(model->refused > 1000);
	for (unsigned worker = 0; worker < 2; worker++)
		for (unsigned i = 0; i < CLIENTS; i++)
			for (int tier = 0; tier < QUOTA_TIERS; tier++)
				quota_release(quota, worker, v4(quota, i, 1), (enum quota_tier)tier,
					      model->held[worker][i][tier] * CHUNK);
	free(model);
	assert_empty_and_free(&quota);
}

/* As many addresses as the budget has chunks: each gets its own, and the next is refused by the budget. */
static void test_no_address_is_crowded_out(void **state)
{
	uint64_t count = 40000;
	thaw_quota *quota = make((struct thaw_quota_limits){.memory = count * CHUNK, .workers = 2});

	(void)state;
	for (uint64_t i = 0; i < count; i++)
		assert_int_equal(quota_acquire(quota, 0, v4(quota, (uint32_t)i, 1), QUOTA_MEMORY, CHUNK, true),
				 THAW_REASON_NONE);
	assert_holds(quota, count * CHUNK, 0, count);
	assert_int_equal(quota_acquire(quota, 0, v4(quota, 0xffffffff, 1), QUOTA_MEMORY, CHUNK, true),
			 THAW_REASON_BUDGET_TOTAL);
	for (uint64_t i = 0; i < count; i++)
		quota_release(quota, 0, v4(quota, (uint32_t)i, 1), QUOTA_MEMORY, CHUNK);
	assert_empty_and_free(&quota);
}

/* More addresses than the largest table has entries: told, counted, and no harm. */
static void test_full_table(void **state)
{
	uint64_t count = 300000, held = 0, refused = 0;
	thaw_quota *quota = make((struct thaw_quota_limits){.memory = 2 * count * CHUNK});
	bool *in = calloc(count, sizeof(*in));

	(void)state;
	assert_non_null(in);
	for (uint32_t i = 0; i < count; i++) {
		enum thaw_reason reason = quota_acquire(quota, 0, v4(quota, i, 1), QUOTA_MEMORY, CHUNK, true);
		in[i] = reason == THAW_REASON_NONE;
		held += in[i];
		refused += reason == THAW_REASON_BUDGET_WORKER;
	}
	assert_int_equal(held + refused, count);
	assert_true(refused > 0);
	assert_true(held > 200000);
	assert_holds(quota, held * CHUNK, 0, held);
	for (uint32_t i = 0; i < count; i++)
		if (in[i])
			quota_release(quota, 0, v4(quota, i, 1), QUOTA_MEMORY, CHUNK);
	free(in);
	assert_empty_and_free(&quota);
}

/* ---- many processes */

/* What each child was let have; `turn` is odd while it changes, so that the parent can see all of them at one moment.
 */
struct child {
	_Atomic uint64_t turn;
	_Atomic uint64_t admitted[2]; /* bytes, by client */
	_Atomic uint64_t count, refused;
	pid_t pid;
};

struct shared {
	atomic_bool stop;
	struct child children[WORKERS];
};

static struct shared *shared_new(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(shared, MAP_FAILED);
	return shared;
}

static void note(struct child *child, unsigned client, int64_t bytes)
{
	atomic_fetch_add(&child->turn, 1);
	atomic_fetch_add(&child->admitted[client], (uint64_t)bytes);
	atomic_fetch_add(&child->turn, 1);
}

static void hammer(thaw_quota *quota, struct shared *shared, unsigned worker)
{
	struct child *child = &shared->children[worker];
	uint64_t held[2] = {0}, seed = worker + 1;

	while (!atomic_load(&shared->stop)) {
		unsigned client = random_next(&seed) % 2;
		if (random_next(&seed) % 5 < 2 && held[client] > 0) {
			held[client]--;
			note(child, client, -(int64_t)CHUNK);
			quota_release(quota, worker, 100 + client, QUOTA_MEMORY, CHUNK);
		} else if (quota_acquire(quota, worker, 100 + client, QUOTA_MEMORY, CHUNK, true) == THAW_REASON_NONE) {
			held[client]++;
			note(child, client, CHUNK);
			atomic_fetch_add(&child->count, 1);
		} else {
			atomic_fetch_add(&child->refused, 1);
		}
	}
	for (unsigned client = 0; client < 2; client++)
		quota_release(quota, worker, 100 + client, QUOTA_MEMORY, held[client] * CHUNK);
}

/* The child ends with its parent, whatever becomes of that. */
static void start(thaw_quota *quota, struct shared *shared, unsigned worker)
{
	pid_t parent = getpid(), pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
			_exit(2);
		hammer(quota, shared, worker);
		_exit(0);
	}
	shared->children[worker].pid = pid;
}

static int finish(struct shared *shared, unsigned worker)
{
	int status = 0;

	assert_int_equal(waitpid(shared->children[worker].pid, &status, 0), shared->children[worker].pid);
	return status;
}

/* What all children hold at one moment; false: it was not one moment. */
static bool sample(struct shared *shared, uint64_t admitted[2])
{
	uint64_t turns[WORKERS];

	for (unsigned i = 0; i < WORKERS; i++) {
		turns[i] = atomic_load(&shared->children[i].turn);
		if (turns[i] % 2 != 0)
			return false;
	}
	admitted[0] = admitted[1] = 0;
	for (unsigned i = 0; i < WORKERS; i++)
		for (unsigned client = 0; client < 2; client++)
			admitted[client] += atomic_load(&shared->children[i].admitted[client]);
	for (unsigned i = 0; i < WORKERS; i++)
		if (atomic_load(&shared->children[i].turn) != turns[i])
			return false;
	return true;
}

static bool all_are_far(struct shared *shared, uint64_t count)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (atomic_load(&shared->children[i].count) < count || atomic_load(&shared->children[i].refused) < 100)
			return false;
	return true;
}

static void hammered(uint64_t client_chunks, uint64_t all_chunks)
{
	thaw_quota *quota = make((struct thaw_quota_limits){
		.memory = all_chunks * CHUNK, .client_memory = client_chunks * CHUNK, .workers = WORKERS});
	struct shared *shared = shared_new();
	uint64_t samples = 0, most = 0, admitted[2];

	for (unsigned i = 0; i < WORKERS; i++)
		start(quota, shared, i);
	/* Until they have come near the limit, too. */
	while (samples < 20000 || !all_are_far(shared, 20000) || most <= all_chunks * CHUNK / 2) {
		if (!sample(shared, admitted)) {
			(void)sched_yield();
			continue;
		}
		samples++;
		uint64_t all = admitted[0] + admitted[1];
		most = all > most ? all : most;
		assert_true(all <= all_chunks * CHUNK);
		assert_true(admitted[0] <= client_chunks * CHUNK && admitted[1] <= client_chunks * CHUNK);
	}
	atomic_store(&shared->stop, true);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(finish(shared, i), 0);
	(void)munmap(shared, sizeof(*shared));
	assert_empty_and_free(&quota);
}

static void test_processes_race_for_the_total_quota(void **state)
{
	(void)state;
	hammered(20, 20);
}

static void test_processes_race_for_a_clients_share(void **state)
{
	(void)state;
	hammered(12, 24);
}

/* Wherever a worker was when it was killed, reclaiming gives back all that it held, and nothing of the others. */
static void test_killed_worker_is_reclaimed(void **state)
{
	thaw_quota *quota = make((struct thaw_quota_limits){.memory = 30 * CHUNK, .workers = WORKERS});
	struct shared *shared = shared_new();

	(void)state;
	assert_int_equal(quota_acquire(quota, 3, 7, QUOTA_MEMORY, 5 * CHUNK, true), THAW_REASON_NONE);
	for (uint64_t round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 3; i++) {
			shared->children[i] = (struct child){0};
			start(quota, shared, i);
		}
		for (unsigned i = 0; i < 3; i++)
			while (atomic_load(&shared->children[i].count) < 100 + 37 * round)
				(void)sched_yield();
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(kill(shared->children[i].pid, SIGKILL), 0);
			int status = finish(shared, i);
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		}
		/* More than what is being refused cannot be there. */
		assert_true(use_of(quota).memory >= 5 * CHUNK && use_of(quota).memory <= (30 + 3) * CHUNK);
		for (unsigned i = 0; i < 3; i++)
			thaw_quota_reclaim(quota, i);
		assert_holds(quota, 5 * CHUNK, 0, 1);
	}
	/* The place can be used again. */
	assert_int_equal(quota_acquire(quota, 0, 8, QUOTA_MEMORY, 25 * CHUNK, true), THAW_REASON_NONE);
	quota_release(quota, 0, 8, QUOTA_MEMORY, 25 * CHUNK);
	quota_release(quota, 3, 7, QUOTA_MEMORY, 5 * CHUNK);
	(void)munmap(shared, sizeof(*shared));
	assert_empty_and_free(&quota);
}

/* ---- a worker that was taken over */

static void test_forged_counts_are_wrong_counts_and_no_more(void **state)
{
	struct thaw_quota_limits limits = {.size = sizeof(limits),
					   .memory = 64 * CHUNK,
					   .disk = 64 * CHUNK,
					   .client_memory = 16 * CHUNK,
					   .workers = 3};

	(void)state;
	for (size_t i = 0; i < HOSTILE_WORDS; i++) {
		thaw_quota *quota = make(limits);
		assert_int_equal(quota_acquire(quota, 1, 7, QUOTA_MEMORY, CHUNK, true), THAW_REASON_NONE);
		hostile_worker(hostile_words[i], SIZE_MAX);
		(void)use_of(quota);
		/* Other workers go on meanwhile. */
		if (quota_acquire(quota, 0, 8, QUOTA_MEMORY, CHUNK, true) == THAW_REASON_NONE)
			quota_release(quota, 0, 8, QUOTA_MEMORY, CHUNK);
		quota_release(quota, 1, 7, QUOTA_MEMORY, CHUNK);
		assert_int_equal(quota_workers(quota), 3);
		assert_true(quota_has_disk(quota));
		assert_int_equal(quota_request_memory(quota), 16 * CHUNK);
		for (unsigned worker = 0; worker < 4; worker++)
			thaw_quota_reclaim(quota, worker);
		/* Nothing of it stays for the successors. */
		assert_holds(quota, 0, 0, 0);
		for (unsigned worker = 0; worker < 3; worker++)
			assert_int_equal(quota_acquire(quota, worker, 7, QUOTA_MEMORY, 5 * CHUNK, true),
					 THAW_REASON_NONE);
		assert_int_equal(quota_acquire(quota, 2, 7, QUOTA_MEMORY, 2 * CHUNK, true), THAW_REASON_BUDGET_CLIENT);
		thaw_quota_free(&quota);
	}
}

static void test_the_sum_of_forged_counts_does_not_wrap(void **state)
{
	thaw_quota *quota = make((struct thaw_quota_limits){.memory = 4 * CHUNK, .workers = 2});

	(void)state;
	hostile_worker(UINT64_C(1) << 63, SIZE_MAX);
	thaw_quota_reclaim(quota, 0);
	assert_true(use_of(quota).memory > 4 * CHUNK);
	assert_int_equal(quota_acquire(quota, 0, 7, QUOTA_MEMORY, CHUNK, true), THAW_REASON_BUDGET_TOTAL);
	thaw_quota_free(&quota);
}

/* Else what is in there would be counted against the clients of its successor. */
static void test_a_table_with_a_forged_count_is_cleared(void **state)
{
	thaw_quota *quota = make((struct thaw_quota_limits){.memory = 8 * CHUNK, .client_memory = 2 * CHUNK});

	(void)state;
	assert_int_equal(quota_acquire(quota, 0, 7, QUOTA_MEMORY, 2 * CHUNK, true), THAW_REASON_NONE);
	hostile_worker(0, (size_t)sysconf(_SC_PAGESIZE)); /* where the worker's sums are */
	assert_holds(quota, 0, 0, 0);
	thaw_quota_reclaim(quota, 0);
	assert_int_equal(quota_acquire(quota, 0, 7, QUOTA_MEMORY, 2 * CHUNK, true), THAW_REASON_NONE);
	quota_release(quota, 0, 7, QUOTA_MEMORY, 2 * CHUNK);
	assert_empty_and_free(&quota);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_keys),
		cmocka_unit_test(test_wrong_limits),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_each_budget),
		cmocka_unit_test(test_last_eighth_is_for_beginners),
		cmocka_unit_test(test_reclaim_is_one_workers),
		cmocka_unit_test(test_like_a_plain_model),
		cmocka_unit_test(test_no_address_is_crowded_out),
		cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_processes_race_for_the_total_quota),
		cmocka_unit_test(test_processes_race_for_a_clients_share),
		cmocka_unit_test(test_killed_worker_is_reclaimed),
		cmocka_unit_test(test_forged_counts_are_wrong_counts_and_no_more),
		cmocka_unit_test(test_the_sum_of_forged_counts_does_not_wrap),
		cmocka_unit_test(test_a_table_with_a_forged_count_is_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
