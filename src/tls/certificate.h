/* A client's certificate as plain data, so that nobody above this folder needs OpenSSL's headers to know who it is. */
#ifndef TLS_CERTIFICATE_H
#define TLS_CERTIFICATE_H

#include "tls/details.h"

struct tls_certificate;
struct x509_st;
struct X509_name_st;
struct stack_st_X509;

/*
 * path: from the certificate to the trust anchor, as the verification built it; NULL: none was built. Takes references
 * of its own to both. NULL: no memory, or a certificate that cannot be encoded.
 */
struct tls_certificate *tls_certificate_new(struct x509_st *x509, const struct stack_st_X509 *path);
void tls_certificate_free(struct tls_certificate **certificate);

/* Belongs to the certificate. */
const struct tls_identity *tls_certificate_identity(const struct tls_certificate *certificate);

/* For this folder's own files; they belong to the certificate. */
struct x509_st *tls_certificate_x509(const struct tls_certificate *certificate);
const struct stack_st_X509 *tls_certificate_path(const struct tls_certificate *certificate); /* or NULL */

/* RFC 4514, UTF-8 left as it is: control characters, NUL among them, are escaped. The caller frees it; NULL: no memory.
 */
char *tls_name_text(const struct X509_name_st *name);

/* The same certificate, byte for byte (by its SHA-256). */
bool tls_certificate_equal(const struct tls_certificate *a, const struct tls_certificate *b);

#endif
