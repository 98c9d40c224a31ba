/* The inside of a thaw_trust, for this folder's own files; the functions on it are public (thaw/ask.h). It is made in
 * trust.c, on tls_peer_store(), and verified with by trust_use.c. */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include <stdatomic.h>

#include <openssl/ssl.h>

#include "thaw/ask.h"

#define TLS_TRUST_ID 32

#define TLS_DEPTH         8            /* CA certificates between a client's and the trust anchor */
#define TLS_MAX_CERT_LIST (32L * 1024) /* bytes of a client's Certificate message */

struct thaw_trust {
	atomic_uint refs;
	X509_STORE *store;
	X509_STORE *hook; /* what OpenSSL is given in its place: peer.h */
	STACK_OF(X509_NAME) * names;
	size_t names_left_out; /* bytes of those names that do not fit; then none is sent */
	size_t max_cert_list;
	enum thaw_crl_check crl_check;
	enum thaw_purpose purpose;
	STACK_OF(X509) * revoked; /* trust anchors that a CRL of the trust revokes; NULL: none */
	bool own;                 /* made from files: crl_check holds */
	uint8_t id[TLS_TRUST_ID];
};

/* The rules of this trust that no parameter of a verification expresses. */
void tls_trust_prepare(const thaw_trust *trust, X509_STORE_CTX *ctx);

/* The same, of a chain that is verified. False: it is rejected, for the error and at the certificate set in ctx. */
bool tls_trust_recheck(const thaw_trust *trust, X509_STORE_CTX *ctx);

#endif
