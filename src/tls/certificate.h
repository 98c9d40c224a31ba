/* A client's certificate as plain data, so that other folders do not need OpenSSL's headers. */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include "tls/details.h"

struct tls_certificate;
struct x509_st;
struct X509_name_st;
struct stack_st_X509;

/*
 * path: the verified chain, from the certificate to the trust anchor; NULL: none. Takes its own references to both.
 * NULL: out of memory, or the certificate cannot be encoded.
 */
struct tls_certificate *tls_certificate_new(struct x509_st *x509, const struct stack_st_X509 *path);
void tls_certificate_free(struct tls_certificate **certificate);

/* Belongs to the certificate. */
const struct tls_identity *tls_certificate_identity(const struct tls_certificate *certificate);

/* Only for this folder; they belong to the certificate. */
struct x509_st *tls_certificate_x509(const struct tls_certificate *certificate);
const struct stack_st_X509 *tls_certificate_path(const struct tls_certificate *certificate); /* or NULL */

/* The name in RFC 4514 form, in UTF-8; control characters and NUL are escaped. The caller frees it. NULL: out of
 * memory. */
char *tls_name_text(const struct X509_name_st *name);

/* Whether both are the same certificate, byte for byte (by SHA-256). */
bool tls_certificate_equal(const struct tls_certificate *a, const struct tls_certificate *b);

#endif
