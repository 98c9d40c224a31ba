/*
 * --resume: sends only the part of an interrupted PUT that the server does not have yet. HTTP has the partial PUT
 * for that (RFC 9110 14.5), which servers may ignore, so everything is verified:
 *
 *   - the part on the server is read back and compared with the beginning of the file, byte for byte;
 *   - the rest is sent with Content-Range, on condition that the part is unchanged (If-Match);
 *   - then the length of the resource is checked. If the server took the rest for the whole, the whole file is sent.
 *
 * If any of these steps fails, the whole file is sent.
 */
#ifndef SEND_RESUME_H
#define SEND_RESUME_H

#include <curl/curl.h>

#include "send/body.h"

#define RESUME_ETAG_ROOM 256
#define RESUME_TEXT_ROOM 256

struct resume {
	uint64_t from;               /* bytes on the server; 0: send the whole file */
	bool complete;               /* the server has the whole file */
	char etag[RESUME_ETAG_ROOM]; /* of the compared resource */
	char text[RESUME_TEXT_ROOM]; /* the result, as text for the user */
};

/* The handle whose options are used, except those of its request; and the header fields. */
struct resume_way {
	CURL *easy;
	const struct curl_slist *fields;
	uint32_t timeout_ms; /* for each request */
};

/* body: a single file. */
void resume_look(const struct resume_way *way, const struct send_body *body, struct resume *resume);

/* Call after the server accepted a partial PUT: whether the resource now has the length of the file. */
bool resume_is_whole(const struct resume_way *way, const struct send_body *body);

#endif
