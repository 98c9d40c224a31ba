/*
 * Finds the route of a request. Services interpret paths and methods differently (http/reading.h), so several routes
 * may match: then the one is used whose requirements include those of all others.
 */
#ifndef GATEWAY_CHOOSE_H
#define GATEWAY_CHOOSE_H

#include "gateway/route.h"

enum gw_choice {
	GW_CHOSEN,
	GW_NO_ROUTE,
	GW_UNCLEAR, /* several readings, and no route is strict enough for all of them */
	GW_REFUSED, /* the path or the method is refused */
};

/* *route for GW_CHOSEN, *refusal for GW_REFUSED. */
enum gw_choice gw_choose(const struct gw_host *host, const struct http_request *head, const struct gw_route **route,
			 struct http_refusal *refusal);

/* The cost of choosing, in bytes: all readings together. */
size_t gw_choice_work(const struct gw_host *host, const struct http_request *head);

#endif
