#include "gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gateway/conn.h"
#include "gateway/inner.h"
#include "gateway/stream.h"
#include "tls/server.h"

static enum tls_http2 http2_of(enum config_http2 setting)
{
	static const enum tls_http2 of[] = {[CONFIG_HTTP2_AUTO] = TLS_HTTP2_AUTO,
					    [CONFIG_HTTP2_ON] = TLS_HTTP2_ON,
					    [CONFIG_HTTP2_OFF] = TLS_HTTP2_OFF};

	return of[setting];
}

/* The host as TLS needs it. trusts has room for one per route. */
static struct tls_host tls_host_of(const struct gw_host *host, const struct tls_protocol *protocol, thaw_trust **trusts)
{
	size_t count = 0;

	for (size_t i = 0; i < host->config->route_count; i++)
		if (host->routes[i].trust != NULL)
			trusts[count++] = host->routes[i].trust;
	return (struct tls_host){
		.names = (const char *const *)host->config->names,
		.certificate = host->config->certificate,
		.key = host->config->key,
		.key_setting = {.pass_phrase = host->config->key_passphrase,
				.place = host->config->key_place,
				.certificate_place = host->config->certificate_place},
		.protocol = protocol,
		.http2 = http2_of(host->config->http2),
		.asks_late = host->asks_late,
		.hold_to_tls12 = host->config->hold_to_tls12 && host->asks_late && !protocol->no_tls12,
		.at_handshake = host->at_handshake,
		.trusts = trusts,
		.trust_count = count,
	};
}

static enum thaw_status start_tls(struct gateway *gateway, struct thaw_error *err)
{
	const struct gw_routes *routes = &gateway->routes;
	const struct config *config = gateway->config;
	const struct tls_protocol protocol = {
		.no_tls12 = (config->tls.versions & CONFIG_TLS_12) == 0,
		.no_tls13 = (config->tls.versions & CONFIG_TLS_13) == 0,
		.groups = config->tls.groups,
		.ciphers = config->tls.ciphers,
		.suites = config->tls.suites,
		.groups_place = config->tls.groups_place,
	};
	size_t total = 0;

	for (size_t i = 0; i < routes->host_count; i++)
		total += routes->hosts[i].config->route_count;
	struct tls_host *hosts = calloc(routes->host_count + 1, sizeof(*hosts));
	thaw_trust **trusts = calloc(total + 1, sizeof(thaw_trust *));
	if (hosts != NULL && trusts != NULL) {
		thaw_trust **next = trusts;
		for (size_t i = 0; i < routes->host_count; i++) {
			hosts[i] = tls_host_of(&routes->hosts[i], &protocol, next);
			next += routes->hosts[i].config->route_count;
		}
		gateway->tls = tls_server_new(hosts, routes->host_count, err);
	}
	free(hosts);
	free(trusts);
	if (gateway->tls == NULL)
		return error_set(err, THAW_ERR_RESOURCE, "out of memory");
	if (gateway->config->ticket_keys == NULL)
		return THAW_OK;
	struct thaw_error why = {.cls = THAW_ERR_NONE};
	if (tls_server_use_ticket_keys(gateway->tls, gateway->config->ticket_keys, &why) == THAW_OK)
		return THAW_OK;
	return error_set(err, why.cls, "%s: %s", gateway->config->ticket_keys_place, why.text);
}

static bool make_plains(struct gateway *gateway)
{
	const struct config *config = gateway->config;

	gateway->nobody.claimed = config->claimed;
	gateway->mistake.host.config = &gateway->nobody;
	gateway->plains = calloc(config->listen_count, sizeof(*gateway->plains));
	for (size_t i = 0; gateway->plains != NULL && i < config->listen_count; i++)
		gateway->plains[i] = (struct gw_plain){.listen = &config->listens[i],
						       .host.config = &gateway->nobody,
						       .acme.config = config->listens[i].acme};
	return gateway->plains != NULL;
}

struct gateway *gateway_new(const struct config *config, const struct gateway_env *env, struct thaw_error *err)
{
	struct gateway *gateway = calloc(1, sizeof(*gateway));

	if (gateway == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	gateway->config = config;
	gateway->limits = (struct http_limits){.line = config->connections.max_head_line,
					       .head = config->connections.max_head,
					       .fields = config->connections.max_head_fields};
	gateway_set_env(gateway, env);
	if (!gw_notices_init(&gateway->notices, config) || !make_plains(gateway)) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		gateway_free(&gateway);
		return NULL;
	}
	enum thaw_status status = gw_routes_load(&gateway->routes, config, err);
	if (status == THAW_OK && !gw_inner_load(&gateway->routes))
		status = error_set(err, THAW_ERR_RESOURCE, "out of memory");
	if (status != THAW_OK || start_tls(gateway, err) != THAW_OK)
		gateway_free(&gateway);
	return gateway;
}

void gateway_free(struct gateway **gateway)
{
	struct gateway *gone = *gateway;

	*gateway = NULL;
	if (gone == NULL)
		return;
	tls_server_free(&gone->tls);
	gw_inner_free(&gone->routes);
	gw_routes_free(&gone->routes);
	gw_notices_free(&gone->notices);
	free(gone->plains);
	gw_streams_free(gone);
	free(gone);
}

/* Redirects only lead to hosts with their own names. */
static void warn_of_redirects(const struct config *config, gateway_say_fn *say, void *arg)
{
	char text[256];
	bool named = false;

	for (size_t i = 0; i < config->host_count; i++)
		for (char **name = config->hosts[i].names; *name != NULL; name++)
			named = named || strcmp(*name, "*") != 0;
	for (size_t i = 0; !named && i < config->listen_count; i++) {
		if (!config->listens[i].redirect)
			continue;
		(void)snprintf(
			text, sizeof(text),
			"listen %.100s: no request can be redirected, because every host is named '*'; name the hosts",
			config->listens[i].address);
		say(arg, text);
	}
}

void gateway_warnings(const struct gateway *gateway, gateway_say_fn *say, void *arg)
{
	gw_routes_warnings(&gateway->routes, say, arg);
	warn_of_redirects(gateway->config, say, arg);
}

void gateway_set_env(struct gateway *gateway, const struct gateway_env *env)
{
	gateway->env = *env;
	gateway->ids.left = 0;
}
