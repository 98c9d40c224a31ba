/*
 * Character sets and field lines of RFC 9110 5, shared by the parsers of this folder, and by the writer of responses,
 * which must not send what a parser refuses.
 */
#ifndef HTTP_SYNTAX_H
#define HTTP_SYNTAX_H

#include "http/head.h"

/* RFC 9110 5.6.2 */
extern const bool http_tchars[256];
static inline bool http_is_tchar(char c)
{
	return http_tchars[(unsigned char)c];
}
bool http_is_token(struct http_span span);
bool http_is_blank(char c);                      /* SP or HTAB */
bool http_is_field_value(struct http_span span); /* no control character but HTAB; empty is fine */
struct http_span http_trim(struct http_span span);

/* The next element of a comma-separated list (RFC 9110 5.6.1), trimmed, possibly empty; *rest starts after its comma.
 * False: no more elements. Start with the whole value in *rest. */
bool http_list_next(struct http_span *rest, struct http_span *element);

/* Parses a field line without its CRLF. False: *refusal is set. */
bool http_field_line(struct http_span line, struct http_field *field, struct http_refusal *refusal);

/* The same for a response: accepts white space before the colon, and control characters except CR, LF and NUL in a
 * value. *repairs: enum http_repair. */
bool http_field_line_repaired(struct http_span line, struct http_field *field, unsigned *repairs,
			      struct http_refusal *refusal);

/* Checks a value, or a part of it, in the same way. */
bool http_value_repaired(struct http_span value, unsigned *repairs, struct http_refusal *refusal);

/* Sets *refusal; returns false. */
bool http_refuse(struct http_refusal *refusal, unsigned status, const char *why);

/* Whether a Content-Type is that of a call of gRPC. Not of gRPC-Web, which HTTP/1.1 carries. */
bool http_is_grpc(struct http_span type);

#endif
