/* The states of a trial, one function each. */
#include <stdio.h>
#include <string.h>

#include "probe/trial_inside.h"

#define RECORD_MAX 16384
#define TURN_MAX   262144

/* Maximum bytes read of a response. */
#define RESPONSE_MAX 1048576

/* How much a client that reads while it writes sends before it reads again, like curl. */
#define LOOK_EVERY 65536

/* ---- writing ---- */

/* Like tls_client_write(); stores what it waits for. */
static enum thaw_status put(struct trial *trial, const char *data, size_t len, size_t *done)
{
	enum thaw_status status = tls_client_write(trial->client, data, len, done, &trial->err);

	trial->wants = status == THAW_WANT_READ || status == THAW_WANT_WRITE ? status : THAW_OK;
	return status;
}

static const char *agent_of(const struct trial_script *script)
{
	return script->agent != NULL ? script->agent : "thaw-probe";
}

static void begin_head(struct trial *trial, const char *method, const char *target, const char *more)
{
	const struct trial_script *script = &trial->script;
	const char *agent = agent_of(script);
	bool named = agent[0] != '\0';
	int len = snprintf(trial->head, sizeof(trial->head),
			   "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s%sAccept: */*\r\n%s%s\r\n", method, target,
			   script->authority, named ? "User-Agent: " : "", agent, named ? "\r\n" : "", script->fields,
			   more);

	trial->head_at = 0;
	trial->head_len = len > 0 && (size_t)len < sizeof(trial->head) ? (size_t)len : 0;
	reply_init(&trial->reply, strcmp(method, "HEAD") == 0);
}

static void begin_request(struct trial *trial)
{
	const struct trial_script *script = &trial->script;
	char more[96] = "";

	if (script->has_body)
		(void)snprintf(more, sizeof(more), "Content-Length: %llu\r\n%s", (unsigned long long)script->length,
			       script->expect != TRIAL_NO_EXPECT ? "Expect: 100-continue\r\n" : "");
	begin_head(trial, script->method, script->target, more);
	/* An eager body arrives together with its head. */
	if (script->expect == TRIAL_EAGER && script->length > 0)
		meter_cork(&trial->meter);
}

/* A truncated head would not be a valid request. */
static bool is_too_long(struct trial *trial)
{
	if (trial->head_len > 0)
		return false;
	(void)snprintf(trial->result.detail, sizeof(trial->result.detail), "the request's head is too long");
	trial_finish(trial, TRIAL_PENDING);
	return true;
}

/* THAW_OK: written, except for tls_client_unsent(). */
static enum thaw_status put_head(struct trial *trial)
{
	while (trial->head_at < trial->head_len) {
		size_t done = 0;
		enum thaw_status status =
			put(trial, trial->head + trial->head_at, trial->head_len - trial->head_at, &done);
		trial->head_at += done;
		if (status != THAW_OK)
			return status;
	}
	return THAW_OK;
}

/* ---- the handshake ---- */

static enum trial_turn shaken(struct trial *trial)
{
	const struct trial_script *script = &trial->script;
	struct trial_result *result = &trial->result;
	char alpn[TLS_ALPN_MAX + 1];

	result->version = strcmp(tls_client_version(trial->client), "TLSv1.3") == 0 ? 13 : 12;
	result->resumed = tls_client_resumed(trial->client);
	result->distrust = tls_client_distrust(trial->client);
	tls_client_alpn(trial->client, alpn);
	(void)snprintf(result->alpn, sizeof(result->alpn), "%.*s", (int)sizeof(result->alpn) - 1, alpn);
	trial_note(trial, LINE_SECURED, result->version);
	if (script->http2 && strcmp(alpn, "h2") != 0) {
		trial_finish(trial, TRIAL_NO_HTTP2);
	} else if (script->http2) {
		trial_enter(trial, TS_H2);
	} else if (script->renegotiates) {
		trial_enter(trial, TS_RENEGOTIATE);
		if (tls_client_renegotiate(trial->client, &trial->err) != THAW_OK)
			trial_finish(trial, TRIAL_NOT_RENEGOTIATED);
	} else if (script->prime != NULL) {
		begin_head(trial, "HEAD", script->prime, "");
		trial_enter(trial, TS_PRIME);
	} else {
		begin_request(trial);
		trial_enter(trial, TS_HEAD);
	}
	return TURN_MOVED;
}

/* TLS records begin with 20 to 23 (RFC 8446 5.1). */
static bool is_tls(const struct meter *meter)
{
	return !meter->said_something || (meter->first >= 20 && meter->first <= 23);
}

static void shake_failed(struct trial *trial)
{
	enum trial_outcome outcome = TRIAL_SHAKE_FAILED;

	trial->ended = true;
	if ((trial->meter.read_error != 0 || trial->meter.ended) && !trial->meter.said_something)
		outcome = TRIAL_UNREACHABLE; /* some systems reset or close a connection instead of refusing it */
	else if (!is_tls(&trial->meter))
		outcome = TRIAL_NOT_TLS;
	else if (trial->err.cls == THAW_ERR_RESOURCE)
		outcome = TRIAL_NO_MEMORY;
	else if (trial->result.alert == 0 && tls_client_distrust(trial->client) != NULL)
		outcome = TRIAL_UNTRUSTED;
	if (outcome == TRIAL_UNREACHABLE)
		(void)snprintf(trial->result.detail, sizeof(trial->result.detail),
			       "the connection was %s before any TLS data was received",
			       trial->meter.read_error != 0 ? "reset" : "closed");
	if (outcome == TRIAL_UNTRUSTED)
		(void)snprintf(trial->result.detail, sizeof(trial->result.detail), "%s",
			       tls_client_distrust(trial->client));
	trial_finish(trial, outcome);
}

enum trial_turn trial_run_shake(struct trial *trial)
{
	enum thaw_status status = tls_client_handshake(trial->client, &trial->err);

	if (trial->line.moment_count == 0 && trial->meter.up > 0)
		trial_note(trial, LINE_CONNECTED, 0);
	if (status == THAW_OK)
		return shaken(trial);
	if (trial->meter.write_error != 0 && !trial->meter.said_something && trial->meter.up == 0) {
		(void)snprintf(trial->result.detail, sizeof(trial->result.detail), "%s",
			       strerror(trial->meter.write_error));
		trial_finish(trial, TRIAL_UNREACHABLE);
		return TURN_MOVED;
	}
	trial->wants = status;
	if (status == THAW_WANT_READ || status == THAW_WANT_WRITE)
		return TURN_WAIT;
	shake_failed(trial);
	return TURN_MOVED;
}

/* Complete when a second Finished of ours is sent. */
enum trial_turn trial_run_renegotiate(struct trial *trial)
{
	if (!trial_hear(trial))
		return TURN_MOVED;
	if (trial->exchanges > 1)
		trial_finish(trial, TRIAL_RENEGOTIATED);
	else if (trial->ended)
		trial_finish(trial, TRIAL_NOT_RENEGOTIATED);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

/* ---- priming ---- */

enum trial_turn trial_run_prime(struct trial *trial)
{
	if (is_too_long(trial))
		return TURN_MOVED;
	if (put_head(trial) != THAW_OK && trial->meter.write_error == 0 && trial->wants != THAW_OK)
		return TURN_WAIT;
	trial_note(trial, LINE_PRIME, 0);
	trial_enter(trial, TS_PRIMED);
	return TURN_MOVED;
}

enum trial_turn trial_run_primed(struct trial *trial)
{
	if (!trial_hear(trial))
		return TURN_MOVED;
	if (trial->reply.done && trial->reply.stays && !trial->ended) {
		begin_request(trial);
		trial_enter(trial, TS_HEAD);
		return TURN_MOVED;
	}
	if (trial->reply.done) {
		trial_finish(trial, TRIAL_UNPRIMED);
		return TURN_MOVED;
	}
	if (!trial->ended)
		return TURN_WAIT;
	trial_finish_cut(trial);
	return TURN_MOVED;
}

/* ---- the request ---- */

/* The next state after the head. */
static enum trial_state behind_head(const struct trial_script *script)
{
	if (!script->has_body || script->length == 0)
		return TS_RESPONSE;
	if (script->expect == TRIAL_WAITS)
		return TS_EXPECT;
	return script->pauses ? TS_PAUSE : TS_BODY;
}

enum trial_turn trial_run_head(struct trial *trial)
{
	if (is_too_long(trial))
		return TURN_MOVED;
	if (put_head(trial) != THAW_OK && trial->meter.write_error == 0 && trial->wants != THAW_OK)
		return TURN_WAIT;
	trial_note(trial, LINE_HEAD, 0);
	trial_enter(trial, trial->head_at == trial->head_len ? behind_head(&trial->script) : TS_RESPONSE);
	return TURN_MOVED;
}

/* Whether to stop sending the body: the response is there, or writing has failed. */
static bool is_settled(const struct trial *trial)
{
	return trial->reply.in_body || trial->ended || trial->meter.write_error != 0;
}

/* Over TLS 1.3 an ask is answered in the same turn; over TLS 1.2 a handshake with several flights follows. */
enum trial_turn trial_run_pause(struct trial *trial)
{
	if (!trial_hear(trial))
		return TURN_MOVED;
	bool answered = trial->result.asked >= TRIAL_AT_HEADERS && (trial->result.given || trial->result.declined) &&
			!tls_client_handshaking(trial->client);
	if (is_settled(trial))
		trial_enter(trial, TS_RESPONSE);
	else if (answered)
		trial_enter(trial, TS_BODY);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

enum trial_turn trial_run_expect(struct trial *trial)
{
	if (!trial_hear(trial))
		return TURN_MOVED;
	if (is_settled(trial))
		trial_enter(trial, TS_RESPONSE);
	else if (trial->result.continued)
		trial_enter(trial, TS_BODY);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

/* THAW_OK: all of it is written, or as much as the client writes before it reads. */
static enum thaw_status put_body(struct trial *trial)
{
	static const char text[RECORD_MAX + 1] = "";
	struct trial_result *result = &trial->result;
	uint64_t left = trial->script.length - result->body_out;

	for (size_t turn = 0; left > 0 && turn < LOOK_EVERY;) {
		size_t done = 0;
		enum thaw_status status = put(trial, text, left < RECORD_MAX ? (size_t)left : RECORD_MAX, &done);
		if (done > 0 && result->body_out == 0)
			trial_note(trial, LINE_BODY_BEGAN, 0);
		result->body_out += done;
		left -= done;
		turn += done;
		if (status != THAW_OK)
			return status;
	}
	return THAW_OK;
}

static enum trial_turn body_sent(struct trial *trial)
{
	meter_uncork(&trial->meter);
	trial_note(trial, LINE_BODY_ENDED, trial->result.body_out);
	trial_enter(trial, TS_RESPONSE);
	return TURN_MOVED;
}

enum trial_turn trial_run_body(struct trial *trial)
{
	bool reads = trial->script.style == TRIAL_READS;

	for (size_t turn = 0; turn < TURN_MAX; turn += LOOK_EVERY) {
		if (reads && trial->result.body_out > 0 && !trial_hear(trial))
			return TURN_MOVED;
		if (is_settled(trial)) {
			trial_enter(trial, TS_RESPONSE);
			return TURN_MOVED;
		}
		enum thaw_status status = put_body(trial);
		bool all = trial->result.body_out == trial->script.length;
		if (all && (reads || tls_client_unsent(trial->client) == 0))
			return body_sent(trial);
		if (status == THAW_FAILED || status == THAW_CLOSED) {
			trial_enter(trial, TS_RESPONSE);
			return TURN_MOVED;
		}
		if (status != THAW_OK || all)
			return TURN_WAIT;
	}
	trial->wants = THAW_WANT_WRITE; /* let others run */
	return TURN_WAIT;
}

/* This side sends nothing more; from now on the server's patience is measured. */
static bool withhold(struct trial *trial)
{
	struct trial_result *result = &trial->result;

	if (!trial->script.withholds || trial->ended || timeline_find(&trial->line, LINE_ASKED) == NULL)
		return false;
	result->outcome = TRIAL_WITHHELD;
	trial->stalled_ms = trial->now_ms;
	trial->stalled_as = TRIAL_WITHHELD;
	trial->stalled_in = trial->state;
	trial_note(trial, LINE_STALL, result->body_out);
	trial_enter(trial, TS_HOLD);
	return true;
}

enum trial_turn trial_run_response(struct trial *trial)
{
	if (!trial_hear(trial) || withhold(trial))
		return TURN_MOVED;
	/* A response before the end of the request is final with its head: some servers never send the end of its
	 * body. */
	bool cut = trial->reply.in_body &&
		   (trial->ended || trial->result.body_out < trial->script.length || trial->heard > RESPONSE_MAX);
	if (trial->reply.done && trial->script.lingers && !trial->ended)
		trial_enter(trial, TS_LINGER);
	else if (trial->reply.done || cut)
		trial_finish(trial, TRIAL_ANSWERED);
	else if (trial->ended)
		trial_finish_cut(trial);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

/* An ask after the response is answered before the connection is closed. */
enum trial_turn trial_run_linger(struct trial *trial)
{
	const struct trial_result *result = &trial->result;

	if (!trial_hear(trial) || withhold(trial))
		return TURN_MOVED;
	bool answered = (result->asked == TRIAL_AFTER_RESPONSE) && (result->given || result->declined) &&
			!tls_client_handshaking(trial->client) && tls_client_unsent(trial->client) == 0;
	if (!trial->ended && !answered)
		return TURN_WAIT;
	trial_finish(trial, TRIAL_ANSWERED);
	return TURN_MOVED;
}

/* ---- HTTP/2 ---- */

static bool h2_write(struct trial *trial)
{
	const uint8_t *bytes = NULL;
	size_t len;

	while ((len = http_h2_client_pull(trial->h2, &bytes)) > 0) {
		size_t done = 0;
		enum thaw_status status = put(trial, (const char *)bytes, len, &done);
		http_h2_client_pulled(trial->h2, done);
		if (status != THAW_OK)
			return status == THAW_WANT_READ || status == THAW_WANT_WRITE;
	}
	return true;
}

static bool h2_read(struct trial *trial)
{
	char data[RECORD_MAX];
	size_t len = 0;
	enum thaw_status status;

	while ((status = tls_client_read(trial->client, data, sizeof(data), &len, &trial->err)) == THAW_OK)
		if (!http_h2_client_push(trial->h2, data, len))
			return false;
	trial->ended = status == THAW_CLOSED || status == THAW_FAILED;
	return true;
}

static void h2_garbled(struct trial *trial)
{
	(void)snprintf(trial->result.detail, sizeof(trial->result.detail), "the response is not HTTP/2");
	trial_finish(trial, TRIAL_GARBLED);
}

static void h2_finish(struct trial *trial, const struct http_h2_response *answer)
{
	struct trial_result *result = &trial->result;

	result->status = answer->status;
	result->h2_error = answer->error;
	memcpy(result->server, answer->server, sizeof(answer->server));
	trial_finish(trial, answer->reset ? TRIAL_H2_RESET : TRIAL_ANSWERED);
}

enum trial_turn trial_run_h2(struct trial *trial)
{
	const struct http_h2_request request = {.method = trial->script.method,
						.authority = trial->script.authority,
						.path = trial->script.target,
						.user_agent = agent_of(&trial->script)};
	struct http_h2_response answer;

	if (trial->h2 == NULL && (trial->h2 = http_h2_client_new(&request)) == NULL) {
		trial_finish(trial, TRIAL_NO_MEMORY);
		return TURN_MOVED;
	}
	bool broken = h2_write(trial) && !h2_read(trial);
	if (!h2_write(trial)) /* processes the received frames */
		trial->ended = true;
	http_h2_client_response(trial->h2, &answer);
	if (broken || answer.broken)
		h2_garbled(trial);
	else if (answer.over || answer.status >= 200) /* its body is not needed */
		h2_finish(trial, &answer);
	else if (trial->ended)
		trial_finish_cut(trial);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

/* ---- after a stall ---- */

/* With the certificate withheld OpenSSL reads nothing more. Any received data is the server's last message; its
 * content does not matter. */
static bool has_given_up(struct trial *trial)
{
	char data[RECORD_MAX];

	if (!trial->script.withholds)
		return trial->ended || trial->reply.in_body;
	ssize_t got = trial->transport.ops->read(trial->transport.io, data, sizeof(data));
	trial->ended = trial->ended || got == TRANSPORT_END || got == TRANSPORT_BROKEN;
	return trial->ended || got > 0;
}

/* The server reads again: it took everything, or more than the last record. */
static bool reads_again(const struct trial *trial)
{
	bool all = trial->acked == trial->meter.up && tls_client_unsent(trial->client) == 0;

	return trial->stalled_in == TS_BODY && trial->stalled_as != TRIAL_WITHHELD && trial->meter.write_error == 0 &&
	       trial->acked > trial->stalled_acked && (all || trial->acked - trial->stalled_acked > RECORD_MAX);
}

enum trial_turn trial_run_hold(struct trial *trial)
{
	struct trial_result *result = &trial->result;

	if (!trial->script.withholds && !trial_hear(trial))
		return TURN_MOVED;
	bool over = has_given_up(trial);
	if (!over && !reads_again(trial))
		return TURN_WAIT;
	result->held_ms = (uint32_t)(trial->now_ms - trial->stalled_ms);
	if (!over) {
		trial->reads_on = true;
		result->outcome = TRIAL_PENDING;
		trial_enter(trial, TS_BODY);
		return TURN_MOVED;
	}
	/* An error response before the end of the request means that the server gave up; after it, it is the
	 * response. */
	bool whole = trial->stalled_as == TRIAL_SILENCE && result->taken_whole;
	result->answered_late = trial->reply.in_body && (trial->reply.status < 400 || whole);
	result->gave_up = !result->answered_late;
	if (result->answered_late)
		result->outcome = TRIAL_ANSWERED; /* only slow */
	trial_finish(trial, trial->stalled_as);
	return TURN_MOVED;
}
