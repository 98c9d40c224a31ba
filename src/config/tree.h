/*
 * The YAML of a configuration as a tree. Every value has its line and path of keys, for messages.
 *
 * A config_source is a parsed file: a plain tree, since aliases, anchors and tags are refused, with limits on size,
 * depth and count. A config_at is a value in it. Its parents are on the callers' stacks, and form the path of keys in
 * messages. Only tree.c uses libyaml.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "thaw/types.h"

#define CONFIG_FILE_MAX  (1024u * 1024u) /* bytes of a configuration file */
#define CONFIG_DEPTH_MAX 16              /* of nested lists and mappings */
#define CONFIG_NODES_MAX 65536           /* values and keys in a file */
#define CONFIG_LIST_MAX  4096            /* elements of one list */
#define CONFIG_SHOWN_MAX 160             /* most bytes of the file's name in messages: its end */
#define CONFIG_QUOTE_MAX 64              /* most bytes of a value in messages: its beginning */

struct yaml_document_s;
struct yaml_node_s;

struct config_source {
	const char *directory; /* base of relative paths; borrowed; NULL: paths are not changed */
	struct thaw_error *err;
	char name[CONFIG_SHOWN_MAX + 8]; /* of the file, for messages */
	struct yaml_document_s *document;
};

struct config_at {
	struct config_source *source;
	const struct config_at *up; /* NULL: the root */
	const char *key;            /* its key; NULL: a list element */
	size_t index;
	const struct yaml_node_s *node;
	size_t line; /* from 1 */
};

struct config_scalar {
	const char *text; /* without control characters, NUL-terminated; valid as long as the source */
	size_t len;
	bool plain; /* written without quotes */
};

/* Parses the text. Zero *source first, except directory and err. Free it also after a failure. */
enum thaw_status config_tree_load(struct config_source *source, const char *name, const char *text,
				  size_t len) THAW_MUST_CHECK;
void config_tree_free(struct config_source *source);

struct config_at config_root(struct config_source *source);

/* Check the type of a value; otherwise refuse it with `allowed` in the message. */
enum thaw_status config_mapping(const struct config_at *at, size_t *pairs, const char *allowed) THAW_MUST_CHECK;
enum thaw_status config_list(const struct config_at *at, size_t *count, const char *allowed) THAW_MUST_CHECK;
enum thaw_status config_text(const struct config_at *at, struct config_scalar *scalar,
			     const char *allowed) THAW_MUST_CHECK;

/* Whether the value is text; a list; a mapping. */
bool config_is_text(const struct config_at *at);
bool config_is_list(const struct config_at *at);
bool config_is_mapping(const struct config_at *at);

/* The i-th pair of a mapping: its value, with its key, which must be text, and the key's line in *key_line. */
enum thaw_status config_pair(const struct config_at *mapping, size_t i, struct config_at *value,
			     size_t *key_line) THAW_MUST_CHECK;
struct config_at config_item(const struct config_at *list, size_t i);

/* The value of that key, if a mapping that was already read has it; otherwise the mapping itself with that key. */
struct config_at config_child(const struct config_at *mapping, const char *key);

/* Returns the name of an unusual character in the text, such as "a no-break space"; NULL: none. */
const char *config_strange_sign(const char *text);

/* Sets the error to "FILE:LINE: key 'PATH': " and the text. Returns THAW_FAILED. */
enum thaw_status config_refuse(const struct config_at *at, const char *format, ...) THAW_PRINTF(2, 3);
/* Refuses a value that the key does not allow. */
enum thaw_status config_not_understood(const struct config_at *at, const char *text, size_t len, const char *allowed);
enum thaw_status config_no_memory(const struct config_at *at);

/* "FILE:LINE: key 'PATH'" of the value. The caller frees it. NULL: out of memory. */
char *config_place(const struct config_at *at);

/* Replaces *place by "FILE:LINE: key 'PATH'" of the mapping's value of that key, for messages about what the value
 * names; the caller frees it. If there is no such key, *place is not changed. */
enum thaw_status config_keep_place(const struct config_at *mapping, const char *key, char **place) THAW_MUST_CHECK;

/* Text for a message: truncated if long, control characters replaced. */
struct config_quoted {
	char text[CONFIG_QUOTE_MAX + 4];
};
struct config_quoted config_quote(const char *text, size_t len);

#endif
