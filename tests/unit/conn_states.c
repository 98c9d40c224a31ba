/* A connection's state table, walked: every path ends, and every state that waits has a deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/conn_states.h"

static void every_path_ends(void **state)
{
	uint32_t known = GW_BIT(GW_DEAD), before;

	(void)state;
	do {
		before = known;
		for (int s = 0; s < GW_STATES; s++)
			if (gw_states[s].next & known)
				known |= GW_BIT(s);
	} while (known != before);
	assert_int_equal(known, GW_BIT(GW_STATES) - 1);
}

static void only_dead_is_the_end(void **state)
{
	(void)state;
	for (int s = 0; s < GW_STATES; s++)
		assert_true((gw_states[s].next == 0) == (s == GW_DEAD));
}

static void every_state_can_end_at_once(void **state)
{
	(void)state;
	for (int s = 0; s < GW_DEAD; s++)
		assert_true(gw_states[s].next & GW_BIT(GW_DEAD));
}

static void every_waiting_state_has_a_deadline(void **state)
{
	(void)state;
	for (int s = 0; s < GW_DEAD; s++) {
		assert_true(gw_states[s].limit_ms > 0 || gw_states[s].by_ask);
		assert_true(gw_states[s].limit_ms <= 60000);
	}
	assert_int_equal(gw_states[GW_DEAD].limit_ms, 0);
}

static void no_body_passes_before_its_verdict(void **state)
{
	/* Only a head's decision and a verdict lead to pass; no state goes back to it. */
	(void)state;
	for (int s = 0; s < GW_STATES; s++)
		if (s != GW_HEAD && s != GW_HELD && s != GW_ASK)
			assert_false(gw_states[s].next & GW_BIT(GW_PASS));
}

static void a_request_ends_in_a_reply(void **state)
{
	(void)state;
	assert_true(gw_states[GW_HEAD].next & GW_BIT(GW_REPLY));
	assert_true(gw_states[GW_HELD].next & GW_BIT(GW_REPLY));
	assert_true(gw_states[GW_ASK].next & GW_BIT(GW_REPLY));
	assert_true(gw_states[GW_PASS].next & GW_BIT(GW_REPLY));
	for (int s = 0; s < GW_STATES; s++)
		if (s != GW_REPLY && s != GW_TLS)
			assert_false(gw_states[s].next & GW_BIT(GW_IDLE));
}

static void every_state_but_the_first_can_be_reached(void **state)
{
	uint32_t seen = GW_BIT(GW_PREFACE), before;

	(void)state;
	do {
		before = seen;
		for (int s = 0; s < GW_STATES; s++)
			if (seen & GW_BIT(s))
				seen |= gw_states[s].next;
	} while (seen != before);
	assert_int_equal(seen, GW_BIT(GW_STATES) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_ends),
		cmocka_unit_test(only_dead_is_the_end),
		cmocka_unit_test(every_state_can_end_at_once),
		cmocka_unit_test(every_waiting_state_has_a_deadline),
		cmocka_unit_test(no_body_passes_before_its_verdict),
		cmocka_unit_test(a_request_ends_in_a_reply),
		cmocka_unit_test(every_state_but_the_first_can_be_reached),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
