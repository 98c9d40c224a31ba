/* Readers of single values: numbers with units, words, names of files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/amount.h"
#include "base/ascii.h"
#include "config/schema.h"

#define WORDS_MAX 160

static const struct amount_unit sizes[] = {
	{"", 1},      {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30},   {"TiB", 1ULL << 40},
	{"kB", 1000}, {"MB", 1000000},     {"GB", 1000000000},  {"TB", 1000000000000}, {NULL, 0},
};
static const struct amount_unit durations[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};

size_t config_scan_number(const char *text, uint64_t max, uint64_t *number)
{
	size_t len = strspn(text, "0123456789");

	*number = 0;
	if (len > 1 && text[0] == '0')
		return 0;
	return ascii_number(text, len, max, number) ? len : 0;
}

static enum thaw_status read_with_unit(const struct config_at *at, const struct config_rule *rule,
				       const struct amount_unit *units, uint64_t *into)
{
	struct config_scalar scalar;
	uint64_t amount;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	struct config_quoted quoted = config_quote(scalar.text, scalar.len);
	switch (amount_read(scalar.text, units, rule->max, &amount)) {
	case AMOUNT_UNKNOWN:
		if (scalar.text[strspn(scalar.text, "0123456789")] == '\0')
			return config_refuse(at, "'%s' has no unit; allowed: %s", quoted.text, rule->allowed);
		if (strchr(scalar.text, ' ') != NULL)
			return config_refuse(at, "'%s' has a blank in it; allowed: %s", quoted.text, rule->allowed);
		return config_not_understood(at, scalar.text, scalar.len, rule->allowed);
	case AMOUNT_LARGE:
		return config_refuse(at, "'%s' is too large; allowed: %s", quoted.text, rule->allowed);
	case AMOUNT_OK:
		break;
	}
	if (amount < rule->min)
		return config_refuse(at, "'%s' is too small; allowed: %s", quoted.text, rule->allowed);
	*into = amount;
	return THAW_OK;
}

enum thaw_status config_read_size(const struct config_at *at, const struct config_rule *rule, void *into)
{
	return read_with_unit(at, rule, sizes, into);
}

enum thaw_status config_read_duration(const struct config_at *at, const struct config_rule *rule, void *into)
{
	return read_with_unit(at, rule, durations, into);
}

/* A number in the rule's range, followed by `end`. */
static enum thaw_status read_whole(const struct config_at *at, const struct config_rule *rule,
				   const struct config_scalar *scalar, const char *end, unsigned *into)
{
	uint64_t number;
	size_t digits = config_scan_number(scalar->text, rule->max, &number);
	if (digits == 0 || strcmp(scalar->text + digits, end) != 0 || number < rule->min)
		return config_not_understood(at, scalar->text, scalar->len, rule->allowed);
	*into = (unsigned)number;
	return THAW_OK;
}

enum thaw_status config_read_percent(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	return read_whole(at, rule, &scalar, "%", into);
}

const struct config_word config_when_words[] = {
	{"never", CONFIG_WHEN_NEVER},
	{"handshake", CONFIG_WHEN_HANDSHAKE},
	{"request", CONFIG_WHEN_REQUEST},
	{"request-early", CONFIG_WHEN_REQUEST_EARLY},
	{"body", CONFIG_WHEN_BODY},
	{"response", CONFIG_WHEN_RESPONSE},
	{NULL, 0},
};

const char *config_when_name(enum config_when when)
{
	for (const struct config_word *word = config_when_words; word->name != NULL; word++)
		if (word->value == (int)when)
			return word->name;
	return "unknown";
}

static const struct config_word *find_word(const struct config_word *words, const char *text)
{
	while (words->name != NULL && strcmp(words->name, text) != 0)
		words++;
	return words->name != NULL ? words : NULL;
}

/* Words whose values are 0 and 1, of a bool. */
enum thaw_status config_read_switch(const struct config_at *at, const struct config_rule *rule, void *into)
{
	unsigned on = 0;
	if (config_read_word(at, rule, &on) != THAW_OK)
		return THAW_FAILED;
	*(bool *)into = on != 0;
	return THAW_OK;
}

/* A whole number, or one of the rule's words. */
enum thaw_status config_read_number(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	const struct config_word *word = rule->words != NULL ? find_word(rule->words, scalar.text) : NULL;
	if (word == NULL)
		return read_whole(at, rule, &scalar, "", into);
	*(unsigned *)into = (unsigned)word->value;
	return THAW_OK;
}

static const char *words_of(const struct config_word *words, char *text, size_t room)
{
	size_t used = 0;
	text[0] = '\0';
	for (; words->name != NULL && used < room; words++)
		used += (size_t)snprintf(text + used, room - used, "%s%s", used > 0 ? ", " : "", words->name);
	return text;
}

/* Reads an enum, which both compilers store as an unsigned. */
enum thaw_status config_read_word(const struct config_at *at, const struct config_rule *rule, void *into)
{
	char allowed[WORDS_MAX];
	struct config_scalar scalar;
	(void)words_of(rule->words, allowed, sizeof(allowed));
	if (config_text(at, &scalar, allowed) != THAW_OK)
		return THAW_FAILED;
	const struct config_word *word = find_word(rule->words, scalar.text);
	if (word == NULL)
		return config_refuse(at, "'%s' is not known; allowed: %s", config_quote(scalar.text, scalar.len).text,
				     allowed);
	unsigned value = (unsigned)word->value;
	memcpy(into, &value, sizeof(value));
	return THAW_OK;
}

enum thaw_status config_read_bool(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	bool yes = strcmp(scalar.text, "true") == 0;
	if (!scalar.plain || (!yes && strcmp(scalar.text, "false") != 0))
		return config_refuse(at, "'%s'%s must be true or false; allowed: %s",
				     config_quote(scalar.text, scalar.len).text, scalar.plain ? "" : " in quotes",
				     rule->allowed);
	*(bool *)into = yes;
	return THAW_OK;
}

enum thaw_status config_set_text(const struct config_at *at, char **into, const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	if (copy == NULL)
		return config_no_memory(at);
	memcpy(copy, text, len);
	copy[len] = '\0';
	free(*into);
	*into = copy;
	return THAW_OK;
}

/* A normalized copy. */
static char *copy_tidy(const struct config_at *at, const struct config_kind *kind, const struct config_scalar *scalar)
{
	char *text = NULL;

	if (config_set_text(at, &text, scalar->text, scalar->len) != THAW_OK || text == NULL)
		return NULL;
	if (kind->tidy != NULL)
		kind->tidy(text);
	return text;
}

enum thaw_status config_read_texts(const struct config_at *at, const struct config_rule *rule,
				   const struct config_kind *kind, char ***into)
{
	size_t count;

	if (config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (count > kind->most)
		return config_refuse(at, "the list has %zu elements; allowed: at most %zu", count, kind->most);
	char **texts = calloc(count + 1, sizeof(*texts));
	if (texts == NULL)
		return config_no_memory(at);
	*into = texts;
	for (size_t i = 0; i < count; i++) {
		struct config_at item = config_item(at, i);
		struct config_scalar scalar;
		if (config_text(&item, &scalar, rule->allowed) != THAW_OK)
			return THAW_FAILED;
		struct config_quoted quoted = config_quote(scalar.text, scalar.len);
		const char *why = kind->why_not(scalar.text, scalar.len);
		if (why != NULL)
			return config_refuse(&item, "'%s' %s; allowed: %s", quoted.text, why, rule->allowed);
		const char *text = texts[i] = copy_tidy(&item, kind, &scalar);
		if (text == NULL)
			return THAW_FAILED;
		for (size_t k = 0; k < i; k++)
			if (strcasecmp(texts[k], text) == 0)
				return config_refuse(&item, "'%s' is there twice", quoted.text);
	}
	return THAW_OK;
}

enum thaw_status config_set_file(const struct config_at *at, char **into, const char *text, size_t len)
{
	const char *folder = at->source->directory;
	if (len > CONFIG_PATH_MAX)
		return config_refuse(at, "the file's name is too long; allowed: at most %d bytes", CONFIG_PATH_MAX);
	if (strncmp(text, "~/", 2) == 0 || strstr(text, "${") != NULL)
		return config_refuse(
			at,
			"'%s' is a file's name in which a shell would replace something, and Thaw does not; "
			"allowed: the name in full",
			text);
	if (text[0] == '/' || folder == NULL || folder[0] == '\0')
		return config_set_text(at, into, text, len);
	size_t folder_len = strlen(folder), slash = folder[folder_len - 1] != '/';
	char *path = malloc(folder_len + slash + len + 1);
	if (path == NULL)
		return config_no_memory(at);
	memcpy(path, folder, folder_len);
	memcpy(path + folder_len, "/", slash);
	memcpy(path + folder_len + slash, text, len);
	path[folder_len + slash + len] = '\0';
	free(*into);
	*into = path;
	return THAW_OK;
}

/* The master reads them while it runs: a pipe or a terminal would block it. */
static enum thaw_status refuse_pipe(const struct config_at *at, const char *file)
{
	struct stat info;

	if (stat(file, &info) != 0 || S_ISREG(info.st_mode) || S_ISDIR(info.st_mode))
		return THAW_OK;
	return config_refuse(at, "%s is not a file; pipes and devices are not allowed here", file);
}

static enum thaw_status set_input(const struct config_at *at, char **into, const struct config_scalar *scalar)
{
	if (config_set_file(at, into, scalar->text, scalar->len) != THAW_OK)
		return THAW_FAILED;
	return refuse_pipe(at, *into);
}

enum thaw_status config_read_file(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	return set_input(at, into, &scalar);
}

/* 'none' removes an inherited value. */
enum thaw_status config_read_optional_file(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;
	char **file = into;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (strcmp(scalar.text, "none") != 0)
		return set_input(at, file, &scalar);
	free(*file);
	*file = NULL;
	return THAW_OK;
}

enum thaw_status config_read_key(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (strncmp(scalar.text, "pkcs11:", strlen("pkcs11:")) == 0)
		return config_set_text(at, into, scalar.text, scalar.len);
	return set_input(at, into, &scalar);
}

/* One of the rule's words, or a file. */
enum thaw_status config_read_access_log(const struct config_at *at, const struct config_rule *rule, void *into)
{
	/* Other words would be used as names of files in the configuration's folder. */
	static const struct {
		const char *word, *write;
	} meant[] = {
		{"none", "off"},
		{"no", "off"},
		{"false", "off"},
		{"disabled", "off"},
		{"on", "stdout"},
		{"yes", "stdout"},
		{"true", "stdout"},
		{"syslog", "stdout, which systemd keeps in the journal"},
		{"journal", "stdout, which systemd keeps in the journal"},
		{"journald", "stdout, which systemd keeps in the journal"},
	};
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (find_word(rule->words, scalar.text) != NULL)
		return config_set_text(at, into, scalar.text, scalar.len);
	for (size_t i = 0; i < CONFIG_COUNT(meant); i++)
		if (strcasecmp(scalar.text, meant[i].word) == 0)
			return config_refuse(at, "'%s' is not a place for records; write %s; allowed: %s",
					     config_quote(scalar.text, scalar.len).text, meant[i].write, rule->allowed);
	return config_set_file(at, into, scalar.text, scalar.len);
}

/* into: the route's upstream, a word; other names are resolved after the whole file is read. */
enum thaw_status config_read_upstream(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_route *route = (struct config_route *)(void *)((char *)into - rule->offset);
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (strncmp(scalar.text, "builtin:", strlen("builtin:")) == 0)
		return config_read_word(at, rule, into);
	route->upstream = CONFIG_PROXY;
	return config_set_text(at, &route->upstream_name, scalar.text, scalar.len);
}
