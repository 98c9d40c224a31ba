/*
 * Clients that send so slowly that they never end, at each place of a connection: how long each is waited for, by the
 * clock of the test, and how it is answered. Only bytes of a body earn time, and never more than its deadline.
 */
#include "gateway_world.h"

#define HEAD    "GET / HTTP/1.1\r\nHost: localhost\r\n"
#define LENGTH  "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
#define CHUNKED "PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"

static void a_handshake_of_single_bytes_is_ended(void **state)
{
	struct tls_client_options options = {.ca = ca};
	struct pair pair = {.context = tls_client_context_new(&options, NULL)};
	uint64_t now_ms = START_MS;

	(void)state;
	duplex_open(&duplex, WINDOW_MAX);
	pair.client = tls_client_new(pair.context, "localhost", (struct transport){&way_ops, &duplex.client}, NULL,
				     &pair.err);
	pair.conn = gw_conn_new(gateway, (struct transport){&piece_ops, &duplex.server}, NULL, false, START_MS);
	assert_int_equal(tls_client_handshake(pair.client, &pair.err), THAW_WANT_READ);
	static unsigned char hello[WINDOW_MAX]; /* which comes byte by byte */
	size_t len = duplex.up.len;
	memcpy(hello, duplex.up.bytes, len);
	for (size_t at = 0; !pair.wants.dead; now_ms += SECOND_MS) {
		assert_true(at < len);
		duplex.up.bytes[0] = hello[at++];
		duplex.up.len = 1;
		pair.wants = gw_conn_step(pair.conn, now_ms);
	}
	assert_true(pair.wants.dead);
	assert_in_range(now_ms - START_MS, gw_states[GW_TLS].limit_ms,
			gw_states[GW_TLS].limit_ms + gw_states[GW_SILENT].limit_ms);
	close_pair(&pair);
}

static void a_head_has_a_fixed_time_however_it_comes(void **state)
{
	uint64_t limit_ms = gw_stream_rows[GW_HEAD].limit_ms;

	(void)state;
	assert_in_range(answered_after("G", "G", SECOND_MS, "408"), limit_ms, limit_ms + 2 * SECOND_MS);
	assert_in_range(answered_after(HEAD, "X: y\r\n", SECOND_MS, "408"), limit_ms, limit_ms + 2 * SECOND_MS);
	assert_in_range(answered_after(HEAD "X: ", "y", 10, "408"), limit_ms, limit_ms + SECOND_MS);
}

static void a_body_that_trickles_is_ended_whatever_its_framing(void **state)
{
	uint64_t limit_ms = gw_stream_rows[GW_PASS].limit_ms, most_ms = limit_ms + 2 * SECOND_MS;

	(void)state;
	assert_in_range(answered_after(LENGTH, "x", SECOND_MS, "408"), limit_ms, most_ms);
	assert_in_range(answered_after(CHUNKED, "1\r\nx\r\n", SECOND_MS, "408"), limit_ms, most_ms);
	assert_in_range(answered_after(CHUNKED "1;", "x", SECOND_MS, "408"), limit_ms, most_ms);
	assert_in_range(answered_after(CHUNKED "1\r\nx\r\n0\r\nX: ", "y", SECOND_MS, "408"), limit_ms, most_ms);
}

/* Framing in a body's place earns time as its bytes do, so it has limits of its own. */
static void framing_without_end_is_refused(void **state)
{
	(void)state;
	(void)answered_after(CHUNKED "1;", "x", 1, "400");
	(void)answered_after(CHUNKED, "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\ny\r\n", 1, "400");
	(void)answered_after(CHUNKED "1\r\nx\r\n0\r\n", "X: y\r\n", 1, "431");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_of_single_bytes_is_ended),
		cmocka_unit_test(a_head_has_a_fixed_time_however_it_comes),
		cmocka_unit_test(a_body_that_trickles_is_ended_whatever_its_framing),
		cmocka_unit_test(framing_without_end_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
