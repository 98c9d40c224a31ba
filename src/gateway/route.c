#include "gateway/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "http/reading.h"
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

static bool same_rules(const struct config_certificate *a, const struct config_certificate *b)
{
	if (a->allow_count != b->allow_count)
		return false;
	for (size_t i = 0; i < a->allow_count; i++)
		if (strcmp(a->allow[i].text, b->allow[i].text) != 0)
			return false;
	return true;
}

bool gw_route_is_stricter(const struct gw_route *a, const struct gw_route *b)
{
	const struct config_certificate *of_a = &a->config->certificate, *of_b = &b->config->certificate;

	if (of_b->when == CONFIG_WHEN_NEVER)
		return true;
	if (of_a->when == CONFIG_WHEN_NEVER || a->trust != b->trust)
		return false;
	if (of_b->require && !of_a->require)
		return false;
	if (of_a->when == CONFIG_WHEN_RESPONSE && of_b->when != CONFIG_WHEN_RESPONSE)
		return false;
	return of_b->allow_count == 0 || same_rules(of_a, of_b);
}

static enum thaw_status load_host(struct gw_routes *routes, struct gw_host *host, struct thaw_error *err)
{
	host->routes = calloc(host->config->route_count, sizeof(*host->routes));
	if (host->routes == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	for (size_t i = 0; i < host->config->route_count; i++) {
		struct gw_route *route = &host->routes[i];
		route->config = &host->config->routes[i];
		route->loose_path = malloc(strlen(route->config->path) + 1);
		if (route->loose_path == NULL)
			return error_set(err, THAW_ERR_RESOURCE, "out of memory");
		http_reading_prefix(route->config->path, host->config->case_matters, route->loose_path);
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
	for (size_t i = 1; i < host->config->route_count; i++)
		host->mixed |= !gw_route_is_stricter(&host->routes[0], &host->routes[i]) ||
			       !gw_route_is_stricter(&host->routes[i], &host->routes[0]);
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
	for (size_t i = 0; i < routes->host_count; i++) {
		struct gw_host *host = &routes->hosts[i];
		for (size_t k = 0; host->routes != NULL && k < host->config->route_count; k++)
			free(host->routes[k].loose_path);
		free(host->routes);
	}
	for (size_t i = 0; i < routes->trust_count; i++)
		thaw_trust_free(&routes->trusts[i].trust);
	free(routes->hosts);
	free(routes->trusts);
	*routes = (struct gw_routes){0};
}

bool gw_route_allows(const struct gw_route *route, struct http_span method)
{
	if (route->config->methods == NULL)
		return true;
	for (char **name = route->config->methods; *name != NULL; name++)
		if (http_span_equal(method, *name))
			return true;
	return false;
}

size_t gw_route_fit(const struct gw_route *route, size_t path_len)
{
	size_t len = strlen(route->config->path), both = len < path_len ? len : path_len;

	return 4 * both + (len <= path_len ? 2 : 0) + (route->config->methods != NULL ? 1 : 0);
}

const struct gw_route *gw_route_find(const struct gw_host *host, struct http_span method, const char *path, size_t len)
{
	const struct gw_route *best = NULL;
	size_t best_fit = 0;

	for (size_t i = 0; i < host->config->route_count; i++) {
		const struct gw_route *route = &host->routes[i];
		if (!gw_route_allows(route, method) || !http_route_covers(route->config->path, path, len))
			continue;
		size_t fit = gw_route_fit(route, len);
		if (best == NULL || fit > best_fit) {
			best = route;
			best_fit = fit;
		}
	}
	return best;
}
