/*
 * The head of an HTTP/1.1 request, parsed strictly by RFC 9112 and RFC 9110: whatever two readers could read in two
 * ways is refused. Spans point into the caller's bytes.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ceilings, whatever the limits of a reader are; and the limits where it has none of its own. */
#define HTTP_FIELDS_MAX     256
#define HTTP_LINE_MAX       65536  /* request line, and each field line */
#define HTTP_HEAD_MAX       131072 /* the whole head, with its empty line */
#define HTTP_PATH_MAX       8192   /* of a target; a query may be as long as the line */
#define HTTP_HOST_MAX       255
#define HTTP_FIELDS_DEFAULT 100
#define HTTP_LINE_DEFAULT   8192
#define HTTP_HEAD_DEFAULT   32768

struct http_limits {
	size_t line, head;
	unsigned fields;
};

struct http_span {
	const char *at;
	size_t len;
};

struct http_field {
	struct http_span name, value;
};

enum http_framing { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED };

struct http_request {
	struct http_span method, target;
	struct http_span path, query; /* of the target; query without '?', at NULL: none */
	struct http_span host;        /* without the port, [v6] with its brackets; empty only for HTTP/1.0 */
	struct http_field *fields;    /* owned: http_request_free() */
	size_t field_count, field_room;
	enum http_framing framing;
	uint64_t length;      /* HTTP_BODY_LENGTH only; may be 0 */
	uint8_t minor;        /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;      /* what version and Connection ask for */
	bool expect_continue; /* and there is a body to wait for */
	bool is_head;         /* method HEAD: the response carries no body */
};

/* Why a head is refused: the status to answer with, and words for the response's detail. */
struct http_refusal {
	unsigned status;  /* 400, 413, 414, 417, 431, 501, 503, 505 */
	const char *why;  /* static text */
	const char *cure; /* static text; NULL: a request that RFC 9112 allows */
};

enum http_parse { HTTP_PARSE_MORE, HTTP_PARSE_DONE, HTTP_PARSE_BAD };

/* How far the search for the head's end has come, so that bytes that trickle in are looked at once only. Zero it first.
 */
struct http_scan {
	size_t at;
	size_t line_start;
	unsigned lines;
	bool bare_lf; /* the first line, or the empty one, ended in LF alone, where that is allowed */
	const struct http_limits *limits; /* borrowed; NULL: the defaults. They stay the same through a head */
};

/*
 * data: all bytes of this head so far, from its first one (and perhaps bytes behind it). HTTP_PARSE_DONE: *used is the
 * head's length. HTTP_PARSE_BAD: *refusal is set; a limit, and a malformed line, is found as soon as the bytes show it.
 * Neither depends on how the bytes came. data may move between calls. request is zero at first; memory for its fields
 * is taken as they come, and used again for the next head.
 */
enum http_parse http_head_parse(const char *data, size_t len, struct http_scan *scan, struct http_request *request,
				size_t *used, struct http_refusal *refusal);

/* Frees its fields. */
void http_request_free(struct http_request *request);

/* The first field of that name (any case), or NULL. */
const struct http_field *http_field_find(const struct http_request *request, const char *name);

bool http_span_equal(struct http_span span, const char *text);        /* exact */
bool http_span_equal_nocase(struct http_span span, const char *text); /* ASCII case ignored */
/* The same, for comparisons of which most end at the first byte: letters differ in one bit of their case. */
static inline bool http_span_is(struct http_span span, const char *text)
{
	return span.len > 0 && ((span.at[0] ^ text[0]) & ~0x20) == 0 && http_span_equal_nocase(span, text);
}
bool http_spans_equal_nocase(struct http_span a, struct http_span b);

#endif
