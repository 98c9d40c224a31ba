/* One exchange has one trace: each of its states is reported once and in order, whichever way the client is asked. */
#include "peers_world.h"

#include "../made.h"
#include "thaw/ask.h"

#define NOW_MS     1000
#define TIMEOUT_MS 3000
#define GRACE_MS   500
#define TURNS_MAX  200

static struct duplex duplex;

struct pair {
	struct tls_client_context *context;
	struct tls_client *client;
	struct tls_conn *link;
	thaw_conn *conn;
	struct thaw_error err;
	uint64_t now_ms;
	char trace[256]; /* the names of the states, with a space behind each */
	char last[32];
};

static void on_change(void *arg, const char *machine, const char *from, const char *to, uint64_t now_ms)
{
	struct pair *pair = arg;
	size_t len = strlen(pair->trace);

	assert_string_equal(machine, "ask");
	assert_string_equal(from, pair->last); /* one writer: nothing has changed unseen */
	assert_int_equal(now_ms, pair->now_ms);
	(void)snprintf(pair->last, sizeof(pair->last), "%s", to);
	(void)snprintf(pair->trace + len, sizeof(pair->trace) - len, "%s ", to);
}

static void open_pair(struct pair *pair, enum tls_client_version version, bool with_certificate)
{
	struct tls_client_options options = {.ca = ca,
					     .credentials = with_certificate ? credentials : NULL,
					     .version = version,
					     .post_handshake = true};
	enum thaw_status client = THAW_WANT_READ, link = THAW_WANT_READ;

	*pair = (struct pair){.now_ms = NOW_MS, .last = "quiet"};
	duplex_open(&duplex, WINDOW_MAX);
	pair->context = tls_client_context_new(&options, &pair->err);
	assert_non_null(pair->context);
	pair->client = tls_client_new(pair->context, "localhost", (struct transport){&way_ops, &duplex.client}, NULL,
				      &pair->err);
	pair->link = tls_conn_new(server, (struct transport){&way_ops, &duplex.server});
	assert_non_null(pair->client);
	assert_non_null(pair->link);
	pair->conn = made_conn_new(tls_conn_ssl(pair->link));
	assert_non_null(pair->conn);
	thaw_conn_trace(pair->conn, on_change, pair);
	for (int turn = 0; turn < TURNS_MAX && (client != THAW_OK || link != THAW_OK); turn++) {
		client = tls_client_handshake(pair->client, &pair->err);
		link = tls_conn_handshake(pair->link, &pair->err);
	}
	assert_int_equal(client, THAW_OK);
	assert_int_equal(link, THAW_OK);
}

static void close_pair(struct pair *pair)
{
	thaw_conn_free(&pair->conn);
	tls_conn_free(&pair->link);
	tls_client_free(&pair->client);
	tls_client_context_free(&pair->context);
}

static void ask(struct pair *pair, bool body_follows)
{
	const struct thaw_ask_options options = {.size = sizeof(options),
						 .trust = trust,
						 .moment = body_follows ? THAW_MOMENT_BODY : THAW_MOMENT_HEADERS,
						 .body_follows = body_follows,
						 .again = true,
						 .timeout_ms = TIMEOUT_MS,
						 .body_idle_ms = TIMEOUT_MS,
						 .decline_grace_ms = GRACE_MS};

	pair->trace[0] = '\0';
	assert_int_equal(thaw_conn_ask(pair->conn, &options, pair->now_ms), THAW_OK);
}

/* The server reads and writes what it can; the client does so, too, or does not read. */
static void go_on(struct pair *pair, bool client_reads)
{
	char byte;
	size_t len;

	for (int turn = 0; turn < TURNS_MAX; turn++) {
		thaw_conn_tick(pair->conn, pair->now_ms);
		if (client_reads)
			(void)!tls_client_read(pair->client, &byte, 1, &len, &pair->err);
		(void)!thaw_conn_read(pair->conn, &byte, 1, &len, pair->now_ms);
	}
}

static void pass(struct pair *pair, uint64_t ms)
{
	pair->now_ms += ms;
	thaw_conn_tick(pair->conn, pair->now_ms);
}

static void an_answered_exchange_passes_each_state_once(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		struct pair pair;
		open_pair(&pair, (enum tls_client_version)version, true);
		ask(&pair, false);
		go_on(&pair, true);
		assert_string_equal(pair.trace, "send answer exchange finished settled ");
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		ask(&pair, true);
		assert_string_equal(pair.trace, "body ");
		thaw_conn_body_ended(pair.conn, pair.now_ms);
		go_on(&pair, true);
		assert_string_equal(pair.trace, "body send answer exchange finished settled ");
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		close_pair(&pair);
	}
}

static void an_empty_answer_is_held_back_over_tls13(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS_CLIENT_12, false);
	ask(&pair, false);
	go_on(&pair, true);
	assert_string_equal(pair.trace, "send answer exchange finished settled ");
	close_pair(&pair);
	open_pair(&pair, TLS_CLIENT_13, false);
	ask(&pair, false);
	go_on(&pair, true);
	assert_string_equal(pair.trace, "send answer exchange finished grace ");
	pass(&pair, GRACE_MS);
	assert_string_equal(pair.trace, "send answer exchange finished grace settled ");
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_DECLINED);
	close_pair(&pair);
}

/* The answer comes when it is too late: it is not taken for that to another ask, of which there is none. */
static void an_unanswered_exchange_stays_abandoned(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		struct thaw_report report;
		struct pair pair;
		open_pair(&pair, (enum tls_client_version)version, true);
		ask(&pair, false);
		go_on(&pair, false);
		pass(&pair, TIMEOUT_MS);
		assert_string_equal(pair.trace, "send answer abandoned ");
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_TIMED_OUT);
		ask(&pair, false);
		assert_string_equal(pair.trace, "abandoned ");
		go_on(&pair, true);
		assert_string_equal(pair.trace, "abandoned ");
		report = *thaw_conn_report(pair.conn);
		assert_int_equal(report.verdict, THAW_VERDICT_IMPOSSIBLE);
		assert_int_equal(report.reason, THAW_REASON_OUTSTANDING);
		close_pair(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answered_exchange_passes_each_state_once),
		cmocka_unit_test(an_empty_answer_is_held_back_over_tls13),
		cmocka_unit_test(an_unanswered_exchange_stays_abandoned),
	};
	return cmocka_run_group_tests(tests, set_up_peers, tear_down_peers);
}
