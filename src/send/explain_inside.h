/* Shared by the files that make hints. */
#ifndef SEND_EXPLAIN_INSIDE_H
#define SEND_EXPLAIN_INSIDE_H

#include "send/send.h"

#define EXPLAIN_ROOM 512 /* for a hint without a URL */

/* What is known about the asks. */
struct send_story {
	bool asked, asked_late, declined, in_upload;
	bool credentials, is_13, is_12, primed;
	const struct send_options *options;
};

/* The client sent no certificate. OpenSSL also sends none if no signature algorithm fits (RFC 8446 4.4.2.2). */
const char *explain_none_given(const struct send_story *story);

/* For a response whose status is not 2xx. to: a buffer for the text. */
const char *explain_status(const struct send_result *result, const struct send_story *story,
			   char to[static EXPLAIN_ROOM]);

/* For a failed connection, and for a server that is not trusted. */
const char *explain_no_way(const struct send_options *options, const struct send_result *result);
const char *explain_distrust(const struct send_options *options, const struct send_result *result,
			     char to[static EXPLAIN_ROOM]);

#endif
