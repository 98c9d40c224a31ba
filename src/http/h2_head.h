/*
 * Converts the header list of an HTTP/2 request to an HTTP/1.1 head for http_head_parse(), which checks both versions
 * in the same way. Checks here the rules of HTTP/2 only (RFC 9113 8.2, 8.3), and everything that could inject other
 * fields into the head. Fields are added one by one as they are decoded; memory is bounded.
 */
#ifndef HTTP_H2_HEAD_H
#define HTTP_H2_HEAD_H

#include "base/buffer.h"
#include "http/head.h"

/* Sizes of a list as RFC 9113 6.5.2 counts it. Above the limit of a head a request is refused. Above this multiple of
 * it the connection is closed, since HPACK can expand few bytes to a list that costs too much to decode. */
#define H2_LIST_TIMES ((size_t)4)
#define H2_LIST_MAX   (H2_LIST_TIMES * HTTP_HEAD_DEFAULT) /* by default */

#define H2_FIELD_OVERHEAD 32 /* RFC 9113 6.5.2 */
#define H2_KEY_LEN        16 /* random bytes of a Sec-WebSocket-Key */

enum h2_outcome {
	H2_HEAD_GOOD,
	H2_HEAD_MALFORMED, /* RFC 9113 8.1.1: stream error PROTOCOL_ERROR */
	H2_HEAD_REFUSED,   /* refusal has the status for the response */
	H2_HEAD_NO_MEMORY,
	H2_HEAD_FLOOD /* more than H2_LIST_MAX: close the connection */
};

enum h2_part { H2_PART_PSEUDO, H2_PART_FIELDS };
enum h2_kind { H2_KIND_PLAIN, H2_KIND_HEAD, H2_KIND_WEBSOCKET };
enum h2_pseudo { H2_METHOD, H2_SCHEME, H2_AUTHORITY, H2_PATH, H2_PROTOCOL, H2_PSEUDOS };

/* Zero it first; then add its fields in order; then call h2_head_end(). The first error is kept. */
struct h2_head {
	const struct http_limits *limits; /* borrowed; NULL: the defaults */
	enum h2_outcome outcome;
	struct http_refusal refusal;
	const char *why; /* MALFORMED: static text */
	enum h2_part part;
	enum h2_kind kind;    /* set at the first regular field */
	struct buffer text;   /* the pseudo-header values, and from `begin` on the head */
	struct buffer cookie; /* the Cookie fields, joined */
	struct {
		size_t at, len;
	} pseudo[H2_PSEUDOS]; /* in text */
	unsigned seen;        /* 1 << enum h2_pseudo, and more of h2_head.c */
	size_t begin;
	size_t list; /* as RFC 9113 6.5.2 counts */
	uint64_t length;
};

void h2_head_field(struct h2_head *head, struct http_span name, struct http_span value);

/* Ends the list. ended: no body follows. key: random, only for a WebSocket (kind). GOOD: text is the head, including
 * its empty line. */
enum h2_outcome h2_head_end(struct h2_head *head, bool ended, const uint8_t key[H2_KEY_LEN]);

/* Adds a trailer field. While the outcome is good, text has the lines for struct http_trailers. */
void h2_head_trailer(struct h2_head *head, struct http_span name, struct http_span value);

void h2_head_free(struct h2_head *head);

#endif
