/*
 * The state table of an ask. It is separate from the code so that tests can check it: every path ends, and every
 * waiting state has a deadline.
 *
 *	quiet ──┬─► body ──► send ──► answer ──► exchange ──► finished ──┬─► settled ──► (the next ask)
 *	        └───────────► ┘                                          └─► grace ─► ┘
 *
 * Each waiting state may also change to settled directly: by its deadline, by the caller, or because the connection
 * broke. If the certificate request was at least partly written, it changes to abandoned instead: the answer may still
 * arrive, and must not be taken for the answer to another request. So the connection is not asked again.
 */
#ifndef ASK_STATES_H
#define ASK_STATES_H

#include <stdbool.h>
#include <stdint.h>

enum ask_state {
	ASK_QUIET,     /* not asked yet */
	ASK_BODY,      /* draining the body to its end before asking */
	ASK_SEND,      /* writing the certificate request; the transport is blocked */
	ASK_ANSWER,    /* the request is written; no answer yet */
	ASK_EXCHANGE,  /* the answer has begun to arrive */
	ASK_FINISHED,  /* the client's Finished has arrived; the server's own may be unsent */
	ASK_GRACE,     /* the answer was empty; the verdict is delayed by decline_grace_ms */
	ASK_SETTLED,   /* the verdict is final */
	ASK_ABANDONED, /* the verdict is final, but the client's answer is outstanding */
	ASK_STATES,
};

#define ASK_BIT(state) (1U << (state))

struct ask_state_row {
	const char *name;
	uint32_t next; /* ASK_BIT of each state that may follow */
	bool waits;    /* waits for the client or for time, with a deadline */
	bool open;     /* the client's handshake messages belong to it */
};

extern const struct ask_state_row ask_states[ASK_STATES];

#endif
