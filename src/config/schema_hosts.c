/* The tables of a host: its certificates, its header fields, its routes. */
#include "config/schema.h"

#include <assert.h>
#include <string.h>

#define KiB           1024ULL
#define DEPTH_MAX     32
#define CERT_LIST_MAX (60 * KiB) /* a session ticket, which contains the client's certificate, is limited to 64 KiB */
#define BURST_MAX     10000000
#define GRACE_MAX     (60ULL * 1000)

static_assert(sizeof(enum config_when) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_upstream_kind) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_http2) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_crl_check) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_purpose) == sizeof(unsigned), "config_read_word() writes an unsigned");

/* ---- words ---- */

static const struct config_word http2_words[] = {
	{"auto", CONFIG_HTTP2_AUTO}, {"on", CONFIG_HTTP2_ON}, {"off", CONFIG_HTTP2_OFF}, {NULL, 0}};
static const struct config_word upstream_words[] = {
	{"builtin:inspect", CONFIG_BUILTIN_INSPECT},
	{"builtin:sink", CONFIG_BUILTIN_SINK},
	{"builtin:prime", CONFIG_BUILTIN_PRIME},
	{NULL, 0},
};

static const struct config_word without_words[] = {{"tls12", 1}, {"refuse", 0}, {NULL, 0}};
static const struct config_word paths_words[] = {{"any-case", 0}, {"case-sensitive", 1}, {NULL, 0}};
static const struct config_word crl_check_words[] = {
	{"chain", CONFIG_CRL_CHAIN},
	{"leaf", CONFIG_CRL_LEAF},
	{NULL, 0},
};
static const struct config_word require_words[] = {
	{"true", CONFIG_REQUIRED},
	{"false", CONFIG_OPTIONAL},
	{"optional-unverified", CONFIG_OPTIONAL_UNVERIFIED},
	{NULL, 0},
};
static const struct config_word purpose_words[] = {
	{"client", CONFIG_PURPOSE_CLIENT},
	{"any", CONFIG_PURPOSE_ANY},
	{NULL, 0},
};
static const struct config_word ca_names_words[] = {{"send", 1}, {"none", 0}, {NULL, 0}};

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

/* ---- tables, nested ones first ---- */

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
	 .read = config_read_switch,
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
	 .words = config_when_words},
	{.key = "require",
	 .preset = "true",
	 .text = "`false`: a client that sends no certificate goes on without an identity. `optional-unverified`: so "
		 "does one whose certificate is not trusted, and the service gets it [marked as "
		 "unverified](IDENTITY.md#unverified-certificates).",
	 .read = config_read_word,
	 .offset = AT(require),
	 .words = require_words},
	{.key = "timeout",
	 .preset = "120s",
	 .text = "Time for the client, and the person in front of it, to answer a certificate request. The request's "
		 "body does not prolong it.",
	 .read = config_read_duration,
	 .offset = AT(timeout_ms),
	 .min = 1,
	 .max = CONFIG_TIMEOUT_MAX,
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
	.rules = certificate_rules, .count = CONFIG_COUNT(certificate_rules), .check = config_check_certificate};

static const struct config_rule rate_rules[] = {
	{.key = "requests",
	 .text = "How fast a client may send requests for a longer time.",
	 .read = config_read_requests,
	 .offset = 0,
	 .required = true,
	 .allowed = CONFIG_RATE_TEXT},
	{.key = "burst",
	 .preset = "(the number in `requests`)",
	 .text = "How many requests a client may send at once. They become available again at the rate of `requests`; "
		 "all of them must be within 24 hours.",
	 .read = config_read_number,
	 .offset = offsetof(struct config_rate, burst),
	 .min = 1,
	 .max = BURST_MAX,
	 .allowed = "1 to 10000000"},
};
static const struct config_table rate_table = {.rules = rate_rules, .count = CONFIG_COUNT(rate_rules)};

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
	 .text = "These fields are sent beside those that are there. A list of values is a field for each of them.",
	 .read = config_read_headers_add,
	 .offset = 0,
	 .allowed = "a mapping of field names to values or lists of values, such as { Link: \"</a>; rel=next\" }"},
	{.key = "remove",
	 .preset = "(none)",
	 .text = "These fields are removed.",
	 .read = config_read_headers_remove,
	 .offset = 0,
	 .allowed = "a list of field names"},
};
static const struct config_table direction_table = {.rules = direction_rules, .count = CONFIG_COUNT(direction_rules)};

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
const struct config_table config_headers_table = {.rules = headers_rules, .count = CONFIG_COUNT(headers_rules)};

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
	{.key = "allow_from",
	 .preset = "(the host's)",
	 .text = "Replaces the host's list. `off`: no list.",
	 .read = config_read_networks,
	 .offset = AT(access.allow),
	 .allowed = CONFIG_NETWORKS_TEXT},
	{.key = "deny_from",
	 .preset = "(the host's)",
	 .text = "Replaces the host's list. `off`: no list.",
	 .read = config_read_networks,
	 .offset = AT(access.deny),
	 .allowed = CONFIG_NETWORKS_TEXT},
	{.key = "rate",
	 .preset = "(the host's)",
	 .text = "Replaces the host's rate. The requests of this route are counted apart from the host's. `off`: not "
		 "counted.",
	 .read = config_read_rate,
	 .offset = AT(access.rate),
	 .table = &rate_table,
	 .allowed = "off, a rate such as 10/s, or a mapping of requests and burst"},
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
	 .table = &config_headers_table},
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
						.count = CONFIG_COUNT(route_rules),
						.size = sizeof(struct config_route),
						.init = config_init_route};

#define AT(field) offsetof(struct config_host, field)
static const struct config_rule passphrase_rules[] = {
	{.key = "file",
	 .text = "The first line of this file is the pass phrase. It is read again at each reload.",
	 .read = config_read_file,
	 .offset = AT(key_passphrase),
	 .required = true,
	 .allowed = CONFIG_PASSPHRASE_TEXT},
};
static const struct config_table passphrase_table = {.rules = passphrase_rules,
						     .count = CONFIG_COUNT(passphrase_rules)};

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
							 .count = CONFIG_COUNT(client_headers_rules)};

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
	 .text = "PEM: the private key of the certificate; or a `pkcs11:` URI (RFC 7512) of a key on a token or HSM, "
		 "RSA "
		 "or EC, which only the signer process opens.",
	 .read = config_read_key,
	 .offset = AT(key),
	 .required = true,
	 .allowed = "a PEM file with the certificate's private key, or a pkcs11: URI"},
	{.key = "key_passphrase",
	 .preset = "(none)",
	 .text = "Where the pass phrase of an encrypted `key`, or the token's PIN, is. Thaw never prompts: an "
		 "encrypted key without this setting is refused.",
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
	 .read = config_read_switch,
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
	 .table = &config_headers_table},
	{.key = "request_id_from",
	 .preset = "(none)",
	 .text = "A request keeps the ID that its client sends in this field, if the field is there once and is 1 to "
		 "64 "
		 "letters, digits or `- _ . : / + = @ ~`. Otherwise, and by default, Thaw makes one. The ID is `id` in "
		 "the access record, `request_id` in a refusal, and `{request.id}` in `headers`. The upstream always "
		 "gets this ID in the field, and nothing else that the client sends there, unless `headers` sets or "
		 "removes the field. Clients that choose IDs can also repeat them.",
	 .read = config_read_field_name,
	 .offset = AT(request_id_from),
	 .allowed = "a field name, such as X-Request-Id"},
	{.key = "paths",
	 .preset = "any-case",
	 .text = "Whether the services may take `/SECURE` for `/secure`. `any-case`: they may; a path that differs "
		 "from a route's in case only gets the stricter of the two routes. `case-sensitive`: they are "
		 "different paths: [how paths are read](PROXYING.md#how-paths-are-read).",
	 .read = config_read_switch,
	 .offset = AT(case_matters),
	 .words = paths_words},
	/* These keys must precede the routes, which inherit them. */
	{.key = "allow_from",
	 .preset = "off",
	 .text = "Addresses and networks of the clients that may send requests; all others get 403. An IPv4 client on "
		 "an IPv6 socket counts by its IPv4 address. `unix`: clients of Unix sockets. With `proxy_protocol` "
		 "the address is the one in the PROXY header; `X-Forwarded-For` is never used: "
		 "[access by address](CONFIGURATION.md#limit-access-by-address-and-rate).",
	 .read = config_read_networks,
	 .offset = AT(access.allow),
	 .allowed = CONFIG_NETWORKS_TEXT},
	{.key = "deny_from",
	 .preset = "off",
	 .text = "The same for clients that get 403, even if they are in `allow_from`.",
	 .read = config_read_networks,
	 .offset = AT(access.deny),
	 .allowed = CONFIG_NETWORKS_TEXT},
	{.key = "rate",
	 .preset = "off",
	 .text = "How many requests each client address (an IPv4 address or an IPv6 /64) may send to this host, all "
		 "workers together, such as `10/s` or `{ requests: 10/s, burst: 20 }`. Others get 429 with "
		 "`Retry-After`. Clients of Unix sockets are not counted. Behind a load balancer without the PROXY "
		 "protocol all clients have its address, and share its rate: "
		 "[rates](CONFIGURATION.md#limit-access-by-address-and-rate).",
	 .read = config_read_rate,
	 .offset = AT(access.rate),
	 .table = &rate_table,
	 .allowed = "off, a rate such as 10/s, or a mapping of requests and burst"},
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
const struct config_table config_host_table = {.rules = host_rules,
					       .count = CONFIG_COUNT(host_rules),
					       .size = sizeof(struct config_host),
					       .init = config_init_host,
					       .check = config_check_host};
