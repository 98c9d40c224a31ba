#include "gateway/choose.h"

#include <string.h>

#include "http/method.h"
#include "http/reading.h"
#include "http/route_path.h"
#include "http/syntax.h"

#define CANDIDATES_MAX 64

/* The routes that may match a request, without duplicates. */
struct candidates {
	const struct gw_route *routes[CANDIDATES_MAX];
	size_t count;
	bool too_many;
};

static void add(struct candidates *candidates, const struct gw_route *route)
{
	for (size_t i = 0; i < candidates->count; i++)
		if (candidates->routes[i] == route)
			return;
	if (candidates->count == CANDIDATES_MAX)
		candidates->too_many = true;
	else
		candidates->routes[candidates->count++] = route;
}

/* How one route matches one reading, for one method. */
struct covering {
	const struct gw_route *route;
	struct http_cover cover;
	size_t fit;
};

/*
 * Whether `other` is always chosen before this route: other's path begins with the route's, and the rest is exactly
 * equal.
 */
static bool is_shadowed(const struct covering *covering, const struct covering *other)
{
	const char *path = covering->route->config->path;
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/')
		len--;
	return other->fit > covering->fit && other->cover.loose <= covering->cover.segments &&
	       strncmp(path, other->route->config->path, len) == 0;
}

/* For one reading, adds all routes that a service may mean if it treats some spellings as equal, and others not. */
static void add_covering(const struct gw_host *host, const struct http_reading *reading, const char *method,
			 struct candidates *candidates)
{
	struct covering found[CANDIDATES_MAX];
	struct http_span name = {method, strlen(method)};
	size_t count = 0;

	for (size_t i = 0; i < host->config->route_count; i++) {
		struct covering *next = &found[count];
		const struct gw_route *route = &host->routes[i];
		if (!gw_route_allows(route, name) ||
		    !http_reading_covered(reading, route->config->path, route->loose_path, &next->cover))
			continue;
		if (count == CANDIDATES_MAX - 1) {
			candidates->too_many = true;
			return;
		}
		next->route = route;
		next->fit = gw_route_fit(route, reading->plain_len);
		count++;
	}
	for (size_t i = 0; i < count; i++) {
		bool shadowed = false;
		for (size_t k = 0; k < count && !shadowed; k++)
			shadowed = is_shadowed(&found[i], &found[k]);
		if (!shadowed)
			add(candidates, found[i].route);
	}
}

/* If all routes have the same requirements, only dot segments matter. A session in the path is ASP.NET's, which
 * reads the rest normally. */
static bool is_wanted(const struct gw_host *host, unsigned how)
{
	if ((how & HTTP_READ_NO_SESSION) != 0)
		return (how & ~(HTTP_READ_NO_SESSION | HTTP_READ_EMPTY_SEGMENTS)) == 0;
	return host->mixed || (how & ~(HTTP_READ_WIDE_SLASH | HTTP_READ_NO_PARAMETERS)) == 0;
}

/* False: a reading has a dot segment. */
static bool add_readings(const struct gw_host *host, struct http_span path, const struct http_methods *methods,
			 struct candidates *candidates)
{
	unsigned traits = http_reading_traits(path);
	struct http_reading reading;

	for (unsigned how = 0; how <= HTTP_READ_ALL; how++) {
		if ((how & ~traits) != 0 || !is_wanted(host, how))
			continue;
		if (!http_reading_make(path, how, host->config->case_matters, &reading))
			return false;
		for (size_t i = 0; i < methods->count && host->mixed; i++)
			add_covering(host, &reading, methods->names[i], candidates);
	}
	return true;
}

/* The route that is at least as strict as all others; prefers the first choice. NULL: none. */
static const struct gw_route *strictest(const struct candidates *candidates, const struct gw_route *first)
{
	for (size_t i = 0; i <= candidates->count && !candidates->too_many; i++) {
		const struct gw_route *route = i == 0 ? first : candidates->routes[i - 1];
		bool strictest = true;
		for (size_t k = 0; k < candidates->count && strictest; k++)
			strictest = gw_route_is_stricter(route, candidates->routes[k]);
		if (strictest)
			return route;
	}
	return NULL;
}

/* A service that ignores the case of methods would run it as another method than the one used to choose the route. */
static bool check_method(const struct gw_host *host, struct http_span method, struct http_refusal *refusal)
{
	bool misspelled = http_method_is_misspelled(method);

	if (!http_method_has_lower_case(method)) /* no route's method has them either */
		return true;
	for (size_t i = 0; i < host->config->route_count && !misspelled; i++)
		for (char **name = host->config->routes[i].methods; name != NULL && *name != NULL; name++)
			misspelled |= http_span_equal_nocase(method, *name);
	if (!misspelled)
		return true;
	return http_refuse(
		refusal, 501,
		"the method differs from a known one only in upper and lower case; methods are case-sensitive");
}

enum gw_choice gw_choose(const struct gw_host *host, const struct http_request *head, const struct gw_route **route,
			 struct http_refusal *refusal)
{
	struct candidates candidates = {.count = 0};
	struct http_methods methods;
	char path[HTTP_PATH_MAX];
	size_t len = 0;

	if (!http_route_path(head->path, path, sizeof(path), &len, refusal) ||
	    !check_method(host, head->method, refusal))
		return GW_REFUSED;
	const struct gw_route *first = gw_route_find(host, head->method, path, len);
	if (first != NULL)
		add(&candidates, first);
	if (!http_methods_of(head, &methods)) {
		(void)http_refuse(refusal, 400, "the request has too many fields that override the method");
		return GW_REFUSED;
	}
	if (!add_readings(host, head->path, &methods, &candidates)) {
		(void)http_refuse(refusal, 400, "the path has a segment that some services treat as a dot segment");
		return GW_REFUSED;
	}
	if (first == NULL)
		return GW_NO_ROUTE;
	*route = strictest(&candidates, first);
	return *route != NULL ? GW_CHOSEN : GW_UNCLEAR;
}

size_t gw_choice_work(const struct gw_host *host, const struct http_request *head)
{
	unsigned traits = http_reading_traits(head->path);
	size_t readings = 0;

	for (unsigned how = 0; how <= HTTP_READ_ALL; how++)
		readings += (how & ~traits) == 0 && is_wanted(host, how);
	return readings * head->path.len;
}
