#include "send/transfer.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "send/answer.h"
#include "send/conclude.h"
#include "send/redirect.h"
#include "send/url.h"

#define RETRY_AFTER_HUGE_S UINT32_MAX

#define TURN_MS 200 /* maximum wait of the loop; gate, stall and progress are checked at least this often */

static void tell(const struct transfer *transfer, struct send_news news)
{
	if (transfer->options->tell != NULL)
		transfer->options->tell(transfer->options->arg, &news);
}

/* ---- asks ---- */

static void remember(struct send_result *result, const struct send_ask *ask)
{
	if (result->ask_count < SEND_ASKS_MAX)
		result->asks[result->ask_count] =
			(struct send_asked){.means = ask->means, .priming = ask->priming, .declined = ask->declined};
	result->ask_count++;
}

/* Records a signature made by a token, or after a touch. */
static void see_signature(struct transfer *transfer, uint64_t ms)
{
	char text[64];

	if (ms > transfer->result->key_ms)
		transfer->result->key_ms = ms;
	if (ms < SEND_SLOW_KEY_MS)
		return;
	(void)snprintf(text, sizeof(text), "the key took %.1f s to sign", (double)ms / 1000);
	tell(transfer, (struct send_news){.kind = SEND_NEWS_NOTE, .text = text});
}

void transfer_on_event(void *arg, const struct tls_event *event)
{
	struct transfer *transfer = arg;
	struct send_hold *hold = transfer->begun ? &transfer->hold : NULL;

	switch (event->kind) {
	case TLS_EVENT_ASKED:
		transfer->ask = (struct send_ask){.means = event->means,
						  .priming = !transfer->running,
						  .declined = event->subject == NULL,
						  .subject = event->subject,
						  .issuers = event->issuers,
						  .issuer_count = event->issuer_count};
		transfer->exchanging = true;
		remember(transfer->result, &transfer->ask);
		tell(transfer, (struct send_news){.kind = SEND_NEWS_ASKED, .ask = &transfer->ask});
		transfer->ask.subject = NULL; /* the texts are not valid after this */
		transfer->ask.issuers = NULL;
		if (hold != NULL)
			send_hold_event(hold, EVENT_ASKED, clock_now_ms());
		break;
	case TLS_EVENT_FINISHED:
		if (hold != NULL && transfer->exchanging)
			send_hold_event(hold, EVENT_ANSWERED, clock_now_ms());
		transfer->exchanging = false;
		break;
	case TLS_EVENT_ALERT_IN:
		if (event->alert != 0) /* close_notify is not an error */
			transfer->result->alert = event->alert;
		break;
	case TLS_EVENT_DECLINED: /* there may have been a certificate that did not fit */
		transfer->ask.declined = true;
		if (transfer->result->ask_count > 0 && transfer->result->ask_count <= SEND_ASKS_MAX)
			transfer->result->asks[transfer->result->ask_count - 1].declined = true;
		break;
	case TLS_EVENT_SIGNED:
		see_signature(transfer, event->signed_ms);
		break;
	case TLS_EVENT_KEY_FAILED:
		transfer->result->key_failed = true;
		(void)snprintf(transfer->result->key_reason, sizeof(transfer->result->key_reason), "%s", event->reason);
		break;
	case TLS_EVENT_HELLO_REQUEST:
	case TLS_EVENT_GIVEN:
	case TLS_EVENT_ALERT_OUT:
		break;
	}
}

void transfer_begins(void *arg)
{
	struct transfer *transfer = arg;

	if (!transfer->running)
		return;
	transfer->begun = true;
	transfer->answered = false; /* an earlier request may have been a step of the login */
	send_hold_begin(&transfer->hold, transfer->result->expected, &transfer->known, clock_now_ms());
}

void transfer_waits(void *arg)
{
	struct transfer *transfer = arg;
	uint64_t now = clock_now_ms();

	if (now - transfer->told_ms < TURN_MS)
		return;
	transfer->told_ms = now;
	tell(transfer, (struct send_news){.kind = SEND_NEWS_PROGRESS,
					  .total = transfer->result->total,
					  .waits = SEND_WAITS_PRIMING,
					  .waited_ms = now - transfer->primes_from_ms});
}

/* ---- how far it came ---- */

/* Bytes that libcurl or the system still hold have not arrived yet. TLS overhead is negligible. */
static uint64_t arrived(const struct transfer *transfer)
{
	curl_off_t out = 0;
	uint64_t given = send_body_given(transfer->body), unsent = helper_unsent(transfer->helper);

	if (curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &out) == CURLE_OK && (uint64_t)out < given)
		given = (uint64_t)out;
	return given > unsent ? given - unsent : 0;
}

/* Never decreases: libcurl's count restarts when it sends again. */
static void count_sent(struct transfer *transfer)
{
	uint64_t sent = transfer->closed ? 0 : arrived(transfer);

	if (sent > transfer->result->sent)
		transfer->result->sent = sent;
}

void transfer_closes(void *arg)
{
	struct transfer *transfer = arg;

	if (!transfer->running || !transfer->begun)
		return;
	count_sent(transfer);
	transfer->closed = true;
}

/* ---- what libcurl calls ---- */

static size_t on_read(char *into, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;

	transfer->paused = transfer->hold.gate != GATE_OPEN;
	if (transfer->paused)
		return CURL_READFUNC_PAUSE;
	ssize_t got = send_body_read(transfer->body, into, size * count);
	transfer->starved = got == BODY_WAITS;
	transfer->paused = transfer->starved;
	if (got == BODY_BROKEN)
		return CURL_READFUNC_ABORT;
	return got == BODY_WAITS ? CURL_READFUNC_PAUSE : (size_t)got;
}

/*
 * libcurl wants the beginning. 8.14 asks for that at the start of an attempt whose predecessor had begun with
 * the body, and there it is already. After a response, as a 417, it would send what was never decided: it may not,
 * except after a Digest challenge that refuses nothing but the age of the nonce (RFC 7616 3.3).
 */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct transfer *transfer = arg;
	bool begin = offset == 0 && origin == SEEK_SET;
	bool there = begin && !transfer->answered && send_body_given(transfer->body) == 0;

	if (begin && transfer->status == 401 && transfer->result->stale && send_body_can_rewind(transfer->body))
		there = send_body_rewind(transfer->body);
	return there ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* In seconds; a date is converted. */
static uint64_t retry_after(CURL *easy)
{
	struct curl_header *field = NULL;
	curl_off_t seconds = 0;

	if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0)
		return (uint64_t)seconds;
	if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &field) != CURLHE_OK)
		return 0;
	size_t digits = strspn(field->value, "0123456789");
	bool huge = digits > 9 && field->value[digits] == '\0'; /* libcurl treats it as no value */
	return huge ? RETRY_AFTER_HUGE_S : 0;
}

bool transfer_may_repeat(const struct transfer *transfer, enum send_cause cause, long status)
{
	struct send_attempt facts = {
		.cause = cause,
		.status = status,
		.idempotent = strcmp(transfer->options->method, "PUT") == 0,
		.touched = send_body_given(transfer->body) > 0 || send_body_whole(transfer->body),
		.rewindable = send_body_can_rewind(transfer->body),
		.answered = transfer->answered,
		.retry_after_s = transfer->result->retry_after_s,
		.alert = transfer->result->alert,
	};

	return send_may_retry(&facts);
}

bool transfer_may_retry(const struct transfer *transfer, enum send_cause cause, long status)
{
	return transfer->result->attempts - transfer->result->followed <= transfer->options->retries &&
	       transfer_may_repeat(transfer, cause, status);
}

/* False: it cannot be written. */
static bool take_head(struct transfer *transfer)
{
	const struct send_options *options = transfer->options;
	struct curl_header *field = NULL;
	bool ok = options->take_head(options->arg, transfer->first_line, strlen(transfer->first_line));

	while (ok && (field = curl_easy_nextheader(transfer->easy, CURLH_HEADER, -1, field)) != NULL) {
		char *line = NULL;
		int len = asprintf(&line, "%s: %s\r\n", field->name, field->value);
		ok = len > 0 && options->take_head(options->arg, line, (size_t)len);
		free(len > 0 ? line : NULL);
	}
	return ok && options->take_head(options->arg, "\r\n", 2);
}

/* Relative to the user's URL: with --sni libcurl's URL has another host. */
static void see_location(struct transfer *transfer)
{
	struct send_result *result = transfer->result;
	struct curl_header *field = NULL;
	const char *shown = NULL;
	char *target = NULL;

	result->location[0] = '\0';
	if (transfer->status / 100 != 3)
		return;
	if (curl_easy_header(transfer->easy, "Location", 0, CURLH_HEADER, -1, &field) == CURLHE_OK)
		shown = target = send_url_join(transfer->options->url, field->value);
	if (field != NULL && target == NULL) /* not a URL: kept unchanged */
		shown = field->value;
	if (shown != NULL && strlen(shown) < sizeof(result->location))
		(void)snprintf(result->location, sizeof(result->location), "%s", shown);
	result->follow = send_follows(transfer->options, transfer->status, result->location, result->followed,
				      send_body_can_rewind(transfer->body));
	if (result->follow == SEND_FOLLOW && target == NULL)
		result->follow = SEND_FOLLOW_SCHEME;
	free(target);
}

/* At the end of a head: of a final response that is not followed by another request. */
static bool take_whole_head(struct transfer *transfer)
{
	if (transfer->status < 200)
		return true;
	transfer->result->retry_after_s = retry_after(transfer->easy);
	see_location(transfer);
	transfer->passes = transfer_may_retry(transfer, SEND_REFUSED, transfer->status) ||
			   (transfer->status / 100 == 3 && transfer->result->follow == SEND_FOLLOW);
	bool wanted = transfer->options->include && !transfer->passes;

	transfer->out_failed = transfer->out_failed || (wanted && !take_head(transfer));
	return !transfer->out_failed;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * count;
	long status = 0;

	transfer->head_len += len;
	transfer->head_lines++;
	transfer->head_too_large = transfer->head_len > TRANSFER_HEAD_MAX || transfer->head_lines > TRANSFER_LINES_MAX;
	if (transfer->head_too_large)
		return 0;
	for (size_t at = 0; len > 12 && memcmp(line, "HTTP/1.", 7) == 0 && at < 3; at++) {
		char digit = line[9 + at];
		status = digit >= '0' && digit <= '9' ? status * 10 + (digit - '0') : 0;
	}
	if (status != 0)
		transfer->status = status;
	if (status != 0)
		(void)snprintf(transfer->first_line, sizeof(transfer->first_line), "%.*s\r\n",
			       (int)(strcspn(line, "\r\n") < len ? strcspn(line, "\r\n") : len), line);
	answer_line(transfer->result, line, len);
	if (status == 100)
		send_hold_event(&transfer->hold, EVENT_CONTINUE, clock_now_ms());
	transfer->answered = transfer->answered || status >= 200;
	bool end = line[0] == '\r' || line[0] == '\n';
	return end && !take_whole_head(transfer) ? 0 : len;
}

static size_t on_response(char *bytes, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * count;

	answer_body(transfer->result, bytes, len);
	if (transfer->passes)
		return len;
	if (transfer->options->take != NULL && !transfer->options->take(transfer->options->arg, bytes, len)) {
		transfer->out_failed = true;
		return CURL_WRITEFUNC_ERROR;
	}
	return len;
}

bool transfer_prepare(struct transfer *transfer)
{
	CURL *easy = transfer->easy;

	return curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_READDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer) == CURLE_OK &&
	       /* a proxy's response to CONNECT is not a response to the upload */
	       curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_response) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK;
}

/* ---- progress ---- */

static void tell_progress(struct transfer *transfer, bool now)
{
	uint64_t ms = clock_now_ms();

	count_sent(transfer);
	if (!now && ms - transfer->told_ms < TURN_MS)
		return;
	transfer->told_ms = ms;
	bool whole = send_body_whole(transfer->body) && helper_unsent(transfer->helper) == 0;
	tell(transfer, (struct send_news){.kind = SEND_NEWS_PROGRESS,
					  .sent = transfer->result->sent,
					  .total = transfer->result->total,
					  .waits = whole ? SEND_WAITS_RESPONSE : SEND_WAITS_NOT,
					  .waited_ms = whole ? helper_quiet_ms(transfer->helper) : 0});
}

/* ---- the loop ---- */

static enum helper_turn turn_of(const struct transfer *transfer)
{
	bool waits = transfer->paused || send_body_whole(transfer->body);

	if (!transfer->begun || transfer->exchanging || helper_unsent(transfer->helper) > 0)
		return HELPER_OURS;
	if (transfer->starved || (!waits && transfer->options->limit_rate > 0))
		return HELPER_NOBODY;
	return waits ? HELPER_THEIRS : HELPER_OURS;
}

/* False: the loop ends. */
static bool go_on(struct transfer *transfer)
{
	uint64_t now = clock_now_ms();

	if (!helper_watch(transfer->helper, turn_of(transfer)))
		return false;
	if (transfer->begun)
		send_hold_event(&transfer->hold, EVENT_TIME, now);
	tell_progress(transfer, false);
	return now < transfer->deadline_ms;
}

/* The gate has opened, or standard input has data: libcurl may read the body again. */
static bool may_resume(const struct transfer *transfer)
{
	struct pollfd input = {.fd = send_body_fd(transfer->body), .events = POLLIN};

	return transfer->paused && transfer->hold.gate == GATE_OPEN && (!transfer->starved || poll(&input, 1, 0) > 0);
}

/* Waits for the connection, and for standard input if that has no data. */
static CURLMcode wait_turn(struct transfer *transfer, CURLM *multi)
{
	struct curl_waitfd input = {.fd = send_body_fd(transfer->body), .events = CURL_WAIT_POLLIN};
	bool hungry = transfer->starved && transfer->paused;
	uint64_t now = clock_now_ms(), until = transfer->begun ? transfer->hold.deadline_ms : THAW_NEVER;
	int ms = until < now + TURN_MS ? (int)(until > now ? until - now : 0) : TURN_MS;

	return curl_multi_poll(multi, &input, hungry ? 1 : 0, ms, NULL);
}

static CURLcode loop(struct transfer *transfer, CURLM *multi)
{
	int running = 1, left = 0;

	while (running > 0) {
		if (curl_multi_perform(multi, &running) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
		if (running == 0)
			break;
		if (!go_on(transfer))
			return CURLE_OPERATION_TIMEDOUT;
		if (may_resume(transfer) && curl_easy_pause(transfer->easy, CURLPAUSE_CONT) != CURLE_OK)
			return CURLE_OUT_OF_MEMORY;
		if (wait_turn(transfer, multi) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
	}
	const CURLMsg *message = curl_multi_info_read(multi, &left);
	return message != NULL && message->msg == CURLMSG_DONE ? message->data.result : CURLE_OUT_OF_MEMORY;
}

void transfer_run(struct transfer *transfer, bool expects, const struct send_known *known)
{
	CURLM *multi = curl_multi_init();
	CURLcode code = CURLE_OUT_OF_MEMORY;

	transfer->begun = transfer->closed = transfer->paused = transfer->starved = transfer->answered = false;
	transfer->error[0] = '\0';
	transfer->status = 0;
	transfer->passes = transfer->head_too_large = false;
	transfer->head_len = transfer->head_lines = 0;
	transfer->result->location[0] = '\0';
	transfer->result->follow = SEND_FOLLOW_STATUS;
	transfer->result->sent = 0;
	answer_begin(transfer->result);
	transfer->result->err.cls = THAW_ERR_NONE;
	transfer->result->expected = expects;
	transfer->known = *known;
	transfer->hold = (struct send_hold){.gate = GATE_HEAD};
	transfer->running = true;
	if (multi != NULL && curl_multi_add_handle(multi, transfer->easy) == CURLM_OK) {
		code = loop(transfer, multi);
		tell_progress(transfer, true);
		helper_keep(transfer->helper);
		conclude(transfer, code);
		(void)curl_multi_remove_handle(multi, transfer->easy);
	} else {
		conclude(transfer, code);
	}
	transfer->running = false;
	if (multi != NULL)
		(void)curl_multi_cleanup(multi);
}
