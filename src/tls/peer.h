/*
 * The peer's certificate on one connection: the trust of the last ask, and the newest verdict.
 *
 * OpenSSL does not verify by itself. Its store cannot build a chain, and calls tls_verify() as the last step. So the
 * verdict is always made in the same way, the handshake continues after a rejection (the HTTP response reports it), and
 * a rejected chain is not kept.
 */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include "tls/verify.h"

struct tls_session;

struct tls_peer {
	SSL *ssl;
	struct tls_session *session;     /* of the same connection */
	thaw_trust *trust;               /* a reference: the trust of the last ask; NULL: never asked */
	const thaw_trust *const *trusts; /* borrowed: all trusts that this connection may be asked under */
	size_t trust_count;
	struct tls_verdict *verdict; /* the newest; NULL: none */
	bool on_demand;              /* resume a session only if `trust` accepts its certificate */
	size_t tickets;              /* number of session tickets that the SSL sends by default */
};

/* Attaches the peer to the SSL, for tls_peer_of(). False: out of memory. */
bool tls_peer_init(struct tls_peer *peer, SSL *ssl, struct tls_session *session) THAW_MUST_CHECK;
void tls_peer_clear(struct tls_peer *peer);

/* NULL: there is none. */
struct tls_peer *tls_peer_of(const SSL *ssl);

/* Prepares the SSL for a certificate request. False: out of memory. */
bool tls_peer_ask(struct tls_peer *peer, thaw_trust *trust, int mode) THAW_MUST_CHECK;

/* The verdict on the peer's certificate, which must exist. It belongs to peer. NULL: out of memory. */
const struct tls_verdict *tls_peer_verify(struct tls_peer *peer, const thaw_trust *trust);

/* Whether one of `trusts`, if set, accepts the certificate; with on_demand: whether `trust` does. */
bool tls_peer_may_resume(struct tls_peer *peer, X509 *certificate, STACK_OF(X509) * sent);

/* The store for OpenSSL. NULL: out of memory. */
X509_STORE *tls_peer_store(void);

#endif
