/* Writing the head of an HTTP/1.1 response (RFC 9112 4), into a buffer with a fixed end. */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include "http/head.h"

struct http_writer {
	char *at; /* the caller's buffer */
	size_t room, len;
	bool overflow; /* something did not fit: the buffer's content is not to be sent */
};

void http_writer_init(struct http_writer *writer, char *buffer, size_t room);

/* "HTTP/1.1 403 Forbidden\r\n" */
void http_write_status(struct http_writer *writer, unsigned status);

/* A name that is no token, or a value with a control character (CR, LF), sets overflow: no response is split. */
void http_write_field(struct http_writer *writer, const char *name, const char *value);
void http_write_field_number(struct http_writer *writer, const char *name, uint64_t value);

/* "Date: Mon, 23 Nov 2026 15:03:18 GMT": unix_s is seconds since 1970; held to the years 1970 to 9999. */
void http_write_date(struct http_writer *writer, int64_t unix_s);
void http_write_end(struct http_writer *writer);

/* The standard phrase, such as "Content Too Large"; "Unknown" for others. */
const char *http_status_phrase(unsigned status);

#endif
