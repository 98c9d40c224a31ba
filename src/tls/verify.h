/*
 * Verifies client certificates. All certificates are verified here, with the same parameters: from a handshake, a late
 * ask, a resumed session, or under another trust on the same connection.
 *
 * The parameters are those of the trust's store and of the SSL (flags, depth, purpose, time), combined as OpenSSL does
 * in a handshake, and the SSL's security level. The trust's own security level can raise it.
 */
#ifndef TLS_VERIFY_H
#define TLS_VERIFY_H

#include "tls/trust.h"

/* The verdict of a trust on a certificate. */
struct tls_verdict {
	struct tls_rules rules; /* of the trust */
	X509 *certificate;      /* a reference */
	STACK_OF(X509) * path;  /* from it to the trust anchor; NULL unless error is X509_V_OK */
	int error;              /* X509_V_OK, or why it is rejected */
	char detail[128];       /* the reason as ASCII text; empty unless rejected */
};

/*
 * sent: the certificates that the peer sent, to build a chain from, or NULL. Returns NULL: out of memory. No signature
 * is verified unless the chain leads to a trust anchor. Then signatures are verified from the anchor down to the first
 * that fails, and CRLs only after that.
 */
struct tls_verdict *tls_verify(const thaw_trust *trust, SSL *ssl, X509 *certificate, STACK_OF(X509) * sent);
void tls_verdict_free(struct tls_verdict **verdict);

/* Whether the verdict is from this trust, on that certificate. */
bool tls_verdict_is_on(const struct tls_verdict *verdict, const thaw_trust *trust, const X509 *certificate);

#endif
