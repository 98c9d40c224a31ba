/*
 * The two deadlines of an ask, as a user of libthaw sees them: that of the certificate, and that of a body which is
 * drained before its client is asked. Progress of one never prolongs or shortens the other.
 */
#include "peers_world.h"

#include "../made.h"
#include "thaw/ask.h"

#define START_MS   1000
#define TIMEOUT_MS 3000
#define IDLE_MS    2000

static struct duplex duplex;

struct pair {
	struct tls_client_context *context;
	struct tls_client *client;
	struct tls_conn *link;
	thaw_conn *conn;
	struct thaw_error err;
	uint64_t now_ms;
};

/* The client only writes, and so never answers. */
static void exchange(struct pair *pair)
{
	char data[16384];
	size_t len = 0;

	for (enum thaw_status status = THAW_OK; status == THAW_OK;)
		status = thaw_conn_read(pair->conn, data, sizeof(data), &len, pair->now_ms);
	thaw_conn_tick(pair->conn, pair->now_ms);
}

static struct pair open_pair(enum tls_client_version version)
{
	struct pair pair = {.now_ms = START_MS};
	struct tls_client_options options = {
		.ca = ca, .credentials = credentials, .version = version, .post_handshake = true};
	enum thaw_status client = THAW_WANT_READ, link = THAW_WANT_READ;

	duplex_open(&duplex, WINDOW_MAX);
	pair.context = tls_client_context_new(&options, &pair.err);
	assert_non_null(pair.context);
	pair.client = tls_client_new(pair.context, "localhost", (struct transport){&way_ops, &duplex.client}, NULL,
				     &pair.err);
	pair.link = tls_conn_new(server, (struct transport){&way_ops, &duplex.server});
	assert_non_null(pair.client);
	assert_non_null(pair.link);
	pair.conn = made_conn_new(tls_conn_ssl(pair.link));
	assert_non_null(pair.conn);
	for (int turn = 0; turn < 20 && (client != THAW_OK || link != THAW_OK); turn++) {
		client = tls_client_handshake(pair.client, &pair.err);
		link = tls_conn_handshake(pair.link, &pair.err);
	}
	assert_int_equal(client, THAW_OK);
	assert_int_equal(link, THAW_OK);
	return pair;
}

static void close_pair(struct pair *pair)
{
	thaw_conn_free(&pair->conn);
	tls_conn_free(&pair->link);
	tls_client_free(&pair->client);
	tls_client_context_free(&pair->context);
}

static void ask(struct pair *pair)
{
	struct thaw_ask_options options = {.size = sizeof(options),
					   .trust = trust,
					   .moment = THAW_MOMENT_HEADERS,
					   .body_follows = true,
					   .timeout_ms = TIMEOUT_MS,
					   .body_idle_ms = IDLE_MS};

	assert_int_equal(thaw_conn_ask(pair->conn, &options, pair->now_ms), THAW_OK);
	assert_int_equal(thaw_conn_verdict(pair->conn), THAW_VERDICT_PENDING);
}

/* `bytes` of body each 10 ms until that time, or until the ask is over. */
static void let_pass(struct pair *pair, uint64_t until_ms, size_t bytes)
{
	static const char body[4096];
	size_t len = 0;

	while (pair->now_ms < until_ms && thaw_conn_verdict(pair->conn) == THAW_VERDICT_PENDING) {
		pair->now_ms += 10;
		if (bytes > 0)
			assert_int_equal(tls_client_write(pair->client, body, bytes, &len, &pair->err), THAW_OK);
		exchange(pair);
	}
}

static void check_end(const struct pair *pair, enum thaw_reason reason, uint64_t at_ms)
{
	struct thaw_report report;

	report = *thaw_conn_report(pair->conn);
	assert_int_equal(report.verdict, THAW_VERDICT_TIMED_OUT);
	assert_int_equal(report.reason, reason);
	assert_int_equal(report.ended_ms, at_ms);
}

static void body_bytes_do_not_extend_the_ask_deadline(void **state)
{
	static const size_t rates[] = {0, 1, 15, 4096};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct pair pair = open_pair(TLS_CLIENT_13);
		ask(&pair);
		let_pass(&pair, START_MS + 100, rates[i]);
		assert_int_equal(thaw_conn_deadline(pair.conn), START_MS + TIMEOUT_MS);
		let_pass(&pair, START_MS + 20000, rates[i]);
		check_end(&pair, THAW_REASON_NO_ANSWER, START_MS + TIMEOUT_MS);
		close_pair(&pair);
	}
}

/* A client often sends nothing while its human looks for the card: the body's deadline does not run then. */
static void a_stalled_body_does_not_end_the_ask(void **state)
{
	struct pair pair = open_pair(TLS_CLIENT_13);

	(void)state;
	ask(&pair);
	let_pass(&pair, START_MS + TIMEOUT_MS - 10, 0);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_PENDING);
	close_pair(&pair);
}

static void a_slow_body_does_not_shorten_the_certificate_timeout(void **state)
{
	struct pair pair = open_pair(TLS_CLIENT_12);

	(void)state;
	ask(&pair);
	let_pass(&pair, START_MS + 10000, 15); /* longer than either deadline */
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_PENDING);
	thaw_conn_body_ended(pair.conn, pair.now_ms);
	uint64_t ended_ms = pair.now_ms;
	let_pass(&pair, START_MS + 30000, 0);
	check_end(&pair, THAW_REASON_NO_ANSWER, ended_ms + TIMEOUT_MS);
	close_pair(&pair);
}

static void a_stalled_body_before_the_ask_ends_the_request(void **state)
{
	struct pair pair = open_pair(TLS_CLIENT_12);

	(void)state;
	ask(&pair);
	let_pass(&pair, START_MS + 5000, 15);
	uint64_t last_ms = pair.now_ms;
	let_pass(&pair, START_MS + 30000, 0);
	check_end(&pair, THAW_REASON_BODY_IDLE, last_ms + IDLE_MS);
	close_pair(&pair);
}

/* The request for the certificate cannot be written at once: that is time of the ask, too. */
static void a_client_that_does_not_read_is_not_given_more_time(void **state)
{
	struct pair pair = open_pair(TLS_CLIENT_12);

	(void)state;
	duplex.down.window = 0;
	ask(&pair);
	thaw_conn_body_ended(pair.conn, pair.now_ms);
	let_pass(&pair, START_MS + 2000, 0);
	duplex.down.window = WINDOW_MAX;
	let_pass(&pair, START_MS + 30000, 0);
	check_end(&pair, THAW_REASON_NO_ANSWER, START_MS + TIMEOUT_MS);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(body_bytes_do_not_extend_the_ask_deadline),
		cmocka_unit_test(a_stalled_body_does_not_end_the_ask),
		cmocka_unit_test(a_slow_body_does_not_shorten_the_certificate_timeout),
		cmocka_unit_test(a_stalled_body_before_the_ask_ends_the_request),
		cmocka_unit_test(a_client_that_does_not_read_is_not_given_more_time),
	};

	return cmocka_run_group_tests(tests, set_up_peers, tear_down_peers);
}
