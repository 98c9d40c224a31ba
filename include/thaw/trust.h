/*
 * The trust: decides which client certificates are accepted.
 *
 * A thaw_trust has CA certificates, optional CRLs, and the rules of a verification. It does not change after it is
 * made, can be shared by any number of connections, and is reference-counted.
 *
 * Threads: any number of threads may use a thaw_trust at once. Each must hold a reference, or be sure that another one
 * is held.
 */
#ifndef THAW_TRUST_H
#define THAW_TRUST_H

#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct x509_store_st;

typedef struct thaw_trust thaw_trust;

/* Which certificates of a chain need a CRL, if CRLs are used. */
enum thaw_crl_check {
	/* Each certificate below the trust anchor is rejected if there is no CRL of its issuer. */
	THAW_CRL_CHAIN,
	/* Only the client's own certificate. CA certificates are checked if there is a CRL of their issuer. */
	THAW_CRL_LEAF,
};

/* The required purpose of a client's certificate. */
enum thaw_purpose {
	/* TLS client: an extended key usage, if present, must list clientAuth. */
	THAW_PURPOSE_CLIENT,
	/* Any: the extended key usages of the certificate and its CAs are ignored. The key usage must allow signatures.
	 * */
	THAW_PURPOSE_ANY,
};

/* Options of a trust. Zero selects a field's default; ca is required. */
struct thaw_trust_options {
	size_t size;                   /* sizeof(struct thaw_trust_options) */
	const char *ca;                /* PEM file of CA certificates */
	const char *crl;               /* PEM file of their CRLs; NULL: revocation is not checked */
	enum thaw_crl_check crl_check; /* which certificates need a CRL */
	enum thaw_purpose purpose;     /* required purpose of a certificate */
	unsigned depth; /* most CA certificates between the client's and the trust anchor, up to INT_MAX; 0: 8 */
	bool no_names; /* do not send the names of the CAs to clients; by default they are sent if they fit in 16 KiB */
	/* Each certificate in ca is a trust anchor, also an intermediate CA whose root is not in ca. A certificate that
	 * a CRL in crl revokes is not. */
	bool partial_chain;
	size_t max_cert_list; /* most bytes of a client's Certificate message, below 2^24; a longer one ends the
				 connection; 0: 32 KiB */
};

/*
 * Makes a trust from files. THAW_FAILED: a file cannot be read or has no certificate, a CA has no CRL under
 * THAW_CRL_CHAIN, an option is out of range, or out of memory.
 */
enum thaw_status thaw_trust_open(const struct thaw_trust_options *options, thaw_trust **trust,
				 struct thaw_error *err) THAW_MUST_CHECK;

/* As thaw_trust_open() with the defaults. crl_file may be NULL. */
enum thaw_status thaw_trust_load(const char *ca_file, const char *crl_file, thaw_trust **trust,
				 struct thaw_error *err) THAW_MUST_CHECK;

/*
 * Makes a trust from an X509_STORE, and takes its own reference to it. Clients are sent the names of the CAs in the
 * store. The store's parameters (X509_STORE_get0_param) apply to every verification, combined with the SSL's as OpenSSL
 * does in a handshake. If they set no depth, it is 8. The store must not be changed afterwards. Its callbacks and
 * lookups must be able to run on several threads at once. THAW_FAILED: out of memory.
 */
enum thaw_status thaw_trust_from_store(struct x509_store_st *store, thaw_trust **trust,
				       struct thaw_error *err) THAW_MUST_CHECK;

/* Adds a reference. Returns trust. */
thaw_trust *thaw_trust_ref(thaw_trust *trust);

/* Releases a reference, and sets the pointer to NULL. *trust may be NULL. */
void thaw_trust_free(thaw_trust **trust);

/* The most bytes of CA names in a certificate request. A client is sent all names of a trust, or none. */
#define THAW_CA_NAMES_MAX 16384

/* The size in bytes of the trust's CA names, if it exceeds THAW_CA_NAMES_MAX, so that none is sent. 0: they fit, or
 * options.no_names is set. */
size_t thaw_trust_names_left_out(const thaw_trust *trust);

/* The length of what thaw_trust_id() returns. */
#define THAW_TRUST_ID_LEN 32

/*
 * An ID of the trust's settings, THAW_TRUST_ID_LEN bytes. Use it to bind session tickets to them
 * (SSL_CTX_set_session_id_context). It is the same in all processes, and belongs to the trust. It covers certificates,
 * CRLs and options. For a trust from a store it does not cover callbacks, lookups, and names that the parameters
 * require: if two such trusts differ only in these, add something of your own to the session ID context.
 */
const uint8_t *thaw_trust_id(const thaw_trust *trust);

#ifdef __cplusplus
}
#endif
#endif
