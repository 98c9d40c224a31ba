/* The inside of a thaw_trust, for this folder's own files; the functions on it are public (thaw/ask.h). */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "thaw/ask.h"

#define TLS_TRUST_ID 32

struct thaw_trust {
	atomic_uint refs;
	X509_STORE *store;
	STACK_OF(X509_NAME) * names;
	uint8_t id[TLS_TRUST_ID];
};

/* X509_V_OK, or why trust does not believe certificate as a TLS client's. chain may be NULL. *path: what the
 * verification built, from the certificate to the trust anchor, which the caller frees; NULL where it is not X509_V_OK.
 */
int tls_trust_verify(const thaw_trust *trust, X509 *certificate, STACK_OF(X509) * chain, STACK_OF(X509) * *path);

#endif
