/*
 * A client's certificate, chain and private key, read once: from PEM files, a PKCS #12 file (RFC 7292), or a token by
 * PKCS #11 URI (RFC 7512). Pass phrases and PINs are wiped after use, and never part of an error's text.
 */
#ifndef TLS_CREDENTIALS_H
#define TLS_CREDENTIALS_H

#include "thaw/types.h"

#define TLS_SECRET_MAX 1024 /* most bytes of a pass phrase or a PIN, including its NUL */

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;
struct tls_credentials;

/* How to get pass phrases and PINs. ask NULL: fail if one is needed. */
struct tls_secret {
	/* what: for example "the pass phrase of client.key". THAW_OK: `into` has the NUL-terminated answer, which the
	 * caller wipes. */
	enum thaw_status (*ask)(void *arg, const char *what, char *into, size_t room, struct thaw_error *err);
	void *arg;
};

/* Configuration of a key. */
struct tls_key_setting {
	const char *pass_phrase; /* file whose first line is the pass phrase; NULL: use struct tls_secret */
	/* The places of the settings for key and certificate, for messages; NULL: none. */
	const char *place, *certificate_place;
};

/*
 * Either certificate and key, each a PEM file or a pkcs11: URI, or pkcs12. key NULL: it is in the certificate's file,
 * or on the certificate's token. certificate NULL: it is on the key's token.
 */
struct tls_credentials_source {
	const char *certificate, *key, *pkcs12;
	struct tls_key_setting setting;
	struct tls_secret secret; /* arg must outlive the credentials: some cards ask at each signature */
};

/* NULL with *err set; its text begins with the file or URI. */
struct tls_credentials *tls_credentials_new(const struct tls_credentials_source *source, struct thaw_error *err);

/*
 * The same for a key that is elsewhere: certificate is a PEM file, and make gives the key for it, which becomes the
 * credentials'; NULL with *err set. No secret is asked for.
 */
typedef struct evp_pkey_st *tls_key_maker(void *arg, const struct x509_st *certificate, struct thaw_error *err);
struct tls_credentials *tls_credentials_of_key(const struct tls_credentials_source *source, tls_key_maker *make,
					       void *arg, struct thaw_error *err);

/* After all contexts that use them: a token's key lives no longer than its token's module. */
void tls_credentials_free(struct tls_credentials **credentials);

#define TLS_FAULT_ROOM 256

/* Why any server would reject the certificate, in one clause; "" if there is no such reason. */
void tls_credentials_fault(const struct tls_credentials *credentials, char to[static TLS_FAULT_ROOM]);

/* Makes connections of this context answer certificate requests with these. */
enum thaw_status tls_credentials_use(const struct tls_credentials *credentials, struct ssl_ctx_st *ctx,
				     struct thaw_error *err) THAW_MUST_CHECK;

#endif
