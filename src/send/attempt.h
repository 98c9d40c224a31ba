/* Attempts at one upload. Each consists of a priming request, possibly a second one over TLS 1.2, and a transfer. */
#ifndef SEND_ATTEMPT_H
#define SEND_ATTEMPT_H

#include "send/session.h"

/* Reports what is done and why, in one line. */
void attempt_note(const struct send_session *session, const char *text);

/* Repeats attempts until one has a final outcome or no attempt is left. */
void attempt_all(struct send_session *session);

/* Sets the result to 'out of memory'. Returns false, so that callers can return it. */
bool attempt_no_room(const struct send_session *session);

#endif
