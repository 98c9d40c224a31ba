#include "gateway/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gateway/access.h"
#include "http/reading.h"
#include "http/route_path.h"

#define WARNING_MAX 5120 /* a file name, and the text about it */

struct gw_trust_file {
	const struct config_certificate *settings; /* of the first route with it */
	thaw_trust *trust;
};

/* Returns the trust of these settings, and loads it if necessary; NULL: failed, *err is set. */
static thaw_trust *load(struct gw_routes *routes, const struct config_certificate *certificate, struct thaw_error *err)
{
	for (size_t i = 0; i < routes->trust_count; i++)
		if (config_same_trust(routes->trusts[i].settings, certificate))
			return routes->trusts[i].trust;
	const struct thaw_trust_options options = {
		.size = sizeof(options),
		.ca = certificate->ca,
		.crl = certificate->crl,
		.crl_check = certificate->crl_check == CONFIG_CRL_LEAF ? THAW_CRL_LEAF : THAW_CRL_CHAIN,
		.partial_chain = certificate->partial_chain,
		.purpose = certificate->purpose == CONFIG_PURPOSE_ANY ? THAW_PURPOSE_ANY : THAW_PURPOSE_CLIENT,
		.no_names = !certificate->ca_names,
		.depth = certificate->depth,
		.max_cert_list = (size_t)certificate->max_cert_list,
	};
	struct thaw_error why;
	thaw_trust *trust = NULL;
	if (thaw_trust_open(&options, &trust, &why) != THAW_OK) {
		/* The error text begins with the name of the file. */
		bool of_crl = options.crl != NULL && strncmp(why.text, options.crl, strlen(options.crl)) == 0;
		const char *place = of_crl ? certificate->crl_place : certificate->ca_place;
		(void)error_set(err, why.cls, "%s: %s", place, why.text);
		return NULL;
	}
	struct gw_trust_file *more = realloc(routes->trusts, (routes->trust_count + 1) * sizeof(*more));
	if (more == NULL) {
		thaw_trust_free(&trust);
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	routes->trusts = more;
	more[routes->trust_count++] = (struct gw_trust_file){certificate, trust};
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

static bool asks_for_more(const struct gw_route *a, const struct gw_route *b)
{
	const struct config_certificate *of_a = &a->config->certificate, *of_b = &b->config->certificate;

	if (of_b->when == CONFIG_WHEN_NEVER)
		return true;
	if (of_a->when == CONFIG_WHEN_NEVER || a->trust != b->trust)
		return false;
	if (of_b->require < of_a->require)
		return false;
	if (of_a->when == CONFIG_WHEN_RESPONSE && of_b->when != CONFIG_WHEN_RESPONSE)
		return false;
	return of_b->allow_count == 0 || same_rules(of_a, of_b);
}

bool gw_route_is_stricter(const struct gw_route *a, const struct gw_route *b)
{
	return a == b || (asks_for_more(a, b) && gw_access_is_stricter(&a->config->access, &b->config->access));
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
		if (when != CONFIG_WHEN_HANDSHAKE) {
			host->asks_late = true;
			if (host->late_ms < route->config->certificate.timeout_ms)
				host->late_ms = route->config->certificate.timeout_ms;
			continue;
		}
		if (host->at_handshake == NULL)
			host->at_handshake = route->trust;
		if (host->handshake_ms < route->config->certificate.timeout_ms)
			host->handshake_ms = route->config->certificate.timeout_ms;
	}
	for (size_t i = 0; i < host->config->route_count; i++)
		host->prefixed |=
			host->config->routes[i].strip_prefix != NULL || host->config->routes[i].add_prefix != NULL;
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

/* Warns about routes that a service may treat as equal, although they have different requirements for clients. */
static void warn_of_spellings(const struct gw_host *host, void (*say)(void *arg, const char *text), void *arg)
{
	char text[WARNING_MAX];

	for (size_t i = 0; host->mixed && i < host->config->route_count; i++)
		for (size_t k = 0; k < i; k++) {
			const struct gw_route *a = &host->routes[k], *b = &host->routes[i];
			if (strcmp(a->loose_path, b->loose_path) != 0 ||
			    strcmp(a->config->path, b->config->path) == 0 ||
			    (gw_route_is_stricter(a, b) && gw_route_is_stricter(b, a)))
				continue;
			(void)snprintf(
				text, sizeof(text),
				"host %s: some services treat the paths '%.64s' and '%.64s' as equal, but these routes "
				"have different requirements for clients: requests for either use the stricter route "
				"or are refused; set 'paths: case-sensitive' if your services distinguish them",
				host->config->name, a->config->path, b->config->path);
			say(arg, text);
		}
}

void gw_routes_warnings(const struct gw_routes *routes, void (*say)(void *arg, const char *text), void *arg)
{
	char text[WARNING_MAX];

	for (size_t i = 0; i < routes->host_count; i++)
		warn_of_spellings(&routes->hosts[i], say, arg);
	for (size_t i = 0; i < routes->trust_count; i++) {
		size_t bytes = thaw_trust_names_left_out(routes->trusts[i].trust);
		if (bytes == 0)
			continue;
		(void)snprintf(text, sizeof(text),
			       "%s: %s: the names of the CAs take %zu bytes, more than the limit of %d: clients are "
			       "asked without CA names; set ca_names to none, or use fewer CAs",
			       routes->trusts[i].settings->ca_place, routes->trusts[i].settings->ca, bytes,
			       THAW_CA_NAMES_MAX);
		say(arg, text);
	}
}

bool gw_route_asks_late(const struct gw_route *route)
{
	enum config_when when = route->config->certificate.when;

	return when != CONFIG_WHEN_NEVER && when != CONFIG_WHEN_HANDSHAKE;
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
