/* One HTTP/1.1 response as it comes in, on a client's side (RFC 9112): interim ones, the final one, its body's end. */
#ifndef PROBE_REPLY_H
#define PROBE_REPLY_H

#include "http/chunked.h"
#include "http/response_head.h"

#define REPLY_BODY_KEPT     2048 /* the body's beginning: it may tell what server this is, and why it refuses */
#define REPLY_SERVER_KEPT   96
#define REPLY_TYPE_KEPT     64
#define REPLY_LOCATION_KEPT 256

enum reply_news {
	REPLY_MORE,    /* nothing yet */
	REPLY_INTERIM, /* a 1xx; its status is in interim */
	REPLY_HEAD,    /* the final response's head is complete; a body may follow */
	REPLY_DONE,    /* the response is complete */
	REPLY_BAD,     /* it is no HTTP/1.1; why says what is wrong */
};

struct reply {
	struct http_request_kind asked;
	char head[HTTP_HEAD_DEFAULT];
	size_t head_len;
	struct http_scan scan;
	bool in_body, done;
	unsigned status, interim;
	bool stays; /* the connection is kept behind it */
	enum http_response_framing framing;
	uint64_t left; /* of a body of known length */
	struct http_chunked chunked;
	unsigned repairs; /* of its chunks: a client reads them as a proxy does */
	/* Server, Content-Type and Keep-Alive; "": none */
	char server[REPLY_SERVER_KEPT], type[REPLY_TYPE_KEPT], keep_alive[REPLY_TYPE_KEPT];
	char location[REPLY_LOCATION_KEPT]; /* Location, if it is all visible ASCII */
	bool cookie_of_f5;                  /* a Set-Cookie that F5's balancers are known by */
	char body[REPLY_BODY_KEPT + 1];
	size_t body_len;
	const char *why;
};

void reply_init(struct reply *reply, bool is_head);

/* Takes bytes until there is news; *used of them. Call again with the rest, until REPLY_MORE. What is done, or bad,
 * stays so, and takes no more. */
enum reply_news reply_feed(struct reply *reply, const char *data, size_t len, size_t *used);

/* The connection has ended, which completes a body without length. */
enum reply_news reply_end(struct reply *reply);

#endif
