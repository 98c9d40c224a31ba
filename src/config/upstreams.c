/* Upstreams: their servers and limits, and the names that routes use. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/ascii.h"
#include "config/schema.h"

#define SERVERS_MAX       256
#define NAME_MAX_LEN      64
#define CONNECT_DEFAULT   5000
#define RESPONSE_DEFAULT  60000
#define KEEPALIVE_DEFAULT 4000 /* shorter than Node's 5 s and Apache's 5 s, so that we close first */
#define TUNNEL_DEFAULT    3600000
#define KEPT_DEFAULT      32
#define FAILURES_DEFAULT  3
#define REST_DEFAULT      10000
#define HTTP_PORT         80
#define HTTPS_PORT        443

bool config_init_upstream(void *object, const void *parent)
{
	struct config_upstream *upstream = object;

	(void)parent;
	upstream->connect_timeout_ms = CONNECT_DEFAULT;
	upstream->response_timeout_ms = RESPONSE_DEFAULT;
	upstream->keepalive_timeout_ms = KEEPALIVE_DEFAULT;
	upstream->tunnel_timeout_ms = TUNNEL_DEFAULT;
	upstream->keepalive = KEPT_DEFAULT;
	upstream->max_failures = FAILURES_DEFAULT;
	upstream->down_ms = REST_DEFAULT;
	upstream->max_head = CONFIG_HEAD_SIZE;
	upstream->max_head_line = CONFIG_HEAD_LINE;
	upstream->max_head_fields = CONFIG_HEAD_FIELDS;
	upstream->tls.verify = true;
	return true;
}

static enum thaw_status bad_server(const struct config_at *at, const struct config_rule *rule,
				   const struct config_scalar *scalar, const char *why)
{
	return config_refuse(at, "'%s' %s; allowed: %s", config_quote(scalar->text, scalar->len).text, why,
			     rule->allowed);
}

static enum thaw_status read_socket(const struct config_at *at, const struct config_rule *rule,
				    const struct config_scalar *scalar, struct config_server *server)
{
	const char *path = scalar->text + strlen("unix:");

	if (path[0] == '\0')
		return bad_server(at, rule, scalar, "names no socket");
	if (config_set_file(at, &server->path, path, strlen(path)) != THAW_OK)
		return THAW_FAILED;
	if (strlen(server->path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return bad_server(at, rule, scalar, "is too long for a socket");
	return THAW_OK;
}

/* http://host[:port] or https://host[:port] */
static enum thaw_status read_url(const struct config_at *at, const struct config_rule *rule,
				 const struct config_scalar *scalar, struct config_server *server)
{
	bool plain = strncmp(scalar->text, "http://", 7) == 0;

	server->tls = strncmp(scalar->text, "https://", 8) == 0;
	if (!plain && !server->tls)
		return bad_server(at, rule, scalar, "does not begin with http://, https:// or unix:");
	const char *authority = scalar->text + (plain ? 7 : 8);
	size_t len = strcspn(authority, "/");
	if (authority[len] != '\0' && strcmp(authority + len, "/") != 0)
		return bad_server(at, rule, scalar, "has a path, which upstreams get from the request");
	server->port = server->tls ? HTTPS_PORT : HTTP_PORT;
	if (!config_scan_authority(at, authority, len, &server->host, &server->port))
		return at->source->err->cls != THAW_ERR_NONE
			       ? THAW_FAILED
			       : bad_server(at, rule, scalar, "has no valid host and port");
	struct in6_addr unused;
	server->named =
		inet_pton(AF_INET, server->host, &unused) != 1 && inet_pton(AF_INET6, server->host, &unused) != 1;
	return THAW_OK;
}

static enum thaw_status read_server(const struct config_at *at, const struct config_rule *rule,
				    struct config_server *server)
{
	struct config_scalar scalar;

	if (config_text(at, &scalar, rule->allowed) != THAW_OK ||
	    config_set_text(at, &server->text, scalar.text, scalar.len) != THAW_OK)
		return THAW_FAILED;
	return strncmp(scalar.text, "unix:", 5) == 0 ? read_socket(at, rule, &scalar, server)
						     : read_url(at, rule, &scalar, server);
}

/* into: the struct config_upstream. */
enum thaw_status config_read_upstream_host(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_upstream *upstream = into;
	struct config_scalar scalar;
	char *host = NULL;
	uint16_t port = 0;

	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	upstream->host_of_server = strcmp(scalar.text, "upstream") == 0;
	if (upstream->host_of_server || strcmp(scalar.text, "pass") == 0)
		return THAW_OK;
	bool valid = config_scan_authority(at, scalar.text, scalar.len, &host, &port);
	if (!valid)
		return at->source->err->cls != THAW_ERR_NONE
			       ? THAW_FAILED
			       : config_refuse(at, "'%s' is not a host; allowed: %s",
					       config_quote(scalar.text, scalar.len).text, rule->allowed);
	free(host);
	if (config_set_text(at, &upstream->host, scalar.text, scalar.len) != THAW_OK)
		return THAW_FAILED;
	for (char *c = upstream->host; *c != '\0'; c++)
		*c = ascii_lower(*c);
	return THAW_OK;
}

/* Without a TLS name, the host is used. */
static enum thaw_status check_host_sent(const struct config_at *at, struct config_upstream *upstream)
{
	struct config_at key = config_child(at, "host");
	uint16_t port = 0;

	for (size_t i = 0; upstream->host_of_server && i < upstream->server_count; i++)
		if (upstream->servers[i].path != NULL)
			return config_refuse(
				&key,
				"'upstream' needs servers with a host, and '%s' has none; allowed: "
				"pass, or HOST[:PORT]",
				config_quote(upstream->servers[i].text, strlen(upstream->servers[i].text)).text);
	if (upstream->host == NULL || upstream->tls.name != NULL ||
	    config_scan_authority(&key, upstream->host, strlen(upstream->host), &upstream->tls.name, &port))
		return THAW_OK;
	return config_no_memory(&key);
}

static bool same_server(const struct config_server *a, const struct config_server *b)
{
	if (a->path != NULL || b->path != NULL)
		return a->path != NULL && b->path != NULL && strcmp(a->path, b->path) == 0;
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* into: the struct config_upstream. */
enum thaw_status config_read_servers(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_upstream *upstream = (struct config_upstream *)((char *)into - rule->offset);
	size_t count;

	if (config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (count > SERVERS_MAX)
		return config_refuse(at, "%zu servers are too many; allowed: at most %d", count, SERVERS_MAX);
	upstream->servers = calloc(count, sizeof(*upstream->servers));
	if (upstream->servers == NULL)
		return config_no_memory(at);
	upstream->server_count = count;
	for (size_t i = 0; i < count; i++) {
		struct config_at item = config_item(at, i);
		if (read_server(&item, rule, &upstream->servers[i]) != THAW_OK)
			return THAW_FAILED;
		for (size_t k = 0; k < i; k++)
			if (same_server(&upstream->servers[k], &upstream->servers[i]))
				return config_refuse(
					&item, "'%s' is there twice",
					config_quote(upstream->servers[i].text, strlen(upstream->servers[i].text))
						.text);
	}
	return THAW_OK;
}

static enum thaw_status check_name(const struct config_at *at, const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t len = strlen(name);

	if (len > 0 && len <= NAME_MAX_LEN && name[strspn(name, allowed)] == '\0' && strcmp(name, "builtin") != 0)
		return THAW_OK;
	return config_refuse(at, "'%s' is no name for an upstream; allowed: 1 to %d letters, digits, and any of _ . -",
			     config_quote(name, len).text, NAME_MAX_LEN);
}

/* For messages about the files that tls names. */
static enum thaw_status keep_places(const struct config_at *tls, struct config_upstream *upstream)
{
	enum thaw_status status = config_keep_place(tls, "ca", &upstream->tls.ca_place);

	if (status == THAW_OK)
		status = config_keep_place(tls, "certificate", &upstream->tls.certificate_place);
	return status == THAW_OK ? config_keep_place(tls, "key", &upstream->tls.key_place) : status;
}

enum thaw_status config_check_upstream(const struct config_at *at, void *object)
{
	struct config_upstream *upstream = object;
	struct config_at tls = config_child(at, "tls");
	bool any_tls = false;

	if (check_name(at, upstream->name) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < upstream->server_count; i++)
		any_tls = any_tls || upstream->servers[i].tls;
	if (tls.key != NULL && tls.node != at->node && !any_tls)
		return config_refuse(&tls, "none of the servers is https://; allowed: tls only beside such a server");
	if ((upstream->tls.certificate == NULL) != (upstream->tls.key == NULL))
		return config_refuse(&tls, "certificate and key go together; allowed: both, or none");
	struct config_at passphrase = config_child(&tls, "key_passphrase");
	if (upstream->tls.key_passphrase != NULL && upstream->tls.key == NULL)
		return config_refuse(&passphrase, "there is no key beside it; allowed: only beside a key");
	if (check_host_sent(at, upstream) != THAW_OK)
		return THAW_FAILED;
	return keep_places(&tls, upstream);
}

static void names_of(const struct config *config, char *text, size_t room)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < config->upstream_count && used < room; i++)
		used += (size_t)snprintf(text + used, room - used, "%s, ", config->upstreams[i].name);
	if (used < room)
		(void)snprintf(text + used, room - used, "builtin:inspect, builtin:sink, builtin:prime");
}

/* at: of the name. */
static enum thaw_status find_upstream(const struct config_at *at, const struct config *config,
				      struct config_route *route)
{
	char names[256];

	for (size_t i = 0; i < config->upstream_count; i++)
		if (strcmp(config->upstreams[i].name, route->upstream_name) == 0) {
			route->proxy = i;
			return THAW_OK;
		}
	names_of(config, names, sizeof(names));
	struct config_quoted name = config_quote(route->upstream_name, strlen(route->upstream_name));
	if (strchr(route->upstream_name, ':') != NULL)
		return config_refuse(at,
				     "'%s' is not the name of an upstream; give it one below 'upstreams', as in "
				     "'app: { servers: [ %s ] }'; allowed: %s",
				     name.text, name.text, names);
	return config_refuse(at, "there is no upstream '%s'; allowed: %s", name.text, names);
}

enum thaw_status config_find_upstreams(const struct config_at *at, struct config *config)
{
	struct config_at hosts = config_child(at, "hosts"), listens = config_child(at, "listen");

	for (size_t i = 0; i < config->listen_count; i++) {
		if (config->listens[i].acme == NULL)
			continue;
		struct config_at item = config_item(&listens, i), key = config_child(&item, "acme_upstream");
		if (find_upstream(&key, config, config->listens[i].acme) != THAW_OK)
			return THAW_FAILED;
	}
	for (size_t i = 0; i < config->host_count; i++) {
		struct config_at host = config_item(&hosts, i), routes = config_child(&host, "routes");
		for (size_t k = 0; k < config->hosts[i].route_count; k++) {
			struct config_route *route = &config->hosts[i].routes[k];
			struct config_at item = config_item(&routes, k), key = config_child(&item, "upstream");
			if (route->upstream == CONFIG_PROXY && find_upstream(&key, config, route) != THAW_OK)
				return THAW_FAILED;
		}
	}
	return THAW_OK;
}

void config_free_upstream(struct config_upstream *upstream)
{
	for (size_t i = 0; i < upstream->server_count; i++) {
		free(upstream->servers[i].text);
		free(upstream->servers[i].host);
		free(upstream->servers[i].path);
	}
	free(upstream->servers);
	free(upstream->name);
	free(upstream->host);
	free(upstream->tls.ca);
	free(upstream->tls.name);
	free(upstream->tls.certificate);
	free(upstream->tls.key);
	free(upstream->tls.key_passphrase);
	free(upstream->tls.key_place);
	free(upstream->tls.certificate_place);
	free(upstream->tls.ca_place);
}
