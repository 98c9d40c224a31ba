/* The state tables of a connection and of a stream, walked: every path ends, and every state that waits has a deadline.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/conn_states.h"
#include "gateway/part_states.h"
#include "gateway/stream_states.h"

struct table {
	const char *name;
	int count, end;
	uint32_t next[16];
	bool waits[16]; /* it has a deadline, its own or another's */
};

static struct table connection(void)
{
	struct table table = {.name = "connection", .count = GW_STATES, .end = GW_DEAD};

	for (int s = 0; s < GW_STATES; s++) {
		table.next[s] = gw_states[s].next;
		table.waits[s] = gw_states[s].limit_ms > 0 || s == GW_BUSY; /* its stream's */
		assert_true(gw_states[s].limit_ms <= 60000);
	}
	return table;
}

static struct table stream(void)
{
	struct table table = {.name = "stream", .count = GW_STREAM_STATES, .end = GW_OVER};

	for (int s = 0; s < GW_STREAM_STATES; s++) {
		table.next[s] = gw_stream_rows[s].next;
		table.waits[s] = gw_stream_rows[s].limit_ms > 0 || gw_stream_rows[s].by_ask;
		assert_true(gw_stream_rows[s].limit_ms <= 60000);
	}
	return table;
}

static void settings_replace_the_limits_of_clients_alone(void **state)
{
	const struct config_connections settings = {
		.first_byte_ms = 5, .handshake_ms = 1, .head_ms = 2, .body_ms = 3, .keepalive_ms = 4};
	const uint64_t conn[GW_STATES] = {
		[GW_PREFACE] = 5, [GW_SILENT] = 5, [GW_TLS] = 1, [GW_CHOICE] = 1, [GW_IDLE] = 4, [GW_LINGER] = 5000};
	const uint64_t stream[GW_STREAM_STATES] = {
		[GW_HEAD] = 2, [GW_PASS] = 3, [GW_RELAY] = 3, [GW_TUNNEL] = 60000, [GW_REPLY] = 3};

	(void)state;
	for (int s = 0; s < GW_STATES; s++)
		assert_int_equal(gw_state_limit_ms((enum gw_state)s, &settings), conn[s]);
	for (int s = 0; s < GW_STREAM_STATES; s++)
		assert_int_equal(gw_stream_limit_ms((enum gw_stream_state)s, &settings), stream[s]);
}

static uint32_t all(const struct table *table)
{
	return (1U << table->count) - 1;
}

static void walk(struct table table)
{
	uint32_t ends = 1U << table.end, seen = 1;

	for (int round = 0; round < table.count; round++) {
		for (int s = 0; s < table.count; s++) {
			if (table.next[s] & ends)
				ends |= 1U << s;
			if (seen & (1U << s))
				seen |= table.next[s];
		}
	}
	assert_int_equal(ends, all(&table));
	assert_int_equal(seen, all(&table)); /* each can be reached from the first */
	for (int s = 0; s < table.count; s++) {
		bool last = s == table.end;
		assert_true((table.next[s] == 0) == last);
		assert_true(table.waits[s] == !last);
		assert_true(last || (table.next[s] & (1U << table.end)));
	}
}

static void every_path_of_a_connection_ends(void **state)
{
	(void)state;
	walk(connection());
}

static void every_path_of_a_stream_ends(void **state)
{
	(void)state;
	walk(stream());
}

/* A part has no last state: what it belongs to ends. But no state of it is only entered, or only left. */
static void every_state_of_a_part_can_be_reached(void **state)
{
	const struct gw_part *const parts[] = {&gw_account_part, &gw_expect_part, &gw_after_part, &gw_up_part};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint32_t seen = 1;
		for (unsigned round = 0; round < parts[i]->count; round++)
			for (unsigned s = 0; s < parts[i]->count; s++)
				if (seen & GW_PART_BIT(s))
					seen |= parts[i]->rows[s].next;
		assert_int_equal(seen, (1U << parts[i]->count) - 1);
		for (unsigned s = 0; s < parts[i]->count; s++) {
			assert_non_null(parts[i]->rows[s].name);
			assert_false(parts[i]->rows[s].next & GW_PART_BIT(s));
		}
	}
}

static void a_request_may_be_tried_again_unless_it_was_not_begun(void **state)
{
	(void)state;
	for (unsigned s = GW_UP_HEAD; s < GW_UP_STATES; s++)
		assert_true(gw_up_part.rows[s].next & GW_PART_BIT(GW_UP_CONNECT));
}

static void what_is_recorded_is_recorded_once(void **state)
{
	(void)state;
	assert_int_equal(gw_account_part.rows[GW_ACCOUNT_RECORDED].next, 0);
	assert_int_equal(gw_account_part.rows[GW_ACCOUNT_FINAL].next, GW_PART_BIT(GW_ACCOUNT_RECORDED));
	for (unsigned s = 0; s < GW_ACCOUNT_RECORDED; s++)
		assert_true(gw_account_part.rows[s].next & GW_PART_BIT(GW_ACCOUNT_RECORDED));
}

static void no_body_passes_before_its_verdict(void **state)
{
	/* Only a head's decision and a verdict lead to pass; no state goes back to it. */
	(void)state;
	for (int s = 0; s < GW_STREAM_STATES; s++)
		if (s != GW_HEAD && s != GW_HELD && s != GW_ASK)
			assert_false(gw_stream_rows[s].next & GW_STREAM_BIT(GW_PASS));
}

static void a_request_can_be_refused_until_its_response_begins(void **state)
{
	const enum gw_stream_state before[] = {GW_HEAD, GW_HELD, GW_ASK, GW_PASS};

	(void)state;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		assert_true(gw_stream_rows[before[i]].next & GW_STREAM_BIT(GW_REPLY));
	assert_int_equal(gw_stream_rows[GW_REPLY].next, GW_STREAM_BIT(GW_OVER));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_replace_the_limits_of_clients_alone),
		cmocka_unit_test(every_path_of_a_connection_ends),
		cmocka_unit_test(every_path_of_a_stream_ends),
		cmocka_unit_test(every_state_of_a_part_can_be_reached),
		cmocka_unit_test(a_request_may_be_tried_again_unless_it_was_not_begun),
		cmocka_unit_test(what_is_recorded_is_recorded_once),
		cmocka_unit_test(no_body_passes_before_its_verdict),
		cmocka_unit_test(a_request_can_be_refused_until_its_response_begins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
