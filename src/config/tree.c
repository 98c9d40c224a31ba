#include "config/tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/error.h"

#define PATH_MAX_SHOWN 256
#define DETAIL_MAX     400

struct config_quoted config_quote(const char *text, size_t len)
{
	struct config_quoted quoted;
	size_t n = len;
	if (n > CONFIG_QUOTE_MAX) {
		n = CONFIG_QUOTE_MAX;
		while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) /* not in the middle of a UTF-8 character */
			n--;
	}
	for (size_t i = 0; i < n; i++)
		quoted.text[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? '?' : text[i];
	memcpy(quoted.text + n, n < len ? "..." : "", n < len ? 4 : 1);
	return quoted;
}

static void path_of(const struct config_at *at, char *path, size_t room)
{
	if (at->up == NULL) {
		path[0] = '\0';
		return;
	}
	path_of(at->up, path, room);
	size_t used = strlen(path);
	if (at->key == NULL)
		(void)snprintf(path + used, room - used, "[%zu]", at->index);
	else
		(void)snprintf(path + used, room - used, "%s%s", used > 0 ? "." : "",
			       config_quote(at->key, strlen(at->key)).text);
}

enum thaw_status config_refuse(const struct config_at *at, const char *format, ...)
{
	char path[PATH_MAX_SHOWN], detail[DETAIL_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	path_of(at, path, sizeof(path));
	if (path[0] == '\0')
		return error_set(at->source->err, THAW_ERR_CONFIG, "%s:%zu: %s", at->source->name, at->line, detail);
	return error_set(at->source->err, THAW_ERR_CONFIG, "%s:%zu: key '%s': %s", at->source->name, at->line, path,
			 detail);
}

enum thaw_status config_not_understood(const struct config_at *at, const char *text, size_t len, const char *allowed)
{
	const char *sign = config_strange_sign(text);

	if (sign != NULL)
		return config_refuse(at, "'%s' has %s in it: type it again; allowed: %s", config_quote(text, len).text,
				     sign, allowed);
	return config_refuse(at, "'%s' is not understood; allowed: %s", config_quote(text, len).text, allowed);
}

char *config_place(const struct config_at *at)
{
	char path[PATH_MAX_SHOWN], *place = NULL;

	path_of(at, path, sizeof(path));
	return asprintf(&place, "%s:%zu: key '%s'", at->source->name, at->line, path) >= 0 ? place : NULL;
}

static enum thaw_status no_memory(const struct config_source *source)
{
	return error_set(source->err, THAW_ERR_RESOURCE, "%s: not enough memory to read it", source->name);
}

enum thaw_status config_no_memory(const struct config_at *at)
{
	return no_memory(at->source);
}

enum thaw_status config_keep_place(const struct config_at *mapping, const char *key, char **place)
{
	struct config_at value = config_child(mapping, key);

	if (value.node == mapping->node)
		return THAW_OK;
	free(*place);
	*place = config_place(&value);
	return *place != NULL ? THAW_OK : config_no_memory(&value);
}

static enum thaw_status refuse_line(const struct config_source *source, size_t line, const char *what)
{
	return error_set(source->err, THAW_ERR_CONFIG, "%s:%zu: %s", source->name, line, what);
}

/* Returns whether the white space at the beginning of a line has a tab. line: counted from 0. */
static bool tab_indents(const char *text, size_t len, size_t line)
{
	size_t at = 0;
	for (; line > 0 && at < len; at++)
		line -= text[at] == '\n';
	while (at < len && text[at] == ' ')
		at++;
	return at < len && text[at] == '\t';
}

static size_t line_of_offset(const char *text, size_t len, size_t offset)
{
	size_t line = 1;
	for (size_t i = 0; i < offset && i < len; i++)
		line += text[i] == '\n';
	return line;
}

/* Characters that editors, word processors and web pages insert in place of those that YAML knows. */
static const struct {
	const char *bytes, *name;
} strange[] = {
	{"\xC2\xA0", "a no-break space"},           {"\xE2\x80\x8B", "an invisible space"},
	{"\xE2\x80\xAF", "a no-break space"},       {"\xEF\xBB\xBF", "an invisible byte order mark"},
	{"\xE2\x80\x9C", "a typographic quote"},    {"\xE2\x80\x9D", "a typographic quote"},
	{"\xE2\x80\x9E", "a typographic quote"},    {"\xE2\x80\x98", "a typographic quote"},
	{"\xE2\x80\x99", "a typographic quote"},    {"\xE2\x80\x93", "a dash that is not '-'"},
	{"\xE2\x80\x94", "a dash that is not '-'"},
};

/* Returns the name of such a character in the text. NULL: none. */
static const char *strange_sign(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
		if (memmem(text, len, strange[i].bytes, strlen(strange[i].bytes)) != NULL)
			return strange[i].name;
	return NULL;
}

const char *config_strange_sign(const char *text)
{
	return strange_sign(text, strlen(text));
}

/* The same for some lines of the text, counted from 0. */
static const char *strange_in_lines(const char *text, size_t len, size_t first, size_t last)
{
	size_t begin = 0, end;

	for (; first > 0 && begin < len; begin++, last -= first == 0)
		first -= text[begin] == '\n';
	for (end = begin; end < len && last > 0; end++)
		last -= text[end] == '\n';
	while (end < len && text[end] != '\n')
		end++;
	return strange_sign(text + begin, end - begin);
}

/* Returns the most likely mistake for a message of libyaml; "": not known. */
static const char *syntax_hint(const char *problem, const char *context)
{
	static const struct {
		const char *words, *hint;
	} hints[] = {
		{"expected ':'", " (write 'key: value', with a blank after the colon)"},
		{"mapping values are not allowed",
		 " (check the indentation, here and in the line before; a value with ': ' in it is written in quotes)"},
		{"expected '-' indicator", " (check the indentation: what belongs together begins in the same column)"},
		{"expected <block end>", " (check the indentation: what belongs together begins in the same column)"},
		{"did not find expected key",
		 " (check the indentation: what belongs together begins in the same column)"},
		{"expected node content", " (a value that begins with [ or { is written in quotes: '[::1]:8443')"},
		{"end of stream", " (a quote is not closed)"},
		{"expected ',' or", " (a bracket or brace is not closed, or a comma is missing)"},
	};

	if (strstr(context, "alias") != NULL)
		return " (a value that begins with * or & is written in quotes: \"*\")";
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(problem, hints[i].words) != NULL)
			return hints[i].hint;
	return "";
}

/* Translates libyaml's errors. */
static enum thaw_status syntax_error(const struct config_source *source, const yaml_parser_t *parser, const char *text,
				     size_t len)
{
	/* libyaml 0.2.5 also fails without an error code when it cannot allocate a node. */
	if (parser->error == YAML_MEMORY_ERROR || parser->error == YAML_NO_ERROR)
		return no_memory(source);
	const char *problem = parser->problem != NULL ? parser->problem : "syntax error";
	if (parser->error == YAML_READER_ERROR)
		return error_set(source->err, THAW_ERR_CONFIG, "%s:%zu: not valid YAML: %s%s", source->name,
				 line_of_offset(text, len, parser->problem_offset), problem,
				 strstr(problem, "UTF-8") != NULL ? " (save the file as UTF-8)" : "");
	const char *context = parser->context != NULL ? parser->context : "";
	size_t line = parser->problem_mark.line, begins = parser->context_mark.line;
	bool earlier = context[0] != '\0' && begins < line;
	const char *hint = syntax_hint(problem, context);
	const char *sign = strange_in_lines(text, len, earlier || line == 0 ? begins : line - 1, line);
	char begun[48] = "", replace[80];
	if (tab_indents(text, len, line)) {
		hint = " (indent with spaces, not with tabs)";
	} else if (sign != NULL) {
		(void)snprintf(replace, sizeof(replace), " (there is %s: type it again)", sign);
		hint = replace;
	}
	if (earlier)
		(void)snprintf(begun, sizeof(begun), " that begins in line %zu", begins + 1);
	if (earlier && strcmp(context, "while scanning a simple key") == 0) /* libyaml reports it for the next line */
		line = begins;
	return error_set(source->err, THAW_ERR_CONFIG, "%s:%zu: not valid YAML: %s%s%s%s%s", source->name, line + 1,
			 problem, context[0] != '\0' ? " " : "", context, begun, hint);
}

/* The state of a stream of events. */
struct screen {
	unsigned documents, depth, nodes;
};

/* NULL: accepted; otherwise why this event is refused. */
static const char *screen_event(struct screen *screen, const yaml_event_t *event)
{
	static const char anchors[] = "anchors and aliases (& and *) are not allowed; write the value out";
	static const char tags[] = "tags (!) are not allowed";
	const yaml_char_t *anchor = NULL, *tag = NULL;
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return ++screen->documents > 1 ? "a second document (---) is not allowed" : NULL;
	case YAML_ALIAS_EVENT:
		return anchors;
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		screen->depth++;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		screen->depth++;
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		screen->depth--;
		return NULL;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	default:
		return NULL;
	}
	if (anchor != NULL)
		return anchors;
	if (tag != NULL)
		return tags;
	if (screen->depth > CONFIG_DEPTH_MAX)
		return "nested too deeply";
	return ++screen->nodes > CONFIG_NODES_MAX ? "too many values in one file" : NULL;
}

static bool parser_begin(yaml_parser_t *parser, const char *text, size_t len)
{
	if (yaml_parser_initialize(parser) == 0)
		return false;
	yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(parser, (const unsigned char *)text, len);
	return true;
}

/* A first pass over the events: refuses all that is not a small, plain tree. In the tree itself an alias cannot be
 * distinguished from a value. */
static enum thaw_status screen_text(const struct config_source *source, const char *text, size_t len)
{
	yaml_parser_t parser;
	if (!parser_begin(&parser, text, len))
		return no_memory(source);
	struct screen screen = {0};
	enum thaw_status status = THAW_OK;
	bool end = false;
	while (status == THAW_OK && !end) {
		yaml_event_t event;
		if (yaml_parser_parse(&parser, &event) == 0) {
			status = syntax_error(source, &parser, text, len);
			break;
		}
		const char *why = screen_event(&screen, &event);
		if (why != NULL)
			status = refuse_line(source, event.start_mark.line + 1, why);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return status;
}

enum thaw_status config_tree_load(struct config_source *source, const char *name, const char *text, size_t len)
{
	size_t name_len = strlen(name);
	(void)snprintf(source->name, sizeof(source->name), "%s%s", name_len > CONFIG_SHOWN_MAX ? "..." : "",
		       name + (name_len > CONFIG_SHOWN_MAX ? name_len - CONFIG_SHOWN_MAX : 0));
	if (len > CONFIG_FILE_MAX)
		return error_set(source->err, THAW_ERR_CONFIG, "%s: larger than %u bytes", source->name,
				 CONFIG_FILE_MAX);
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* libyaml would count a byte order mark as a column */
		text += 3;
		len -= 3;
	}
	if (screen_text(source, text, len) != THAW_OK)
		return THAW_FAILED;
	yaml_parser_t parser;
	if (!parser_begin(&parser, text, len))
		return no_memory(source);
	enum thaw_status status = THAW_OK;
	yaml_document_t *document = malloc(sizeof(*document));
	if (document == NULL) {
		status = no_memory(source);
	} else if (yaml_parser_load(&parser, document) == 0) { /* deletes its contents */
		status = syntax_error(source, &parser, text, len);
		free(document);
	} else {
		source->document = document;
	}
	yaml_parser_delete(&parser);
	return status;
}

void config_tree_free(struct config_source *source)
{
	if (source->document == NULL)
		return;
	yaml_document_delete(source->document);
	free(source->document);
	source->document = NULL;
}

struct config_at config_root(struct config_source *source)
{
	const yaml_node_t *node = yaml_document_get_root_node(source->document);
	return (struct config_at){.source = source, .node = node, .line = node != NULL ? node->start_mark.line + 1 : 1};
}

static enum thaw_status refuse_type(const struct config_at *at, const char *allowed)
{
	bool list = strncmp(allowed, "a list of ", strlen("a list of ")) == 0;
	bool mapping = strncmp(allowed, "a mapping ", strlen("a mapping ")) == 0;
	bool plain = list && strstr(allowed, "each ") == NULL; /* of its elements */
	const char *what = "a single value", *cure = plain ? "; write [ VALUE ]" : "";
	if (at->node == NULL && at->up == NULL)
		return config_refuse(at, "there is nothing in it; allowed: %s", allowed);
	if (at->node == NULL || (at->node->type == YAML_SCALAR_NODE && at->node->data.scalar.length == 0))
		return config_refuse(at, "no value is given; allowed: %s", allowed);
	if (at->node->type == YAML_SEQUENCE_NODE) {
		what = "a list";
		cure = mapping ? "; write its keys without '- ' or '[ ]'" : "";
	} else if (at->node->type == YAML_MAPPING_NODE) {
		what = "a mapping (keys with values)";
		cure = list ? "; begin each element of the list with '- '" : "";
	}
	return config_refuse(at, "%s is not allowed here%s; allowed: %s", what, cure, allowed);
}

enum thaw_status config_mapping(const struct config_at *at, size_t *pairs, const char *allowed)
{
	if (at->node == NULL || at->node->type != YAML_MAPPING_NODE)
		return refuse_type(at, allowed);
	*pairs = (size_t)(at->node->data.mapping.pairs.top - at->node->data.mapping.pairs.start);
	return THAW_OK;
}

enum thaw_status config_list(const struct config_at *at, size_t *count, const char *allowed)
{
	if (at->node->type != YAML_SEQUENCE_NODE)
		return refuse_type(at, allowed);
	*count = (size_t)(at->node->data.sequence.items.top - at->node->data.sequence.items.start);
	if (*count == 0)
		return config_refuse(at, "the list is empty; allowed: %s", allowed);
	if (*count > CONFIG_LIST_MAX)
		return config_refuse(at, "the list has %zu elements; allowed: at most %d", *count, CONFIG_LIST_MAX);
	return THAW_OK;
}

/* YAML's null values. */
static bool is_null(const struct config_scalar *scalar)
{
	return scalar->len == 0 ||
	       (scalar->plain && (strcmp(scalar->text, "~") == 0 || strcmp(scalar->text, "null") == 0));
}

static bool has_control(const struct config_scalar *scalar)
{
	for (size_t i = 0; i < scalar->len; i++)
		if ((unsigned char)scalar->text[i] < 0x20 || scalar->text[i] == 0x7F)
			return true;
	return false;
}

enum thaw_status config_text(const struct config_at *at, struct config_scalar *scalar, const char *allowed)
{
	const yaml_node_t *node = at->node;
	if (node->type != YAML_SCALAR_NODE)
		return refuse_type(at, allowed);
	*scalar = (struct config_scalar){.text = (const char *)node->data.scalar.value,
					 .len = node->data.scalar.length,
					 .plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE};
	if (has_control(scalar))
		return config_refuse(at, "a control character or a line break is not allowed; allowed: %s", allowed);
	if (is_null(scalar))
		return config_refuse(at, "no value is given; allowed: %s", allowed);
	return THAW_OK;
}

bool config_is_text(const struct config_at *at)
{
	return at->node->type == YAML_SCALAR_NODE;
}

bool config_is_list(const struct config_at *at)
{
	return at->node->type == YAML_SEQUENCE_NODE;
}

bool config_is_mapping(const struct config_at *at)
{
	return at->node->type == YAML_MAPPING_NODE;
}

enum thaw_status config_pair(const struct config_at *mapping, size_t i, struct config_at *value, size_t *key_line)
{
	const yaml_node_pair_t *pair = mapping->node->data.mapping.pairs.start + i;
	const yaml_node_t *key = yaml_document_get_node(mapping->source->document, pair->key);
	const yaml_node_t *node = yaml_document_get_node(mapping->source->document, pair->value);
	*key_line = key->start_mark.line + 1;
	*value = (struct config_at){.source = mapping->source,
				    .up = mapping,
				    .key = (const char *)key->data.scalar.value,
				    .node = node,
				    .line = node->start_mark.line + 1};
	if (node->type != YAML_SCALAR_NODE)
		value->line = *key_line; /* its start line is that of its first element */
	if (key->type == YAML_SCALAR_NODE && strlen(value->key) == key->data.scalar.length)
		return THAW_OK;
	struct config_at at = *mapping;
	at.line = *key_line;
	return config_refuse(&at, "a key that is not plain text is not allowed");
}

struct config_at config_item(const struct config_at *list, size_t i)
{
	const yaml_node_t *node =
		yaml_document_get_node(list->source->document, list->node->data.sequence.items.start[i]);
	return (struct config_at){
		.source = list->source, .up = list, .index = i, .node = node, .line = node->start_mark.line + 1};
}

struct config_at config_child(const struct config_at *mapping, const char *key)
{
	const yaml_node_t *node = mapping->node;
	size_t pairs = (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
	for (size_t i = 0; i < pairs; i++) {
		struct config_at value;
		size_t line;
		if (config_pair(mapping, i, &value, &line) == THAW_OK && strcmp(value.key, key) == 0)
			return value;
	}
	struct config_at missing = *mapping;
	missing.up = mapping;
	missing.key = key;
	return missing;
}
