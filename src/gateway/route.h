/*
 * Hosts and routes of the configuration, each with the trust that verifies its client certificates. A trust that
 * several routes name is loaded once.
 */
#ifndef GATEWAY_ROUTE_H
#define GATEWAY_ROUTE_H

#include "config/config.h"
#include "http/head.h"
#include "thaw/ask.h"

struct gw_route {
	const struct config_route *config;
	thaw_trust *trust; /* NULL: it never asks */
	char *loose_path;  /* owned: its path in the form that loose readings compare (http/reading.h) */
};

struct gw_inner;

struct gw_host {
	const struct config_host *config;
	struct gw_route *routes; /* config->route_count of them */
	bool asks_late;
	bool mixed;             /* its routes have different requirements for a client's certificate, address or rate */
	bool prefixed;          /* one of its routes has strip_prefix or add_prefix */
	struct gw_inner *inner; /* inner_count, owned (inner.h) */
	size_t inner_count;
	thaw_trust *at_handshake; /* of the first route that asks at the handshake; or NULL */
	uint64_t handshake_ms;    /* the longest timeout of those that do */
	uint64_t late_ms;         /* ... and of those that ask late */
};

struct gw_routes {
	struct gw_host *hosts;
	size_t host_count;
	struct gw_trust_file *trusts; /* each once */
	size_t trust_count;
};

/* Loads every CA and CRL file. On failure *err names the file and the host; call gw_routes_free() in any case. */
enum thaw_status gw_routes_load(struct gw_routes *routes, const struct config *config,
				struct thaw_error *err) THAW_MUST_CHECK;
void gw_routes_free(struct gw_routes *routes);

/* Whether the route asks after the handshake. */
bool gw_route_asks_late(const struct gw_route *route);

bool gw_route_allows(const struct gw_route *route, struct http_span method);

/*
 * How closely a route fits a path of that length that it covers: a longer route path fits better. For "/a", the route
 * "/a" fits better than "/a/", although both cover it. If two routes fit equally, the one that names its methods is
 * better.
 */
size_t gw_route_fit(const struct gw_route *route, size_t path_len);

/* Whether route a's requirements for a client's certificate, address and rate include those of route b. */
bool gw_route_is_stricter(const struct gw_route *a, const struct gw_route *b);

/* As gateway_warnings(). */
void gw_routes_warnings(const struct gw_routes *routes, void (*say)(void *arg, const char *text), void *arg);

/* The route with the longest path that covers path (in its routing form) and allows method; NULL: none. */
const struct gw_route *gw_route_find(const struct gw_host *host, struct http_span method, const char *path, size_t len);

#endif
