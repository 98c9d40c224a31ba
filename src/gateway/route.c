#include "gateway/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/route_path.h"

struct gw_trust_file {
	const char *ca, *crl; /* the settings' */
	thaw_trust *trust;
};

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* The loaded trust of these files, or NULL with *err set. */
static thaw_trust *load(struct gw_routes *routes, const struct config_certificate *certificate, struct thaw_error *err)
{
	for (size_t i = 0; i < routes->trust_count; i++)
		if (same(routes->trusts[i].ca, certificate->ca) && same(routes->trusts[i].crl, certificate->crl))
			return routes->trusts[i].trust;
	thaw_trust *trust = thaw_trust_load(certificate->ca, certificate->crl, err);
	if (trust == NULL)
		return NULL;
	struct gw_trust_file *more = realloc(routes->trusts, (routes->trust_count + 1) * sizeof(*more));
	if (more == NULL) {
		thaw_trust_free(&trust);
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	routes->trusts = more;
	more[routes->trust_count++] = (struct gw_trust_file){certificate->ca, certificate->crl, trust};
	return trust;
}

static enum thaw_status load_host(struct gw_routes *routes, struct gw_host *host, struct thaw_error *err)
{
	host->routes = calloc(host->config->route_count, sizeof(*host->routes));
	if (host->routes == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	for (size_t i = 0; i < host->config->route_count; i++) {
		struct gw_route *route = &host->routes[i];
		route->config = &host->config->routes[i];
		enum config_when when = route->config->certificate.when;
		if (when == CONFIG_WHEN_NEVER)
			continue;
		route->trust = load(routes, &route->config->certificate, err);
		if (route->trust == NULL)
			return THAW_FAILED;
		if (when != CONFIG_WHEN_HANDSHAKE)
			host->asks_late = true;
		else if (host->at_handshake == NULL)
			host->at_handshake = route->trust;
	}
	return THAW_OK;
}

enum thaw_status gw_routes_load(struct gw_routes *routes, const struct config *config, struct thaw_error *err)
{
	*routes = (struct gw_routes){.hosts = calloc(config->host_count, sizeof(*routes->hosts))};
	if (routes->hosts == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	routes->host_count = config->host_count;
	for (size_t i = 0; i < config->host_count; i++) {
		routes->hosts[i].config = &config->hosts[i];
		if (load_host(routes, &routes->hosts[i], err) != THAW_OK)
			return THAW_FAILED;
	}
	return THAW_OK;
}

void gw_routes_free(struct gw_routes *routes)
{
	for (size_t i = 0; i < routes->host_count; i++)
		free(routes->hosts[i].routes);
	for (size_t i = 0; i < routes->trust_count; i++)
		thaw_trust_free(&routes->trusts[i].trust);
	free(routes->hosts);
	free(routes->trusts);
	*routes = (struct gw_routes){0};
}

static bool allows(const struct config_route *route, struct http_span method)
{
	if (route->methods == NULL)
		return true;
	for (char **name = route->methods; *name != NULL; name++)
		if (http_span_equal(method, *name))
			return true;
	return false;
}

/*
 * How closely a route fits a path that it covers: by its length, and "/a" better than "/a/" for "/a", which both cover.
 * Of two that fit as well, the one that names its methods.
 */
static size_t fit(const struct config_route *route, size_t path_len)
{
	size_t len = strlen(route->path), both = len < path_len ? len : path_len;

	return 4 * both + (len <= path_len ? 2 : 0) + (route->methods != NULL ? 1 : 0);
}

const struct gw_route *gw_route_find(const struct gw_host *host, struct http_span method, const char *path, size_t len)
{
	const struct gw_route *best = NULL;
	size_t best_fit = 0;

	for (size_t i = 0; i < host->config->route_count; i++) {
		const struct config_route *route = &host->config->routes[i];
		if (!allows(route, method) || !http_route_covers(route->path, path, len))
			continue;
		if (best == NULL || fit(route, len) > best_fit) {
			best = &host->routes[i];
			best_fit = fit(route, len);
		}
	}
	return best;
}
