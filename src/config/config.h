/*
 * The settings of `thaw serve`: read once from YAML, checked as a whole, then never changed.
 *
 * All strings and arrays belong to the struct config. A route's client_certificate is complete: missing keys come from
 * its host, then from the defaults. docs/REFERENCE.md has all keys; it is generated from the tables in schema*.c.
 *
 * Files: tree.c (YAML, and the place of each value), schema*.c (tables of all keys), read.c (reads a tree by the
 * tables), value.c, names.c, access.c, listen.c, protocol.c, headers.c, header_rules.c and upstreams.c (readers of
 * values), check.c (defaults, and checks of several keys), config.c (the functions below). Files that the settings name
 * are not opened here.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/network.h"
#include "thaw/types.h"

enum config_when {
	CONFIG_WHEN_NEVER,
	CONFIG_WHEN_HANDSHAKE,
	CONFIG_WHEN_REQUEST,
	CONFIG_WHEN_REQUEST_EARLY,
	CONFIG_WHEN_BODY,
	CONFIG_WHEN_RESPONSE,
};

/* Whether clients that offer HTTP/2 get it. AUTO: if they can still be asked late (tls/offer.h). */
enum config_http2 { CONFIG_HTTP2_AUTO, CONFIG_HTTP2_ON, CONFIG_HTTP2_OFF };

enum config_upstream_kind { CONFIG_BUILTIN_INSPECT, CONFIG_BUILTIN_SINK, CONFIG_BUILTIN_PRIME, CONFIG_PROXY };

/* Sets of identity header fields for upstreams; bits. */
#define CONFIG_IDENTITY_RFC9440 1u
#define CONFIG_IDENTITY_XFCC    2u
#define CONFIG_IDENTITY_NGINX   4u
#define CONFIG_IDENTITY_LEAF    8u /* rfc9440 with the client's own certificate only */

/* TLS versions; bits. */
#define CONFIG_TLS_12 1u
#define CONFIG_TLS_13 2u

#define CONFIG_NO_LIMIT UINT64_MAX

enum config_log_format { CONFIG_LOG_JSON, CONFIG_LOG_COMBINED };
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };

/* A condition on a certificate: "subject=CN=*,O=Example" has kind subject, and the text after the first '='. */
enum config_test_kind {
	CONFIG_TEST_SUBJECT,
	CONFIG_TEST_ISSUER,
	CONFIG_TEST_SAN_DNS,
	CONFIG_TEST_SAN_EMAIL,
	CONFIG_TEST_SAN_URI,
	CONFIG_TEST_SAN_IP,
	CONFIG_TEST_SHA256, /* lower case hex, no colons */
	CONFIG_TEST_EKU,    /* dotted OID */
};
struct config_test {
	enum config_test_kind kind;
	char *text;
};
/* A rule: all tests must match. */
struct config_allow {
	char *text; /* as it was written */
	struct config_test *tests;
	size_t count; /* at least 1 */
};

/* Which certificates of a chain need a CRL. */
enum config_crl_check { CONFIG_CRL_CHAIN, CONFIG_CRL_LEAF };

/* The required purpose of a client's certificate. */
enum config_purpose { CONFIG_PURPOSE_CLIENT, CONFIG_PURPOSE_ANY };

/* Which requests are allowed. Each value also allows what the previous one does. */
enum config_require {
	CONFIG_REQUIRED,            /* with an accepted certificate */
	CONFIG_OPTIONAL,            /* and of clients that send none */
	CONFIG_OPTIONAL_UNVERIFIED, /* and with a certificate that is not trusted, marked so */
};

struct config_certificate {
	char *ca;              /* PEM file; NULL only where when is never */
	char *crl;             /* PEM file, or NULL */
	char *ca_place;        /* "FILE:LINE: key 'hosts[0].client_certificate.ca'", for messages; NULL: no ca */
	char *crl_place;       /* the same of crl */
	enum config_when when; /* routes of one host with HANDSHAKE have one trust: config_same_trust() */
	enum config_crl_check crl_check;
	bool partial_chain; /* each certificate in ca is a trust anchor */
	enum config_purpose purpose;
	bool ca_names;          /* send the names of the CAs to clients, if they fit */
	unsigned depth;         /* most CA certificates between the client's and the trust anchor */
	uint64_t max_cert_list; /* most bytes of a client's Certificate message */
	enum config_require require;
	uint64_t timeout_ms;
	uint64_t decline_grace_ms;
	uint64_t max_body;
	char *elsewhere;            /* https://host[:port], without a path; or NULL */
	struct config_allow *allow; /* one of them must match; none: every verified certificate is allowed */
	size_t allow_count;
};

/* The parts of a field's value. */
enum config_variable {
	CONFIG_VAR_TEXT, /* itself */
	CONFIG_VAR_CLIENT_ADDRESS,
	CONFIG_VAR_CLIENT_PORT,
	CONFIG_VAR_TLS_VERSION,
	CONFIG_VAR_TLS_CIPHER,
	CONFIG_VAR_REQUEST_ID,
	CONFIG_VAR_REQUEST_HOST,
	CONFIG_VAR_IDENTITY_VERIFIED, /* SUCCESS, NONE or FAILED:reason; those below need an identity */
	CONFIG_VAR_IDENTITY_SUBJECT,
	CONFIG_VAR_IDENTITY_COMMON_NAME,
	CONFIG_VAR_IDENTITY_ISSUER,
	CONFIG_VAR_IDENTITY_SERIAL,
	CONFIG_VAR_IDENTITY_SHA256,
	CONFIG_VAR_IDENTITY_NOT_BEFORE,
	CONFIG_VAR_IDENTITY_NOT_AFTER,
	CONFIG_VAR_IDENTITY_SAN_DNS,
	CONFIG_VAR_IDENTITY_SAN_EMAIL,
	CONFIG_VAR_IDENTITY_SAN_URI,
	CONFIG_VAR_IDENTITY_SAN_IP,
	CONFIG_VAR_IDENTITY_CERTIFICATE, /* DER in Base64 */
	CONFIG_VAR_IDENTITY_PEM,         /* PEM, URL-encoded */
	CONFIG_VAR_IDENTITY_CHAIN,       /* the certificate and its chain as DER in Base64, separated by commas */
	CONFIG_VAR_UNVERIFIED_REASON,    /* these have a value only if the certificate is forwarded unverified */
	CONFIG_VAR_UNVERIFIED_SHA256,
	CONFIG_VAR_UNVERIFIED_CERTIFICATE,
	CONFIG_VAR_UNVERIFIED_PEM,
	CONFIG_VARIABLES
};

struct config_piece {
	unsigned variable; /* enum config_variable */
	char *text;        /* of CONFIG_VAR_TEXT */
};

enum config_header_action { CONFIG_HEADER_SET, CONFIG_HEADER_ADD, CONFIG_HEADER_REMOVE };

struct config_header {
	enum config_header_action action;
	char *name;
	struct config_piece *pieces; /* none: remove */
	size_t piece_count;
	bool has_variable;
};

/* The rules for the fields of one direction. */
struct config_headers {
	struct config_header *own; /* as written in the file */
	size_t own_count;
	const struct config_header **rules; /* of a route: its own, and those of its host that they do not override */
	size_t count;
};

struct config_header_set {
	struct config_headers request, response;
};

struct config_networks {
	struct network *items; /* in the order of network_sort() */
	size_t count;          /* 0: no such list */
};

/* The request rate limit of each client address. */
struct config_rate {
	uint64_t requests, period_ms; /* requests per period, which is a second, a minute or an hour; 0: no limit */
	unsigned burst;               /* at once */
	bool own;                     /* of a route: its requests are counted separately from its host's */
};

/* Which addresses may send requests. */
struct config_access {
	struct config_networks allow, deny;
	struct config_rate rate;
};

struct config_route {
	char *path;     /* begins with '/' */
	char **methods; /* NULL-terminated; NULL: every method */
	struct config_certificate certificate;
	enum config_upstream_kind upstream;
	char *upstream_name; /* CONFIG_PROXY only */
	size_t proxy;        /* CONFIG_PROXY: index in config->upstreams */
	char **upgrade;      /* protocols that a request may upgrade to, NULL-terminated; NULL: websocket */
	struct config_header_set headers;
	struct config_access access;     /* its own keys, otherwise its host's */
	uint64_t max_request_body;       /* most bytes of a request's body; CONFIG_NO_LIMIT: no limit */
	char *strip_prefix, *add_prefix; /* of paths, without a slash at the end; NULL: none */
};

struct config_host {
	char *name;              /* the first of names, for logs */
	char **names;            /* NULL-terminated; lower case; "*.DOMAIN": any one label; "*": all others */
	char *certificate, *key; /* PEM files */
	char *key_passphrase;    /* a file; NULL: none */
	char *key_place;         /* "FILE:LINE: key 'hosts[0].key'", for messages */
	char *certificate_place; /* the same of certificate */
	enum config_http2 http2;
	bool hold_to_tls12;               /* without_post_handshake: tls12; for a host that asks late */
	unsigned identity;                /* CONFIG_IDENTITY_* */
	bool case_matters;                /* paths: case-sensitive */
	char **strip, **pass;             /* client_headers: NULL-terminated, NULL: none; strip's may end in '*' */
	struct config_header_set headers; /* for responses without a route, and inherited by its routes */
	char *request_id_from;            /* the field with the request ID of a client; NULL: none */
	char **claimed;                   /* config->claimed */
	struct config_access access;      /* of requests without a route, and inherited by its routes */
	uint64_t max_request_body;        /* inherited by its routes */
	struct config_certificate client_certificate;
	struct config_route *routes; /* in the order of the file */
	size_t route_count;          /* at least 1 */
};

enum config_listen_kind { CONFIG_LISTEN_TCP, CONFIG_LISTEN_UNIX };

struct config_listen {
	enum config_listen_kind kind;
	char *address;             /* as it was written, for messages */
	char *place;               /* "FILE:LINE: key 'listen[0].address'", for messages; NULL: not from a file */
	char *host;                /* numeric address without brackets; NULL for unix */
	uint16_t port;             /* 0: any free one */
	char *path;                /* unix only */
	bool takes_ipv4;           /* an IPv6 listener also accepts IPv4 connections */
	bool proxy_protocol;       /* each connection begins with a PROXY protocol header */
	bool redirect;             /* plain: redirect; no TLS, and the hosts' routes are not used */
	unsigned redirect_port;    /* port of the https URL */
	char *acme_webroot;        /* a folder that has files at CONFIG_ACME_PATH; NULL: none */
	char *acme_webroot_place;  /* for messages; NULL: no acme_webroot */
	struct config_route *acme; /* of CONFIG_ACME_PATH; NULL: none */
};

/* RFC 8555 8.3: the path of challenges, before the token. */
#define CONFIG_ACME_PATH "/.well-known/acme-challenge/"

/* One server of an upstream: http://host[:port], https://host[:port] or unix:PATH. */
struct config_server {
	char *text; /* as it was written, for messages and logs */
	bool tls;
	bool named;    /* host is a name to be looked up, not an address */
	char *host;    /* a DNS name, or a numeric address without brackets; NULL for unix */
	uint16_t port; /* default 80, 443 */
	char *path;    /* unix only */
};

struct config_upstream {
	char *name;
	struct config_server *servers;
	size_t server_count;           /* at least 1 */
	bool host_of_server;           /* requests have the configured server as their Host */
	char *host;                    /* their Host, host[:port]; NULL: the client's, or see host_of_server */
	uint64_t connect_timeout_ms;   /* of one attempt, TLS handshake and name lookup included */
	uint64_t response_timeout_ms;  /* without a byte received from or sent to the server */
	uint64_t keepalive_timeout_ms; /* how long an idle connection is kept; 0: it is closed at once */
	unsigned keepalive;            /* most idle connections of each worker to each server */
	uint64_t tunnel_timeout_ms;    /* of an upgraded connection without a byte in either direction */
	unsigned max_failures;         /* failures in a row after which a server is marked down; 0: never */
	uint64_t down_ms;              /* how long a server stays marked down */
	uint64_t max_head;             /* bytes of a response's head */
	uint64_t max_head_line;        /* ... and of each line of it */
	unsigned max_head_fields;
	struct {
		char *ca;                /* PEM file; NULL: the system's */
		char *name;              /* required name of the certificate, and SNI; NULL: the server's host */
		char *certificate, *key; /* PEM files: Thaw's own; NULL: none */
		char *key_passphrase;    /* a file; NULL: none */
		char *key_place;         /* for messages; NULL: no key */
		char *certificate_place; /* the same; NULL: no certificate */
		char *ca_place;          /* the same; NULL: no ca */
		bool verify;
	} tls;
};

/* Defaults of the settings below. */
#define CONFIG_FIRST_BYTE_MS 10000
#define CONFIG_HANDSHAKE_MS  30000
#define CONFIG_HEAD_MS       30000
#define CONFIG_BODY_MS       60000
#define CONFIG_KEEPALIVE_MS  60000

/* Defaults of heads, of requests and of responses. */
#define CONFIG_HEAD_SIZE   32768
#define CONFIG_HEAD_LINE   8192
#define CONFIG_HEAD_FIELDS 100

/* The limits of client connections, and their timeouts. */
struct config_connections {
	unsigned max;                /* of all workers together; 0: as many as their file descriptors allow */
	unsigned per_client;         /* of one client address; 0: see below */
	unsigned per_client_percent; /* the same as a share of all; 0 with per_client 0: no limit */
	uint64_t first_byte_ms;      /* for a PROXY header, and then for the first byte of TLS */
	uint64_t handshake_ms;       /* of TLS, from its first byte on */
	uint64_t head_ms;            /* from a request's first byte to the end of its head */
	uint64_t body_ms;            /* without progress of a body, in either direction */
	uint64_t keepalive_ms;       /* without a request */
	uint64_t max_head;           /* bytes of a request's head */
	uint64_t max_head_line;      /* ... and of each line of it */
	unsigned max_head_fields;
};

struct config {
	char *file;       /* name for messages */
	unsigned workers; /* 0: one per processor */
	struct config_listen *listens;
	size_t listen_count;
	struct config_listen *admin; /* TCP or unix; NULL: off */
	char **admin_names;          /* allowed in Host of requests to it, lower case, NULL-terminated; NULL: none */
	struct config_access admin_access; /* only its allow is used */
	char *ticket_keys;                 /* file shared by several machines; NULL: keys of this process only */
	char *user, *group;                /* to run as; NULL: as started */
	char *ticket_keys_place, *user_place, *group_place; /* for messages; NULL: no such key */
	uint64_t worker_timeout_ms; /* without progress, after which a worker is killed; 0: never */
	uint64_t stop_timeout_ms;   /* how long current requests may take after a stop was requested */
	bool sandbox;
	bool watch_files; /* reload certificates, keys, CAs and CRLs when their files change */
	struct config_connections connections;
	struct {
		uint64_t memory, disk;       /* disk 0: memory only */
		char *directory;             /* may be NULL only where disk is 0 */
		char *directory_place;       /* for messages; NULL: no directory */
		unsigned per_client_percent; /* 1 to 100 */
	} spool;
	struct {
		unsigned versions;  /* CONFIG_TLS_* */
		char *groups;       /* names separated by ':', also in the next two; NULL: the default */
		char *ciphers;      /* of TLS 1.2 */
		char *suites;       /* of TLS 1.3 */
		char *groups_place; /* for messages; NULL: no groups */
	} tls;
	struct {
		char *access;       /* "stdout", "stderr", "off", or a file's path */
		char *access_place; /* for messages; NULL: the default */
		enum config_log_format format;
		enum config_log_level level;
	} log;
	struct config_host *hosts;
	size_t host_count;
	struct config_upstream *upstreams;
	size_t upstream_count;
	/* The request fields that any rule sets or adds with a variable, NULL-terminated; NULL: none. They are removed
	 * from clients' requests on all hosts, since another route may use the same service. */
	char **claimed;
};

/*
 * NULL with *err set ("FILE:LINE: key 'hosts[0].routes[1].upstream': ...; allowed: ...") if the file cannot be read or
 * a setting is wrong. Relative paths in it are relative to the file's folder.
 */
struct config *config_load(const char *file, struct thaw_error *err);
/* The same for a running server: accepts only regular files, so that it cannot block on a pipe. */
struct config *config_load_again(const char *file, struct thaw_error *err);

/* The same from text in memory; name stands for the file in messages, directory for its folder (NULL: none). */
struct config *config_parse(const char *text, size_t len, const char *name, const char *directory,
			    struct thaw_error *err);

void config_free(struct config **config);

const char *config_when_name(enum config_when when);

/* Returns whether services may treat a field name as equal to the pattern from the settings, which may end in '*'.
 * Ignores case, and which character stands for '-'. */
bool config_is_named(const char *pattern, const char *name, size_t len);

/* Whether two settings have the same CAs and the same verification rules. */
bool config_same_trust(const struct config_certificate *a, const struct config_certificate *b);

#endif
