#include "send/attempt.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "send/conclude.h"

#define PRIME_STALLS 2 /* a HEAD may take this many times --stall */

#define HEAD_HAS_BODY "the server answers HEAD with a body (RFC 9110 9.3.2 forbids it)"

void attempt_note(const struct send_session *session, const char *text)
{
	if (session->options.tell != NULL)
		session->options.tell(session->options.arg, &(struct send_news){.kind = SEND_NEWS_NOTE, .text = text});
}

/* Checks --timeout. */
static bool is_over(const struct send_session *session)
{
	return clock_now_ms() >= session->transfer.deadline_ms;
}

/* Returns false, so that callers can return it. */
bool attempt_no_room(const struct send_session *session)
{
	session->result->cause = SEND_NO_ROOM;
	session->result->status = 0; /* discard the status of an earlier attempt */
	return error_set(&session->result->err, THAW_ERR_RESOURCE, "out of memory") == THAW_OK;
}

/* ---- the beginning ---- */

/* THAW_OK: the upload is pinned to a primed connection. THAW_FAILED: it is not; *err says why. */
static enum thaw_status prime(struct send_session *session, struct thaw_error *err)
{
	struct send_known *known = &session->known;

	session->result->alert = 0;
	helper_limit(session->helper, session->options.stall_ms * PRIME_STALLS, session->transfer.deadline_ms);
	session->transfer.primes_from_ms = clock_now_ms();
	const struct thaw_curl_report *report = thaw_curl_report(session->helper);
	uint32_t answered = report->primed;
	enum thaw_status status = thaw_curl_prime(session->easy, NULL, &session->helper, err);
	const char *tls = helper_tls(session->helper);

	known->reached = tls != NULL;
	known->is_13 = tls != NULL && strcmp(tls, "TLSv1.3") == 0;
	known->status = report->primed > answered ? report->status : 0;
	known->asked = report->asked;
	known->kept = status == THAW_OK;
	known->head_has_body = known->head_has_body || helper_head_has_body(session->helper);
	session->result->prime_status = known->status;
	(void)snprintf(session->result->tls, sizeof(session->result->tls), "%s", tls != NULL ? tls : "");
	return status;
}

/* Whether an upload without priming would fail in the same way, or is not allowed. Sets the result's cause then. */
static bool is_final(struct send_session *session, const struct thaw_error *err)
{
	enum send_cause *cause = &session->result->cause;

	if (session->result->key_failed)
		*cause = SEND_NO_KEY;
	else if (is_over(session))
		*cause = SEND_TIMEOUT;
	else if (helper_credentials_error(session->helper)->cls == THAW_ERR_CONFIG)
		*cause = SEND_NO_BODY;
	else if (session->result->prime_status == 0 && conclude_refuses_certificate(&session->transfer))
		*cause = SEND_NO_CERTIFICATE;
	else if (session->options.prime == SEND_ALWAYS)
		*cause = err->cls == THAW_ERR_RESOURCE ? SEND_NO_ROOM : SEND_UNPRIMED;
	else
		return false;
	return true;
}

/* Reuses the connection of the previous upload if it is still open; what is known about the server stays valid. */
static bool reuse(struct send_session *session)
{
	struct send_result *result = session->result;
	bool wanted = session->reuses;

	session->reuses = result->reused = false;
	if (!wanted || !helper_pin_kept(session->helper))
		return false;
	result->reused = true;
	result->primed = session->primed;
	result->prime_status = session->known.status;
	result->asked_before = session->known.asked != THAW_MEANS_NONE;
	result->declined_before = session->transfer.ask.declined;
	session->known.kept = true;
	return true;
}

/* Primes the connection and decides how the upload begins. False: no upload; the result says why. */
static bool begin(struct send_session *session)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	enum thaw_status status;

	if (reuse(session))
		return true;
	session->primed = session->result->primed = session->known.kept = session->result->asked_before = false;
	if (session->known.head_has_body && session->options.prime == SEND_ALWAYS) {
		session->result->cause = SEND_UNPRIMED;
		(void)error_set(&session->result->err, THAW_ERR_PEER, HEAD_HAS_BODY);
		return false;
	}
	session->result->alert = 0;
	if (!send_primes(session->options.prime, &session->known)) {
		helper_begin(session->helper);
		return true;
	}
	status = prime(session, &err);
	if (!is_over(session) && send_steps_down(&session->known)) {
		attempt_note(session, "over TLS 1.3 the server asks for no certificate and rejects the HEAD: trying "
				      "TLS 1.2, over which some servers can ask");
		session->known.tried_12 = true;
		err.cls = THAW_ERR_NONE;
		status = request_set_tls(&session->request, SEND_TLS_12) ? prime(session, &err) : THAW_FAILED;
		if (!session->known.reached) { /* the server does not speak TLS 1.2 */
			err.cls = THAW_ERR_NONE;
			status = request_set_tls(&session->request, SEND_TLS_ANY) ? prime(session, &err) : THAW_FAILED;
		}
	}
	session->primed = session->result->primed = status == THAW_OK;
	if (status == THAW_OK)
		return true;
	if (!is_final(session, &err)) {
		attempt_note(session, err.text);
		session->result->alert = 0; /* the upload uses a new connection */
		return true;
	}
	session->result->err = err;
	return false;
}

/* ---- attempts ---- */

static bool upload(struct send_session *session)
{
	/* With Expect, a server that redirects does so before the body, which standard input can send only once. */
	bool waits = session->options.follow_max > 0 && session->options.expect == SEND_AUTO;
	bool expects = waits || send_expects(session->options.expect, &session->known);

	if (!send_body_rewind(session->body) || !request_set_expect(&session->request, expects))
		return attempt_no_room(session);
	transfer_run(&session->transfer, expects, &session->known);
	return true;
}

/* The invalid response may be the body of the response to the HEAD: try again without priming. */
static bool unprimes(struct send_session *session)
{
	bool suspect = session->result->primed && session->result->garbled && !session->known.head_has_body &&
		       transfer_may_repeat(&session->transfer, session->result->cause, session->result->status);

	if (!suspect || is_over(session))
		return false;
	session->known.head_has_body = true;
	session->result->err.cls = THAW_ERR_NONE;
	attempt_note(session, HEAD_HAS_BODY ": sending without priming");
	return true;
}

/* The server may have closed the reused connection at the moment this upload began (RFC 9112 9.3.1, 9.5). */
static bool renews(struct send_session *session)
{
	bool gone = session->result->reused && session->result->cause == SEND_LOST && !is_over(session) &&
		    transfer_may_repeat(&session->transfer, SEND_LOST, 0);

	if (!gone)
		return false;
	session->result->err.cls = THAW_ERR_NONE;
	attempt_note(session, "the connection of the previous upload is closed: using a new one");
	return true;
}

/* One attempt. Primes again while the primed connection is closed before the upload; the helper limits the number. */
static void attempt(struct send_session *session)
{
	session->result->attempts++;
	do
		if (!begin(session) || !upload(session))
			return;
	while (thaw_curl_lost(session->helper) || unprimes(session) || renews(session));
	session->known.asked = thaw_curl_report(session->helper)->asked;
}

/* False if --timeout would expire before the time in Retry-After. */
static bool pause_before(const struct send_session *session)
{
	uint64_t ms = send_pause_ms(session->result->attempts, session->result->retry_after_s);
	uint64_t now = clock_now_ms(), deadline_ms = session->transfer.deadline_ms;
	char text[THAW_ERROR_TEXT + 64];

	if (session->result->retry_after_s > 0 && deadline_ms != THAW_NEVER && now + ms >= deadline_ms)
		return false;
	(void)snprintf(text, sizeof(text), "%s; retrying in %.1f s", session->result->err.text, (double)ms / 1000);
	attempt_note(session, text);
	ms = deadline_ms - now < ms ? deadline_ms - now : ms;
	(void)usleep((useconds_t)(now < deadline_ms ? ms * 1000 : 0));
	return true;
}

void attempt_all(struct send_session *session)
{
	attempt(session);
	while (transfer_may_retry(&session->transfer, session->result->cause, session->result->status)) {
		if (!pause_before(session))
			return;
		session->result->err.cls = THAW_ERR_NONE;
		attempt(session);
	}
}
