/*
 * Hosts and routes as the gateway uses them: the settings' own, each with the trust that its client certificates are
 * verified under. A trust that several routes name is loaded once.
 */
#ifndef GATEWAY_ROUTE_H
#define GATEWAY_ROUTE_H

#include "config/config.h"
#include "http/head.h"
#include "thaw/ask.h"

struct gw_route {
	const struct config_route *config;
	thaw_trust *trust; /* NULL where it never asks */
};

struct gw_host {
	const struct config_host *config;
	struct gw_route *routes; /* as many as config->route_count */
	bool asks_late;
	const thaw_trust *at_handshake; /* of the first route that asks at the handshake; or NULL */
};

struct gw_routes {
	struct gw_host *hosts;
	size_t host_count;
	struct gw_trust_file *trusts; /* each file once */
	size_t trust_count;
};

/* Loads every CA and CRL file. On failure *err names the file and the host; gw_routes_free() in any case. */
enum thaw_status gw_routes_load(struct gw_routes *routes, const struct config *config,
				struct thaw_error *err) THAW_MUST_CHECK;
void gw_routes_free(struct gw_routes *routes);

/* The route with the longest path that covers path (in its routing form) and allows method; NULL: none. */
const struct gw_route *gw_route_find(const struct gw_host *host, struct http_span method, const char *path, size_t len);

#endif
