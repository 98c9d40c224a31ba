/* Writes the head of an HTTP/1.1 message (RFC 9112 3 and 4) to a buffer of fixed size. */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "http/head.h"

struct http_writer {
	char *at; /* the caller's buffer */
	size_t room, len;
	bool overflow; /* something did not fit: do not send the buffer */
};

void http_writer_init(struct http_writer *writer, char *buffer, size_t room);

/* "HTTP/1.1 403 Forbidden\r\n" */
void http_write_status(struct http_writer *writer, unsigned status);

/* The same with the caller's phrase; if it is empty or not allowed, the standard phrase is used. */
void http_write_status_line(struct http_writer *writer, unsigned status, struct http_span phrase);

/* "GET /path HTTP/1.1\r\n". A method that is not a token, or a target with other characters than visible ASCII, sets
 * overflow. */
void http_write_request_line(struct http_writer *writer, struct http_span method, struct http_span target);

/* A name that is not a token, or a value with a control character (CR, LF), sets overflow, to prevent response
 * splitting. */
void http_write_field(struct http_writer *writer, const char *name, const char *value);
void http_write_span(struct http_writer *writer, struct http_span name, struct http_span value);
/* Copies field lines that a writer has made. */
void http_write_lines(struct http_writer *writer, const char *lines, size_t len);
void http_write_field_number(struct http_writer *writer, const char *name, uint64_t value);

/* "Date: Mon, 23 Nov 2026 15:03:18 GMT": unix_s is seconds since 1970; limited to the years 1970 to 9999. */
void http_write_date(struct http_writer *writer, int64_t unix_s);
void http_write_end(struct http_writer *writer);

/* Writes the line before a chunk's data (RFC 9112 7.1), without a NUL; returns its length. */
#define HTTP_CHUNK_SIZE_MAX 18
size_t http_write_chunk_size(char line[static HTTP_CHUNK_SIZE_MAX], uint64_t size);

/* The standard phrase, such as "Content Too Large"; "Unknown" for others. */
const char *http_status_phrase(unsigned status);

#endif
