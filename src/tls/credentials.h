/*
 * A client's certificate, its chain and its private key, read once: from PEM files, a PKCS #12 file (RFC 7292), or a
 * token that a PKCS #11 URI names (RFC 7512). Secrets on the way are asked for, wiped, and never part of an error's
 * text.
 */
#ifndef TLS_CREDENTIALS_H
#define TLS_CREDENTIALS_H

#include "thaw/types.h"

#define TLS_SECRET_MAX 1024 /* bytes of a pass phrase or a PIN, with its NUL */

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_st;
struct tls_credentials;

/* Who is asked for pass phrases and PINs. ask NULL: nobody, so that one that is needed is an error. */
struct tls_secret {
	/* what: such as "the pass phrase of client.key". THAW_OK: into has the answer and a NUL, which the caller
	 * wipes. */
	enum thaw_status (*ask)(void *arg, const char *what, char *into, size_t room, struct thaw_error *err);
	void *arg;
};

/* What a configuration says beside a key. */
struct tls_key_setting {
	const char *pass_phrase; /* a file whose first line it is; NULL: ask as the secret says */
	/* Of the settings that name key and certificate, for messages about them; NULL: none. */
	const char *place, *certificate_place;
};

/*
 * Either certificate and key, of which each is a PEM file or a pkcs11: URI, or pkcs12. key NULL: it is in the
 * certificate's file, or on the certificate's token. certificate NULL: it is on the key's token.
 */
struct tls_credentials_source {
	const char *certificate, *key, *pkcs12;
	struct tls_key_setting setting;
	struct tls_secret
		secret; /* what its arg points to outlives the credentials: some cards ask at each signature */
};

/* NULL with *err set, whose text begins with the file or URI that it is about. */
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

/* Why a server refuses the certificate, whatever it is configured to: "" where nothing is wrong with it. One clause. */
void tls_credentials_fault(const struct tls_credentials *credentials, char to[static TLS_FAULT_ROOM]);

/* Lets connections of this context answer a request for a certificate with these. */
enum thaw_status tls_credentials_use(const struct tls_credentials *credentials, struct ssl_ctx_st *ctx,
				     struct thaw_error *err) THAW_MUST_CHECK;

#endif
