/* Reads a tree by the schema's tables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

#define KEYS_MAX    24 /* of one table */
#define ALLOWED_MAX 320

/* The table's keys, except unsupported ones. */
static const char *keys_of(const struct config_table *table, char *text, size_t room)
{
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < table->count && used < room; i++)
		if (table->rules[i].read != config_read_not_yet)
			used += (size_t)snprintf(text + used, room - used, "%s%s", used > 0 ? ", " : "",
						 table->rules[i].key);
	return text;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance; names of up to CONFIG_QUOTE_MAX characters. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[CONFIG_QUOTE_MAX + 1];
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t change = corner + (a[i - 1] != b[j - 1]);
			corner = row[j];
			row[j] = least(change, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[b_len];
}

/* The distance of a key from a known name; smaller is nearer. */
static size_t farness(const char *key, size_t len, const char *name)
{
	if (len >= 2 && strncmp(key, name, len) == 0)
		return 1; /* the key is the beginning of the name */
	return 2 * distance(key, len, name, strlen(name));
}

/* The most similar key: a prefix, or at most two edits away (one for a short name). NULL: none. */
static const char *nearest(const struct config_table *table, const char *key)
{
	const char *best = NULL;
	size_t best_far = 5, len = strlen(key);
	if (len > CONFIG_QUOTE_MAX)
		return NULL;
	for (size_t i = 0; i < table->count; i++) {
		const char *name = table->rules[i].key;
		if (table->rules[i].read == config_read_not_yet)
			continue;
		size_t far = farness(key, len, name);
		if (far < best_far && (far <= 2 || strlen(name) > 4)) {
			best = name;
			best_far = far;
		}
	}
	return best;
}

/* The key of the table whose value, or whose elements, have this key. NULL: none. */
static const char *table_below(const struct config_table *table, const char *key)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct config_table *below = table->rules[i].table;
		for (size_t k = 0; below != NULL && k < below->count; k++)
			if (strcmp(below->rules[k].key, key) == 0)
				return table->rules[i].key;
	}
	return NULL;
}

static enum thaw_status unknown_key(const struct config_at *key, const struct config_table *table)
{
	char allowed[ALLOWED_MAX];
	const char *meant = nearest(table, key->key);
	const char *sign = config_strange_sign(key->key), *below = table_below(table, key->key);
	(void)keys_of(table, allowed, sizeof(allowed));
	if (sign != NULL)
		return config_refuse(key, "there is %s in this key: type it again; allowed: %s", sign, allowed);
	if (below != NULL)
		return config_refuse(key, "this key is not known here: it belongs below '%s'; allowed: %s", below,
				     allowed);
	if (meant == NULL)
		return config_refuse(key, "this key is not known; allowed: %s", allowed);
	return config_refuse(key, "this key is not known; did you mean '%s'? allowed: %s", meant, allowed);
}

static size_t rule_of(const struct config_table *table, const char *key)
{
	size_t i = 0;
	while (i < table->count && strcmp(table->rules[i].key, key) != 0)
		i++;
	return i;
}

/* Checks that every key is known and unique; values[] is in the table's order, with node NULL for missing keys. */
static enum thaw_status sort_keys(const struct config_at *at, const struct config_table *table,
				  struct config_at values[KEYS_MAX])
{
	char allowed[ALLOWED_MAX + 32];
	size_t first_line[KEYS_MAX] = {0}, pairs;
	(void)snprintf(allowed, sizeof(allowed), "a mapping with the keys ");
	size_t used = strlen(allowed);
	(void)keys_of(table, allowed + used, sizeof(allowed) - used);
	if (config_mapping(at, &pairs, allowed) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < pairs; i++) {
		struct config_at value;
		size_t line;
		if (config_pair(at, i, &value, &line) != THAW_OK)
			return THAW_FAILED;
		size_t rule = rule_of(table, value.key);
		struct config_at key = value;
		key.line = line;
		if (rule == table->count)
			return unknown_key(&key, table);
		if (first_line[rule] != 0)
			return config_refuse(&key, "this key is there twice, first in line %zu; delete one of them",
					     first_line[rule]);
		first_line[rule] = line;
		values[rule] = value;
	}
	return THAW_OK;
}

enum thaw_status config_read_table(const struct config_at *at, const struct config_table *table, void *object)
{
	struct config_at values[KEYS_MAX] = {0};
	if (sort_keys(at, table, values) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < table->count; i++) {
		const struct config_rule *rule = &table->rules[i];
		if (values[i].node == NULL) {
			struct config_at missing = config_child(at, rule->key);
			if (rule->required)
				return config_refuse(&missing, "this key is missing; allowed: %s", rule->allowed);
			continue;
		}
		void *into = (char *)object + rule->offset;
		/* A list also sets its count, so it gets the whole struct. */
		bool list = rule->read == config_read_list || rule->read == config_read_named_list;
		if (rule->read(&values[i], rule, list ? object : into) != THAW_OK)
			return THAW_FAILED;
	}
	return table->check != NULL ? table->check(at, object) : THAW_OK;
}

enum thaw_status config_read_mapping(const struct config_at *at, const struct config_rule *rule, void *into)
{
	return config_read_table(at, rule->table, into);
}

/* into: the struct with the list and its count. */
enum thaw_status config_read_list(const struct config_at *at, const struct config_rule *rule, void *into)
{
	const struct config_table *table = rule->table;
	size_t count;
	if (config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	char *elements = calloc(count, table->size);
	if (elements == NULL)
		return config_no_memory(at);
	memcpy((char *)into + rule->offset, &elements, sizeof(elements));
	memcpy((char *)into + rule->count_offset, &count, sizeof(count));
	for (size_t i = 0; i < count; i++) {
		struct config_at item = config_item(at, i);
		void *element = elements + i * table->size;
		if (table->init != NULL && !table->init(element, into))
			return config_no_memory(&item);
		if (config_read_table(&item, table, element) != THAW_OK)
			return THAW_FAILED;
	}
	return THAW_OK;
}

enum thaw_status config_read_named_list(const struct config_at *at, const struct config_rule *rule, void *into)
{
	const struct config_table *table = rule->table;
	size_t count;

	if (config_mapping(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	char *elements = calloc(count + 1, table->size);
	if (elements == NULL)
		return config_no_memory(at);
	memcpy((char *)into + rule->offset, &elements, sizeof(elements));
	memcpy((char *)into + rule->count_offset, &count, sizeof(count));
	for (size_t i = 0; i < count; i++) {
		char *element = elements + i * table->size;
		struct config_at item;
		size_t line;
		if (config_pair(at, i, &item, &line) != THAW_OK)
			return THAW_FAILED;
		for (size_t k = 0; k < i; k++)
			if (strcmp(*(char **)(void *)(elements + k * table->size), item.key) == 0)
				return config_refuse(&item, "this name is there twice");
		if (table->init != NULL && !table->init(element, into))
			return config_no_memory(&item);
		if (config_set_text(&item, (char **)(void *)element, item.key, strlen(item.key)) != THAW_OK ||
		    config_read_table(&item, table, element) != THAW_OK)
			return THAW_FAILED;
	}
	return THAW_OK;
}

enum thaw_status config_read_not_yet(const struct config_at *at, const struct config_rule *rule, void *into)
{
	(void)rule;
	(void)into;
	return config_refuse(at, "this version of Thaw does not support this key yet");
}
