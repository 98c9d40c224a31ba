/* Limits that the configuration sets, instead of the defaults. */
#define HOST_SETTINGS "  max_request_body: 1000\n"
#define TOP_SETTINGS                                                                                         \
	"connections: { first_byte_timeout: 2s, handshake_timeout: 3s, head_timeout: 5s, body_timeout: 7s, " \
	"keepalive_timeout: 9s }\n"
#include "gateway_world.h"

#define PUT "PUT / HTTP/1.1\r\nHost: localhost\r\n"

static char request[4096];

static const char *chunked(size_t chunks, size_t size)
{
	size_t len = (size_t)snprintf(request, sizeof(request), PUT "Transfer-Encoding: chunked\r\n\r\n");

	for (size_t i = 0; i < chunks; i++)
		len += (size_t)snprintf(request + len, sizeof(request) - len, "%zx\r\n%0*d\r\n", size, (int)size, 0);
	return request;
}

static void a_body_at_the_limit_is_accepted(void **state)
{
	(void)state;
	(void)snprintf(request, sizeof(request), PUT "Content-Length: 1000\r\n\r\n%0999d", 0);
	assert_int_equal(answered_after(request, "0", 1, "200"), 1);
	assert_int_equal(answered_after(chunked(2, 500), "0\r\n\r\n", 1, "200"), 5);
}

/* By its head alone: neither a byte of it nor a 100 is waited for. */
static void a_length_above_the_limit_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(answered_after(PUT "Content-Length: 1001\r\n\r\n", "0", 1, "413"), 1);
	assert_int_equal(answered_after(PUT "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n", "0", 1, "413"), 1);
	assert_int_equal(answered_after(PUT "Content-Length: 9000000000000000000\r\n\r\n", "0", 1, "413"), 1);
}

static void chunks_above_the_limit_are_refused(void **state)
{
	(void)state;
	assert_int_equal(answered_after(chunked(2, 500), "1\r\n0\r\n", 1, "413"), 4);
}

static void a_head_has_its_time(void **state)
{
	(void)state;
	assert_in_range(answered_after(PUT, "X: y\r\n", 100, "408"), 5 * SECOND_MS, 5 * SECOND_MS + 200);
}

static void a_body_has_its_time_whatever_its_framing(void **state)
{
	(void)state;
	assert_in_range(answered_after(PUT "Content-Length: 999\r\n\r\n", "0", SECOND_MS, "408"), 7 * SECOND_MS,
			9 * SECOND_MS);
	assert_in_range(answered_after(chunked(0, 0), "1\r\n0\r\n", SECOND_MS, "408"), 7 * SECOND_MS, 9 * SECOND_MS);
}

/* When a connection that sends nothing more is given up. */
static uint64_t dead_after(struct pair *pair)
{
	uint64_t now_ms = START_MS;

	for (int turn = 0; turn < 1000 && !pair->wants.dead; turn++) {
		pair->wants = gw_conn_step(pair->conn, now_ms);
		if (pair->conn->state == GW_LINGER)
			break;
		now_ms += 100;
	}
	return now_ms - START_MS;
}

static void a_connection_without_a_request_has_its_time(void **state)
{
	struct pair pair = open_pair();

	(void)state;
	assert_in_range(dead_after(&pair), 9 * SECOND_MS, 9 * SECOND_MS + 200);
	close_pair(&pair);
}

static void a_handshake_has_its_time(void **state)
{
	struct tls_client_options options = {.ca = ca};
	struct pair pair = {.context = tls_client_context_new(&options, NULL)};

	(void)state;
	duplex_open(&duplex, WINDOW_MAX);
	pair.client = tls_client_new(pair.context, "localhost", (struct transport){&way_ops, &duplex.client}, NULL,
				     &pair.err);
	pair.conn = gw_conn_new(gateway, (struct transport){&piece_ops, &duplex.server}, NULL, false, START_MS);
	assert_int_equal(tls_client_handshake(pair.client, &pair.err), THAW_WANT_READ);
	assert_in_range(dead_after(&pair), 3 * SECOND_MS, 3 * SECOND_MS + 200);
	close_pair(&pair);
}

/* preface: a PROXY header is awaited first. */
static void ends_without_response(bool preface)
{
	struct pair pair = {.conn = NULL};

	duplex_open(&duplex, WINDOW_MAX);
	pair.conn = gw_conn_new(gateway, (struct transport){&piece_ops, &duplex.server}, NULL, preface, START_MS);
	assert_in_range(dead_after(&pair), 2 * SECOND_MS, 2 * SECOND_MS + 200);
	gw_conn_free(&pair.conn);
}

static void a_connection_without_a_byte_has_its_time(void **state)
{
	(void)state;
	ends_without_response(false);
	ends_without_response(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_at_the_limit_is_accepted),
		cmocka_unit_test(a_length_above_the_limit_is_refused_at_once),
		cmocka_unit_test(chunks_above_the_limit_are_refused),
		cmocka_unit_test(a_head_has_its_time),
		cmocka_unit_test(a_body_has_its_time_whatever_its_framing),
		cmocka_unit_test(a_connection_without_a_request_has_its_time),
		cmocka_unit_test(a_handshake_has_its_time),
		cmocka_unit_test(a_connection_without_a_byte_has_its_time),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
