/*
 * A client for one HTTP/2 request (RFC 9113), without I/O, for `thaw probe`: it shows how a server reacts that would
 * have to ask for a certificate, which HTTP/2 forbids (RFC 9113 9.2.3).
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

/* Prepares the connection preface and a request without a body. NULL: out of memory. */
struct http_h2_client *http_h2_client_new(const struct http_h2_request *request);
void http_h2_client_free(struct http_h2_client **client);

/* Bytes to send, valid until the next call. 0: none now. Report how many were sent with http_h2_client_pulled(); the
 * others are returned again. */
size_t http_h2_client_pull(struct http_h2_client *client, const uint8_t **bytes);
void http_h2_client_pulled(struct http_h2_client *client, size_t len);

/* Processes received bytes. False: a fatal protocol error, or out of memory. */
bool http_h2_client_push(struct http_h2_client *client, const void *bytes, size_t len);

struct http_h2_response {
	bool over;       /* the stream or the connection is closed */
	unsigned status; /* 0: none */
	bool reset;      /* the stream or the connection was reset, with `error`, which may be NO_ERROR (0) */
	uint32_t error;
	bool broken; /* the server does not speak HTTP/2; valid after all bytes were pulled */
	char server[96];
};
void http_h2_client_response(const struct http_h2_client *client, struct http_h2_response *answer);

#endif
