/*
 * The header fields that tell an upstream who the client is, and those that a client may not send itself.
 * docs/IDENTITY.md says what each set is.
 */
#ifndef GATEWAY_IDENTITY_H
#define GATEWAY_IDENTITY_H

#include "http/response.h"
#include "thaw/ask.h"
#include "tls/details.h"

#define GW_IDENTITY_MAX 49152 /* bytes of all fields together */

/*
 * All fields of these sets (CONFIG_IDENTITY_*) for a certificate, as the lines of a head; the caller frees them. A
 * chain that does not fit is left out. NULL: no memory, or more than GW_IDENTITY_MAX without a chain.
 */
char *gw_identity_fields(unsigned sets, const struct thaw_identity *identity, const struct tls_details *details,
			 size_t *len);

/* The same where the request has no identity: what says so. */
void gw_identity_none(unsigned sets, struct http_writer *writer);

/* Whether an inbound field of that name is left out: it belongs to any of the sets, or is believed by some upstream, in
 * that spelling or in one that servers take for it ('_', '.' or any other sign for '-', any case). */
bool gw_identity_is_reserved(struct http_span name);

#endif
