/*
 * Keys and certificates on tokens (smart cards, HSMs), by URI (RFC 7512), through OpenSSL's engine "pkcs11" of libp11.
 */
#ifndef TLS_PKCS11_H
#define TLS_PKCS11_H

#include "tls/credentials.h"

struct evp_pkey_st;
struct x509_st;
struct pkcs11_token;

bool pkcs11_is_uri(const char *text);

/*
 * Opens the module in the URI's module-path, or the system's (p11-kit). *secret is copied. NULL with *err set. A
 * pin-source is read when the PIN is needed; a pin-value is refused, because a URI must not contain secrets. The engine
 * keeps its module, and a correct PIN, until the process ends: a process can use one module.
 */
struct pkcs11_token *pkcs11_token_new(const char *uri, const struct tls_secret *secret, struct thaw_error *err);
void pkcs11_token_free(struct pkcs11_token **token);

/*
 * The private key, or the certificate, of the URI, ignoring its `type`. The caller frees the result before the token.
 * If several keys match, the key of the certificate (which may be NULL) is used: same CKA_ID, same token. Otherwise
 * several matches are an error, which lists them. NULL with *err set.
 */
struct evp_pkey_st *pkcs11_token_key(struct pkcs11_token *token, const struct x509_st *certificate,
				     struct thaw_error *err);
struct x509_st *pkcs11_token_certificate(struct pkcs11_token *token, struct thaw_error *err);

#endif
