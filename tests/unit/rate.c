/* How often one kind of message is written, and that each one is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rate.h"

static void test_a_burst_passes_and_the_rest_is_counted(void **state)
{
	struct rate rate = {0};

	(void)state;
	assert_int_equal(rate_due(&rate), THAW_NEVER);
	for (unsigned i = 0; i < RATE_BURST; i++)
		assert_true(rate_pass(&rate, 1000 + i));
	assert_int_equal(rate_due(&rate), THAW_NEVER);
	for (unsigned i = 0; i < 500; i++)
		assert_false(rate_pass(&rate, 2000 + i));
	assert_int_equal(rate_due(&rate), 1000 + RATE_WINDOW_MS);
	assert_int_equal(rate_take(&rate, 1000 + RATE_WINDOW_MS - 1), 0);
	assert_int_equal(rate_take(&rate, 1000 + RATE_WINDOW_MS), 500);
	assert_int_equal(rate_take(&rate, 1000 + RATE_WINDOW_MS), 0);
	assert_int_equal(rate_due(&rate), THAW_NEVER);
}

static void test_a_new_window_begins_with_the_next_message(void **state)
{
	struct rate rate = {0};
	uint64_t passed = 0, counted = 0, at = 5;

	(void)state;
	for (unsigned i = 0; i < 100000; i++, at += 7) {
		counted += rate_take(&rate, at);
		passed += rate_pass(&rate, at);
	}
	counted += rate_take(&rate, THAW_NEVER);
	assert_int_equal(passed + counted, 100000);
	assert_true(passed <= (at / RATE_WINDOW_MS + 1) * RATE_BURST);
	assert_true(passed >= at / (RATE_WINDOW_MS + 7) * RATE_BURST);
}

static void test_a_rare_message_always_passes(void **state)
{
	struct rate rate = {0};

	(void)state;
	for (uint64_t at = 0; at < 1000 * UINT64_C(2000); at += 2000)
		assert_true(rate_pass(&rate, at));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_passes_and_the_rest_is_counted),
		cmocka_unit_test(test_a_new_window_begins_with_the_next_message),
		cmocka_unit_test(test_a_rare_message_always_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
