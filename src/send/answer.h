/* What is kept of a response that refuses, so that the hint can be about this server and this cause. */
#ifndef SEND_ANSWER_H
#define SEND_ANSWER_H

#include "send/send.h"

/* Forgets the one before. */
void answer_begin(struct send_result *result);

/* A line of the head. */
void answer_line(struct send_result *result, const char *line, size_t len);

/* A part of the body, of which the first bytes are kept. */
void answer_body(struct send_result *result, const char *bytes, size_t len);

/* The body is all there. */
void answer_end(struct send_result *result);

#endif
