/* Keeps the parts of an error response that the hint for the user depends on. */
#ifndef SEND_ANSWER_H
#define SEND_ANSWER_H

#include "send/send.h"

/* Starts a new response. */
void answer_begin(struct send_result *result);

/* Takes one line of the head. */
void answer_line(struct send_result *result, const char *line, size_t len);

/* Takes a part of the body; the first bytes are kept. */
void answer_body(struct send_result *result, const char *bytes, size_t len);

/* The body is complete. */
void answer_end(struct send_result *result);

#endif
