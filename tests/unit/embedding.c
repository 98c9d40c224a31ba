/* What an application does with an SSL that it owns, beside its thaw_conn; and SSLs that a thaw_conn cannot be made of.
 */
#include "trust_world.h"

#include <dlfcn.h>

/* ---- SSLs that it cannot be made of ---- */

static void assert_unfit(SSL *ssl)
{
	struct thaw_error err;
	thaw_conn *conn = (thaw_conn *)&err;

	assert_non_null(ssl);
	assert_int_equal(thaw_conn_new(ssl, &conn, &err), THAW_FAILED);
	assert_null(conn);
	assert_int_equal(err.cls, THAW_ERR_USAGE);
	SSL_free(ssl);
}

static SSL *of_method(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	SSL *ssl = SSL_new(ctx);

	SSL_CTX_free(ctx);
	return ssl;
}

static void a_client_s_ssl_is_refused(void **state)
{
	(void)state;
	assert_unfit(of_method(TLS_client_method()));
	SSL *either = of_method(TLS_method());
	SSL_set_connect_state(either);
	assert_unfit(either);
}

static void an_ssl_of_dtls_is_refused(void **state)
{
	(void)state;
	assert_unfit(of_method(DTLS_method()));
	assert_unfit(of_method(DTLS_server_method()));
}

/* OpenSSL 3.0 has no QUIC. */
static void an_ssl_of_quic_is_refused(void **state)
{
	const SSL_METHOD *(*method)(void);
	SSL *(*listener)(SSL_CTX *, uint64_t);

	(void)state;
	*(void **)&method = dlsym(RTLD_DEFAULT, "OSSL_QUIC_client_method");
	if (method == NULL)
		skip();
	assert_unfit(of_method(method()));
	*(void **)&method = dlsym(RTLD_DEFAULT, "OSSL_QUIC_server_method");
	*(void **)&listener = dlsym(RTLD_DEFAULT, "SSL_new_listener");
	if (method == NULL || listener == NULL)
		return;
	SSL_CTX *ctx = SSL_CTX_new(method());
	assert_unfit(listener(ctx, 0));
	SSL_CTX_free(ctx);
}

static void an_ssl_has_one_thaw_conn(void **state)
{
	SSL *ssl = of_method(TLS_server_method());
	struct thaw_error err;
	thaw_conn *one = NULL, *two = NULL;

	(void)state;
	assert_int_equal(thaw_conn_new(ssl, &one, &err), THAW_OK);
	assert_int_equal(thaw_conn_new(ssl, &two, &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_USAGE);
	thaw_conn_free(&one);
	assert_int_equal(thaw_conn_new(ssl, &one, &err), THAW_OK);
	thaw_conn_free(&one);
	SSL_free(ssl);
}

/* ---- SSLs that are not ready ---- */

static void assert_read_fails(thaw_conn *conn, enum thaw_error_class cls)
{
	char byte;
	size_t len = 1;

	for (int i = 0; i < 2; i++) { /* it is for good */
		assert_int_equal(thaw_conn_read(conn, &byte, 1, &len, NOW_MS), THAW_FAILED);
		assert_int_equal(len, 0);
		assert_int_equal(thaw_conn_error(conn)->cls, cls);
	}
}

static void an_ssl_that_is_not_set_up_is_the_caller_s_mistake(void **state)
{
	(void)state;
	for (int step = 0; step < 3; step++) {
		SSL *ssl = of_method(TLS_method());
		thaw_conn *conn = made_conn_new(ssl);
		assert_non_null(conn);
		if (step == 1) /* and no BIO */
			SSL_set_accept_state(ssl);
		if (step == 2)
			SSL_set_connect_state(ssl);
		assert_read_fails(conn, THAW_ERR_USAGE);
		thaw_conn_free(&conn);
		SSL_free(ssl);
	}
}

static void a_server_without_a_certificate_gets_an_error(void **state)
{
	struct pair pair;

	(void)state;
	EACH_VERSION(v)
	{
		pair = (struct pair){0};
		open_server(&pair, versions[v]);
		SSL_CTX_free(pair.server_ctx);
		pair.server_ctx = SSL_CTX_new(TLS_server_method());
		begin(&pair);
		assert_int_equal(SSL_set_max_proto_version(pair.client, versions[v]), 1);
		(void)SSL_do_handshake(pair.client);
		assert_read_fails(pair.conn, THAW_ERR_CONFIG);
		finish(&pair);
		close_contexts(&pair);
	}
}

/* ---- beside a thaw_conn ---- */

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
	ERR_clear_error();
}

/* The kernel's TLS cannot renegotiate, and does not know what a filter BIO holds. */
static void the_kernel_s_tls_is_not_used(void **state)
{
	struct pair pair;

	(void)state;
	open_late(&pair, TLS1_2_VERSION);
	(void)SSL_set_options(pair.server, SSL_OP_ENABLE_KTLS);
	settle(&pair);
	(void)ask(&pair, pki.both, false);
	assert_int_equal(SSL_get_options(pair.server) & SSL_OP_ENABLE_KTLS, 0);
	close_all(&pair);
	pair = (struct pair){0};
	open_server(&pair, TLS1_3_VERSION);
	(void)SSL_CTX_set_options(pair.server_ctx, SSL_OP_ENABLE_KTLS);
	begin(&pair);
	assert_int_equal(SSL_get_options(pair.server) & SSL_OP_ENABLE_KTLS, 0);
	close_all(&pair);
}

static struct thaw_ask_options of_both(void)
{
	return (struct thaw_ask_options){.size = sizeof(struct thaw_ask_options),
					 .trust = pki.both,
					 .moment = THAW_MOMENT_HEADERS,
					 .timeout_ms = 60000};
}

static void an_answer_that_came_by_SSL_read_is_judged_at_the_next_tick(void **state)
{
	struct pair pair;
	char bytes[256];

	(void)state;
	EACH_VERSION(v)
	{
		open_late(&pair, versions[v]);
		settle(&pair);
		const struct thaw_ask_options options = of_both();
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		for (int turn = 0; turn < TURNS_MAX; turn++) {
			(void)SSL_read(pair.client, bytes, sizeof(bytes));
			(void)SSL_read(pair.server, bytes, sizeof(bytes));
		}
		thaw_conn_tick(pair.conn, NOW_MS);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		close_all(&pair);
	}
}

static void the_application_s_own_key_update_goes_out_with_the_next_write(void **state)
{
	struct pair pair;
	char bytes[256];
	size_t len = 0;

	(void)state;
	open_late(&pair, TLS1_3_VERSION);
	settle(&pair);
	assert_int_equal(SSL_key_update(pair.server, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_true(thaw_conn_can_write(pair.conn));
	assert_int_equal(thaw_conn_write(pair.conn, "hello", 5, &len, NOW_MS), THAW_OK);
	assert_int_equal(SSL_read(pair.client, bytes, sizeof(bytes)), 5);
	settle(&pair);
	assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
	close_all(&pair);
}

/* The same two memory BIOs for both ends. */
static void use_memory_bios(struct pair *pair, BIO *to_server, BIO *to_client)
{
	(void)BIO_set_mem_eof_return(to_server, -1);
	(void)BIO_set_mem_eof_return(to_client, -1);
	assert_int_equal(BIO_up_ref(to_server) + BIO_up_ref(to_client), 2);
	SSL_set_bio(pair->server, to_server, to_client);
	SSL_set_bio(pair->client, to_client, to_server);
}

static void a_client_is_asked_in_the_middle_of_a_body_over_memory_bios(void **state)
{
	struct pair pair;
	char bytes[256];
	size_t len;

	(void)state;
	EACH_VERSION(v)
	{
		struct thaw_ask_options options = of_both();
		BIO *to_server = BIO_new(BIO_s_mem()), *to_client = BIO_new(BIO_s_mem());
		open_late(&pair, versions[v]);
		use_memory_bios(&pair, to_server, to_client);
		settle(&pair);
		for (int part = 0; part < 2; part++) {
			assert_int_equal(SSL_write(pair.client, "body", 4), 4);
			assert_int_equal(thaw_conn_read(pair.conn, bytes, sizeof(bytes), &len, NOW_MS), THAW_OK);
			assert_int_equal(len, 4);
			options.body_follows = true;
			if (part == 0)
				assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		}
		thaw_conn_body_ended(pair.conn, NOW_MS);
		assert_ptr_not_equal(SSL_get_wbio(pair.server), to_client);
		assert_int_equal(BIO_ctrl_pending(SSL_get_wbio(pair.server)), BIO_ctrl_pending(to_client));
		settle(&pair);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		close_all(&pair);
	}
}

static void assert_misuse(struct pair *pair, const struct thaw_ask_options *options, const char *word)
{
	assert_int_equal(thaw_conn_ask(pair->conn, options, NOW_MS), THAW_FAILED);
	assert_int_equal(thaw_conn_error(pair->conn)->cls, THAW_ERR_USAGE);
	assert_non_null(strstr(thaw_conn_error(pair->conn)->text, word));
}

/* A read with a full buffer must not end the connection. */
static void a_read_without_room_says_whether_there_is_data(void **state)
{
	struct pair pair;
	char bytes[16];
	size_t len = 1;

	(void)state;
	EACH_VERSION(v)
	{
		open_late(&pair, versions[v]);
		settle(&pair);
		assert_int_equal(thaw_conn_read(pair.conn, bytes, 0, &len, NOW_MS), THAW_WANT_READ);
		assert_int_equal(SSL_write(pair.client, "body", 4), 4);
		assert_int_equal(thaw_conn_read(pair.conn, bytes, 0, &len, NOW_MS), THAW_OK);
		assert_int_equal(len, 0);
		assert_int_equal(thaw_conn_read(pair.conn, bytes, sizeof(bytes), &len, NOW_MS), THAW_OK);
		assert_int_equal(len, 4);
		close_all(&pair);
	}
}

static void a_timeout_of_never_sets_no_deadline(void **state)
{
	struct pair pair;

	(void)state;
	EACH_VERSION(v)
	{
		struct thaw_ask_options options = of_both();
		options.timeout_ms = options.body_idle_ms = THAW_NEVER;
		options.body_follows = true;
		open_late(&pair, versions[v]);
		settle(&pair);
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		thaw_conn_tick(pair.conn, NOW_MS);
		thaw_conn_body_ended(pair.conn, NOW_MS);
		thaw_conn_tick(pair.conn, NOW_MS);
		assert_int_equal(thaw_conn_deadline(pair.conn), THAW_NEVER);
		settle(&pair);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		close_all(&pair);
	}
}

static void an_ask_after_the_client_s_close_notify_is_cancelled(void **state)
{
	const struct thaw_ask_options options = of_both();
	struct pair pair;
	char byte;
	size_t len;

	(void)state;
	EACH_VERSION(v)
	{
		open_late(&pair, versions[v]);
		settle(&pair);
		(void)SSL_shutdown(pair.client);
		assert_int_equal(thaw_conn_read(pair.conn, &byte, 1, &len, NOW_MS), THAW_CLOSED);
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_CANCELLED);
		assert_int_equal(thaw_conn_report(pair.conn)->reason, THAW_REASON_CONNECTION);
		close_all(&pair);
	}
}

static void the_copy_of_an_ssl_has_no_thaw_conn(void **state)
{
	SSL *ssl = of_method(TLS_server_method());
	thaw_conn *one = made_conn_new(ssl), *two = NULL;
	SSL *copy = SSL_dup(ssl);

	(void)state;
	assert_non_null(copy);
	assert_int_equal(thaw_conn_new(copy, &two, NULL), THAW_OK);
	thaw_conn_free(&one);
	SSL_free(ssl);
	thaw_conn_free(&two);
	SSL_free(copy);
}

static void reconnect(struct pair *pair)
{
	SSL_free(pair->client);
	connect_client(pair);
}

/* The next client must not get the identity of the one before. */
static void after_SSL_clear_a_thaw_conn_fails_and_has_no_identity(void **state)
{
	const struct thaw_ask_options options = of_both();
	const struct thaw_identity *identity = NULL;
	struct pair pair;
	char byte;

	(void)state;
	EACH_VERSION(v) for (int handshake = 0; handshake < 2; handshake++)
	{
		open_late(&pair, versions[v]);
		settle(&pair);
		assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
		assert_int_equal(SSL_clear(pair.server), 1);
		reconnect(&pair);
		for (int i = 0; i < TURNS_MAX && handshake == 1; i++) { /* without thaw_conn_read() */
			(void)SSL_read(pair.server, &byte, 1);
			(void)SSL_read(pair.client, &byte, 1);
		}
		assert_int_equal(SSL_is_init_finished(pair.server), handshake);
		assert_misuse(&pair, &options, "SSL_clear");
		assert_int_equal(thaw_conn_check(pair.conn, pki.both, NOW_MS), THAW_FAILED);
		assert_int_equal(thaw_conn_identity(pair.conn, &identity), THAW_OK);
		assert_null(identity);
		assert_read_fails(pair.conn, THAW_ERR_USAGE);
		close_all(&pair);
	}
}

static void an_ask_that_SSL_OP_NO_RENEGOTIATION_forbids_is_a_usage_error(void **state)
{
	const struct thaw_ask_options options = of_both();
	struct pair pair;

	(void)state;
	open_late(&pair, TLS1_2_VERSION);
	(void)SSL_set_options(pair.server, SSL_OP_NO_RENEGOTIATION);
	settle(&pair);
	assert_misuse(&pair, &options, "SSL_OP_NO_RENEGOTIATION");
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_NONE);
	(void)SSL_clear_options(pair.server, SSL_OP_NO_RENEGOTIATION);
	assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
	(void)SSL_set_options(pair.server, SSL_OP_NO_RENEGOTIATION);
	assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED); /* nothing is sent */
	close_all(&pair);
	open_late(&pair, TLS1_3_VERSION);
	(void)SSL_set_options(pair.server, SSL_OP_NO_RENEGOTIATION);
	settle(&pair);
	assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
	close_all(&pair);
}

/* ---- mistakes ---- */

static void the_error_is_of_the_last_mistake_until_the_connection_fails(void **state)
{
	struct thaw_ask_options options = of_both();
	struct pair pair;

	(void)state;
	open_late(&pair, TLS1_3_VERSION);
	assert_misuse(&pair, &options, "handshake");
	settle(&pair);
	options.trust = NULL;
	assert_misuse(&pair, &options, "trust");
	options = of_both();
	assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
	assert_misuse(&pair, &options, "pending");
	(void)BIO_write(SSL_get_wbio(pair.client), "no record", 9);
	assert_read_fails(pair.conn, THAW_ERR_PEER);
	assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_IMPOSSIBLE);
	assert_int_equal(thaw_conn_error(pair.conn)->cls, THAW_ERR_PEER);
	close_all(&pair);
}

/* Also while the client is in the middle of its answer, when there may be a certificate without a proof. */
static void after_a_cancelled_ask_another_is_impossible_at_each_step(void **state)
{
	const struct thaw_ask_options options = of_both();
	struct pair pair;
	char bytes[256];
	size_t len;

	(void)state;
	EACH_VERSION(v) for (int steps = 0; steps < 4; steps++)
	{
		open_late(&pair, versions[v]);
		settle(&pair);
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		for (int i = 0; i < steps; i++)
			if (i % 2 == 0)
				(void)SSL_read(pair.client, bytes, sizeof(bytes));
			else
				assert_int_equal(thaw_conn_read(pair.conn, bytes, sizeof(bytes), &len, NOW_MS),
						 THAW_WANT_READ);
		bool over = thaw_conn_verdict(pair.conn) != THAW_VERDICT_PENDING;
		thaw_conn_ask_end(pair.conn, THAW_VERDICT_CANCELLED, THAW_REASON_CALLER, NOW_MS);
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		assert_int_equal(thaw_conn_verdict(pair.conn), over ? THAW_VERDICT_ACCEPTED : THAW_VERDICT_IMPOSSIBLE);
		if (!over)
			assert_int_equal(thaw_conn_report(pair.conn)->reason, THAW_REASON_OUTSTANDING);
		settle(&pair);
		close_all(&pair);
	}
}

/* ---- small things ---- */

static void the_library_reports_its_version(void **state)
{
	(void)state;
	assert_int_equal(thaw_version_number(), THAW_VERSION);
	assert_string_equal(thaw_version(), THAW_VERSION_TEXT);
}

static void each_reason_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int one = THAW_REASON_NONE; one <= THAW_REASON_BUDGET_PRESSURE; one++) {
		assert_string_not_equal(thaw_reason_name((enum thaw_reason)one), "unknown");
		for (int other = THAW_REASON_NONE; other < one; other++)
			assert_string_not_equal(thaw_reason_name((enum thaw_reason)one),
						thaw_reason_name((enum thaw_reason)other));
	}
	assert_string_equal(thaw_reason_name((enum thaw_reason)10000), "unknown");
}

static void a_trust_lives_as_long_as_its_last_reference(void **state)
{
	thaw_trust *one = trust_in((X509 *[]){pki.root}, 1), *two = thaw_trust_ref(one);
	uint8_t id[THAW_TRUST_ID_LEN];

	(void)state;
	assert_ptr_equal(one, two);
	memcpy(id, thaw_trust_id(one), sizeof(id));
	thaw_trust_free(&one);
	assert_null(one);
	assert_memory_equal(thaw_trust_id(two), id, sizeof(id));
	thaw_trust_free(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_s_ssl_is_refused),
		cmocka_unit_test(an_ssl_of_dtls_is_refused),
		cmocka_unit_test(an_ssl_of_quic_is_refused),
		cmocka_unit_test(an_ssl_has_one_thaw_conn),
		cmocka_unit_test(an_ssl_that_is_not_set_up_is_the_caller_s_mistake),
		cmocka_unit_test(a_server_without_a_certificate_gets_an_error),
		cmocka_unit_test(the_kernel_s_tls_is_not_used),
		cmocka_unit_test(an_answer_that_came_by_SSL_read_is_judged_at_the_next_tick),
		cmocka_unit_test(the_application_s_own_key_update_goes_out_with_the_next_write),
		cmocka_unit_test(a_client_is_asked_in_the_middle_of_a_body_over_memory_bios),
		cmocka_unit_test(a_read_without_room_says_whether_there_is_data),
		cmocka_unit_test(a_timeout_of_never_sets_no_deadline),
		cmocka_unit_test(an_ask_after_the_client_s_close_notify_is_cancelled),
		cmocka_unit_test(the_copy_of_an_ssl_has_no_thaw_conn),
		cmocka_unit_test(after_SSL_clear_a_thaw_conn_fails_and_has_no_identity),
		cmocka_unit_test(an_ask_that_SSL_OP_NO_RENEGOTIATION_forbids_is_a_usage_error),
		cmocka_unit_test(the_error_is_of_the_last_mistake_until_the_connection_fails),
		cmocka_unit_test(the_library_reports_its_version),
		cmocka_unit_test(each_reason_has_a_name_of_its_own),
		cmocka_unit_test(a_trust_lives_as_long_as_its_last_reference),
		cmocka_unit_test(after_a_cancelled_ask_another_is_impossible_at_each_step),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
