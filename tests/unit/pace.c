/* A deadline that progress pushes back, and that stands still while nothing is owed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pace.h"

#define LIMIT_MS 60000

static void test_progress_earns_up_to_the_limit(void **state)
{
	struct pace pace;

	(void)state;
	pace_start(&pace, LIMIT_MS, 1000);
	pace_progress(&pace, 10, 21000);
	assert_int_equal(pace.deadline_ms, 61000 + 10 * PACE_MS_PER_BYTE);
	pace_progress(&pace, 1000000, 21000);
	assert_int_equal(pace.deadline_ms, 21000 + LIMIT_MS);
}

static void test_a_limit_beyond_the_clock_is_no_deadline(void **state)
{
	struct pace pace;

	(void)state;
	pace_start(&pace, THAW_NEVER, 1000);
	assert_int_equal(pace.deadline_ms, THAW_NEVER);
	assert_false(pace_over(&pace, 1000));
	pace_start(&pace, THAW_NEVER - 10, 1000);
	pace_progress(&pace, 10, 2000);
	assert_false(pace_over(&pace, 2000));
}

static void test_a_pause_keeps_what_is_left(void **state)
{
	struct pace pace;

	(void)state;
	pace_start(&pace, LIMIT_MS, 0);
	pace_pause(&pace, 20000);
	assert_int_equal(pace.deadline_ms, THAW_NEVER);
	pace_pause(&pace, 20001); /* it is paused already */
	pace_resume(&pace, LIMIT_MS, 20001);
	assert_int_equal(pace.deadline_ms, 60002); /* 40000 left, and the pause of 1 */
	pace_resume(&pace, LIMIT_MS, 30000);       /* it runs already */
	assert_int_equal(pace.deadline_ms, 60002);
}

static void test_a_long_pause_gives_the_limit_and_no_more(void **state)
{
	struct pace pace;

	(void)state;
	pace_start(&pace, LIMIT_MS, 0);
	pace_pause(&pace, 59000);
	pace_resume(&pace, LIMIT_MS, 500000);
	assert_int_equal(pace.deadline_ms, 500000 + LIMIT_MS);
}

static void test_progress_in_a_pause_counts(void **state)
{
	struct pace pace;

	(void)state;
	pace_start(&pace, LIMIT_MS, 0);
	pace_pause(&pace, 59000);
	pace_progress(&pace, 500, 59000);
	pace_resume(&pace, LIMIT_MS, 59000);
	assert_int_equal(pace.deadline_ms, 60000 + 500 * PACE_MS_PER_BYTE);
}

static void test_a_stopped_one_begins_with_the_limit(void **state)
{
	struct pace pace;

	(void)state;
	pace_start(&pace, LIMIT_MS, 0);
	pace_stop(&pace);
	pace_pause(&pace, 10);
	pace_progress(&pace, 500, 10);
	assert_int_equal(pace.deadline_ms, THAW_NEVER);
	pace_resume(&pace, LIMIT_MS, 20);
	assert_int_equal(pace.deadline_ms, 20 + LIMIT_MS);
}

/* Ten bytes each twenty seconds, with a moment between in which the other side is waited for. */
static void test_one_that_trickles_ends_however_often_it_pauses(void **state)
{
	struct pace pace;
	uint64_t now_ms = 0;

	(void)state;
	pace_start(&pace, LIMIT_MS, now_ms);
	for (unsigned i = 0; i < 3; i++) {
		now_ms += 20000;
		assert_false(pace_over(&pace, now_ms));
		pace_progress(&pace, 10, now_ms);
		pace_pause(&pace, now_ms);
		pace_resume(&pace, LIMIT_MS, ++now_ms);
	}
	assert_true(pace_over(&pace, now_ms + 20000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_progress_earns_up_to_the_limit),
		cmocka_unit_test(test_a_limit_beyond_the_clock_is_no_deadline),
		cmocka_unit_test(test_a_pause_keeps_what_is_left),
		cmocka_unit_test(test_a_long_pause_gives_the_limit_and_no_more),
		cmocka_unit_test(test_progress_in_a_pause_counts),
		cmocka_unit_test(test_a_stopped_one_begins_with_the_limit),
		cmocka_unit_test(test_one_that_trickles_ends_however_often_it_pauses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
