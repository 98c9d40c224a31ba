/* Whether a redirection is followed, and with what. */
#ifndef SEND_REDIRECT_H
#define SEND_REDIRECT_H

#include "send/send.h"

/*
 * What to do with a response of this status that leads to target. followed: how many were before. repeatable: the body
 * can be sent once more.
 */
enum send_follow send_follows(const struct send_options *options, long status, const char *target, unsigned followed,
			      bool repeatable);

/*
 * to: the options of an upload to target, which comes of one that was begun with from. At another origin (scheme, host
 * and port) than from's that leaves out the certificate, the user and all fields that may be credentials, unless
 * from->follow_trusting.
 */
void send_redirect(const struct send_options *from, const char *target, struct send_options *to);

/*
 * After an upload of the body with its last options: true, if its result is a redirection that is followed. *next are
 * the options to go on with then, whose URL is the result's; the body is at its beginning. options: as the user has it.
 */
bool redirect_follow(const struct send_options *options, struct send_body *body, struct send_options *next,
		     struct send_result *result);

#endif
