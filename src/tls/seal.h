/* AES-256-GCM under a random key that lives in this process's memory only: for what is spooled to a disk. */
#ifndef TLS_SEAL_H
#define TLS_SEAL_H

#include "base/cipher.h"
#include "thaw/types.h"

/* cipher->ops->free() wipes and frees the key. */
enum thaw_status tls_seal_new(struct cipher *cipher, struct thaw_error *err) THAW_MUST_CHECK;

#endif
