#include "gateway/inner.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/rewrite.h"
#include "http/reading.h"

static bool has_prefix(const struct config_route *route)
{
	return route->strip_prefix != NULL || route->add_prefix != NULL;
}

/* Writes the path that the service gets for the path of the route itself. path: room for HTTP_MAPPED_MORE more. */
static void put_path(const struct config_route *route, char *path)
{
	const struct http_mapping paths = gw_rewrite_paths(route);
	size_t len = 0;

	/* A route's path begins with its strip_prefix (config/check.c). */
	(void)http_map_path(&paths, (struct http_span){route->path, strlen(route->path)}, path, &len);
	path[len] = '\0';
}

/* "/a/" covers the same paths as "/a". */
static bool same_path(const char *a, const char *b)
{
	size_t of_a = strlen(a), of_b = strlen(b);

	while (of_a > 0 && a[of_a - 1] == '/')
		of_a--;
	while (of_b > 0 && b[of_b - 1] == '/')
		of_b--;
	return of_a == of_b && memcmp(a, b, of_a) == 0;
}

bool gw_inner_is_same(const struct gw_inner *inner, size_t route, const struct gw_route *other)
{
	return same_path(inner->paths[inner->of[route]].path, other->config->path);
}

static bool same_methods(const struct config_route *a, const struct config_route *b)
{
	if (a->methods == NULL || b->methods == NULL)
		return a->methods == b->methods;
	size_t i = 0;
	while (a->methods[i] != NULL && b->methods[i] != NULL && strcmp(a->methods[i], b->methods[i]) == 0)
		i++;
	return a->methods[i] == b->methods[i]; /* both ended */
}

/* Several routes may lead to the same path: any of them may be used, so the one with the fewest requirements counts.
 * Returns the index of the one that is there; config.route_count: none. */
static size_t find_twin(const struct gw_inner *inner, const struct config_route *route)
{
	size_t i = 0;

	while (i < inner->config.route_count &&
	       (!same_path(inner->paths[i].path, route->path) || !same_methods(&inner->paths[i], route)))
		i++;
	return i;
}

/* Takes the requirements of the route if they are fewer. */
static void merge(struct gw_inner *inner, size_t at, const struct gw_route *route)
{
	struct gw_route *there = &inner->host.routes[at];
	char *path = inner->paths[at].path;

	if (!gw_route_is_stricter(there, route) || gw_route_is_stricter(route, there))
		return;
	inner->paths[at] = *route->config;
	inner->paths[at].path = path;
	there->trust = route->trust;
}

/* False: out of memory. */
static bool add(struct gw_inner *inner, const struct gw_route *route, size_t number, bool case_matters)
{
	struct config_route copy = *route->config;
	const struct gw_route added = {.config = &copy, .trust = route->trust};

	copy.path = malloc(strlen(route->config->path) + HTTP_MAPPED_MORE + 1);
	if (copy.path == NULL)
		return false;
	put_path(route->config, copy.path);
	size_t at = find_twin(inner, &copy);
	inner->of[number] = at;
	if (at < inner->config.route_count) {
		merge(inner, at, &added);
		free(copy.path);
		return true;
	}
	inner->config.route_count++; /* frees the path from now on */
	inner->paths[at] = copy;
	inner->host.routes[at] = (struct gw_route){
		.config = &inner->paths[at], .trust = route->trust, .loose_path = malloc(strlen(copy.path) + 1)};
	if (inner->host.routes[at].loose_path == NULL)
		return false;
	http_reading_prefix(copy.path, case_matters, inner->host.routes[at].loose_path);
	return true;
}

static bool fill(struct gw_inner *inner, const struct gw_host *host)
{
	const struct config_host *config = host->config;

	inner->paths = calloc(config->route_count, sizeof(*inner->paths));
	inner->host.routes = calloc(config->route_count, sizeof(*inner->host.routes));
	inner->of = calloc(config->route_count, sizeof(*inner->of));
	if (inner->paths == NULL || inner->host.routes == NULL || inner->of == NULL)
		return false;
	inner->config = (struct config_host){
		.name = config->name, .case_matters = config->case_matters, .routes = inner->paths};
	inner->host.config = &inner->config;
	inner->host.mixed = true;
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].upstream == CONFIG_PROXY && config->routes[i].proxy == inner->proxy &&
		    !add(inner, &host->routes[i], i, config->case_matters))
			return false;
	return true;
}

const struct gw_inner *gw_inner_of(const struct gw_host *host, const struct config_route *route)
{
	for (size_t i = 0; i < host->inner_count; i++)
		if (route->upstream == CONFIG_PROXY && host->inner[i].proxy == route->proxy)
			return &host->inner[i];
	return NULL;
}

static bool load_host(struct gw_host *host)
{
	if (!host->mixed || !host->prefixed)
		return true;
	host->inner = calloc(host->config->route_count, sizeof(*host->inner));
	if (host->inner == NULL)
		return false;
	for (size_t i = 0; i < host->config->route_count; i++) {
		const struct config_route *route = &host->config->routes[i];
		if (route->upstream != CONFIG_PROXY || !has_prefix(route) || gw_inner_of(host, route) != NULL)
			continue;
		struct gw_inner *inner = &host->inner[host->inner_count++];
		inner->proxy = route->proxy;
		if (!fill(inner, host))
			return false;
	}
	return true;
}

bool gw_inner_load(struct gw_routes *routes)
{
	bool ok = true;

	for (size_t i = 0; ok && i < routes->host_count; i++)
		ok = load_host(&routes->hosts[i]);
	return ok;
}

static void free_host(struct gw_host *host)
{
	for (size_t i = 0; i < host->inner_count; i++) {
		struct gw_inner *inner = &host->inner[i];
		for (size_t k = 0; k < inner->config.route_count; k++) {
			free(inner->paths[k].path);
			free(inner->host.routes[k].loose_path);
		}
		free(inner->paths);
		free(inner->host.routes);
		free(inner->of);
	}
	free(host->inner);
	host->inner = NULL;
	host->inner_count = 0;
}

void gw_inner_free(struct gw_routes *routes)
{
	for (size_t i = 0; i < routes->host_count; i++)
		free_host(&routes->hosts[i]);
}
