/*
 * The ask's state table, apart from the code that runs it so that tests can walk it: every path ends, and every state
 * that waits has a deadline.
 *
 *	quiet ──┬─► body ──► send ──► answer ──► exchange ──┬─► settled ──► (the next ask)
 *	        └───────────► ┘                             └─► grace ─► ┘
 *
 * Each waiting state may also go to settled at once: by its deadline, by the caller, or because the connection broke.
 */
#ifndef ASK_STATES_H
#define ASK_STATES_H

#include <stdbool.h>
#include <stdint.h>

enum ask_state {
	ASK_QUIET,    /* nothing was asked yet */
	ASK_BODY,     /* draining the body to its end before asking */
	ASK_SEND,     /* the request for the certificate is being written */
	ASK_ANSWER,   /* written; nothing of the answer has come */
	ASK_EXCHANGE, /* the answer has begun to come */
	ASK_GRACE,    /* an empty answer, held back from becoming the verdict */
	ASK_SETTLED,  /* there is a verdict */
	ASK_STATES,
};

#define ASK_BIT(state) (1U << (state))

struct ask_state_row {
	const char *name;
	uint32_t next; /* ASK_BIT of each state that may follow */
	bool waits;    /* for the client or for time: then it has a deadline */
};

extern const struct ask_state_row ask_states[ASK_STATES];

#endif
