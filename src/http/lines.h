/* The lines of a head, of a request or a response: found one whole line at a time, however the bytes come. */
#ifndef HTTP_LINES_H
#define HTTP_LINES_H

#include "http/head.h"

/* Those, or the defaults. */
const struct http_limits *http_limits_of(const struct http_limits *limits);

struct http_lines {
	/* One line without its CRLF; number 0 is the first. Empty lines in front of it are not told. */
	bool (*on_line)(void *arg, unsigned number, struct http_span line, struct http_refusal *refusal);
	void *arg;
	bool skips_empty; /* a few empty lines may come first (RFC 9112 2.2); else the first must not be empty */
	bool lenient;     /* responses only: if the first line ends in LF alone, so may all, and the empty one always;
			   * a line behind the first field may begin with a blank, which continues the one before (RFC
			   * 9112 5.2) */
};

/* HTTP_PARSE_DONE: the empty line at the end is at scan->line_start, its LF is the byte before scan->at, and
 * scan->lines counts the first and the fields. */
enum http_parse http_lines_walk(const char *data, size_t len, const struct http_lines *lines, struct http_scan *scan,
				struct http_refusal *refusal);

/* A Content-Length's value: digits only, and nothing above 2^63 - 1: a reader with signed numbers would take it for
 * something else. */
bool http_read_length(struct http_span value, uint64_t *length);

#endif
