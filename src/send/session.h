/* What the uploads to one origin share: the handle with its connections, and what is known of the server. */
#ifndef SEND_SESSION_H
#define SEND_SESSION_H

#include "send/request.h"
#include "send/transfer.h"

struct send_session {
	struct send_options options; /* of the upload that is under way, or was the last */
	char *url;                   /* which is the options' */
	struct send_result *result;
	struct send_body *body;
	CURL *easy;
	thaw_curl *helper;
	struct transfer transfer;
	struct request request;
	struct send_known known;
	bool primed; /* the connection was */
	bool warned; /* of the own certificate's faults */
	bool reuses; /* the next attempt takes the connection of the upload before */
};

/* False: the options contradict each other, or the body; the result says how. */
bool session_makes_sense(const struct send_options *options, const struct send_body *body, struct send_result *result);

/* *last, if that fits an upload with these options; else a new one in its place. NULL: no memory. */
struct send_session *session_for(struct send_session **last, const struct send_options *options);

/* Prepares the handle for the upload: result, body and transfer.deadline_ms are set. False: no memory. */
bool session_aim(struct send_session *session);

#endif
