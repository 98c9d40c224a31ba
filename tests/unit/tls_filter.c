/* A TLS context that another library drives: its connection is asked while a record of its own is half out. */
#include "filter_world.h"

#include <signal.h>

static void asked_while_a_record_is_half_out(void **state)
{
	static const char body[RECORD];
	static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
	char bytes[16];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pair pair;
		open_pair(&pair, versions[i]);
		pair.reads = false; /* it does not, before the certificate is on its way */
		ask(&pair);
		assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD); /* the ask can be read: no waiting */
		assert_true(tls_filter_unsent(pair.filter) > RECORD / 2);
		uint64_t moved = tls_filter_moved(pair.filter);
		pair.reads = true;
		for (int turn = 0; turn < TURNS_MAX && asking(&pair); turn++) {
			int got = SSL_read(pair.ssl, bytes, sizeof(bytes));
			assert_int_equal(SSL_get_error(pair.ssl, got), SSL_ERROR_WANT_READ);
			serve(&pair);
		}
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		assert_int_equal(pair.got, RECORD);
		assert_int_equal(tls_filter_unsent(pair.filter), 0);
		assert_true(tls_filter_moved(pair.filter) >= moved + RECORD);
		assert_int_equal(pair.events[TLS_EVENT_ASKED], 1);
		assert_int_equal(pair.events[TLS_EVENT_GIVEN], 1);
		close_pair(&pair);
	}
}

/* What can be read keeps no write waiting; but the queue has an end, also for an owner who never reads. */
static void the_queue_has_an_end(void **state)
{
	static const char body[RECORD];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION); /* the tickets are there to be read */
	for (int i = 1; i <= 24; i++) {
		pair.reads = i > 2;
		assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD);
	}
	assert_true(pair.got >= 24 * RECORD - TLS_FILTER_QUEUE_MAX);
	close_pair(&pair);
}

/* Nobody else would write what is kept: so it is waited for. */
static void a_write_waits_until_the_record_is_sent(void **state)
{
	static const char body[RECORD];
	char bytes[16];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	assert_int_equal(SSL_get_error(pair.ssl, SSL_read(pair.ssl, bytes, sizeof(bytes))), SSL_ERROR_WANT_READ);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD);
	assert_true(pair.ticks > 0);
	serve(&pair); /* the client is not called any more */
	assert_int_equal(pair.got, 5 * RECORD);
	close_pair(&pair);
}

static void giving_up_fails_the_write(void **state)
{
	static const char body[RECORD];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	pair.reads = pair.patient = false;
	int put = SSL_write(pair.ssl, body, RECORD);
	assert_true(put <= 0);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_SSL); /* nothing to try again */
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), BIO_R_TRANSFER_TIMEOUT);
	ERR_clear_error();
	close_pair(&pair);
}

/* However patient its owner is, and however slowly it moves. */
static void a_wait_has_an_end(void **state)
{
	static const char body[RECORD];
	struct pair pair;

	(void)state;
	open_pair_that_waits(&pair, TLS1_3_VERSION, 1);
	assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD); /* something can be read: no waiting yet */
	pair.reads = false;
	int put = RECORD;
	for (int turn = 0; turn < TURNS_MAX && put > 0; turn++)
		put = SSL_write(pair.ssl, body, RECORD);
	assert_true(put <= 0);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_SSL);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), BIO_R_TRANSFER_TIMEOUT);
	ERR_clear_error();
	close_pair(&pair);
}

/* What the server said before it closed is read, though nothing can be written to it any more. */
static void an_answer_before_the_end_is_read(void **state)
{
	static const char body[RECORD], answer[] = "too much";
	char bytes[64];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	assert_int_equal(SSL_get_error(pair.ssl, SSL_read(pair.ssl, bytes, sizeof(bytes))), SSL_ERROR_WANT_READ);
	assert_int_equal(SSL_write(tls_conn_ssl(pair.link), answer, sizeof(answer)), sizeof(answer));
	(void)shutdown(pair.fds[1], SHUT_RDWR);
	int put = SSL_write(pair.ssl, body, RECORD);
	assert_true(put <= 0);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_WANT_WRITE); /* later */
	assert_int_equal(SSL_read(pair.ssl, bytes, sizeof(bytes)), sizeof(answer));
	assert_string_equal(bytes, answer);
	put = SSL_write(pair.ssl, body, RECORD); /* there is nothing more */
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_SYSCALL);
	ERR_clear_error();
	close_pair(&pair);
}

/* Who does not read it is told of the end all the same. */
static void an_unread_response_does_not_block(void **state)
{
	static const char body[RECORD], answer[] = "too much";
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	assert_int_equal(SSL_write(tls_conn_ssl(pair.link), answer, sizeof(answer)), sizeof(answer));
	(void)shutdown(pair.fds[1], SHUT_RDWR);
	int put = SSL_write(pair.ssl, body, RECORD);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_WANT_WRITE);
	put = SSL_write(pair.ssl, body, RECORD);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_SYSCALL);
	ERR_clear_error();
	close_pair(&pair);
}

/* Its owner is gone before the connection, which then is closed without waiting. */
static void no_callbacks_after_leave(void **state)
{
	static const char body[RECORD];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	tls_filter_leave(&pair.filter);
	unsigned ticks = pair.ticks;
	assert_true(SSL_write(pair.ssl, body, RECORD) <= 0);
	(void)SSL_shutdown(pair.ssl);
	assert_int_equal(pair.ticks, ticks);
	ERR_clear_error();
	close_pair(&pair);
}

static void a_connection_that_breaks(void **state)
{
	static const char body[RECORD];
	char bytes[16];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	pair.reads = false;
	ask(&pair);
	assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD);
	(void)shutdown(pair.fds[1], SHUT_RDWR);
	(void)SSL_read(pair.ssl, bytes, sizeof(bytes)); /* answers, into the void */
	int got = SSL_read(pair.ssl, bytes, sizeof(bytes));
	assert_true(got <= 0);
	assert_int_not_equal(SSL_get_error(pair.ssl, got), SSL_ERROR_WANT_READ);
	ERR_clear_error();
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_while_a_record_is_half_out),
		cmocka_unit_test(a_write_waits_until_the_record_is_sent),
		cmocka_unit_test(the_queue_has_an_end),
		cmocka_unit_test(giving_up_fails_the_write),
		cmocka_unit_test(a_wait_has_an_end),
		cmocka_unit_test(an_answer_before_the_end_is_read),
		cmocka_unit_test(an_unread_response_does_not_block),
		cmocka_unit_test(no_callbacks_after_leave),
		cmocka_unit_test(a_connection_that_breaks),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up_peers, tear_down_peers);
}
