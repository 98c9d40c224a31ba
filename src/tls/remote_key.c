/*
 * Keys whose signatures the signer process makes. An engine in this process gives OpenSSL the signing methods of these
 * keys only. Engines are deprecated in OpenSSL 3.0, but a provider's methods would be candidates for all other keys,
 * too.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "base/error.h"
#include "tls/failure.h"
#include "tls/signer.h"
#include "tls/signer_message.h"

struct tls_remote {
	int fd;              /* -1: none */
	uint64_t next_id;    /* begins anywhere: answers to a worker that had this socket before are not taken */
	const char *failure; /* of the last one; static */
};

struct binding {
	struct tls_remote *remote;
	uint32_t host;
};

/* Created with the first remote key, and kept until the process ends: an ENGINE owns its methods. */
static struct {
	ENGINE *engine;
	EVP_PKEY_METHOD *rsa, *ec;
	int index; /* of a key's struct binding */
} own;

/* Of this process, which waits for one signature at a time, whoever's it is. */
static struct {
	uint64_t retry_ms; /* no signature is asked for before */
	uint64_t spent_ms; /* on signatures, in this turn */
} waits;

/* ---- asking ---- */

static bool fail(struct tls_remote *remote, const char *why)
{
	remote->failure = why;
	return false;
}

/* False: timed out, or the socket failed. */
static bool wait_for_answer(const struct tls_remote *remote, const struct sign_request *request,
			    struct sign_answer *answer)
{
	struct pollfd from = {.fd = remote->fd, .events = POLLIN};

	for (;;) {
		ssize_t got = recv(remote->fd, answer, sizeof(*answer), MSG_DONTWAIT | MSG_TRUNC);
		if (got == (ssize_t)sizeof(*answer) && answer->id == request->id)
			return true;
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			return false;
		uint64_t now_ms = clock_now_ms();
		if (now_ms >= request->until_ms)
			return false;
		if (got < 0)
			(void)poll(&from, 1, (int)(request->until_ms - now_ms));
	}
}

static bool exchange(struct tls_remote *remote, struct sign_request *request, struct sign_answer *answer)
{
	uint64_t begin_ms = clock_now_ms();

	request->id = remote->next_id++;
	request->until_ms = begin_ms + TLS_SIGN_MS;
	bool answered =
		send(remote->fd, request, sizeof(*request), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*request) &&
		wait_for_answer(remote, request, answer);
	uint64_t end_ms = clock_now_ms();
	waits.spent_ms += end_ms - begin_ms;
	waits.retry_ms = answered ? 0 : end_ms + TLS_SIGN_MS;
	return answered;
}

static bool ask(struct tls_remote *remote, struct sign_request *request, unsigned char *signature, size_t *len)
{
	struct sign_answer answer;

	if (remote->fd < 0)
		return fail(remote, "there is no signer process");
	if (clock_now_ms() < waits.retry_ms)
		return fail(remote, "the signer process recently did not answer in time");
	if (!exchange(remote, request, &answer))
		return fail(remote, "the signer process did not answer in time");
	if (answer.len == 0 || answer.len > sizeof(answer.signature) || answer.len > *len)
		return fail(remote, "the token made no signature");
	memcpy(signature, answer.signature, answer.len);
	*len = answer.len;
	return true;
}

/* ---- OpenSSL's side ---- */

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

	if (signature == NULL) {
		*len = (size_t)EVP_PKEY_get_size(key);
		return 1;
	}
	if (binding == NULL)
		return 0;
	request.host = binding->host;
	if (digest_len > sizeof(request.digest) || !take_hash(ctx, &request) ||
	    !take_scheme(ctx, EVP_PKEY_get_base_id(key), &request))
		return fail(binding->remote, "signatures of this type are not supported with keys on tokens");
	memcpy(request.digest, digest, digest_len);
	return ask(binding->remote, &request, signature, len);
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

struct tls_remote *tls_remote_new(struct thaw_error *err)
{
	struct tls_remote *remote = calloc(1, sizeof(*remote));

	if (remote == NULL || !make_engine()) {
		free(remote);
		ERR_clear_error();
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	remote->fd = -1;
	return remote;
}

void tls_remote_free(struct tls_remote **remote)
{
	free(*remote);
	*remote = NULL;
}

void tls_remote_use(struct tls_remote *remote, int fd)
{
	remote->fd = fd;
	waits.retry_ms = 0;
	if (RAND_bytes((unsigned char *)&remote->next_id, sizeof(remote->next_id)) != 1)
		remote->fd = -1; /* handshakes fail, too, if there is no randomness */
	ERR_clear_error();
}

void tls_remote_turn(void)
{
	waits.spent_ms = 0;
}

bool tls_remote_may_wait(void)
{
	return waits.spent_ms < TLS_SIGN_SHARE_MS;
}

const char *tls_remote_failure(struct tls_remote *remote)
{
	const char *failure = remote != NULL ? remote->failure : NULL;

	if (remote != NULL)
		remote->failure = NULL;
	return failure;
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

static bool bind_to(EVP_PKEY *key, struct tls_remote *remote, size_t host)
{
	struct binding *binding = malloc(sizeof(*binding));

	if (binding == NULL)
		return false;
	*binding = (struct binding){.remote = remote, .host = (uint32_t)host};
	if (EVP_PKEY_set_ex_data(key, own.index, binding) == 1)
		return EVP_PKEY_set1_engine(key, own.engine) == 1;
	free(binding);
	return false;
}

struct evp_pkey_st *tls_remote_key(struct tls_remote *remote, const struct x509_st *certificate, size_t host,
				   struct thaw_error *err)
{
	EVP_PKEY *from = X509_get0_pubkey(certificate), *key = NULL;
	int type = from != NULL ? EVP_PKEY_get_base_id(from) : EVP_PKEY_NONE;

	if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC) {
		(void)error_set(err, THAW_ERR_CONFIG, "a key on a token must be an RSA or EC key");
		return NULL;
	}
	key = copy_public(from, type);
	if (key != NULL && bind_to(key, remote, host))
		return key;
	EVP_PKEY_free(key);
	(void)tls_library_failure(THAW_ERR_RESOURCE, "making a key of the signer's", err);
	return NULL;
}
