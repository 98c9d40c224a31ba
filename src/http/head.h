/*
 * Strict parser of an HTTP/1.1 request head (RFC 9112, RFC 9110): it refuses everything that two parsers could
 * interpret differently. Spans point into the caller's bytes.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Upper bounds for all struct http_limits, and the default limits. */
#define HTTP_FIELDS_MAX     256
#define HTTP_LINE_MAX       65536  /* request line, and each field line */
#define HTTP_HEAD_MAX       131072 /* the whole head, including its empty line */
#define HTTP_PATH_MAX       8192   /* the path of a target; a query may be as long as the line */
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
	struct http_span path, query; /* of the target; query is without '?', and has `at` NULL if there is none */
	struct http_span host;        /* without the port; [v6] in brackets; empty only for HTTP/1.0 */
	struct http_field *fields;    /* owned: http_request_free() */
	size_t field_count, field_room;
	enum http_framing framing;
	uint64_t length;      /* HTTP_BODY_LENGTH only; may be 0 */
	uint8_t minor;        /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;      /* as version and Connection request */
	bool expect_continue; /* and the request has a body */
	bool is_head;         /* method HEAD: the response carries no body */
};

/* Why a head is refused: the status of the response, and the text of its detail. */
struct http_refusal {
	unsigned status;  /* 400, 413, 414, 417, 431, 501, 503, 505 */
	const char *why;  /* static text */
	const char *cure; /* what to send instead, static text; NULL: a request that RFC 9112 allows */
};

enum http_parse { HTTP_PARSE_MORE, HTTP_PARSE_DONE, HTTP_PARSE_BAD };

/* The position of the search for the end of the head, so that each byte is examined only once. Zero it first. */
struct http_scan {
	size_t at;
	size_t line_start;
	unsigned lines;
	bool bare_lf; /* the first line, or the empty one, ended in bare LF, where that is allowed */
	const struct http_limits *limits; /* borrowed; NULL: the defaults. Must not change during a head */
};

/*
 * data: all bytes of this head so far, from its first one (and perhaps bytes behind it). HTTP_PARSE_DONE: *used is the
 * head's length. HTTP_PARSE_BAD: *refusal is set; a limit, and a malformed line, is found as soon as the bytes show it.
 * Neither depends on how the bytes came. data may move between calls. request is zero at first; memory for its fields
 * is taken as they come, and used again for the next head.
 */
enum http_parse http_head_parse(const char *data, size_t len, struct http_scan *scan, struct http_request *request,
				size_t *used, struct http_refusal *refusal);

/* Frees the request's fields. */
void http_request_free(struct http_request *request);

/* The first field of that name (any case), or NULL. */
const struct http_field *http_field_find(const struct http_request *request, const char *name);

bool http_span_equal(struct http_span span, const char *text);        /* exact */
bool http_span_equal_nocase(struct http_span span, const char *text); /* ASCII case ignored */
/* As http_span_equal_nocase(), but faster if the first bytes differ. */
static inline bool http_span_is(struct http_span span, const char *text)
{
	return span.len > 0 && ((span.at[0] ^ text[0]) & ~0x20) == 0 && http_span_equal_nocase(span, text);
}
bool http_spans_equal_nocase(struct http_span a, struct http_span b);

#endif
