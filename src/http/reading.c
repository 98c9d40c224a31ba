#include "http/reading.h"

#include <string.h>

#include "base/ascii.h"
#include "http/fold.h"

#define SHORT_NAME_MAX 8 /* of an 8.3 name, before its dot */
#define SESSION_BEGINS 4 /* characters: "/(S(" */
#define HASHED_STEM    6 /* an 8.3 name with two letters of the long name and a hash of four digits */

/* RFC 3986 2.3: unreserved characters, which need no escape. */
static bool is_unreserved(char c)
{
	return ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* Decodes a well-formed escape. */
static char unescape(const char *at)
{
	return (char)ascii_hex_byte(at + 1);
}

static bool is_escape(struct http_span path, size_t at)
{
	return path.at[at] == '%' && path.len - at > 2;
}

/* The number of characters of "/(S(", the beginning of a session's segment, at the end of the output; c is next. */
static size_t follow_session(size_t found, char c)
{
	bool letter = (char)(c | 0x20) >= 'a' && (char)(c | 0x20) <= 'z';

	if (c == '/')
		return 1;
	return (found == 1 && c == '(') || (found == 2 && letter) || (found == 3 && c == '(') ? found + 1 : 0;
}

unsigned http_reading_traits(struct http_span path)
{
	unsigned traits = 0;
	size_t session = 0;
	bool slash = false; /* the last character was one */

	for (size_t at = 0, decoded = 0; at < path.len; at++, decoded++) {
		char c = path.at[at];
		bool escaped = is_escape(path, at);
		if (escaped) {
			c = unescape(path.at + at);
			if (c == '/')
				traits |= HTTP_READ_INNER_SLASH;
			else if (is_unreserved(c))
				traits |= HTTP_READ_ESCAPED_LETTER;
			at += 2;
		}
		if ((unsigned char)c >= 0x80)
			traits |= HTTP_READ_WIDE_SLASH;
		if (c == ';' && slash)
			traits |= HTTP_READ_NO_PARAMETERS;
		if (c == '/' && slash)
			traits |= HTTP_READ_EMPTY_SEGMENTS | (decoded == 1 ? HTTP_READ_AUTHORITY : 0);
		slash = c == '/';
		session = follow_session(session, c);
		if (session == SESSION_BEGINS)
			traits |= HTTP_READ_NO_SESSION;
	}
	return traits;
}

static size_t decode(struct http_span path, unsigned how, char *out)
{
	size_t len = 0;

	for (size_t at = 0; at < path.len; at++) {
		char c = path.at[at];
		if (!is_escape(path, at)) {
			out[len++] = c;
			continue;
		}
		c = unescape(path.at + at);
		if (is_unreserved(c) && (how & HTTP_READ_ESCAPED_LETTER) != 0)
			out[len++] = '%'; /* and its digits follow as they are */
		else if (c == '/' && (how & HTTP_READ_INNER_SLASH) != 0)
			out[len++] = HTTP_INNER_SLASH;
		else
			out[len++] = c;
		if (!is_unreserved(c) || (how & HTTP_READ_ESCAPED_LETTER) == 0)
			at += 2;
	}
	return len;
}

static size_t narrow_slashes(char *text, size_t len)
{
	size_t to = 0;

	for (size_t at = 0; at < len;) {
		size_t wide = http_folds_to_slash(text + at, len - at);
		text[to++] = (char)(wide > 0 ? '/' : text[at]);
		at += wide > 0 ? wide : 1;
	}
	return to;
}

/* ASP.NET treats "/(S(x))/a" and "/(A(y)S(x))/a" as "/a", and "/a/(S(x))b" as "/ab". */
static size_t drop_sessions(char *text, size_t len)
{
	size_t to = 0;

	for (size_t at = 0; at < len;) {
		size_t end = at, found = 0;
		while (end < len && found < SESSION_BEGINS && (found > 0 || end == at)) {
			found = follow_session(found, text[end]);
			end++;
		}
		while (found == SESSION_BEGINS && end + 1 < len && text[end] != '/' &&
		       (text[end] != ')' || text[end + 1] != ')'))
			end++;
		if (found == SESSION_BEGINS && end + 1 < len && text[end] == ')')
			at = end + 2;
		else
			text[to++] = text[at++];
	}
	if (to > 0 && text[0] == '/')
		return to;
	memmove(text + 1, text, to); /* over the dropped part */
	text[0] = '/';
	return to + 1;
}

static size_t drop_parameters(char *text, size_t len)
{
	size_t to = 0;
	bool parameters = false;

	for (size_t at = 0; at < len; at++) {
		parameters = text[at] != '/' && (parameters || text[at] == ';');
		if (!parameters)
			text[to++] = text[at];
	}
	return to;
}

static size_t merge_slashes(char *text, size_t len)
{
	size_t to = 0;

	for (size_t at = 0; at < len; at++)
		if (text[at] != '/' || to == 0 || text[to - 1] != '/')
			text[to++] = text[at];
	return to;
}

/* Removes the host of "//host/path". */
static size_t drop_authority(char *text, size_t len)
{
	size_t at = 0;

	while (at < len && text[at] == '/')
		at++;
	while (at < len && text[at] != '/')
		at++;
	if (at == len) {
		text[0] = '/';
		return 1;
	}
	memmove(text, text + at, len - at);
	return len - at;
}

/* Some frameworks also decode '+' to a blank in paths. */
static bool is_blank(char c)
{
	return c == ' ' || c == '+';
}

static size_t segment_len(const char *at, const char *end)
{
	const char *slash = at < end ? memchr(at, '/', (size_t)(end - at)) : NULL;
	return (size_t)((slash != NULL ? slash : end) - at);
}

/* The loose form of a segment; a slash in it can only result from folding. */
static size_t loosen(const char *segment, size_t len, bool case_matters, char *out)
{
	size_t blanks = 0, folded = http_fold(segment, len, !case_matters, out);

	for (size_t i = 0; i < folded; i++)
		if (out[i] == '/' || out[i] == '\\')
			out[i] = HTTP_INNER_SLASH;
	while (blanks < folded && is_blank(out[blanks]))
		blanks++;
	memmove(out, out + blanks, folded - blanks);
	return folded - blanks;
}

static size_t cut(const char *segment, size_t len, const char *at)
{
	for (size_t i = 0; i < len; i++)
		for (const char *sign = at; *sign != '\0'; sign++)
			if (segment[i] == *sign)
				return i;
	return len;
}

static size_t trim(const char *segment, size_t len, bool dots)
{
	while (len > 0 && (is_blank(segment[len - 1]) || (dots && segment[len - 1] == '.')))
		len--;
	return len;
}

static bool is_dots(const char *segment, size_t len)
{
	if (len == 0 || segment[0] != '.')
		return false;
	len = trim(segment, cut(segment, len, ";:?#"), false);
	return (len == 1 || len == 2) && memcmp(segment, "..", len) == 0;
}

bool http_reading_make(struct http_span path, unsigned how, bool case_matters, struct http_reading *reading)
{
	size_t len = decode(path, how, reading->plain);

	if ((how & HTTP_READ_WIDE_SLASH) != 0)
		len = narrow_slashes(reading->plain, len);
	if ((how & HTTP_READ_NO_SESSION) != 0)
		len = drop_sessions(reading->plain, len);
	if ((how & HTTP_READ_NO_PARAMETERS) != 0)
		len = drop_parameters(reading->plain, len);
	if ((how & HTTP_READ_AUTHORITY) != 0)
		len = drop_authority(reading->plain, len);
	if ((how & HTTP_READ_EMPTY_SEGMENTS) == 0)
		len = merge_slashes(reading->plain, len);
	reading->plain_len = len;
	reading->loose_len = 0;
	const char *end = reading->plain + len;
	for (const char *at = reading->plain; at < end;) { /* each begins with its slash */
		size_t plain = segment_len(at + 1, end);
		char *loose = reading->loose + reading->loose_len;
		loose[0] = '/';
		size_t folded = loosen(at + 1, plain, case_matters, loose + 1);
		if (is_dots(loose + 1, folded))
			return false;
		reading->loose_len += 1 + folded;
		at += 1 + plain;
	}
	return true;
}

void http_reading_prefix(const char *path, bool case_matters, char *out)
{
	const char *end = path + strlen(path);

	for (const char *at = path; at < end;) {
		size_t plain = segment_len(at + 1, end);
		*out++ = '/';
		size_t loose = loosen(at + 1, plain, case_matters, out);
		out += trim(out, loose, true);
		at += 1 + plain;
	}
	*out = '\0';
}

/* The part of a long name before its last dot, without blanks and dots: the beginning of its 8.3 name. */
static size_t stem_of(const char *name, size_t len, char stem[SHORT_NAME_MAX])
{
	size_t end = len, stem_len = 0;

	for (size_t i = len; i > 1; i--)
		if (name[i - 1] == '.') {
			end = i - 1;
			break;
		}
	for (size_t i = 0; i < end && stem_len < SHORT_NAME_MAX; i++)
		if (name[i] != '.' && name[i] != ' ')
			stem[stem_len++] = strchr("+,;=[]", name[i]) != NULL ? '_' : name[i];
	return stem_len;
}

/* Whether a segment may be the 8.3 name of a long one: "secure~1", "se1a2b~1", with or without an extension. */
static bool is_short_name(const char *segment, size_t len, const char *name, size_t name_len)
{
	char stem[SHORT_NAME_MAX];
	const char *tilde = len > 0 ? memchr(segment, '~', len) : NULL;
	size_t base = cut(segment, len, ".");

	if (tilde == NULL || base > SHORT_NAME_MAX || (size_t)(tilde - segment) + 1 >= base || tilde == segment)
		return false;
	for (size_t i = (size_t)(tilde - segment) + 1; i < base; i++)
		if (segment[i] < '0' || segment[i] > '9')
			return false;
	size_t short_stem = (size_t)(tilde - segment), stem_len = stem_of(name, name_len, stem);
	size_t most = SHORT_NAME_MAX - (base - short_stem), whole = stem_len < most ? stem_len : most;
	if (short_stem == whole && memcmp(segment, stem, whole) == 0)
		return true;
	if (short_stem != HASHED_STEM || stem_len < 2 || memcmp(segment, stem, 2) != 0)
		return false;
	for (size_t i = 2; i < HASHED_STEM; i++)
		if (ascii_hex(segment[i]) < 0)
			return false;
	return true;
}

/* Compares two loose segments; the second is a route's, and trimmed. *ends_here: some services end the path at a
 * character in it. The name itself may contain such characters, after folding. */
static bool equal_loosely(const char *segment, size_t len, const char *name, size_t name_len, bool *ends_here)
{
	static const char ends[] = ";:?#";
	size_t at = name_len;

	*ends_here |= cut(segment, len, "?#") < len;
	if (len >= name_len && memcmp(segment, name, name_len) == 0) {
		while (at < len && (is_blank(segment[at]) || segment[at] == '.'))
			at++;
		if (at == len || (segment[at] != '\0' && strchr(ends, segment[at]) != NULL))
			return true;
	}
	return is_short_name(segment, trim(segment, cut(segment, len, ends), true), name, name_len);
}

bool http_reading_covered(const struct http_reading *reading, const char *path, const char *loose_path,
			  struct http_cover *cover)
{
	const char *plain = reading->plain, *plain_end = plain + reading->plain_len;
	const char *loose = reading->loose, *loose_end = loose + reading->loose_len;

	bool ends_here = false;

	*cover = (struct http_cover){0};
	while (path[0] == '/' && path[1] != '\0') {
		size_t want = strcspn(path + 1, "/"), loose_want = strcspn(loose_path + 1, "/");
		if (plain >= plain_end)
			return false;
		size_t have = segment_len(plain + 1, plain_end), loose_have = segment_len(loose + 1, loose_end);
		cover->segments++;
		if (have != want || memcmp(plain + 1, path + 1, want) != 0) {
			if (!equal_loosely(loose + 1, loose_have, loose_path + 1, loose_want, &ends_here))
				return false;
			cover->loose = cover->segments;
		}
		if (ends_here)
			cover->loose = cover->segments;
		plain += 1 + have;
		loose += 1 + loose_have;
		path += 1 + want;
		loose_path += 1 + loose_want;
	}
	return plain_end > reading->plain;
}
