/*
 * The YAML of a configuration as a tree in which every value knows its place: line and path of keys, for messages.
 *
 * A config_source is one file's text, parsed: a plain tree, since aliases, anchors and tags are refused, and bounded in
 * size, depth and count. A config_at is one value in it; those on the way to it live on the callers' stacks, so that
 * the way back up is the path of keys that a message shows. tree.c alone knows libyaml.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include "thaw/types.h"

#define CONFIG_FILE_MAX  (1024u * 1024u) /* bytes of a configuration file */
#define CONFIG_DEPTH_MAX 16              /* of nested lists and mappings */
#define CONFIG_NODES_MAX 65536           /* values and keys in a file */
#define CONFIG_LIST_MAX  4096            /* elements of one list */
#define CONFIG_SHOWN_MAX 160             /* bytes of the file's name that messages show: its end */
#define CONFIG_QUOTE_MAX 64              /* bytes of a value that messages show: its beginning */

struct yaml_document_s;
struct yaml_node_s;

struct config_source {
	const char *directory; /* where relative paths begin; borrowed; NULL: left as they are */
	struct thaw_error *err;
	char name[CONFIG_SHOWN_MAX + 8]; /* of the file, for messages */
	struct yaml_document_s *document;
};

struct config_at {
	struct config_source *source;
	const struct config_at *up; /* NULL: the root */
	const char *key;            /* its key, or NULL: the element of a list */
	size_t index;
	const struct yaml_node_s *node;
	size_t line; /* from 1 */
};

struct config_scalar {
	const char *text; /* without control characters, ends with NUL; lives as long as the source */
	size_t len;
	bool plain; /* written without quotes */
};

/* Parses. Zero *source first, but for directory and err. Free it also after a failure. */
enum thaw_status config_tree_load(struct config_source *source, const char *name, const char *text,
				  size_t len) THAW_MUST_CHECK;
void config_tree_free(struct config_source *source);

struct config_at config_root(struct config_source *source);

/* What a value must be; else refused, naming what is allowed. */
enum thaw_status config_mapping(const struct config_at *at, size_t *pairs, const char *allowed) THAW_MUST_CHECK;
enum thaw_status config_list(const struct config_at *at, size_t *count, const char *allowed) THAW_MUST_CHECK;
enum thaw_status config_text(const struct config_at *at, struct config_scalar *scalar,
			     const char *allowed) THAW_MUST_CHECK;

/* Whether the value is text; a list; a mapping. */
bool config_is_text(const struct config_at *at);
bool config_is_list(const struct config_at *at);
bool config_is_mapping(const struct config_at *at);

/* Of a mapping: the i-th pair's key, refused when it is not text, and its value's place (with that key, at key's line
 * in *key_line). */
enum thaw_status config_pair(const struct config_at *mapping, size_t i, struct config_at *value,
			     size_t *key_line) THAW_MUST_CHECK;
struct config_at config_item(const struct config_at *list, size_t i);

/* The value of that key, where a mapping that was already read has it; else the mapping itself with that key. */
struct config_at config_child(const struct config_at *mapping, const char *key);

/* Such as "a no-break space", which is in the text in place of a plain sign; NULL: none. */
const char *config_strange_sign(const char *text);

/* "FILE:LINE: key 'PATH': " and the text, as the error. Returns THAW_FAILED. */
enum thaw_status config_refuse(const struct config_at *at, const char *format, ...) THAW_PRINTF(2, 3);
/* The value is none of those that the key may have. */
enum thaw_status config_not_understood(const struct config_at *at, const char *text, size_t len, const char *allowed);
enum thaw_status config_no_memory(const struct config_at *at);

/* "FILE:LINE: key 'PATH'" of the value. The caller frees it. NULL: no memory. */
char *config_place(const struct config_at *at);

/* "FILE:LINE: key 'PATH'" of the mapping's value of that key, in place of what *place was, for messages about what the
 * value names; the caller frees it. Where it has none, *place stays. */
enum thaw_status config_keep_place(const struct config_at *mapping, const char *key, char **place) THAW_MUST_CHECK;

/* Text fit for a message: cut where it is long, control characters replaced. */
struct config_quoted {
	char text[CONFIG_QUOTE_MAX + 4];
};
struct config_quoted config_quote(const char *text, size_t len);

#endif
