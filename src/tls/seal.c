#include "tls/seal.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/error.h"
#include "tls/failure.h"

#define KEY_LEN 32

/* The key is an EVP_CIPHER_CTX for each direction; the key bytes are wiped once both are initialized. */
struct key {
	EVP_CIPHER_CTX *seal, *open;
};

static bool seal(void *arg, const uint8_t nonce[CIPHER_NONCE], const void *plain, size_t len, void *out)
{
	const struct key *key = arg;
	unsigned char *bytes = out;
	int n = 0, rest = 0;
	bool ok = len <= INT_MAX && EVP_EncryptInit_ex(key->seal, NULL, NULL, NULL, nonce) == 1 &&
		  EVP_EncryptUpdate(key->seal, bytes, &n, plain, (int)len) == 1 &&
		  EVP_EncryptFinal_ex(key->seal, bytes + n, &rest) == 1 &&
		  EVP_CIPHER_CTX_ctrl(key->seal, EVP_CTRL_AEAD_GET_TAG, CIPHER_TAG, bytes + len) == 1;

	ERR_clear_error();
	return ok;
}

static bool open_sealed(void *arg, const uint8_t nonce[CIPHER_NONCE], const void *sealed, size_t len, void *out)
{
	const struct key *key = arg;
	unsigned char tag[CIPHER_TAG], *bytes = out;
	int n = 0, rest = 0;

	for (size_t i = 0; i < CIPHER_TAG; i++)
		tag[i] = ((const unsigned char *)sealed)[len + i];
	bool ok = len <= INT_MAX && EVP_DecryptInit_ex(key->open, NULL, NULL, NULL, nonce) == 1 &&
		  EVP_DecryptUpdate(key->open, bytes, &n, sealed, (int)len) == 1 &&
		  EVP_CIPHER_CTX_ctrl(key->open, EVP_CTRL_AEAD_SET_TAG, CIPHER_TAG, tag) == 1 &&
		  EVP_DecryptFinal_ex(key->open, bytes + n, &rest) == 1;
	ERR_clear_error();
	return ok;
}

static void free_key(void *arg)
{
	struct key *key = arg;

	if (key == NULL)
		return;
	EVP_CIPHER_CTX_free(key->seal); /* both wipe their key schedule */
	EVP_CIPHER_CTX_free(key->open);
	OPENSSL_free(key);
}

enum thaw_status tls_seal_new(struct cipher *cipher, struct thaw_error *err)
{
	static const struct cipher_ops ops = {seal, open_sealed, free_key};
	unsigned char bytes[KEY_LEN];
	struct key *key = OPENSSL_zalloc(sizeof(*key));
	bool ok = key != NULL && (key->seal = EVP_CIPHER_CTX_new()) != NULL &&
		  (key->open = EVP_CIPHER_CTX_new()) != NULL && RAND_priv_bytes(bytes, KEY_LEN) == 1 &&
		  EVP_EncryptInit_ex(key->seal, EVP_aes_256_gcm(), NULL, bytes, NULL) == 1 &&
		  EVP_DecryptInit_ex(key->open, EVP_aes_256_gcm(), NULL, bytes, NULL) == 1;

	OPENSSL_cleanse(bytes, sizeof(bytes));
	if (!ok) {
		free_key(key);
		return tls_library_failure(THAW_ERR_RESOURCE, "making the spool's key", err);
	}
	*cipher = (struct cipher){&ops, key};
	return THAW_OK;
}
