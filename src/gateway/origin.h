/* Who sent a request, and how it came: as far as fields that are passed on say so. */
#ifndef GATEWAY_ORIGIN_H
#define GATEWAY_ORIGIN_H

#include "http/head.h"
#include "thaw/ask.h"
#include "tls/details.h"

struct sockaddr;
struct gw_stream;

/* An identity as the fields that its upstream gets. Made once for a connection, whose identity never changes, nor its
 * host. */
struct gw_told {
	char *fields;   /* owned; NULL: not made yet, or too large */
	size_t len;     /* bytes */
	bool too_large; /* there are none: the certificate does not fit */
};

struct gw_origin {
	const struct sockaddr *peer;           /* the client; NULL: unknown */
	const char *http, *tls, *cipher;       /* "1.1", "TLSv1.3", "TLS_AES_256_GCM_SHA384"; tls NULL: without TLS */
	struct http_span host;                 /* as the request names it, without a port; empty: it does not */
	const struct tls_identity *identity;   /* that the request runs under; NULL: none */
	const struct tls_identity *unverified; /* in place of it: a certificate that was not trusted; NULL: none */
	const char *reason;                    /* why it was not; ASCII */
	struct gw_told *told;                  /* of the identity */
	/* Made when they are needed first. */
	const struct tls_details *(*details)(void *arg); /* of the identity; NULL: out of memory */
	const char *(*id)(void *arg);                    /* of the request; "": the system has no random bytes */
	void (*chain_left_out)(void *arg);               /* the identity's fields were made, without its chain */
	void *arg;
};

/* The client's address without a port; "": it is not known, or has none. */
#define GW_ADDRESS_ROOM 46
void gw_origin_address(const struct gw_origin *origin, char text[static GW_ADDRESS_ROOM]);
bool gw_origin_is_ipv6(const struct gw_origin *origin);
/* 0: not known. */
unsigned gw_origin_port(const struct gw_origin *origin);

/* For as long as the stream has this request and this identity. */
struct gw_origin gw_origin_of(struct gw_stream *stream);

#endif
