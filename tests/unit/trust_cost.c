/* What a verdict on a client's certificate costs, in signatures verified, and what is kept of a rejected chain. */
#include "trust_world.h"

#include "signature_count.h"

/* A chain of `count` CA certificates, each issued by the one after it; the last one's issuer is `top`. */
static void make_chain(X509 **chain, size_t count, X509 *top)
{
	char name[32];

	for (size_t i = count; i-- > 0;) {
		(void)snprintf(name, sizeof(name), "link %zu", i);
		chain[i] = issue(name, i + 1 < count ? chain[i + 1] : top, pki.key, true);
	}
}

static void free_chain(X509 **chain, size_t count)
{
	for (size_t i = 0; i < count; i++)
		X509_free(chain[i]);
}

/* *cost: the signatures of the handshake, whichever end verified them. */
static enum thaw_verdict judge_chain(struct pair *pair, X509 *leaf, X509 **chain, size_t count, thaw_trust *trust,
				     unsigned *cost)
{
	begin(pair);
	equip(pair->client, leaf, pki.key, chain, count);
	assert_int_equal(thaw_conn_ask_at_handshake(pair->conn, trust), THAW_OK);
	signatures_verified = 0;
	settle(pair);
	*cost = signatures_verified;
	return ask(pair, trust, false);
}

/* Those of both ends, where the server has no chain to verify. */
static unsigned of_handshake(int version)
{
	X509 *alone = issue("alone", NULL, pki.key, false);
	struct pair pair = {0};
	unsigned cost;

	open_server(&pair, version);
	assert_int_equal(judge_chain(&pair, alone, NULL, 0, pki.root_only, &cost), THAW_VERDICT_REJECTED);
	finish(&pair);
	close_contexts(&pair);
	X509_free(alone);
	return cost;
}

static void chain_that_leads_nowhere_costs_no_signature_and_is_not_kept(void **state)
{
	enum { COUNT = 40 };
	X509 *chain[COUNT], *stranger = issue("stranger", NULL, pki.key, true);

	(void)state;
	make_chain(chain, COUNT, stranger);
	X509 *leaf = issue("leaf", chain[0], pki.key, false);
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		unsigned cost, least = of_handshake(versions[v]);
		open_server(&pair, versions[v]);
		assert_int_equal(judge_chain(&pair, leaf, chain, COUNT, pki.root_only, &cost), THAW_VERDICT_REJECTED);
		assert_int_equal(cost, least);
		assert_true(sk_X509_num(SSL_get_peer_cert_chain(pair.server)) <= 0);
		assert_true(sk_X509_num(SSL_get0_verified_chain(pair.server)) <= 1);
		/* Again and again on the same connection. */
		for (int i = 0; i < 5; i++)
			assert_int_equal(ask(&pair, i % 2 ? pki.both : pki.root_only, false), THAW_VERDICT_REJECTED);
		assert_true(sk_X509_num(SSL_get_peer_cert_chain(pair.server)) <= 0);
		finish(&pair);
		/* TLS 1.3 sends no ticket; a TLS 1.2 ticket has been promised before the certificate comes. */
		if (versions[v] == TLS1_3_VERSION)
			assert_null(pair.session);
		close_contexts(&pair);
	}
	X509_free(leaf);
	X509_free(stranger);
	free_chain(chain, COUNT);
}

/* By its names it leads to the root, which did not sign it: one signature shows that. */
static void forged_chain_costs_one_signature(void **state)
{
	EVP_PKEY *own = pki.key, *foreign = world_key();
	X509 *chain[5];

	(void)state;
	pki.key = foreign;
	X509 *root = issue("root", NULL, foreign, true);
	make_chain(chain, 5, root);
	X509 *leaf = issue("leaf", chain[0], foreign, false);
	struct pair pair = {0};
	pki.key = own;
	unsigned cost, least = of_handshake(TLS1_3_VERSION);
	open_server(&pair, TLS1_3_VERSION);
	pki.key = foreign;
	assert_int_equal(judge_chain(&pair, leaf, chain, 5, pki.root_only, &cost), THAW_VERDICT_REJECTED);
	assert_detail(&pair, "certificate signature failure: CA certificate 'CN=link 4'");
	assert_int_equal(cost, least + 1);
	finish(&pair);
	close_contexts(&pair);
	pki.key = own;
	X509_free(root);
	X509_free(leaf);
	free_chain(chain, 5);
	EVP_PKEY_free(foreign);
}

static void chain_has_a_depth(void **state)
{
	X509 *chain[9];

	(void)state;
	unsigned cost, least = of_handshake(TLS1_3_VERSION);
	for (size_t count = 7; count <= 9; count++) {
		struct pair pair = {0};
		make_chain(chain, count, pki.root);
		X509 *leaf = issue("leaf", chain[0], pki.key, false);
		open_server(&pair, TLS1_3_VERSION);
		enum thaw_verdict verdict = judge_chain(&pair, leaf, chain, count, pki.root_only, &cost);
		assert_int_equal(verdict, count <= 8 ? THAW_VERDICT_ACCEPTED : THAW_VERDICT_REJECTED);
		assert_int_equal(cost, count <= 8 ? least + count + 1 : least);
		if (count > 8)
			assert_detail(&pair, "certificate chain too long: CA certificate 'CN=link 8'");
		finish(&pair);
		close_contexts(&pair);
		X509_free(leaf);
		free_chain(chain, count);
	}
}

/* RFC 8446 4.4.2 has no limit; this one is in bytes of the whole message. */
static void certificate_message_has_a_size(void **state)
{
	enum { COUNT = 150 };
	X509 *chain[COUNT], *stranger = issue("stranger", NULL, pki.key, true);

	(void)state;
	make_chain(chain, COUNT, stranger);
	X509 *leaf = issue("leaf", chain[0], pki.key, false);
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		begin(&pair);
		equip(pair.client, leaf, pki.key, chain, COUNT);
		assert_int_equal(thaw_conn_ask_at_handshake(pair.conn, pki.root_only), THAW_OK);
		for (int i = 0; i < TURNS_MAX; i++) {
			(void)SSL_do_handshake(pair.client);
			(void)SSL_do_handshake(pair.server);
		}
		assert_int_equal(SSL_is_init_finished(pair.server), 0);
		assert_null(SSL_get0_peer_certificate(pair.server));
		ERR_clear_error();
		finish(&pair);
		close_contexts(&pair);
	}
	X509_free(leaf);
	X509_free(stranger);
	free_chain(chain, COUNT);
}

/* A stranger's CA with the name of one that has a CRL: its key verifies neither a certificate nor that CRL. */
static void crl_costs_nothing_below_a_forged_issuer(void **state)
{
	write_certificates("root.pem", (X509 *[]){pki.root}, 1);
	EVP_PKEY *own = pki.key, *foreign = world_key();
	struct thaw_error err = {0};
	thaw_trust *trust = trust_with(EMPTY, EMPTY, THAW_CRL_CHAIN, &err);
	struct pair pair = {0};
	unsigned cost, least = of_handshake(TLS1_3_VERSION);

	(void)state;
	assert_non_null(trust);
	open_server(&pair, TLS1_3_VERSION);
	pki.key = foreign;
	X509 *issuing = issue("issuing", pki.root, foreign, true);
	X509 *leaf = issue("leaf", issuing, foreign, false);
	assert_int_equal(judge_chain(&pair, leaf, (X509 *[]){issuing}, 1, trust, &cost), THAW_VERDICT_REJECTED);
	pki.key = own;
	assert_int_equal(cost, least + 1);
	finish(&pair);
	close_contexts(&pair);
	thaw_trust_free(&trust);
	X509_free(issuing);
	X509_free(leaf);
	EVP_PKEY_free(foreign);
}

static int set_up_counted(void **state)
{
	count_signatures();
	return set_up(state);
}

static int tear_down_counted(void **state)
{
	int failed = tear_down(state);

	count_no_more();
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chain_that_leads_nowhere_costs_no_signature_and_is_not_kept),
		cmocka_unit_test(forged_chain_costs_one_signature),
		cmocka_unit_test(chain_has_a_depth),
		cmocka_unit_test(certificate_message_has_a_size),
		cmocka_unit_test(crl_costs_nothing_below_a_forged_issuer),
	};
	return cmocka_run_group_tests(tests, set_up_counted, tear_down_counted);
}
