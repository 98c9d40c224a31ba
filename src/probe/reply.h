/* Parses one HTTP/1.1 response on the client side (RFC 9112): interim responses, the final one, the end of its body. */
#ifndef PROBE_REPLY_H
#define PROBE_REPLY_H

#include "http/chunked.h"
#include "http/response_head.h"

#define REPLY_INTERIM_MAX   256  /* interim responses; as the gateway allows an upstream */
#define REPLY_BODY_KEPT     2048 /* beginning of the body: it may identify the server and explain an error */
#define REPLY_SERVER_KEPT   96
#define REPLY_TYPE_KEPT     64
#define REPLY_LOCATION_KEPT 256

enum reply_news {
	REPLY_MORE,    /* more bytes are needed */
	REPLY_INTERIM, /* a 1xx; its status is in interim */
	REPLY_HEAD,    /* the head of the final response is complete; a body may follow */
	REPLY_DONE,    /* the response is complete */
	REPLY_BAD,     /* not HTTP/1.1; see why */
};

struct reply {
	struct http_request_kind asked;
	char head[HTTP_HEAD_DEFAULT];
	size_t head_len;
	struct http_scan scan;
	bool in_body, done;
	unsigned status, interim;
	unsigned interim_count;
	bool stays; /* the connection is kept open after it */
	enum http_response_framing framing;
	uint64_t left; /* for a body of known length */
	struct http_chunked chunked;
	unsigned repairs; /* of its chunks: accepted as a proxy accepts them */
	/* the fields Server, Content-Type and Keep-Alive; "": none */
	char server[REPLY_SERVER_KEPT], type[REPLY_TYPE_KEPT], keep_alive[REPLY_TYPE_KEPT];
	char location[REPLY_LOCATION_KEPT]; /* Location, if it is visible ASCII */
	bool cookie_of_f5;                  /* a Set-Cookie that identifies F5's load balancers */
	char body[REPLY_BODY_KEPT + 1];
	size_t body_len;
	const char *why;
};

void reply_init(struct reply *reply, bool is_head);

/* Takes bytes until there is news; *used of them. Call again with the rest until REPLY_MORE. DONE and BAD are final. */
enum reply_news reply_feed(struct reply *reply, const char *data, size_t len, size_t *used);

/* The connection has ended, which ends a body of unknown length. */
enum reply_news reply_end(struct reply *reply);

#endif
