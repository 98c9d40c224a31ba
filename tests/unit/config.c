/* The configuration: what is read, what is inherited, and what is refused with which message. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

#include "config_bad.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define KiB 1024ULL
#define MiB (1024ULL * KiB)
#define GiB (1024ULL * MiB)

/* ---- allocations that fail on demand (the linker's --wrap, of our own code only) ---- */

static unsigned long fail_at, allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
	return ++allocations == fail_at ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return ++allocations == fail_at ? NULL : __real_calloc(count, size);
}

/* ---- helpers ---- */

static struct config *parse_in(const char *text, const char *directory)
{
	struct thaw_error err = {0};
	struct config *config = config_parse(text, strlen(text), "thaw.yaml", directory, &err);
	if (config == NULL)
		fail_msg("%s\n%s", err.text, text);
	assert_int_equal(err.cls, THAW_ERR_NONE);
	return config;
}

static struct config *parse(const char *text)
{
	return parse_in(text, NULL);
}

static void refused(const char *text, const char *message)
{
	struct thaw_error err = {0};
	struct config *config = config_parse(text, strlen(text), "thaw.yaml", NULL, &err);
	char expected[THAW_ERROR_TEXT];
	(void)snprintf(expected, sizeof(expected), "thaw.yaml:%s", message);
	if (config != NULL) {
		config_free(&config);
		fail_msg("accepted, but expected '%s':\n%s", expected, text);
	}
	if (strcmp(err.text, expected) != 0)
		fail_msg("message:  %s\nexpected: %s\nof:\n%s", err.text, expected, text);
	assert_int_equal(err.cls, THAW_ERR_CONFIG);
}

/* before, n times unit, after; to be freed. */
static char *repeated(const char *before, const char *unit, size_t n, const char *after)
{
	size_t before_len = strlen(before), unit_len = strlen(unit), after_len = strlen(after);
	char *text = malloc(before_len + n * unit_len + after_len + 1);
	assert_non_null(text);
	(void)memcpy(text, before, before_len);
	for (size_t i = 0; i < n; i++)
		(void)memcpy(text + before_len + i * unit_len, unit, unit_len);
	(void)memcpy(text + before_len + n * unit_len, after, after_len + 1);
	return text;
}

/* ---- tests ---- */

static void bad_ones_are_refused_with_their_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		refused(bad[i].yaml, bad[i].message);
}

/* Both families: a listener of each, or one for both. */
static void listeners_of_both_families(void **state)
{
	(void)state;
	struct config *config = parse(END("listen: [ { address: '[::]:8443' }, { address: '0.0.0.0:8443' } ]\n"));
	assert_false(config->listens[0].takes_ipv4);
	config_free(&config);
	config = parse(END("listen: [ { address: '[::]:8443', ipv6_only: false } ]\n"));
	assert_true(config->listens[0].takes_ipv4);
	config_free(&config);
}

static void networks_are(const struct config_networks *networks, const char *first, size_t count)
{
	char text[NETWORK_TEXT_ROOM] = "";

	assert_int_equal(networks->count, count);
	if (count > 0)
		network_text(&networks->items[0], text);
	assert_string_equal(text, first);
}

static void rate_is(const struct config_rate *rate, uint64_t requests, uint64_t period_ms, unsigned burst, bool own)
{
	assert_int_equal(rate->requests, requests);
	assert_int_equal(rate->burst, burst);
	assert_int_equal(rate->own, own);
	if (requests > 0)
		assert_int_equal(rate->period_ms, period_ms);
}

static void a_route_inherits_access_from_its_host(void **state)
{
	(void)state;
	struct config *config =
		parse(HEAD "  allow_from: [ '::ffff:10.0.0.0/104', unix ]\n"
			   "  deny_from: [ 10.1.0.0/16 ]\n"
			   "  rate: { requests: 30/m, burst: 5 }\n"
			   "  routes:\n"
			   "  - { path: /, upstream: 'builtin:sink' }\n"
			   "  - { path: /a, allow_from: [ '2001:db8::/32' ], deny_from: off, rate: 7/s, "
			   "upstream: 'builtin:sink' }\n"
			   "  - { path: /b, allow_from: off, rate: off, upstream: 'builtin:sink' }\n");
	const struct config_host *host = &config->hosts[0];
	networks_are(&host->access.allow, "10.0.0.0/8", 2);
	rate_is(&host->access.rate, 30, 60000, 5, true);
	networks_are(&host->routes[0].access.allow, "10.0.0.0/8", 2);
	networks_are(&host->routes[0].access.deny, "10.1.0.0/16", 1);
	rate_is(&host->routes[0].access.rate, 30, 60000, 5, false);
	networks_are(&host->routes[1].access.allow, "2001:db8::/32", 1);
	networks_are(&host->routes[1].access.deny, "", 0);
	rate_is(&host->routes[1].access.rate, 7, 1000, 7, true);
	networks_are(&host->routes[2].access.allow, "", 0);
	networks_are(&host->routes[2].access.deny, "10.1.0.0/16", 1);
	rate_is(&host->routes[2].access.rate, 0, 0, 0, true);
	config_free(&config);
}

static void one_host_is_enough(void **state)
{
	(void)state;
	struct config *config = parse(END(""));
	assert_string_equal(config->file, "thaw.yaml");
	assert_int_equal(config->workers, 0);
	assert_int_equal(config->listen_count, 1);
	assert_int_equal(config->listens[0].kind, CONFIG_LISTEN_TCP);
	assert_string_equal(config->listens[0].address, "127.0.0.1:8443");
	assert_string_equal(config->listens[0].host, "127.0.0.1");
	assert_int_equal(config->listens[0].port, 8443);
	assert_null(config->listens[0].path);
	assert_int_equal(config->spool.memory, 256 * MiB);
	assert_int_equal(config->spool.disk, 0);
	assert_null(config->spool.directory);
	assert_int_equal(config->spool.per_client_percent, 25);
	assert_int_equal(config->connections.max, 0);
	assert_int_equal(config->connections.per_client, 0);
	assert_int_equal(config->connections.per_client_percent, 80);
	assert_string_equal(config->log.access, "stdout");
	assert_int_equal(config->log.format, CONFIG_LOG_JSON);
	assert_int_equal(config->log.level, CONFIG_LOG_INFO);
	assert_int_equal(config->host_count, 1);

	const struct config_host *host = &config->hosts[0];
	assert_string_equal(host->name, "a.example");
	assert_string_equal(host->certificate, "c.pem");
	assert_string_equal(host->key, "k.pem");
	assert_true(host->hold_to_tls12);
	assert_int_equal(host->http2, CONFIG_HTTP2_AUTO);
	assert_int_equal(host->route_count, 1);
	assert_string_equal(host->routes[0].path, "/");
	assert_null(host->routes[0].methods);
	assert_int_equal(host->routes[0].upstream, CONFIG_BUILTIN_SINK);
	const struct config_certificate *certificates[] = {&host->client_certificate, &host->routes[0].certificate};
	for (size_t i = 0; i < COUNT(certificates); i++) {
		assert_null(certificates[i]->ca);
		assert_null(certificates[i]->crl);
		assert_null(certificates[i]->elsewhere);
		assert_int_equal(certificates[i]->when, CONFIG_WHEN_NEVER);
		assert_int_equal(certificates[i]->require, CONFIG_REQUIRED);
		assert_int_equal(certificates[i]->timeout_ms, 120 * 1000);
		assert_int_equal(certificates[i]->decline_grace_ms, 1000);
		assert_int_equal(certificates[i]->max_body, GiB);
		assert_int_equal(certificates[i]->crl_check, CONFIG_CRL_CHAIN);
		assert_true(certificates[i]->ca_names);
		assert_int_equal(certificates[i]->depth, 8);
		assert_int_equal(certificates[i]->max_cert_list, 32768);
	}
	config_free(&config);
	assert_null(config);
	config_free(&config);
}

static void every_top_level_key_is_read(void **state)
{
	(void)state;
	struct config *config = parse(END("workers: 3\n"
					  "listen:\n"
					  "- { address: '0.0.0.0:443', proxy_protocol: false }\n"
					  "- { address: '[0::0:1]:0' }\n"
					  "- { address: '[::1]:0' }\n"
					  "- { address: 'localhost:65535' }\n"
					  "- { address: unix:/run/thaw.sock }\n"
					  "spool: { memory: 64MiB, disk: 4GiB, directory: /var/spool/thaw, "
					  "per_client: 100% }\n"
					  "log: { access: stderr, format: combined, level: debug }\n"));
	assert_int_equal(config->workers, 3);
	static const struct {
		const char *host;
		uint16_t port;
	} expected[] = {{"0.0.0.0", 443}, {"::1", 0}, {"::1", 0}, {"127.0.0.1", 65535}};
	assert_int_equal(config->listen_count, 5);
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_int_equal(config->listens[i].kind, CONFIG_LISTEN_TCP);
		assert_string_equal(config->listens[i].host, expected[i].host);
		assert_int_equal(config->listens[i].port, expected[i].port);
	}
	assert_string_equal(config->listens[1].address, "[0::0:1]:0");
	assert_int_equal(config->listens[4].kind, CONFIG_LISTEN_UNIX);
	assert_string_equal(config->listens[4].path, "/run/thaw.sock");
	assert_null(config->listens[4].host);
	assert_int_equal(config->spool.memory, 64 * MiB);
	assert_int_equal(config->spool.disk, 4 * GiB);
	assert_string_equal(config->spool.directory, "/var/spool/thaw");
	assert_int_equal(config->spool.per_client_percent, 100);
	assert_string_equal(config->log.access, "stderr");
	assert_int_equal(config->log.format, CONFIG_LOG_COMBINED);
	assert_int_equal(config->log.level, CONFIG_LOG_DEBUG);
	config_free(&config);
}

static void upstreams_are_read(void **state)
{
	static const char yaml[] = ROUTES(
		"  - path: /\n    upstream: b\n  - path: /a\n    upstream: a\n") "upstreams:\n"
										 "  a:\n"
										 "    servers: [ 'http://Example.com', "
										 "'https://[::1]:8443', "
										 "'unix:app.sock' ]\n"
										 "    connect_timeout: 2s\n"
										 "    response_timeout: 3s\n"
										 "    keepalive: off\n"
										 "    keepalive_timeout: 0s\n"
										 "    tunnel_timeout: 5s\n"
										 "    max_failures: 6\n"
										 "    rest: 7s\n"
										 "    tls: { ca: ca.pem, name: "
										 "x.example, certificate: c.pem, key: "
										 "k.pem, verify: false }\n"
										 "  b: { servers: [ "
										 "'http://127.0.0.1:81/' ] }\n";
	struct config *config = parse_in(yaml, "/etc/thaw");

	(void)state;
	assert_int_equal(config->upstream_count, 2);
	const struct config_upstream *a = &config->upstreams[0], *b = &config->upstreams[1];
	assert_string_equal(a->name, "a");
	assert_int_equal(a->server_count, 3);
	assert_string_equal(a->servers[0].host, "example.com");
	assert_true(a->servers[0].named && !a->servers[0].tls && a->servers[0].port == 80);
	assert_string_equal(a->servers[1].host, "::1");
	assert_true(!a->servers[1].named && a->servers[1].tls && a->servers[1].port == 8443);
	assert_string_equal(a->servers[2].path, "/etc/thaw/app.sock");
	assert_int_equal(a->connect_timeout_ms, 2000);
	assert_int_equal(a->response_timeout_ms, 3000);
	assert_int_equal(a->keepalive, 0);
	assert_int_equal(a->keepalive_timeout_ms, 0);
	assert_int_equal(a->tunnel_timeout_ms, 5000);
	assert_int_equal(a->max_failures, 6);
	assert_int_equal(a->down_ms, 7000);
	assert_string_equal(a->tls.ca, "/etc/thaw/ca.pem");
	assert_string_equal(a->tls.name, "x.example");
	assert_false(a->tls.verify);
	assert_true(b->tls.verify && b->keepalive > 0 && b->servers[0].port == 81);
	assert_int_equal(config->hosts[0].routes[0].upstream, CONFIG_PROXY);
	assert_int_equal(config->hosts[0].routes[0].proxy, 1);
	assert_int_equal(config->hosts[0].routes[1].proxy, 0);
	config_free(&config);
}

/* Names of containers have underscores; a dot at the end keeps search domains out, and is in no certificate. */
static void names_may_have_underscores_and_a_dot_at_the_end(void **state)
{
	static const char yaml[] =
		"hosts:\n- name: [ Api.example., my_api.example, '*.Example.com.', '*' ]\n  certificate: c\n  key: k\n "
		" routes: [ { path: /, upstream: a } ]\n"
		"upstreams:\n  a:\n    servers: [ 'http://my_app', 'https://_x._y.Example.:8443', 'http://a_' ]\n"
		"    tls: { name: My_app.example. }\n";
	struct config *config = parse_in(yaml, NULL);

	(void)state;
	const struct config_upstream *a = &config->upstreams[0];
	assert_string_equal(config->hosts[0].name, "api.example");
	assert_string_equal(config->hosts[0].names[0], "api.example");
	assert_string_equal(config->hosts[0].names[1], "my_api.example");
	assert_string_equal(config->hosts[0].names[2], "*.example.com");
	assert_string_equal(config->hosts[0].names[3], "*");
	assert_null(config->hosts[0].names[4]);
	assert_string_equal(a->servers[0].host, "my_app");
	assert_string_equal(a->servers[1].host, "_x._y.example.");
	assert_string_equal(a->servers[2].host, "a_");
	assert_true(a->servers[0].named && a->servers[1].named);
	assert_string_equal(a->tls.name, "my_app.example");
	config_free(&config);
}

/* Of the mapping that gave the value, also where a route inherits it. */
static void files_have_their_places(void **state)
{
	static const char yaml[] =
		"hosts:\n- name: a\n  certificate: c\n  key: k\n"
		"  client_certificate: { when: body, ca: ca,\n    crl: crl }\n"
		"  routes:\n  - { path: /, upstream: builtin:sink }\n"
		"  - path: /b\n    upstream: a\n    client_certificate: { depth: 3,\n      crl: b }\n"
		"upstreams:\n  a:\n    servers: [ https://a ]\n    tls: { ca: x,\n    certificate: c,\n"
		"    key: k }\n";
	struct config *config = parse_in(yaml, NULL);

	(void)state;
	const struct config_host *host = &config->hosts[0];
	const struct config_upstream *a = &config->upstreams[0];
	assert_string_equal(host->certificate_place, "thaw.yaml:3: key 'hosts[0].certificate'");
	assert_string_equal(host->key_place, "thaw.yaml:4: key 'hosts[0].key'");
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(host->routes[i].certificate.ca_place,
				    "thaw.yaml:5: key 'hosts[0].client_certificate.ca'");
	assert_string_equal(host->routes[0].certificate.crl_place,
			    "thaw.yaml:6: key 'hosts[0].client_certificate.crl'");
	assert_string_equal(host->routes[1].certificate.crl_place,
			    "thaw.yaml:12: key 'hosts[0].routes[1].client_certificate.crl'");
	assert_string_equal(a->tls.ca_place, "thaw.yaml:16: key 'upstreams.a.tls.ca'");
	assert_string_equal(a->tls.certificate_place, "thaw.yaml:17: key 'upstreams.a.tls.certificate'");
	assert_string_equal(a->tls.key_place, "thaw.yaml:18: key 'upstreams.a.tls.key'");
	config_free(&config);
}

static void the_tls_protocol_is_read(void **state)
{
	struct config *config = parse_in("tls:\n  versions: [ 1.3 ]\n  groups: [ P-384, X25519 ]\n  ciphers: [ "
					 "ECDHE-RSA-AES128-GCM-SHA256, TLS_AES_128_GCM_SHA256, "
					 "ECDHE-ECDSA-AES128-GCM-SHA256 ]\n" END(""),
					 NULL);

	(void)state;
	assert_int_equal(config->tls.versions, CONFIG_TLS_13);
	assert_string_equal(config->tls.groups, "P-384:X25519");
	assert_string_equal(config->tls.groups_place, "thaw.yaml:3: key 'tls.groups'");
	assert_string_equal(config->tls.ciphers, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256");
	assert_string_equal(config->tls.suites, "TLS_AES_128_GCM_SHA256");
	config_free(&config);
	config = parse_in(END(""), NULL);
	assert_int_equal(config->tls.versions, CONFIG_TLS_12 | CONFIG_TLS_13);
	assert_null(config->tls.groups);
	config_free(&config);
}

static void rules_are_inherited_or_replaced(void **state)
{
	(void)state;
	struct config *config = parse(
		HEAD
		"  identity: [ rfc9440, nginx ]\n"
		"  client_certificate: { ca: c, allow: [ 'subject=CN=a and eku=clientAuth', 'sha256="
		"AB:cd"
		"000000000000000000000000000000000000000000000000000000000000' ] }\n"
		"  routes:\n"
		"  - { path: /, upstream: 'builtin:sink' }\n"
		"  - { path: /b, upstream: 'builtin:sink', client_certificate: { allow: [ 'san=ip:10.0.0.0/8' ] } }\n");
	const struct config_certificate *first = &config->hosts[0].routes[0].certificate,
					*second = &config->hosts[0].routes[1].certificate;
	assert_int_equal(config->hosts[0].identity, CONFIG_IDENTITY_RFC9440 | CONFIG_IDENTITY_NGINX);
	assert_int_equal(first->allow_count, 2);
	assert_int_equal(first->allow[0].count, 2);
	assert_string_equal(first->allow[0].tests[0].text, "CN=a");
	assert_string_equal(first->allow[0].tests[1].text, "1.3.6.1.5.5.7.3.2");
	assert_string_equal(first->allow[1].tests[0].text,
			    "abcd000000000000000000000000000000000000000000000000000000000000");
	assert_int_equal(second->allow_count, 1);
	assert_int_equal(second->allow[0].tests[0].kind, CONFIG_TEST_SAN_IP);
	config_free(&config);
}

static void operation_is_read(void **state)
{
	(void)state;
	struct config *config =
		parse(END("admin: 127.0.0.1:9443\nticket_keys: keys\nuser: thaw\ngroup: www-data\n"
			  "stop_timeout: 2m\nsandbox: off\nlisten: [ { address: '[::1]:1', proxy_protocol: "
			  "true } ]\n"));
	assert_int_equal(config->admin->port, 9443);
	assert_string_equal(config->ticket_keys, "keys");
	assert_string_equal(config->user, "thaw");
	assert_string_equal(config->group, "www-data");
	assert_int_equal(config->stop_timeout_ms, 120000);
	assert_false(config->sandbox);
	assert_true(config->listens[0].proxy_protocol);
	config_free(&config);
	config = parse(HOST("  max_request_body: 10MiB\n"));
	assert_int_equal(config->hosts[0].routes[0].max_request_body, 10 << 20);
	config_free(&config);
	config = parse(END("admin: off\n"));
	assert_true(config->hosts[0].routes[0].max_request_body == CONFIG_NO_LIMIT);
	assert_null(config->admin);
	assert_null(config->admin_names);
	config_free(&config);
	config = parse(END("admin: { address: 127.0.0.1:9443, names: [ Gateway.example.com., my_gate ] }\n"));
	assert_int_equal(config->admin->port, 9443);
	assert_string_equal(config->admin_names[0], "gateway.example.com");
	assert_string_equal(config->admin_names[1], "my_gate");
	assert_null(config->admin_names[2]);
	assert_int_equal(config->stop_timeout_ms, 30000);
	assert_true(config->sandbox);
	config_free(&config);
}

static void the_disk_is_used_where_there_is_a_directory(void **state)
{
	(void)state;
	static const struct {
		const char *yaml;
		uint64_t disk;
	} cases[] = {
		{END("spool: { directory: d }\n"), 8 * GiB},
		{END("spool: { directory: d, disk: 0 }\n"), 0},
		{END("spool: { disk: 0 }\n"), 0},
		{END("spool: { directory: d, disk: 1MiB }\n"), MiB},
		{END("spool: {}\n"), 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config *config = parse(cases[i].yaml);
		assert_int_equal(config->spool.disk, cases[i].disk);
		config_free(&config);
	}
}

static void limits_of_connections_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *yaml;
		unsigned max, per_client, percent;
	} cases[] = {
		{END("connections: {}\n"), 0, 0, 80},
		{END("connections: { max: auto, per_client: off }\n"), 0, 0, 0},
		{END("connections: { max: 5000, per_client: 100 }\n"), 5000, 100, 0},
		{END("connections: { max: 10000000, per_client: 100% }\n"), 10000000, 0, 100},
		{END("connections: { per_client: 1% }\n"), 0, 0, 1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config *config = parse(cases[i].yaml);
		assert_int_equal(config->connections.max, cases[i].max);
		assert_int_equal(config->connections.per_client, cases[i].per_client);
		assert_int_equal(config->connections.per_client_percent, cases[i].percent);
		config_free(&config);
	}
}

static void sizes_and_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = {
		{"0", 0},
		{"1", 1},
		{"1kB", 1000},
		{"1KiB", KiB},
		{"7MB", 7000000},
		{"7MiB", 7 * MiB},
		{"2GB", 2000000000},
		{"2GiB", 2 * GiB},
		{"3TB", 3000000000000},
		{"1024TiB", 1024 * 1024 * GiB},
		{"1125899906842624", 1024 * 1024 * GiB},
		{"'5'", 5},
	};
	static const struct {
		const char *text;
		uint64_t ms;
	} durations[] = {
		{"1ms", 1}, {"500ms", 500}, {"1s", 1000}, {"2m", 120000}, {"24h", 86400000}, {"86400000ms", 86400000},
	};
	char yaml[512];
	for (size_t i = 0; i < COUNT(sizes); i++) {
		(void)snprintf(yaml, sizeof(yaml), HOST("  client_certificate: { max_body: %s }\n"), sizes[i].text);
		struct config *config = parse(yaml);
		assert_int_equal(config->hosts[0].routes[0].certificate.max_body, sizes[i].bytes);
		config_free(&config);
	}
	for (size_t i = 0; i < COUNT(durations); i++) {
		(void)snprintf(yaml, sizeof(yaml), HOST("  client_certificate: { timeout: %s }\n"), durations[i].text);
		struct config *config = parse(yaml);
		assert_int_equal(config->hosts[0].routes[0].certificate.timeout_ms, durations[i].ms);
		config_free(&config);
	}
	struct config *config = parse(HOST("  client_certificate: { decline_grace: 0s }\n"));
	assert_int_equal(config->hosts[0].client_certificate.decline_grace_ms, 0);
	config_free(&config);
}

static void every_moment_and_upstream_has_its_word(void **state)
{
	(void)state;
	static const char *const whens[] = {
		[CONFIG_WHEN_NEVER] = "never",     [CONFIG_WHEN_HANDSHAKE] = "handshake",
		[CONFIG_WHEN_REQUEST] = "request", [CONFIG_WHEN_REQUEST_EARLY] = "request-early",
		[CONFIG_WHEN_BODY] = "body",       [CONFIG_WHEN_RESPONSE] = "response",
	};
	static const char *const upstreams[] = {
		[CONFIG_BUILTIN_INSPECT] = "inspect",
		[CONFIG_BUILTIN_SINK] = "sink",
		[CONFIG_BUILTIN_PRIME] = "prime",
	};
	char yaml[512];
	for (size_t i = 0; i < COUNT(whens) * COUNT(upstreams); i++) {
		size_t when = i / COUNT(upstreams), upstream = i % COUNT(upstreams);
		(void)snprintf(yaml, sizeof(yaml),
			       ROUTES("  - path: /\n    upstream: builtin:%s\n"
				      "    client_certificate: { ca: ca.pem, when: %s }\n"),
			       upstreams[upstream], whens[when]);
		struct config *config = parse(yaml);
		assert_int_equal(config->hosts[0].routes[0].certificate.when, when);
		assert_int_equal(config->hosts[0].routes[0].upstream, upstream);
		assert_string_equal(config_when_name((enum config_when)when), whens[when]);
		config_free(&config);
	}
	assert_string_equal(config_when_name((enum config_when)99), "unknown");
}

static const char inheriting[] = "hosts:\n"
				 "- name: '*'\n"
				 "  certificate: c\n"
				 "  key: k\n"
				 "  without_post_handshake: refuse\n"
				 "  http2: on\n"
				 "  routes: # before what they inherit: order does not matter\n"
				 "  - { path: /same, upstream: builtin:sink }\n"
				 "  - path: /own\n"
				 "    upstream: builtin:inspect\n"
				 "    methods: [ PUT, M-SEARCH ]\n"
				 "    client_certificate: { ca: own.pem, crl: none, when: body, require: true,\n"
				 "      timeout: 1s, decline_grace: 2s, max_body: 3, elsewhere: none,\n"
				 "      crl_check: chain, ca_names: send, depth: 1, max_cert_list: 1KiB,\n"
				 "      partial_chain: false, purpose: client }\n"
				 "  - { path: /one, upstream: builtin:prime, client_certificate: { max_body: 4 } }\n"
				 "  client_certificate:\n"
				 "    ca: host.pem\n"
				 "    crl: host.crl\n"
				 "    crl_check: leaf\n"
				 "    partial_chain: true\n"
				 "    purpose: any\n"
				 "    ca_names: none\n"
				 "    depth: 32\n"
				 "    max_cert_list: 60KiB\n"
				 "    when: request\n"
				 "    require: false\n"
				 "    timeout: 5s\n"
				 "    decline_grace: 6s\n"
				 "    max_body: 7\n"
				 "    elsewhere: https://b.example:8443\n"
				 "- name: B.Example\n"
				 "  certificate: c\n"
				 "  key: k\n"
				 "  http2: off\n"
				 "  routes: [ { path: /, upstream: builtin:sink } ]\n";

static void a_route_overrides_each_key_of_its_host(void **state)
{
	(void)state;
	struct config *config = parse(inheriting);
	const struct config_host *host = &config->hosts[0];
	assert_false(host->hold_to_tls12);
	assert_int_equal(host->http2, CONFIG_HTTP2_ON);
	assert_int_equal(config->hosts[1].http2, CONFIG_HTTP2_OFF);
	assert_int_equal(host->route_count, 3);
	for (size_t i = 0; i < 3; i += 2) {
		const struct config_certificate *certificate = &host->routes[i].certificate;
		assert_string_equal(certificate->ca, "host.pem");
		assert_string_equal(certificate->crl, "host.crl");
		assert_int_equal(certificate->crl_check, CONFIG_CRL_LEAF);
		assert_true(certificate->partial_chain);
		assert_int_equal(certificate->purpose, CONFIG_PURPOSE_ANY);
		assert_false(certificate->ca_names);
		assert_int_equal(certificate->depth, 32);
		assert_int_equal(certificate->max_cert_list, 61440);
		assert_int_equal(certificate->when, CONFIG_WHEN_REQUEST);
		assert_int_equal(certificate->require, CONFIG_OPTIONAL);
		assert_int_equal(certificate->timeout_ms, 5000);
		assert_int_equal(certificate->decline_grace_ms, 6000);
		assert_int_equal(certificate->max_body, i == 0 ? 7 : 4);
		assert_string_equal(certificate->elsewhere, "https://b.example:8443");
	}
	const struct config_route *own = &host->routes[1];
	assert_string_equal(own->methods[0], "PUT");
	assert_string_equal(own->methods[1], "M-SEARCH");
	assert_null(own->methods[2]);
	assert_string_equal(own->certificate.ca, "own.pem");
	assert_null(own->certificate.crl);
	assert_int_equal(own->certificate.crl_check, CONFIG_CRL_CHAIN);
	assert_false(own->certificate.partial_chain);
	assert_int_equal(own->certificate.purpose, CONFIG_PURPOSE_CLIENT);
	assert_true(own->certificate.ca_names);
	assert_int_equal(own->certificate.depth, 1);
	assert_int_equal(own->certificate.max_cert_list, 1024);
	assert_int_equal(own->certificate.when, CONFIG_WHEN_BODY);
	assert_int_equal(own->certificate.require, CONFIG_REQUIRED);
	assert_int_equal(own->certificate.timeout_ms, 1000);
	assert_int_equal(own->certificate.decline_grace_ms, 2000);
	assert_int_equal(own->certificate.max_body, 3);
	assert_null(own->certificate.elsewhere);
	/* Nothing goes from one host to the next, or back to the host. */
	assert_int_equal(host->client_certificate.max_body, 7);
	assert_string_equal(config->hosts[1].name, "b.example");
	assert_null(config->hosts[1].client_certificate.ca);
	assert_int_equal(config->hosts[1].routes[0].certificate.when, CONFIG_WHEN_NEVER);
	config_free(&config);
}

static void valid_files_load(void **state)
{
	(void)state;
	static const char *const good[] = {
		/* One path, methods apart; and a route for the rest beside them. */
		ROUTES("  - path: /a\n    methods: [ PUT ]\n" SINK "  - path: /a\n    methods: [ GET ]\n" SINK
		       "  - path: /a\n" SINK "  - path: /a/\n" SINK),
		ROUTES("  - path: '/a b/\303\244~!$&()+,=:@'\n" SINK "  - path: /.well-known/...\n" SINK),
		/* All that are asked at the handshake under one ca; others under theirs. */
		ROUTES("  - path: /a\n    client_certificate: { ca: a.pem, when: handshake }\n" SINK
		       "  - path: /b\n    client_certificate: { ca: a.pem, when: handshake }\n" SINK
		       "  - path: /c\n    client_certificate: { ca: c.pem, when: request }\n" SINK),
		HOST("  client_certificate: {}\n"),
		HOST("  client_certificate: { when: \"never\", elsewhere: 'https://[::1]' }\n"),
		HOST("  client_certificate: { elsewhere: https://a.b-c.example:1 }\n"),
		"\357\273\277%YAML 1.1\n---\n" END("") "...\n", /* a byte order mark */
		"{ \"hosts\": [ { \"name\": \"*\", \"certificate\": \"c\", \"key\": \"k\", \"routes\": [ { \"path\": "
		"\"/\", \"upstream\": \"builtin:sink\" } ] } ] }", /* JSON */
		END("workers: auto\n# no line end"),
	};
	for (size_t i = 0; i < COUNT(good); i++) {
		struct config *config = parse(good[i]);
		config_free(&config);
	}
}

static void headers_and_protocols(void **state)
{
	(void)state;
	struct config *config =
		parse(HEAD "  client_headers: { strip: [ X-Corp-*, X-User ], pass: [ X-Real-IP, Client-Cert ] }\n"
			   "  paths: case-sensitive\n" TAIL "    upgrade: [ websocket, SPDY/3.1 ]\n"
			   "  - path: /none\n    upgrade: none\n" SINK "  - path: /usual\n" SINK);
	const struct config_host *host = &config->hosts[0];

	assert_string_equal(host->strip[0], "X-Corp-*");
	assert_string_equal(host->strip[1], "X-User");
	assert_null(host->strip[2]);
	assert_string_equal(host->pass[1], "Client-Cert"); /* this host writes none itself */
	assert_true(host->case_matters);
	assert_string_equal(host->routes[0].upgrade[1], "SPDY/3.1");
	assert_true(host->routes[1].upgrade != NULL && host->routes[1].upgrade[0] == NULL);
	assert_null(host->routes[2].upgrade);
	config_free(&config);
}

static void header(const struct config_header *rule, enum config_header_action action, const char *name, size_t pieces)
{
	assert_int_equal(rule->action, action);
	assert_string_equal(rule->name, name);
	assert_int_equal(rule->piece_count, pieces);
}

static const char headers_yaml[] =
	HEAD "  headers:\n"
	     "    request: { set: { X-Client: 'at {client.address}!', X-Key: k }, remove: [ Cookie ] }\n"
	     "    response: { set: { Strict-Transport-Security: max-age=1 }, add: { Link: [ '{{a} {\"b\": {}}', c ] } "
	     "}\n" TAIL "    headers:\n"
	     "      request: { set: { x_client: '{request.id}{tls.version}' }, add: { X-Key: other } }\n"
	     "      response: { remove: [ strict-transport-security ] }\n"
	     "  - path: /plain\n" SINK;

static void a_route_begins_with_the_headers_of_its_host(void **state)
{
	struct config *config = parse(headers_yaml);
	const struct config_host *host = &config->hosts[0];
	const struct config_headers *request = &host->routes[0].headers.request;
	const struct config_headers *response = &host->routes[0].headers.response;

	(void)state;
	assert_int_equal(host->headers.request.count, 3);
	header(host->headers.request.rules[0], CONFIG_HEADER_SET, "X-Client", 3);
	assert_string_equal(host->headers.request.rules[0]->pieces[0].text, "at ");
	assert_int_equal(host->headers.request.rules[0]->pieces[1].variable, CONFIG_VAR_CLIENT_ADDRESS);
	assert_string_equal(host->headers.request.rules[0]->pieces[2].text, "!");
	assert_int_equal(request->count, 4);
	header(request->rules[0], CONFIG_HEADER_SET, "X-Key", 1);
	header(request->rules[1], CONFIG_HEADER_REMOVE, "Cookie", 0);
	header(request->rules[2], CONFIG_HEADER_SET, "x_client", 2);
	header(request->rules[3], CONFIG_HEADER_ADD, "X-Key", 1);
	assert_int_equal(response->count, 3);
	header(response->rules[0], CONFIG_HEADER_ADD, "Link", 2);
	assert_string_equal(response->rules[0]->pieces[0].text, "{");
	assert_string_equal(response->rules[0]->pieces[1].text, "a} {\"b\": {}}");
	header(response->rules[1], CONFIG_HEADER_ADD, "Link", 1);
	header(response->rules[2], CONFIG_HEADER_REMOVE, "strict-transport-security", 0);
	assert_int_equal(host->routes[1].headers.request.count, 3);
	assert_int_equal(host->routes[1].headers.response.count, 3);
	config_free(&config);
}

static void signs_that_begin_no_variable_are_text(void **state)
{
	static const char *const values[] = {
		"$5 $ 100% %% $$ %C3%A4%D0%BF%ABC%20 %D0 %Dx",
		"a$$5 50%; %{ %[ ${ $[x] %() %{} %[] ${} %{a",
		"$1 $12x %AB_% %X% %REQ(x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char text[512];
		(void)snprintf(text, sizeof(text), HEAD TAIL "    headers: { request: { set: { X-A: '%s' } } }\n",
			       values[i]);
		struct config *config = parse(text);
		const struct config_header *rule = config->hosts[0].routes[0].headers.request.rules[0];
		header(rule, CONFIG_HEADER_SET, "X-A", 1);
		assert_string_equal(rule->pieces[0].text, values[i]);
		config_free(&config);
	}
}

static void a_doubled_sign_is_one_where_a_variable_would_begin(void **state)
{
	struct config *config = parse(
		HEAD TAIL "    headers: { request: { set: { X-A: '/?$$filter=a %{{x}e $${client.address}' } } }\n");
	const struct config_header *rule = config->hosts[0].routes[0].headers.request.rules[0];
	char text[64] = "";

	(void)state;
	for (size_t i = 0; i < rule->piece_count; i++)
		(void)strcat(text, rule->pieces[i].variable == CONFIG_VAR_TEXT ? rule->pieces[i].text : "ADDRESS");
	assert_string_equal(text, "/?$filter=a %{x}e $ADDRESS");
	config_free(&config);
}

static void hosts_and_prefixes_for_a_service(void **state)
{
	struct config *config =
		parse(ROUTES("  - { path: /app, upstream: a, strip_prefix: /app/, add_prefix: /v2/x }\n"
			     "  - { path: /app/b, upstream: b, strip_prefix: /app }\n"
			     "  - { path: /c, upstream: c }\n  - { path: /d, upstream: d }\n"
			     "upstreams:\n"
			     "  a: { servers: [ 'https://one' ], host: 'App.Example:8443' }\n"
			     "  b: { servers: [ 'https://one' ], host: app.example, tls: { name: other.example } }\n"
			     "  c: { servers: [ 'https://one' ], host: upstream }\n"
			     "  d: { servers: [ 'https://one' ], host: pass }\n"));
	const struct config_upstream *upstreams = config->upstreams;
	const struct config_route *routes = config->hosts[0].routes;

	(void)state;
	assert_string_equal(routes[0].strip_prefix, "/app");
	assert_string_equal(routes[0].add_prefix, "/v2/x");
	assert_string_equal(routes[1].strip_prefix, "/app");
	assert_null(routes[1].add_prefix);
	assert_string_equal(upstreams[0].host, "app.example:8443");
	assert_string_equal(upstreams[0].tls.name, "app.example");
	assert_string_equal(upstreams[1].tls.name, "other.example");
	assert_true(upstreams[2].host_of_server && upstreams[2].host == NULL && upstreams[2].tls.name == NULL);
	assert_false(upstreams[3].host_of_server || upstreams[3].host != NULL);
	config_free(&config);
}

static void names_with_variables_are_claimed_on_every_host(void **state)
{
	struct config *config =
		parse(HEAD TAIL "    headers: { request: { set: { X-Id: '{identity.sha256}', X-Key: k } } }\n"
				"- name: b.example\n  certificate: c\n  key: k\n" TAIL);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(config->hosts[i].claimed[0], "X-Id");
		assert_null(config->hosts[i].claimed[1]);
	}
	config_free(&config);
}

static void files_are_found_from_the_folder(void **state)
{
	(void)state;
	static const char yaml[] = "hosts:\n"
				   "- name: a.example\n"
				   "  certificate: c.pem\n"
				   "  key: ../keys/k.pem\n"
				   "  key_passphrase: { file: ../keys/pass }\n"
				   "  client_certificate: { ca: /abs/ca.pem, crl: ca.crl, when: request }\n"
				   "  routes: [ { path: /, upstream: builtin:sink } ]\n"
				   "listen: [ { address: unix:run/s } ]\n"
				   "spool: { directory: spool }\n"
				   "log: { access: access.log }\n";
	static const char *const folders[] = {"/etc/thaw", "/etc/thaw/"};
	for (size_t i = 0; i < COUNT(folders); i++) {
		struct config *config = parse_in(yaml, folders[i]);
		assert_string_equal(config->hosts[0].certificate, "/etc/thaw/c.pem");
		assert_string_equal(config->hosts[0].key, "/etc/thaw/../keys/k.pem");
		assert_string_equal(config->hosts[0].key_passphrase, "/etc/thaw/../keys/pass");
		assert_non_null(strstr(config->hosts[0].key_place, ":4: key 'hosts[0].key'"));
		assert_string_equal(config->hosts[0].routes[0].certificate.ca, "/abs/ca.pem");
		assert_string_equal(config->hosts[0].routes[0].certificate.crl, "/etc/thaw/ca.crl");
		assert_string_equal(config->listens[0].path, "/etc/thaw/run/s");
		assert_string_equal(config->listens[0].address, "unix:run/s");
		assert_string_equal(config->spool.directory, "/etc/thaw/spool");
		assert_string_equal(config->log.access, "/etc/thaw/access.log");
		config_free(&config);
	}
	struct config *config = parse_in(yaml, "");
	assert_string_equal(config->hosts[0].certificate, "c.pem");
	config_free(&config);
}

static void what_is_long_is_bounded(void **state)
{
	(void)state;
	static const struct {
		const char *before, *after, *message;
		size_t most; /* accepted */
	} cases[] = {
		{ROUTES("  - path: /"), "\n" SINK,
		 "6: key 'hosts[0].routes[0].path': "
		 "'/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' is too long; "
		 "allowed: " ALLOWED_PATH,
		 1023},
		{HEAD "  client_certificate:\n    ca: ", "\n" TAIL,
		 "6: key 'hosts[0].client_certificate.ca': the file's name is too long; allowed: at most 4095 bytes",
		 4095},
		{END("listen:\n- address: unix:/"), "\n",
		 "9: key 'listen[0].address': the path "
		 "'/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...' is too long for a socket; "
		 "allowed: at most 107 bytes",
		 106},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *fits = repeated(cases[i].before, "a", cases[i].most, cases[i].after);
		char *longer = repeated(cases[i].before, "a", cases[i].most + 1, cases[i].after);
		struct config *config = parse(fits);
		config_free(&config);
		refused(longer, cases[i].message);
		free(fits);
		free(longer);
	}
}

static void what_is_many_is_bounded(void **state)
{
	(void)state;
	static const char listener[] = "- { address: '127.0.0.1:0' }\n";
	char *text = repeated(END("listen:\n"), listener, 4096, "");
	struct config *config = parse(text);
	assert_int_equal(config->listen_count, 4096);
	config_free(&config);
	free(text);
	text = repeated(END("listen:\n"), listener, 4097, "");
	refused(text, "8: key 'listen': the list has 4097 elements; allowed: at most 4096");
	free(text);
	text = repeated("workers:\n", "- 1\n", 65533, "");
	refused(text, "1: key 'workers': a list is not allowed here; allowed: auto, or 1 to 1024");
	free(text);
	text = repeated("workers:\n", "- 1\n", 65534, "");
	refused(text, "65535: too many values in one file");
	free(text);
	text = repeated("workers: ", "[", 100000, "\n");
	refused(text, "1: nested too deeply");
	free(text);
}

static void the_size_of_a_file_is_bounded(void **state)
{
	(void)state;
	char *fits = repeated(END("# "), "a", MiB - sizeof(END("# ")) + 1, "");
	assert_int_equal(strlen(fits), MiB);
	struct config *config = parse(fits);
	config_free(&config);
	free(fits);
	char *larger = repeated(END("# "), "a", MiB - sizeof(END("# ")) + 2, "");
	struct thaw_error err = {0};
	assert_null(config_parse(larger, strlen(larger), "thaw.yaml", NULL, &err));
	assert_ptr_equal(strstr(err.text, "thaw.yaml: "), err.text);
	assert_non_null(strstr(err.text, " 1048576 bytes"));
	free(larger);
}

static void messages_keep_what_matters(void **state)
{
	(void)state;
	/* The end of a long file name; and of a long value the beginning, never half a UTF-8 character. */
	char *name = repeated("/first/", "d", 300, "/thaw.yaml");
	struct thaw_error err = {0};
	assert_null(config_parse("a: 1", 4, name, NULL, &err));
	assert_non_null(strstr(err.text, "dd/thaw.yaml:1: key 'a': "));
	assert_null(strstr(err.text, "/first/"));
	free(name);
	char *text = repeated("workers: ", "w", 63, "\303\244\303\244\n");
	err = (struct thaw_error){0};
	assert_null(config_parse(text, strlen(text), "f", NULL, &err));
	assert_string_equal(err.text, "f:1: key 'workers': "
				      "'wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww...' is not "
				      "understood; allowed: auto, or 1 to 1024");
	free(text);
	/* The first cause is kept. */
	struct thaw_error first = err;
	assert_null(config_parse("b: 1", 4, "f", NULL, &err));
	assert_string_equal(err.text, first.text);
	assert_null(config_parse("b: 1", 4, "f", NULL, NULL));
}

static void a_file_is_loaded(void **state)
{
	(void)state;
	char folder[] = "/tmp/thaw-config-XXXXXX", file[64];
	assert_non_null(mkdtemp(folder));
	(void)snprintf(file, sizeof(file), "%s/thaw.yaml", folder);
	FILE *f = fopen(file, "w");
	assert_non_null(f);
	assert_true(fputs(END("spool: { directory: spool }\n"), f) >= 0);
	assert_int_equal(fclose(f), 0);

	struct thaw_error err = {0};
	struct config *config = config_load(file, &err);
	assert_non_null(config);
	assert_string_equal(config->file, file);
	char expected[PATH_MAX];
	(void)snprintf(expected, sizeof(expected), "%s/c.pem", folder);
	assert_string_equal(config->hosts[0].certificate, expected);
	config_free(&config);

	char message[THAW_ERROR_TEXT];
	assert_null(config_load(folder, &err));
	(void)snprintf(message, sizeof(message), "%s: cannot be read: Is a directory", folder);
	assert_string_equal(err.text, message);
	assert_int_equal(unlink(file), 0);
	err = (struct thaw_error){0};
	assert_null(config_load(file, &err));
	(void)snprintf(message, sizeof(message), "%s: cannot be opened: No such file or directory", file);
	assert_string_equal(err.text, message);
	assert_int_equal(err.cls, THAW_ERR_SYSTEM);
	assert_int_equal(rmdir(folder), 0);
}

static void the_example_is_loaded(void **state)
{
	(void)state;
	struct thaw_error err = {0};
	struct config *config = config_load(THAW_DOCS "/thaw.yaml", &err);
	if (config == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(config->listen_count, 2);
	assert_int_equal(config->host_count, 3);
	const struct config_host *host = &config->hosts[0];
	assert_string_equal(host->name, "api.example.com");
	assert_string_equal(host->certificate, THAW_DOCS "/pki/api.pem");
	assert_string_equal(host->key, THAW_DOCS "/pki/api.key");
	assert_string_equal(host->client_certificate.ca, THAW_DOCS "/pki/clients-ca.pem");
	assert_int_equal(host->client_certificate.when, CONFIG_WHEN_NEVER);
	/* It shows every moment. */
	unsigned shown = 0;
	for (size_t i = 0; i < config->host_count; i++)
		for (size_t j = 0; j < config->hosts[i].route_count; j++)
			shown |= 1u << config->hosts[i].routes[j].certificate.when;
	assert_int_equal(shown, (1u << (CONFIG_WHEN_RESPONSE + 1)) - 1);
	config_free(&config);
}

static const char whole[] = "workers: 2\n"
			    "listen: [ { address: '127.0.0.1:0' }, { address: unix:s } ]\n"
			    "spool: { directory: spool }\n"
			    "log: { access: access.log }\n"
			    "hosts:\n"
			    "- name: a.example\n"
			    "  certificate: c\n"
			    "  key: k\n"
			    "  client_certificate: { ca: ca, crl: crl, when: body, elsewhere: https://b.example }\n"
			    "  deny_from: [ 10.1.0.0/16 ]\n"
			    "  allow_from: [ 10.0.0.0/8, unix ]\n"
			    "  rate: { requests: 1/s, burst: 2 }\n"
			    "  routes:\n"
			    "  - { path: /, upstream: builtin:sink }\n"
			    "  - path: /a\n"
			    "    methods: [ PUT, POST ]\n"
			    "    allow_from: [ 10.2.0.0/16 ]\n"
			    "    client_certificate: { ca: ca2, crl: none, elsewhere: https://c.example }\n"
			    "    upstream: builtin:sink\n";

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	static const char *const texts[] = {whole, END(""), headers_yaml};
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct config *config = NULL;
		unsigned long k = 0;
		while (config == NULL) {
			struct thaw_error err = {0};
			allocations = 0;
			fail_at = ++k;
			config = config_parse(texts[i], strlen(texts[i]), "f", "/etc", &err);
			fail_at = 0;
			assert_true((config == NULL) == (err.cls == THAW_ERR_RESOURCE));
			if (config == NULL)
				assert_string_equal(err.text, "f: not enough memory to read it");
		}
		assert_int_equal(allocations, k - 1); /* all of them have failed once */
		assert_true(k > 10);
		config_free(&config);
	}
	for (unsigned long k = 1; k <= 2; k++) { /* the file's text, and its folder */
		struct thaw_error err = {0};
		allocations = 0;
		fail_at = k;
		assert_null(config_load(THAW_DOCS "/thaw.yaml", &err));
		fail_at = 0;
		assert_int_equal(err.cls, THAW_ERR_RESOURCE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_ones_are_refused_with_their_message),
		cmocka_unit_test(one_host_is_enough),
		cmocka_unit_test(listeners_of_both_families),
		cmocka_unit_test(a_route_inherits_access_from_its_host),
		cmocka_unit_test(every_top_level_key_is_read),
		cmocka_unit_test(upstreams_are_read),
		cmocka_unit_test(the_tls_protocol_is_read),
		cmocka_unit_test(names_may_have_underscores_and_a_dot_at_the_end),
		cmocka_unit_test(files_have_their_places),
		cmocka_unit_test(rules_are_inherited_or_replaced),
		cmocka_unit_test(operation_is_read),
		cmocka_unit_test(the_disk_is_used_where_there_is_a_directory),
		cmocka_unit_test(limits_of_connections_are_read),
		cmocka_unit_test(sizes_and_durations),
		cmocka_unit_test(every_moment_and_upstream_has_its_word),
		cmocka_unit_test(a_route_overrides_each_key_of_its_host),
		cmocka_unit_test(valid_files_load),
		cmocka_unit_test(headers_and_protocols),
		cmocka_unit_test(a_route_begins_with_the_headers_of_its_host),
		cmocka_unit_test(signs_that_begin_no_variable_are_text),
		cmocka_unit_test(a_doubled_sign_is_one_where_a_variable_would_begin),
		cmocka_unit_test(hosts_and_prefixes_for_a_service),
		cmocka_unit_test(names_with_variables_are_claimed_on_every_host),
		cmocka_unit_test(files_are_found_from_the_folder),
		cmocka_unit_test(what_is_long_is_bounded),
		cmocka_unit_test(what_is_many_is_bounded),
		cmocka_unit_test(the_size_of_a_file_is_bounded),
		cmocka_unit_test(messages_keep_what_matters),
		cmocka_unit_test(a_file_is_loaded),
		cmocka_unit_test(the_example_is_loaded),
		cmocka_unit_test(every_failed_allocation_is_survived),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
