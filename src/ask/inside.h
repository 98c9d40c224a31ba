/*
 * The inside of a thaw_conn, shared by the files that run it:
 *
 *	conn.c  its life, and what it can be asked about itself
 *	ask.c   the exchange
 *
 * It is the ask's side of one connection: a tls_session, the state of the ask under way or last settled, and the
 * certificate that was accepted, which never changes again.
 */
#ifndef ASK_INSIDE_H
#define ASK_INSIDE_H

#include "ask/states.h"
#include "base/pace.h"
#include "tls/session.h"

struct thaw_conn {
	struct tls_session *tls;
	uint64_t now_ms; /* of the call under way */
	enum ask_state state;
	struct pace pace; /* the deadline of the state that waits */
	struct thaw_ask_options options;
	thaw_trust *trust;     /* a reference: options.trust */
	enum thaw_means means; /* of the ask under way */
	struct thaw_report report;
	struct tls_certificate *accepted;
	enum thaw_moment accepted_moment;
	struct tls_certificate *presented;         /* rejected, and of use to who asked for unverified ones; or NULL */
	uint8_t accepted_trust[THAW_TRUST_ID_LEN]; /* the trust that believed it last */
	thaw_trace_fn *trace;
	void *trace_arg;
	void (*settled)(void *arg); /* see ask_on_settled() */
	void *settled_arg;
	bool body_over;                  /* but a write waits to be repeated, and the request goes out after it */
	struct ask_identity *identity;   /* of accepted; made when it was first wanted; NULL: not yet */
	struct ask_identity *rejected;   /* of presented, in the same way */
	const struct thaw_error *misuse; /* or out of memory; static; NULL: none */
};

/* Whether an ask is under way. */
static inline bool ask_pending(const thaw_conn *conn)
{
	return ask_states[conn->state].waits;
}

/* ask.c: the client's handshake messages, as tls_session_on_message() reports them. */
bool ask_on_message(void *arg, bool finished);

/* Keeps the first cause. Always THAW_FAILED. how: static. */
static inline enum thaw_status ask_misused(thaw_conn *conn, const struct thaw_error *how)
{
	if (conn->misuse == NULL)
		conn->misuse = how;
	return THAW_FAILED;
}

#endif
