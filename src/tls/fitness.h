/* Checks whether a client's own certificate can be accepted at all, to explain why a server rejected it. */
#ifndef TLS_FITNESS_H
#define TLS_FITNESS_H

#include <time.h>

#include "tls/key_files.h"

struct ssl_ctx_st;

#define TLS_FITNESS_ROOM 256

/*
 * Why a server would reject the certificate, or a CA certificate that is sent with it: validity period, usage, key
 * size, digest. One clause, such as "your certificate expired on 2026-01-31 12:00:00 UTC". False: no problem found.
 */
bool tls_fitness_fault(const struct tls_key_pair *pair, time_t now, char to[static TLS_FITNESS_ROOM]);

/* Makes a context use the pair. name: the prefix of *err, for errors such as a key that is too weak. */
enum thaw_status tls_fitness_use(const struct tls_key_pair *pair, const char *name, struct ssl_ctx_st *ctx,
				 struct thaw_error *err);

#endif
