/* Any text is refused with a message, or gives settings that satisfy config.h and docs/CONFIGURATION.md. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "holds.h"

#define MiB              (1024ULL * 1024)
#define SIZE_MAX_ALLOWED (1ULL << 50)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void check_text(const char *text)
{
	HOLDS(text != NULL && text[0] != '\0');
	for (const char *c = text; *c != '\0'; c++)
		HOLDS((unsigned char)*c >= 0x20 && *c != 0x7F);
}

static void check_certificate(const struct config_certificate *certificate)
{
	HOLDS(certificate->when <= CONFIG_WHEN_RESPONSE);
	HOLDS(certificate->when == CONFIG_WHEN_NEVER || certificate->ca != NULL);
	HOLDS(certificate->timeout_ms >= 1 && certificate->timeout_ms <= 24 * 3600 * 1000);
	HOLDS(certificate->decline_grace_ms <= 60 * 1000);
	HOLDS(certificate->max_body <= SIZE_MAX_ALLOWED);
	if (certificate->ca != NULL)
		check_text(certificate->ca);
	if (certificate->crl != NULL)
		check_text(certificate->crl);
	if (certificate->elsewhere == NULL)
		return;
	check_text(certificate->elsewhere);
	HOLDS(strncmp(certificate->elsewhere, "https://", 8) == 0);
	HOLDS(certificate->elsewhere[8] != '\0' && strpbrk(certificate->elsewhere + 8, "/?#@ \\") == NULL);
}

static bool methods_overlap(char **a, char **b)
{
	if (a == NULL || b == NULL)
		return a == b;
	for (; *a != NULL; a++)
		for (char **other = b; *other != NULL; other++)
			if (strcmp(*a, *other) == 0)
				return true;
	return false;
}

/* No rule can end a line of a head, or change the framing of a message. */
static void check_headers(const struct config_headers *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		const struct config_header *rule = headers->rules[i];
		check_text(rule->name);
		HOLDS(strpbrk(rule->name, " :\t\"{}") == NULL);
		static const char *const never[] = {"content-length", "connection", "transfer-encoding", "host"};
		for (size_t k = 0; k < sizeof(never) / sizeof(never[0]); k++)
			HOLDS(!config_is_named(never[k], rule->name, strlen(rule->name)));
		HOLDS((rule->piece_count == 0) == (rule->action == CONFIG_HEADER_REMOVE));
		for (size_t k = 0; k < rule->piece_count; k++) {
			check_text(rule->pieces[k].text);
			HOLDS(rule->pieces[k].variable < CONFIG_VARIABLES);
		}
	}
}

/* Written into request lines. */
static void check_prefix(const char *prefix)
{
	for (const char *c = prefix; c != NULL && *c != '\0'; c++)
		HOLDS(*c > ' ' && *c <= '~');
	HOLDS(prefix == NULL || (prefix[0] == '/' && prefix[1] != '\0' && prefix[strlen(prefix) - 1] != '/'));
}

static void check_route(const struct config_route *route)
{
	check_text(route->path);
	HOLDS(route->path[0] == '/');
	HOLDS(strpbrk(route->path, "%;?#\\") == NULL && strstr(route->path, "//") == NULL);
	HOLDS(strstr(route->path, "/./") == NULL && strstr(route->path, "/../") == NULL);
	HOLDS(route->upstream <= CONFIG_PROXY);
	check_prefix(route->strip_prefix);
	check_prefix(route->add_prefix);
	check_headers(&route->headers.request);
	check_headers(&route->headers.response);
	HOLDS(route->methods == NULL || route->methods[0] != NULL);
	for (char **method = route->methods; method != NULL && *method != NULL; method++) {
		check_text(*method);
		HOLDS(strpbrk(*method, "abcdefghijklmnopqrstuvwxyz ,:/") == NULL);
	}
	check_certificate(&route->certificate);
}

static void check_host(const struct config_host *host)
{
	const struct config_certificate *at_handshake = NULL;
	check_text(host->name);
	check_text(host->certificate);
	check_text(host->key);
	HOLDS(strpbrk(host->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ/: ") == NULL);
	HOLDS(strchr(host->name, '*') == NULL || strcmp(host->name, "*") == 0);
	HOLDS(strlen(host->name) <= 253);
	check_certificate(&host->client_certificate);
	check_headers(&host->headers.request);
	check_headers(&host->headers.response);
	HOLDS(host->route_count >= 1);
	for (size_t i = 0; i < host->route_count; i++) {
		const struct config_certificate *certificate = &host->routes[i].certificate;
		check_route(&host->routes[i]);
		for (size_t j = 0; j < i; j++)
			HOLDS(strcmp(host->routes[i].path, host->routes[j].path) != 0 ||
			      !methods_overlap(host->routes[i].methods, host->routes[j].methods));
		if (certificate->when != CONFIG_WHEN_HANDSHAKE)
			continue;
		if (at_handshake == NULL)
			at_handshake = certificate;
		HOLDS(same_text(certificate->ca, at_handshake->ca) && same_text(certificate->crl, at_handshake->crl));
	}
}

static void check_config(const struct config *config)
{
	HOLDS(config->workers <= 1024);
	HOLDS(config->listen_count >= 1 && config->host_count >= 1);
	for (size_t i = 0; i < config->listen_count; i++) {
		const struct config_listen *listen = &config->listens[i];
		check_text(listen->address);
		HOLDS((listen->kind == CONFIG_LISTEN_UNIX) == (listen->path != NULL));
		HOLDS((listen->kind == CONFIG_LISTEN_TCP) == (listen->host != NULL));
		HOLDS(listen->path == NULL || strlen(listen->path) <= 107);
	}
	HOLDS(config->spool.memory >= MiB && config->spool.memory <= SIZE_MAX_ALLOWED);
	HOLDS(config->spool.disk <= SIZE_MAX_ALLOWED);
	HOLDS(config->spool.disk == 0 || config->spool.directory != NULL);
	HOLDS(config->spool.per_client_percent >= 1 && config->spool.per_client_percent <= 100);
	check_text(config->log.access);
	HOLDS(config->log.format <= CONFIG_LOG_COMBINED && config->log.level <= CONFIG_LOG_DEBUG);
	for (size_t i = 0; i < config->upstream_count; i++) {
		const char *host = config->upstreams[i].host;
		HOLDS(host == NULL || (host[0] != '\0' && strpbrk(host, "/@ \\?#") == NULL));
	}
	for (size_t i = 0; i < config->host_count; i++) {
		check_host(&config->hosts[i]);
		for (size_t j = 0; j < i; j++)
			HOLDS(strcmp(config->hosts[i].name, config->hosts[j].name) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct thaw_error err = {0};
	struct config *config = config_parse((const char *)data, size, "f", "/etc", &err);
	HOLDS((config == NULL) == (err.cls != THAW_ERR_NONE));
	if (config != NULL)
		check_config(config);
	else
		HOLDS(strncmp(err.text, "f:", 2) == 0);
	config_free(&config);
	return 0;
}
