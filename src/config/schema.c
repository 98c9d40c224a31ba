/* The tables of all keys except those of hosts and upstreams. */
#include "config/schema.h"

#include <assert.h>
#include <string.h>

#define MiB         (1024ULL * 1024)
#define WORKERS_MAX 1024

#define CONNECTIONS_MAX 10000000

static_assert(sizeof(enum config_log_format) == sizeof(unsigned), "config_read_word() writes an unsigned");
static_assert(sizeof(enum config_log_level) == sizeof(unsigned), "config_read_word() writes an unsigned");

/* ---- words ---- */

static const struct config_word off_words[] = {{"off", 0}, {NULL, 0}};
static const struct config_word only_words[] = {{"true", 0}, {"false", 1}, {NULL, 0}};
static const struct config_word plain_words[] = {{"redirect", 1}, {"off", 0}, {NULL, 0}};
static const struct config_word auto_words[] = {{"auto", 0}, {NULL, 0}};
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

static const struct config_word sandbox_words[] = {{"on", 1}, {"off", 0}, {NULL, 0}};

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

static const struct config_rule listen_rules[] = {
	{.key = "address",
	 .text = "Where to listen. Port 0 is any free port; any other address may appear only once.",
	 .read = config_read_address,
	 .offset = 0,
	 .required = true,
	 .allowed = "a numeric address and port, such as 0.0.0.0:8443 or [::1]:8443, localhost:PORT, or unix:PATH"},
	{.key = "ipv6_only",
	 .preset = "true",
	 .text = "`false`, with `address: \"[::]:PORT\"`: the listener takes IPv4 connections, too. Their clients have "
		 "IPv4 addresses everywhere. On a socket that a service manager hands over, that one decides.",
	 .read = config_read_switch,
	 .offset = offsetof(struct config_listen, takes_ipv4),
	 .words = only_words},
	{.key = "proxy_protocol",
	 .preset = "false",
	 .text = "`true`: each connection must begin with a PROXY protocol header (version 1 or 2), which names the "
		 "client. Use it only where nobody but the load balancer can connect: a client could claim any "
		 "address.",
	 .read = config_read_bool,
	 .offset = offsetof(struct config_listen, proxy_protocol),
	 .allowed = "true, false"},
	{.key = "plain",
	 .preset = "off",
	 .text = "`redirect`: HTTP without TLS, for port 80. Requests are redirected to the same host, path and query "
		 "by `https://`: [how](CONFIGURATION.md#redirect-http-to-https). No request gets to a route.",
	 .read = config_read_plain,
	 .offset = offsetof(struct config_listen, redirect),
	 .words = plain_words},
	{.key = "redirect_port",
	 .preset = "(the port of the first TLS listener; 443 if there is none)",
	 .text = "With `plain: redirect`: the port that clients are sent to.",
	 .read = config_read_number,
	 .offset = offsetof(struct config_listen, redirect_port),
	 .min = 1,
	 .max = 65535,
	 .allowed = "1 to 65535"},
	{.key = "acme_webroot",
	 .preset = "(none)",
	 .text = "With `plain: redirect`: the folder that an ACME client such as certbot is given as its webroot. "
		 "`/.well-known/acme-challenge/TOKEN` is answered with the file of that name below it, of at most 4 "
		 "KiB; symbolic links are not followed.",
	 .read = config_read_file,
	 .offset = offsetof(struct config_listen, acme_webroot),
	 .allowed = "a folder"},
	{.key = "acme_upstream",
	 .preset = "(none)",
	 .text = "With `plain: redirect`: the upstream that requests for `/.well-known/acme-challenge/TOKEN` are "
		 "passed "
		 "to, in place of `acme_webroot`.",
	 .read = config_read_acme_upstream,
	 .offset = offsetof(struct config_listen, acme),
	 .allowed = "the name of an upstream"},
};
static const struct config_table listen_table = {.rules = listen_rules,
						 .count = CONFIG_COUNT(listen_rules),
						 .size = sizeof(struct config_listen),
						 .check = config_check_listen};

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
	{.key = "first_byte_timeout",
	 .preset = "10s",
	 .text = "How long a new connection may stay without a byte of TLS; with `proxy_protocol` also how long until "
		 "its "
		 "header is there.",
	 .read = config_read_duration,
	 .offset = AT(connections.first_byte_ms),
	 .min = 1000,
	 .max = CONFIG_TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "handshake_timeout",
	 .preset = "30s",
	 .text = "Time for the TLS handshake, from its first byte on. Once a certificate is asked for in the "
		 "handshake, the "
		 "client has `client_certificate.timeout` if that is longer.",
	 .read = config_read_duration,
	 .offset = AT(connections.handshake_ms),
	 .min = 1000,
	 .max = CONFIG_TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "head_timeout",
	 .preset = "30s",
	 .text = "Time for a request's header, from its first byte on. After that the answer is 408.",
	 .read = config_read_duration,
	 .offset = AT(connections.head_ms),
	 .min = 1000,
	 .max = CONFIG_TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "body_timeout",
	 .preset = "60s",
	 .text = "Longest time without progress of a request's body, or of a response that the client does not read. A "
		 "slow "
		 "body earns 1 ms for each byte. A body that stops is answered with 408.",
	 .read = config_read_duration,
	 .offset = AT(connections.body_ms),
	 .min = 1000,
	 .max = CONFIG_TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "keepalive_timeout",
	 .preset = "60s",
	 .text = "How long a connection may stay without a request.",
	 .read = config_read_duration,
	 .offset = AT(connections.keepalive_ms),
	 .min = 1000,
	 .max = CONFIG_TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "max_head",
	 .preset = "32KiB",
	 .text = "Largest head of a request, the request line and all fields. A larger one is refused with 431. This "
		 "much can be "
		 "held for each request before its client is authenticated.",
	 .read = config_read_size,
	 .offset = AT(connections.max_head),
	 .min = 4 * 1024,
	 .max = 128 * 1024,
	 .allowed = CONFIG_SIZE_TEXT "4KiB to 128KiB"},
	{.key = "max_head_line",
	 .preset = "8KiB",
	 .text = "Longest line of a request's head: the request line (414) or a field (431). A path may have 8 KiB in "
		 "any "
		 "case, so that more only helps queries.",
	 .read = config_read_size,
	 .offset = AT(connections.max_head_line),
	 .min = 1024,
	 .max = 64 * 1024,
	 .allowed = CONFIG_SIZE_TEXT "1KiB to 64KiB"},
	{.key = "max_head_fields",
	 .preset = "100",
	 .text = "Most fields of a request. More are refused with 431.",
	 .read = config_read_number,
	 .offset = AT(connections.max_head_fields),
	 .min = 16,
	 .max = 256,
	 .allowed = "16 to 256"},
};
static const struct config_table connections_table = {.rules = connections_rules,
						      .count = CONFIG_COUNT(connections_rules)};

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
	.rules = spool_rules, .count = CONFIG_COUNT(spool_rules), .check = config_check_spool};

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
static const struct config_table tls_table = {
	.rules = tls_rules, .count = CONFIG_COUNT(tls_rules), .check = config_check_tls};

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
static const struct config_table log_table = {
	.rules = log_rules, .count = CONFIG_COUNT(log_rules), .check = config_check_log};

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
	{.key = "allow_from",
	 .preset = "off",
	 .text = "Addresses and networks of the clients that may read it; all others get 403. Without it, `thaw check` "
		 "and the log warn of an address that other machines can reach.",
	 .read = config_read_networks,
	 .offset = AT(admin_access.allow),
	 .allowed = CONFIG_NETWORKS_TEXT},
};
static const struct config_table admin_table = {.rules = admin_rules, .count = CONFIG_COUNT(admin_rules)};

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
		 "shows paths and client addresses, without authentication: keep it on loopback, or say in "
		 "`allow_from` who may read it.",
	 .read = config_read_admin,
	 .offset = 0,
	 .table = &admin_table,
	 .allowed = ADMIN_TEXT ", off, or a mapping of address, names and allow_from"},
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
	 .max = CONFIG_TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h"},
	{.key = "worker_timeout",
	 .preset = "30s",
	 .text = "A worker, admin or signer process without progress for this long is killed and replaced; its "
		 "connections are "
		 "lost. Time in which the master did not run either, such as in a frozen container, does not count.",
	 .read = read_worker_timeout,
	 .offset = AT(worker_timeout_ms),
	 .min = 1000,
	 .max = CONFIG_TIMEOUT_MAX,
	 .allowed = CONFIG_DURATION_TEXT "1s to 24h, or off"},
	{.key = "sandbox",
	 .preset = "on",
	 .text = "Whether workers give up the rights that they do not need: "
		 "[OPERATION.md](OPERATION.md#the-sandbox-of-the-workers).",
	 .read = config_read_switch,
	 .offset = AT(sandbox),
	 .words = sandbox_words},
	{.key = "watch_files",
	 .preset = "false",
	 .text = "`true`: the files of certificates, keys, CAs and CRLs are watched, and loaded once a set that fits "
		 "together is there, as by `thaw reload`: [RENEWAL.md](RENEWAL.md#files-that-are-watched).",
	 .read = config_read_bool,
	 .offset = AT(watch_files),
	 .allowed = "true, false"},
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
	 .table = &config_host_table,
	 .required = true,
	 .allowed = "a list of hosts, each with name, certificate, key and routes"},
	{.key = "upstreams",
	 .preset = "(none)",
	 .text = "The services behind Thaw, by name. A name has 1 to 64 letters, digits, `_`, `.` or `-`; routes refer "
		 "to it.",
	 .read = config_read_named_list,
	 .offset = AT(upstreams),
	 .count_offset = AT(upstream_count),
	 .table = &config_upstream_table,
	 .allowed = "a mapping of names to upstreams, each with servers"},
};
#undef AT
const struct config_table config_schema = {
	.rules = config_rules, .count = CONFIG_COUNT(config_rules), .check = config_check_file};
