/* The SSL's message callback, which a thaw_conn shares with the application: seen by both, or clearly missed. */
#include "trust_world.h"

/* Handshake message types (RFC 8446 4, RFC 5246 7.4, RFC 8879 4). */
enum {
	MSG_HELLO_REQUEST = 0,
	MSG_CERTIFICATE = 11,
	MSG_CERTIFICATE_REQUEST = 13,
	MSG_FINISHED = 20,
	MSG_COMPRESSED_CERTIFICATE = 25
};

struct seen {
	SSL *ssl;
	unsigned records, finished, certificates, requests;
	bool replace; /* the callback, once the client's certificate comes */
};

static void ignore(int outbound, int version, int content_type, const void *data, size_t len, SSL *ssl, void *arg)
{
	(void)outbound;
	(void)version;
	(void)content_type;
	(void)data;
	(void)len;
	(void)ssl;
	(void)arg;
}

static void note(int outbound, int version, int content_type, const void *data, size_t len, SSL *ssl, void *arg)
{
	struct seen *seen = arg;
	int type = len > 0 && content_type == SSL3_RT_HANDSHAKE ? *(const unsigned char *)data : -1;

	(void)version;
	seen->ssl = ssl;
	seen->records += content_type == SSL3_RT_HEADER;
	seen->finished += !outbound && type == MSG_FINISHED;
	seen->certificates += !outbound && (type == MSG_CERTIFICATE || type == MSG_COMPRESSED_CERTIFICATE);
	seen->requests += outbound && (type == MSG_HELLO_REQUEST || type == MSG_CERTIFICATE_REQUEST);
	if (seen->replace && seen->certificates > 0)
		SSL_set_msg_callback(ssl, ignore);
}

static void open_late(struct pair *pair, int version)
{
	*pair = (struct pair){0};
	open_server(pair, version);
	begin(pair);
	equip(pair->client, pki.client, pki.key, (X509 *[]){pki.issuing}, 1);
}

static void close_all(struct pair *pair)
{
	finish(pair);
	close_contexts(pair);
}

static void ask_only(struct pair *pair)
{
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_HEADERS};

	assert_int_equal(thaw_conn_ask(pair->conn, &options, NOW_MS), THAW_OK);
}

/* Until thaw_conn_read() fails, as it must. */
static void run_until_failed(struct pair *pair)
{
	char bytes[256];
	size_t len;

	for (int i = 0; i < TURNS_MAX; i++) {
		enum thaw_status status = thaw_conn_read(pair->conn, bytes, sizeof(bytes), &len, NOW_MS);
		if (status == THAW_FAILED)
			break;
		assert_int_equal(status, THAW_WANT_READ);
		(void)SSL_read(pair->client, bytes, sizeof(bytes));
	}
	assert_int_equal(thaw_conn_error(pair->conn)->cls, THAW_ERR_USAGE);
	assert_int_equal(thaw_conn_read(pair->conn, bytes, sizeof(bytes), &len, NOW_MS), THAW_FAILED);
	assert_int_equal(len, 0);
}

static void assert_cancelled(const struct pair *pair)
{
	assert_int_equal(thaw_conn_verdict(pair->conn), THAW_VERDICT_CANCELLED);
	assert_int_equal(thaw_conn_report(pair->conn)->reason, THAW_REASON_CONNECTION);
}

static void the_application_callback_gets_every_message(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;
		struct seen seen = {0};

		open_late(&pair, versions[v]);
		thaw_conn_set_msg_callback(pair.conn, note, &seen);
		settle(&pair);
		assert_int_equal(seen.finished, 1);
		assert_int_equal(seen.certificates, 0);
		assert_ptr_equal(seen.ssl, pair.server);
		seen.requests = 0;
		assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
		assert_int_equal(seen.finished, 2);
		assert_int_equal(seen.certificates, 1);
		assert_true(seen.requests > 0);
		thaw_conn_set_msg_callback(pair.conn, NULL, NULL);
		assert_int_equal(ask(&pair, pki.both, true), THAW_VERDICT_ACCEPTED);
		assert_int_equal(seen.finished, 2);
		close_all(&pair);
	}
}

static void the_application_callback_is_installed_after_free(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;
		struct seen seen = {0};

		open_late(&pair, versions[v]);
		settle(&pair);
		thaw_conn_set_msg_callback(pair.conn, note, &seen);
		thaw_conn_free(&pair.conn);
		assert_int_equal(SSL_write(pair.server, "x", 1), 1);
		assert_int_equal(seen.records, 1);
		close_all(&pair);
	}
}

static void another_argument_does_no_harm(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;
		int other = 0;

		open_late(&pair, versions[v]);
		SSL_set_msg_callback_arg(pair.server, &other);
		settle(&pair);
		assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
		close_all(&pair);
	}
}

static void replaced_before_the_handshake_it_fails_at_its_end(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;

		open_late(&pair, versions[v]);
		SSL_set_msg_callback(pair.server, ignore);
		run_until_failed(&pair);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_NONE);
		close_all(&pair);
	}
}

static void replaced_before_an_ask_it_fails_and_is_cancelled(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;

		open_late(&pair, versions[v]);
		settle(&pair);
		SSL_set_msg_callback(pair.server, ignore);
		ask_only(&pair);
		run_until_failed(&pair);
		assert_cancelled(&pair);
		close_all(&pair);
	}
}

static void replaced_after_the_request_it_fails_and_is_cancelled(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;

		open_late(&pair, versions[v]);
		settle(&pair);
		ask_only(&pair);
		SSL_set_msg_callback(pair.server, NULL);
		run_until_failed(&pair);
		assert_cancelled(&pair);
		close_all(&pair);
	}
}

static void replaced_within_the_answer_it_fails_and_is_cancelled(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;
		struct seen seen = {.replace = true};

		open_late(&pair, versions[v]);
		settle(&pair);
		thaw_conn_set_msg_callback(pair.conn, note, &seen);
		ask_only(&pair);
		run_until_failed(&pair);
		assert_int_equal(seen.certificates, 1);
		assert_int_equal(seen.finished, 0);
		assert_cancelled(&pair);
		close_all(&pair);
	}
}

/* Of one that renegotiates, or is asked twice: each Finished is another one. */
static void each_exchange_of_a_connection_is_reported(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;
		struct seen seen = {0};

		open_late(&pair, versions[v]);
		thaw_conn_set_msg_callback(pair.conn, note, &seen);
		settle(&pair);
		for (unsigned turn = 0; turn < 3; turn++) {
			assert_int_equal(ask(&pair, pki.both, true), THAW_VERDICT_ACCEPTED);
			assert_int_equal(seen.finished, turn + 2);
		}
		SSL_set_msg_callback(pair.server, ignore);
		const struct thaw_ask_options options = {
			.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_HEADERS, .again = true};
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		run_until_failed(&pair);
		assert_cancelled(&pair);
		close_all(&pair);
	}
}

static void handshake_without_the_library(struct pair *pair)
{
	for (int turn = 0; turn < TURNS_MAX; turn++) {
		int server = SSL_do_handshake(pair->server), client = SSL_do_handshake(pair->client);
		if (server == 1 && client == 1)
			return;
	}
	fail_msg("no handshake");
}

/* The application's own callback stays until the first ask; the handshake that it alone has seen is no misuse. */
static void a_deferred_connection_takes_the_callback_with_its_first_ask(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;
		struct seen own = {0}, shown = {0};

		open_late(&pair, versions[v]);
		thaw_conn_free(&pair.conn);
		SSL_set_msg_callback(pair.server, note);
		SSL_set_msg_callback_arg(pair.server, &own);
		assert_int_equal(thaw_conn_new_deferred(pair.server, &pair.conn, NULL), THAW_OK);
		thaw_conn_set_msg_callback(pair.conn, note, &shown);
		handshake_without_the_library(&pair);
		assert_int_equal(own.finished, 1);
		assert_int_equal(shown.finished, 0);
		assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
		assert_int_equal(own.finished, 1);
		assert_int_equal(shown.finished, 1);
		close_all(&pair);
	}
}

static void a_deferred_connection_that_is_not_asked_leaves_the_callback(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair;
		struct seen own = {0};

		open_late(&pair, versions[v]);
		thaw_conn_free(&pair.conn);
		SSL_set_msg_callback(pair.server, note);
		SSL_set_msg_callback_arg(pair.server, &own);
		assert_int_equal(thaw_conn_new_deferred(pair.server, &pair.conn, NULL), THAW_OK);
		handshake_without_the_library(&pair);
		thaw_conn_free(&pair.conn);
		own.records = 0;
		assert_int_equal(SSL_write(pair.server, "x", 1), 1);
		assert_true(own.records > 0);
		close_all(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_application_callback_gets_every_message),
		cmocka_unit_test(the_application_callback_is_installed_after_free),
		cmocka_unit_test(another_argument_does_no_harm),
		cmocka_unit_test(replaced_before_the_handshake_it_fails_at_its_end),
		cmocka_unit_test(replaced_before_an_ask_it_fails_and_is_cancelled),
		cmocka_unit_test(replaced_after_the_request_it_fails_and_is_cancelled),
		cmocka_unit_test(replaced_within_the_answer_it_fails_and_is_cancelled),
		cmocka_unit_test(each_exchange_of_a_connection_is_reported),
		cmocka_unit_test(a_deferred_connection_takes_the_callback_with_its_first_ask),
		cmocka_unit_test(a_deferred_connection_that_is_not_asked_leaves_the_callback),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
