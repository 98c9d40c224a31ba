/*
 * The trust: which client certificates are accepted.
 *
 * A thaw_trust holds CA certificates, perhaps CRLs, and the rules of a verification. It does not change once it is
 * made, is shared by any number of connections, and is counted by references.
 *
 * Threads: any number of threads may use a thaw_trust at once. Each holds a reference, or knows that another one is
 * held.
 */
#ifndef THAW_TRUST_H
#define THAW_TRUST_H

#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct x509_store_st;

typedef struct thaw_trust thaw_trust;

/* Which certificates of a chain need a CRL, if there are any CRLs. */
enum thaw_crl_check {
	/* Each one below the trust anchor: without a CRL of its issuer it is rejected. */
	THAW_CRL_CHAIN,
	/* The client's own. A CA certificate above it is checked where there is a CRL of its issuer. */
	THAW_CRL_LEAF,
};

/* What a client's certificate must be made for. */
enum thaw_purpose {
	/* For TLS clients: an extended key usage, if it has one, lists clientAuth. */
	THAW_PURPOSE_CLIENT,
	/* For anything: its extended key usage is not looked at, nor its CAs'. Its key usage must allow signatures. */
	THAW_PURPOSE_ANY,
};

/* Zero stands for each default; ca is required. */
struct thaw_trust_options {
	size_t size;                   /* sizeof(struct thaw_trust_options) */
	const char *ca;                /* PEM file of CA certificates */
	const char *crl;               /* PEM file of their CRLs; NULL: revocation is not checked */
	enum thaw_crl_check crl_check; /* which certificates need a CRL */
	enum thaw_purpose purpose;     /* what a certificate must be made for */
	unsigned depth;                /* CA certificates between a client's and the trust anchor, at most; 0: 8 */
	bool no_names; /* clients are not sent the names of the CAs; by default, where they fit in 16 KiB */
	/* Each certificate in ca is a trust anchor, also that of an intermediate CA whose root is not in ca. One that a
	   CRL in crl revokes is not. */
	bool partial_chain;
	size_t max_cert_list; /* bytes of a client's Certificate message, at most; a longer one ends the
				 connection; 0: 32 KiB */
};

/*
 * Makes a trust from files. THAW_FAILED when a file cannot be read or holds no certificate, or when a CA has no CRL
 * under THAW_CRL_CHAIN.
 */
enum thaw_status thaw_trust_open(const struct thaw_trust_options *options, thaw_trust **trust,
				 struct thaw_error *err) THAW_MUST_CHECK;

/* As thaw_trust_open() with the defaults. crl_file may be NULL. */
enum thaw_status thaw_trust_load(const char *ca_file, const char *crl_file, thaw_trust **trust,
				 struct thaw_error *err) THAW_MUST_CHECK;

/*
 * Makes a trust from an X509_STORE, of which it takes a reference of its own. The CA names sent to clients are those in
 * the store. The store's parameters (X509_STORE_get0_param) hold for every verification, joined with the SSL's as
 * OpenSSL does for a handshake; where they give no depth, it is 8. The store must not be changed any more.
 */
enum thaw_status thaw_trust_from_store(struct x509_store_st *store, thaw_trust **trust,
				       struct thaw_error *err) THAW_MUST_CHECK;

/* Takes one reference more. Returns trust. */
thaw_trust *thaw_trust_ref(thaw_trust *trust);

/* Gives a reference back, and sets the pointer to NULL. *trust may be NULL. */
void thaw_trust_free(thaw_trust **trust);

/* Bytes of CA names in a request for a certificate. A client is sent all names of a trust, or none. */
#define THAW_CA_NAMES_MAX 16384

/* The bytes that the names of the trust's CAs need, where they are more than THAW_CA_NAMES_MAX: then none is sent. 0:
 * they fit, or are not wanted. */
size_t thaw_trust_names_left_out(const thaw_trust *trust);

/* The length of what thaw_trust_id() returns. */
#define THAW_TRUST_ID_LEN 32

/* Bytes that differ between different settings of trust: for binding session tickets to them
 * (SSL_CTX_set_session_id_context). They belong to the trust. */
const uint8_t *thaw_trust_id(const thaw_trust *trust);

#ifdef __cplusplus
}
#endif
#endif
