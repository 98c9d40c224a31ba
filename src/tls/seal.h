/* AES-256-GCM with a random key that exists only in this process's memory, for spool files. */
#ifndef TLS_SEAL_H
#define TLS_SEAL_H

#include "base/cipher.h"
#include "thaw/types.h"

/* cipher->ops->free() wipes and frees the key. */
enum thaw_status tls_seal_new(struct cipher *cipher, struct thaw_error *err) THAW_MUST_CHECK;

#endif
