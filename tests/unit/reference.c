/*
 * docs/REFERENCE.md is what the schema's tables say: each key with its type, default and meaning.
 *
 * With --print this program writes the page (script/reference does so); as a test it compares, and checks what the
 * tables say about themselves against what the readers do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/schema.h"

#define PLACES_MAX 4
#define TABLES_MAX 64
#define PATH_LEN   160
#define CURE       "run script/reference, and commit docs/REFERENCE.md and packaging/thaw.yaml.5"

static const char minimal[] = "listen: [ { address: '127.0.0.1:0' } ]\n"
			      "hosts:\n"
			      "  - name: a\n"
			      "    certificate: a.pem\n"
			      "    key: a.key\n"
			      "    routes: [ { path: /, upstream: app } ]\n"
			      "upstreams: { app: { servers: [ 'http://127.0.0.1:80' ] } }\n";

/* One kind of mapping, all places where it may stand, and one object of it with defaults. */
struct kind {
	const struct config_table *table;
	char places[PLACES_MAX][PATH_LEN];
	size_t count;
	const char *object;
};

static struct kind kinds[TABLES_MAX];
static size_t kind_count;
static struct config *defaults;

static bool is_list(const struct config_rule *rule)
{
	return rule->read == config_read_list || rule->read == config_read_named_list;
}

/* NULL: the minimal configuration has no element of this list. */
static const char *below(const struct config_rule *rule, const char *object)
{
	const char *first;

	if (object == NULL || !is_list(rule))
		return object != NULL ? object + rule->offset : NULL;
	memcpy(&first, object + rule->offset, sizeof(first));
	return first;
}

static void collect(const struct config_table *table, const char *place, const char *object)
{
	size_t i = 0;
	while (i < kind_count && kinds[i].table != table)
		i++;
	struct kind *kind = &kinds[i];
	if (i == kind_count) {
		assert_true(kind_count < TABLES_MAX);
		kind_count++;
		kind->table = table;
		kind->object = object;
	}
	assert_true(kind->count < PLACES_MAX);
	(void)snprintf(kind->places[kind->count++], PATH_LEN, "%s", place);
	for (size_t k = 0; k < table->count; k++) {
		const struct config_rule *rule = &table->rules[k];
		char path[PATH_LEN];
		if (rule->table == NULL)
			continue;
		(void)snprintf(path, sizeof(path), "%s%s%s%s", place, place[0] != '\0' ? "." : "", rule->key,
			       rule->read == config_read_list         ? "[]"
			       : rule->read == config_read_named_list ? ".NAME"
								      : "");
		collect(rule->table, path, below(rule, object));
	}
}

static int load(void **state)
{
	struct thaw_error err = {0};
	(void)state;
	defaults = config_parse(minimal, strlen(minimal), "thaw.yaml", NULL, &err);
	if (defaults == NULL) {
		(void)fprintf(stderr, "%s\n", err.text);
		return -1;
	}
	collect(&config_schema, "", (const char *)defaults);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	config_free(&defaults);
	return 0;
}

/* ---- the page ---- */

static void put_cell(FILE *to, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '|')
			(void)fputs("\\|", to);
		else
			(void)fputc(*text, to);
}

/* What the value may be: the rule's words, or its own text with the unit's explanation cut to one word. */
static void put_type(FILE *to, const struct config_rule *rule)
{
	size_t size = strlen(CONFIG_SIZE_TEXT), duration = strlen(CONFIG_DURATION_TEXT);

	if (rule->allowed == NULL && rule->words != NULL) {
		for (const struct config_word *word = rule->words; word->name != NULL; word++)
			(void)fprintf(to, "%s`%s`", word == rule->words ? "" : ", ", word->name);
	} else if (rule->allowed == NULL) {
		(void)fputs("keys, see below", to);
	} else if (strncmp(rule->allowed, CONFIG_SIZE_TEXT, size) == 0) {
		(void)fputs("size, ", to);
		put_cell(to, rule->allowed + size);
	} else if (strncmp(rule->allowed, CONFIG_DURATION_TEXT, duration) == 0) {
		(void)fputs("duration, ", to);
		put_cell(to, rule->allowed + duration);
	} else {
		put_cell(to, rule->allowed);
	}
}

static void put_default(FILE *to, const struct config_rule *rule)
{
	size_t len = rule->preset != NULL ? strlen(rule->preset) : 0;

	if (rule->required)
		(void)fputs("required", to);
	else if (len > 0 && rule->preset[0] == '(')
		(void)fprintf(to, "%.*s", (int)(len - 2), rule->preset + 1);
	else if (len > 0)
		(void)fprintf(to, "`%s`", rule->preset);
}

static void put_kind(FILE *to, const struct kind *kind)
{
	bool top = kind->places[0][0] == '\0';
	(void)fputs(top ? "\n## Top level" : "\n## ", to);
	for (size_t i = 0; i < kind->count && !top; i++)
		(void)fprintf(to, "%s`%s`", i > 0 ? ", " : "", kind->places[i]);
	(void)fputs("\n\n| key | what it may be | default | what it does |\n|---|---|---|---|\n", to);
	for (size_t i = 0; i < kind->table->count; i++) {
		const struct config_rule *rule = &kind->table->rules[i];
		if (rule->read == config_read_not_yet)
			continue;
		(void)fprintf(to, "| `%s` | ", rule->key);
		put_type(to, rule);
		(void)fputs(" | ", to);
		put_default(to, rule);
		(void)fputs(" | ", to);
		put_cell(to, rule->text != NULL ? rule->text : "");
		(void)fputs(" |\n", to);
	}
}

static void put_page(FILE *to)
{
	(void)fputs(
		"# Configuration: all keys\n\n"
		"<!-- Written by script/reference from src/config/schema*.c: change the texts there. -->\n"
		"Each section is one mapping of the file; `[]` stands for an element of a list, `NAME` for a name of "
		"your own choice.\nHow values are written, and which keys a task needs: "
		"[CONFIGURATION.md](CONFIGURATION.md).\n",
		to);
	for (size_t i = 0; i < kind_count; i++)
		put_kind(to, &kinds[i]);
}

/* ---- tests ---- */

static void each_key_has_a_text_and_a_default(void **state)
{
	(void)state;
	for (size_t i = 0; i < kind_count; i++)
		for (size_t k = 0; k < kinds[i].table->count; k++) {
			const struct config_rule *rule = &kinds[i].table->rules[k];
			if (rule->read == config_read_not_yet)
				continue;
			if (rule->text == NULL || rule->text[0] == '\0')
				fail_msg("key '%s' of '%s' has no .text: give it one in src/config/schema*.c (what it "
					 "does, one or two sentences), then " CURE,
					 rule->key, kinds[i].places[0]);
			if (rule->required == (rule->preset != NULL))
				fail_msg(
					"key '%s' of '%s' needs .required or .preset, one of them: the default as in a "
					"file, or a text in parentheses (src/config/schema*.c)",
					rule->key, kinds[i].places[0]);
		}
}

/* What a reader writes for certain; of an unknown one the first byte. */
static size_t width_of(const struct config_rule *rule)
{
	if (rule->read == config_read_size || rule->read == config_read_duration)
		return sizeof(uint64_t);
	if (rule->read == config_read_number || rule->read == config_read_percent || rule->read == config_read_word)
		return sizeof(unsigned);
	return 1;
}

/* The reader takes the preset, and what it writes on top of zeros is the default. A reader that allocates, as of a
 * list, never gives the default's pointer: such a default stands in parentheses. */
static void check_preset(const struct config_rule *rule, const char *object)
{
	static char into[sizeof(struct config) + 16];
	struct thaw_error err = {0};
	struct config_source source = {.err = &err};
	struct config_at root, value;
	char text[PATH_LEN];
	size_t line;

	(void)snprintf(text, sizeof(text), "%s: %s\n", rule->key, rule->preset);
	assert_int_equal(config_tree_load(&source, "preset", text, strlen(text)), THAW_OK);
	root = config_root(&source);
	assert_int_equal(config_pair(&root, 0, &value, &line), THAW_OK);
	memset(into, 0, sizeof(into));
	if (rule->read(&value, rule, into + rule->offset) != THAW_OK)
		fail_msg("%s: .preset is not a value of the key (src/config/schema*.c)", err.text);
	for (size_t i = 0; i < 16; i++) {
		size_t at = rule->offset + i;
		if ((i < width_of(rule) || into[at] != 0) && into[at] != object[at])
			fail_msg("key '%s': .preset '%s' is not the default; one that is not a single value stands in "
				 "parentheses (src/config/schema*.c)",
				 rule->key, rule->preset);
	}
	config_tree_free(&source);
}

static void each_preset_is_the_default(void **state)
{
	(void)state;
	for (size_t i = 0; i < kind_count; i++)
		for (size_t k = 0; k < kinds[i].table->count; k++) {
			const struct config_rule *rule = &kinds[i].table->rules[k];
			if (rule->preset != NULL && rule->preset[0] != '(' && kinds[i].object != NULL)
				check_preset(rule, kinds[i].object);
		}
}

static const char *number_with_unit(uint64_t number, const char *const *units, const uint64_t *factors, char *text)
{
	size_t i = 0;
	while (number > 0 && factors[i] > 1 && number % factors[i] != 0)
		i++;
	while (number == 0 && factors[i] > 1000)
		i++;
	(void)snprintf(text, 32, "%llu%s", (unsigned long long)(number / factors[i]), units[i]);
	return text;
}

static void range_of(const struct config_rule *rule, char *text, size_t room)
{
	static const char *const times[] = {"h", "m", "s", "ms"};
	static const uint64_t ms[] = {3600000, 60000, 1000, 1};
	static const char *const sizes[] = {"TiB", "GiB", "MiB", "KiB", ""};
	static const uint64_t bytes[] = {1ULL << 40, 1ULL << 30, 1ULL << 20, 1ULL << 10, 1};
	static const char *const plain[] = {""};
	static const uint64_t one[] = {1};
	bool duration = rule->allowed != NULL && strncmp(rule->allowed, CONFIG_DURATION_TEXT, 20) == 0;
	bool size = rule->allowed != NULL && strncmp(rule->allowed, CONFIG_SIZE_TEXT, 20) == 0;
	const char *const *units = duration ? times : size ? sizes : plain;
	const uint64_t *factors = duration ? ms : size ? bytes : one;
	char min[32], max[32];
	if (size && rule->min == 0)
		(void)snprintf(min, sizeof(min), "0");
	else
		(void)number_with_unit(rule->min, units, factors, min);
	(void)snprintf(text, room, "%s to %s", min, number_with_unit(rule->max, units, factors, max));
}

static void each_range_is_in_the_text_of_what_is_allowed(void **state)
{
	(void)state;
	for (size_t i = 0; i < kind_count; i++)
		for (size_t k = 0; k < kinds[i].table->count; k++) {
			const struct config_rule *rule = &kinds[i].table->rules[k];
			char range[80];
			if (rule->max == 0 || rule->read == config_read_percent)
				continue;
			range_of(rule, range, sizeof(range));
			if (rule->allowed == NULL || strstr(rule->allowed, range) == NULL)
				fail_msg("key '%s' takes %s, but .allowed says: %s (src/config/schema*.c)", rule->key,
					 range, rule->allowed != NULL ? rule->allowed : "nothing");
		}
}

static char *read_page(void)
{
	static char page[1 << 18];
	FILE *file = fopen(THAW_DOCS "/REFERENCE.md", "re");
	if (file == NULL)
		fail_msg("no docs/REFERENCE.md: " CURE);
	page[fread(page, 1, sizeof(page) - 1, file)] = '\0';
	(void)fclose(file);
	return page;
}

static void the_page_matches_the_schema(void **state)
{
	char *wanted = NULL, *there = read_page();
	size_t len = 0, line = 1;
	(void)state;
	FILE *to = open_memstream(&wanted, &len);
	assert_non_null(to);
	put_page(to);
	assert_int_equal(fclose(to), 0);
	size_t i = 0;
	for (; wanted[i] == there[i] && wanted[i] != '\0'; i++)
		line += wanted[i] == '\n';
	bool same = wanted[i] == there[i];
	free(wanted);
	if (!same)
		fail_msg("docs/REFERENCE.md:%zu is not what src/config/schema*.c says: " CURE, line);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_has_a_text_and_a_default),
		cmocka_unit_test(each_preset_is_the_default),
		cmocka_unit_test(each_range_is_in_the_text_of_what_is_allowed),
		cmocka_unit_test(the_page_matches_the_schema),
	};
	if (argc == 2 && strcmp(argv[1], "--print") == 0) {
		if (load(NULL) != 0)
			return 1;
		put_page(stdout);
		return unload(NULL);
	}
	return cmocka_run_group_tests(tests, load, unload);
}
