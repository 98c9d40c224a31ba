/* Whether a redirect is followed, and with which options. */
#ifndef SEND_REDIRECT_H
#define SEND_REDIRECT_H

#include "send/send.h"

/*
 * What to do with a response of this status and location. followed: redirects so far. repeatable: the body can be
 * sent again.
 */
enum send_follow send_follows(const struct send_options *options, long status, const char *target, unsigned followed,
			      bool repeatable);

/*
 * to: the options for an upload to target, made from those in from. At another origin (scheme, host, port) they have
 * no certificate, no user, and no fields that may be credentials, unless from->follow_trusting.
 */
void send_redirect(const struct send_options *from, const char *target, struct send_options *to);

/*
 * Returns true if the result of the last upload is a redirect to follow. Then *next are the options for it, with the
 * URL from the result, and the body is at its beginning. options: as given by the user.
 */
bool redirect_follow(const struct send_options *options, struct send_body *body, struct send_options *next,
		     struct send_result *result);

#endif
