#include "tls/peer.h"

#include <pthread.h>
#include <stdatomic.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "tls/ticket_chain.h"

static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
static atomic_int ex_index = -1;

/* SSL_dup(): the copy has no thaw_conn. */
static int leave_copy(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **data, int index, long number,
		      void *pointer)
{
	(void)to;
	(void)from;
	(void)index;
	(void)number;
	(void)pointer;
	*data = NULL;
	return 1;
}

/* If memory runs out, the next peer tries again. */
static bool make_index(void)
{
	if (ex_index >= 0)
		return true;
	(void)pthread_mutex_lock(&making);
	if (ex_index < 0)
		ex_index = SSL_get_ex_new_index(0, NULL, NULL, leave_copy, NULL);
	bool made = ex_index >= 0;
	(void)pthread_mutex_unlock(&making);
	return made;
}

struct tls_peer *tls_peer_of(const SSL *ssl)
{
	return ex_index >= 0 ? SSL_get_ex_data(ssl, ex_index) : NULL;
}

bool tls_peer_init(struct tls_peer *peer, SSL *ssl, struct tls_session *session)
{
	*peer = (struct tls_peer){.ssl = ssl, .session = session, .tickets = SSL_get_num_tickets(ssl)};
	return make_index() && SSL_set_ex_data(ssl, ex_index, peer) == 1;
}

void tls_peer_clear(struct tls_peer *peer)
{
	(void)SSL_set_ex_data(peer->ssl, ex_index, NULL);
	tls_verdict_free(&peer->verdict);
	thaw_trust_free(&peer->trust);
}

static bool is_accepted(const struct tls_verdict *verdict)
{
	return verdict != NULL && verdict->error == X509_V_OK;
}

/* NULL: no trust accepts it, or out of memory. */
static struct tls_verdict *accepted_by_any(struct tls_peer *peer, X509 *certificate, STACK_OF(X509) * sent)
{
	for (size_t i = 0; i < peer->trust_count; i++) {
		struct tls_verdict *verdict = tls_verify(peer->trusts[i], peer->ssl, certificate, sent);
		if (is_accepted(verdict))
			return verdict;
		tls_verdict_free(&verdict);
	}
	return NULL;
}

bool tls_peer_may_resume(struct tls_peer *peer, X509 *certificate, STACK_OF(X509) * sent)
{
	if (peer->trust == NULL && peer->trust_count == 0)
		return true;
	tls_verdict_free(&peer->verdict);
	if (peer->trust != NULL)
		peer->verdict = tls_verify(peer->trust, peer->ssl, certificate, sent);
	if (!is_accepted(peer->verdict) && !peer->on_demand) {
		tls_verdict_free(&peer->verdict);
		peer->verdict = accepted_by_any(peer, certificate, sent);
	}
	return is_accepted(peer->verdict);
}

/* Drops all certificates except the peer's own, before they become part of the session. */
static void drop_sent(STACK_OF(X509) * sent)
{
	while (sk_X509_num(sent) > 1)
		X509_free(sk_X509_pop(sent));
}

/* Sends no ticket for a session with a rejected certificate. */
static void keep_or_drop(struct tls_peer *peer, X509 *certificate, STACK_OF(X509) * sent)
{
	struct tls_verdict *other = NULL;
	bool keep = is_accepted(peer->verdict);

	if (!keep) {
		other = accepted_by_any(peer, certificate, sent);
		keep = other != NULL;
		tls_verdict_free(&other);
	}
	if (!keep)
		drop_sent(sent);
	(void)SSL_set_num_tickets(peer->ssl, keep ? peer->tickets : 0);
}

/* Runs for each certificate instead of OpenSSL's signature verification. */
static int on_certificate(X509_STORE_CTX *ctx)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_peer *peer = ssl != NULL ? tls_peer_of(ssl) : NULL;
	X509 *certificate = X509_STORE_CTX_get0_cert(ctx);
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(ctx);

	if (peer == NULL || peer->trust == NULL)
		return 0;
	tls_verdict_free(&peer->verdict);
	peer->verdict = tls_verify(peer->trust, ssl, certificate, sent);
	X509_STORE_CTX_set_error(ctx, peer->verdict != NULL ? peer->verdict->error : X509_V_ERR_OUT_OF_MEM);
	if (is_accepted(peer->verdict)) {
		STACK_OF(X509) *path = X509_chain_up_ref(peer->verdict->path);
		if (path != NULL)
			X509_STORE_CTX_set0_verified_chain(ctx, path);
	}
	if (peer->verdict != NULL)
		keep_or_drop(peer, certificate, sent);
	return 1;
}

/* Prevents OpenSSL from building a chain: no certificate has an issuer. */
static int never_issued(X509_STORE_CTX *ctx, X509 *certificate, X509 *issuer)
{
	(void)ctx;
	(void)certificate;
	(void)issuer;
	return 0;
}

static int no_issuer(X509 **issuer, X509_STORE_CTX *ctx, X509 *certificate)
{
	(void)ctx;
	(void)certificate;
	*issuer = NULL;
	return 0;
}

X509_STORE *tls_peer_store(void)
{
	X509_STORE *store = X509_STORE_new();

	if (store == NULL)
		return NULL;
	X509_STORE_set_check_issued(store, never_issued);
	X509_STORE_set_get_issuer(store, no_issuer);
	X509_STORE_set_verify(store, on_certificate);
	return store;
}

/* Ignores the errors of earlier steps, which reject every certificate. on_certificate() decides. */
static int ignore_error(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

bool tls_peer_ask(struct tls_peer *peer, thaw_trust *trust, int mode)
{
	STACK_OF(X509_NAME) *names = SSL_dup_CA_list(trust->names);

	if (names == NULL || SSL_set1_verify_cert_store(peer->ssl, trust->hook) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return false;
	}
	SSL_set0_CA_list(peer->ssl, names);
	(void)SSL_set_max_cert_list(peer->ssl, (long)trust->max_cert_list);
	SSL_set_verify(peer->ssl, mode, ignore_error);
	thaw_trust *before = peer->trust;
	peer->trust = thaw_trust_ref(trust);
	thaw_trust_free(&before);
	return true;
}

const struct tls_verdict *tls_peer_verify(struct tls_peer *peer, const thaw_trust *trust)
{
	X509 *certificate = SSL_get0_peer_certificate(peer->ssl);
	STACK_OF(X509) *sent = SSL_get_peer_cert_chain(peer->ssl), *carried = NULL;

	if (tls_verdict_is_on(peer->verdict, trust, certificate))
		return peer->verdict;
	if (sent == NULL)
		sent = carried = tls_ticket_chain(SSL_get0_session(peer->ssl));
	struct tls_verdict *verdict = tls_verify(trust, peer->ssl, certificate, sent);
	sk_X509_pop_free(carried, X509_free);
	if (verdict == NULL)
		return NULL;
	tls_verdict_free(&peer->verdict);
	peer->verdict = verdict;
	return verdict;
}
