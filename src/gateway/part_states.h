/*
 * The state tables of parts of a connection and of a request, in addition to conn_states.h and stream_states.h. A part
 * has no deadline of its own: it waits only while the connection or the stream waits.
 *
 *	account  what the access record says about the ask:
 *	         none ─┬───────────► asked ─► final ┬─► recorded
 *	               └─► later ───────────────────┘
 *	expect   a 100 Continue that the client waits for:  none ─► owed ─► passed ─► none
 *	after    the ask after a response:                  none ◄─► pending ◄─► refused
 *	up       the request that is sent to a server:      connect ─► head ─► body ─► done ─► ended
 *	         (all may go to dead, and to connect for another attempt)
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

/* The ask after a response (`when: response`), on an HTTP/1.1 connection. */
enum gw_after {
	GW_AFTER_NONE,    /* no ask has followed a response, or its certificate was accepted */
	GW_AFTER_PENDING, /* the access record waits for the verdict, and later requests for the outcome */
	GW_AFTER_REFUSED, /* conn->after has the verdict */
	GW_AFTER_STATES,
};

/* The ask of a request, for its access record. */
enum gw_account {
	GW_ACCOUNT_NONE,     /* no certificate was requested */
	GW_ACCOUNT_LATER,    /* one will be requested after the response (`when: response`) */
	GW_ACCOUNT_ASKED,    /* one is requested: the record uses the ask's own report */
	GW_ACCOUNT_FINAL,    /* the result is final: the ask's own report is not used again */
	GW_ACCOUNT_RECORDED, /* the access record is written, or handed to the ask after the response */
	GW_ACCOUNT_STATES,
};

/* A 100 Continue that the client waits for (RFC 9110 10.1.1). */
enum gw_expect {
	GW_EXPECT_NONE,
	GW_EXPECT_OWED,   /* the gateway sends it when the request continues */
	GW_EXPECT_PASSED, /* the server must send it: Expect is forwarded */
	GW_EXPECT_STATES,
};

/* A request that is sent to an upstream's server. */
enum gw_up {
	GW_UP_CONNECT, /* waiting for a connection to a server */
	GW_UP_HEAD,    /* connected; nothing is written yet */
	GW_UP_BODY,    /* the head is written; the body is being sent */
	GW_UP_DONE,    /* everything is written */
	GW_UP_ENDED,   /* and the client has ended its input; in a tunnel, the server's connection is half-closed */
	GW_UP_DEAD,    /* the server accepts no more data */
	GW_UP_STATES,
};

extern const struct gw_part gw_account_part, gw_expect_part, gw_after_part, gw_up_part;

/* For the only writer of a part's state: checks and traces a change. False: the change is invalid and was reported; the
 * caller must end the connection or stream. */
bool gw_part_changes(const struct gw_part *part, unsigned from, unsigned to, const struct trace *trace,
		     uint64_t now_ms);

#endif
