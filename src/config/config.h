/*
 * The settings of `thaw serve`: read once from YAML, checked as a whole, then never changed.
 *
 * All strings and arrays belong to the struct config. A route's client_certificate is already resolved: what it
 * does not say itself comes from its host, and what the host does not say, from the defaults. docs/REFERENCE.md has
 * all keys; it is generated from the tables in schema*.c.
 *
 * Inside: tree.c (YAML and the place of each value in it), schema*.c (tables of all keys), read.c (walks a tree along
 * the tables), value.c, names.c, access.c, listen.c, protocol.c, headers.c, header_rules.c and upstreams.c (readers of
 * values), check.c (defaults, and checks across keys), config.c (the functions below). Files that the settings name are
 * not opened here.
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

/* Whether clients that offer HTTP/2 get it. AUTO: where they can be asked late all the same (tls/offer.h). */
enum config_http2 { CONFIG_HTTP2_AUTO, CONFIG_HTTP2_ON, CONFIG_HTTP2_OFF };

enum config_upstream_kind { CONFIG_BUILTIN_INSPECT, CONFIG_BUILTIN_SINK, CONFIG_BUILTIN_PRIME, CONFIG_PROXY };

/* Sets of header fields that tell an upstream who the client is; bits. */
#define CONFIG_IDENTITY_RFC9440 1u
#define CONFIG_IDENTITY_XFCC    2u
#define CONFIG_IDENTITY_NGINX   4u
#define CONFIG_IDENTITY_LEAF    8u /* of rfc9440 the client's own certificate alone */

/* TLS versions; bits. */
#define CONFIG_TLS_12 1u
#define CONFIG_TLS_13 2u

#define CONFIG_NO_LIMIT UINT64_MAX

enum config_log_format { CONFIG_LOG_JSON, CONFIG_LOG_COMBINED };
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };

/* One thing that a certificate must show: "subject=CN=*,O=Example" is kind subject with the text behind its '='. */
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
/* Every test holds. */
struct config_allow {
	char *text; /* as it was written */
	struct config_test *tests;
	size_t count; /* at least 1 */
};

/* Which certificates of a chain need a CRL. */
enum config_crl_check { CONFIG_CRL_CHAIN, CONFIG_CRL_LEAF };

/* What a client's certificate must be made for. */
enum config_purpose { CONFIG_PURPOSE_CLIENT, CONFIG_PURPOSE_ANY };

/* Which requests go on. In order: each lets those go on that the one before it does. */
enum config_require {
	CONFIG_REQUIRED,            /* with an accepted certificate */
	CONFIG_OPTIONAL,            /* and of clients that give none */
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
	bool ca_names;          /* clients are sent the names of the CAs, where they fit */
	unsigned depth;         /* CA certificates between a client's and the trust anchor, at most */
	uint64_t max_cert_list; /* bytes of a client's Certificate message, at most */
	enum config_require require;
	uint64_t timeout_ms;
	uint64_t decline_grace_ms;
	uint64_t max_body;
	char *elsewhere;            /* https://host[:port], without a path; or NULL */
	struct config_allow *allow; /* one of them must hold; none: every verified certificate will do */
	size_t allow_count;
};

/* What a field's value is made of. */
enum config_variable {
	CONFIG_VAR_TEXT, /* itself */
	CONFIG_VAR_CLIENT_ADDRESS,
	CONFIG_VAR_CLIENT_PORT,
	CONFIG_VAR_TLS_VERSION,
	CONFIG_VAR_TLS_CIPHER,
	CONFIG_VAR_REQUEST_ID,
	CONFIG_VAR_REQUEST_HOST,
	CONFIG_VAR_IDENTITY_VERIFIED, /* SUCCESS, NONE or FAILED:reason; those below have no value without an identity
				       */
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
	CONFIG_VAR_IDENTITY_CHAIN,       /* the certificate and its chain as DER in Base64, with commas between them */
	CONFIG_VAR_UNVERIFIED_REASON,    /* these have no value unless the certificate is passed on unverified */
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

/* What is done to the fields of one direction. */
struct config_headers {
	struct config_header *own; /* as the file says */
	size_t own_count;
	const struct config_header **rules; /* of a route: its own, and those of its host that they do not overrule */
	size_t count;
};

struct config_header_set {
	struct config_headers request, response;
};

struct config_networks {
	struct network *items; /* in the order of network_sort() */
	size_t count;          /* 0: no such list */
};

/* How many requests each client address may send. */
struct config_rate {
	uint64_t requests, period_ms; /* so many in that time, which is a second, a minute or an hour; 0: any number */
	unsigned burst;               /* at once */
	bool own;                     /* of a route: its requests are counted apart from its host's */
};

/* Who may send requests, by address. */
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
	struct config_access access;     /* its host's, but for what it says itself */
	uint64_t max_request_body;       /* bytes of one request's body; CONFIG_NO_LIMIT: any */
	char *strip_prefix, *add_prefix; /* of paths, without a slash at the end; NULL: none */
};

struct config_host {
	char *name;   /* the first of names: what logs call it */
	char **names; /* NULL-terminated, at least one; lower case; "*.DOMAIN": one label in its place; "*": all
			 others */
	char *certificate, *key; /* PEM files */
	char *key_passphrase;    /* a file; NULL: none */
	char *key_place;         /* "FILE:LINE: key 'hosts[0].key'", for messages */
	char *certificate_place; /* the same of certificate */
	enum config_http2 http2;
	bool hold_to_tls12;               /* without_post_handshake: tls12; for a host that asks late */
	unsigned identity;                /* CONFIG_IDENTITY_* */
	bool case_matters;                /* paths: case-sensitive */
	char **strip, **pass;             /* client_headers: NULL-terminated, NULL: none; strip's may end in '*' */
	struct config_header_set headers; /* for responses without a route, and what its routes begin with */
	char *request_id_from;            /* the field that a client may send its request's name in; NULL: none */
	char **claimed;                   /* config->claimed */
	struct config_access access; /* of requests without a route, and of its routes, unless they say otherwise */
	uint64_t max_request_body;   /* of its routes, unless they say otherwise */
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
	bool takes_ipv4;           /* an IPv6 listener takes IPv4 connections, too */
	bool proxy_protocol;       /* each connection begins with a PROXY protocol header */
	bool redirect;             /* plain: redirect; no TLS here, and none of the hosts' routes */
	unsigned redirect_port;    /* to https on that port */
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
	bool host_of_server;           /* requests name the server of the configuration as their host */
	char *host;                    /* they name this host[:port]; NULL: the client's, or see above */
	uint64_t connect_timeout_ms;   /* of one attempt, TLS handshake and name lookup included */
	uint64_t response_timeout_ms;  /* without a byte from the server, or without one taken by it */
	uint64_t keepalive_timeout_ms; /* how long an idle connection is kept; 0: not at all */
	unsigned keepalive;            /* idle connections that each worker keeps for each server, at most */
	uint64_t tunnel_timeout_ms;    /* an upgraded connection without a byte either way */
	unsigned max_failures;         /* in a row, after which a server rests; 0: never */
	uint64_t rest_ms;              /* how long */
	uint64_t max_head;             /* bytes of a response's head */
	uint64_t max_head_line;        /* ... and of each line of it */
	unsigned max_head_fields;
	struct {
		char *ca;                /* PEM file; NULL: the system's */
		char *name;              /* that the certificate must be for, and SNI; NULL: the server's host */
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

/* How many client connections there may be, and how long they may wait. */
struct config_connections {
	unsigned max;                /* of all workers together; 0: as many as their file descriptors allow */
	unsigned per_client;         /* of one client address; 0: see below */
	unsigned per_client_percent; /* the same as a share of all; 0 with per_client 0: no limit */
	uint64_t first_byte_ms;      /* of a PROXY header, and then of the first byte of TLS */
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
	unsigned workers; /* 0: one a core */
	struct config_listen *listens;
	size_t listen_count;
	struct config_listen *admin; /* TCP or unix; NULL: off */
	char **admin_names;          /* that requests to it may name in Host, lower case, NULL-terminated; NULL: none */
	char *ticket_keys;           /* file shared by several machines; NULL: keys of this process only */
	char *user, *group;          /* to run as; NULL: as started */
	char *ticket_keys_place, *user_place, *group_place; /* for messages; NULL: no such key */
	uint64_t worker_timeout_ms; /* without progress, after which a worker is ended; 0: never */
	uint64_t stop_timeout_ms;   /* how long requests under way may take once a stop was asked for */
	bool sandbox;
	bool watch_files; /* files of certificates, keys, CAs and CRLs are loaded once they change */
	struct config_connections connections;
	struct {
		uint64_t memory, disk;       /* disk 0: memory only */
		char *directory;             /* may be NULL only where disk is 0 */
		char *directory_place;       /* for messages; NULL: no directory */
		unsigned per_client_percent; /* 1 to 100 */
	} spool;
	struct {
		unsigned versions;  /* CONFIG_TLS_* */
		char *groups;       /* names with ':' between them, as are the next two; NULL: the default */
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
	/* The fields of requests that are set or added somewhere with a variable, NULL-terminated; NULL: none. No
	 * client may send them, on any host: another route may lead to the same service. */
	char **claimed;
};

/*
 * NULL with *err set ("FILE:LINE: key 'hosts[0].routes[1].upstream': ...; allowed: ...") when the file cannot be read
 * or a setting is wrong. Relative paths in it are taken from the file's own folder.
 */
struct config *config_load(const char *file, struct thaw_error *err);
/* The same in a process that serves: it does not wait for a pipe's writer, but refuses what is not a regular file. */
struct config *config_load_again(const char *file, struct thaw_error *err);

/* The same from text in memory; name stands for the file in messages, directory for its folder (NULL: none). */
struct config *config_parse(const char *text, size_t len, const char *name, const char *directory,
			    struct thaw_error *err);

void config_free(struct config **config);

const char *config_when_name(enum config_when when);

/* Whether services may take a field's name for that of the settings, which may have a '*' at its end: case does not
 * matter, nor which sign stands for '-'. */
bool config_is_named(const char *pattern, const char *name, size_t len);

/* Whether two settings name the same CAs and the same rules for certificates below them. */
bool config_same_trust(const struct config_certificate *a, const struct config_certificate *b);

#endif
