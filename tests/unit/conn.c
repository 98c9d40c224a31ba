/* thaw_conn: writing, the check of a certificate that is there, and the identity. */
#include "trust_world.h"

#include "../fault/alloc.h"

/* ---- writing */

static enum thaw_status write_some(struct pair *pair, size_t size, size_t *len)
{
	static const char bytes[65536];

	return thaw_conn_write(pair->conn, bytes, size, len, NOW_MS);
}

static size_t client_reads_all(struct pair *pair)
{
	char data[16384];
	size_t sum = 0, len = 0;

	while (SSL_read_ex(pair->client, data, sizeof(data), &len) == 1)
		sum += len;
	return sum;
}

/* Until the transport takes no more. */
static size_t fill(struct pair *pair)
{
	size_t sum = 0, len = 0;

	while (write_some(pair, 65536, &len) == THAW_OK) {
		assert_in_range(len, 1, 65536);
		sum += len;
	}
	return sum;
}

static void what_is_written_arrives(void **state)
{
	struct pair pair = {0};
	size_t len = 1, sent;

	(void)state;
	EACH_VERSION(v)
	{
		open_server(&pair, versions[v]);
		begin(&pair);
		assert_false(thaw_conn_can_write(pair.conn));
		assert_int_equal(write_some(&pair, 1, &len), THAW_WANT_READ);
		assert_int_equal(len, 0);
		settle(&pair);
		assert_true(thaw_conn_can_write(pair.conn));
		assert_int_equal(write_some(&pair, 0, &len), THAW_OK);
		assert_int_equal(len, 0);
		sent = fill(&pair);
		assert_int_equal(write_some(&pair, 65536, &len), THAW_WANT_WRITE);
		size_t got = client_reads_all(&pair);
		assert_int_equal(write_some(&pair, 65536, &len), THAW_OK);
		assert_int_equal(got + client_reads_all(&pair), sent + len);
		finish(&pair);
		close_contexts(&pair);
		pair = (struct pair){0};
	}
}

static void a_write_to_a_disconnected_client_fails(void **state)
{
	struct pair pair = {0};
	size_t len = 1;

	(void)state;
	open_server(&pair, TLS1_3_VERSION);
	come(&pair, pki.client, pki.key, NULL);
	(void)BIO_shutdown_wr(SSL_get_wbio(pair.server));
	assert_int_equal(write_some(&pair, 1, &len), THAW_FAILED);
	assert_int_equal(len, 0);
	assert_int_not_equal(thaw_conn_error(pair.conn)->cls, THAW_ERR_NONE);
	finish(&pair);
	close_contexts(&pair);
}

/* The allocation after each write to the transport fails. */
static long fail_next(BIO *bio, int operation, const char *data, size_t len, int number, long more, int result,
		      size_t *done)
{
	(void)bio;
	(void)data;
	(void)len;
	(void)number;
	(void)more;
	(void)done;
	if (operation == BIO_CB_WRITE)
		fault_arm(1);
	return result;
}

/* The filter BIO has no memory for the rest of the last record, so OpenSSL keeps it. */
static void fill_without_memory(struct pair *pair)
{
	BIO *transport = SSL_get_rbio(pair->server);

	fault_openssl(false);
	BIO_set_callback_ex(transport, fail_next);
	(void)fault_inside(true);
	(void)fill(pair);
	(void)fault_inside(false);
	assert_true(fault_happened());
	BIO_set_callback_ex(transport, NULL);
	fault_arm(0);
}

static void an_ask_may_begin_in_the_middle_of_a_write(void **state)
{
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_HEADERS};
	struct pair pair = {0};

	(void)state;
	for (int body = 0; body <= 1; body++)
		EACH_VERSION(v)
		{
			struct thaw_ask_options late = options;
			open_server(&pair, versions[v]);
			come(&pair, pki.client, pki.key, NULL);
			if (body == 1) {
				late.moment = THAW_MOMENT_BODY;
				late.body_follows = true;
				assert_int_equal(thaw_conn_ask(pair.conn, &late, NOW_MS), THAW_OK);
			}
			(void)fill(&pair);
			if (body == 1)
				thaw_conn_body_ended(pair.conn, NOW_MS);
			else
				assert_int_equal(thaw_conn_ask(pair.conn, &late, NOW_MS), THAW_OK);
			assert_true(thaw_conn_wants_write(pair.conn));
			for (int turn = 0; turn < TURNS_MAX; turn++) {
				char data[64];
				size_t len;
				(void)client_reads_all(&pair);
				thaw_conn_tick(pair.conn, NOW_MS);
				assert_int_equal(thaw_conn_read(pair.conn, data, sizeof(data), &len, NOW_MS),
						 THAW_WANT_READ);
			}
			assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
			finish(&pair);
			close_contexts(&pair);
			pair = (struct pair){0};
		}
}

static void no_ask_begins_in_the_middle_of_a_write_without_memory(void **state)
{
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_HEADERS};
	struct pair pair = {0};
	size_t len;

	(void)state;
	EACH_VERSION(v)
	{
		open_server(&pair, versions[v]);
		come(&pair, pki.client, pki.key, NULL);
		fill_without_memory(&pair);
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_FAILED);
		assert_int_equal(thaw_conn_error(pair.conn)->cls, THAW_ERR_USAGE);
		(void)client_reads_all(&pair);
		assert_int_equal(write_some(&pair, 65536, &len), THAW_OK);
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		settle(&pair);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		finish(&pair);
		close_contexts(&pair);
		pair = (struct pair){0};
	}
}

static void without_memory_the_client_is_asked_after_the_write(void **state)
{
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_BODY, .body_follows = true};
	struct pair pair = {0};
	size_t len;

	(void)state;
	EACH_VERSION(v)
	{
		open_server(&pair, versions[v]);
		come(&pair, pki.client, pki.key, NULL);
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		fill_without_memory(&pair);
		thaw_conn_body_ended(pair.conn, NOW_MS);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_PENDING);
		assert_int_equal(thaw_conn_report(pair.conn)->asked_ms, 0);
		(void)client_reads_all(&pair);
		assert_int_equal(write_some(&pair, 65536, &len), THAW_OK);
		settle(&pair);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		finish(&pair);
		close_contexts(&pair);
		pair = (struct pair){0};
	}
}

static long take_nothing(BIO *bio, int operation, const char *data, size_t len, int number, long more, int result,
			 size_t *done)
{
	(void)data;
	(void)len;
	(void)number;
	(void)more;
	(void)done;
	if (operation != BIO_CB_WRITE)
		return result;
	BIO_set_retry_write(bio);
	return -1;
}

/* Before that the client cannot send the rest of its body. */
static void a_renegotiation_ends_when_its_last_messages_are_written(void **state)
{
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_HEADERS};
	struct pair pair = {0};
	char data[64];
	size_t len;

	(void)state;
	open_server(&pair, TLS1_2_VERSION);
	come(&pair, pki.client, pki.key, NULL);
	BIO *transport = SSL_get_rbio(pair.server);
	assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
	(void)client_reads_all(&pair);
	assert_int_equal(thaw_conn_read(pair.conn, data, sizeof(data), &len, NOW_MS), THAW_WANT_READ);
	(void)client_reads_all(&pair);
	BIO_set_callback_ex(transport, take_nothing);
	assert_int_equal(thaw_conn_read(pair.conn, data, sizeof(data), &len, NOW_MS), THAW_WANT_READ);
	assert_int_equal(SSL_is_init_finished(pair.server), 1);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_PENDING);
	assert_true(thaw_conn_wants_write(pair.conn));
	assert_int_not_equal(thaw_conn_deadline(pair.conn), THAW_NEVER);
	BIO_set_callback_ex(transport, NULL);
	thaw_conn_tick(pair.conn, NOW_MS);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
	assert_false(thaw_conn_wants_write(pair.conn));
	(void)client_reads_all(&pair);
	assert_int_equal(SSL_is_init_finished(pair.client), 1);
	finish(&pair);
	close_contexts(&pair);
}

/* ---- is the certificate good for that trust? */

static enum thaw_verdict check(struct pair *pair, thaw_trust *trust)
{
	assert_int_equal(thaw_conn_check(pair->conn, trust, NOW_MS), THAW_OK);
	assert_int_equal(thaw_conn_report(pair->conn)->means, THAW_MEANS_HANDSHAKE);
	assert_int_equal(thaw_conn_report(pair->conn)->asked_ms, 0);
	return thaw_conn_verdict(pair->conn);
}

static void a_check_reports_the_verdict_of_a_trust(void **state)
{
	thaw_trust *stranger = trust_in((X509 *[]){pki.server}, 1);
	struct pair pair = {0};

	(void)state;
	EACH_VERSION(v)
	{
		for (int late = 0; late < 2; late++) {
			open_server(&pair, versions[v]);
			come(&pair, pki.client, pki.key, late ? NULL : pki.both);
			if (late) {
				assert_int_equal(check(&pair, pki.both), THAW_VERDICT_DECLINED);
				assert_int_equal(thaw_conn_report(pair.conn)->reason, THAW_REASON_NO_CERTIFICATE);
				assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
			}
			assert_int_equal(check(&pair, stranger), THAW_VERDICT_REJECTED);
			assert_int_equal(thaw_conn_report(pair.conn)->reason, THAW_REASON_UNTRUSTED);
			assert_true(thaw_conn_report(pair.conn)->detail[0] != '\0');
			assert_int_equal(check(&pair, pki.both), THAW_VERDICT_ACCEPTED);
			assert_int_equal(thaw_conn_report(pair.conn)->moment,
					 late ? THAW_MOMENT_HEADERS : THAW_MOMENT_HANDSHAKE);
			assert_int_equal(check(&pair, pki.root_only), THAW_VERDICT_ACCEPTED);
			finish(&pair);
			close_contexts(&pair);
			pair = (struct pair){0};
		}
	}
	thaw_trust_free(&stranger);
}

static void a_check_that_is_out_of_place_changes_nothing(void **state)
{
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_HEADERS};
	struct pair pair = {0};

	(void)state;
	open_server(&pair, TLS1_3_VERSION);
	begin(&pair);
	assert_int_equal(thaw_conn_check(pair.conn, pki.both, NOW_MS), THAW_FAILED);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_NONE);
	equip(pair.client, pki.client, pki.key, (X509 *[]){pki.issuing}, 1);
	settle(&pair);
	assert_int_equal(thaw_conn_check(pair.conn, NULL, NOW_MS), THAW_FAILED);
	assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
	assert_int_equal(thaw_conn_check(pair.conn, pki.both, NOW_MS), THAW_FAILED);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_PENDING);
	settle(&pair);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
	finish(&pair);
	close_contexts(&pair);
}

static void an_ask_needs_a_late_moment(void **state)
{
	const enum thaw_moment early[] = {THAW_MOMENT_NONE, THAW_MOMENT_HANDSHAKE, (enum thaw_moment)99};
	struct pair pair = {0};

	(void)state;
	open_server(&pair, TLS1_3_VERSION);
	come(&pair, pki.client, pki.key, NULL);
	for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
		const struct thaw_ask_options options = {
			.size = sizeof(options), .trust = pki.both, .moment = early[i]};
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_FAILED);
	}
	finish(&pair);
	close_contexts(&pair);
}

static void an_ask_cannot_be_ended_as_accepted(void **state)
{
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_HEADERS};
	struct pair pair = {0};

	(void)state;
	open_server(&pair, TLS1_3_VERSION);
	come(&pair, pki.client, pki.key, NULL);
	assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
	thaw_conn_ask_end(pair.conn, THAW_VERDICT_ACCEPTED, THAW_REASON_CALLER, NOW_MS);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_CANCELLED);
	finish(&pair);
	close_contexts(&pair);
}

/* ---- the identity */

static void assert_san(const struct thaw_identity *identity, size_t at, enum thaw_san_kind kind, const char *text)
{
	assert_true(at < identity->san_count);
	assert_int_equal(identity->sans[at].kind, kind);
	assert_string_equal(identity->sans[at].text, text);
}

static int64_t seconds(const ASN1_TIME *time)
{
	struct tm parts;

	assert_int_equal(ASN1_TIME_to_tm(time, &parts), 1);
	return timegm(&parts);
}

static void the_identity_has_the_values_of_the_certificate(void **state)
{
	const struct world_attribute subject[] = {
		{"O", V_ASN1_UTF8STRING, "Example", 0}, {"CN", V_ASN1_UTF8STRING, "Anna", 0}, {NULL, 0, NULL, 0}};
	const struct world_san sans[] = {{GEN_DNS, "anna.example", 0},
					 {GEN_EMAIL, "anna@example.org", 0},
					 {GEN_URI, "spiffe://example/anna", 0},
					 {GEN_IPADD, "\xc0\x00\x02\x01", 4},
					 {0, NULL, 0}};
	const struct world_wish wish = {.subject = subject, .sans = sans, .serial = 0x1234abcd};
	X509 *client = world_certificate(&wish, pki.key, pki.issuing, pki.key, true);
	const struct thaw_identity *identity = (const void *)state, *again = NULL;
	unsigned char *der = NULL;
	struct pair pair = {0};

	int der_len = i2d_X509(client, &der);
	open_server(&pair, TLS1_3_VERSION);
	come(&pair, client, pki.key, NULL);
	assert_int_equal(thaw_conn_identity(pair.conn, &identity), THAW_OK);
	assert_null(identity);
	assert_int_equal(ask(&pair, pki.root_only, false), THAW_VERDICT_ACCEPTED);
	assert_int_equal(thaw_conn_identity(pair.conn, &identity), THAW_OK);
	assert_string_equal(identity->subject, "CN=Anna,O=Example");
	assert_string_equal(identity->issuer, "CN=issuing");
	assert_string_equal(identity->serial, "1234ABCD");
	assert_int_equal(identity->not_before, seconds(X509_get0_notBefore(client)));
	assert_int_equal(identity->not_after, seconds(X509_get0_notAfter(client)));
	assert_int_equal(identity->san_count, 4);
	assert_san(identity, 0, THAW_SAN_DNS, "anna.example");
	assert_san(identity, 1, THAW_SAN_EMAIL, "anna@example.org");
	assert_san(identity, 2, THAW_SAN_URI, "spiffe://example/anna");
	assert_san(identity, 3, THAW_SAN_IP, "192.0.2.1");
	assert_int_equal(identity->certificate.len, der_len);
	assert_memory_equal(identity->certificate.bytes, der, der_len);
	OPENSSL_free(der);
	der = NULL;
	der_len = i2d_X509(pki.issuing, &der);
	assert_int_equal(identity->chain_count, 1); /* without the root */
	assert_false(identity->chain_cut);
	assert_int_equal(identity->chain[0].len, der_len);
	assert_memory_equal(identity->chain[0].bytes, der, der_len);
	assert_int_equal(strlen(identity->sha256_hex), 2 * THAW_SHA256_LEN);
	assert_int_equal(thaw_conn_identity(pair.conn, &again), THAW_OK);
	assert_ptr_equal(identity, again);
	OPENSSL_free(der);
	finish(&pair);
	close_contexts(&pair);
	X509_free(client);
}

static const struct thaw_identity *rejected_identity(const struct pair *pair)
{
	const struct thaw_identity *identity;

	assert_int_equal(thaw_conn_rejected_identity(pair->conn, &identity), THAW_OK);
	return identity;
}

static enum thaw_verdict ask_unverified(struct pair *pair, thaw_trust *trust, bool unverified)
{
	const struct thaw_ask_options options = {.size = sizeof(options),
						 .trust = trust,
						 .moment = THAW_MOMENT_HEADERS,
						 .unverified = unverified,
						 .again = !unverified};

	assert_int_equal(thaw_conn_ask(pair->conn, &options, NOW_MS), THAW_OK);
	settle(pair);
	return thaw_conn_verdict(pair->conn);
}

static void a_rejected_identity_is_that_of_the_last_ask_that_wanted_it(void **state)
{
	X509 *stranger = issue("stranger", NULL, pki.key, false), *other = issue("other", NULL, pki.key, false);
	const struct thaw_identity *identity;

	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		come(&pair, stranger, pki.key, NULL);
		assert_null(rejected_identity(&pair));
		assert_int_equal(ask_unverified(&pair, pki.both, false), THAW_VERDICT_REJECTED);
		assert_null(rejected_identity(&pair)); /* not wanted */
		assert_int_equal(ask_unverified(&pair, pki.both, true), THAW_VERDICT_REJECTED);
		identity = rejected_identity(&pair);
		assert_non_null(identity);
		assert_string_equal(identity->subject, "CN=stranger");
		assert_true(identity->certificate.len > 0);
		assert_int_equal(thaw_conn_check(pair.conn, pki.both, NOW_MS), THAW_OK);
		assert_ptr_equal(rejected_identity(&pair), identity); /* the same certificate: it stays */
		assert_int_equal(thaw_conn_identity(pair.conn, &identity), THAW_OK);
		assert_null(identity);
		equip(pair.client, other, pki.key, NULL, 0);
		assert_int_equal(ask_unverified(&pair, pki.both, false), THAW_VERDICT_REJECTED);
		assert_null(rejected_identity(&pair)); /* never that of an earlier ask */
		assert_int_equal(thaw_conn_check(pair.conn, pki.both, NOW_MS), THAW_OK);
		assert_string_equal(rejected_identity(&pair)->subject, "CN=other");
		finish(&pair);
		close_contexts(&pair);
	}
	X509_free(stranger);
	X509_free(other);
}

static void where_the_certificate_is_accepted_none_is_rejected(void **state)
{
	struct pair pair = {0};

	(void)state;
	open_server(&pair, TLS1_3_VERSION);
	come(&pair, pki.client, pki.key, NULL);
	assert_int_equal(ask_unverified(&pair, pki.both, true), THAW_VERDICT_ACCEPTED);
	assert_null(rejected_identity(&pair));
	finish(&pair);
	close_contexts(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_arrives),
		cmocka_unit_test(a_write_to_a_disconnected_client_fails),
		cmocka_unit_test(an_ask_may_begin_in_the_middle_of_a_write),
		cmocka_unit_test(no_ask_begins_in_the_middle_of_a_write_without_memory),
		cmocka_unit_test(without_memory_the_client_is_asked_after_the_write),
		cmocka_unit_test(a_renegotiation_ends_when_its_last_messages_are_written),
		cmocka_unit_test(a_check_reports_the_verdict_of_a_trust),
		cmocka_unit_test(a_check_that_is_out_of_place_changes_nothing),
		cmocka_unit_test(an_ask_needs_a_late_moment),
		cmocka_unit_test(an_ask_cannot_be_ended_as_accepted),
		cmocka_unit_test(the_identity_has_the_values_of_the_certificate),
		cmocka_unit_test(a_rejected_identity_is_that_of_the_last_ask_that_wanted_it),
		cmocka_unit_test(where_the_certificate_is_accepted_none_is_rejected),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
