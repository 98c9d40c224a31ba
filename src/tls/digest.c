#include "tls/digest.h"

#include <openssl/evp.h>

/* A struct tls_digest is an EVP_MD_CTX; the header needs no OpenSSL types. */

struct tls_digest *tls_digest_new(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		return NULL;
	}
	return (struct tls_digest *)ctx;
}

void tls_digest_free(struct tls_digest **digest)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)*digest);
	*digest = NULL;
}

bool tls_digest_add(struct tls_digest *digest, const void *data, size_t len)
{
	return EVP_DigestUpdate((EVP_MD_CTX *)digest, data, len) == 1;
}

bool tls_digest_end(struct tls_digest *digest, char hex[static TLS_DIGEST_HEX])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (EVP_DigestFinal_ex((EVP_MD_CTX *)digest, sum, &len) != 1)
		return false;
	for (unsigned i = 0; i < len && 2 * i + 2 < TLS_DIGEST_HEX; i++) {
		hex[2 * i] = "0123456789abcdef"[sum[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[sum[i] & 15];
	}
	hex[TLS_DIGEST_HEX - 1] = '\0';
	return true;
}
