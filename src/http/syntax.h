/*
 * The character sets and the field line of RFC 9110 5, shared by the readers of this folder (and by the response's
 * writer, which must not send what a reader would refuse). None of them keeps state.
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

/* The next element of a comma-separated list (RFC 9110 5.6.1), trimmed and perhaps empty; *rest begins behind its
 * comma. False: there is none left. Start with the whole value in *rest. */
bool http_list_next(struct http_span *rest, struct http_span *element);

/* One field line without its CRLF. False: *refusal is set. */
bool http_field_line(struct http_span line, struct http_field *field, struct http_refusal *refusal);

/* The same of a response: white space before the colon is left out, and a value may have control characters but CR, LF
 * and NUL. *repairs: enum http_repair. */
bool http_field_line_repaired(struct http_span line, struct http_field *field, unsigned *repairs,
			      struct http_refusal *refusal);

/* A value, or a part of it, in that way. */
bool http_value_repaired(struct http_span value, unsigned *repairs, struct http_refusal *refusal);

/* Sets *refusal; always false, so that a check can end with it. */
bool http_refuse(struct http_refusal *refusal, unsigned status, const char *why);

/* Whether a Content-Type is that of a call of gRPC. Not of gRPC-Web, which HTTP/1.1 carries. */
bool http_is_grpc(struct http_span type);

#endif
