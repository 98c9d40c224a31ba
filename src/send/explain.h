/* Texts that explain a failure, and what the user or the operator of the server can change. */
#ifndef SEND_EXPLAIN_H
#define SEND_EXPLAIN_H

#include "send/send.h"

/* Sets result->hint from the other fields of the result; "" if there is no hint. */
void send_explain(const struct send_options *options, struct send_result *result);

/* One line about the outcome: what failed, how much was sent, whether the server asked for a certificate. */
#define SEND_OUTCOME_ROOM 1024
const char *send_outcome_text(const struct send_result *result, char to[static SEND_OUTCOME_ROOM]);

/* "12.3 MiB"; the buffer has SEND_SIZE_ROOM bytes. */
#define SEND_SIZE_ROOM 24
const char *send_size_text(uint64_t bytes, char to[static SEND_SIZE_ROOM]);

#endif
