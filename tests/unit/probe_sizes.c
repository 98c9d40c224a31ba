/* The search for the size at which a server's answer changes, on servers that change anywhere, or here and there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/sizes.h"

/* The first round leaves a gap of at most 2^40; each later one makes it a seventh, rounded up. */
#define ROUNDS_MAX 16
#define LARGEST    (UINT64_C(1) << 40)
#define NEVER      UINT64_MAX

/* Whether a server takes a body of that size. */
typedef bool takes(uint64_t size, uint64_t from, void *arg);

static bool below(uint64_t size, uint64_t from, void *arg)
{
	(void)arg;
	return size < from;
}

/* Runs a search to its end, with all that always holds of one; the rounds that it took. */
static size_t search(struct sizes *sizes, uint64_t max, bool brief, takes *server, uint64_t from, void *arg)
{
	uint64_t next[SIZES_ROUND_MAX], asked[SIZES_MAX];
	size_t rounds = 0, all = 0, count;

	sizes_init(sizes, max, brief);
	while ((count = sizes_next(sizes, next)) > 0) {
		assert_true(count <= (rounds == 0 ? SIZES_ROUND_MAX : SIZES_FINER));
		assert_true(all + count <= SIZES_MAX);
		for (size_t i = 0; i < count; i++) {
			assert_true(next[i] > 0 && next[i] <= max);
			for (size_t k = 0; k < all; k++)
				assert_true(asked[k] != next[i]);
			asked[all++] = next[i];
		}
		for (size_t i = count; i > 0; i--) /* in another order than they were wanted */
			sizes_tell(sizes, next[i - 1], server(next[i - 1], from, arg));
		assert_true(++rounds <= SIZES_MAX);
	}
	assert_int_equal(sizes->count, all);
	return rounds;
}

/* A server that changes once: the boundary is found to the byte, in few rounds. */
static void expect_exact(uint64_t max, uint64_t from, bool brief)
{
	struct sizes sizes;
	struct sizes_boundary at;
	size_t rounds = search(&sizes, max, brief, below, from, NULL);

	sizes_boundary(&sizes, &at);
	assert_true(rounds <= ROUNDS_MAX);
	assert_false(at.mixed);
	assert_int_equal(at.found, from <= max);
	assert_int_equal(at.exact, at.found);
	if (!at.found) {
		assert_int_equal(at.good, max); /* the largest one was tried, too */
		assert_int_equal(rounds, max > 0);
	} else {
		assert_true(at.bad == from);
		assert_true(at.good == from - 1);
	}
}

static void any_boundary_below_a_small_maximum(void **state)
{
	(void)state;
	for (uint64_t max = 0; max <= 200; max++)
		for (uint64_t from = 1; from <= max + 1; from++)
			for (int brief = 0; brief < 2; brief++)
				expect_exact(max, from, brief);
}

static void where_servers_are_known_to_change(void **state)
{
	static const uint64_t known[] = {1, 1024, 4097, 16385, 49153, 65537, 131073, 1048577, 4194304};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		for (uint64_t max = known[i]; max <= known[i] + 2; max++)
			for (uint64_t from = known[i] > 2 ? known[i] - 2 : 1; from <= known[i] + 2; from++)
				for (int brief = 0; brief < 2; brief++)
					expect_exact(max, from, brief);
}

/* The same numbers each time. */
static uint64_t random_below(uint64_t *seed, uint64_t end)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 11) % end;
}

static void any_boundary_below_a_large_maximum(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint64_t max = 1 + random_below(&seed, UINT64_C(1) << (1 + i % 40));
		expect_exact(max, 1 + random_below(&seed, max), i % 3 == 0);
	}
	for (int brief = 0; brief < 2; brief++) {
		expect_exact(LARGEST, LARGEST, brief);
		expect_exact(LARGEST, LARGEST - 1, brief);
		expect_exact(LARGEST, 1, brief);
		expect_exact(LARGEST, LARGEST / 2, brief);
		expect_exact(LARGEST, NEVER, brief);
	}
}

/* A round costs as much as its slowest check, so where nothing changes there is only one. */
static void a_server_that_never_changes_takes_one_round(void **state)
{
	struct sizes sizes;

	(void)state;
	assert_int_equal(search(&sizes, 16777216, false, below, NEVER, NULL), 1);
	assert_int_equal(sizes.count, SIZES_ROUND_MAX);
	assert_int_equal(search(&sizes, 16777216, true, below, NEVER, NULL), 1);
	assert_int_equal(sizes.count, 1);
	assert_int_equal(sizes.points[0].size, 16777216);
	assert_int_equal(search(&sizes, 0, false, below, NEVER, NULL), 0);
}

/* ---- servers of another kind ---- */

static bool between(uint64_t size, uint64_t from, void *arg)
{
	return size < from || size > *(const uint64_t *)arg;
}

static void larger_sizes_that_pass_are_reported(void **state)
{
	uint64_t last = 70000;
	struct sizes sizes;
	struct sizes_boundary at;

	(void)state;
	(void)search(&sizes, 1048576, false, between, 20000, &last);
	sizes_boundary(&sizes, &at);
	assert_true(at.found && at.mixed);
	assert_false(at.exact); /* to the byte, but chance: others of its kind pass */
	assert_int_equal(at.bad, 20000);
	assert_int_equal(at.good, 19999);
}

static bool by_chance(uint64_t size, uint64_t from, void *arg)
{
	(void)size;
	return random_below(arg, 100) < from;
}

/* It ends, and what it says is what it was told. */
static void a_server_that_answers_by_chance(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (uint64_t i = 0; i < 3000; i++) {
		struct sizes sizes;
		struct sizes_boundary at;
		(void)search(&sizes, 1 + random_below(&seed, LARGEST), i % 2 == 0, by_chance, i % 101, &seed);
		sizes_boundary(&sizes, &at);
		for (size_t k = 0; k < sizes.count; k++) {
			assert_true(sizes.points[k].known);
			if (!sizes.points[k].good)
				assert_true(at.found && at.bad <= sizes.points[k].size);
			else if (at.found && sizes.points[k].size < at.bad)
				assert_true(sizes.points[k].size <= at.good);
		}
		if (at.found)
			assert_true(at.exact == !at.mixed && at.bad - at.good == 1);
	}
}

static void a_limit_measured_twice_with_different_results_is_not_exact(void **state)
{
	struct sizes sizes;
	struct sizes_boundary at;
	uint64_t next[SIZES_ROUND_MAX];

	(void)state;
	(void)search(&sizes, 100000, false, below, 4097, NULL);
	sizes_boundary(&sizes, &at);
	assert_true(at.exact);
	sizes_tell(&sizes, 4097, false); /* the same again changes nothing */
	sizes_boundary(&sizes, &at);
	assert_true(at.exact);
	sizes_tell(&sizes, 4097, true);
	sizes_boundary(&sizes, &at);
	assert_true(at.found);
	assert_false(at.exact);
	assert_int_equal(at.bad, 4097);
	assert_int_equal(sizes_next(&sizes, next), 0);
}

/* A good one that was bad once is bad: the search goes on below it. */
static void a_smaller_one_that_is_bad_after_all(void **state)
{
	struct sizes sizes;
	struct sizes_boundary at;
	uint64_t next[SIZES_ROUND_MAX];
	size_t count;

	(void)state;
	(void)search(&sizes, 100000, false, below, 65537, NULL);
	sizes_tell(&sizes, 1024, false);
	while ((count = sizes_next(&sizes, next)) > 0)
		for (size_t i = 0; i < count; i++) {
			assert_true(next[i] < 1024);
			sizes_tell(&sizes, next[i], true);
		}
	sizes_boundary(&sizes, &at);
	assert_true(at.found && at.mixed);
	assert_false(at.exact);
	assert_int_equal(at.bad, 1024);
	assert_int_equal(at.good, 1023);
}

static void the_text_has_a_limit(void **state)
{
	struct sizes sizes;
	struct sizes_boundary at;
	uint64_t next[SIZES_ROUND_MAX];

	(void)state;
	sizes_init(&sizes, LARGEST, false);
	for (uint64_t i = 0; i < 10 * SIZES_MAX; i++)
		sizes_tell(&sizes, 10 * SIZES_MAX - i, i % 2 == 0);
	assert_int_equal(sizes.count, SIZES_MAX);
	assert_int_equal(sizes_next(&sizes, next), 0);
	sizes_boundary(&sizes, &at);
	assert_true(at.found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_boundary_below_a_small_maximum),
		cmocka_unit_test(where_servers_are_known_to_change),
		cmocka_unit_test(any_boundary_below_a_large_maximum),
		cmocka_unit_test(a_server_that_never_changes_takes_one_round),
		cmocka_unit_test(larger_sizes_that_pass_are_reported),
		cmocka_unit_test(a_server_that_answers_by_chance),
		cmocka_unit_test(a_limit_measured_twice_with_different_results_is_not_exact),
		cmocka_unit_test(a_smaller_one_that_is_bad_after_all),
		cmocka_unit_test(the_text_has_a_limit),
	};
	(void)alarm(300); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
