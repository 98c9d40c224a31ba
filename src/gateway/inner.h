/*
 * The routes of a host by the paths that one service gets: those that clients use, after strip_prefix and add_prefix.
 * So a path that is protected under one name is found when a request reaches it under another one.
 */
#ifndef GATEWAY_INNER_H
#define GATEWAY_INNER_H

#include "gateway/route.h"

struct gw_inner {
	size_t proxy;               /* the service: index in config->upstreams */
	struct config_host config;  /* has only the parts that choosing a route needs */
	struct config_route *paths; /* copies; each owns its path only */
	size_t *of;                 /* for each route of the real host: its index in paths */
	struct gw_host host;        /* its routes share trusts with those of the real host */
};

/* Makes one for each service that a route of a host reaches with a prefix. False: out of memory. */
bool gw_inner_load(struct gw_routes *routes);
void gw_inner_free(struct gw_routes *routes);

/* NULL: no route reaches this service with a prefix, or all routes have the same requirements. */
const struct gw_inner *gw_inner_of(const struct gw_host *host, const struct config_route *route);

/* Whether the service gets the same path for a route of the real host and for one of inner. */
bool gw_inner_is_same(const struct gw_inner *inner, size_t route, const struct gw_route *other);

#endif
