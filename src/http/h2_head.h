/*
 * From the header list of an HTTP/2 request to the head of an HTTP/1.1 request, for http_head_parse(), which then
 * judges both versions alike. Checked here is what only HTTP/2 can get wrong (RFC 9113 8.2, 8.3), and all that would
 * let a field list become another head than it says. Its fields come one by one, as they are decoded; what is kept is
 * bounded.
 */
#ifndef HTTP_H2_HEAD_H
#define HTTP_H2_HEAD_H

#include "base/buffer.h"
#include "http/head.h"

/* Of a list as RFC 9113 6.5.2 counts it. Above the limit of a head a request is refused; above so many times that a
 * list that grows out of few bytes (HPACK) costs too much to be decoded to its end. */
#define H2_LIST_TIMES ((size_t)4)
#define H2_LIST_MAX   (H2_LIST_TIMES * HTTP_HEAD_DEFAULT) /* by default */

#define H2_FIELD_OVERHEAD 32 /* RFC 9113 6.5.2 */
#define H2_KEY_LEN        16 /* random bytes of a Sec-WebSocket-Key */

enum h2_outcome {
	H2_HEAD_GOOD,
	H2_HEAD_MALFORMED, /* RFC 9113 8.1.1: a stream error of type PROTOCOL_ERROR */
	H2_HEAD_REFUSED,   /* refusal has the status to answer with */
	H2_HEAD_NO_MEMORY,
	H2_HEAD_FLOOD /* more than H2_LIST_MAX: end the connection */
};

enum h2_part { H2_PART_PSEUDO, H2_PART_FIELDS };
enum h2_kind { H2_KIND_PLAIN, H2_KIND_HEAD, H2_KIND_WEBSOCKET };
enum h2_pseudo { H2_METHOD, H2_SCHEME, H2_AUTHORITY, H2_PATH, H2_PROTOCOL, H2_PSEUDOS };

/* Zero it first; then its fields in order; then the end of it. The first outcome that is not good stays. */
struct h2_head {
	const struct http_limits *limits; /* borrowed; NULL: the defaults */
	enum h2_outcome outcome;
	struct http_refusal refusal;
	const char *why; /* MALFORMED: static text */
	enum h2_part part;
	enum h2_kind kind;    /* known once the first field that is not a pseudo-field came */
	struct buffer text;   /* the pseudo-fields' values, and from `begin` on the head */
	struct buffer cookie; /* the crumbs, joined */
	struct {
		size_t at, len;
	} pseudo[H2_PSEUDOS]; /* in text */
	unsigned seen;        /* 1 << enum h2_pseudo, and more of h2_head.c */
	size_t begin;
	size_t list; /* as RFC 9113 6.5.2 counts */
	uint64_t length;
};

void h2_head_field(struct h2_head *head, struct http_span name, struct http_span value);

/* The list is complete. ended: no body follows. key: random, for a websocket only (kind). GOOD: text holds the head
 * from its first byte to its empty line, and nothing else. */
enum h2_outcome h2_head_end(struct h2_head *head, bool ended, const uint8_t key[H2_KEY_LEN]);

/* A field of a trailer section. While it is good, text holds lines for struct http_trailers. */
void h2_head_trailer(struct h2_head *head, struct http_span name, struct http_span value);

void h2_head_free(struct h2_head *head);

#endif
