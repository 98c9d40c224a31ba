/*
 * One request over HTTP/2 (RFC 9113), on a client's side, bytes in and bytes out: what a server does with it that would
 * have to ask for a certificate, which HTTP/2 forbids (RFC 9113 9.2.3). The only user of nghttp2.
 */
#ifndef HTTP_H2_CLIENT_H
#define HTTP_H2_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_h2_client;

#define HTTP_H2_HTTP_1_1_REQUIRED 0xd /* RFC 9113 7 */

struct http_h2_request {
	const char *method, *authority, *path;
	const char *user_agent;
};

/* Readies the connection's preface and a request without a body. NULL: no memory. */
struct http_h2_client *http_h2_client_new(const struct http_h2_request *request);
void http_h2_client_free(struct http_h2_client **client);

/* Bytes to send; they live until the next call. 0: none now. Those that could not be sent are given again by telling
 * how many were. */
size_t http_h2_client_pull(struct http_h2_client *client, const uint8_t **bytes);
void http_h2_client_pulled(struct http_h2_client *client, size_t len);

/* Bytes that came. False: they are hopeless, or there is no memory. */
bool http_h2_client_push(struct http_h2_client *client, const void *bytes, size_t len);

struct http_h2_response {
	bool over;       /* the stream is closed, or the connection is being closed */
	unsigned status; /* 0: none */
	bool reset;      /* the stream, or the connection, was ended with error, which may be NO_ERROR (0) */
	uint32_t error;
	bool broken; /* what came is no HTTP/2: known once all that there is to send was pulled */
	char server[96];
};
void http_h2_client_response(const struct http_h2_client *client, struct http_h2_response *answer);

#endif
