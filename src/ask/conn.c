/* Lifecycle and getters of a thaw_conn. */
#include <stdlib.h>

#include "ask/identity.h"
#include "ask/inside.h"
#include "ask/public_identity.h"
#include "base/error.h"

static enum thaw_status attach(struct ssl_st *ssl, bool deferred, thaw_conn **made, struct thaw_error *err)
{
	const char *unfit = tls_session_unfit(ssl);

	error_clear(err);
	*made = NULL;
	if (unfit != NULL)
		return error_set(err, THAW_ERR_USAGE, "joining a connection: %s", unfit);
	thaw_conn *conn = malloc(sizeof(*conn)); /* not calloc(): see attach() of tls/session.c */
	if (conn != NULL)
		*conn = (thaw_conn){0};
	if (conn == NULL || (conn->tls = deferred ? tls_session_new_deferred(ssl) : tls_session_new(ssl)) == NULL) {
		free(conn);
		return error_set(err, THAW_ERR_RESOURCE, "attaching to a connection: out of memory");
	}
	tls_session_on_message(conn->tls, ask_on_message, conn);
	pace_stop(&conn->pace);
	*made = conn;
	return THAW_OK;
}

enum thaw_status thaw_conn_new(struct ssl_st *ssl, thaw_conn **conn, struct thaw_error *err)
{
	return attach(ssl, false, conn, err);
}

enum thaw_status thaw_conn_new_deferred(struct ssl_st *ssl, thaw_conn **conn, struct thaw_error *err)
{
	return attach(ssl, true, conn, err);
}

void thaw_conn_free(thaw_conn **conn)
{
	thaw_conn *old = *conn;

	*conn = NULL;
	if (old == NULL)
		return;
	tls_session_free(&old->tls);
	ask_identity_free(&old->identity);
	ask_identity_free(&old->rejected);
	tls_certificate_free(&old->accepted);
	tls_certificate_free(&old->presented);
	thaw_trust_free(&old->trust);
	thaw_trust_free(&old->accepted_by);
	free(old);
}

void thaw_conn_set_msg_callback(thaw_conn *conn, thaw_msg_fn *fn, void *arg)
{
	tls_session_show_messages(conn->tls, fn, arg);
}

void thaw_conn_hold_to_tls12(thaw_conn *conn, bool hold)
{
	tls_session_hold_to_tls12(conn->tls, hold);
}

enum thaw_status thaw_conn_ask_at_handshake(thaw_conn *conn, thaw_trust *trust)
{
	return tls_session_ask_at_handshake(conn->tls, trust);
}

enum thaw_means thaw_conn_means(const thaw_conn *conn, enum thaw_reason *reason)
{
	if (reason != NULL)
		*reason = THAW_REASON_NONE;
	if (conn->accepted != NULL || tls_session_has_certificate(conn->tls))
		return THAW_MEANS_HANDSHAKE;
	return tls_session_means(conn->tls, reason);
}

/* ---- getters; NULL: a connection without TLS, which is never asked ---- */

bool thaw_conn_wants_read(const thaw_conn *conn)
{
	return conn != NULL && ask_pending(conn);
}

bool thaw_conn_wants_write(const thaw_conn *conn)
{
	return conn != NULL && (conn->state == ASK_SEND || tls_session_unsent(conn->tls));
}

uint64_t thaw_conn_deadline(const thaw_conn *conn)
{
	return conn != NULL ? conn->pace.deadline_ms : THAW_NEVER;
}

enum thaw_verdict thaw_conn_verdict(const thaw_conn *conn)
{
	return conn != NULL ? conn->report.verdict : THAW_VERDICT_NONE;
}

bool thaw_conn_can_write(const thaw_conn *conn)
{
	return conn == NULL || tls_session_can_write(conn->tls);
}

const struct thaw_report *thaw_conn_report(const thaw_conn *conn)
{
	static const struct thaw_report never = {.verdict = THAW_VERDICT_NONE};

	return conn != NULL ? &conn->report : &never;
}

static const struct thaw_error no_memory = {THAW_ERR_RESOURCE, "reading the identity: out of memory"};

/* *kept: made on first use. */
static enum thaw_status make_identity(thaw_conn *conn, const struct tls_certificate *certificate,
				      struct ask_identity **kept, const struct thaw_identity **identity)
{
	if (*kept == NULL)
		*kept = ask_identity_new(certificate);
	if (*kept == NULL)
		return ask_misused(conn, &no_memory);
	*identity = ask_identity_of(*kept);
	return THAW_OK;
}

enum thaw_status thaw_conn_identity(thaw_conn *conn, const struct thaw_identity **identity)
{
	*identity = NULL;
	if (conn == NULL || conn->accepted == NULL || tls_session_cleared(conn->tls))
		return THAW_OK;
	return make_identity(conn, conn->accepted, &conn->identity, identity);
}

enum thaw_status thaw_conn_rejected_identity(thaw_conn *conn, const struct thaw_identity **identity)
{
	bool last = conn->options.unverified && conn->report.verdict == THAW_VERDICT_REJECTED &&
		    conn->report.reason == THAW_REASON_UNTRUSTED;

	*identity = NULL;
	if (!last || conn->presented == NULL || tls_session_cleared(conn->tls))
		return THAW_OK;
	return make_identity(conn, conn->presented, &conn->rejected, identity);
}

const struct tls_identity *ask_accepted(const thaw_conn *conn)
{
	return conn != NULL && conn->accepted != NULL ? tls_certificate_identity(conn->accepted) : NULL;
}

const struct tls_identity *ask_presented(const thaw_conn *conn)
{
	return conn->presented != NULL ? tls_certificate_identity(conn->presented) : NULL;
}

struct tls_details *ask_details(const thaw_conn *conn)
{
	return conn != NULL && conn->accepted != NULL ? tls_details_new(conn->accepted) : NULL;
}

const struct thaw_error *thaw_conn_error(const thaw_conn *conn)
{
	static const struct thaw_error broken = {THAW_ERR_PEER, "the connection broke"};

	if (conn == NULL)
		return &broken;
	const struct thaw_error *tls = tls_session_error(conn->tls);
	return tls->cls == THAW_ERR_NONE && conn->misuse != NULL ? conn->misuse : tls;
}

void ask_on_settled(thaw_conn *conn, ask_settled_fn *fn, void *arg)
{
	conn->settled = fn;
	conn->settled_arg = arg;
}

void thaw_conn_trace(thaw_conn *conn, thaw_trace_fn *fn, void *arg)
{
	conn->trace = fn;
	conn->trace_arg = arg;
}
