/* Finds the route of a request by host, path and method, and handles requests that need none. */
#ifndef GATEWAY_FIND_H
#define GATEWAY_FIND_H

#include "gateway/access.h"
#include "gateway/problem.h"
#include "gateway/stream.h"

enum gw_finding {
	GW_FOUND_ROUTE,
	GW_FOUND_OPTIONS, /* OPTIONS *: about the gateway, not about a resource or its service (RFC 9110 9.3.7) */
	GW_FOUND_PROBLEM, /* it is refused */
};

/* The sender of a request. */
struct gw_client {
	bool any;                       /* unknown: no address is refused */
	const struct sockaddr *address; /* NULL: it has none */
};

struct gw_found {
	const struct gw_route *route; /* NULL: there is none. Also of a request that is refused by its settings */
	struct gw_targets targets;
	const struct config_access *access; /* that it comes under; NULL: it is refused before */
	enum gw_problem problem;            /* for GW_FOUND_PROBLEM */
	struct http_refusal refusal;        /* for GW_PROBLEM_MALFORMED */
	size_t work;                        /* bytes that were looked at */
};

/* For a request on a connection to that host. The head is in its final form then: fields that say the same are one. */
enum gw_finding gw_find(const struct gateway *gateway, const struct gw_host *host, const struct gw_client *client,
			struct http_request *head, struct gw_found *found);

/* The same for a stream; counts the request for `rate`. False: it does not continue; *step says why. */
bool gw_find_route(struct gw_stream *stream, enum gw_step *step);

#endif
