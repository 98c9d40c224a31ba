/* Whether a client's own certificate can be accepted at all: looked at before a server is blamed for refusing it. */
#ifndef TLS_FITNESS_H
#define TLS_FITNESS_H

#include <time.h>

#include "tls/key_files.h"

struct ssl_ctx_st;

#define TLS_FITNESS_ROOM 256

/*
 * Why a server refuses the certificate, or one of the CA certificates that are sent with it: validity period, usage,
 * key size, digest. One clause, such as "your certificate expired on 2026-01-31 12:00:00 UTC". False: nothing is wrong.
 */
bool tls_fitness_fault(const struct tls_key_pair *pair, time_t now, char to[static TLS_FITNESS_ROOM]);

/* Lets a context use them. name: what *err begins with where OpenSSL does not, as for a key that is too weak. */
enum thaw_status tls_fitness_use(const struct tls_key_pair *pair, const char *name, struct ssl_ctx_st *ctx,
				 struct thaw_error *err);

#endif
