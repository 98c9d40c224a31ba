/* Interface of authenticated encryption for the spool, so that the spool does not depend on OpenSSL. */
#ifndef BASE_CIPHER_H
#define BASE_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CIPHER_NONCE 12
#define CIPHER_TAG   16

struct cipher_ops {
	/* out: len + CIPHER_TAG bytes. A nonce is never used twice. */
	bool (*seal)(void *key, const uint8_t nonce[CIPHER_NONCE], const void *plain, size_t len, void *out);
	/* sealed: len + CIPHER_TAG bytes; out: len bytes. False: the data was not sealed under this nonce, or out of
	 * memory. */
	bool (*open)(void *key, const uint8_t nonce[CIPHER_NONCE], const void *sealed, size_t len, void *out);
	void (*free)(void *key); /* wipes it */
};

struct cipher {
	const struct cipher_ops *ops;
	void *key;
};

#endif
