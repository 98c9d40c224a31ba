#include "http/route_path.h"

#include <string.h>

#include "base/ascii.h"
#include "http/syntax.h"

/* The output path. Writing a slash ends a segment, which is then checked. */
struct form {
	char *out;
	size_t len;
	size_t segment; /* start of the last segment */
};

/* The byte at path.at[*at], decoded once; advances *at. False: a malformed escape. */
static bool take(struct http_span path, size_t *at, char *c)
{
	*c = path.at[(*at)++];
	if (*c != '%')
		return true;
	if (path.len - *at < 2)
		return false;
	int byte = ascii_hex_byte(path.at + *at);
	if (byte < 0)
		return false;
	*at += 2;
	*c = (char)byte;
	return true;
}

/* Whether the output now ends in an escape that was itself encoded, such as %252e. Some upstreams would decode it
 * again. */
static bool ends_in_escape(const struct form *form)
{
	const char *end = form->out + form->len;
	return form->len >= 3 && end[-3] == '%' && ascii_hex_byte(end - 2) >= 0;
}

/*
 * Whether the output now ends in the beginning of an overlong UTF-8 sequence: lax decoders treat "%c0%ae" as a dot.
 * Some ignore the following bytes, and also treat "%c0%2e" so. In other encodings such a character is not escaped.
 */
static bool ends_overlong(const struct form *form, bool escaped)
{
	if (form->len < 2)
		return false;
	unsigned char lead = (unsigned char)form->out[form->len - 2], then = (unsigned char)form->out[form->len - 1];
	unsigned bits = then & 0x3F;
	bool follows = (then & 0xC0) == 0x80, may_follow = follows || (escaped && then < 0x80 && bits < 0x20);
	switch (lead) {
	case 0xC0:
		return follows || (escaped && then < 0x80 && (bits == '.' || bits == '/'));
	case 0xC1:
		return follows;
	case 0xE0:
		return may_follow && bits < 0x20;
	case 0xF0:
		return may_follow && bits < 0x10;
	case 0xF8: /* UTF-8 had sequences of five and six bytes before RFC 3629 */
		return follows && bits < 0x08;
	case 0xFC:
		return follows && bits < 0x04;
	default:
		return false;
	}
}

/* Checks the segment that has just ended: not "." or "..", also not with first bytes of overlong sequences before the
 * dots. The caller merges empty ones. */
static bool good_segment(const struct form *form)
{
	size_t dots = 0;

	for (size_t i = form->segment; i < form->len; i++) {
		if (form->out[i] != '.' && (unsigned char)form->out[i] != 0xC0)
			return true;
		dots += form->out[i] == '.';
	}
	return dots == 0 || dots > 2;
}

/* RFC 3986 allows these; the cure says why they are refused. */
static bool refuse(struct http_refusal *refusal, const char *why)
{
	*refusal = (struct http_refusal){
		.status = 400,
		.why = why,
		.cure = "Leave it out of the path, or rename what the path is for. Services read control characters, "
			"backslashes, "
			"dot segments and escapes of escapes in different ways, so no path with one is passed on.",
	};
	return false;
}

/* Bytes that no path may contain, also not in its parameters. */
static bool check_byte(char c, struct http_refusal *refusal)
{
	if ((unsigned char)c < 0x20 || c == 0x7F)
		return refuse(refusal, "an encoded control character in the path");
	if (c == '\\')
		return refuse(refusal, "a backslash in the path");
	return true;
}

static bool put(struct form *form, char c, bool escaped, struct http_refusal *refusal)
{
	if (c == '/') {
		if (!good_segment(form))
			return refuse(refusal, "a dot segment in the path");
		if (form->len > 0 && form->segment == form->len)
			return true; /* after a slash */
	}
	form->out[form->len++] = c;
	if (c == '/')
		form->segment = form->len;
	if (ends_in_escape(form))
		return refuse(refusal, "an escape in the path that is itself encoded");
	if (ends_overlong(form, escaped))
		return refuse(refusal, "overlong UTF-8 in the path");
	return true;
}

bool http_route_path(struct http_span path, char *out, size_t room, size_t *out_len, struct http_refusal *refusal)
{
	struct form form = {.out = out};
	bool parameters = false;

	if (path.len > room)
		return http_refuse(refusal, 414, "the path is too long");
	if (http_span_equal(path, "*")) { /* for OPTIONS; no route covers it */
		out[0] = '*';
		*out_len = 1;
		return true;
	}
	if (path.len == 0 || path.at[0] != '/')
		return refuse(refusal, "a path that does not begin with a slash");
	for (size_t at = 0; at < path.len;) {
		bool escaped = path.at[at] == '%';
		char c = 0;
		if (!take(path, &at, &c))
			return refuse(refusal, "a malformed escape in the path");
		if (!check_byte(c, refusal))
			return false;
		if (parameters && escaped && c == '/')
			return refuse(refusal, "an encoded slash in a path's parameter");
		parameters = c != '/' && (parameters || c == ';');
		if (!parameters && !put(&form, c, escaped, refusal))
			return false;
	}
	if (!good_segment(&form))
		return refuse(refusal, "a dot segment in the path");
	*out_len = form.len;
	return true;
}

bool http_route_covers(const char *prefix, const char *path, size_t path_len)
{
	size_t len = strlen(prefix);

	while (len > 0 && prefix[len - 1] == '/')
		len--; /* "/a/" also covers "/a": some upstreams treat both as equal */
	if (path_len == 0 || path[0] != '/' || len > path_len || memcmp(prefix, path, len) != 0)
		return false;
	return len == path_len || path[len] == '/';
}
