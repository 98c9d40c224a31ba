/*
 * The header fields that tell an upstream who the client is, and the fields that a client must not send itself.
 * docs/IDENTITY.md describes each set.
 */
#ifndef GATEWAY_IDENTITY_H
#define GATEWAY_IDENTITY_H

#include "gateway/origin.h"
#include "gateway/words.h"
#include "http/response.h"
#include "thaw/ask.h"
#include "tls/details.h"

/* Maximum bytes of all fields together: with a head of HTTP_HEAD_MAX bytes they fit in the buffer of an upstream
 * request. */
#define GW_IDENTITY_MAX 28672

/*
 * Returns all fields of these sets (CONFIG_IDENTITY_*) for a certificate, as lines of a head; the caller frees them. If
 * the chain does not fit, it is left out and *chain_left_out is set; the caller should log that. NULL: out of memory
 * (*len is 0), or the fields need more than GW_IDENTITY_MAX even without the chain (*len is larger than that).
 */
char *gw_identity_fields(unsigned sets, const struct tls_identity *identity, const struct tls_details *details,
			 size_t *len, bool *chain_left_out);

/* Writes the fields that say that the request has no identity. */
void gw_identity_none(unsigned sets, struct http_writer *writer);

/* Writes "SUCCESS", "NONE" or "FAILED:REASON", like nginx's $ssl_client_verify. */
void gw_identity_verify(const struct gw_origin *origin, struct gw_words *words);

/* Writes the fields for a certificate that is not trusted. The certificate is in fields that are never used for a
 * verified one, so that services cannot confuse them. Sets overflow if more than GW_IDENTITY_MAX bytes are needed. */
void gw_identity_unverified(const struct gw_origin *origin, struct http_writer *writer);

/* Whether a client's field with that name is left out, because it belongs to one of the sets, or because some upstreams
 * trust it. This includes spellings that servers treat as equal ('_', '.' or any other sign for '-', any case). It also
 * includes such spellings of Content-Length, Content-Type and Transfer-Encoding, because the gateway has not checked
 * those fields. */
bool gw_identity_is_reserved(struct http_span name);

/* The same for a host: also names in client_headers.strip, but not names in client_headers.pass. Fields that `headers`
 * writes with a variable, on any host, are always left out. */
struct config_host;
bool gw_identity_is_stripped(const struct config_host *host, struct http_span name);

/* All reserved names, folded: lower case, with '-' for every sign. beginning: all names that begin with it are
 * reserved, too. */
struct gw_reserved {
	const char *name;
	bool beginning;
};
const struct gw_reserved *gw_identity_reserved(size_t *count);

#endif
