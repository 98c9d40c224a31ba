#include "tls/credentials.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "tls/fitness.h"
#include "tls/key_files.h"
#include "tls/pkcs11.h"

struct tls_credentials {
	struct tls_key_pair pair;
	struct pkcs11_token *tokens[2]; /* of the certificate, and of the key if different; NULL: files */
	char *name;                     /* the certificate's file or URI, for errors */
};

/* ---- all of them ---- */

/* Uses one token if one URI means both. */
static enum thaw_status read_both(struct tls_credentials *credentials, const char *certificate, const char *key,
				  const struct tls_credentials_source *source, struct thaw_error *err)
{
	const struct tls_secret made = key_files_secret(source), *secret = &made;
	struct pkcs11_token *token = NULL;

	if (pkcs11_is_uri(certificate)) {
		token = credentials->tokens[0] = pkcs11_token_new(certificate, secret, err);
		if (token != NULL)
			credentials->pair.certificate = pkcs11_token_certificate(token, err);
	} else {
		(void)key_files_certificate(&credentials->pair, certificate, secret, source->setting.certificate_place,
					    err);
	}
	if (err->cls != THAW_ERR_NONE)
		return THAW_FAILED;
	if (!pkcs11_is_uri(key))
		return key_files_key(&credentials->pair, key, secret, source->setting.place, err);
	if (key != certificate)
		token = credentials->tokens[1] = pkcs11_token_new(key, secret, err);
	if (token != NULL)
		credentials->pair.key = pkcs11_token_key(token, credentials->pair.certificate, err);
	return err->cls == THAW_ERR_NONE ? THAW_OK : THAW_FAILED;
}

static enum thaw_status read_all(struct tls_credentials *credentials, const struct tls_credentials_source *source,
				 struct thaw_error *err)
{
	const char *certificate = source->certificate != NULL ? source->certificate : source->key;
	const char *key = source->key != NULL ? source->key : source->certificate;

	if (source->pkcs12 != NULL)
		return key_files_pkcs12(&credentials->pair, source->pkcs12, &source->secret, err);
	if (certificate == NULL)
		return error_set(err, THAW_ERR_USAGE, "neither a certificate nor a key is named");
	return read_both(credentials, certificate, key, source, err);
}

static const char *key_name(const struct tls_credentials_source *source, const char *otherwise)
{
	return source->pkcs12 == NULL && source->key != NULL ? source->key : otherwise;
}

static enum thaw_status check(struct tls_credentials *credentials, const struct tls_credentials_source *source,
			      struct thaw_error *err)
{
	return key_files_match(&credentials->pair, key_name(source, credentials->name), source, err);
}

struct tls_credentials *tls_credentials_new(const struct tls_credentials_source *source, struct thaw_error *err)
{
	struct tls_credentials *credentials = calloc(1, sizeof(*credentials));
	const char *name = source->pkcs12 != NULL        ? source->pkcs12
			   : source->certificate != NULL ? source->certificate
							 : source->key;
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	ERR_clear_error();
	if (credentials != NULL)
		credentials->name = strdup(name != NULL ? name : "");
	if (credentials == NULL || credentials->name == NULL)
		(void)error_set(&why, THAW_ERR_RESOURCE, "out of memory");
	else if (read_all(credentials, source, &why) == THAW_OK)
		(void)check(credentials, source, &why);
	ERR_clear_error(); /* errors that OpenSSL recovered from */
	if (why.cls == THAW_ERR_NONE)
		return credentials;
	(void)error_set(err, why.cls, "%s", why.text);
	tls_credentials_free(&credentials);
	return NULL;
}

struct tls_credentials *tls_credentials_of_key(const struct tls_credentials_source *source, tls_key_maker *make,
					       void *arg, struct thaw_error *err)
{
	struct tls_credentials *credentials = calloc(1, sizeof(*credentials));
	const struct tls_secret nobody = {.ask = NULL};
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	if (credentials != NULL)
		credentials->name = strdup(source->certificate);
	if (credentials == NULL || credentials->name == NULL)
		(void)error_set(&why, THAW_ERR_RESOURCE, "out of memory");
	else if (key_files_certificate(&credentials->pair, source->certificate, &nobody,
				       source->setting.certificate_place, &why) == THAW_OK)
		credentials->pair.key = make(arg, credentials->pair.certificate, &why);
	ERR_clear_error();
	if (why.cls == THAW_ERR_NONE)
		return credentials;
	(void)error_set(err, why.cls, "%s", why.text);
	tls_credentials_free(&credentials);
	return NULL;
}

void tls_credentials_free(struct tls_credentials **credentials)
{
	struct tls_credentials *old = *credentials;

	*credentials = NULL;
	if (old == NULL)
		return;
	X509_free(old->pair.certificate);
	sk_X509_pop_free(old->pair.chain, X509_free);
	EVP_PKEY_free(old->pair.key);
	for (size_t i = 0; i < sizeof(old->tokens) / sizeof(old->tokens[0]); i++)
		pkcs11_token_free(&old->tokens[i]);
	free(old->name);
	free(old);
}

void tls_credentials_fault(const struct tls_credentials *credentials, char to[static TLS_FAULT_ROOM])
{
	(void)tls_fitness_fault(&credentials->pair, time(NULL), to);
}

enum thaw_status tls_credentials_use(const struct tls_credentials *credentials, struct ssl_ctx_st *ctx,
				     struct thaw_error *err)
{
	return tls_fitness_use(&credentials->pair, credentials->name, ctx, err);
}
