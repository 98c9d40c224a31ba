/*
 * Which route a request belongs to. Services read paths and methods in different ways (http/reading.h), so there may be
 * several: then it is the one whose demands on the client include those of all the others.
 */
#ifndef GATEWAY_CHOOSE_H
#define GATEWAY_CHOOSE_H

#include "gateway/route.h"

enum gw_choice {
	GW_CHOSEN,
	GW_NO_ROUTE,
	GW_UNCLEAR, /* it has several readings, and no route is strict enough for all of them */
	GW_REFUSED, /* the path or the method is refused */
};

/* *route for GW_CHOSEN, *refusal for GW_REFUSED. */
enum gw_choice gw_choose(const struct gw_host *host, const struct http_request *head, const struct gw_route **route,
			 struct http_refusal *refusal);

/* What choosing costs, in bytes of work: those of all readings. */
size_t gw_choice_work(const struct gw_host *host, const struct http_request *head);

#endif
