/* Private parts of a thaw_trust, for this folder; its functions are public (thaw/trust.h). trust.c creates it, on
 * tls_peer_store(); trust_use.c has its rules. */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include <stdatomic.h>
#include <string.h>

#include <openssl/ssl.h>

#include "thaw/ask.h"

#define TLS_TRUST_ID 32

/*
 * What decides on a certificate, in this process. The store of an application may have rules that no digest covers
 * (callbacks, folders of certificates, names), so no two trusts from stores have the same rules.
 */
struct tls_rules {
	uint8_t id[TLS_TRUST_ID];
	uint64_t number; /* 0: a trust from files, whose id covers all its rules */
};

#define TLS_DEPTH         8            /* most CA certificates between the client's and the trust anchor */
#define TLS_MAX_CERT_LIST (32L * 1024) /* most bytes of a client's Certificate message */

struct thaw_trust {
	atomic_uint refs;
	X509_STORE *store;
	X509_STORE *hook; /* the store that OpenSSL gets instead: peer.h */
	STACK_OF(X509_NAME) * names;
	size_t names_left_out; /* size of the names if they do not fit, so that none is sent; else 0 */
	size_t max_cert_list;
	enum thaw_crl_check crl_check;
	enum thaw_purpose purpose;
	STACK_OF(X509) * revoked; /* trust anchors that a CRL revokes; NULL: none */
	bool own;                 /* made from files: crl_check applies */
	struct tls_rules rules;
};

/* Whether both are the rules of one trust, or of trusts from equal files with equal options. */
static inline bool tls_rules_equal(const struct tls_rules *a, const struct tls_rules *b)
{
	return a->number == b->number && memcmp(a->id, b->id, TLS_TRUST_ID) == 0;
}

/* Sets the rules of this trust that X509_VERIFY_PARAM cannot express. */
void tls_trust_prepare(const thaw_trust *trust, X509_STORE_CTX *ctx);

/* Checks such rules on a verified chain. False: rejected, with error and certificate set in ctx. */
bool tls_trust_recheck(const thaw_trust *trust, X509_STORE_CTX *ctx);

#endif
