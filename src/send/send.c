#include "send/send.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "send/explain.h"
#include "send/request.h"
#include "send/transfer.h"

#define PRIME_STALLS 2 /* a HEAD's answer may take so many times as long as a stall */

#define HEAD_HAS_BODY "the server answers HEAD with a body (RFC 9110 9.3.2 forbids it)"

#define RESUME_LIMIT_MS 600000 /* for reading back what the server has */

struct send {
	const struct send_options *options;
	struct send_result *result;
	CURL *easy;
	thaw_curl *helper;
	struct send_body *body;
	struct transfer transfer;
	struct request request;
	struct send_known known;
	uint64_t from_ms;
};

static void note(const struct send *send, const char *text)
{
	if (send->options->tell != NULL)
		send->options->tell(send->options->arg, &(struct send_news){.kind = SEND_NEWS_NOTE, .text = text});
}

/* --timeout */
static bool is_over(const struct send *send)
{
	return clock_now_ms() >= send->transfer.deadline_ms;
}

/* False, for the caller to return. */
static bool no_room(const struct send *send)
{
	send->result->cause = SEND_NO_ROOM;
	send->result->status = 0; /* whatever an earlier attempt was answered */
	return error_set(&send->result->err, THAW_ERR_RESOURCE, "out of memory") == THAW_OK;
}

/* ---- the beginning ---- */

/* THAW_OK: the upload is pinned to a primed connection. THAW_FAILED: it is not, because of *err. */
static enum thaw_status prime(struct send *send, struct thaw_error *err)
{
	struct send_known *known = &send->known;

	send->result->alert = 0;
	helper_limit(send->helper, send->options->stall_ms * PRIME_STALLS, send->transfer.deadline_ms);
	send->transfer.primes_from_ms = clock_now_ms();
	enum thaw_status status = thaw_curl_prime(send->easy, NULL, &send->helper, err);
	const struct thaw_curl_report *report = thaw_curl_report(send->helper);
	const char *tls = helper_tls(send->helper);

	known->reached = tls != NULL;
	known->is_13 = tls != NULL && strcmp(tls, "TLSv1.3") == 0;
	known->status = report->status;
	known->asked = report->asked;
	known->kept = status == THAW_OK;
	known->head_has_body = known->head_has_body || helper_head_has_body(send->helper);
	send->result->prime_status = report->status;
	(void)snprintf(send->result->tls, sizeof(send->result->tls), "%s", tls != NULL ? tls : "");
	return status;
}

/* Whether an upload without priming would end in the same way, or must not be. The result has the cause then. */
static bool is_final(struct send *send, const struct thaw_error *err)
{
	enum send_cause *cause = &send->result->cause;

	if (send->result->key_failed)
		*cause = SEND_NO_KEY;
	else if (is_over(send))
		*cause = SEND_TIMEOUT;
	else if (helper_credentials_error(send->helper)->cls == THAW_ERR_CONFIG)
		*cause = SEND_NO_BODY;
	else if (send->result->prime_status == 0 && transfer_refuses_certificate(&send->transfer))
		*cause = SEND_NO_CERTIFICATE;
	else if (send->options->prime == SEND_ALWAYS)
		*cause = err->cls == THAW_ERR_RESOURCE ? SEND_NO_ROOM : SEND_UNPRIMED;
	else
		return false;
	return true;
}

/* Primes, and decides what the upload begins with. False: there will be no upload; the result says why. */
static bool begin(struct send *send)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	enum thaw_status status;

	send->result->primed = send->known.kept = false;
	if (send->known.head_has_body && send->options->prime == SEND_ALWAYS) {
		send->result->cause = SEND_UNPRIMED;
		(void)error_set(&send->result->err, THAW_ERR_PEER, HEAD_HAS_BODY);
		return false;
	}
	send->result->alert = 0;
	if (!send_primes(send->options->prime, &send->known)) {
		helper_begin(send->helper);
		return true;
	}
	status = prime(send, &err);
	if (!is_over(send) && send_steps_down(&send->known)) {
		note(send, "over TLS 1.3 the server asks for no certificate, and does not take the HEAD: trying TLS "
			   "1.2, where some can ask");
		send->known.tried_12 = true;
		err.cls = THAW_ERR_NONE;
		status = request_set_tls(&send->request, SEND_TLS_12) ? prime(send, &err) : THAW_FAILED;
		if (!send->known.reached) { /* it has no TLS 1.2 */
			err.cls = THAW_ERR_NONE;
			status = request_set_tls(&send->request, SEND_TLS_ANY) ? prime(send, &err) : THAW_FAILED;
		}
	}
	send->result->primed = status == THAW_OK;
	if (status == THAW_OK)
		return true;
	if (!is_final(send, &err)) {
		note(send, err.text);
		send->result->alert = 0; /* the upload has a connection of its own */
		return true;
	}
	send->result->err = err;
	return false;
}

/* ---- attempts ---- */

static bool upload(struct send *send)
{
	bool expects = send_expects(send->options->expect, &send->known);

	if (!send_body_rewind(send->body) || !request_set_expect(&send->request, expects))
		return no_room(send);
	transfer_run(&send->transfer, expects, &send->known);
	return true;
}

/* What came in place of a response may be the body of the answer to the HEAD: once more, without priming. */
static bool unprimes(struct send *send)
{
	bool suspect = send->result->primed && send->result->garbled && !send->known.head_has_body &&
		       transfer_may_repeat(&send->transfer, send->result->cause, send->result->status);

	if (!suspect || is_over(send))
		return false;
	send->known.head_has_body = true;
	send->result->err.cls = THAW_ERR_NONE;
	note(send, HEAD_HAS_BODY ": sending without priming");
	return true;
}

/* One attempt: primed again for as long as the primed connection is gone before the upload; the helper counts. */
static void attempt(struct send *send)
{
	send->result->attempts++;
	do
		if (!begin(send) || !upload(send))
			return;
	while (thaw_curl_lost(send->helper) || unprimes(send));
}

/* False: --timeout would be over before the time that the server says. */
static bool pause_before(const struct send *send)
{
	uint64_t ms = send_pause_ms(send->result->attempts, send->result->retry_after_s);
	uint64_t now = clock_now_ms(), deadline_ms = send->transfer.deadline_ms;
	char text[THAW_ERROR_TEXT + 64];

	if (send->result->retry_after_s > 0 && deadline_ms != THAW_NEVER && now + ms >= deadline_ms)
		return false;
	(void)snprintf(text, sizeof(text), "%s; again in %.1f s", send->result->err.text, (double)ms / 1000);
	note(send, text);
	ms = deadline_ms - now < ms ? deadline_ms - now : ms;
	(void)usleep((useconds_t)(now < deadline_ms ? ms * 1000 : 0));
	return true;
}

static void try_all(struct send *send)
{
	attempt(send);
	while (transfer_may_retry(&send->transfer, send->result->cause, send->result->status)) {
		if (!pause_before(send))
			return;
		send->result->err.cls = THAW_ERR_NONE;
		attempt(send);
	}
}

/* The whole file, or what is behind the first bytes. False: no memory. */
static bool set_part(struct send *send, const struct resume *part)
{
	uint64_t from = part != NULL ? part->from : 0;
	bool ok = request_set_part(&send->request, part);

	send->result->total = send_body_length(send->body);
	send->result->resumed_from = from;
	return ok;
}

/* RFC 9110 14.5 wants 400; others do not know Content-Range (501, 416), or have something else by now (412). */
static bool refuses_parts(long status)
{
	return status == 400 || status == 412 || status == 416 || status == 501;
}

/* False: there is nothing left to do, or nothing can be done. */
static bool resume(struct send *send)
{
	uint64_t now = clock_now_ms(), deadline_ms = send->transfer.deadline_ms;
	struct resume_way way = {.easy = send->easy, .fields = send->request.priming, .timeout_ms = RESUME_LIMIT_MS};
	struct resume part;

	if (deadline_ms != THAW_NEVER)
		way.timeout_ms = now < deadline_ms ? (uint32_t)(deadline_ms - now) : 1;
	resume_look(&way, send->body, &part);
	note(send, part.text);
	if (send->result->key_failed) {
		send->result->cause = SEND_NO_KEY;
		return false;
	}
	if (part.complete) {
		send->result->cause = SEND_DONE;
		send->result->status = 200;
		send->result->total = 0;
		send->result->resumed_from = part.from;
		return false;
	}
	if (part.from == 0)
		return true;
	if (!set_part(send, &part))
		return no_room(send);
	try_all(send);
	bool done = send->result->cause == SEND_DONE;
	if (!done && (send->result->cause != SEND_REFUSED || !refuses_parts(send->result->status)))
		return false;
	if (done && resume_is_whole(&way, send->body))
		return false;
	note(send, "--resume: the server does not put parts together: sending the whole file");
	send->result->err.cls = THAW_ERR_NONE;
	return set_part(send, NULL) || no_room(send); /* else the part would pass for the whole */
}

/* Before any server is blamed for refusing it. */
static void warn_of_own(struct send *send)
{
	char text[SEND_FAULT_ROOM + 16];

	if (send->options->fault == NULL || send->options->fault[0] == '\0')
		return;
	(void)snprintf(send->result->fault, sizeof(send->result->fault), "%s", send->options->fault);
	(void)snprintf(text, sizeof(text), "warning: %s", send->result->fault);
	note(send, text);
}

static void run(struct send *send)
{
	warn_of_own(send);
	bool resumes = send->options->resume && send_body_size(send->body) > 0; /* an empty file need not be */

	if (!resumes || resume(send))
		try_all(send);
}

static bool makes_no_sense(struct send *send, const char *why)
{
	send->result->cause = SEND_NO_SENSE;
	(void)error_set(&send->result->err, THAW_ERR_USAGE, "%s", why);
	return false;
}

static bool make(struct send *send)
{
	const struct send_options *options = send->options;
	struct helper_options helper = {
		.options = {.url = options->prime_url,
			    .stall_ms = options->stall_ms,
			    .block_ms = UINT32_MAX /* it has nothing else to do, and a slow path is no stall */},
		.credentials = options->credentials,
		.observer = {.saw = transfer_saw, .arg = &send->transfer},
		.begins = transfer_begins,
		.closes = transfer_closes,
		.waits = transfer_waits,
		.connect_ms = options->stall_ms,
		.response_ms = options->response_ms,
	};

	send->body = send_body_open(options->file, options->parts, options->part_count, &send->result->err);
	if (send->body == NULL) {
		send->result->cause = send->result->err.cls == THAW_ERR_RESOURCE ? SEND_NO_ROOM : SEND_NO_BODY;
		return false;
	}
	send->result->total = send_body_length(send->body);
	if (options->resume && (!send_body_is_file(send->body) || strcmp(options->method, "PUT") != 0))
		return makes_no_sense(send, "--resume: only a PUT of a file can be resumed");
	if (options->prime_url != NULL && !request_same_server(options->url, options->prime_url))
		return makes_no_sense(send, "--prime-url is not on the server of the upload's URL");
	send->easy = curl_easy_init();
	send->transfer =
		(struct transfer){.options = options, .result = send->result, .easy = send->easy, .body = send->body};
	send->transfer.deadline_ms = options->timeout_ms == 0 ? THAW_NEVER : send->from_ms + options->timeout_ms;
	send->request = (struct request){.options = options, .easy = send->easy, .body = send->body};
	bool ok = send->easy != NULL && request_prepare(&send->request) && transfer_prepare(&send->transfer);
	helper.options.headers = send->request.priming;
	if (send->request.prime_url != NULL)
		helper.options.url = send->request.prime_url;
	if (ok)
		send->helper = send->transfer.helper = helper_new(send->easy, &helper, &send->result->err);
	if (send->helper != NULL)
		return true;
	return no_room(send);
}

enum thaw_status send_run(const struct send_options *options, struct send_result *result)
{
	struct send send = {.options = options, .result = result, .from_ms = clock_now_ms()};

	*result = (struct send_result){.cause = SEND_NO_ROOM, .total = -1};
	send.known = (struct send_known){
		.https = strncasecmp(options->url, "https://", 8) == 0,
		.credentials = options->credentials != NULL,
		.tls_open = options->tls == SEND_TLS_ANY,
	};
	if (make(&send))
		run(&send);
	if (send.easy != NULL)
		curl_easy_cleanup(send.easy);
	thaw_curl_free(&send.helper);
	send_body_close(&send.body);
	request_free(&send.request);
	result->ms = clock_now_ms() - send.from_ms;
	send_explain(options, result);
	return result->cause == SEND_DONE ? THAW_OK : THAW_FAILED;
}
