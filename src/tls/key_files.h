/* Reads a certificate, its chain and its private key from PEM or PKCS #12 files (RFC 7292). */
#ifndef TLS_KEY_FILES_H
#define TLS_KEY_FILES_H

#include "tls/credentials.h"

struct evp_pkey_st;
struct x509_st;
struct stack_st_X509;

/* The owner frees each. */
struct tls_key_pair {
	struct x509_st *certificate;
	struct stack_st_X509 *chain; /* may be NULL */
	struct evp_pkey_st *key;
};

/* How to get the pass phrases of these files. */
struct tls_secret key_files_secret(const struct tls_credentials_source *source);

/* THAW_FAILED with *err set, whose text begins with the place, if there is one, and the file. *pair has what was read
 * before. */
enum thaw_status key_files_certificate(struct tls_key_pair *pair, const char *file, const struct tls_secret *secret,
				       const char *place, struct thaw_error *err);
enum thaw_status key_files_key(struct tls_key_pair *pair, const char *file, const struct tls_secret *secret,
			       const char *place, struct thaw_error *err);
enum thaw_status key_files_pkcs12(struct tls_key_pair *pair, const char *file, const struct tls_secret *secret,
				  struct thaw_error *err);

/* Checks that the key belongs to the certificate. name: the prefix of *err, after the key's place. */
enum thaw_status key_files_match(const struct tls_key_pair *pair, const char *name,
				 const struct tls_credentials_source *source, struct thaw_error *err);

#endif
