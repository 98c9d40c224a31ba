/* A mapped URL, path or cookie stays valid, fits its room, and maps back to the original. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "holds.h"
#include "http/dav_if.h"
#include "http/link.h"
#include "http/syntax.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_span span(const char *text)
{
	return (struct http_span){text, strlen(text)};
}

/* No new characters, except those of the mapping. */
static void check_value(struct http_span value, const char *out, size_t len)
{
	HOLDS(len <= value.len + HTTP_MAPPED_MORE);
	if (http_is_field_value(value))
		HOLDS(http_is_field_value((struct http_span){out, len}));
}

/* Tags are within the value, in its order. What was mapped has as many of them, and is well-formed. */
static void check_if(const struct http_mapping *mapping, struct http_span value, char *out)
{
	const char *end = value.at;
	struct http_if reader;
	struct http_span tag;
	size_t tags = 0, len = 0;

	for (http_if_begin(&reader, value); http_if_next(&reader, &tag); tags++) {
		HOLDS(tag.at > end && tag.at + tag.len < value.at + value.len);
		HOLDS(memchr(tag.at, '>', tag.len) == NULL && tag.at[tag.len] == '>');
		end = tag.at + tag.len;
	}
	if (!http_map_if(mapping, NULL, 0, value, out, &len))
		return;
	HOLDS(!reader.bad && len <= value.len + tags * HTTP_MAPPED_MORE);
	http_if_begin(&reader, (struct http_span){out, len});
	while (http_if_next(&reader, &tag))
		tags--;
	HOLDS(!reader.bad && tags == 0);
}

static void check_path(const struct http_mapping *mapping, struct http_span path, char *out)
{
	struct http_mapping back = *mapping;
	char *again = malloc(path.len + 2 * (size_t)HTTP_MAPPED_MORE);
	size_t len = 0, again_len = 0;

	HOLDS(again != NULL);
	if (path.len > 0 && path.at[0] == '/' && http_map_path(mapping, path, out, &len)) {
		check_value(path, out, len);
		HOLDS(len > 0 && out[0] == '/');
		HOLDS(mapping->add[0] != '\0' || len < 2 || out[1] != '/');
		back.strip = mapping->add;
		back.add = mapping->strip;
		HOLDS(http_map_path(&back, (struct http_span){out, len}, again, &again_len));
		if (mapping->add[0] != '\0' && mapping->strip[0] != '\0')
			HOLDS(again_len == path.len && memcmp(again, path.at, path.len) == 0);
	}
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const prefixes[] = {"", "/a", "/app/x"};
	static const char *const hosts[] = {"a.example", "b.example:8443", "[::1]:80"};
	if (size < 1 || size > HTTP_LINE_MAX)
		return 0;
	unsigned choice = data[0];
	struct http_mapping mapping = {.strip = prefixes[choice % 3],
				       .add = prefixes[choice / 3 % 3],
				       .outer = span(hosts[choice / 9 % 3]),
				       .inner = span(hosts[choice / 27 % 3]),
				       .server = span(hosts[choice / 81 % 3]),
				       .tls = choice >= 243};
	char *value = malloc(size), *out = malloc(size + HTTP_IF_MAPPED_MORE);
	size_t len = 0;

	HOLDS(value != NULL && out != NULL);
	memcpy(value, data + 1, size - 1);
	struct http_span text = {value, size - 1};
	if (http_map_destination(&mapping, text, out, &len))
		check_value(text, out, len);
	if (http_map_location(&mapping, text, out, &len)) {
		check_value(text, out, len);
		HOLDS(out[0] == '/' || strncmp(out, "https://", 8) == 0);
	}
	if (http_map_refresh(&mapping, text, out, &len))
		check_value(text, out, len);
	if (http_map_cookie(&mapping, text, out, &len))
		check_value(text, out, len);
	if (http_map_link(&mapping, text, out, &len))
		check_value(text, out, len);
	check_if(&mapping, text, out);
	check_path(&mapping, text, out);
	free(value);
	free(out);
	return 0;
}
