/* Listeners without TLS. */
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

#define PORT_HTTPS 443

static const char challenge_path[] = CONFIG_ACME_PATH;

/* Of listen->redirect, a bool. */
enum thaw_status config_read_plain(const struct config_at *at, const struct config_rule *rule, void *into)
{
	unsigned redirect;
	if (config_read_word(at, rule, &redirect) != THAW_OK)
		return THAW_FAILED;
	*(bool *)into = redirect != 0;
	return THAW_OK;
}

/* Sets listen->acme: a separate route, which never asks for a certificate and allows no upgrade. */
enum thaw_status config_read_acme_upstream(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_route *route = calloc(1, sizeof(*route));
	struct config_scalar scalar;

	*(struct config_route **)into = route;
	if (route == NULL || (route->upgrade = calloc(1, sizeof(*route->upgrade))) == NULL)
		return config_no_memory(at);
	route->upstream = CONFIG_PROXY;
	route->max_request_body = CONFIG_NO_LIMIT;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (strncmp(scalar.text, "builtin:", strlen("builtin:")) == 0)
		return config_refuse(at, "'%s' does not answer challenges; allowed: %s",
				     config_quote(scalar.text, scalar.len).text, rule->allowed);
	if (config_set_text(at, &route->path, challenge_path, strlen(challenge_path)) != THAW_OK)
		return THAW_FAILED;
	return config_set_text(at, &route->upstream_name, scalar.text, scalar.len);
}

enum thaw_status config_check_listen(const struct config_at *at, void *object)
{
	static const char *const keys[] = {"redirect_port", "acme_webroot", "acme_upstream"};
	struct config_listen *listen = object;
	const bool given[] = {listen->redirect_port != 0, listen->acme_webroot != NULL, listen->acme != NULL};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct config_at key = config_child(at, keys[i]);
		if (given[i] && !listen->redirect)
			return config_refuse(&key, "the listener speaks TLS; allowed: only beside 'plain: redirect'");
	}
	if (listen->takes_ipv4 && (listen->kind != CONFIG_LISTEN_TCP || strcmp(listen->host, "::") != 0)) {
		struct config_at key = config_child(at, "ipv6_only");
		return config_refuse(&key,
				     "the address is not that of all IPv6 addresses; allowed: false only beside an "
				     "address [::]:PORT");
	}
	struct config_at upstream = config_child(at, "acme_upstream");
	if (listen->acme_webroot != NULL && listen->acme != NULL)
		return config_refuse(&upstream, "there is an acme_webroot, too; allowed: one of them");
	return config_keep_place(at, "acme_webroot", &listen->acme_webroot_place);
}

void config_default_redirects(struct config *config)
{
	unsigned port = PORT_HTTPS;

	for (size_t i = config->listen_count; i > 0; i--) {
		const struct config_listen *listen = &config->listens[i - 1];
		if (!listen->redirect && listen->kind == CONFIG_LISTEN_TCP && listen->port != 0)
			port = listen->port;
	}
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listens[i].redirect && config->listens[i].redirect_port == 0)
			config->listens[i].redirect_port = port;
}
