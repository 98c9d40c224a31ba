/*
 * Keys whose signatures the signer process makes. An engine in this process gives OpenSSL the signing methods of these
 * keys only. Engines are deprecated in OpenSSL 3.0, but a provider's methods would be candidates for all other keys,
 * too.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <stdlib.h>
#include <string.h>

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "tls/failure.h"
#include "tls/signer.h"
#include "tls/signing.h"

struct binding {
	uint32_t host;
};

/* Created with the first remote key, and kept until the process ends: an ENGINE owns its methods. */
static struct {
	ENGINE *engine;
	EVP_PKEY_METHOD *rsa, *ec;
	int index; /* of a key's struct binding */
} own;

static bool take_hash(EVP_PKEY_CTX *ctx, struct sign_request *request)
{
	const EVP_MD *md = NULL;

	if (EVP_PKEY_CTX_get_signature_md(ctx, &md) != 1 || md == NULL)
		return false;
	switch (EVP_MD_get_type(md)) {
	case NID_sha256:
		request->hash = SIGN_SHA256;
		return true;
	case NID_sha384:
		request->hash = SIGN_SHA384;
		return true;
	case NID_sha512:
		request->hash = SIGN_SHA512;
		return true;
	default:
		return false;
	}
}

static bool take_scheme(EVP_PKEY_CTX *ctx, int type, struct sign_request *request)
{
	int padding = 0;

	request->scheme = SIGN_ECDSA;
	if (type != EVP_PKEY_RSA)
		return true;
	if (EVP_PKEY_CTX_get_rsa_padding(ctx, &padding) != 1)
		return false;
	request->scheme = padding == RSA_PKCS1_PSS_PADDING ? SIGN_PSS : SIGN_PKCS1;
	return padding == RSA_PKCS1_PSS_PADDING || padding == RSA_PKCS1_PADDING;
}

static int on_sign(EVP_PKEY_CTX *ctx, unsigned char *signature, size_t *len, const unsigned char *digest,
		   size_t digest_len)
{
	EVP_PKEY *key = EVP_PKEY_CTX_get0_pkey(ctx);
	const struct binding *binding = EVP_PKEY_get_ex_data(key, own.index);
	struct sign_request request = {.len = (uint16_t)digest_len};
	struct sign_answer answer;

	if (signature == NULL) {
		*len = (size_t)EVP_PKEY_get_size(key);
		return 1;
	}
	if (binding == NULL)
		return 0;
	request.host = binding->host;
	if (digest_len > sizeof(request.digest) || !take_hash(ctx, &request) ||
	    !take_scheme(ctx, EVP_PKEY_get_base_id(key), &request))
		return tls_signing_fail("signatures of this type are not supported with keys on tokens");
	memcpy(request.digest, digest, digest_len);
	if (!tls_signing_ask(&request, &answer))
		return 0;
	if (answer.len > *len)
		return tls_signing_fail("the token made a signature that is too long");
	memcpy(signature, answer.signature, answer.len);
	*len = answer.len;
	return 1;
}

static int on_methods(ENGINE *engine, EVP_PKEY_METHOD **method, const int **types, int type)
{
	static const int both[] = {EVP_PKEY_RSA, EVP_PKEY_EC};

	(void)engine;
	if (method == NULL) {
		*types = both;
		return 2;
	}
	*method = type == EVP_PKEY_RSA ? own.rsa : type == EVP_PKEY_EC ? own.ec : NULL;
	return *method != NULL;
}

static void free_binding(void *parent, void *data, CRYPTO_EX_DATA *all, int index, long number, void *arg)
{
	(void)parent;
	(void)all;
	(void)index;
	(void)number;
	(void)arg;
	free(data);
}

/* OpenSSL's own method with another sign function. NULL: out of memory. */
static EVP_PKEY_METHOD *new_method(int type)
{
	EVP_PKEY_METHOD *method = EVP_PKEY_meth_new(type, 0);

	if (method == NULL)
		return NULL;
	EVP_PKEY_meth_copy(method, EVP_PKEY_meth_find(type));
	EVP_PKEY_meth_set_sign(method, NULL, on_sign);
	return method;
}

static bool make_engine(void)
{
	if (own.engine != NULL)
		return true;
	ENGINE *engine = ENGINE_new();
	own.rsa = new_method(EVP_PKEY_RSA);
	own.ec = new_method(EVP_PKEY_EC);
	own.index = EVP_PKEY_get_ex_new_index(0, NULL, NULL, NULL, free_binding);
	if (engine != NULL && own.rsa != NULL && own.ec != NULL && own.index >= 0 &&
	    ENGINE_set_id(engine, "thaw-signer") == 1 && ENGINE_set_name(engine, "Thaw's signer process") == 1 &&
	    ENGINE_set_pkey_meths(engine, on_methods) == 1) {
		own.engine = engine;
		return true;
	}
	EVP_PKEY_meth_free(own.rsa); /* the engine does not own them */
	EVP_PKEY_meth_free(own.ec);
	(void)ENGINE_free(engine);
	own.rsa = own.ec = NULL;
	return false;
}

/* A copy of the public key, in the legacy form that supports engine methods. */
static EVP_PKEY *copy_public(EVP_PKEY *from, int type)
{
	EVP_PKEY *key = EVP_PKEY_new();
	bool made = false;

	if (key != NULL && type == EVP_PKEY_RSA)
		made = EVP_PKEY_set1_RSA(key, (RSA *)EVP_PKEY_get0_RSA(from)) == 1;
	else if (key != NULL)
		made = EVP_PKEY_set1_EC_KEY(key, (EC_KEY *)EVP_PKEY_get0_EC_KEY(from)) == 1;
	if (made)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static bool bind_to(EVP_PKEY *key, size_t host)
{
	struct binding *binding = malloc(sizeof(*binding));

	if (binding == NULL)
		return false;
	*binding = (struct binding){.host = (uint32_t)host};
	if (EVP_PKEY_set_ex_data(key, own.index, binding) == 1)
		return EVP_PKEY_set1_engine(key, own.engine) == 1;
	free(binding);
	return false;
}

struct evp_pkey_st *tls_remote_key(const struct x509_st *certificate, size_t host, struct thaw_error *err)
{
	EVP_PKEY *from = X509_get0_pubkey(certificate), *key = NULL;
	int type = from != NULL ? EVP_PKEY_get_base_id(from) : EVP_PKEY_NONE;

	if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC) {
		(void)error_set(err, THAW_ERR_CONFIG, "a key on a token must be an RSA or EC key");
		return NULL;
	}
	if (make_engine())
		key = copy_public(from, type);
	if (key != NULL && bind_to(key, host))
		return key;
	EVP_PKEY_free(key);
	(void)tls_library_failure(THAW_ERR_RESOURCE, "making a key of the signer's", err);
	return NULL;
}
