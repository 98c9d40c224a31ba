/*
 * Keys and certificates on tokens (smart cards, HSMs), by URI (RFC 7512), through OpenSSL's engine "pkcs11" of libp11.
 * The only user of OpenSSL's engines.
 */
#ifndef TLS_PKCS11_H
#define TLS_PKCS11_H

#include "tls/credentials.h"

struct evp_pkey_st;
struct x509_st;
struct pkcs11_token;

bool pkcs11_is_uri(const char *text);

/*
 * Opens the module that uri's module-path names, or the system's (p11-kit). *secret is copied. NULL with *err set. A
 * pin-source is read when the PIN is needed; a pin-value is refused, because a URI is no place to keep a secret in. The
 * engine keeps its module, and a PIN that was right, until the process ends: there is one module a process.
 */
struct pkcs11_token *pkcs11_token_new(const char *uri, const struct tls_secret *secret, struct thaw_error *err);
void pkcs11_token_free(struct pkcs11_token **token);

/*
 * The private key, or the certificate, that the URI means; whichever `type` it has. The caller frees the result, before
 * the token. Where the URI means several keys, the one of the certificate (which may be NULL) is taken: with the same
 * CKA_ID, on the same token. Else a URI that means several is an error, which lists them. NULL with *err set.
 */
struct evp_pkey_st *pkcs11_token_key(struct pkcs11_token *token, const struct x509_st *certificate,
				     struct thaw_error *err);
struct x509_st *pkcs11_token_certificate(struct pkcs11_token *token, struct thaw_error *err);

#endif
