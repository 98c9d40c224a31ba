#include "http/dav_if.h"

#include <string.h>

#include "http/syntax.h"

static void skip(struct http_span *span, size_t len)
{
	span->at += len;
	span->len -= len;
}

static void skip_blanks(struct http_span *span)
{
	while (span->len > 0 && (span->at[0] == ' ' || span->at[0] == '\t'))
		skip(span, 1);
}

static bool is_next(const struct http_span *span, char sign)
{
	return span->len > 0 && span->at[0] == sign;
}

/* Takes "<...>", and what is in it: visible ASCII, without another angle bracket. */
static bool take_coded(struct http_span *rest, struct http_span *content)
{
	size_t len = 1;

	while (len < rest->len && rest->at[len] > ' ' && rest->at[len] <= '~' && rest->at[len] != '<' &&
	       rest->at[len] != '>')
		len++;
	if (len == 1 || len == rest->len || rest->at[len] != '>')
		return false;
	*content = (struct http_span){rest->at + 1, len - 1};
	skip(rest, len + 1);
	return true;
}

/* Takes an entity tag in brackets: [W/"..."]. Signs that end a part of the field for simple parsers, and backslashes,
 * are refused in it, although RFC 9110 8.8.3 allows them: services must not find other tags than this one. */
static bool take_etag(struct http_span *rest)
{
	skip(rest, 1);
	skip_blanks(rest);
	if (rest->len > 2 && memcmp(rest->at, "W/", 2) == 0)
		skip(rest, 2);
	if (!is_next(rest, '"'))
		return false;
	skip(rest, 1);
	while (rest->len > 0 && rest->at[0] > ' ' && rest->at[0] <= '~' && strchr("\"\\<>()[]", rest->at[0]) == NULL)
		skip(rest, 1);
	if (!is_next(rest, '"'))
		return false;
	skip(rest, 1);
	skip_blanks(rest);
	if (!is_next(rest, ']'))
		return false;
	skip(rest, 1);
	return true;
}

static bool take_condition(struct http_span *rest)
{
	struct http_span token;

	if (rest->len > 3 && http_span_equal_nocase((struct http_span){rest->at, 3}, "not")) {
		skip(rest, 3);
		skip_blanks(rest);
	}
	return is_next(rest, '<') ? take_coded(rest, &token) : is_next(rest, '[') && take_etag(rest);
}

static bool take_list(struct http_span *rest)
{
	size_t conditions = 0;

	skip(rest, 1);
	for (skip_blanks(rest); rest->len > 0 && !is_next(rest, ')'); skip_blanks(rest)) {
		if (!take_condition(rest))
			return false;
		conditions++;
	}
	if (rest->len == 0 || conditions == 0)
		return false;
	skip(rest, 1);
	return true;
}

void http_if_begin(struct http_if *reader, struct http_span value)
{
	*reader = (struct http_if){.rest = value};
}

bool http_if_next(struct http_if *reader, struct http_span *tag)
{
	for (skip_blanks(&reader->rest); is_next(&reader->rest, '('); skip_blanks(&reader->rest)) {
		if (!take_list(&reader->rest)) {
			reader->bad = true;
			return false;
		}
		reader->begun = reader->listed = true;
	}
	/* Each tag has at least one list, and the first list has a tag or none has. */
	bool complete = reader->listed, first = !reader->begun;
	if (reader->rest.len == 0 || (first ? false : !complete || !reader->tagged) || !is_next(&reader->rest, '<') ||
	    !take_coded(&reader->rest, tag)) {
		reader->bad = reader->rest.len > 0 || !complete;
		return false;
	}
	reader->begun = reader->tagged = true;
	reader->listed = false;
	return true;
}

static size_t append(char *out, size_t len, struct http_span from)
{
	if (from.len > 0)
		memcpy(out + len, from.at, from.len);
	return len + from.len;
}

bool http_map_if(const struct http_mapping *mapping, const struct http_prefixes *of, size_t count,
		 struct http_span value, char *out, size_t *len)
{
	struct http_mapping own = *mapping;
	struct http_span tag, left = value;
	struct http_if reader;
	bool changed = false;
	size_t tags = 0;

	*len = 0;
	http_if_begin(&reader, value);
	for (; http_if_next(&reader, &tag); tags++) {
		size_t before = (size_t)(tag.at - left.at), mapped = 0;
		if (tags == HTTP_IF_TAGS_MAX)
			return false;
		own.strip = tags < count ? of[tags].strip : mapping->strip;
		own.add = tags < count ? of[tags].add : mapping->add;
		*len = append(out, *len, (struct http_span){left.at, before});
		if (http_map_destination(&own, tag, out + *len, &mapped)) {
			changed = true;
			*len += mapped;
		} else {
			*len = append(out, *len, tag);
		}
		skip(&left, before + tag.len);
	}
	*len = append(out, *len, left);
	return changed && !reader.bad;
}
