/*
 * The chain that is told to an upstream, over real handshakes: the certificates that the verification went over, not
 * what a client sent besides; of the certificate that was accepted, not of one that came later; and what is left of it
 * when a session is resumed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "ask/identity.h"
#include "base/error.h"

#include "../made.h"
#include "ask_world.h"
#include "certificate_world.h"

#define UTF8 V_ASN1_UTF8STRING

#define NAMED(text)                      \
	(const struct world_attribute[]) \
	{                                \
		{"CN", UTF8, text, 0},   \
		{                        \
			NULL, 0, NULL, 0 \
		}                        \
	}

static struct {
	EVP_PKEY *key; /* of all of them */
	X509 *root, *middle, *inner, *client, *other_root, *other, *server;
	thaw_trust *trust, *wide; /* root; root and both in between */
} pki;

static X509 *issue(const struct world_attribute *subject, long serial, X509 *issuer, bool ca)
{
	return world_certificate(&(struct world_wish){.subject = subject, .serial = serial, .ca = ca}, pki.key, issuer,
				 pki.key, true);
}

static thaw_trust *trust_in(X509 *const *certificates, size_t count)
{
	X509_STORE *store = X509_STORE_new();
	for (size_t i = 0; i < count; i++)
		assert_int_equal(X509_STORE_add_cert(store, certificates[i]), 1);
	struct thaw_error err = {0};
	thaw_trust *trust = made_trust_from_store(store, &err);
	assert_non_null(trust);
	return trust;
}

static int make_pki(void **state)
{
	(void)state;
	pki.key = world_key();
	pki.root = issue(NAMED("root"), 1, NULL, true);
	pki.middle = issue(NAMED("middle"), 2, pki.root, true);
	pki.inner = issue(NAMED("inner"), 3, pki.middle, true);
	pki.client = issue(NAMED("client"), 4, pki.inner, false);
	pki.other_root = issue(NAMED("other root"), 5, NULL, true);
	pki.other = issue(NAMED("other"), 6, pki.other_root, false);
	pki.server = issue(NAMED("server"), 7, NULL, false);
	pki.trust = trust_in((X509 *[]){pki.root}, 1);
	pki.wide = trust_in((X509 *[]){pki.root, pki.middle, pki.inner}, 3);
	return 0;
}

static int free_pki(void **state)
{
	(void)state;
	X509 *all[] = {pki.root, pki.middle, pki.inner, pki.client, pki.other_root, pki.other, pki.server};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		X509_free(all[i]);
	thaw_trust_free(&pki.trust);
	thaw_trust_free(&pki.wide);
	EVP_PKEY_free(pki.key);
	return 0;
}

static void assert_chain(const thaw_conn *conn, X509 *const *expected, size_t count)
{
	struct tls_details *details = ask_details(conn);
	assert_non_null(details);
	assert_string_equal(details->subject.attributes[0].value, "client");
	assert_int_equal(details->chain_count, count);
	for (size_t i = 0; i < count; i++) {
		unsigned char *der = NULL;
		int len = i2d_X509(expected[i], &der);
		assert_int_equal(details->chain[i].len, len);
		assert_memory_equal(details->chain[i].bytes, der, (size_t)len);
		OPENSSL_free(der);
	}
	tls_details_free(&details);
}

/* ---- tests ---- */

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define EACH_VERSION(v) for (size_t v = 0; v < sizeof(versions) / sizeof(versions[0]); v++)

/* In the wrong order, with a root and a stranger among them: told are the two that count, in order. */
static void only_the_verified_chain_is_reported(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		open_contexts(&pair, versions[v], pki.server, pki.key);
		begin(&pair);
		equip(pair.client, pki.client, pki.key, (X509 *[]){pki.other_root, pki.middle, pki.root, pki.inner}, 4);
		settle(&pair);
		assert_null(ask_details(pair.conn));
		assert_int_equal(ask(&pair, pki.trust, false), THAW_VERDICT_ACCEPTED);
		assert_chain(pair.conn, (X509 *[]){pki.inner, pki.middle}, 2);
		/* Another trust believes it, too: what was accepted stays. */
		assert_int_equal(ask(&pair, pki.wide, false), THAW_VERDICT_ACCEPTED);
		assert_chain(pair.conn, (X509 *[]){pki.inner, pki.middle}, 2);
		finish(&pair);
		close_contexts(&pair);
	}
}

static void at_the_handshake_too(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		open_contexts(&pair, versions[v], pki.server, pki.key);
		begin(&pair);
		equip(pair.client, pki.client, pki.key, (X509 *[]){pki.inner, pki.middle, pki.other_root}, 3);
		assert_int_equal(thaw_conn_ask_at_handshake(pair.conn, pki.trust), THAW_OK);
		settle(&pair);
		assert_int_equal(ask(&pair, pki.trust, false), THAW_VERDICT_ACCEPTED);
		assert_chain(pair.conn, (X509 *[]){pki.inner, pki.middle}, 2);
		finish(&pair);
		close_contexts(&pair);
	}
}

/* A connection goes on with whom it accepted, and so with his chain. */
static void a_later_certificate_changes_nothing(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		open_contexts(&pair, versions[v], pki.server, pki.key);
		begin(&pair);
		equip(pair.client, pki.client, pki.key, (X509 *[]){pki.inner, pki.middle}, 2);
		settle(&pair);
		assert_int_equal(ask(&pair, pki.trust, false), THAW_VERDICT_ACCEPTED);
		equip(pair.client, pki.other, pki.key, (X509 *[]){pki.other_root}, 1);
		assert_int_equal(ask(&pair, pki.trust, true), THAW_VERDICT_REJECTED);
		assert_chain(pair.conn, (X509 *[]){pki.inner, pki.middle}, 2);
		finish(&pair);
		close_contexts(&pair);
	}
}

/* A rejected one is nobody: it has no details. */
static void a_rejected_certificate_has_none(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		open_contexts(&pair, versions[v], pki.server, pki.key);
		begin(&pair);
		equip(pair.client, pki.other, pki.key, (X509 *[]){pki.other_root}, 1);
		settle(&pair);
		assert_int_equal(ask(&pair, pki.trust, false), THAW_VERDICT_REJECTED);
		assert_null(ask_details(pair.conn));
		finish(&pair);
		/* The path to the root is not whole. */
		begin(&pair);
		equip(pair.client, pki.client, pki.key, (X509 *[]){pki.inner}, 1);
		settle(&pair);
		assert_int_equal(ask(&pair, pki.trust, false), THAW_VERDICT_REJECTED);
		assert_null(ask_details(pair.conn));
		finish(&pair);
		close_contexts(&pair);
	}
}

/* A resumed session brings the certificate alone. Where the CA's file has those in between it is believed, with them as
 * its chain; where it has not, it is not. */
static void a_resumed_session_has_what_the_trust_has(void **state)
{
	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		open_contexts(&pair, versions[v], pki.server, pki.key);
		begin(&pair);
		equip(pair.client, pki.client, pki.key, (X509 *[]){pki.inner, pki.middle}, 2);
		assert_int_equal(thaw_conn_ask_at_handshake(pair.conn, pki.wide), THAW_OK);
		settle(&pair);
		assert_int_equal(ask(&pair, pki.wide, false), THAW_VERDICT_ACCEPTED);
		finish(&pair);
		assert_non_null(pair.session);
		begin(&pair);
		assert_int_equal(thaw_conn_ask_at_handshake(pair.conn, pki.wide), THAW_OK);
		settle(&pair);
		assert_int_equal(SSL_session_reused(pair.server), 1);
		assert_int_equal(ask(&pair, pki.wide, false), THAW_VERDICT_ACCEPTED);
		assert_chain(pair.conn, (X509 *[]){pki.inner, pki.middle}, 2);
		finish(&pair);
		begin(&pair);
		settle(&pair);
		assert_int_equal(SSL_session_reused(pair.server), 1);
		assert_int_equal(ask(&pair, pki.trust, false), THAW_VERDICT_DECLINED);
		assert_null(ask_details(pair.conn));
		finish(&pair);
		close_contexts(&pair);
	}
}

/* Where OpenSSL can compress certificates (RFC 8879), both ends of a pair that nobody restricts do. */
static void count_compressed(int outbound, int version, int type, const void *data, size_t len, SSL *ssl, void *arg)
{
	(void)version;
	(void)ssl;
	if (outbound && type == SSL3_RT_HANDSHAKE && len > 0 && *(const unsigned char *)data == 25)
		++*(int *)arg;
}

static void a_compressed_certificate_is_accepted(void **state)
{
	struct pair pair = {0};
	int compressed = 0;

	(void)state;
	open_contexts(&pair, TLS1_3_VERSION, pki.server, pki.key);
	begin(&pair);
	SSL_set_msg_callback(pair.client, count_compressed);
	SSL_set_msg_callback_arg(pair.client, &compressed);
	equip(pair.client, pki.client, pki.key, (X509 *[]){pki.inner, pki.middle}, 2);
	settle(&pair);
	assert_int_equal(ask(&pair, pki.trust, false), THAW_VERDICT_ACCEPTED);
	assert_chain(pair.conn, (X509 *[]){pki.inner, pki.middle}, 2);
#ifdef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
	assert_int_equal(compressed, 1);
#endif
	finish(&pair);
	close_contexts(&pair);
}

/* RFC 8446 4.6.3: a KeyUpdate may come at any time. It is not a part of an answer, and no answer follows it here. */
static void a_key_update_does_not_answer(void **state)
{
	struct pair pair = {0};
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = pki.trust, .moment = THAW_MOMENT_HEADERS, .timeout_ms = 60000};
	char bytes[256];
	size_t len;

	(void)state;
	open_contexts(&pair, TLS1_3_VERSION, pki.server, pki.key);
	begin(&pair);
	equip(pair.client, pki.client, pki.key, (X509 *[]){pki.inner, pki.middle}, 2);
	settle(&pair);
	assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
	/* The client does not read, so it does not know that it was asked. */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(pair.client), 1);
		assert_int_equal(thaw_conn_read(pair.conn, bytes, sizeof(bytes), &len, NOW_MS), THAW_WANT_READ);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_PENDING);
		assert_true(thaw_conn_can_write(pair.conn));
	}
	assert_int_equal(thaw_conn_deadline(pair.conn), NOW_MS + 60000);
	thaw_conn_tick(pair.conn, thaw_conn_deadline(pair.conn));
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_TIMED_OUT);
	assert_true(thaw_conn_can_write(pair.conn));
	finish(&pair);
	close_contexts(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_verified_chain_is_reported),
		cmocka_unit_test(at_the_handshake_too),
		cmocka_unit_test(a_later_certificate_changes_nothing),
		cmocka_unit_test(a_rejected_certificate_has_none),
		cmocka_unit_test(a_resumed_session_has_what_the_trust_has),
		cmocka_unit_test(a_compressed_certificate_is_accepted),
		cmocka_unit_test(a_key_update_does_not_answer),
	};
	return cmocka_run_group_tests(tests, make_pki, free_pki);
}
