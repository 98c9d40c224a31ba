/*
 * The schema of the configuration. A config_table describes a kind of mapping (a host, a route). A config_rule
 * describes a key of it: its name, the reader of its value, and the member of the table's struct.
 *
 * The tables are in schema_hosts.c, schema_upstreams.c and schema.c (all others). The defaults and the checks across
 * keys are in check.c. The readers of values are in value.c (numbers, words, files), names.c (addresses, host names,
 * paths), headers.c (lists of names), and the other files named below. read.c walks a tree along a table.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "config/config.h"
#include "config/tree.h"

#define CONFIG_UNSET       UINT64_MAX   /* a size that is not in the file */
#define CONFIG_SIZE_MAX    (1ULL << 50) /* 1024TiB */
#define CONFIG_PATH_MAX    4095         /* bytes of a file's name */
#define CONFIG_TIMEOUT_MAX (24ULL * 3600 * 1000)

#define CONFIG_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The "allowed" texts of sizes and durations; the range follows. */
#define CONFIG_SIZE_TEXT     "bytes, or a number with KiB, MiB, GiB, TiB, kB, MB, GB or TB; "
#define CONFIG_DURATION_TEXT "a whole number with ms, s, m or h; "

#define CONFIG_RATE_TEXT "a whole number with /s, /m or /h, such as 10/s; at most 1000/s"

#define CONFIG_NETWORKS_TEXT                                                                                     \
	"off, or a list of addresses and networks, such as [ 192.0.2.7, 10.0.0.0/8, \"2001:db8::/32\" ]; unix: " \
	"clients of Unix sockets"

#define CONFIG_PASSPHRASE_TEXT "a file whose first line is the key's pass phrase"

struct config_rule;
struct config_table;

/* Reads the value at *at into *into, which has its default, or is zero. */
typedef enum thaw_status config_read_fn(const struct config_at *at, const struct config_rule *rule, void *into);

struct config_word {
	const char *name; /* NULL: the table's end */
	int value;
};

struct config_rule {
	const char *key;
	/* For docs/REFERENCE.md (script/reference): the default, as it could be written in the file, or in parentheses
	 * when it is not one value; NULL only with required, or where there is none. */
	const char *preset;
	const char *text; /* the same: what the key does, in one or two sentences of Markdown; never NULL */
	config_read_fn *read;
	size_t offset;
	const char *allowed;              /* for messages: what the value may be */
	const struct config_word *words;  /* config_read_word, config_read_number (words beside numbers) */
	uint64_t min, max;                /* of sizes (bytes), durations (ms) and numbers */
	const struct config_table *table; /* config_read_mapping, config_read_list: for the nested mapping */
	size_t count_offset;              /* config_read_list: offset of the count in the same struct */
	bool required;
};

struct config_table {
	const struct config_rule *rules;
	size_t count;
	size_t size; /* of one element's struct */
	/* Sets the defaults of a list element; parent: the struct with the list. False: out of memory. May be NULL. */
	bool (*init)(void *object, const void *parent);
	/* Checks several keys together, after reading. May be NULL. */
	enum thaw_status (*check)(const struct config_at *at, void *object);
};

extern const struct config_table config_schema; /* of the whole file; its struct is struct config */
extern const struct config_table config_host_table, config_upstream_table;
extern const struct config_table config_headers_table; /* of a host, and of a route */

/* read.c */
enum thaw_status config_read_table(const struct config_at *at, const struct config_table *table,
				   void *object) THAW_MUST_CHECK;
/* A named list is a mapping with user-defined names; each element's struct begins with its name. */
config_read_fn config_read_mapping, config_read_list, config_read_named_list, config_read_not_yet;

/* value.c */
config_read_fn config_read_bool, config_read_switch, config_read_word, config_read_number, config_read_percent,
	config_read_size, config_read_duration, config_read_file, config_read_key, config_read_optional_file,
	config_read_access_log, config_read_upstream;
extern const struct config_word config_when_words[]; /* enum config_when, and config_when_name() */
/* Replaces the string at *into by a copy. */
enum thaw_status config_set_text(const struct config_at *at, char **into, const char *text, size_t len) THAW_MUST_CHECK;
/* The same for a file name; relative names are relative to the configuration's folder. */
enum thaw_status config_set_file(const struct config_at *at, char **into, const char *text, size_t len) THAW_MUST_CHECK;
/* The elements of a list of texts. */
struct config_kind {
	size_t most;
	const char *(*why_not)(const char *text, size_t len); /* returns the error in an element; NULL: it is valid */
	void (*tidy)(char *text);                             /* normalizes an element; NULL: keep it as written */
};
/* Reads such a list, and refuses duplicates. *into becomes a NULL-terminated array. */
enum thaw_status config_read_texts(const struct config_at *at, const struct config_rule *rule,
				   const struct config_kind *kind, char ***into) THAW_MUST_CHECK;
/* Reads a decimal number without sign or leading zeros, at most max. Returns its length; 0: not a number. */
size_t config_scan_number(const char *text, uint64_t max, uint64_t *number);

/* names.c */
config_read_fn config_read_address, config_read_admin, config_read_admin_address, config_read_admin_names,
	config_read_host_names, config_read_server_name, config_read_route_path, config_read_prefix,
	config_read_elsewhere, config_read_account;
/* host[:port]: a DNS name in lower case, or a numeric address, [v6] in brackets; *host is a copy without brackets.
 * False: neither (or out of memory, with the source's err set). */
bool config_scan_authority(const struct config_at *at, const char *text, size_t len, char **host, uint16_t *port);

/* listen.c */
config_read_fn config_read_plain, config_read_acme_upstream;
enum thaw_status config_check_listen(const struct config_at *at, void *listen);
/* After reading: sets missing ports of redirections. */
void config_default_redirects(struct config *config);

/* protocol.c */
config_read_fn config_read_tls_versions, config_read_tls_groups, config_read_tls_ciphers;
enum thaw_status config_check_tls(const struct config_at *at, void *config);

/* headers.c */
config_read_fn config_read_strip, config_read_pass, config_read_upgrade, config_read_methods, config_read_field_name;
bool config_is_field_name(const char *text, size_t len);
/* Whether the gateway adds such a field to requests. */
bool config_is_written(const struct config_host *host, const char *name);
/* After reading a host: checks that `pass` has none of the fields that the gateway writes. */
enum thaw_status config_check_pass(const struct config_at *at, const struct config_host *host) THAW_MUST_CHECK;

/* header_rules.c */
config_read_fn config_read_headers_set, config_read_headers_add, config_read_headers_remove;
/* After reading a host: combines the rules of the host and its routes. */
enum thaw_status config_check_headers(const struct config_at *at, struct config_host *host) THAW_MUST_CHECK;
/* After reading: sets config->claimed. */
enum thaw_status config_claim_names(const struct config_at *at, struct config *config) THAW_MUST_CHECK;
void config_free_headers(struct config_header_set *set);

/* foreign.c */
struct config_foreign {
	const char *program, *ours; /* ours: the variable of this gateway for the same; NULL: none is known */
};
/* The length of another program's variable at the beginning of the text; 0: there is none. */
size_t config_find_foreign(const char *text, struct config_foreign *is);

/* allow.c */
config_read_fn config_read_identity, config_read_allow;
bool config_copy_allow(struct config_certificate *to, const struct config_certificate *from); /* false: out of memory */
void config_free_allow(struct config_certificate *certificate);

/* access.c */
config_read_fn config_read_networks, config_read_requests, config_read_rate;
bool config_copy_access(struct config_access *to, const struct config_access *from); /* false: out of memory */
void config_free_access(struct config_access *access);

/* upstreams.c */
config_read_fn config_read_servers, config_read_upstream_host;
bool config_init_upstream(void *upstream, const void *config);
enum thaw_status config_check_upstream(const struct config_at *at, void *upstream);
/* After reading: finds the upstreams of the routes. */
enum thaw_status config_find_upstreams(const struct config_at *at, struct config *config) THAW_MUST_CHECK;
void config_free_upstream(struct config_upstream *upstream);

/* check.c: defaults of lists' elements, and the checks of mappings */
bool config_init_host(void *host, const void *config);
bool config_init_route(void *route, const void *host);
enum thaw_status config_check_certificate(const struct config_at *at, void *certificate);
enum thaw_status config_check_host(const struct config_at *at, void *host);
enum thaw_status config_check_spool(const struct config_at *at, void *config);
enum thaw_status config_check_log(const struct config_at *at, void *config);
enum thaw_status config_check_file(const struct config_at *at, void *config);

#endif
