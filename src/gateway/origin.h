/* The client of a request and its connection: the data for forwarded header fields. */
#ifndef GATEWAY_ORIGIN_H
#define GATEWAY_ORIGIN_H

#include "http/head.h"
#include "thaw/ask.h"
#include "tls/details.h"

struct sockaddr;
struct gw_stream;

/* An identity as header fields for the upstream. Created once per connection, because neither its identity nor its host
 * ever changes. */
struct gw_identity_text {
	char *fields;   /* owned; NULL: not created yet, or too large */
	size_t len;     /* bytes */
	bool too_large; /* the certificate does not fit, so there are no fields */
};

struct gw_origin {
	const struct sockaddr *peer;            /* the client; NULL: unknown */
	const char *http, *tls, *cipher;        /* "1.1", "TLSv1.3", "TLS_AES_256_GCM_SHA384"; tls NULL: without TLS */
	struct http_span host;                  /* from the request, without a port; empty: none */
	const struct tls_identity *identity;    /* that the request uses; NULL: none */
	const struct tls_identity *unverified;  /* instead: a certificate that is not trusted; NULL: none */
	const char *reason;                     /* why it is not trusted; ASCII */
	struct gw_identity_text *identity_text; /* of the identity */
	/* Created on first use. */
	const struct tls_details *(*details)(void *arg); /* of the identity; NULL: out of memory */
	const char *(*id)(void *arg);                    /* of the request; "": the system has no random bytes */
	void (*chain_left_out)(void *arg);               /* called when the fields were created without the chain */
	void *arg;
};

/* The client's address without a port; "": unknown, or the client has no IP address. */
#define GW_ADDRESS_ROOM 46
void gw_origin_address(const struct gw_origin *origin, char text[static GW_ADDRESS_ROOM]);
bool gw_origin_is_ipv6(const struct gw_origin *origin);
/* The client's port; 0: unknown. */
unsigned gw_origin_port(const struct gw_origin *origin);

/* Valid while the stream has this request and this identity. */
struct gw_origin gw_origin_of(struct gw_stream *stream);

#endif
