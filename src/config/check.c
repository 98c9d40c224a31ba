/* Defaults, and checks of several keys together. */
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "thaw/spool.h"

#define GiB               (1024ULL * 1024 * 1024)
#define DISK_DEFAULT      (8 * GiB)
#define TIMEOUT_DEFAULT   120000
#define GRACE_DEFAULT     1000
#define MAX_BODY_DEFAULT  GiB
#define DEPTH_DEFAULT     8
#define CERT_LIST_DEFAULT (32 * 1024)
#define LISTEN_HOST       "127.0.0.1"
#define LISTEN_PORT       8443
#define LISTEN_ADDRESS    "127.0.0.1:8443"

bool config_init_host(void *object, const void *parent)
{
	(void)parent;
	struct config_host *host = object;
	host->hold_to_tls12 = true;
	host->max_request_body = CONFIG_NO_LIMIT;
	host->client_certificate = (struct config_certificate){.when = CONFIG_WHEN_NEVER,
							       .require = CONFIG_REQUIRED,
							       .ca_names = true,
							       .depth = DEPTH_DEFAULT,
							       .max_cert_list = CERT_LIST_DEFAULT,
							       .timeout_ms = TIMEOUT_DEFAULT,
							       .decline_grace_ms = GRACE_DEFAULT,
							       .max_body = MAX_BODY_DEFAULT};
	return true;
}

static bool copy_text(char **to, const char *from)
{
	size_t size = from != NULL ? strlen(from) + 1 : 0;
	*to = size > 0 ? malloc(size) : NULL;
	if (*to != NULL)
		memcpy(*to, from, size);
	return from == NULL || *to != NULL;
}

/* A route inherits its host's values. */
bool config_init_route(void *object, const void *parent)
{
	const struct config_host *host = parent;
	struct config_route *route = object;
	const struct config_certificate *from = &host->client_certificate;
	struct config_certificate *to = &route->certificate;
	route->max_request_body = host->max_request_body;
	*to = *from;
	to->ca = to->crl = to->ca_place = to->crl_place = to->elsewhere = NULL;
	to->allow = NULL;
	to->allow_count = 0;
	return config_copy_access(&route->access, &host->access) && config_copy_allow(to, from) &&
	       copy_text(&to->ca, from->ca) && copy_text(&to->crl, from->crl) &&
	       copy_text(&to->ca_place, from->ca_place) && copy_text(&to->crl_place, from->crl_place) &&
	       copy_text(&to->elsewhere, from->elsewhere);
}

/* Checks the host, and each route with its own keys; other routes are equal to the host. */
enum thaw_status config_check_certificate(const struct config_at *at, void *object)
{
	struct config_certificate *certificate = object;
	if (config_keep_place(at, "ca", &certificate->ca_place) != THAW_OK ||
	    config_keep_place(at, "crl", &certificate->crl_place) != THAW_OK)
		return THAW_FAILED;
	if (certificate->when == CONFIG_WHEN_NEVER || certificate->ca != NULL)
		return THAW_OK;
	struct config_at ca = config_child(at, "ca");
	return config_refuse(&ca, "this key is missing, and 'when' is %s; allowed: a PEM file of CA certificates",
			     config_when_name(certificate->when));
}

/* A method in both lists, or NULL. */
static const char *common_method(char **a, char **b)
{
	for (; *a != NULL; a++)
		for (char **other = b; *other != NULL; other++)
			if (strcmp(*a, *other) == 0)
				return *a;
	return NULL;
}

/* Two routes may have the same path if one has methods and the other has the rest. */
static enum thaw_status check_route_conflicts(const struct config_at *at, const struct config_route *first,
					      const struct config_route *second)
{
	if (strcmp(first->path, second->path) != 0 || (first->methods == NULL) != (second->methods == NULL))
		return THAW_OK;
	struct config_quoted path = config_quote(second->path, strlen(second->path));
	if (second->methods == NULL)
		return config_refuse(at, "an earlier route has the path '%s' too, and both are for every method",
				     path.text);
	const char *method = common_method(first->methods, second->methods);
	if (method == NULL)
		return THAW_OK;
	return config_refuse(at, "an earlier route has the path '%s' too, and both are for %s", path.text, method);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool config_same_trust(const struct config_certificate *a, const struct config_certificate *b)
{
	return same_text(a->ca, b->ca) && same_text(a->crl, b->crl) && a->crl_check == b->crl_check &&
	       a->partial_chain == b->partial_chain && a->purpose == b->purpose && a->ca_names == b->ca_names &&
	       a->depth == b->depth && a->max_cert_list == b->max_cert_list;
}

/* A host asks once in the handshake, before the route is known. */
static enum thaw_status check_handshake(const struct config_at *at, const struct config_route *route,
					const struct config_route **first)
{
	if (route->certificate.when != CONFIG_WHEN_HANDSHAKE)
		return THAW_OK;
	if (*first == NULL)
		*first = route;
	if (config_same_trust(&route->certificate, &(*first)->certificate))
		return THAW_OK;
	return config_refuse(at, "an earlier route of this host is asked at the handshake with another ca, crl, "
				 "crl_check, partial_chain, purpose, ca_names, depth or max_cert_list; allowed: the "
				 "same for all that are asked at the handshake");
}

/* The prefix must match all paths that the route covers; at run time a path in another form is refused. */
static enum thaw_status check_prefixes(const struct config_at *at, const struct config_route *route)
{
	struct config_at key = config_child(at, route->strip_prefix != NULL ? "strip_prefix" : "add_prefix");
	size_t len = route->strip_prefix != NULL ? strlen(route->strip_prefix) : 0;

	if (route->strip_prefix == NULL && route->add_prefix == NULL)
		return THAW_OK;
	if (route->upstream != CONFIG_PROXY)
		return config_refuse(&key,
				     "the route's upstream is built in, and has no paths of its own; allowed: only "
				     "beside one of 'upstreams'");
	if (len == 0 || (strncmp(route->path, route->strip_prefix, len) == 0 &&
			 (route->path[len] == '\0' || route->path[len] == '/')))
		return THAW_OK;
	return config_refuse(&key, "the route's path '%s' is not below '%s'; allowed: the path, or a beginning of it",
			     config_quote(route->path, strlen(route->path)).text,
			     config_quote(route->strip_prefix, len).text);
}

enum thaw_status config_check_host(const struct config_at *at, void *object)
{
	struct config_host *host = object;
	const struct config_route *at_handshake = NULL;
	struct config_at routes = config_child(at, "routes");
	if (config_check_pass(at, host) != THAW_OK || config_check_headers(at, host) != THAW_OK)
		return THAW_FAILED;
	if (config_keep_place(at, "key", &host->key_place) != THAW_OK ||
	    config_keep_place(at, "certificate", &host->certificate_place) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < host->route_count; i++) {
		struct config_at route = config_item(&routes, i);
		if (check_prefixes(&route, &host->routes[i]) != THAW_OK)
			return THAW_FAILED;
		if (check_handshake(&route, &host->routes[i], &at_handshake) != THAW_OK)
			return THAW_FAILED;
		for (size_t j = 0; j < i; j++)
			if (check_route_conflicts(&route, &host->routes[j], &host->routes[i]) != THAW_OK)
				return THAW_FAILED;
	}
	return THAW_OK;
}

/* The share of a client must be at least one chunk. */
static enum thaw_status check_share(const struct config_at *at, const char *of, uint64_t size, unsigned percent)
{
	uint64_t share = size / 100 * percent;
	if (share >= THAW_SPOOL_CHUNK)
		return THAW_OK;
	struct config_at key = config_child(at, "per_client");
	return config_refuse(&key, "%u%% of spool.%s is %llu bytes; allowed: a share of at least %d bytes", percent, of,
			     (unsigned long long)share, THAW_SPOOL_CHUNK);
}

enum thaw_status config_check_spool(const struct config_at *at, void *object)
{
	struct config *config = object;
	unsigned percent = config->spool.per_client_percent;
	bool disk_given = config->spool.disk != CONFIG_UNSET && config->spool.disk > 0;
	if (disk_given && config->spool.directory == NULL) {
		struct config_at key = config_child(at, "directory");
		return config_refuse(&key, "this key is missing, and spool.disk is given; allowed: a directory");
	}
	if (config_keep_place(at, "directory", &config->spool.directory_place) != THAW_OK ||
	    check_share(at, "memory", config->spool.memory, percent) != THAW_OK)
		return THAW_FAILED;
	return disk_given ? check_share(at, "disk", config->spool.disk, percent) : THAW_OK;
}

enum thaw_status config_check_log(const struct config_at *at, void *object)
{
	return config_keep_place(at, "access", &((struct config *)object)->log.access_place);
}

static bool is_wildcard(const struct config_listen *listen)
{
	return strcmp(listen->host, "0.0.0.0") == 0 || strcmp(listen->host, "::") == 0;
}

/* Whether both accept IPv4, or both accept IPv6. */
static bool share_a_family(const struct config_listen *a, const struct config_listen *b)
{
	bool a6 = strchr(a->host, ':') != NULL, b6 = strchr(b->host, ':') != NULL;

	return a6 == b6 || (a6 ? a : b)->takes_ipv4;
}

/* Whether both listen on the same address, or one on all addresses of the same port: only one socket can. */
static bool clash(const struct config_listen *a, const struct config_listen *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == CONFIG_LISTEN_UNIX)
		return strcmp(a->path, b->path) == 0;
	if (a->port == 0 || a->port != b->port)
		return false;
	return strcmp(a->host, b->host) == 0 || (share_a_family(a, b) && (is_wildcard(a) || is_wildcard(b)));
}

/* Searches the first count hosts. NULL: none. */
static const struct config_listen *clashing(const struct config *config, size_t count,
					    const struct config_listen *listen)
{
	for (size_t i = 0; i < count; i++)
		if (clash(listen, &config->listens[i]))
			return &config->listens[i];
	return NULL;
}

static enum thaw_status refuse_clash(const struct config_at *at, const struct config_listen *listen,
				     const struct config_listen *other)
{
	struct config_quoted quoted = config_quote(listen->address, strlen(listen->address));

	if (listen->kind == CONFIG_LISTEN_UNIX || strcmp(listen->host, other->host) == 0)
		return config_refuse(at, "'%s' is there twice", quoted.text);
	return config_refuse(at, "'%s' overlaps '%s': only one of them can listen on that port", quoted.text,
			     config_quote(other->address, strlen(other->address)).text);
}

static enum thaw_status check_listens(const struct config_at *at, const struct config *config)
{
	const struct config_listen *other;

	for (size_t i = 0; i < config->listen_count; i++)
		if ((other = clashing(config, i, &config->listens[i])) != NULL) {
			struct config_at list = config_child(at, "listen"), item = config_item(&list, i);
			struct config_at address = config_child(&item, "address");
			return refuse_clash(&address, &config->listens[i], other);
		}
	if (config->admin != NULL && (other = clashing(config, config->listen_count, config->admin)) != NULL) {
		struct config_at admin = config_child(at, "admin");
		return config_refuse(&admin, "'%s' overlaps '%s' of 'listen'; allowed: another address or port",
				     config_quote(config->admin->address, strlen(config->admin->address)).text,
				     config_quote(other->address, strlen(other->address)).text);
	}
	return THAW_OK;
}

/* Returns whether an earlier host, or this host before, has the same name; *first: that host. */
static bool is_taken(const struct config *config, size_t host, size_t which, size_t *first)
{
	const char *name = config->hosts[host].names[which];

	for (size_t i = 0; i <= host; i++)
		for (size_t k = 0; (i < host || k < which) && config->hosts[i].names[k] != NULL; k++)
			if (strcmp(config->hosts[i].names[k], name) == 0) {
				*first = i;
				return true;
			}
	return false;
}

static enum thaw_status check_hosts(const struct config_at *at, const struct config *config)
{
	size_t first;

	for (size_t i = 0; i < config->host_count; i++)
		for (size_t k = 0; config->hosts[i].names[k] != NULL; k++) {
			if (!is_taken(config, i, k, &first))
				continue;
			struct config_at list = config_child(at, "hosts"), item = config_item(&list, i);
			struct config_at key = config_child(&item, "name");
			struct config_at name = config_is_text(&key) ? key : config_item(&key, k);
			const char *text = config->hosts[i].names[k];
			struct config_at other = config_item(&list, first), other_name = config_child(&other, "name");
			return config_refuse(
				&name,
				"'%s' is there twice, first in line %zu; a name belongs to one host, which has "
				"all its routes",
				config_quote(text, strlen(text)).text, other_name.line);
		}
	return THAW_OK;
}

static enum thaw_status default_listen(const struct config_at *at, struct config *config)
{
	struct config_listen *listen = calloc(1, sizeof(*listen));
	if (listen == NULL) {
		(void)config_no_memory(at);
		return THAW_FAILED;
	}
	config->listens = listen;
	config->listen_count = 1;
	listen->port = LISTEN_PORT;
	if (config_set_text(at, &listen->address, LISTEN_ADDRESS, strlen(LISTEN_ADDRESS)) != THAW_OK)
		return THAW_FAILED;
	return config_set_text(at, &listen->host, LISTEN_HOST, strlen(LISTEN_HOST));
}

enum thaw_status config_check_file(const struct config_at *at, void *object)
{
	struct config *config = object;
	if (config_keep_place(at, "ticket_keys", &config->ticket_keys_place) != THAW_OK ||
	    config_keep_place(at, "user", &config->user_place) != THAW_OK ||
	    config_keep_place(at, "group", &config->group_place) != THAW_OK)
		return THAW_FAILED;
	if (check_hosts(at, config) != THAW_OK)
		return THAW_FAILED;
	if (config->listens == NULL && default_listen(at, config) != THAW_OK)
		return THAW_FAILED;
	if (check_listens(at, config) != THAW_OK || config_find_upstreams(at, config) != THAW_OK ||
	    config_claim_names(at, config) != THAW_OK)
		return THAW_FAILED;
	config_default_redirects(config);
	if (config->spool.disk == CONFIG_UNSET)
		config->spool.disk = config->spool.directory != NULL ? DISK_DEFAULT : 0;
	if (config->log.access == NULL)
		return config_set_text(at, &config->log.access, "stdout", strlen("stdout"));
	return THAW_OK;
}
