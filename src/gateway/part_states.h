/*
 * The state tables of parts of a connection and of a request, beside conn_states.h and stream_states.h. A part has no
 * deadline of its own: it waits only while the connection, or the stream, does.
 *
 *	account  the story of the ask that the access record tells:
 *	                                              none ─┬───────────► asked ─► told ─┬─► recorded
 *	                                                    └─► later ───────────────────┘
 *	expect a 100 Continue that its client waits for:   none ─► owed ─► passed ─► none
 *	after  the ask that follows a response:         none ◄─► pending ◄─► refused
 *	up     the request on its way to a server:      connect ─► head ─► body ─► done ─► ended
 *	                                                (all may go to dead, and to connect: for another attempt)
 */
#ifndef GATEWAY_PART_STATES_H
#define GATEWAY_PART_STATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/trace.h"

#define GW_PART_BIT(state) (1U << (state))

struct gw_part_row {
	const char *name;
	uint32_t next; /* GW_PART_BIT of each state that may follow */
};

struct gw_part {
	const char *machine;
	const struct gw_part_row *rows;
	unsigned count;
};

/* Of a connection, by HTTP/1.1: `when: response`. */
enum gw_after {
	GW_AFTER_NONE,    /* no ask has followed a response, or its certificate was accepted */
	GW_AFTER_PENDING, /* its record waits for the verdict, and later requests for its outcome */
	GW_AFTER_REFUSED, /* conn->after says by which verdict */
	GW_AFTER_STATES,
};

/* Of a request. */
enum gw_account {
	GW_ACCOUNT_NONE,     /* no certificate was asked for */
	GW_ACCOUNT_LATER,    /* one will be, once the request is answered (`when: response`) */
	GW_ACCOUNT_ASKED,    /* one is: the ask's own report is the story */
	GW_ACCOUNT_TOLD,     /* the story is told to its end: the ask's own report adds nothing */
	GW_ACCOUNT_RECORDED, /* the access record is written, or handed to the ask that follows */
	GW_ACCOUNT_STATES,
};

/* Of a request (RFC 9110 10.1.1). */
enum gw_expect {
	GW_EXPECT_NONE,
	GW_EXPECT_OWED,   /* it is sent once the request goes on */
	GW_EXPECT_PASSED, /* the server is to send it: Expect is passed on */
	GW_EXPECT_STATES,
};

/* Of a request that is handed to an upstream's server. */
enum gw_up {
	GW_UP_CONNECT, /* a connection to a server is awaited */
	GW_UP_HEAD,    /* there is one; nothing is written yet */
	GW_UP_BODY,    /* the head is; the body goes on */
	GW_UP_DONE,    /* all is written */
	GW_UP_ENDED,   /* and the client sends nothing more, which in a tunnel was passed on */
	GW_UP_DEAD,    /* the server takes no more */
	GW_UP_STATES,
};

extern const struct gw_part gw_account_part, gw_expect_part, gw_after_part, gw_up_part;

/* For the one writer of a part's state: whether it may be written. False: it was reported; end what it belongs to. */
bool gw_part_changes(const struct gw_part *part, unsigned from, unsigned to, const struct trace *trace,
		     uint64_t now_ms);

#endif
