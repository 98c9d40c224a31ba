/* How much one step of a connection does before others have their turn: counted in requests, and in bytes of the wire.
 */
#include "gateway_world.h"

#include "base/require.h"
#include "tls/transport_bio.h"

#define TEXT_MAX 1048576

static char text[TEXT_MAX];

/* Sends text, and steps the connection until it has taken all of it. The most that one step did. */
static void send_text(struct pair *pair, size_t len, unsigned *requests, uint64_t *bytes)
{
	size_t at = 0, put = 0;

	*requests = 0;
	*bytes = 0;
	while (at < len || duplex.up.len > 0 || pair->wants.again) {
		while (at < len && tls_client_write(pair->client, text + at, len - at, &put, &pair->err) == THAW_OK)
			at += put;
		unsigned recorded_before = recorded;
		uint64_t before = duplex.up.moved;
		pair->wants = gw_conn_step(pair->conn, START_MS);
		assert_false(pair->wants.dead);
		*requests = recorded - recorded_before > *requests ? recorded - recorded_before : *requests;
		*bytes = duplex.up.moved - before > *bytes ? duplex.up.moved - before : *bytes;
		read_all(pair);
	}
}

static void one_step_answers_a_bounded_number_of_pipelined_requests(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct pair pair = open_pair();
	unsigned most = 0, count = 2000;
	uint64_t bytes = 0;
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i < count; i++, len += sizeof(request) - 1)
		memcpy(text + len, request, sizeof(request) - 1);
	send_text(&pair, len, &most, &bytes);
	assert_int_equal(recorded, count);
	assert_true(most <= GW_WORK_MAX / GW_WORK_REQUEST + 1);
	close_pair(&pair);
}

/* Each chunk costs more than its byte. */
static void one_step_takes_a_bounded_number_of_chunks(void **state)
{
	static const char head[] = "PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const char chunk[] = "1\r\nx\r\n", end[] = "0\r\n\r\n";
	struct pair pair = open_pair();
	unsigned most = 0;
	uint64_t bytes = 0;
	size_t len = sizeof(head) - 1;

	(void)state;
	memcpy(text, head, len);
	for (unsigned i = 0; i < 100000; i++, len += sizeof(chunk) - 1)
		memcpy(text + len, chunk, sizeof(chunk) - 1);
	memcpy(text + len, end, sizeof(end) - 1);
	send_text(&pair, len + sizeof(end) - 1, &most, &bytes);
	assert_int_equal(recorded, 1);
	/* So many chunks, the record that they come in, and what is staged. */
	assert_true(bytes <= GW_WORK_MAX / GW_WORK_LEAST * (sizeof(chunk) - 1) + 16384 + 2 * PIECE);
	close_pair(&pair);
}

/* A head that comes byte by byte. */
static void one_step_takes_a_bounded_number_of_records_of_a_head(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
	struct pair pair = open_pair();
	size_t put = 0, record = 23;
	uint64_t most = 0;

	(void)state;
	(void)snprintf(text, sizeof(text), "%s%01000d\r\n\r\n", head, 0);
	for (size_t at = 0; text[at] != '\0'; at++)
		assert_int_equal(tls_client_write(pair.client, text + at, 1, &put, &pair.err), THAW_OK);
	while (recorded == 0) {
		uint64_t before = duplex.up.moved;
		pair.wants = gw_conn_step(pair.conn, START_MS);
		most = duplex.up.moved - before > most ? duplex.up.moved - before : most;
		assert_true(recorded > 0 || pair.wants.again || duplex.up.len == 0);
	}
	assert_true(most <= TLS_STEP_RECORDS * record + PIECE);
	close_pair(&pair);
}

static void on_broken(void *arg, const char *machine, const char *from, const char *to)
{
	char *text_of = arg;

	(void)snprintf(text_of, 64, "%s: %s to %s", machine, from, to);
}

/* A fault of our own costs one connection, in the release build as in every other. */
static void a_transition_that_the_table_does_not_have_ends_the_connection_alone(void **state)
{
	struct pair broken = open_pair();
	char reported[64] = "";

	(void)state;
	require_report(on_broken, reported);
	gw_enter(broken.conn, GW_SILENT);
	require_report(NULL, NULL);
	assert_string_equal(reported, "conn: idle to silent");
	assert_true(gw_conn_step(broken.conn, START_MS).dead);
	close_pair(&broken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_step_answers_a_bounded_number_of_pipelined_requests),
		cmocka_unit_test(one_step_takes_a_bounded_number_of_chunks),
		cmocka_unit_test(one_step_takes_a_bounded_number_of_records_of_a_head),
		cmocka_unit_test(a_transition_that_the_table_does_not_have_ends_the_connection_alone),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
