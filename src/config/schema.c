/* The tables of all keys. */
#include "config/schema.h"

#include <assert.h>
#include <string.h>

#define MiB           (1024ULL * 1024)
#define KiB           1024ULL
#define DEPTH_MAX     32
#define CERT_LIST_MAX (60 * KiB) /* a session ticket, with the client's certificate in it, has less than 64 KiB */
#define WORKERS_MAX   1024
#define TIMEOUT_MAX   (24ULL * 3600 * 1000)
#define GRACE_MAX     (60ULL * 1000)

#define CONNECTIONS_MAX 10000000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static_assert(sizeof(enum config_when) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_upstream_kind) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_http2) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_crl_check) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_log_format) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_log_level) == sizeof(unsigned), "config_read_word() writes an unsigned");

/* ---- words ---- */

static const struct config_word off_words[] = {{"off", 0}, {NULL, 0}};
static const struct config_word auto_words[] = {{"auto", 0}, {NULL, 0}};
static const struct config_word http2_words[] = {
	{"auto", CONFIG_HTTP2_AUTO}, {"on", CONFIG_HTTP2_ON}, {"off", CONFIG_HTTP2_OFF}, {NULL, 0}};
static const struct config_word access_words[] = {{"stdout", 0}, {"stderr", 0}, {"off", 0}, {NULL, 0}};
static const struct config_word format_words[] = {
	{"json", CONFIG_LOG_JSON},
	{"combined", CONFIG_LOG_COMBINED},
	{NULL, 0},
};
static const struct config_word level_words[] = {
	{"error", CONFIG_LOG_ERROR},
	{"warning", CONFIG_LOG_WARNING},
	{"info", CONFIG_LOG_INFO},
	{"debug", CONFIG_LOG_DEBUG},
	{NULL, 0},
};
static const struct config_word when_words[] = {
	{"never", CONFIG_WHEN_NEVER},
	{"handshake", CONFIG_WHEN_HANDSHAKE},
	{"request", CONFIG_WHEN_REQUEST},
	{"request-early", CONFIG_WHEN_REQUEST_EARLY},
	{"body", CONFIG_WHEN_BODY},
	{"response", CONFIG_WHEN_RESPONSE},
	{NULL, 0},
};
static const struct config_word upstream_words[] = {
	{"builtin:inspect", CONFIG_BUILTIN_INSPECT},
	{"builtin:sink", CONFIG_BUILTIN_SINK},
	{"builtin:prime", CONFIG_BUILTIN_PRIME},
	{NULL, 0},
};

const char *config_when_name(enum config_when when)
{
	for (const struct config_word *word = when_words; word->name != NULL; word++)
		if (word->value == (int)when)
			return word->name;
	return "unknown";
}

static const struct config_word without_words[] = {{"tls12", 1}, {"refuse", 0}, {NULL, 0}};

/* Of host->hold_to_tls12, a bool. */
static enum thaw_status read_without_post_handshake(const struct config_at *at, const struct config_rule *rule,
						    void *into)
{
	unsigned hold;
	if (config_read_word(at, rule, &hold) != THAW_OK)
		return THAW_FAILED;
	*(bool *)into = hold != 0;
	return THAW_OK;
}

static const struct config_word paths_words[] = {{"any-case", 0}, {"case-sensitive", 1}, {NULL, 0}};

/* Of host->case_matters, a bool. */
static enum thaw_status read_paths(const struct config_at *at, const struct config_rule *rule, void *into)
{
	unsigned matters;
	if (config_read_word(at, rule, &matters) != THAW_OK)
		return THAW_FAILED;
	*(bool *)into = matters != 0;
	return THAW_OK;
}

static const struct config_word crl_check_words[] = {
	{"chain", CONFIG_CRL_CHAIN},
	{"leaf", CONFIG_CRL_LEAF},
	{NULL, 0},
};
static const struct config_word ca_names_words[] = {{"send", 1}, {"none", 0}, {NULL, 0}};

/* Of certificate->ca_names, a bool. */
static enum thaw_status read_ca_names(const struct config_at *at, const struct config_rule *rule, void *into)
{
	unsigned send;
	if (config_read_word(at, rule, &send) != THAW_OK)
		return THAW_FAILED;
	*(bool *)into = send != 0;
	return THAW_OK;
}

static const struct config_word switch_words[] = {{"on", 1}, {"off", 0}, {NULL, 0}};

/* Of config->sandbox, a bool. */
static enum thaw_status read_sandbox(const struct config_at *at, const struct config_rule *rule, void *into)
{
	unsigned on;
	if (config_read_word(at, rule, &on) != THAW_OK)
		return THAW_FAILED;
	*(bool *)into = on != 0;
	return THAW_OK;
}

static enum thaw_status read_worker_timeout(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (strcmp(scalar.text, "off") != 0)
		return config_read_duration(at, rule, into);
	*(uint64_t *)into = 0;
	return THAW_OK;
}

/* ---- tables, from the innermost out ---- */

#define SIZE_TEXT     "bytes, or a number with KiB, MiB, GiB, TiB, kB, MB, GB or TB; "
#define DURATION_TEXT "a whole number with ms, s, m or h; "

#define AT(field) offsetof(struct config_certificate, field)
static const struct config_rule certificate_rules[] = {
	{.key = "ca", .read = config_read_file, .offset = AT(ca), .allowed = "a PEM file of CA certificates"},
	{.key = "crl", .read = config_read_optional_file, .offset = AT(crl), .allowed = "a PEM file of CRLs, or none"},
	{.key = "crl_check", .read = config_read_word, .offset = AT(crl_check), .words = crl_check_words},
	{.key = "ca_names", .read = read_ca_names, .offset = AT(ca_names), .words = ca_names_words},
	{.key = "depth",
	 .read = config_read_number,
	 .offset = AT(depth),
	 .min = 1,
	 .max = DEPTH_MAX,
	 .allowed = "1 to 32"},
	{.key = "max_cert_list",
	 .read = config_read_size,
	 .offset = AT(max_cert_list),
	 .min = KiB,
	 .max = CERT_LIST_MAX,
	 .allowed = SIZE_TEXT "1KiB to 60KiB"},
	{.key = "when", .read = config_read_word, .offset = AT(when), .words = when_words},
	{.key = "require", .read = config_read_bool, .offset = AT(require), .allowed = "true, false"},
	{.key = "timeout",
	 .read = config_read_duration,
	 .offset = AT(timeout_ms),
	 .min = 1,
	 .max = TIMEOUT_MAX,
	 .allowed = DURATION_TEXT "1ms to 24h"},
	{.key = "decline_grace",
	 .read = config_read_duration,
	 .offset = AT(decline_grace_ms),
	 .max = GRACE_MAX,
	 .allowed = DURATION_TEXT "0s to 1m"},
	{.key = "max_body",
	 .read = config_read_size,
	 .offset = AT(max_body),
	 .max = CONFIG_SIZE_MAX,
	 .allowed = SIZE_TEXT "0 to 1024TiB"},
	{.key = "allow",
	 .read = config_read_allow,
	 .offset = AT(allow),
	 .allowed = "a list of rules, each one or more of subject=..., issuer=..., san=dns:..., san=email:..., "
		    "san=uri:..., "
		    "san=ip:..., sha256=..., eku=... joined by ' and '"},
	{.key = "elsewhere",
	 .read = config_read_elsewhere,
	 .offset = AT(elsewhere),
	 .allowed = "https://HOST or https://HOST:PORT without a path, or none"},
};
#undef AT
static const struct config_table certificate_table = {
	.rules = certificate_rules, .count = COUNT(certificate_rules), .check = config_check_certificate};

#define AT(field) offsetof(struct config_route, field)
static const struct config_rule route_rules[] = {
	{.key = "path",
	 .read = config_read_route_path,
	 .offset = AT(path),
	 .required = true,
	 .allowed = "/ and what follows it, decoded: without % escapes, ;parameters, ?queries, // and dot segments"},
	{.key = "methods",
	 .read = config_read_methods,
	 .offset = AT(methods),
	 .allowed = "a list of methods in upper case, such as [ PUT, POST ]"},
	{.key = "upgrade",
	 .read = config_read_upgrade,
	 .offset = AT(upgrade),
	 .allowed = "a list of protocols, such as [ websocket, SPDY/3.1 ], or none"},
	{.key = "client_certificate",
	 .read = config_read_mapping,
	 .offset = AT(certificate),
	 .table = &certificate_table},
	{.key = "upstream",
	 .read = config_read_upstream,
	 .offset = AT(upstream),
	 .required = true,
	 .words = upstream_words,
	 .allowed = "a name of one of the upstreams, builtin:inspect, builtin:sink, builtin:prime"},
};
#undef AT
static const struct config_table route_table = {.rules = route_rules,
						.count = COUNT(route_rules),
						.size = sizeof(struct config_route),
						.init = config_init_route};

#define PASSPHRASE_TEXT "a file whose first line is the key's pass phrase"

#define AT(field) offsetof(struct config_host, field)
static const struct config_rule passphrase_rules[] = {
	{.key = "file",
	 .read = config_read_file,
	 .offset = AT(key_passphrase),
	 .required = true,
	 .allowed = PASSPHRASE_TEXT},
};
static const struct config_table passphrase_table = {.rules = passphrase_rules, .count = COUNT(passphrase_rules)};

/* Relative to struct config_host: it has no struct of its own. */
static const struct config_rule client_headers_rules[] = {
	{.key = "strip",
	 .read = config_read_strip,
	 .offset = AT(strip),
	 .allowed = "a list of field names, each perhaps with a * at its end"},
	{.key = "pass", .read = config_read_pass, .offset = AT(pass), .allowed = "a list of field names"},
};
static const struct config_table client_headers_table = {.rules = client_headers_rules,
							 .count = COUNT(client_headers_rules)};

static const struct config_rule host_rules[] = {
	{.key = "name",
	 .read = config_read_host_name,
	 .offset = AT(name),
	 .required = true,
	 .allowed = "a DNS name such as api.example.com, or \"*\" for the default host"},
	{.key = "certificate",
	 .read = config_read_file,
	 .offset = AT(certificate),
	 .required = true,
	 .allowed = "a PEM file with the host's certificate and its chain"},
	{.key = "key",
	 .read = config_read_key,
	 .offset = AT(key),
	 .required = true,
	 .allowed = "a PEM file with the certificate's private key"},
	{.key = "key_passphrase", .read = config_read_mapping, .offset = 0, .table = &passphrase_table},
	{.key = "http2", .read = config_read_word, .offset = AT(http2), .words = http2_words},
	{.key = "without_post_handshake",
	 .read = read_without_post_handshake,
	 .offset = AT(hold_to_tls12),
	 .words = without_words},
	{.key = "identity",
	 .read = config_read_identity,
	 .offset = AT(identity),
	 .allowed = "a list of rfc9440, xfcc, nginx"},
	{.key = "client_headers", .read = config_read_mapping, .offset = 0, .table = &client_headers_table},
	{.key = "paths", .read = read_paths, .offset = AT(case_matters), .words = paths_words},
	/* Before the routes, which inherit it. */
	{.key = "client_certificate",
	 .read = config_read_mapping,
	 .offset = AT(client_certificate),
	 .table = &certificate_table},
	{.key = "routes",
	 .read = config_read_list,
	 .offset = AT(routes),
	 .count_offset = AT(route_count),
	 .table = &route_table,
	 .required = true,
	 .allowed = "a list of routes, each with path and upstream"},
};
#undef AT
static const struct config_table host_table = {.rules = host_rules,
					       .count = COUNT(host_rules),
					       .size = sizeof(struct config_host),
					       .init = config_init_host,
					       .check = config_check_host};

static const struct config_rule listen_rules[] = {
	{.key = "address",
	 .read = config_read_address,
	 .offset = 0,
	 .required = true,
	 .allowed = "a numeric address and port, such as 0.0.0.0:8443 or [::1]:8443, localhost:PORT, or unix:PATH"},
	{.key = "proxy_protocol",
	 .read = config_read_bool,
	 .offset = offsetof(struct config_listen, proxy_protocol),
	 .allowed = "true, false"},
};
static const struct config_table listen_table = {
	.rules = listen_rules, .count = COUNT(listen_rules), .size = sizeof(struct config_listen)};

/* A number, a percentage or off, into config_connections.per_client and per_client_percent. */
static enum thaw_status read_per_client(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_connections *connections = into;
	struct config_scalar scalar;

	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (scalar.len == 0 || scalar.text[scalar.len - 1] != '%') {
		connections->per_client_percent = 0;
		return config_read_number(at, rule, &connections->per_client);
	}
	struct config_rule percent = *rule;
	percent.max = 100;
	connections->per_client = 0;
	return config_read_percent(at, &percent, &connections->per_client_percent);
}

#define AT(field) offsetof(struct config, field)
static const struct config_rule connections_rules[] = {
	{.key = "max",
	 .read = config_read_number,
	 .offset = AT(connections.max),
	 .words = auto_words,
	 .min = 1,
	 .max = CONNECTIONS_MAX,
	 .allowed = "auto, or 1 to 10000000"},
	{.key = "per_client",
	 .read = read_per_client,
	 .offset = AT(connections),
	 .words = off_words,
	 .min = 1,
	 .max = CONNECTIONS_MAX,
	 .allowed = "1% to 100%, 1 to 10000000, or off"},
};
static const struct config_table connections_table = {.rules = connections_rules, .count = COUNT(connections_rules)};

static const struct config_rule spool_rules[] = {
	{.key = "memory",
	 .read = config_read_size,
	 .offset = AT(spool.memory),
	 .min = MiB,
	 .max = CONFIG_SIZE_MAX,
	 .allowed = SIZE_TEXT "1MiB to 1024TiB"},
	{.key = "disk",
	 .read = config_read_size,
	 .offset = AT(spool.disk),
	 .max = CONFIG_SIZE_MAX,
	 .allowed = SIZE_TEXT "0 (memory only) to 1024TiB"},
	{.key = "directory",
	 .read = config_read_file,
	 .offset = AT(spool.directory),
	 .allowed = "a directory for the spool's files"},
	{.key = "per_client",
	 .read = config_read_percent,
	 .offset = AT(spool.per_client_percent),
	 .min = 1,
	 .max = 100,
	 .allowed = "1% to 100%"},
};
static const struct config_table spool_table = {
	.rules = spool_rules, .count = COUNT(spool_rules), .check = config_check_spool};

static const struct config_rule tls_rules[] = {
	{.key = "versions",
	 .read = config_read_tls_versions,
	 .offset = AT(tls.versions),
	 .allowed = "a list of 1.2 and 1.3"},
	{.key = "groups",
	 .read = config_read_tls_groups,
	 .offset = AT(tls.groups),
	 .allowed = "a list of groups, such as [ X25519, P-256 ]"},
	{.key = "ciphers",
	 .read = config_read_tls_ciphers,
	 .offset = AT(tls.ciphers),
	 .allowed = "a list of cipher suites, such as [ ECDHE-RSA-AES128-GCM-SHA256 ]"},
};
static const struct config_table tls_table = {.rules = tls_rules, .count = COUNT(tls_rules), .check = config_check_tls};

static const struct config_rule log_rules[] = {
	{.key = "access",
	 .read = config_read_access_log,
	 .offset = AT(log.access),
	 .words = access_words,
	 .allowed = "stdout, stderr, off, or a file"},
	{.key = "format", .read = config_read_word, .offset = AT(log.format), .words = format_words},
	{.key = "level", .read = config_read_word, .offset = AT(log.level), .words = level_words},
};
static const struct config_table log_table = {.rules = log_rules, .count = COUNT(log_rules)};

#undef AT
#define AT(field) offsetof(struct config_upstream, field)
static const struct config_rule upstream_passphrase_rules[] = {
	{.key = "file",
	 .read = config_read_file,
	 .offset = AT(tls.key_passphrase),
	 .required = true,
	 .allowed = PASSPHRASE_TEXT},
};
static const struct config_table upstream_passphrase_table = {.rules = upstream_passphrase_rules,
							      .count = COUNT(upstream_passphrase_rules)};

static const struct config_rule upstream_tls_rules[] = {
	{.key = "ca",
	 .read = config_read_file,
	 .offset = AT(tls.ca),
	 .allowed = "a PEM file of the CA certificates that the servers' certificates must come from"},
	{.key = "name",
	 .read = config_read_server_name,
	 .offset = AT(tls.name),
	 .allowed = "the DNS name that the servers' certificates must be for"},
	{.key = "certificate",
	 .read = config_read_file,
	 .offset = AT(tls.certificate),
	 .allowed = "a PEM file with the gateway's own certificate and its chain"},
	{.key = "key",
	 .read = config_read_key,
	 .offset = AT(tls.key),
	 .allowed = "a PEM file with that certificate's private key"},
	{.key = "key_passphrase", .read = config_read_mapping, .offset = 0, .table = &upstream_passphrase_table},
	{.key = "verify", .read = config_read_bool, .offset = AT(tls.verify), .allowed = "true, false"},
};
static const struct config_table upstream_tls_table = {.rules = upstream_tls_rules, .count = COUNT(upstream_tls_rules)};

static const struct config_rule upstream_rules[] = {
	{.key = "servers",
	 .read = config_read_servers,
	 .offset = AT(servers),
	 .required = true,
	 .allowed = "a list of http://HOST[:PORT], https://HOST[:PORT] or unix:PATH"},
	{.key = "connect_timeout",
	 .read = config_read_duration,
	 .offset = AT(connect_timeout_ms),
	 .min = 1,
	 .max = TIMEOUT_MAX,
	 .allowed = DURATION_TEXT "1ms to 24h"},
	{.key = "response_timeout",
	 .read = config_read_duration,
	 .offset = AT(response_timeout_ms),
	 .min = 1,
	 .max = TIMEOUT_MAX,
	 .allowed = DURATION_TEXT "1ms to 24h"},
	{.key = "keepalive",
	 .read = config_read_number,
	 .offset = AT(keepalive),
	 .words = off_words,
	 .max = 65535,
	 .allowed = "off, or 0 to 65535"},
	{.key = "keepalive_timeout",
	 .read = config_read_duration,
	 .offset = AT(keepalive_timeout_ms),
	 .max = TIMEOUT_MAX,
	 .allowed = DURATION_TEXT "0s to 24h"},
	{.key = "tunnel_timeout",
	 .read = config_read_duration,
	 .offset = AT(tunnel_timeout_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = DURATION_TEXT "1s to 24h"},
	{.key = "max_failures",
	 .read = config_read_number,
	 .offset = AT(max_failures),
	 .words = off_words,
	 .max = 1000000,
	 .allowed = "off, or 0 to 1000000"},
	{.key = "rest",
	 .read = config_read_duration,
	 .offset = AT(rest_ms),
	 .min = 1,
	 .max = TIMEOUT_MAX,
	 .allowed = DURATION_TEXT "1ms to 24h"},
	{.key = "tls", .read = config_read_mapping, .offset = 0, .table = &upstream_tls_table},
};
static const struct config_table upstream_table = {.rules = upstream_rules,
						   .count = COUNT(upstream_rules),
						   .size = sizeof(struct config_upstream),
						   .init = config_init_upstream,
						   .check = config_check_upstream};
#undef AT
#define AT(field) offsetof(struct config, field)

/* The tables of spool and log are relative to struct config: their structs have no names. */
static const struct config_rule config_rules[] = {
	{.key = "workers",
	 .read = config_read_number,
	 .offset = AT(workers),
	 .words = auto_words,
	 .min = 1,
	 .max = WORKERS_MAX,
	 .allowed = "auto, or 1 to 1024"},
	{.key = "listen",
	 .read = config_read_list,
	 .offset = AT(listens),
	 .count_offset = AT(listen_count),
	 .table = &listen_table,
	 .allowed = "a list of addresses, each '- address: HOST:PORT'"},
	{.key = "admin",
	 .read = config_read_admin,
	 .offset = AT(admin),
	 .allowed = "a numeric address and port, such as 127.0.0.1:9443, localhost:PORT, unix:PATH, or off"},
	{.key = "ticket_keys",
	 .read = config_read_optional_file,
	 .offset = AT(ticket_keys),
	 .allowed = "a file of session ticket keys, or none"},
	{.key = "user", .read = config_read_account, .offset = AT(user), .allowed = "the name of a user"},
	{.key = "group", .read = config_read_account, .offset = AT(group), .allowed = "the name of a group"},
	{.key = "stop_timeout",
	 .read = config_read_duration,
	 .offset = AT(stop_timeout_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = DURATION_TEXT "1s to 24h"},
	{.key = "worker_timeout",
	 .read = read_worker_timeout,
	 .offset = AT(worker_timeout_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = DURATION_TEXT "1s to 24h, or off"},
	{.key = "sandbox", .read = read_sandbox, .offset = AT(sandbox), .words = switch_words},
	{.key = "connections", .read = config_read_mapping, .offset = 0, .table = &connections_table},
	{.key = "tls", .read = config_read_mapping, .offset = 0, .table = &tls_table},
	{.key = "spool", .read = config_read_mapping, .offset = 0, .table = &spool_table},
	{.key = "log", .read = config_read_mapping, .offset = 0, .table = &log_table},
	{.key = "hosts",
	 .read = config_read_list,
	 .offset = AT(hosts),
	 .count_offset = AT(host_count),
	 .table = &host_table,
	 .required = true,
	 .allowed = "a list of hosts, each with name, certificate, key and routes"},
	{.key = "upstreams",
	 .read = config_read_named_list,
	 .offset = AT(upstreams),
	 .count_offset = AT(upstream_count),
	 .table = &upstream_table,
	 .allowed = "a mapping of names to upstreams, each with servers"},
};
#undef AT
const struct config_table config_schema = {
	.rules = config_rules, .count = COUNT(config_rules), .check = config_check_file};
