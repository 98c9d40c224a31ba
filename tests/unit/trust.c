/*
 * The verifier of client certificates: the same verdict in every way in which a certificate can come, over real
 * handshakes; CRLs; what a session ticket carries; and which names of CAs a client is sent.
 */
#include <limits.h>

#include "trust_world.h"

#include "../made.h"
#include "tls/trust.h"

#define NAMES 1000

static const struct {
	const char *name, *detail;
} weaknesses[] = {{"key", "EE certificate key too weak"}, {"digest", "CA signature digest algorithm too weak"}};
#define EACH_WEAKNESS(w) for (size_t w = 0; w < sizeof(weaknesses) / sizeof(weaknesses[0]); w++)

static X509 *weak_certificate(size_t weakness)
{
	return weakness == 0 ? pki.weak : pki.sha1;
}

static EVP_PKEY *weak_key(size_t weakness)
{
	return weakness == 0 ? pki.weak_key : pki.key;
}

static void weak_certificate_is_rejected_at_the_handshake_and_when_resumed(void **state)
{
	(void)state;
	EACH_VERSION(v)
	EACH_WEAKNESS(w)
	{
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		for (int visit = 0; visit < 3; visit++) {
			come(&pair, weak_certificate(w), weak_key(w), pki.both);
			assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_REJECTED);
			assert_detail(&pair, weaknesses[w].detail);
			finish(&pair);
		}
		close_contexts(&pair);
	}
}

/* The ticket is of a worker that does accept the certificate, and shares its ticket keys. */
static void weak_certificate_of_another_worker_s_session_is_rejected(void **state)
{
	(void)state;
	EACH_VERSION(v)
	EACH_WEAKNESS(w)
	{
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		SSL_CTX_set_security_level(pair.server_ctx, 0);
		come(&pair, weak_certificate(w), weak_key(w), pki.both);
		assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
		finish(&pair);
		assert_non_null(pair.session);
		for (int callbacks = 1; callbacks >= 0; callbacks--) {
			SSL_CTX_set_security_level(pair.server_ctx, SERVER_LEVEL);
			if (!callbacks)
				(void)SSL_CTX_set_session_ticket_cb(pair.server_ctx, NULL, NULL, NULL);
			SSL_SESSION *session = pair.session;
			assert_int_equal(SSL_SESSION_up_ref(session), 1);
			come(&pair, weak_certificate(w), weak_key(w), pki.both);
			assert_int_equal(SSL_session_reused(pair.server), !callbacks);
			assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_REJECTED);
			assert_detail(&pair, weaknesses[w].detail);
			finish(&pair);
			SSL_SESSION_free(pair.session);
			pair.session = session;
		}
		close_contexts(&pair);
	}
}

static void weak_certificate_is_rejected_by_every_trust_of_a_connection(void **state)
{
	(void)state;
	EACH_VERSION(v)
	EACH_WEAKNESS(w)
	{
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		for (int early = 0; early < 2; early++) {
			come(&pair, weak_certificate(w), weak_key(w), early ? pki.both : NULL);
			assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_REJECTED);
			assert_int_equal(ask(&pair, pki.root_only, false), THAW_VERDICT_REJECTED);
			assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_REJECTED);
			assert_int_equal(ask(&pair, pki.both, true), THAW_VERDICT_REJECTED);
			assert_detail(&pair, weaknesses[w].detail);
			finish(&pair);
		}
		close_contexts(&pair);
	}
}

/* ---- the parameters of a store, and of an SSL ---- */

static void depth_zero(X509_VERIFY_PARAM *param)
{
	X509_VERIFY_PARAM_set_depth(param, 0);
}

static void other_purpose(X509_VERIFY_PARAM *param)
{
	assert_int_equal(X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_TIMESTAMP_SIGN), 1);
}

static void in_the_past(X509_VERIFY_PARAM *param)
{
	X509_VERIFY_PARAM_set_time(param, 1);
}

static void level_five(X509_VERIFY_PARAM *param)
{
	X509_VERIFY_PARAM_set_auth_level(param, 5);
}

static void crl_wanted(X509_VERIFY_PARAM *param)
{
	assert_int_equal(X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK), 1);
}

static const struct {
	void (*set)(X509_VERIFY_PARAM *param);
	bool of_ssl; /* an SSL's own level takes the place of its parameter */
} parameters[] = {
	{depth_zero, true}, {other_purpose, true}, {in_the_past, true}, {level_five, false}, {crl_wanted, true},
};

/* Accepted without the parameter, so that there is a session; then rejected with it, in each way. */
static void each_parameter_applies_to_every_verification(void **state)
{
	(void)state;
	EACH_VERSION(v)
	for (size_t p = 0; p < sizeof(parameters) / sizeof(parameters[0]); p++) {
		for (int of_ssl = 0; of_ssl <= parameters[p].of_ssl; of_ssl++) {
			struct pair pair = {0};
			struct thaw_error err = {0};
			X509_STORE *store = X509_STORE_new();
			assert_int_equal(X509_STORE_add_cert(store, pki.root), 1);
			if (!of_ssl)
				parameters[p].set(X509_STORE_get0_param(store));
			thaw_trust *trust = made_trust_from_store(store, &err);
			assert_non_null(trust);
			open_server(&pair, versions[v]);
			come(&pair, pki.client, pki.key, pki.root_only);
			assert_int_equal(ask(&pair, pki.root_only, false), THAW_VERDICT_ACCEPTED);
			finish(&pair);
			for (int way = 0; way < 2; way++) {
				SSL_SESSION *session = pair.session;
				assert_int_equal(SSL_SESSION_up_ref(session), 1);
				begin(&pair);
				equip(pair.client, pki.client, pki.key, (X509 *[]){pki.issuing}, 1);
				if (of_ssl)
					parameters[p].set(SSL_get0_param(pair.server));
				if (way == 0)
					assert_int_equal(thaw_conn_ask_at_handshake(pair.conn, trust), THAW_OK);
				settle(&pair);
				assert_int_equal(SSL_session_reused(pair.server), way == 1);
				assert_int_equal(ask(&pair, trust, false), THAW_VERDICT_REJECTED);
				finish(&pair);
				SSL_SESSION_free(pair.session);
				pair.session = session;
			}
			thaw_trust_free(&trust);
			close_contexts(&pair);
		}
	}
}

/* ---- sessions ---- */

static void resumed_session_is_verified_with_its_chain(void **state)
{
	(void)state;
	EACH_VERSION(v)
	for (int early = 0; early < 2; early++) {
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		for (int visit = 0; visit < 4; visit++) {
			come(&pair, pki.client, pki.key, early ? pki.root_only : NULL);
			/* TLS 1.2: a session that was renegotiated is not resumed. */
			bool resumes = visit > 0 && (early || versions[v] == TLS1_3_VERSION);
			if (resumes)
				assert_int_equal(SSL_session_reused(pair.server), 1);
			assert_int_equal(ask(&pair, pki.root_only, false), THAW_VERDICT_ACCEPTED);
			struct thaw_report report;
			report = *thaw_conn_report(pair.conn);
			if (resumes)
				assert_int_equal(report.means, THAW_MEANS_HANDSHAKE);
			finish(&pair);
		}
		close_contexts(&pair);
	}
}

/* More than a ticket carries: the client makes a full handshake each time, and is accepted each time. */
static void session_with_a_long_chain_is_not_resumed(void **state)
{
	const struct world_attribute subject[] = {{"CN", V_ASN1_UTF8STRING, "large", 0}, {NULL, 0, NULL, 0}};
	X509 *large =
		world_certificate(&(struct world_wish){.subject = subject, .serial = 9, .ca = true, .padding = 8192},
				  pki.key, pki.root, pki.key, true);
	X509 *below = issue("below", large, pki.key, false);

	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		for (int visit = 0; visit < 3; visit++) {
			begin(&pair);
			equip(pair.client, below, pki.key, (X509 *[]){large}, 1);
			assert_int_equal(thaw_conn_ask_at_handshake(pair.conn, pki.root_only), THAW_OK);
			settle(&pair);
			assert_int_equal(SSL_session_reused(pair.server), 0);
			assert_int_equal(ask(&pair, pki.root_only, false), THAW_VERDICT_ACCEPTED);
			finish(&pair);
		}
		close_contexts(&pair);
	}
	X509_free(large);
	X509_free(below);
}

/* The trust has changed since, and the session's other properties have not. */
static void session_that_no_trust_accepts_any_more_is_not_resumed(void **state)
{
	X509 *other = issue("other", NULL, pki.key, true);
	thaw_trust *stranger = trust_in((X509 *[]){other}, 1);

	(void)state;
	EACH_VERSION(v)
	{
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		come(&pair, pki.client, pki.key, pki.root_only);
		assert_int_equal(ask(&pair, pki.root_only, false), THAW_VERDICT_ACCEPTED);
		finish(&pair);
		come(&pair, pki.client, pki.key, stranger);
		assert_int_equal(SSL_session_reused(pair.server), 0);
		assert_int_equal(ask(&pair, stranger, false), THAW_VERDICT_REJECTED);
		finish(&pair);
		close_contexts(&pair);
	}
	thaw_trust_free(&stranger);
	X509_free(other);
}

/* Application data of another program in a ticket, or a broken one, is no chain. */
static int put_rubbish(SSL *ssl, void *arg)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rubbish[] = {
		{"x", 1}, {"thaw chain\1", 11}, {"thaw chain\1\x30\x03\x02\x01\x01", 16}, {"thaw chain\1\x30\x84", 13}};
	int which = *(int *)arg;

	return SSL_SESSION_set1_ticket_appdata(SSL_get0_session(ssl), rubbish[which].bytes, rubbish[which].len);
}

static void broken_chain_in_a_ticket_is_none(void **state)
{
	(void)state;
	EACH_VERSION(v)
	for (int which = 0; which < 4; which++) {
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		(void)SSL_CTX_set_session_ticket_cb(pair.server_ctx, put_rubbish, thaw_ctx_ticket_opened, &which);
		for (int visit = 0; visit < 2; visit++) {
			come(&pair, pki.client, pki.key, pki.root_only);
			assert_int_equal(SSL_session_reused(pair.server), 0);
			assert_int_equal(ask(&pair, pki.root_only, false), THAW_VERDICT_ACCEPTED);
			finish(&pair);
		}
		/* It is not needed where the trust has the chain. */
		come(&pair, pki.client, pki.key, pki.both);
		assert_int_equal(SSL_session_reused(pair.server), 1);
		assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
		finish(&pair);
		close_contexts(&pair);
	}
}

/* ---- CRLs ---- */

static const struct {
	enum crl of_root, of_issuing;
	enum thaw_crl_check check;
	const char *detail; /* NULL: accepted; "": the trust is refused */
} crl_cases[] = {
	{EMPTY, EMPTY, THAW_CRL_CHAIN, NULL},
	{EMPTY, EMPTY, THAW_CRL_LEAF, NULL},
	{REVOKES, EMPTY, THAW_CRL_CHAIN, "certificate revoked: CA certificate 'CN=issuing'"},
	{REVOKES, EMPTY, THAW_CRL_LEAF, "certificate revoked: CA certificate 'CN=issuing'"},
	{EMPTY, REVOKES, THAW_CRL_CHAIN, "certificate revoked"},
	{EMPTY, REVOKES, THAW_CRL_LEAF, "certificate revoked"},
	{NONE, REVOKES, THAW_CRL_LEAF, "certificate revoked"},
	{NONE, EMPTY, THAW_CRL_CHAIN, ""},
	{NONE, EMPTY, THAW_CRL_LEAF, NULL},
	{EMPTY, NONE, THAW_CRL_CHAIN, "unable to get certificate CRL: no CRL of issuer 'CN=issuing'"},
	{EMPTY, NONE, THAW_CRL_LEAF, "unable to get certificate CRL: no CRL of issuer 'CN=issuing'"},
	{EXPIRED, EMPTY, THAW_CRL_CHAIN, "CRL has expired: CA certificate 'CN=issuing'"},
	{EXPIRED, EMPTY, THAW_CRL_LEAF, "CRL has expired: CA certificate 'CN=issuing'"},
	{EMPTY, EXPIRED, THAW_CRL_LEAF, "CRL has expired"},
	{FUTURE, EMPTY, THAW_CRL_CHAIN, "CRL is not yet valid: CA certificate 'CN=issuing'"},
	{EMPTY, FUTURE, THAW_CRL_LEAF, "CRL is not yet valid"},
	{FORGED, EMPTY, THAW_CRL_CHAIN, "CRL signature failure: CA certificate 'CN=issuing'"},
	{EMPTY, FORGED, THAW_CRL_LEAF, "CRL signature failure"},
};

static void each_certificate_is_checked_against_its_issuer_s_crl(void **state)
{
	(void)state;
	write_certificates("root.pem", (X509 *[]){pki.root}, 1);
	for (size_t i = 0; i < sizeof(crl_cases) / sizeof(crl_cases[0]); i++) {
		struct thaw_error err = {0};
		thaw_trust *trust = trust_with(crl_cases[i].of_root, crl_cases[i].of_issuing, crl_cases[i].check, &err);
		if (crl_cases[i].detail != NULL && crl_cases[i].detail[0] == '\0') {
			assert_null(trust);
			assert_int_equal(err.cls, THAW_ERR_CONFIG);
			assert_non_null(strstr(err.text, "no CRL of CA 'CN=root'"));
			continue;
		}
		assert_non_null(trust);
		struct pair pair = {0};
		open_server(&pair, TLS1_3_VERSION);
		for (int visit = 0; visit < 2; visit++) {
			come(&pair, pki.client, pki.key, trust);
			if (crl_cases[i].detail == NULL) {
				assert_int_equal(SSL_session_reused(pair.server), visit);
				assert_int_equal(ask(&pair, trust, false), THAW_VERDICT_ACCEPTED);
			} else {
				assert_int_equal(ask(&pair, trust, false), THAW_VERDICT_REJECTED);
				assert_detail(&pair, crl_cases[i].detail);
			}
			finish(&pair);
		}
		close_contexts(&pair);
		thaw_trust_free(&trust);
	}
}

/* OpenSSL would take it for a complete one, even beside its base. */
static void a_delta_crl_is_refused(void **state)
{
	(void)state;
	write_certificates("root.pem", (X509 *[]){pki.root}, 1);
	for (int check = 0; check < 2; check++)
		for (int of_root = 0; of_root < 2; of_root++) {
			struct thaw_error err = {0};
			assert_null(trust_with(of_root ? DELTA : EMPTY, of_root ? EMPTY : DELTA,
					       check ? THAW_CRL_LEAF : THAW_CRL_CHAIN, &err));
			assert_int_equal(err.cls, THAW_ERR_CONFIG);
			assert_non_null(strstr(err.text, of_root ? "CA 'CN=root' is a delta CRL"
								 : "CA 'CN=issuing' is a delta CRL"));
			assert_non_null(strstr(err.text, "crls.pem: "));
		}
}

/* ---- intermediate CAs as trust anchors ---- */

/* Asked in the handshake, late, and resumed. detail: NULL: accepted. */
static void assert_judged(X509 *certificate, thaw_trust *trust, const char *detail)
{
	EACH_VERSION(v)
	for (int late = 0; late < 2; late++) {
		struct pair pair = {0};
		open_server(&pair, versions[v]);
		for (int visit = 0; visit < 2; visit++) {
			come(&pair, certificate, pki.key, late ? NULL : trust);
			if (!late)
				assert_int_equal(SSL_session_reused(pair.server), detail == NULL && visit == 1);
			assert_int_equal(ask(&pair, trust, false),
					 detail == NULL ? THAW_VERDICT_ACCEPTED : THAW_VERDICT_REJECTED);
			if (detail != NULL)
				assert_detail(&pair, detail);
			finish(&pair);
		}
		close_contexts(&pair);
	}
}

static void an_intermediate_ca_is_an_anchor_on_wish(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	write_certificates("anchors.pem", (X509 *[]){pki.issuing}, 1);
	for (int wish = 0; wish < 2; wish++) {
		thaw_trust *trust =
			made_trust_open(&(struct thaw_trust_options){.size = sizeof(struct thaw_trust_options),
								     .ca = in_folder("anchors.pem"),
								     .partial_chain = wish},
					&err);
		assert_non_null(trust);
		assert_judged(pki.client, trust,
			      wish ? NULL : "unable to get issuer certificate: CA certificate 'CN=issuing'");
		X509 *other = issue("of another CA", pki.root, pki.key, false);
		assert_judged(other, trust, "unable to get local issuer certificate");
		X509_free(other);
		thaw_trust_free(&trust);
	}
}

static const struct {
	enum crl of_root, of_issuing;
	enum thaw_crl_check check;
	const char *detail; /* NULL: accepted */
} anchor_cases[] = {
	{NONE, EMPTY, THAW_CRL_CHAIN, NULL},
	{EMPTY, EMPTY, THAW_CRL_CHAIN, NULL},
	{EMPTY, EMPTY, THAW_CRL_LEAF, NULL},
	{NONE, REVOKES, THAW_CRL_CHAIN, "certificate revoked"},
	{NONE, REVOKES, THAW_CRL_LEAF, "certificate revoked"},
	{NONE, EXPIRED, THAW_CRL_LEAF, "CRL has expired"},
	{NONE, FORGED, THAW_CRL_CHAIN, "CRL signature failure"},
	{EMPTY, NONE, THAW_CRL_LEAF, "unable to get certificate CRL: no CRL of issuer 'CN=issuing'"},
	{REVOKES, EMPTY, THAW_CRL_CHAIN, "certificate revoked: CA certificate 'CN=issuing'"},
	{REVOKES, EMPTY, THAW_CRL_LEAF, "certificate revoked: CA certificate 'CN=issuing'"},
};

/* Whether the root is in the file as well or not: it is above the anchor. */
static void crls_apply_below_an_intermediate_anchor_and_to_it(void **state)
{
	(void)state;
	for (size_t count = 1; count <= 2; count++) {
		write_certificates("anchors.pem", (X509 *[]){pki.issuing, pki.root}, count);
		for (size_t i = 0; i < sizeof(anchor_cases) / sizeof(anchor_cases[0]); i++) {
			write_crls(anchor_cases[i].of_root, anchor_cases[i].of_issuing);
			struct thaw_error err = {0};
			const struct thaw_trust_options options = {.size = sizeof(options),
								   .ca = in_folder("anchors.pem"),
								   .crl = in_folder("crls.pem"),
								   .crl_check = anchor_cases[i].check,
								   .partial_chain = true};
			thaw_trust *trust = made_trust_open(&options, &err);
			bool root_lacks =
				count == 2 && options.crl_check == THAW_CRL_CHAIN && anchor_cases[i].of_root == NONE;
			assert_int_equal(trust == NULL, root_lacks);
			if (trust != NULL)
				assert_judged(pki.client, trust, anchor_cases[i].detail);
			thaw_trust_free(&trust);
		}
	}
}

/* ---- purposes ---- */

static X509 *made_for(const char *extended_usage, const char *usage)
{
	const struct world_wish wish = {.serial = 4711, .eku = extended_usage};
	X509 *certificate = world_certificate(&wish, pki.key, pki.issuing, pki.key, true);

	if (usage != NULL)
		world_extend(certificate, NID_key_usage, usage);
	assert_true(X509_sign(certificate, pki.key, EVP_sha256()) > 0);
	return certificate;
}

static const struct {
	const char *extended_usage, *usage;
	bool for_client, for_any;
} purpose_cases[] = {
	{NULL, NULL, true, true},
	{"clientAuth", "digitalSignature", true, true},
	{"serverAuth,clientAuth", NULL, true, true},
	{"serverAuth", NULL, false, true},
	{"serverAuth", "digitalSignature,keyEncipherment", false, true},
	{"serverAuth", "keyEncipherment", false, false},
	{"clientAuth", "keyEncipherment", false, false},
	{"emailProtection", NULL, false, true},
};

static void a_purpose_is_needed_unless_any_will_do(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	write_certificates("root.pem", (X509 *[]){pki.root}, 1);
	for (int any = 0; any < 2; any++) {
		thaw_trust *trust = made_trust_open(
			&(struct thaw_trust_options){.size = sizeof(struct thaw_trust_options),
						     .ca = in_folder("root.pem"),
						     .purpose = any ? THAW_PURPOSE_ANY : THAW_PURPOSE_CLIENT},
			&err);
		assert_non_null(trust);
		for (size_t i = 0; i < sizeof(purpose_cases) / sizeof(purpose_cases[0]); i++) {
			X509 *certificate = made_for(purpose_cases[i].extended_usage, purpose_cases[i].usage);
			bool good = any ? purpose_cases[i].for_any : purpose_cases[i].for_client;
			assert_judged(certificate, trust,
				      good ? NULL : X509_verify_cert_error_string(X509_V_ERR_INVALID_PURPOSE));
			X509_free(certificate);
		}
		/* A CA must be a CA all the same. */
		X509 *below =
			world_certificate(&(struct world_wish){.serial = 4712}, pki.key, pki.client, pki.key, true);
		struct pair pair = {0};
		open_server(&pair, TLS1_3_VERSION);
		begin(&pair);
		equip(pair.client, below, pki.key, (X509 *[]){pki.client, pki.issuing}, 2);
		assert_int_equal(thaw_conn_ask_at_handshake(pair.conn, trust), THAW_OK);
		settle(&pair);
		assert_int_equal(ask(&pair, trust, false), THAW_VERDICT_REJECTED);
		finish(&pair);
		close_contexts(&pair);
		X509_free(below);
		thaw_trust_free(&trust);
	}
}

static void settings_that_decide_make_another_id(void **state)
{
	struct thaw_error err = {0};
	thaw_trust *trusts[6];

	(void)state;
	trusts[0] = trust_with(EMPTY, EMPTY, THAW_CRL_CHAIN, &err);
	trusts[1] = made_trust_open(&(struct thaw_trust_options){.size = sizeof(struct thaw_trust_options),
								 .ca = in_folder("root.pem"),
								 .crl = in_folder("crls.pem"),
								 .crl_check = THAW_CRL_LEAF},
				    &err);
	trusts[2] = made_trust_open(&(struct thaw_trust_options){.size = sizeof(struct thaw_trust_options),
								 .ca = in_folder("root.pem"),
								 .crl = in_folder("crls.pem"),
								 .depth = 3},
				    &err);
	trusts[3] = made_trust_load(in_folder("root.pem"), NULL, &err);
	trusts[4] = made_trust_open(&(struct thaw_trust_options){.size = sizeof(struct thaw_trust_options),
								 .ca = in_folder("root.pem"),
								 .partial_chain = true},
				    &err);
	trusts[5] = made_trust_open(&(struct thaw_trust_options){.size = sizeof(struct thaw_trust_options),
								 .ca = in_folder("root.pem"),
								 .purpose = THAW_PURPOSE_ANY},
				    &err);
	for (size_t i = 0; i < 6; i++) {
		assert_non_null(trusts[i]);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(thaw_trust_id(trusts[i]), thaw_trust_id(trusts[k]), 32);
	}
	for (size_t i = 0; i < 6; i++)
		thaw_trust_free(&trusts[i]);
}

/* ---- names of CAs ---- */

/* How many names a client is sent; -1: it is not asked. */
static int names_sent(thaw_trust *trust)
{
	struct pair pair = {0};

	open_server(&pair, TLS1_3_VERSION);
	begin(&pair);
	assert_int_equal(thaw_conn_ask_at_handshake(pair.conn, trust), THAW_OK);
	settle(&pair);
	assert_int_equal(SSL_is_init_finished(pair.server), 1);
	const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(pair.client);
	int count = names != NULL ? sk_X509_NAME_num(names) : 0;
	finish(&pair);
	close_contexts(&pair);
	return count;
}

static int reject_all(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* A digest of a store does not cover its callbacks, and what it loads on demand. */
static void trusts_from_equal_stores_decide_separately(void **state)
{
	thaw_trust *strict = trust_in((X509 *[]){pki.root, pki.issuing}, 2);
	struct pair pair = {0};

	(void)state;
	assert_memory_equal(thaw_trust_id(strict), thaw_trust_id(pki.both), THAW_TRUST_ID_LEN);
	X509_STORE_set_verify_cb(strict->store, reject_all);
	open_server(&pair, TLS1_3_VERSION);
	come(&pair, pki.client, pki.key, NULL);
	assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
	assert_int_equal(thaw_conn_check(pair.conn, strict, NOW_MS), THAW_OK);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_REJECTED);
	assert_int_equal(thaw_conn_check(pair.conn, pki.both, NOW_MS), THAW_OK);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
	finish(&pair);
	close_contexts(&pair);
	thaw_trust_free(&strict);
}

static void options_out_of_range_are_refused(void **state)
{
	const struct thaw_trust_options options[] = {
		{.crl_check = (enum thaw_crl_check)9},
		{.purpose = (enum thaw_purpose)9},
		{.depth = UINT_MAX},
		{.max_cert_list = SIZE_MAX},
	};

	(void)state;
	write_certificates("root.pem", (X509 *[]){pki.root}, 1);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct thaw_trust_options one = options[i];
		struct thaw_error err;
		thaw_trust *trust = NULL;
		one.size = sizeof(one);
		one.ca = in_folder("root.pem");
		assert_int_equal(thaw_trust_open(&one, &trust, &err), THAW_FAILED);
		assert_int_equal(err.cls, THAW_ERR_USAGE);
		assert_null(trust);
	}
}

static void names_are_sent_all_or_none(void **state)
{
	static X509 *many[NAMES];
	char name[64];
	struct thaw_error err = {0};

	(void)state;
	for (size_t i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof(name), "CA of an organization with a longer name, number %zu", i);
		many[i] = issue(name, NULL, pki.key, true);
	}
	for (size_t count = 100; count <= NAMES; count *= 10) {
		write_certificates("many.pem", many, count);
		for (int none = 0; none < 2; none++) {
			const struct thaw_trust_options options = {
				.size = sizeof(options), .ca = in_folder("many.pem"), .no_names = none};
			thaw_trust *trust = made_trust_open(&options, &err);
			assert_non_null(trust);
			bool fit = count < NAMES;
			assert_int_equal(names_sent(trust), fit && !none ? (int)count : 0);
			assert_int_equal(thaw_trust_names_left_out(trust) > THAW_CA_NAMES_MAX, !fit && !none);
			thaw_trust_free(&trust);
		}
	}
	/* The same name twice is one. */
	X509 *again = issue("root", NULL, pki.key, true);
	thaw_trust *twice = trust_in((X509 *[]){pki.root, again}, 2);
	assert_int_equal(names_sent(twice), 1);
	thaw_trust_free(&twice);
	X509_free(again);
	for (size_t i = 0; i < NAMES; i++)
		X509_free(many[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weak_certificate_is_rejected_at_the_handshake_and_when_resumed),
		cmocka_unit_test(weak_certificate_of_another_worker_s_session_is_rejected),
		cmocka_unit_test(weak_certificate_is_rejected_by_every_trust_of_a_connection),
		cmocka_unit_test(each_parameter_applies_to_every_verification),
		cmocka_unit_test(resumed_session_is_verified_with_its_chain),
		cmocka_unit_test(session_with_a_long_chain_is_not_resumed),
		cmocka_unit_test(session_that_no_trust_accepts_any_more_is_not_resumed),
		cmocka_unit_test(broken_chain_in_a_ticket_is_none),
		cmocka_unit_test(each_certificate_is_checked_against_its_issuer_s_crl),
		cmocka_unit_test(a_delta_crl_is_refused),
		cmocka_unit_test(an_intermediate_ca_is_an_anchor_on_wish),
		cmocka_unit_test(crls_apply_below_an_intermediate_anchor_and_to_it),
		cmocka_unit_test(a_purpose_is_needed_unless_any_will_do),
		cmocka_unit_test(settings_that_decide_make_another_id),
		cmocka_unit_test(trusts_from_equal_stores_decide_separately),
		cmocka_unit_test(options_out_of_range_are_refused),
		cmocka_unit_test(names_are_sent_all_or_none),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
