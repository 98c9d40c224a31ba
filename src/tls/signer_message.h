/* Messages between the signer and the workers, which are processes of the same program. */
#ifndef TLS_SIGNER_MESSAGE_H
#define TLS_SIGNER_MESSAGE_H

#include <stdint.h>

#define SIGN_DIGEST_MAX    64
#define SIGN_SIGNATURE_MAX 1024 /* RSA of 8192 bits */

enum sign_scheme { SIGN_PKCS1, SIGN_PSS, SIGN_ECDSA };
enum sign_hash { SIGN_SHA256, SIGN_SHA384, SIGN_SHA512 };

struct sign_request {
	uint64_t id;       /* the answer has the same id */
	uint64_t until_ms; /* expiry, of the monotonic clock */
	uint32_t host;
	uint8_t scheme, hash;
	uint16_t len;
	unsigned char digest[SIGN_DIGEST_MAX];
};

struct sign_answer {
	uint64_t id;
	uint64_t len; /* 0: no signature was made */
	unsigned char signature[SIGN_SIGNATURE_MAX];
};

#endif
