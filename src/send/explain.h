/* Words for what went wrong, and what whoever runs the client or the server can change. */
#ifndef SEND_EXPLAIN_H
#define SEND_EXPLAIN_H

#include "send/send.h"

/* Fills in result->hint, from all that the result has; "" where nothing is known. */
void send_explain(const struct send_options *options, struct send_result *result);

/* What became of it, in one line: what went wrong, how far it came, whether there was an ask. */
#define SEND_OUTCOME_ROOM 1024
const char *send_outcome_text(const struct send_result *result, char to[static SEND_OUTCOME_ROOM]);

/* "12.3 MiB"; to has room for SEND_SIZE_ROOM bytes. */
#define SEND_SIZE_ROOM 24
const char *send_size_text(uint64_t bytes, char to[static SEND_SIZE_ROOM]);

#endif
