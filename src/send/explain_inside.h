/* What the hints share. */
#ifndef SEND_EXPLAIN_INSIDE_H
#define SEND_EXPLAIN_INSIDE_H

#include "send/send.h"

#define EXPLAIN_ROOM 512 /* of a hint without a URL */

/* What is known of the asks. */
struct send_story {
	bool asked, asked_late, declined, in_upload;
	bool credentials, is_13, is_12, primed;
	const struct send_options *options;
};

/* An empty answer, whatever came of it. OpenSSL gives one also where no signature fits (RFC 8446 4.4.2.2). */
const char *explain_none_given(const struct send_story *story);

/* Of an answer with a status that is none of 2xx; to: where a text is made. */
const char *explain_status(const struct send_result *result, const struct send_story *story,
			   char to[static EXPLAIN_ROOM]);

/* Of a connection that was not made, and of one whose server is not trusted. */
const char *explain_no_way(const struct send_options *options, const struct send_result *result);
const char *explain_distrust(const struct send_options *options, const struct send_result *result,
			     char to[static EXPLAIN_ROOM]);

#endif
