/*
 * The state table of an exchange: everything that is known of how far an ask is, also of the client's handshake
 * messages, which src/tls only reports. Apart from the code that runs it so that tests can walk it: every path ends,
 *and every state that waits has a deadline.
 *
 *	quiet ──┬─► body ──► send ──► answer ──► exchange ──► finished ──┬─► settled ──► (the next ask)
 *	        └───────────► ┘                                          └─► grace ─► ┘
 *
 * Each waiting state may also go to settled at once: by its deadline, by the caller, or because the connection broke.
 *If the request for the certificate was written by then, in part or whole, it goes to abandoned: the answer may still
 *come, and must not be taken for that to another request. So no other one is made on that connection.
 */
#ifndef ASK_STATES_H
#define ASK_STATES_H

#include <stdbool.h>
#include <stdint.h>

enum ask_state {
	ASK_QUIET,     /* nothing was asked yet */
	ASK_BODY,      /* draining the body to its end before asking */
	ASK_SEND,      /* the request for the certificate is being written: the transport is blocked */
	ASK_ANSWER,    /* written; nothing of the answer has come */
	ASK_EXCHANGE,  /* the answer has begun to come */
	ASK_FINISHED,  /* its last message, Finished, has come; the server's own may be left to write */
	ASK_GRACE,     /* an empty answer, held back from becoming the verdict */
	ASK_SETTLED,   /* there is a verdict */
	ASK_ABANDONED, /* there is a verdict, but the answer was not waited for to its end */
	ASK_STATES,
};

#define ASK_BIT(state) (1U << (state))

struct ask_state_row {
	const char *name;
	uint32_t next; /* ASK_BIT of each state that may follow */
	bool waits;    /* for the client or for time: then it has a deadline */
	bool open;     /* the client's handshake messages belong to it */
};

extern const struct ask_state_row ask_states[ASK_STATES];

#endif
