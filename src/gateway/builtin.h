/*
 * What a request is handed to once it may go on. An upstream is opened when the head may be passed, is given the body
 * piece by piece, and makes the reply at the body's end. The built-in ones are in builtin.c.
 */
#ifndef GATEWAY_BUILTIN_H
#define GATEWAY_BUILTIN_H

#include "config/config.h"
#include "gateway/reply.h"
#include "http/head.h"
#include "thaw/ask.h"
#include "tls/details.h"

/* What an upstream is told of a request; all of it outlives the upstream. */
struct gw_exchange {
	const struct http_request *head;
	const struct config_host *host;
	const struct config_route *route;
	const struct tls_identity *identity;   /* NULL: none, or none was asked for */
	const struct tls_identity *unverified; /* a certificate that was not trusted; NULL: none */
	const struct thaw_report *report;      /* how the identity was got; NULL without one */
	uint64_t before_verdict;               /* bytes of body that had come by then */
};

struct gw_builtin_ops {
	/* NULL: no memory. */
	void *(*open)(const struct gw_exchange *exchange);
	/* Takes the next bytes of the body, all of them. False: it failed. */
	bool (*body)(void *upstream, const void *data, size_t len);
	/* The body is complete. False: it failed. */
	bool (*finish)(void *upstream, struct gw_reply *reply);
	void (*free)(void *upstream);
};

const struct gw_builtin_ops *gw_builtin(enum config_upstream_kind kind);

/* Answers an OPTIONS or TRACE that may go no further than this gateway (RFC 9110 7.6.2). */
const struct gw_builtin_ops *gw_builtin_last_hop(void);

#endif
