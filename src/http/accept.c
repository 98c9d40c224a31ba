#include "http/accept.h"

#include "http/syntax.h"

#define WEIGHT_MAX 1000 /* q=1 */

/* The preference for one media type: the most specific range that matches decides. */
struct liking {
	unsigned specific; /* of the matching range: 0 none, 1 any type, 2 any subtype, 3 the type itself */
	unsigned weight;   /* in thousandths */
};

/* The part up to the separator, which is skipped; separators in quoted strings do not count (RFC 9110 5.6.4). */
static bool next_part(struct http_span *rest, char separator, struct http_span *part)
{
	bool quoted = false;
	size_t len = 0;

	if (rest->len == 0)
		return false;
	for (; len < rest->len && (quoted || rest->at[len] != separator); len++) {
		if (rest->at[len] == '"')
			quoted = !quoted;
		else if (quoted && rest->at[len] == '\\' && len + 1 < rest->len)
			len++;
	}
	*part = http_trim((struct http_span){rest->at, len});
	len += len < rest->len; /* the separator */
	rest->at += len;
	rest->len -= len;
	return true;
}

/* A qvalue (RFC 9110 12.4.2) in thousandths; 0 if malformed. */
static unsigned weight_of(struct http_span text)
{
	unsigned weight = 0, scale = WEIGHT_MAX;

	if (text.len == 0 || text.len > 5 || (text.len > 1 && text.at[1] != '.'))
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		if (i == 1)
			continue;
		if (text.at[i] < '0' || text.at[i] > '9')
			return 0;
		weight += (unsigned)(text.at[i] - '0') * scale;
		scale /= 10;
	}
	return weight <= WEIGHT_MAX ? weight : 0;
}

/* Reads the parameters of a range. False: they require another representation than plain UTF-8. */
static bool read_parameters(struct http_span rest, unsigned *weight)
{
	struct http_span parameter;

	while (next_part(&rest, ';', &parameter)) {
		struct http_span value = parameter, name;
		if (!next_part(&value, '=', &name))
			continue;
		if (http_span_equal_nocase(name, "q")) {
			*weight = weight_of(value);
			return true; /* the rest are extensions, not parameters of the type */
		}
		if (!http_span_equal_nocase(name, "charset") ||
		    !(http_span_equal_nocase(value, "utf-8") || http_span_equal_nocase(value, "\"utf-8\"")))
			return false;
	}
	return true;
}

static void note(struct liking *liking, unsigned specific, unsigned weight)
{
	if (specific < liking->specific || (specific == liking->specific && weight <= liking->weight))
		return;
	*liking = (struct liking){specific, weight};
}

/* The preferences of a client; gif and xhtml: whether it names these types. */
struct preferences {
	struct liking html, json;
	bool gif, xhtml;
};

static void read_range(struct http_span element, struct preferences *preferences)
{
	struct liking *html = &preferences->html, *json = &preferences->json;
	struct http_span type;
	unsigned weight = WEIGHT_MAX;

	if (!next_part(&element, ';', &type) || !read_parameters(element, &weight))
		return;
	if (http_span_equal(type, "*/*")) {
		note(html, 1, weight);
		note(json, 1, weight);
	} else if (http_span_equal_nocase(type, "text/*")) {
		note(html, 2, weight);
	} else if (http_span_equal_nocase(type, "application/*")) {
		note(json, 2, weight);
	} else if (http_span_equal_nocase(type, "text/html")) {
		note(html, 3, weight);
	} else if (http_span_equal_nocase(type, "application/problem+json") ||
		   http_span_equal_nocase(type, "application/json")) {
		note(json, 3, weight);
	} else {
		preferences->gif = preferences->gif || http_span_equal_nocase(type, "image/gif");
		preferences->xhtml = preferences->xhtml || http_span_equal_nocase(type, "application/xhtml+xml");
	}
}

bool http_prefers_html(const struct http_request *request)
{
	struct preferences preferences = {.gif = false};

	for (size_t i = 0; i < request->field_count; i++) {
		struct http_span rest = request->fields[i].value, element;
		if (!http_span_equal_nocase(request->fields[i].name, "Accept"))
			continue;
		while (next_part(&rest, ',', &element))
			read_range(element, &preferences);
	}
	/* Java's HttpURLConnection adds HTML and images by default, for any program; browsers also send XHTML. */
	return preferences.html.weight > preferences.json.weight && (preferences.xhtml || !preferences.gif);
}
