/*
 * The handlers of requests that may proceed. A handler is opened when the head may be passed on, gets the body in
 * pieces, and makes the reply at its end. The built-in ones are in builtin.c.
 */
#ifndef GATEWAY_BUILTIN_H
#define GATEWAY_BUILTIN_H

#include "config/config.h"
#include "gateway/reply.h"
#include "http/head.h"
#include "thaw/ask.h"
#include "tls/details.h"

/* The facts about a request; they outlive the handler. */
struct gw_exchange {
	const struct http_request *head;
	const struct config_host *host;
	const struct config_route *route;
	const struct tls_identity *identity;   /* NULL: none, or not asked */
	const struct tls_identity *unverified; /* a certificate that is not trusted; NULL: none */
	const struct thaw_report *report;      /* how the identity was obtained; NULL without one */
	uint64_t before_verdict;               /* bytes of the body received before */
};

struct gw_builtin_ops {
	/* NULL: no memory. */
	void *(*open)(const struct gw_exchange *exchange);
	/* Takes all these bytes of the body. False: failed. */
	bool (*body)(void *upstream, const void *data, size_t len);
	/* The body is complete. False: it failed. */
	bool (*finish)(void *upstream, struct gw_reply *reply);
	void (*free)(void *upstream);
};

const struct gw_builtin_ops *gw_builtin(enum config_upstream_kind kind);

/* Answers an OPTIONS or TRACE that must not be forwarded (RFC 9110 7.6.2). */
const struct gw_builtin_ops *gw_builtin_last_hop(void);

#endif
