/*
 * Private parts of a thaw_conn, shared by:
 *
 *	conn.c  its life, and what it can be asked about itself
 *	ask.c   the exchange
 *
 * A thaw_conn has a tls_session, the state of the current or last ask, and the accepted certificate, which never
 * changes.
 */
#ifndef ASK_INSIDE_H
#define ASK_INSIDE_H

#include "ask/states.h"
#include "base/pace.h"
#include "tls/session.h"

struct thaw_conn {
	struct tls_session *tls;
	uint64_t now_ms; /* of the current call */
	enum ask_state state;
	struct pace pace; /* the deadline of a waiting state */
	struct thaw_ask_options options;
	thaw_trust *trust;     /* a reference: options.trust */
	enum thaw_means means; /* of the current ask */
	struct thaw_report report;
	struct tls_certificate *accepted;
	enum thaw_moment accepted_moment;
	struct tls_certificate *presented; /* rejected; kept for options.unverified; or NULL */
	thaw_trust *accepted_by;           /* a reference: the trust that accepted it last; or NULL */
	thaw_trace_fn *trace;
	void *trace_arg;
	void (*settled)(void *arg); /* see ask_on_settled() */
	void *settled_arg;
	bool body_over;                /* the body has ended, but a write must be repeated before the request is sent */
	struct ask_identity *identity; /* of accepted; made on first use; NULL: not yet */
	struct ask_identity *rejected; /* of presented, the same */
	const struct thaw_error *misuse; /* the last usage error, or out of memory; static; NULL: none */
};

/* Whether an ask is pending. */
static inline bool ask_pending(const thaw_conn *conn)
{
	return ask_states[conn->state].waits;
}

/* ask.c: called for the client's handshake messages, see tls_session_on_message(). */
bool ask_on_message(void *arg, bool finished);

/* Always THAW_FAILED. how: static. The connection goes on, so the last error is the one that a caller needs. */
static inline enum thaw_status ask_misused(thaw_conn *conn, const struct thaw_error *how)
{
	conn->misuse = how;
	return THAW_FAILED;
}

#endif
