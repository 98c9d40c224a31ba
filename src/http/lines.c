/*
 * Walks over the lines of a head, and continues where it stopped. A line is checked when its CRLF has arrived, the
 * fields together when the empty line has. The result does not depend on how the bytes are split.
 */
#include "http/lines.h"

#include <string.h>

#include "base/ascii.h"
#include "http/syntax.h"

#define EMPTY_LINES_MAX 4 /* empty lines allowed before the first line: RFC 9112 2.2 */

const struct http_limits *http_limits_of(const struct http_limits *limits)
{
	static const struct http_limits defaults = {HTTP_LINE_DEFAULT, HTTP_HEAD_DEFAULT, HTTP_FIELDS_DEFAULT};

	return limits != NULL ? limits : &defaults;
}

static enum http_parse bad(struct http_refusal *refusal, unsigned status, const char *why)
{
	http_refuse(refusal, status, why);
	return HTTP_PARSE_BAD;
}

/*
 * Finds the end of the current line. DONE: *line_len is its length without CRLF, and scan->at is after it. scan->at
 * skips examined bytes; a CR at the end is examined again. If there are two reasons to refuse, the one visible after
 * fewer bytes is reported, so that it does not depend on how the bytes are split.
 */
static enum http_parse find_line(const char *data, size_t len, bool lenient, struct http_scan *scan, size_t *line_len,
				 struct http_refusal *refusal)
{
	const struct http_limits *limits = http_limits_of(scan->limits);
	size_t line_end = scan->line_start + limits->line + 1; /* a line of maximum length, and its CR */
	size_t limit = line_end < limits->head - 1 ? line_end : limits->head - 1; /* room for the LF */
	size_t end = len < limit ? len : limit;
	const char *from = data + scan->at;
	const char *cr = memchr(from, '\r', end - scan->at);
	const char *lf = memchr(from, '\n', cr != NULL ? (size_t)(cr - from) : end - scan->at);

	bool empty = lf == data + scan->line_start;

	/* If the first line ends in CRLF, a bare LF after a value was injected into it, and is not the end of the line.
	 * A bare LF as the empty line cannot be injected: the previous line ended in CRLF. */
	if (lf != NULL && !(lenient && (scan->lines == 0 || scan->bare_lf || empty)))
		return bad(refusal, 400, "a line that ends in LF alone");
	if (lf != NULL) {
		scan->bare_lf = true;
		*line_len = (size_t)(lf - data) - scan->line_start;
		scan->at = (size_t)(lf - data) + 1;
		return HTTP_PARSE_DONE;
	}
	if (cr == NULL && end == line_end && scan->lines == 0)
		return bad(refusal, 414,
			   lenient ? "the status line is too long (max_head_line)"
				   : "the request line is too long (max_head_line)");
	if (cr == NULL && end == line_end)
		return bad(refusal, 431, "a field line is too long (max_head_line)");
	if (cr == NULL && end == limit)
		return bad(refusal, 431, "the head is too long (max_head)");
	scan->at = cr != NULL ? (size_t)(cr - data) : end;
	if (cr == NULL || scan->at + 1 == len)
		return HTTP_PARSE_MORE;
	if (cr[1] != '\n')
		return bad(refusal, 400, "a CR without its LF");
	*line_len = scan->at - scan->line_start;
	scan->at += 2;
	return HTTP_PARSE_DONE;
}

/* scan->lines counts the first line and the fields, not the empty lines before them. */
static bool read_line(struct http_span line, const struct http_lines *lines, struct http_scan *scan,
		      struct http_refusal *refusal)
{
	if (scan->lines > 0 || line.len > 0)
		return lines->on_line(lines->arg, scan->lines++, line, refusal);
	return (lines->skips_empty && scan->line_start < 2 * (size_t)EMPTY_LINES_MAX) ||
	       http_refuse(refusal, 400, "too many empty lines before the first line");
}

/* Checks what is known from the position and the first byte of a line. */
static bool check_start(const char *data, size_t len, bool lenient, const struct http_scan *scan,
			struct http_refusal *refusal)
{
	if (scan->line_start + 2 > http_limits_of(scan->limits)->head)
		return http_refuse(refusal, 431, "the head is too long (max_head)");
	if (scan->lines == 0 || scan->line_start == len)
		return true;
	bool folds = lenient && scan->lines > 1;
	if (http_is_blank(data[scan->line_start]) && !folds) /* RFC 9112 5.2, and 2.2 after the first line */
		return http_refuse(refusal, 400, "a line that begins with white space (folded fields are not taken)");
	if (scan->lines == http_limits_of(scan->limits)->fields + 1 && data[scan->line_start] != '\r' &&
	    !(lenient && data[scan->line_start] == '\n'))
		return http_refuse(refusal, 431, "too many fields (max_head_fields)");
	return true;
}

static enum http_parse walk(const char *data, size_t len, const struct http_lines *lines, struct http_scan *scan,
			    struct http_refusal *refusal)
{
	for (;;) {
		struct http_span line = {data + scan->line_start, 0};
		if (!check_start(data, len, lines->lenient, scan, refusal))
			return HTTP_PARSE_BAD;
		enum http_parse found = find_line(data, len, lines->lenient, scan, &line.len, refusal);
		if (found != HTTP_PARSE_DONE)
			return found;
		if (line.len == 0 && scan->lines > 0)
			return HTTP_PARSE_DONE;
		if (!read_line(line, lines, scan, refusal))
			return HTTP_PARSE_BAD;
		scan->line_start = scan->at;
	}
}

enum http_parse http_lines_walk(const char *data, size_t len, const struct http_lines *lines, struct http_scan *scan,
				struct http_refusal *refusal)
{
	bool resumed = scan->line_start > 0;

	if (len == 0)
		return HTTP_PARSE_MORE;
	enum http_parse parsed = walk(data, len, lines, scan, refusal);
	if (parsed != HTTP_PARSE_DONE || !resumed)
		return parsed;
	/* The bytes may have moved since earlier spans were made. A second pass over good lines is still linear. */
	*scan = (struct http_scan){.limits = scan->limits};
	return walk(data, len, lines, scan, refusal);
}

bool http_read_length(struct http_span value, uint64_t *length)
{
	return ascii_number(value.at, value.len, INT64_MAX, length);
}
