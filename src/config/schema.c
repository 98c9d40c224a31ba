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
static_assert(sizeof(enum config_purpose) == sizeof(unsigned), "config_read_word() writes an unsigned");
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
static const struct config_word purpose_words[] = {
	{"client", CONFIG_PURPOSE_CLIENT},
	{"any", CONFIG_PURPOSE_ANY},
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

/* A size, or off. */
static enum thaw_status read_limit(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (strcmp(scalar.text, "off") != 0)
		return config_read_size(at, rule, into);
	*(uint64_t *)into = CONFIG_NO_LIMIT;
	return THAW_OK;
}

/* ---- tables, from the innermost out ---- */

#define AT(field) offsetof(struct config_certificate, field)
static const struct config_rule certificate_rules[] = {
	{.key = "ca",
	 .preset = "(required unless `when` is `never`)",
	 .text = "PEM: the CA certificates that client certificates must chain to.",
	 .read = config_read_file,
	 .offset = AT(ca),
	 .allowed = "a PEM file of CA certificates"},
	{.key = "crl",
	 .preset = "none",
	 .text = "PEM: CRLs of those CAs and of the CAs below them. Delta CRLs are refused. A route with a `ca` of its "
		 "own still inherits its host's `crl`: set `crl` too.",
	 .read = config_read_optional_file,
	 .offset = AT(crl),
	 .allowed = "a PEM file of CRLs, or none"},
	{.key = "crl_check",
	 .preset = "chain",
	 .text = "Which certificates need a CRL, where there is a `crl`. `chain`: every certificate below the root; "
		 "each CA in `ca` must have a CRL. `leaf`: the client's own certificate; a CA certificate is checked "
		 "if the file has a CRL of its issuer.",
	 .read = config_read_word,
	 .offset = AT(crl_check),
	 .words = crl_check_words},
	{.key = "partial_chain",
	 .preset = "false",
	 .text = "`true`: each certificate in `ca` is a trust anchor, also that of an intermediate CA without its "
		 "root. "
		 "The CRL rules hold below it; a CRL in `crl` that revokes it rejects all that it issued.",
	 .read = config_read_bool,
	 .offset = AT(partial_chain),
	 .allowed = "true, false"},
	{.key = "purpose",
	 .preset = "client",
	 .text = "`client`: an extended key usage must list `clientAuth`. `any`: extended key usages are not looked "
		 "at, "
		 "as for certificates with `serverAuth` only; use `allow` to say whose they are.",
	 .read = config_read_word,
	 .offset = AT(purpose),
	 .words = purpose_words},
	{.key = "ca_names",
	 .preset = "send",
	 .text = "Whether a certificate request lists the names of the CAs, by which some clients choose a "
		 "certificate. Names that need more than 16 KiB together are not sent.",
	 .read = read_ca_names,
	 .offset = AT(ca_names),
	 .words = ca_names_words},
	{.key = "depth",
	 .preset = "8",
	 .text = "Most CA certificates between the client's certificate and the root.",
	 .read = config_read_number,
	 .offset = AT(depth),
	 .min = 1,
	 .max = DEPTH_MAX,
	 .allowed = "1 to 32"},
	{.key = "max_cert_list",
	 .preset = "32KiB",
	 .text = "Largest Certificate message of a client, its chain included. A larger one ends the connection. This "
		 "also bounds the work for an unknown chain, about 1 ms for each KiB; 8 KiB suffice for most chains.",
	 .read = config_read_size,
	 .offset = AT(max_cert_list),
	 .min = KiB,
	 .max = CERT_LIST_MAX,
	 .allowed = CONFIG_SIZE_TEXT "1KiB to 60KiB"},
	{.key = "when",
	 .preset = "never",
	 .text = "When the client is asked for its certificate: [the choice](CONFIGURATION.md#choose-when-to-ask).",
	 .read = config_read_word,
	 .offset = AT(when),
	 .words = when_words},
	{.key = "require",
	 .preset = "true",
	 .text = "`false`: a client that sends no certificate goes on without an identity.",
	 .read = config_read_bool,
	 .offset = AT(require),
	 .allowed = "true, false"},
	{.key = "timeout",
	 .preset = "120s",
	 .text = "Time for the client, and the person in front of it, to answer a certificate request. The request's "
		 "body does not prolong it.",
	 .read = config_read_duration,
	 .offset = AT(timeout_ms),
	 .min = 1,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1ms to 24h"},
	{.key = "decline_grace",
	 .preset = "1s",
	 .text = "How long an empty answer is held back before it becomes the verdict `declined`. Some browsers answer "
		 "again, with a certificate.",
	 .read = config_read_duration,
	 .offset = AT(decline_grace_ms),
	 .max = GRACE_MAX,
	 .allowed = CONFIG_DURATION_TEXT "0s to 1m"},
	{.key = "max_body",
	 .preset = "1GiB",
	 .text = "Most bytes of one request's body that are read while its certificate is awaited. A larger body is "
		 "refused with 413.",
	 .read = config_read_size,
	 .offset = AT(max_body),
	 .max = CONFIG_SIZE_MAX,
	 .allowed = CONFIG_SIZE_TEXT "0 to 1024TiB"},
	{.key = "allow",
	 .preset = "(every verified certificate)",
	 .text = "Which verified certificates are allowed; one rule must match: [IDENTITY.md](IDENTITY.md). A route's "
		 "list replaces its host's.",
	 .read = config_read_allow,
	 .offset = AT(allow),
	 .allowed = "a list of rules, each one or more of subject=..., issuer=..., san=dns:..., san=email:..., "
		    "san=uri:..., "
		    "san=ip:..., sha256=..., eku=... joined by ' and '"},
	{.key = "elsewhere",
	 .preset = "none",
	 .text = "Where clients that cannot be asked are redirected to with 307; path and query are kept. Name a host "
		 "that asks at the handshake.",
	 .read = config_read_elsewhere,
	 .offset = AT(elsewhere),
	 .allowed = "https://HOST or https://HOST:PORT without a path, or none"},
};
#undef AT
static const struct config_table certificate_table = {
	.rules = certificate_rules, .count = COUNT(certificate_rules), .check = config_check_certificate};

#define PREFIX_TEXT "/ and letters, digits and signs without % escapes, such as /app"
#define VALUES_TEXT "a mapping of field names to values, such as { X-Client: \"{client.address}\" }"

static const struct config_rule direction_rules[] = {
	{.key = "set",
	 .preset = "(none)",
	 .text = "These fields have these values. What the other side sent under these names is removed.",
	 .read = config_read_headers_set,
	 .offset = 0,
	 .allowed = VALUES_TEXT},
	{.key = "add",
	 .preset = "(none)",
	 .text = "These fields are sent beside those that are there.",
	 .read = config_read_headers_add,
	 .offset = 0,
	 .allowed = VALUES_TEXT},
	{.key = "remove",
	 .preset = "(none)",
	 .text = "These fields are removed.",
	 .read = config_read_headers_remove,
	 .offset = 0,
	 .allowed = "a list of field names"},
};
static const struct config_table direction_table = {.rules = direction_rules, .count = COUNT(direction_rules)};

#define AT(field) offsetof(struct config_header_set, field)
static const struct config_rule headers_rules[] = {
	{.key = "request",
	 .preset = "(none)",
	 .text = "For what the upstream gets.",
	 .read = config_read_mapping,
	 .offset = AT(request),
	 .table = &direction_table},
	{.key = "response",
	 .preset = "(none)",
	 .text = "For what the client gets, Thaw's own responses included.",
	 .read = config_read_mapping,
	 .offset = AT(response),
	 .table = &direction_table},
};
#undef AT
static const struct config_table headers_table = {.rules = headers_rules, .count = COUNT(headers_rules)};

#define AT(field) offsetof(struct config_route, field)
static const struct config_rule route_rules[] = {
	{.key = "path",
	 .text = "The route covers this path and everything below it, by whole segments: `/late` covers `/late/x`, not "
		 "`/later`. It is not a pattern: [how paths are read](PROXYING.md#how-paths-are-read).",
	 .read = config_read_route_path,
	 .offset = AT(path),
	 .required = true,
	 .allowed = "/ and what follows it, decoded: without % escapes, ;parameters, ?queries, // and dot segments"},
	{.key = "methods",
	 .preset = "(every method)",
	 .text = "1 to 32 methods that the route is for. Two routes may have the same path if no method is in both; a "
		 "route without `methods` takes the rest.",
	 .read = config_read_methods,
	 .offset = AT(methods),
	 .allowed = "a list of methods in upper case, such as [ PUT, POST ]"},
	{.key = "upgrade",
	 .preset = "([ websocket ])",
	 .text = "Protocols that an `Upgrade` field may ask for, with their version, in any case. Others are removed: "
		 "[to the upstream](PROXYING.md#to-the-upstream).",
	 .read = config_read_upgrade,
	 .offset = AT(upgrade),
	 .allowed = "a list of protocols, such as [ websocket, SPDY/3.1 ], or none"},
	{.key = "client_certificate",
	 .preset = "(the host's)",
	 .text = "Overrides the host's settings, each key by itself.",
	 .read = config_read_mapping,
	 .offset = AT(certificate),
	 .table = &certificate_table},
	{.key = "max_request_body",
	 .preset = "(the host's)",
	 .text = "Overrides the host's limit.",
	 .read = read_limit,
	 .offset = AT(max_request_body),
	 .max = CONFIG_SIZE_MAX,
	 .allowed = CONFIG_SIZE_TEXT "0 to 1024TiB, or off"},
	{.key = "strip_prefix",
	 .preset = "(none)",
	 .text = "The upstream gets the path without this beginning, which `path` must have. URLs and cookie paths in "
		 "responses get it back: [PROXYING.md](PROXYING.md#hosts-and-paths-that-differ).",
	 .read = config_read_prefix,
	 .offset = AT(strip_prefix),
	 .allowed = PREFIX_TEXT},
	{.key = "add_prefix",
	 .preset = "(none)",
	 .text = "The upstream gets the path with this in front, after `strip_prefix`.",
	 .read = config_read_prefix,
	 .offset = AT(add_prefix),
	 .allowed = PREFIX_TEXT},
	{.key = "headers",
	 .preset = "(the host's)",
	 .text = "Added to the host's. Where both name a field, the route's `set` or `remove` counts.",
	 .read = config_read_mapping,
	 .offset = AT(headers),
	 .table = &headers_table},
	{.key = "upstream",
	 .text = "Who answers. `builtin:inspect` says in JSON what arrived, from whom, and how the certificate was "
		 "obtained; `builtin:sink` answers 200 `ok`; `builtin:prime` answers 204 once the certificate is "
		 "there, for clients to prime a connection with.",
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
	 .text = "The first line of this file is the pass phrase. It is read again at each reload.",
	 .read = config_read_file,
	 .offset = AT(key_passphrase),
	 .required = true,
	 .allowed = PASSPHRASE_TEXT},
};
static const struct config_table passphrase_table = {.rules = passphrase_rules, .count = COUNT(passphrase_rules)};

/* Relative to struct config_host: it has no struct of its own. */
static const struct config_rule client_headers_rules[] = {
	{.key = "strip",
	 .preset = "(none)",
	 .text = "Fields that are removed from clients' requests, besides those that [services "
		 "trust](IDENTITY.md#what-a-client-may-not-say-itself). Case does not matter, nor which sign stands "
		 "for `-`; `*` at the end stands for any ending.",
	 .read = config_read_strip,
	 .offset = AT(strip),
	 .allowed = "a list of field names, each perhaps with a * at its end"},
	{.key = "pass",
	 .preset = "(none)",
	 .text = "Exceptions from that, in this one spelling. A field that Thaw writes itself is refused here.",
	 .read = config_read_pass,
	 .offset = AT(pass),
	 .allowed = "a list of field names"},
};
static const struct config_table client_headers_table = {.rules = client_headers_rules,
							 .count = COUNT(client_headers_rules)};

static const struct config_rule host_rules[] = {
	{.key = "name",
	 .text = "The name in SNI and in the Host field, or a list of such names, in any case; each name once. "
		 "`*.example.com` is for one label in place of the `*`, where no host has the exact name. `\"*\"` is "
		 "for every other name and for none. Logs call the host by its first name. Not an address: clients "
		 "never send one as SNI.",
	 .read = config_read_host_names,
	 .offset = AT(name),
	 .required = true,
	 .allowed = "a DNS name such as api.example.com or *.example.com, \"*\" for the default host, or a list of "
		    "these"},
	{.key = "certificate",
	 .text = "PEM: the host's certificate, then the rest of its chain.",
	 .read = config_read_file,
	 .offset = AT(certificate),
	 .required = true,
	 .allowed = "a PEM file with the host's certificate and its chain"},
	{.key = "key",
	 .text = "PEM: the private key of the certificate.",
	 .read = config_read_key,
	 .offset = AT(key),
	 .required = true,
	 .allowed = "a PEM file with the certificate's private key"},
	{.key = "key_passphrase",
	 .preset = "(none)",
	 .text = "Where the pass phrase of an encrypted `key` is. Thaw never prompts: an encrypted key without this "
		 "setting is refused.",
	 .read = config_read_mapping,
	 .offset = 0,
	 .table = &passphrase_table},
	{.key = "http2",
	 .preset = "auto",
	 .text = "Whether clients that offer HTTP/2 get it; a client on HTTP/2 must come back over HTTP/1.1 to be "
		 "asked late. `auto`: on a host without late routes all clients; on others, browsers with TLS 1.3, "
		 "which do come back. `on`: all clients, even those that then fail. `off`: none.",
	 .read = config_read_word,
	 .offset = AT(http2),
	 .words = http2_words},
	{.key = "without_post_handshake",
	 .preset = "tls12",
	 .text = "On a host that asks late: what happens to clients that offer TLS 1.3 without post-handshake "
		 "authentication, do not get HTTP/2 and are not asked in the handshake. `tls12`: they get TLS 1.2, "
		 "where they can be asked. `refuse`: they keep TLS 1.3, and requests that need a certificate are "
		 "refused.",
	 .read = read_without_post_handshake,
	 .offset = AT(hold_to_tls12),
	 .words = without_words},
	{.key = "identity",
	 .preset = "(none)",
	 .text = "Which header fields tell the upstream who the client is: [IDENTITY.md](IDENTITY.md). These fields, "
		 "and others that services trust, are always removed from what clients send.",
	 .read = config_read_identity,
	 .offset = AT(identity),
	 .allowed = "a list of rfc9440, rfc9440-leaf, xfcc, nginx"},
	{.key = "client_headers",
	 .preset = "(all defaults)",
	 .text = "Which fields of clients' requests are removed. `thaw check` prints the whole list.",
	 .read = config_read_mapping,
	 .offset = 0,
	 .table = &client_headers_table},
	{.key = "headers",
	 .preset = "(none)",
	 .text = "Fields that are set, added or removed in requests and responses: "
		 "[headers](CONFIGURATION.md#set-and-remove-headers).",
	 .read = config_read_mapping,
	 .offset = AT(headers),
	 .table = &headers_table},
	{.key = "request_id_from",
	 .preset = "(none)",
	 .text = "A request keeps the ID that its client sends in this field, if it is 1 to 64 letters, digits or `- _ "
		 ". "
		 ": / + = @ ~`. Otherwise, and by default, Thaw makes one. The ID is `id` in the access record, "
		 "`request_id` in a refusal, and `{request.id}` in `headers`. Clients that choose IDs can also repeat "
		 "them.",
	 .read = config_read_field_name,
	 .offset = AT(request_id_from),
	 .allowed = "a field name, such as X-Request-Id"},
	{.key = "paths",
	 .preset = "any-case",
	 .text = "Whether the services may take `/SECURE` for `/secure`. `any-case`: they may; a path that differs "
		 "from a route's in case only gets the stricter of the two routes. `case-sensitive`: they are "
		 "different paths: [how paths are read](PROXYING.md#how-paths-are-read).",
	 .read = read_paths,
	 .offset = AT(case_matters),
	 .words = paths_words},
	/* Before the routes, which inherit it. */
	{.key = "max_request_body",
	 .preset = "off",
	 .text = "Most bytes of a request's body. A larger one is refused with 413: before the client is asked for its "
		 "certificate if the request has a `Content-Length`, else when the limit is passed; a part of the body "
		 "may then have reached the upstream. Upgraded connections have no limit. "
		 "`client_certificate.max_body` is another limit: what is held while a certificate is awaited.",
	 .read = read_limit,
	 .offset = AT(max_request_body),
	 .max = CONFIG_SIZE_MAX,
	 .allowed = CONFIG_SIZE_TEXT "0 to 1024TiB, or off"},
	{.key = "client_certificate",
	 .preset = "(all defaults)",
	 .text = "For all routes of this host.",
	 .read = config_read_mapping,
	 .offset = AT(client_certificate),
	 .table = &certificate_table},
	{.key = "routes",
	 .text = "At least one. A request goes to the route with the longest `path` that covers it and has its method.",
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
	 .text = "Where to listen. Port 0 is any free port; any other address may appear only once. An IPv6 address "
		 "takes IPv6 connections only.",
	 .read = config_read_address,
	 .offset = 0,
	 .required = true,
	 .allowed = "a numeric address and port, such as 0.0.0.0:8443 or [::1]:8443, localhost:PORT, or unix:PATH"},
	{.key = "proxy_protocol",
	 .preset = "false",
	 .text = "`true`: each connection must begin with a PROXY protocol header (version 1 or 2), which names the "
		 "client. Use it only where nobody but the load balancer can connect: a client could claim any "
		 "address.",
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
	 .preset = "auto",
	 .text = "Most client connections of all workers together. `auto`: as many as the file descriptors allow, "
		 "which bound it in any case: each connection needs up to three.",
	 .read = config_read_number,
	 .offset = AT(connections.max),
	 .words = auto_words,
	 .min = 1,
	 .max = CONNECTIONS_MAX,
	 .allowed = "auto, or 1 to 10000000"},
	{.key = "per_client",
	 .preset = "80%",
	 .text = "Most connections of one client address (an IPv4 address or an IPv6 /64), as a number or as a share "
		 "of all. Behind a load balancer without the PROXY protocol, all clients have its address.",
	 .read = read_per_client,
	 .offset = AT(connections),
	 .words = off_words,
	 .min = 1,
	 .max = CONNECTIONS_MAX,
	 .allowed = "1% to 100%, 1 to 10000000, or off"},
	{.key = "handshake_timeout",
	 .preset = "30s",
	 .text = "Time for the TLS handshake, from its first byte on. Once a certificate is asked for in the "
		 "handshake, the "
		 "client has `client_certificate.timeout` if that is longer.",
	 .read = config_read_duration,
	 .offset = AT(connections.handshake_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "head_timeout",
	 .preset = "30s",
	 .text = "Time for a request's header, from its first byte on. After that the answer is 408.",
	 .read = config_read_duration,
	 .offset = AT(connections.head_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "body_timeout",
	 .preset = "60s",
	 .text = "Longest time without progress of a request's body, or of a response that the client does not read. A "
		 "slow "
		 "body earns 1 ms for each byte. A body that stops is answered with 408.",
	 .read = config_read_duration,
	 .offset = AT(connections.body_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "keepalive_timeout",
	 .preset = "60s",
	 .text = "How long a connection may stay without a request.",
	 .read = config_read_duration,
	 .offset = AT(connections.keepalive_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
};
static const struct config_table connections_table = {.rules = connections_rules, .count = COUNT(connections_rules)};

static const struct config_rule spool_rules[] = {
	{.key = "memory",
	 .preset = "256MiB",
	 .text = "Most bytes held in memory, for all requests of all workers together.",
	 .read = config_read_size,
	 .offset = AT(spool.memory),
	 .min = MiB,
	 .max = CONFIG_SIZE_MAX,
	 .allowed = CONFIG_SIZE_TEXT "1MiB to 1024TiB"},
	{.key = "disk",
	 .preset = "(8GiB with `directory`, else 0)",
	 .text = "Most bytes held on disk, for all together; 0: memory only. Above 0, `directory` is required.",
	 .read = config_read_size,
	 .offset = AT(spool.disk),
	 .max = CONFIG_SIZE_MAX,
	 .allowed = CONFIG_SIZE_TEXT "0 to 1024TiB"},
	{.key = "directory",
	 .preset = "(none)",
	 .text = "Where bodies that exceed the memory go, in unlinked, encrypted files. Without it, only memory is "
		 "used.",
	 .read = config_read_file,
	 .offset = AT(spool.directory),
	 .allowed = "a directory for the spool's files"},
	{.key = "per_client",
	 .preset = "25%",
	 .text = "Share of `memory`, and of `disk`, that one client address may hold. It must come to 16 KiB or more "
		 "of each.",
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
	 .preset = "(both)",
	 .text = "TLS versions that clients may use. Without `1.2`, clients without post-handshake authentication "
		 "cannot be asked late; without `1.3`, all are asked by renegotiation.",
	 .read = config_read_tls_versions,
	 .offset = AT(tls.versions),
	 .allowed = "a list of 1.2 and 1.3"},
	{.key = "groups",
	 .preset = "([ X25519MLKEM768, X25519, P-256, P-384, P-521 ])",
	 .text = "Key exchange groups, the preferred one first. `X25519MLKEM768` needs OpenSSL 3.5: without it, the "
		 "default leaves it out, and a list that names it is refused.",
	 .read = config_read_tls_groups,
	 .offset = AT(tls.groups),
	 .allowed = "a list of groups, such as [ X25519, P-256 ]"},
	{.key = "ciphers",
	 .preset = "(Mozilla's \"intermediate\")",
	 .text = "Cipher suites of TLS 1.2 and 1.3, the preferred one first: [the "
		 "list](CONFIGURATION.md#choose-tls-versions-and-ciphers). A version of which the list names none "
		 "keeps its default.",
	 .read = config_read_tls_ciphers,
	 .offset = AT(tls.ciphers),
	 .allowed = "a list of cipher suites, such as [ ECDHE-RSA-AES128-GCM-SHA256 ]"},
};
static const struct config_table tls_table = {.rules = tls_rules, .count = COUNT(tls_rules), .check = config_check_tls};

static const struct config_rule log_rules[] = {
	{.key = "access",
	 .preset = "(`stdout`)",
	 .text = "Where access records go, one line for each request: [ACCESS-LOG.md](ACCESS-LOG.md).",
	 .read = config_read_access_log,
	 .offset = AT(log.access),
	 .words = access_words,
	 .allowed = "stdout, stderr, off, or a file"},
	{.key = "format",
	 .preset = "json",
	 .text = "Format of the access records.",
	 .read = config_read_word,
	 .offset = AT(log.format),
	 .words = format_words},
	{.key = "level",
	 .preset = "info",
	 .text = "The least severe messages that are logged.",
	 .read = config_read_word,
	 .offset = AT(log.level),
	 .words = level_words},
};
static const struct config_table log_table = {.rules = log_rules, .count = COUNT(log_rules), .check = config_check_log};

#undef AT
#define AT(field) offsetof(struct config_upstream, field)
static const struct config_rule upstream_passphrase_rules[] = {
	{.key = "file",
	 .text = "The first line of this file is the pass phrase. It is read again at each reload.",
	 .read = config_read_file,
	 .offset = AT(tls.key_passphrase),
	 .required = true,
	 .allowed = PASSPHRASE_TEXT},
};
static const struct config_table upstream_passphrase_table = {.rules = upstream_passphrase_rules,
							      .count = COUNT(upstream_passphrase_rules)};

static const struct config_rule upstream_tls_rules[] = {
	{.key = "ca",
	 .preset = "(the system's CAs)",
	 .text = "PEM: the CA certificates that the servers' certificates must chain to.",
	 .read = config_read_file,
	 .offset = AT(tls.ca),
	 .allowed = "a PEM file of the CA certificates that the servers' certificates must come from"},
	{.key = "name",
	 .preset = "(the server's host)",
	 .text = "The name that the servers' certificates must be for; also sent as SNI.",
	 .read = config_read_server_name,
	 .offset = AT(tls.name),
	 .allowed = "the DNS name that the servers' certificates must be for"},
	{.key = "certificate",
	 .preset = "(none)",
	 .text = "PEM: the certificate that Thaw presents to the servers, with its chain.",
	 .read = config_read_file,
	 .offset = AT(tls.certificate),
	 .allowed = "a PEM file with the gateway's own certificate and its chain"},
	{.key = "key",
	 .preset = "(none)",
	 .text = "PEM: the private key of that certificate.",
	 .read = config_read_key,
	 .offset = AT(tls.key),
	 .allowed = "a PEM file with that certificate's private key"},
	{.key = "key_passphrase",
	 .preset = "(none)",
	 .text = "Where the pass phrase of an encrypted `key` is.",
	 .read = config_read_mapping,
	 .offset = 0,
	 .table = &upstream_passphrase_table},
	{.key = "verify",
	 .preset = "true",
	 .text = "`false`: skip verification of the servers' certificates. Anybody on the way can then pose as the "
		 "service.",
	 .read = config_read_bool,
	 .offset = AT(tls.verify),
	 .allowed = "true, false"},
};
static const struct config_table upstream_tls_table = {.rules = upstream_tls_rules, .count = COUNT(upstream_tls_rules)};

static const struct config_rule upstream_rules[] = {
	{.key = "servers",
	 .text = "1 to 256 servers with HTTP/1.1 over TCP, TLS or a unix socket. HOST is an address or a name; a name "
		 "is looked up while serving, and again when its time to live is over. A request goes to the server "
		 "with the fewest requests that is not marked down.",
	 .read = config_read_servers,
	 .offset = AT(servers),
	 .required = true,
	 .allowed = "a list of http://HOST[:PORT], https://HOST[:PORT] or unix:PATH"},
	{.key = "host",
	 .preset = "(pass)",
	 .text = "The host that requests to this upstream name. `pass`: as the client named it. `upstream`: the host "
		 "and port "
		 "of the server in `servers`. Or a name, perhaps with a port. It is also the TLS server name (SNI) and "
		 "the "
		 "name that certificates must be for, unless `tls.name` says otherwise. URLs and cookie domains in "
		 "responses "
		 "are changed back: [PROXYING.md](PROXYING.md#hosts-and-paths-that-differ).",
	 .read = config_read_upstream_host,
	 .offset = 0,
	 .allowed = "pass, upstream, or HOST[:PORT]"},
	{.key = "connect_timeout",
	 .preset = "5s",
	 .text = "Time for one attempt to connect: name, connection and TLS together. When it fails, the next address "
		 "or server is tried; with none left, the answer is 502, or 504 after a timeout.",
	 .read = config_read_duration,
	 .offset = AT(connect_timeout_ms),
	 .min = 1,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1ms to 24h"},
	{.key = "response_timeout",
	 .preset = "60s",
	 .text = "Longest time without progress while the server owes a response, in either direction. Then the answer "
		 "is 504, or the response is cut off.",
	 .read = config_read_duration,
	 .offset = AT(response_timeout_ms),
	 .min = 1,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1ms to 24h"},
	{.key = "keepalive",
	 .preset = "32",
	 .text = "Most idle connections that each worker keeps to each server.",
	 .read = config_read_number,
	 .offset = AT(keepalive),
	 .words = off_words,
	 .max = 65535,
	 .allowed = "off, or 0 to 65535"},
	{.key = "keepalive_timeout",
	 .preset = "4s",
	 .text = "How long an idle connection is kept. Choose less than the server's own timeout (Node.js and Apache: "
		 "5 s).",
	 .read = config_read_duration,
	 .offset = AT(keepalive_timeout_ms),
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "0s to 24h"},
	{.key = "tunnel_timeout",
	 .preset = "1h",
	 .text = "Longest time without a byte either way on an upgraded connection (WebSocket).",
	 .read = config_read_duration,
	 .offset = AT(tunnel_timeout_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "max_failures",
	 .preset = "3",
	 .text = "Failures in a row after which a server is marked down. `off` or 0: never.",
	 .read = config_read_number,
	 .offset = AT(max_failures),
	 .words = off_words,
	 .max = 1000000,
	 .allowed = "off, or 0 to 1000000"},
	{.key = "rest",
	 .preset = "10s",
	 .text = "How long a server stays marked down. Then one request tries it.",
	 .read = config_read_duration,
	 .offset = AT(rest_ms),
	 .min = 1,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1ms to 24h"},
	{.key = "tls",
	 .preset = "(all defaults)",
	 .text = "For `https://` servers.",
	 .read = config_read_mapping,
	 .offset = 0,
	 .table = &upstream_tls_table},
};
static const struct config_table upstream_table = {.rules = upstream_rules,
						   .count = COUNT(upstream_rules),
						   .size = sizeof(struct config_upstream),
						   .init = config_init_upstream,
						   .check = config_check_upstream};
#undef AT
#define AT(field) offsetof(struct config, field)

#define ADMIN_TEXT "a numeric address and port, such as 127.0.0.1:9443, localhost:PORT, unix:PATH"

static const struct config_rule admin_rules[] = {
	{.key = "address",
	 .text = "Where the admin server listens.",
	 .read = config_read_admin_address,
	 .offset = AT(admin),
	 .required = true,
	 .allowed = ADMIN_TEXT},
	{.key = "names",
	 .preset = "(none)",
	 .text = "DNS names that requests may use for the admin server, besides addresses, `localhost` and the name of "
		 "the machine. A request with another name gets 421.",
	 .read = config_read_admin_names,
	 .offset = AT(admin_names),
	 .allowed = "a list of DNS names, such as [ gateway.example.com ]"},
};
static const struct config_table admin_table = {.rules = admin_rules, .count = COUNT(admin_rules)};

/* The tables of spool and log are relative to struct config: their structs have no names. */
static const struct config_rule config_rules[] = {
	{.key = "workers",
	 .preset = "auto",
	 .text = "Number of processes that serve. `auto`: one for each core.",
	 .read = config_read_number,
	 .offset = AT(workers),
	 .words = auto_words,
	 .min = 1,
	 .max = WORKERS_MAX,
	 .allowed = "auto, or 1 to 1024"},
	{.key = "listen",
	 .preset = "(`127.0.0.1:8443`)",
	 .text = "Where clients connect.",
	 .read = config_read_list,
	 .offset = AT(listens),
	 .count_offset = AT(listen_count),
	 .table = &listen_table,
	 .allowed = "a list of addresses, each '- address: HOST:PORT'"},
	{.key = "admin",
	 .preset = "(`off`)",
	 .text = "Address of metrics, health checks and the status page, over plain HTTP: [METRICS.md](METRICS.md). It "
		 "shows paths and client addresses: keep it on loopback or behind a firewall.",
	 .read = config_read_admin,
	 .offset = 0,
	 .table = &admin_table,
	 .allowed = ADMIN_TEXT ", off, or a mapping of address and names"},
	{.key = "ticket_keys",
	 .preset = "none",
	 .text = "File of session ticket keys that several machines share: [OPERATION.md](OPERATION.md#ticket-keys). "
		 "`none`: random keys until the next reload.",
	 .read = config_read_optional_file,
	 .offset = AT(ticket_keys),
	 .allowed = "a file of session ticket keys, or none"},
	{.key = "user",
	 .preset = "(as started)",
	 .text = "User that the workers run as, when Thaw is started as root.",
	 .read = config_read_account,
	 .offset = AT(user),
	 .allowed = "the name of a user"},
	{.key = "group",
	 .preset = "(the user's)",
	 .text = "Group that the workers run as, when Thaw is started as root.",
	 .read = config_read_account,
	 .offset = AT(group),
	 .allowed = "the name of a group"},
	{.key = "stop_timeout",
	 .preset = "30s",
	 .text = "How long requests may go on after a stop or a reload. After that they are answered with 503.",
	 .read = config_read_duration,
	 .offset = AT(stop_timeout_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "worker_timeout",
	 .preset = "30s",
	 .text = "A worker or admin process without progress for this long is killed and replaced; its connections are "
		 "lost. Time in which the master did not run either, such as in a frozen container, does not count.",
	 .read = read_worker_timeout,
	 .offset = AT(worker_timeout_ms),
	 .min = 1000,
	 .max = TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h, or off"},
	{.key = "sandbox",
	 .preset = "on",
	 .text = "Whether workers give up the rights that they do not need: "
		 "[OPERATION.md](OPERATION.md#the-sandbox-of-the-workers).",
	 .read = read_sandbox,
	 .offset = AT(sandbox),
	 .words = switch_words},
	{.key = "connections",
	 .preset = "(all defaults)",
	 .text = "Limits and timeouts of client connections.",
	 .read = config_read_mapping,
	 .offset = 0,
	 .table = &connections_table},
	{.key = "tls",
	 .preset = "(all defaults)",
	 .text = "TLS versions, groups and cipher suites for clients of all hosts.",
	 .read = config_read_mapping,
	 .offset = 0,
	 .table = &tls_table},
	{.key = "spool",
	 .preset = "(all defaults)",
	 .text = "Where request bodies are held while a certificate is awaited.",
	 .read = config_read_mapping,
	 .offset = 0,
	 .table = &spool_table},
	{.key = "log",
	 .preset = "(all defaults)",
	 .text = "Access records and messages.",
	 .read = config_read_mapping,
	 .offset = 0,
	 .table = &log_table},
	{.key = "hosts",
	 .text = "The host names that Thaw serves.",
	 .read = config_read_list,
	 .offset = AT(hosts),
	 .count_offset = AT(host_count),
	 .table = &host_table,
	 .required = true,
	 .allowed = "a list of hosts, each with name, certificate, key and routes"},
	{.key = "upstreams",
	 .preset = "(none)",
	 .text = "The services behind Thaw, by name. A name has 1 to 64 letters, digits, `_`, `.` or `-`; routes refer "
		 "to it.",
	 .read = config_read_named_list,
	 .offset = AT(upstreams),
	 .count_offset = AT(upstream_count),
	 .table = &upstream_table,
	 .allowed = "a mapping of names to upstreams, each with servers"},
};
#undef AT
const struct config_table config_schema = {
	.rules = config_rules, .count = COUNT(config_rules), .check = config_check_file};
