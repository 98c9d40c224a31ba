/* The workers' places: who is replaced when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/slots.h"

static void test_all_are_due_at_the_start(void **state)
{
	struct slots slots;

	(void)state;
	assert_true(slots_init(&slots, 3));
	for (int pid = 1; pid <= 3; pid++) {
		struct slot *slot = slots_due(&slots, 5);
		assert_non_null(slot);
		slot_filled(slot, pid, 5);
	}
	assert_null(slots_due(&slots, UINT64_MAX - 1));
	assert_int_equal(slots_next_ms(&slots), THAW_NEVER);
	assert_int_equal(slots_filled(&slots), 3);
	assert_false(slots_all_ready(&slots));
	for (int pid = 1; pid <= 3; pid++)
		slots_find(&slots, pid)->ready = true;
	assert_true(slots_all_ready(&slots));
	assert_null(slots_find(&slots, 4));
	slots_free(&slots);
}

static void test_the_first_ended_worker_is_replaced_at_once(void **state)
{
	struct slots slots;

	(void)state;
	assert_true(slots_init(&slots, 1));
	slot_filled(&slots.items[0], 7, 100);
	slot_emptied(&slots.items[0], 101);
	assert_int_equal(slots_next_ms(&slots), 101);
	assert_ptr_equal(slots_due(&slots, 101), &slots.items[0]);
	assert_null(slots_find(&slots, 7));
	slots_free(&slots);
}

/* Quick deaths in a row wait longer and longer, up to the limit. */
static void test_quick_deaths_wait(void **state)
{
	struct slots slots;
	uint64_t now_ms = 1000, expected = 0;

	(void)state;
	assert_true(slots_init(&slots, 1));
	for (int i = 0; i < 12; i++) {
		slot_filled(&slots.items[0], 7, now_ms);
		now_ms += SLOT_QUICK_MS - 1;
		slot_emptied(&slots.items[0], now_ms);
		assert_int_equal(slots_next_ms(&slots), now_ms + expected);
		if (expected > 0)
			assert_null(slots_due(&slots, now_ms + expected - 1));
		now_ms += expected;
		assert_non_null(slots_due(&slots, now_ms));
		expected = expected == 0 ? SLOT_WAIT_MS : expected * 2;
		expected = expected > SLOT_WAIT_MAX_MS ? SLOT_WAIT_MAX_MS : expected;
	}
	assert_int_equal(expected, SLOT_WAIT_MAX_MS);
	slots_free(&slots);
}

static void test_a_long_life_makes_up_for_quick_deaths(void **state)
{
	struct slots slots;
	uint64_t now_ms = 1000;

	(void)state;
	assert_true(slots_init(&slots, 1));
	for (int i = 0; i < 5; i++) {
		slot_filled(&slots.items[0], 7, now_ms);
		slot_emptied(&slots.items[0], now_ms);
	}
	assert_true(slots_next_ms(&slots) > now_ms);
	slot_filled(&slots.items[0], 7, now_ms);
	now_ms += SLOT_QUICK_MS;
	slot_emptied(&slots.items[0], now_ms);
	assert_int_equal(slots_next_ms(&slots), now_ms);
	slots_free(&slots);
}

/* A fork that fails counts as a quick death. */
static void test_a_start_that_fails_waits(void **state)
{
	struct slots slots;

	(void)state;
	assert_true(slots_init(&slots, 1));
	slot_emptied(&slots.items[0], SLOT_QUICK_MS * 2);
	slot_emptied(&slots.items[0], SLOT_QUICK_MS * 2);
	assert_int_equal(slots_next_ms(&slots), SLOT_QUICK_MS * 2 + SLOT_WAIT_MS);
	slots_free(&slots);
}

static void test_places_are_numbered(void **state)
{
	struct slots slots;

	(void)state;
	assert_true(slots_init(&slots, 3));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(slots.items[i].number, i);
		assert_int_equal(slots.items[i].channel, -1);
	}
	slots_free(&slots);
}

static void test_a_worker_that_reports_is_ready(void **state)
{
	struct slots slots;

	(void)state;
	assert_true(slots_init(&slots, 1));
	slot_filled(&slots.items[0], 7, 100);
	assert_false(slots_all_ready(&slots));
	slot_heard(&slots.items[0], 120);
	assert_true(slots_all_ready(&slots));
	assert_int_equal(slots.items[0].heard_ms, 120);
	slot_emptied(&slots.items[0], 130);
	assert_false(slots_all_ready(&slots));
	slots_free(&slots);
}

/* Of the time since it was started, or last heard; an empty place is not silent. */
static void test_a_silent_worker(void **state)
{
	struct slots slots;

	(void)state;
	assert_true(slots_init(&slots, 2));
	assert_null(slots_silent(&slots, 10, 1000));
	slot_filled(&slots.items[0], 7, 1000);
	slot_filled(&slots.items[1], 8, 1000);
	assert_null(slots_silent(&slots, 10, 1010));
	assert_ptr_equal(slots_silent(&slots, 10, 1011), &slots.items[0]);
	slot_heard(&slots.items[0], 1011);
	assert_ptr_equal(slots_silent(&slots, 10, 1011), &slots.items[1]);
	slot_emptied(&slots.items[1], 1011);
	assert_null(slots_silent(&slots, 10, 1011));
	assert_ptr_equal(slots_silent(&slots, 10, 1022), &slots.items[0]);
	slots_free(&slots);
}

/* It is named once; one that is just starting has a limit of its own. */
static void test_a_worker_without_progress(void **state)
{
	struct slots slots;

	(void)state;
	assert_true(slots_init(&slots, 2));
	assert_null(slots_stalled(&slots, 10, 100, 1000));
	slot_filled(&slots.items[0], 7, 1000);
	slot_filled(&slots.items[1], 8, 1000);
	slot_heard(&slots.items[0], 1000);
	assert_null(slots_stalled(&slots, 10, 100, 1009));
	assert_ptr_equal(slots_stalled(&slots, 10, 100, 1010), &slots.items[0]);
	slots.items[0].ended = true;
	assert_null(slots_stalled(&slots, 10, 100, 1099));
	assert_ptr_equal(slots_stalled(&slots, 10, 100, 1100), &slots.items[1]);
	assert_null(slots_stalled(&slots, 200, 100, 1199)); /* a longer limit holds at the start, too */
	slot_emptied(&slots.items[0], 1100);
	slot_filled(&slots.items[0], 9, 1100);
	assert_false(slots.items[0].ended);
	slots_free(&slots);
}

/* A master that was not running for an hour has not heard what its workers said in it. */
static void test_time_without_the_master_is_forgiven(void **state)
{
	struct slots slots;

	(void)state;
	assert_true(slots_init(&slots, 2));
	slot_filled(&slots.items[0], 7, 1000);
	slot_heard(&slots.items[0], 1000);
	slots_forgive(&slots, 3600000);
	assert_null(slots_stalled(&slots, 10, 10, 3601009));
	assert_ptr_equal(slots_stalled(&slots, 10, 10, 3601010), &slots.items[0]);
	slots_free(&slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_are_due_at_the_start),
		cmocka_unit_test(test_the_first_ended_worker_is_replaced_at_once),
		cmocka_unit_test(test_quick_deaths_wait),
		cmocka_unit_test(test_a_long_life_makes_up_for_quick_deaths),
		cmocka_unit_test(test_a_start_that_fails_waits),
		cmocka_unit_test(test_places_are_numbered),
		cmocka_unit_test(test_a_worker_that_reports_is_ready),
		cmocka_unit_test(test_a_silent_worker),
		cmocka_unit_test(test_a_worker_without_progress),
		cmocka_unit_test(test_time_without_the_master_is_forgiven),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
