/* Finds the lines of a request or response head, one complete line at a time, independent of how the bytes are split.
 * */
#ifndef HTTP_LINES_H
#define HTTP_LINES_H

#include "http/head.h"

/* limits, or the defaults if NULL. */
const struct http_limits *http_limits_of(const struct http_limits *limits);

struct http_lines {
	/* Called for each line, without its CRLF; number 0 is the first. Not called for empty lines before it. */
	bool (*on_line)(void *arg, unsigned number, struct http_span line, struct http_refusal *refusal);
	void *arg;
	bool skips_empty; /* a few empty lines may precede the first (RFC 9112 2.2) */
	bool lenient; /* responses only: if the first line ends in bare LF, all may; the empty line always may. A line
			 after the first field may begin with a blank, which continues the previous one (RFC 9112 5.2)
		       */
};

/* HTTP_PARSE_DONE: the final empty line is at scan->line_start, its LF is the byte before scan->at, and scan->lines
 * counts the first line and the fields. */
enum http_parse http_lines_walk(const char *data, size_t len, const struct http_lines *lines, struct http_scan *scan,
				struct http_refusal *refusal);

/* Reads a Content-Length: digits only, at most 2^63 - 1, since a reader with signed numbers would misinterpret more. */
bool http_read_length(struct http_span value, uint64_t *length);

#endif
