/* SHA-256 of a stream. */
#ifndef TLS_DIGEST_H
#define TLS_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define TLS_DIGEST_HEX 65 /* 64 digits and a NUL */

struct tls_digest;

struct tls_digest *tls_digest_new(void); /* NULL: out of memory */
void tls_digest_free(struct tls_digest **digest);
bool tls_digest_add(struct tls_digest *digest, const void *data, size_t len);
bool tls_digest_end(struct tls_digest *digest, char hex[static TLS_DIGEST_HEX]);

#endif
