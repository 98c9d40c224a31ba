/*
 * The settings of `thaw serve`: read once from YAML, checked as a whole, then never changed.
 *
 * All strings and arrays belong to the struct config. A route's client_certificate is already resolved: what it
 * does not say itself comes from its host, and what the host does not say, from the defaults. docs/CONFIGURATION.md
 * is the reference of what the file may say.
 *
 * Inside: tree.c (YAML and the place of each value in it), schema.c (tables of all keys), read.c (walks a tree along
 * the tables), value.c and names.c (readers of values), check.c (defaults, and checks across keys), config.c (the
 * functions below). Files that the settings name are not opened here.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "thaw/types.h"

enum config_when {
	CONFIG_WHEN_NEVER,
	CONFIG_WHEN_HANDSHAKE,
	CONFIG_WHEN_REQUEST,
	CONFIG_WHEN_REQUEST_EARLY,
	CONFIG_WHEN_BODY,
	CONFIG_WHEN_RESPONSE,
};

enum config_upstream_kind { CONFIG_BUILTIN_INSPECT, CONFIG_BUILTIN_SINK, CONFIG_BUILTIN_PRIME };

enum config_log_format { CONFIG_LOG_JSON, CONFIG_LOG_COMBINED };
enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };

struct config_certificate {
	char *ca;              /* PEM file; NULL only where when is never */
	char *crl;             /* PEM file, or NULL */
	enum config_when when; /* routes of one host with HANDSHAKE have one ca and crl */
	bool require;
	uint64_t timeout_ms;
	uint64_t decline_grace_ms;
	uint64_t max_body;
	char *elsewhere; /* https://host[:port], without a path; or NULL */
};

struct config_route {
	char *path;     /* begins with '/' */
	char **methods; /* NULL-terminated; NULL: every method */
	struct config_certificate certificate;
	enum config_upstream_kind upstream;
};

struct config_host {
	char *name;              /* lower case; "*" is the default host */
	char *certificate, *key; /* PEM files */
	bool hold_to_tls12;      /* without_post_handshake: tls12; for a host that asks late */
	struct config_certificate client_certificate;
	struct config_route *routes; /* in the order of the file */
	size_t route_count;          /* at least 1 */
};

enum config_listen_kind { CONFIG_LISTEN_TCP, CONFIG_LISTEN_UNIX };

struct config_listen {
	enum config_listen_kind kind;
	char *address; /* as it was written, for messages */
	char *host;    /* numeric address without brackets; NULL for unix */
	uint16_t port; /* 0: any free one */
	char *path;    /* unix only */
};

struct config {
	char *file;       /* name for messages */
	unsigned workers; /* 0: one a core */
	struct config_listen *listens;
	size_t listen_count;
	struct {
		uint64_t memory, disk;       /* disk 0: memory only */
		char *directory;             /* may be NULL only where disk is 0 */
		unsigned per_client_percent; /* 1 to 100 */
	} spool;
	struct {
		char *access; /* "stdout", "stderr", "off", or a file's path */
		enum config_log_format format;
		enum config_log_level level;
	} log;
	struct config_host *hosts;
	size_t host_count;
};

/*
 * NULL with *err set ("FILE:LINE: key 'hosts[0].routes[1].upstream': ...; allowed: ...") when the file cannot be read
 * or a setting is wrong. Relative paths in it are taken from the file's own folder.
 */
struct config *config_load(const char *file, struct thaw_error *err);

/* The same from text in memory; name stands for the file in messages, directory for its folder (NULL: none). */
struct config *config_parse(const char *text, size_t len, const char *name, const char *directory,
			    struct thaw_error *err);

void config_free(struct config **config);

const char *config_when_name(enum config_when when);

#endif
