/*
 * The peer of one connection, as far as its certificate goes: under which trust it was asked, and the newest verdict.
 *
 * OpenSSL does not verify by itself. It is given a store in which no chain can be built, whose last step is
 * tls_verify(): so the verdict is the same as in every other way, the handshake goes on after a rejection (the
 * response says what is wrong), and nothing of a rejected chain is kept.
 */
#ifndef TLS_PEER_H
#define TLS_PEER_H

#include "tls/verify.h"

struct tls_session;

struct tls_peer {
	SSL *ssl;
	struct tls_session *session;     /* of the same connection */
	thaw_trust *trust;               /* a reference: it was asked under this one last; NULL: never asked */
	const thaw_trust *const *trusts; /* borrowed: those that may be asked under on this connection */
	size_t trust_count;
	struct tls_verdict *verdict; /* the newest; NULL: none */
	bool on_demand;              /* only a certificate that trust accepts is worth a resumption */
	size_t tickets;              /* as many session tickets as the SSL sends otherwise */
};

/* It is tls_peer_of() the SSL from then on. False: out of memory. */
bool tls_peer_init(struct tls_peer *peer, SSL *ssl, struct tls_session *session) THAW_MUST_CHECK;
void tls_peer_clear(struct tls_peer *peer);

/* NULL: there is none. */
struct tls_peer *tls_peer_of(const SSL *ssl);

/* Readies the SSL for a request for a certificate. False: out of memory. */
bool tls_peer_ask(struct tls_peer *peer, thaw_trust *trust, int mode) THAW_MUST_CHECK;

/* The verdict on the certificate that the peer has, which there must be. It belongs to peer. NULL: out of memory. */
const struct tls_verdict *tls_peer_verify(struct tls_peer *peer, const thaw_trust *trust);

/* Whether a trust of this connection, if any is known, accepts the certificate; on demand: whether trust does. */
bool tls_peer_may_resume(struct tls_peer *peer, X509 *certificate, STACK_OF(X509) * sent);

/* The store to hand to OpenSSL. NULL: out of memory. */
X509_STORE *tls_peer_store(void);

#endif
