#include "http/link.h"

#include <string.h>

#define WHOLE_MAX 8192 /* bytes of a target that is mapped */

struct out {
	char *at;
	size_t len, room;
};

static bool put(struct out *out, const char *bytes, size_t len)
{
	if (len > out->room - out->len)
		return false;
	if (len > 0)
		memcpy(out->at + out->len, bytes, len);
	out->len += len;
	return true;
}

/* The length of what is before the next sign outside of quotes; SIZE_MAX: a quote does not end. */
static size_t until(struct http_span span, char sign)
{
	bool quoted = false;
	size_t len = 0;

	for (; len < span.len && (quoted || span.at[len] != sign); len++) {
		if (span.at[len] == '"')
			quoted = !quoted;
		else if (quoted && span.at[len] == '\\')
			len++; /* a quoted pair */
	}
	return quoted || len > span.len ? SIZE_MAX : len;
}

static void skip(struct http_span *span, size_t len)
{
	span->at += len;
	span->len -= len;
}

/* Blanks, and the commas of empty elements (RFC 9110 5.6.1). */
static size_t gap(struct http_span span)
{
	size_t len = 0;

	while (len < span.len && (span.at[len] == ' ' || span.at[len] == '\t' || span.at[len] == ','))
		len++;
	return len;
}

static bool put_target(const struct http_mapping *mapping, struct http_span target, struct out *out)
{
	char mapped[WHOLE_MAX + HTTP_MAPPED_MORE];
	size_t len = 0;

	if (target.len > WHOLE_MAX || !http_map_location(mapping, target, mapped, &len))
		return put(out, target.at, target.len);
	return put(out, mapped, len);
}

/* "<target>", and what follows it up to the next comma: parameters. */
static bool put_link(const struct http_mapping *mapping, struct http_span *left, struct out *out)
{
	const char *end = left->len > 0 && left->at[0] == '<' ? memchr(left->at, '>', left->len) : NULL;

	if (end == NULL)
		return false;
	struct http_span target = {left->at + 1, (size_t)(end - left->at) - 1};
	if (!put(out, "<", 1) || !put_target(mapping, target, out))
		return false;
	skip(left, target.len + 1);
	size_t len = until(*left, ',');
	if (len == SIZE_MAX || !put(out, left->at, len))
		return false;
	skip(left, len);
	return true;
}

bool http_map_link(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len)
{
	struct out to = {.at = out, .room = value.len + HTTP_MAPPED_MORE};
	struct http_span left = value;

	while (left.len > 0) {
		size_t blanks = gap(left);
		if (!put(&to, left.at, blanks))
			return false;
		skip(&left, blanks);
		if (left.len > 0 && !put_link(mapping, &left, &to))
			return false;
	}
	*len = to.len;
	return to.len != value.len || (to.len > 0 && memcmp(out, value.at, to.len) != 0);
}
