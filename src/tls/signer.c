#include "tls/signer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "tls/key_files.h"
#include "tls/pkcs11.h"
#include "tls/secret_file.h"
#include "tls/signer_message.h"

struct signer_key {
	struct tls_credentials_source source;
	struct tls_key_pair pair;   /* the key is NULL if not open, or not on a token */
	struct pkcs11_token *token; /* NULL: the same */
	char pin[TLS_SECRET_MAX];   /* "": none is configured */
};

struct tls_signer {
	size_t count;
	struct signer_key keys[];
};

/* ---- opening ---- */

static enum thaw_status give_pin(void *arg, const char *what, char *into, size_t room, struct thaw_error *err)
{
	const char *pin = arg;
	size_t len = strlen(pin);

	(void)what;
	if (len >= room)
		return error_set(err, THAW_ERR_CONFIG, "the PIN is longer than %zu bytes", room - 1);
	memcpy(into, pin, len + 1);
	return THAW_OK;
}

/* Reads the certificate and the PIN. */
static enum thaw_status take_source(struct signer_key *key, const struct tls_credentials_source *source,
				    struct thaw_error *err)
{
	const struct tls_secret nobody = {.ask = NULL};
	const char *file = source->setting.pass_phrase;
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	key->source = *source;
	if (source->key == NULL)
		return THAW_OK;
	if (key_files_certificate(&key->pair, source->certificate, &nobody, source->setting.certificate_place, err) !=
	    THAW_OK)
		return THAW_FAILED;
	if (file == NULL || tls_secret_file_ask((void *)file, "", key->pin, sizeof(key->pin), &why) == THAW_OK)
		return THAW_OK;
	return error_set(err, why.cls, "%s: %s", source->setting.place, why.text);
}

static enum thaw_status open_key(struct signer_key *key, struct thaw_error *err)
{
	const struct tls_secret pin = {.ask = key->source.setting.pass_phrase != NULL ? give_pin : NULL,
				       .arg = key->pin};
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	key->token = pkcs11_token_new(key->source.key, &pin, &why);
	if (key->token != NULL)
		key->pair.key = pkcs11_token_key(key->token, key->pair.certificate, &why);
	if (key->pair.key == NULL)
		return error_set(err, why.cls, "%s: %s", key->source.setting.place, why.text);
	return key_files_match(&key->pair, key->source.key, &key->source, err);
}

struct tls_signer *tls_signer_new(const struct tls_credentials_source *sources, size_t count, struct thaw_error *err)
{
	struct tls_signer *signer = calloc(1, sizeof(*signer) + count * sizeof(signer->keys[0]));

	if (signer == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	signer->count = count;
	for (size_t i = 0; i < count; i++)
		if (take_source(&signer->keys[i], &sources[i], err) != THAW_OK) {
			tls_signer_free(&signer);
			return NULL;
		}
	return signer;
}

enum thaw_status tls_signer_open(struct tls_signer *signer, struct thaw_error *err)
{
	for (size_t i = 0; i < signer->count; i++)
		if (signer->keys[i].source.key != NULL && open_key(&signer->keys[i], err) != THAW_OK)
			return THAW_FAILED;
	return THAW_OK;
}

static void close_key(struct signer_key *key)
{
	EVP_PKEY_free(key->pair.key); /* free it before its token */
	X509_free(key->pair.certificate);
	sk_X509_pop_free(key->pair.chain, X509_free);
	pkcs11_token_free(&key->token);
	OPENSSL_cleanse(key->pin, sizeof(key->pin));
}

void tls_signer_free(struct tls_signer **signer)
{
	struct tls_signer *gone = *signer;

	*signer = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++)
		close_key(&gone->keys[i]);
	free(gone);
}

/* ---- signing ---- */

/* NULL: unknown hash, or wrong size of the digest. */
static const EVP_MD *hash_of(const struct sign_request *request)
{
	const EVP_MD *md = request->hash == SIGN_SHA256   ? EVP_sha256()
			   : request->hash == SIGN_SHA384 ? EVP_sha384()
			   : request->hash == SIGN_SHA512 ? EVP_sha512()
							  : NULL;

	return md != NULL && EVP_MD_get_size(md) == request->len ? md : NULL;
}

static bool set_scheme(EVP_PKEY_CTX *ctx, const struct sign_request *request)
{
	bool rsa = EVP_PKEY_get_base_id(EVP_PKEY_CTX_get0_pkey(ctx)) == EVP_PKEY_RSA;

	if (!rsa)
		return request->scheme == SIGN_ECDSA;
	if (request->scheme == SIGN_PKCS1)
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	return request->scheme == SIGN_PSS && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1;
}

static bool set_salt(EVP_PKEY_CTX *ctx, const struct sign_request *request)
{
	return request->scheme != SIGN_PSS || EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

/* The signature's length; 0: refused, or failed. */
static size_t sign(const struct tls_signer *signer, const struct sign_request *request,
		   unsigned char signature[static SIGN_SIGNATURE_MAX])
{
	const EVP_MD *md = hash_of(request);
	size_t len = SIGN_SIGNATURE_MAX;

	if (md == NULL || request->host >= signer->count || signer->keys[request->host].pair.key == NULL)
		return 0;
	EVP_PKEY *key = signer->keys[request->host].pair.key;
	EVP_PKEY_CTX *ctx = EVP_PKEY_get_size(key) <= SIGN_SIGNATURE_MAX ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	bool made = ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 && set_scheme(ctx, request) &&
		    EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 && set_salt(ctx, request) &&
		    EVP_PKEY_sign(ctx, signature, &len, request->digest, request->len) == 1;
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return made && len <= SIGN_SIGNATURE_MAX ? len : 0;
}

bool tls_signer_serve(const struct tls_signer *signer, int fd, uint64_t now_ms)
{
	struct sign_request request;
	struct sign_answer answer = {.len = 0};
	ssize_t got = recv(fd, &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);

	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	if (got != (ssize_t)sizeof(request))
		return false;
	if (now_ms >= request.until_ms)
		return true;
	answer.id = request.id;
	answer.len = sign(signer, &request, answer.signature);
	/* If the worker does not read answers, this one is lost. */
	(void)send(fd, &answer, sizeof(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}
