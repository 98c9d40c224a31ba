/*
 * The late exchange: the events that change an ask's state: the client's messages, deadlines, and calls. states.h has
 * the table of states, plan.h the decision what to do.
 */
#include <stdlib.h>
#include <string.h>

#include "ask/inside.h"
#include "ask/plan.h"
#include "ask/public_identity.h"
#include "base/require.h"
#include "base/sized.h"

/* Defaults of options. */
#define TIMEOUT_MS   120000
#define BODY_IDLE_MS 30000

static const struct thaw_error broken = {THAW_ERR_USAGE, "internal error: invalid state transition of the exchange"};

/* The only writer of conn->state. limit_ms counts from now; states that do not wait ignore it. */
static void enter(thaw_conn *conn, enum ask_state to, uint64_t limit_ms)
{
	const struct ask_state_row *was = &ask_states[conn->state];

	if (!require_transition((was->next & ASK_BIT(to)) != 0, "ask", was->name, ask_states[to].name)) {
		conn->misuse = &broken;
		conn->report.verdict = THAW_VERDICT_CANCELLED;
		conn->report.reason = THAW_REASON_CONNECTION;
		to = ASK_ABANDONED;
	}
	if (conn->trace != NULL)
		conn->trace(conn->trace_arg, "ask", was->name, ask_states[to].name, conn->now_ms);
	conn->state = to;
	if (ask_states[to].waits)
		pace_start(&conn->pace, limit_ms, conn->now_ms);
	else
		pace_stop(&conn->pace);
}

/* The next step of an exchange; keeps the deadline. */
static void step(thaw_conn *conn, enum ask_state to)
{
	enter(conn, to, pace_left(&conn->pace, conn->now_ms));
}

/*
 * The client's answer is complete, and the exchange has nothing left to write. In a renegotiation the client sends
 * nothing before it has the server's Finished, which may be in the queue of the filter BIO. After post-handshake
 * authentication only tickets follow, which a client that writes first does not read yet.
 */
static bool answered(const thaw_conn *conn)
{
	return conn->state == ASK_FINISHED && tls_session_established(conn->tls) &&
	       !(conn->means == THAW_MEANS_RENEGOTIATION && tls_session_unsent(conn->tls));
}

static enum ask_state settled_state(const thaw_conn *conn)
{
	bool whole = answered(conn) || conn->state == ASK_GRACE;

	return conn->state == ASK_ABANDONED || (ask_states[conn->state].open && !whole) ? ASK_ABANDONED : ASK_SETTLED;
}

static void settle(thaw_conn *conn, enum thaw_verdict verdict, enum thaw_reason reason)
{
	conn->report.verdict = verdict;
	conn->report.reason = reason;
	conn->report.ended_ms = conn->now_ms;
	enter(conn, settled_state(conn), 0);
	if (conn->settled != NULL)
		conn->settled(conn->settled_arg);
}

/* The certificate request is written. */
static void sent(thaw_conn *conn)
{
	conn->report.asked_ms = conn->now_ms;
	step(conn, ASK_ANSWER);
}

/* Called for the client's handshake messages: the first one begins the answer, Finished ends it. */
bool ask_on_message(void *arg, bool finished)
{
	thaw_conn *conn = arg;

	if (conn->state == ASK_SEND) /* OpenSSL writes the rest of the request before it reads */
		sent(conn);
	if (conn->state == ASK_ANSWER)
		step(conn, ASK_EXCHANGE);
	if (conn->state == ASK_EXCHANGE && finished)
		step(conn, ASK_FINISHED);
	return ask_states[conn->state].open;
}

/* The connection's identity is set once; later other trusts may accept it, too. */
static void accept(thaw_conn *conn, thaw_trust *trust, struct tls_certificate **certificate, enum thaw_moment moment)
{
	if (conn->accepted == NULL) {
		conn->accepted = *certificate;
		conn->accepted_moment = moment;
		*certificate = NULL;
	}
	thaw_trust_free(&conn->accepted_by);
	conn->accepted_by = thaw_trust_ref(trust);
}

/* An equal certificate is kept: the caller may hold a pointer to its identity. */
static void keep_presented(thaw_conn *conn, struct tls_certificate **certificate)
{
	if (conn->presented != NULL && tls_certificate_equal(conn->presented, *certificate))
		return;
	ask_identity_free(&conn->rejected);
	tls_certificate_free(&conn->presented);
	conn->presented = *certificate;
	*certificate = NULL;
}

/*
 * Sets the verdict on the connection's current certificate, after the exchange, or without one. A second, different
 * identity on one connection is rejected, whatever the trust says.
 */
static void verify(thaw_conn *conn)
{
	enum thaw_reason reason = THAW_REASON_NONE;
	struct tls_certificate *certificate =
		tls_session_verify(conn->tls, conn->trust, &reason, conn->report.detail, sizeof(conn->report.detail));

	if (certificate == NULL && reason == THAW_REASON_NO_MEMORY) {
		settle(conn, THAW_VERDICT_OVER_LIMIT, reason);
	} else if (certificate == NULL) {
		/* RFC 8446 4.6.2: an empty Certificate message is a refusal. */
		if (conn->state == ASK_FINISHED && conn->means == THAW_MEANS_POST_HANDSHAKE &&
		    conn->options.decline_grace_ms > 0)
			enter(conn, ASK_GRACE, conn->options.decline_grace_ms);
		else
			settle(conn, THAW_VERDICT_DECLINED, reason);
	} else if (conn->accepted != NULL && !tls_certificate_equal(conn->accepted, certificate)) {
		settle(conn, THAW_VERDICT_REJECTED, THAW_REASON_IDENTITY_CHANGED);
	} else if (!tls_session_binds_certificate(conn->tls)) {
		settle(conn, THAW_VERDICT_REJECTED, THAW_REASON_NO_EXTENDED_MASTER);
	} else if (reason != THAW_REASON_NONE) {
		if (conn->options.unverified)
			keep_presented(conn, &certificate);
		settle(conn, THAW_VERDICT_REJECTED, reason);
	} else {
		accept(conn, conn->trust, &certificate, conn->report.moment);
		settle(conn, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE);
	}
	tls_certificate_free(&certificate);
}

/* In the middle of an exchange the SSL may have a certificate whose key the client has not proven to hold. */
static bool has_certificate(const thaw_conn *conn)
{
	return tls_session_established(conn->tls) && tls_session_has_certificate(conn->tls);
}

/*
 * Whether this ask's trust accepts the certificate that the connection already has: from the handshake, a resumed
 * session, or an ask under another trust. If so, it becomes the accepted one.
 */
static bool already_trusted(thaw_conn *conn, thaw_trust *trust)
{
	enum thaw_reason reason = THAW_REASON_NONE;
	char detail[sizeof(conn->report.detail)];

	if (conn->accepted_by != NULL && tls_trusts_agree(conn->accepted_by, trust))
		return true;
	if (!has_certificate(conn) || !tls_session_binds_certificate(conn->tls))
		return false;
	struct tls_certificate *certificate = tls_session_verify(conn->tls, trust, &reason, detail, sizeof(detail));
	bool trusted = certificate != NULL && reason == THAW_REASON_NONE &&
		       (conn->accepted == NULL || tls_certificate_equal(conn->accepted, certificate));
	if (trusted)
		accept(conn, trust, &certificate, THAW_MOMENT_HANDSHAKE);
	tls_certificate_free(&certificate);
	return trusted;
}

/* Writes as much of the request as the transport takes. */
static void send_request(thaw_conn *conn)
{
	enum thaw_status status = tls_ask_send(conn->tls);

	if (status == THAW_FAILED || status == THAW_CLOSED)
		settle(conn, THAW_VERDICT_CANCELLED, THAW_REASON_CONNECTION);
	else if (status != THAW_WANT_WRITE && conn->state == ASK_SEND)
		sent(conn);
}

static void begin_request(thaw_conn *conn)
{
	enum thaw_reason reason = THAW_REASON_NONE;

	if (tls_session_closed(conn->tls)) { /* the client cannot answer any more */
		settle(conn, THAW_VERDICT_CANCELLED, THAW_REASON_CONNECTION);
		return;
	}
	enum thaw_status status = tls_ask_begin(conn->tls, conn->means, conn->trust, &reason);

	if (status == THAW_OK) {
		enter(conn, ASK_SEND, conn->options.timeout_ms);
		send_request(conn);
	} else if (reason != THAW_REASON_NONE) {
		settle(conn, THAW_VERDICT_IMPOSSIBLE, reason);
	} else if (tls_session_error(conn->tls)->cls == THAW_ERR_PEER) {
		settle(conn, THAW_VERDICT_CANCELLED, THAW_REASON_CONNECTION);
	} else {
		settle(conn, THAW_VERDICT_OVER_LIMIT, THAW_REASON_NO_MEMORY);
	}
}

static void execute(thaw_conn *conn, const struct ask_plan *plan, enum thaw_reason why)
{
	conn->report.moment = plan->moment;
	conn->report.means = conn->means;
	switch (plan->step) {
	case ASK_STEP_ACCEPT:
		conn->report.means = THAW_MEANS_HANDSHAKE;
		conn->report.moment = conn->accepted_moment;
		settle(conn, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE);
		break;
	case ASK_STEP_VERIFY:
		conn->report.means = THAW_MEANS_HANDSHAKE;
		verify(conn);
		break;
	case ASK_STEP_REQUEST:
		begin_request(conn);
		break;
	case ASK_STEP_DRAIN_FIRST:
		enter(conn, ASK_BODY, conn->options.body_idle_ms);
		break;
	case ASK_STEP_IMPOSSIBLE:
		conn->report.means = THAW_MEANS_NONE;
		settle(conn, THAW_VERDICT_IMPOSSIBLE, why);
		break;
	}
}

static const struct thaw_error already_pending = {THAW_ERR_USAGE, "an ask is pending on this connection already"};
static const struct thaw_error too_early = {THAW_ERR_USAGE, "asked or checked before a handshake was over"};
static const struct thaw_error was_cleared = {
	THAW_ERR_USAGE, "SSL_clear() was called; use a new SSL and thaw_conn for another connection"};
static const struct thaw_error no_renegotiation = {
	THAW_ERR_USAGE, "SSL_OP_NO_RENEGOTIATION is set, and this client can only be asked by a renegotiation; clear "
			"it with SSL_clear_options() before the ask"};
static const struct thaw_error in_a_write = {THAW_ERR_USAGE, "asked while a write waits to be repeated"};
static const struct thaw_error wrong_size = {
	THAW_ERR_USAGE, "the size of struct thaw_ask_options is wrong, or it sets a field that this "
			"version of the library does not have"};
static const struct thaw_error incomplete = {THAW_ERR_USAGE,
					     "an ask needs a trust, and HEADERS, BODY or RESPONSE as its moment"};
static const struct thaw_error no_trust = {THAW_ERR_USAGE, "a check needs a trust"};

/* Why an ask or a check cannot begin. NULL: it can. */
static const struct thaw_error *blocker(const thaw_conn *conn)
{
	if (tls_session_cleared(conn->tls))
		return &was_cleared;
	if (ask_pending(conn))
		return &already_pending;
	return tls_session_established(conn->tls) ? NULL : &too_early;
}

/* THAW_FAILED: a usage error; nothing has changed. */
static enum thaw_status begin(thaw_conn *conn, const struct thaw_ask_options *options)
{
	enum thaw_reason why = THAW_REASON_NONE;
	enum thaw_means means = tls_session_means(conn->tls, &why);
	bool outstanding = conn->state == ASK_ABANDONED;
	struct ask_facts facts = {.means = means,
				  .trusted = already_trusted(conn, options->trust),
				  .present = has_certificate(conn),
				  .outstanding = outstanding};
	struct ask_plan plan = ask_plan(&facts, options);
	bool asks = plan.step == ASK_STEP_REQUEST || plan.step == ASK_STEP_DRAIN_FIRST;

	if (asks && means == THAW_MEANS_RENEGOTIATION && !tls_session_may_renegotiate(conn->tls))
		return ask_misused(conn, &no_renegotiation);
	if (means != THAW_MEANS_NONE && outstanding)
		why = THAW_REASON_OUTSTANDING;
	thaw_trust *before = conn->trust;
	conn->trust = thaw_trust_ref(options->trust);
	thaw_trust_free(&before);
	conn->options = *options;
	conn->means = means;
	conn->body_over = false;
	conn->report = (struct thaw_report){.verdict = THAW_VERDICT_PENDING, .began_ms = conn->now_ms};
	execute(conn, &plan, why);
	return THAW_OK;
}

static bool is_late(enum thaw_moment moment)
{
	return moment == THAW_MOMENT_HEADERS || moment == THAW_MOMENT_BODY || moment == THAW_MOMENT_RESPONSE;
}

enum thaw_status thaw_conn_ask(thaw_conn *conn, const struct thaw_ask_options *options, uint64_t now_ms)
{
	struct thaw_ask_options ours;

	conn->now_ms = now_ms;
	if (conn->state != ASK_ABANDONED && !ask_pending(conn))
		tls_session_catch_up(conn->tls);
	const struct thaw_error *wrong = blocker(conn);
	if (wrong == &too_early && conn->state == ASK_ABANDONED) /* in the middle of the late answer */
		wrong = NULL;
	if (wrong != NULL)
		return ask_misused(conn, wrong);
	if (tls_session_writing(conn->tls))
		return ask_misused(conn, &in_a_write);
	if (!sized_take(&ours, sizeof(ours), options, SIZED_UP_TO(struct thaw_ask_options, moment)))
		return ask_misused(conn, &wrong_size);
	if (ours.trust == NULL || !is_late(ours.moment))
		return ask_misused(conn, &incomplete);
	ours.timeout_ms = ours.timeout_ms > 0 ? ours.timeout_ms : TIMEOUT_MS;
	ours.body_idle_ms = ours.body_idle_ms > 0 ? ours.body_idle_ms : BODY_IDLE_MS;
	return begin(conn, &ours);
}

enum thaw_status thaw_conn_check(thaw_conn *conn, thaw_trust *trust, uint64_t now_ms)
{
	const struct thaw_error *wrong = trust == NULL ? &no_trust : blocker(conn);

	conn->now_ms = now_ms;
	if (wrong != NULL)
		return ask_misused(conn, wrong);
	const struct thaw_ask_options options = {.trust = trust, .moment = THAW_MOMENT_HANDSHAKE, .unverified = true};
	return begin(conn, &options);
}

void thaw_conn_body_ended(thaw_conn *conn, uint64_t now_ms)
{
	conn->now_ms = now_ms;
	conn->body_over = conn->state == ASK_BODY;
	if (conn->body_over && !tls_session_writing(conn->tls))
		begin_request(conn);
}

enum thaw_status thaw_conn_read(thaw_conn *conn, void *data, size_t room, size_t *len, uint64_t now_ms)
{
	conn->now_ms = now_ms;
	enum thaw_status status = tls_session_read(conn->tls, data, room, len);

	if (!ask_pending(conn))
		return status;
	if (status == THAW_OK) {
		conn->report.bytes_drained += *len;
		if (conn->state == ASK_BODY) /* a body does not extend the client's time to answer */
			pace_progress(&conn->pace, *len, now_ms);
	}
	/* One read may have processed a whole exchange and also returned body data. */
	if (answered(conn))
		verify(conn);
	if (ask_pending(conn) && status == THAW_FAILED && tls_session_refused(conn->tls))
		settle(conn, THAW_VERDICT_IMPOSSIBLE, THAW_REASON_REFUSED_RENEG);
	if (ask_pending(conn) && (status == THAW_FAILED || status == THAW_CLOSED))
		settle(conn, THAW_VERDICT_CANCELLED, THAW_REASON_CONNECTION);
	return status;
}

enum thaw_status thaw_conn_write(thaw_conn *conn, const void *data, size_t room, size_t *len, uint64_t now_ms)
{
	conn->now_ms = now_ms;
	enum thaw_status status = tls_session_write(conn->tls, data, room, len);

	if (conn->state == ASK_BODY && conn->body_over && !tls_session_writing(conn->tls))
		begin_request(conn);
	if (ask_pending(conn) && status == THAW_FAILED)
		settle(conn, THAW_VERDICT_CANCELLED, THAW_REASON_CONNECTION);
	return status;
}

void thaw_conn_tick(thaw_conn *conn, uint64_t now_ms)
{
	conn->now_ms = now_ms;
	tls_session_flush(conn->tls);
	if (conn->state == ASK_SEND)
		send_request(conn);
	if (answered(conn)) /* the caller has read with SSL_read() */
		verify(conn);
	if (!ask_pending(conn) || !pace_over(&conn->pace, now_ms))
		return;
	if (conn->state == ASK_GRACE)
		settle(conn, THAW_VERDICT_DECLINED, THAW_REASON_NO_CERTIFICATE);
	else if (conn->state == ASK_BODY)
		settle(conn, THAW_VERDICT_TIMED_OUT, THAW_REASON_BODY_IDLE);
	else
		settle(conn, THAW_VERDICT_TIMED_OUT, THAW_REASON_NO_ANSWER);
}

void thaw_conn_ask_end(thaw_conn *conn, enum thaw_verdict verdict, enum thaw_reason reason, uint64_t now_ms)
{
	if (conn == NULL)
		return;
	conn->now_ms = now_ms;
	if (ask_pending(conn))
		settle(conn, verdict == THAW_VERDICT_OVER_LIMIT ? verdict : THAW_VERDICT_CANCELLED, reason);
}
