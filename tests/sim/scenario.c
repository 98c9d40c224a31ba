#include "scenario.h"

#include <stdlib.h>
#include <string.h>

#include "pki.h"

#define MiB (UINT64_C(1) << 20) /* the settings allow no less; the quota is made with the scenario's own values */

static const struct {
	const char *path;
	enum config_when when;
} routes[ROUTES] = {
	[ROUTE_NEVER] = {"/never", CONFIG_WHEN_NEVER},         [ROUTE_LATE] = {"/late", CONFIG_WHEN_REQUEST},
	[ROUTE_EARLY] = {"/early", CONFIG_WHEN_REQUEST_EARLY}, [ROUTE_BODY] = {"/body", CONFIG_WHEN_BODY},
	[ROUTE_AFTER] = {"/after", CONFIG_WHEN_RESPONSE},      [ROUTE_OTHER] = {"/other", CONFIG_WHEN_REQUEST},
	[ROUTE_PRIME] = {"/prime", CONFIG_WHEN_REQUEST},       [ROUTE_HOST] = {"/", CONFIG_WHEN_HANDSHAKE},
};

const char *route_path(enum route route)
{
	return routes[route].path;
}

enum config_when route_when(enum route route)
{
	return routes[route].when;
}

void scenario_init(struct scenario *scenario)
{
	*scenario = (struct scenario){
		.seed = 1,
		.require = true,
		.hold_to_tls12 = true,
		.timeout_ms = 120000,
		.grace_ms = 1000,
		.max_body = UINT64_C(1) << 30,
		.memory = 64U << 20,
		.disk = 0,
		.per_client_percent = 100,
		.origin = {.up = {.buffer = 65536, .delay_us = 100}, .down = {.buffer = 65536, .delay_us = 100}},
		.conn_count = 1,
	};
	for (unsigned i = 0; i < SCENARIO_CONNS; i++)
		scenario->conns[i] = (struct conn_plan){
			.up = {.buffer = 65536, .delay_us = 1000},
			.down = {.buffer = 65536, .delay_us = 1000},
			.versions = VERSIONS_BOTH,
			.post_handshake = true,
			.record_max = 16384,
			.read_max = 16384,
			.resumes = -1,
			.follows = -1,
			.windows = {.stream = 65535, .connection = 65535},
			.address = i,
		};
}

bool scenario_http2(const struct scenario *scenario)
{
	for (unsigned i = 0; i < scenario->conn_count; i++)
		if (scenario->conns[i].http2)
			return true;
	return false;
}

void scenario_target(const struct conn_plan *plan, unsigned request, char *target, size_t room)
{
	const char *path = route_path(plan->requests[request].route);

	if (plan->http2)
		(void)snprintf(target, room, "%s?%u", path, request);
	else
		(void)snprintf(target, room, "%s", path);
}

static void put_certificate(FILE *out, const char *indent, enum config_when when)
{
	(void)fprintf(out, "%sclient_certificate:\n%s  when: %s\n", indent, indent, config_when_name(when));
}

static void put_route(const struct scenario *scenario, FILE *out, enum route route)
{
	(void)fprintf(out, "      - path: %s\n        upstream: %s\n", routes[route].path,
		      route == ROUTE_PRIME ? "builtin:prime"
		      : scenario->proxied  ? "app"
					   : "builtin:inspect");
	put_certificate(out, "        ", routes[route].when);
	if (route == ROUTE_OTHER)
		(void)fprintf(out, "          ca: %s\n", pki_get(PKI_OTHER_CA)->certificate_file);
}

static void put_host(const struct scenario *scenario, FILE *out, const char *name, enum config_when when)
{
	(void)fprintf(
		out,
		"  - name: \"%s\"\n    certificate: %s\n    key: %s\n    without_post_handshake: %s\n"
		"    client_certificate:\n      ca: %s\n      when: %s\n      require: %s\n      timeout: %llums\n"
		"      decline_grace: %llums\n      max_body: %llu\n",
		name, pki_get(PKI_SERVER)->certificate_file, pki_get(PKI_SERVER)->key_file,
		scenario->hold_to_tls12 ? "tls12" : "refuse", pki_get(PKI_CA)->certificate_file, config_when_name(when),
		scenario->require ? "true" : "false", (unsigned long long)scenario->timeout_ms,
		(unsigned long long)scenario->grace_ms, (unsigned long long)scenario->max_body);
	if (scenario->elsewhere)
		(void)fprintf(out, "      elsewhere: https://handshake.test\n");
	if (scenario_http2(scenario))
		(void)fprintf(out, "    http2: on\n");
	if (scenario->proxied)
		(void)fprintf(out, "    identity: [ xfcc ]\n");
	(void)fprintf(out,
		      "    headers:\n      request: { set: { X-Who: '{identity.sha256}', X-Verified: "
		      "'{identity.verified}' } }\n      response: { set: { X-Site: %s } }\n",
		      SCENARIO_SITE);
	(void)fprintf(out, "    routes:\n");
}

char *scenario_yaml(const struct scenario *scenario)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		abort();
	(void)fprintf(out,
		      "listen:\n  - address: 127.0.0.1:8443\nspool:\n  memory: %llu\n  disk: %llu\n"
		      "  directory: %s\n  per_client: %u%%\nhosts:\n",
		      (unsigned long long)(scenario->memory > MiB ? scenario->memory : MiB),
		      (unsigned long long)scenario->disk, pki_folder(), scenario->per_client_percent);
	put_host(scenario, out, "*", CONFIG_WHEN_NEVER);
	for (int route = 0; route < ROUTE_HOST; route++)
		put_route(scenario, out, (enum route)route);
	put_host(scenario, out, "handshake.test", CONFIG_WHEN_HANDSHAKE);
	put_route(scenario, out, ROUTE_HOST);
	if (scenario->proxied)
		(void)fprintf(out, "upstreams:\n  app:\n    servers: [ http://127.0.0.1:8080 ]\n");
	if (fclose(out) != 0)
		abort();
	return text;
}
