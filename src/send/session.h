/* State of the uploads to one origin: the handle with its connections, and what is known about the server. */
#ifndef SEND_SESSION_H
#define SEND_SESSION_H

#include "send/request.h"
#include "send/transfer.h"

struct send_session {
	struct send_options options; /* of the current or last upload */
	char *url;                   /* the URL in these options */
	struct send_result *result;
	struct send_body *body;
	CURL *easy;
	thaw_curl *helper;
	struct transfer transfer;
	struct request request;
	struct send_known known;
	bool primed; /* the connection was primed */
	bool warned; /* a fault of the user's own certificate was reported */
	bool reuses; /* the next attempt uses the connection of the previous upload */
};

/* False if options contradict each other or the body; the result says how. */
bool session_makes_sense(const struct send_options *options, const struct send_body *body, struct send_result *result);

/* Returns *last if it suits an upload with these options, else replaces it with a new session. NULL: out of memory. */
struct send_session *session_for(struct send_session **last, const struct send_options *options);

/* Prepares the handle for the upload: sets the result, the body and transfer.deadline_ms. False: out of memory. */
bool session_aim(struct send_session *session);

#endif
