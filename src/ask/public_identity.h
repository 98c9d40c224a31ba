/* A struct thaw_identity with the memory that it points to. */
#ifndef ASK_PUBLIC_IDENTITY_H
#define ASK_PUBLIC_IDENTITY_H

#include "thaw/identity.h"

struct ask_identity;
struct tls_certificate;

/* The certificate must outlive it. NULL: out of memory. */
struct ask_identity *ask_identity_new(const struct tls_certificate *certificate);
void ask_identity_free(struct ask_identity **identity);

/* Belongs to the identity. */
const struct thaw_identity *ask_identity_of(const struct ask_identity *identity);

#endif
