/*
 * --resume: sending only what the server does not have yet of an interrupted PUT. HTTP has the partial PUT for that
 * (RFC 9110 14.5), which servers may ignore, so nothing is believed that was not looked at:
 *
 *   - what the server has is read back, and compared with the beginning of the file, byte for byte;
 *   - the rest is sent with Content-Range, on condition that it is still what was compared (If-Match);
 *   - then the server is asked how long it is now. A server that took the rest for the whole is sent the whole.
 *
 * Where any of it cannot be, the whole file is sent.
 */
#ifndef SEND_RESUME_H
#define SEND_RESUME_H

#include <curl/curl.h>

#include "send/body.h"

#define RESUME_ETAG_ROOM 256
#define RESUME_TEXT_ROOM 256

struct resume {
	uint64_t from;               /* bytes that the server has; 0: send the whole */
	bool complete;               /* it has all of them */
	char etag[RESUME_ETAG_ROOM]; /* of what was compared */
	char text[RESUME_TEXT_ROOM]; /* what was found out, for people */
};

/* Whose options, but for those of a request, are used to look; and these fields. */
struct resume_way {
	CURL *easy;
	const struct curl_slist *fields;
	uint32_t timeout_ms; /* of each request */
};

/* body: a file. */
void resume_look(const struct resume_way *way, const struct send_body *body, struct resume *resume);

/* Behind a partial PUT that the server has accepted: whether the resource is as long as the file now. */
bool resume_is_whole(const struct resume_way *way, const struct send_body *body);

#endif
