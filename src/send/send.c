#include "send/send.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "send/attempt.h"
#include "send/explain.h"
#include "send/redirect.h"

#define RESUME_LIMIT_MS 600000 /* limit for reading back the part on the server */

/* Sends the whole file, or the rest after the first bytes. False: out of memory. */
static bool set_part(struct send_session *session, const struct resume *part)
{
	uint64_t from = part != NULL ? part->from : 0;
	bool ok = request_set_part(&session->request, part);

	session->result->total = send_body_length(session->body);
	session->result->resumed_from = from;
	return ok;
}

/* RFC 9110 14.5 demands 400; others do not support Content-Range (501, 416), or the resource has changed (412). */
static bool refuses_parts(long status)
{
	return status == 400 || status == 412 || status == 416 || status == 501;
}

/* False: nothing is left to do, or an error occurred. */
static bool resume(struct send_session *session)
{
	uint64_t now = clock_now_ms(), deadline_ms = session->transfer.deadline_ms;
	struct resume_way way = {
		.easy = session->easy, .fields = session->request.priming, .timeout_ms = RESUME_LIMIT_MS};
	struct resume part;

	if (deadline_ms != THAW_NEVER)
		way.timeout_ms = now < deadline_ms ? (uint32_t)(deadline_ms - now) : 1;
	resume_look(&way, session->body, &part);
	attempt_note(session, part.text);
	if (session->result->key_failed) {
		session->result->cause = SEND_NO_KEY;
		return false;
	}
	if (part.complete) {
		session->result->cause = SEND_DONE;
		session->result->status = 200;
		session->result->total = 0;
		session->result->resumed_from = part.from;
		return false;
	}
	if (part.from == 0)
		return true;
	if (!set_part(session, &part))
		return attempt_no_room(session);
	attempt_all(session);
	bool done = session->result->cause == SEND_DONE;
	if (!done && (session->result->cause != SEND_REFUSED || !refuses_parts(session->result->status)))
		return false;
	if (done && resume_is_whole(&way, session->body))
		return false;
	attempt_note(session, "--resume: the server does not support partial uploads: sending the whole file");
	session->result->err.cls = THAW_ERR_NONE;
	return set_part(session, NULL) ||
	       attempt_no_room(session); /* otherwise the resource would consist of the rest only */
}

/* Warns about faults of the user's own certificate before an error of the server. */
static void warn_of_own(struct send_session *session)
{
	char text[SEND_FAULT_ROOM + 16];

	if (session->options.fault == NULL || session->options.fault[0] == '\0')
		return;
	(void)snprintf(session->result->fault, sizeof(session->result->fault), "%s", session->options.fault);
	(void)snprintf(text, sizeof(text), "warning: %s", session->result->fault);
	if (!session->warned)
		attempt_note(session, text);
	session->warned = true;
}

static void run(struct send_session *session)
{
	warn_of_own(session);
	bool resumes = session->options.resume && send_body_size(session->body) > 0; /* not needed for an empty file */

	if (!resumes || resume(session))
		attempt_all(session);
}

/* Uploads to one URL, without following redirects. */
static void send_to(struct send_session **last, const struct send_options *options, struct send_body *body,
		    uint64_t deadline_ms, struct send_result *result)
{
	struct send_session *session = session_for(last, options);
	bool ok = session != NULL;

	if (ok) {
		session->result = result;
		session->body = body;
		session->transfer.deadline_ms = deadline_ms;
		ok = session_aim(session);
	}
	if (ok) {
		run(session);
	} else {
		result->cause = SEND_NO_ROOM;
		(void)error_set(&result->err, THAW_ERR_RESOURCE, "out of memory");
		send_session_end(last);
	}
}

enum thaw_status send_run(const struct send_options *options, struct send_session **session, struct send_result *result)
{
	uint64_t from_ms = clock_now_ms();
	uint64_t deadline_ms = options->timeout_ms == 0 ? THAW_NEVER : from_ms + options->timeout_ms;
	struct send_session *own = NULL;
	struct send_options next = *options;

	*result = (struct send_result){.cause = SEND_NO_ROOM, .total = -1};
	struct send_body *body = send_body_open(options->file, options->parts, options->part_count, &result->err);
	if (body == NULL) {
		result->cause = result->err.cls == THAW_ERR_RESOURCE ? SEND_NO_ROOM : SEND_NO_BODY;
	} else if (session_makes_sense(options, body, result)) {
		do {
			result->total = send_body_length(body);
			send_to(session != NULL ? session : &own, &next, body, deadline_ms, result);
		} while (redirect_follow(options, body, &next, result));
	}
	send_body_close(&body);
	send_session_end(&own);
	result->ms = clock_now_ms() - from_ms;
	send_explain(options, result);
	return result->cause == SEND_DONE ? THAW_OK : THAW_FAILED;
}
