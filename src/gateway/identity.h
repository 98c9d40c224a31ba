/*
 * The header fields that tell an upstream who the client is, and those that a client may not send itself.
 * docs/IDENTITY.md says what each set is.
 */
#ifndef GATEWAY_IDENTITY_H
#define GATEWAY_IDENTITY_H

#include "gateway/origin.h"
#include "gateway/words.h"
#include "http/response.h"
#include "thaw/ask.h"
#include "tls/details.h"

/* Bytes of all fields together: a head of HTTP_HEAD_MAX and they fit where a request is written for an upstream. */
#define GW_IDENTITY_MAX 28672

/*
 * All fields of these sets (CONFIG_IDENTITY_*) for a certificate, as the lines of a head; the caller frees them. A
 * chain that does not fit is left out, and *chain_left_out tells (a log should). NULL: no memory (*len is
 * 0), or more than GW_IDENTITY_MAX even without the chain (*len is more).
 */
char *gw_identity_fields(unsigned sets, const struct tls_identity *identity, const struct tls_details *details,
			 size_t *len, bool *chain_left_out);

/* The same where the request has no identity: what says so. */
void gw_identity_none(unsigned sets, struct http_writer *writer);

/* SUCCESS, NONE, or FAILED: and the reason, as nginx's $ssl_client_verify. */
void gw_identity_verify(const struct gw_origin *origin, struct gw_words *words);

/* A certificate that was not trusted: in fields that no verified one has, so that nobody takes it for one. More than
 * GW_IDENTITY_MAX sets overflow. */
void gw_identity_unverified(const struct gw_origin *origin, struct http_writer *writer);

/* Whether an inbound field of that name is left out: it belongs to any of the sets, or is believed by some upstream, in
 * that spelling or in one that servers take for it ('_', '.' or any other sign for '-', any case). Also one that is
 * Content-Length, Content-Type or Transfer-Encoding in such a spelling only: nothing here has looked at it. */
bool gw_identity_is_reserved(struct http_span name);

/* The same for a host: with the names that its configuration adds (client_headers.strip), without those that it lets
 * through (client_headers.pass), and always with those that `headers` writes with a variable, on any host. */
struct config_host;
bool gw_identity_is_stripped(const struct config_host *host, struct http_span name);

/* All reserved names, folded: lower case, '-' for every sign. beginning: so do all names that are meant begin. */
struct gw_reserved {
	const char *name;
	bool beginning;
};
const struct gw_reserved *gw_identity_reserved(size_t *count);

#endif
