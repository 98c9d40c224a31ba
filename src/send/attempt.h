/* Attempts at one upload: each is a priming request, perhaps over TLS 1.2 once more, and a transfer. */
#ifndef SEND_ATTEMPT_H
#define SEND_ATTEMPT_H

#include "send/session.h"

/* A line about what it does, and why. */
void attempt_note(const struct send_session *session, const char *text);

/* Until one has an outcome that another could not better, or none is left. */
void attempt_all(struct send_session *session);

/* False, for the caller to return: the result says so. */
bool attempt_no_room(const struct send_session *session);

#endif
