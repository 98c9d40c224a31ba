/* Each allocation of a filter fails in turn, ours and OpenSSL's: it is told, and what is seen of an ask is what the
 * server got. */
#include "filter_world.h"

#include <signal.h>

#include "../fault/alloc.h"

#define STEP 7
#define HALF 6000 /* bytes that the socket's buffer does not take at once */

/* What is made once for all filters: who had no memory for it must not have spoilt it for the others. */
static void the_first_filter_without_memory(void **state)
{
	struct tls_filter *filter = NULL;
	unsigned long k = 0;

	(void)state;
	while (filter == NULL) {
		struct tls_filter_options options = {.fd = -1};
		struct thaw_error err = {0};
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		fault_arm(++k);
		fault_inside(true);
		filter = tls_filter_new(ctx, &options, &err);
		fault_inside(false);
		assert_int_equal(filter == NULL, fault_happened());
		if (filter == NULL)
			assert_int_equal(err.cls, THAW_ERR_RESOURCE);
		tls_filter_leave(&filter);
		SSL_CTX_free(ctx);
		if (!fault_happened())
			break;
	}
	assert_true(k > 4);
	fault_arm(0);
}

/* As above, on the server's side. */
static void the_first_session_without_memory(void **state)
{
	struct tls_session *session = NULL;
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	unsigned long k = 1; /* the first is the session itself */

	(void)state;
	do {
		SSL *ssl = SSL_new(ctx);
		fault_arm(++k);
		fault_inside(true);
		session = tls_session_new(ssl);
		fault_inside(false);
		assert_int_equal(session == NULL, fault_happened());
		tls_session_free(&session);
		SSL_free(ssl);
	} while (fault_happened());
	assert_true(k > 2);
	fault_arm(0);
	SSL_CTX_free(ctx);
}

/* ---- a connection that is asked while a record is half out ---- */

static int version;
static unsigned answered, failed;

static bool client_writes(struct pair *pair)
{
	static const char body[HALF];

	(void)give_turn(true);
	int put = SSL_write(pair->ssl, body, HALF);
	bool reported = put > 0 || SSL_get_error(pair->ssl, put) == SSL_ERROR_SSL;
	(void)give_turn(false);
	assert_true(reported);
	return put == HALF;
}

/* Reads once; false: the connection has failed. */
static bool client_reads(struct pair *pair)
{
	char bytes[16];

	(void)give_turn(true);
	ERR_clear_error();
	bool good = SSL_get_error(pair->ssl, SSL_read(pair->ssl, bytes, sizeof(bytes))) == SSL_ERROR_WANT_READ;
	(void)give_turn(false);
	return good;
}

static bool answer_ask(struct pair *pair)
{
	bool good = shake(pair);

	if (!good)
		return false;
	pair->reads = false;
	ask(pair);
	good = client_writes(pair);
	pair->reads = true;
	for (int turn = 0; good && turn < TURNS_MAX && asking(pair); turn++) {
		good = client_reads(pair);
		serve(pair);
	}
	return good && !asking(pair);
}

static void play(bool failing)
{
	struct pair pair;

	make_pair(&pair, version, 0);
	bool made = pair.filter != NULL && pair.ssl != NULL, good = made && answer_ask(&pair);
	if (pair.filter == NULL)
		assert_int_not_equal(pair.err.text[0], '\0');
	if (good) {
		bool given = thaw_conn_verdict(pair.conn) == THAW_VERDICT_ACCEPTED;
		assert_true(given || failing); /* OpenSSL declines where it has no memory to see that it could sign */
		assert_int_equal(pair.got, HALF);
		assert_int_equal(pair.events[TLS_EVENT_ASKED], 1);
		assert_int_equal(pair.events[TLS_EVENT_GIVEN], given);
		assert_int_equal(pair.events[TLS_EVENT_DECLINED], !given);
	}
	assert_true(good || (failing && fault_happened()));
	answered += good;
	failed += !good;
	ERR_clear_error();
	close_pair(&pair);
}

static void filters_without_memory(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		version = versions[i];
		answered = failed = 0;
		fault_openssl(false);
		assert_true(fault_each(play, 1) >= 3); /* itself, its queue, what it saw */
		fault_openssl(true);
		assert_true(fault_each(play, STEP) > 1000);
		assert_true(failed > 3 && answered > 2);
		play(false); /* with memory again */
	}
}

static void accept_without_memory(SSL *ssl, unsigned long k)
{
	fault_arm(k);
	fault_inside(true);
	SSL_set_accept_state(ssl);
	fault_inside(false);
}

static SSL *ssl_with_a_bio(SSL_CTX *ctx)
{
	SSL *ssl = SSL_new(ctx);
	BIO *bio = BIO_new(BIO_s_mem());

	assert_non_null(ssl);
	assert_non_null(bio);
	SSL_set_bio(ssl, bio, bio);
	return ssl;
}

/* OpenSSL 3.5 allocates in SSL_set_accept_state(), which cannot fail; 3.0 does not. */
static void an_ssl_that_was_half_made_gets_no_thaw_conn(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	unsigned long k = 0;

	(void)state;
	do {
		SSL *ssl = ssl_with_a_bio(ctx);
		struct thaw_error err;
		thaw_conn *conn;

		accept_without_memory(ssl, ++k);
		enum thaw_status status = thaw_conn_new(ssl, &conn, &err);
		assert_int_equal(status, fault_happened() ? THAW_FAILED : THAW_OK);
		assert_int_equal(err.cls, fault_happened() ? THAW_ERR_RESOURCE : THAW_ERR_NONE);
		if (fault_happened()) { /* there is memory again */
			SSL_set_accept_state(ssl);
			assert_int_equal(thaw_conn_new(ssl, &conn, &err), THAW_OK);
		}
		thaw_conn_free(&conn);
		SSL_free(ssl);
	} while (fault_happened());
	fault_arm(0);
	SSL_CTX_free(ctx);
}

static void an_ssl_that_is_half_made_after_its_thaw_conn_fails_when_it_is_read(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	unsigned long k = 0;

	(void)state;
	do {
		SSL *ssl = ssl_with_a_bio(ctx);
		thaw_conn *conn = made_conn_new(ssl);
		char byte;
		size_t len;

		accept_without_memory(ssl, ++k);
		assert_int_equal(thaw_conn_read(conn, &byte, 1, &len, 1),
				 fault_happened() ? THAW_FAILED : THAW_WANT_READ);
		thaw_conn_free(&conn);
		SSL_free(ssl);
	} while (fault_happened());
	fault_arm(0);
	ERR_clear_error();
	SSL_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* before any other */
		cmocka_unit_test(the_first_filter_without_memory),
		cmocka_unit_test(the_first_session_without_memory),
		cmocka_unit_test(an_ssl_that_was_half_made_gets_no_thaw_conn),
		cmocka_unit_test(an_ssl_that_is_half_made_after_its_thaw_conn_fails_when_it_is_read),
		cmocka_unit_test(filters_without_memory),
	};

	(void)alarm(600); /* a watchdog */
	(void)signal(SIGPIPE, SIG_IGN);
	if (!fault_install())
		return 1;
	clients_turn = fault_inside;
	return cmocka_run_group_tests(tests, set_up_peers, tear_down_peers);
}
