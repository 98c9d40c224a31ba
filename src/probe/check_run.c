/* The states of a check, one function each. */
#include <stdio.h>
#include <string.h>

#include "probe/check_inside.h"

#define RECORD_MAX 16384
#define TURN_MAX   262144

/* Maximum bytes read of a response. */
#define RESPONSE_MAX 1048576

/* How much a client that reads while it writes sends before it reads again, like curl. */
#define LOOK_EVERY 65536

/* ---- writing ---- */

/* Like tls_client_write(); stores what it waits for. */
static enum thaw_status put(struct check *check, const char *data, size_t len, size_t *done)
{
	enum thaw_status status = tls_client_write(check->client, data, len, done, &check->err);

	check->wants = status == THAW_WANT_READ || status == THAW_WANT_WRITE ? status : THAW_OK;
	return status;
}

static const char *agent_of(const struct check_script *script)
{
	return script->agent != NULL ? script->agent : "thaw-probe";
}

static void begin_head(struct check *check, const char *method, const char *target, const char *more)
{
	const struct check_script *script = &check->script;
	const char *agent = agent_of(script);
	bool named = agent[0] != '\0';
	int len = snprintf(check->head, sizeof(check->head),
			   "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s%sAccept: */*\r\n%s%s\r\n", method, target,
			   script->authority, named ? "User-Agent: " : "", agent, named ? "\r\n" : "", script->fields,
			   more);

	check->head_at = 0;
	check->head_len = len > 0 && (size_t)len < sizeof(check->head) ? (size_t)len : 0;
	reply_init(&check->reply, strcmp(method, "HEAD") == 0);
}

static void begin_request(struct check *check)
{
	const struct check_script *script = &check->script;
	char more[96] = "";

	if (script->has_body)
		(void)snprintf(more, sizeof(more), "Content-Length: %llu\r\n%s", (unsigned long long)script->length,
			       script->expect != CHECK_NO_EXPECT ? "Expect: 100-continue\r\n" : "");
	begin_head(check, script->method, script->target, more);
	/* An eager body arrives together with its head. */
	if (script->expect == CHECK_EAGER && script->length > 0)
		meter_cork(&check->meter);
}

/* A truncated head would not be a valid request. */
static bool is_too_long(struct check *check)
{
	if (check->head_len > 0)
		return false;
	(void)snprintf(check->result.detail, sizeof(check->result.detail), "the request's head is too long");
	check_finish(check, CHECK_PENDING);
	return true;
}

/* THAW_OK: written, except for tls_client_unsent(). */
static enum thaw_status put_head(struct check *check)
{
	while (check->head_at < check->head_len) {
		size_t done = 0;
		enum thaw_status status =
			put(check, check->head + check->head_at, check->head_len - check->head_at, &done);
		check->head_at += done;
		if (status != THAW_OK)
			return status;
	}
	return THAW_OK;
}

/* ---- the handshake ---- */

static enum check_turn shaken(struct check *check)
{
	const struct check_script *script = &check->script;
	struct check_result *result = &check->result;
	char alpn[TLS_ALPN_MAX + 1];

	result->version = strcmp(tls_client_version(check->client), "TLSv1.3") == 0 ? 13 : 12;
	result->resumed = tls_client_resumed(check->client);
	result->distrust = tls_client_distrust(check->client);
	tls_client_alpn(check->client, alpn);
	(void)snprintf(result->alpn, sizeof(result->alpn), "%.*s", (int)sizeof(result->alpn) - 1, alpn);
	check_note(check, LINE_SECURED, result->version);
	if (script->http2 && strcmp(alpn, "h2") != 0) {
		check_finish(check, CHECK_NO_HTTP2);
	} else if (script->http2) {
		check_enter(check, TS_H2);
	} else if (script->renegotiates) {
		check_enter(check, TS_RENEGOTIATE);
		if (tls_client_renegotiate(check->client, &check->err) != THAW_OK)
			check_finish(check, CHECK_NOT_RENEGOTIATED);
	} else if (script->prime != NULL) {
		begin_head(check, "HEAD", script->prime, "");
		check_enter(check, TS_PRIME);
	} else {
		begin_request(check);
		check_enter(check, TS_HEAD);
	}
	return TURN_MOVED;
}

/* TLS records begin with 20 to 23 (RFC 8446 5.1). */
static bool is_tls(const struct meter *meter)
{
	return !meter->said_something || (meter->first >= 20 && meter->first <= 23);
}

static void shake_failed(struct check *check)
{
	enum check_outcome outcome = CHECK_SHAKE_FAILED;

	check->ended = true;
	if ((check->meter.read_error != 0 || check->meter.ended) && !check->meter.said_something)
		outcome = CHECK_UNREACHABLE; /* some systems reset or close a connection instead of refusing it */
	else if (!is_tls(&check->meter))
		outcome = CHECK_NOT_TLS;
	else if (check->err.cls == THAW_ERR_RESOURCE)
		outcome = CHECK_NO_MEMORY;
	else if (check->result.alert == 0 && tls_client_distrust(check->client) != NULL)
		outcome = CHECK_UNTRUSTED;
	if (outcome == CHECK_UNREACHABLE)
		(void)snprintf(check->result.detail, sizeof(check->result.detail),
			       "the connection was %s before any TLS data was received",
			       check->meter.read_error != 0 ? "reset" : "closed");
	if (outcome == CHECK_UNTRUSTED)
		(void)snprintf(check->result.detail, sizeof(check->result.detail), "%s",
			       tls_client_distrust(check->client));
	check_finish(check, outcome);
}

enum check_turn check_run_shake(struct check *check)
{
	enum thaw_status status = tls_client_handshake(check->client, &check->err);

	if (check->line.moment_count == 0 && check->meter.up > 0)
		check_note(check, LINE_CONNECTED, 0);
	if (status == THAW_OK)
		return shaken(check);
	if (check->meter.write_error != 0 && !check->meter.said_something && check->meter.up == 0) {
		(void)snprintf(check->result.detail, sizeof(check->result.detail), "%s",
			       strerror(check->meter.write_error));
		check_finish(check, CHECK_UNREACHABLE);
		return TURN_MOVED;
	}
	check->wants = status;
	if (status == THAW_WANT_READ || status == THAW_WANT_WRITE)
		return TURN_WAIT;
	shake_failed(check);
	return TURN_MOVED;
}

/* Complete when a second Finished of ours is sent. */
enum check_turn check_run_renegotiate(struct check *check)
{
	if (!check_hear(check))
		return TURN_MOVED;
	if (check->exchanges > 1)
		check_finish(check, CHECK_RENEGOTIATED);
	else if (check->ended)
		check_finish(check, CHECK_NOT_RENEGOTIATED);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

/* ---- priming ---- */

enum check_turn check_run_prime(struct check *check)
{
	if (is_too_long(check))
		return TURN_MOVED;
	if (put_head(check) != THAW_OK && check->meter.write_error == 0 && check->wants != THAW_OK)
		return TURN_WAIT;
	check_note(check, LINE_PRIME, 0);
	check_enter(check, TS_PRIMED);
	return TURN_MOVED;
}

enum check_turn check_run_primed(struct check *check)
{
	if (!check_hear(check))
		return TURN_MOVED;
	if (check->reply.done && check->reply.stays && !check->ended) {
		begin_request(check);
		check_enter(check, TS_HEAD);
		return TURN_MOVED;
	}
	if (check->reply.done) {
		check_finish(check, CHECK_UNPRIMED);
		return TURN_MOVED;
	}
	if (!check->ended)
		return TURN_WAIT;
	check_finish_cut(check);
	return TURN_MOVED;
}

/* ---- the request ---- */

/* The next state after the head. */
static enum check_state behind_head(const struct check_script *script)
{
	if (!script->has_body || script->length == 0)
		return TS_RESPONSE;
	if (script->expect == CHECK_WAITS)
		return TS_EXPECT;
	return script->pauses ? TS_PAUSE : TS_BODY;
}

enum check_turn check_run_head(struct check *check)
{
	if (is_too_long(check))
		return TURN_MOVED;
	if (put_head(check) != THAW_OK && check->meter.write_error == 0 && check->wants != THAW_OK)
		return TURN_WAIT;
	check_note(check, LINE_HEAD, 0);
	check_enter(check, check->head_at == check->head_len ? behind_head(&check->script) : TS_RESPONSE);
	return TURN_MOVED;
}

/* Whether to stop sending the body: the response is there, or writing has failed. */
static bool is_settled(const struct check *check)
{
	return check->reply.in_body || check->ended || check->meter.write_error != 0;
}

/* Over TLS 1.3 an ask is answered in the same turn; over TLS 1.2 a handshake with several flights follows. */
enum check_turn check_run_pause(struct check *check)
{
	if (!check_hear(check))
		return TURN_MOVED;
	bool answered = check->result.asked >= CHECK_AT_HEADERS && (check->result.given || check->result.declined) &&
			!tls_client_handshaking(check->client);
	if (is_settled(check))
		check_enter(check, TS_RESPONSE);
	else if (answered)
		check_enter(check, TS_BODY);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

enum check_turn check_run_expect(struct check *check)
{
	if (!check_hear(check))
		return TURN_MOVED;
	if (is_settled(check))
		check_enter(check, TS_RESPONSE);
	else if (check->result.continued)
		check_enter(check, TS_BODY);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

/* THAW_OK: all of it is written, or as much as the client writes before it reads. */
static enum thaw_status put_body(struct check *check)
{
	static const char text[RECORD_MAX + 1] = "";
	struct check_result *result = &check->result;
	uint64_t left = check->script.length - result->body_out;

	for (size_t turn = 0; left > 0 && turn < LOOK_EVERY;) {
		size_t done = 0;
		enum thaw_status status = put(check, text, left < RECORD_MAX ? (size_t)left : RECORD_MAX, &done);
		if (done > 0 && result->body_out == 0)
			check_note(check, LINE_BODY_BEGAN, 0);
		result->body_out += done;
		left -= done;
		turn += done;
		if (status != THAW_OK)
			return status;
	}
	return THAW_OK;
}

static enum check_turn body_sent(struct check *check)
{
	meter_uncork(&check->meter);
	check_note(check, LINE_BODY_ENDED, check->result.body_out);
	check_enter(check, TS_RESPONSE);
	return TURN_MOVED;
}

enum check_turn check_run_body(struct check *check)
{
	bool reads = check->script.style == CHECK_READS;

	for (size_t turn = 0; turn < TURN_MAX; turn += LOOK_EVERY) {
		if (reads && check->result.body_out > 0 && !check_hear(check))
			return TURN_MOVED;
		if (is_settled(check)) {
			check_enter(check, TS_RESPONSE);
			return TURN_MOVED;
		}
		enum thaw_status status = put_body(check);
		bool all = check->result.body_out == check->script.length;
		if (all && (reads || tls_client_unsent(check->client) == 0))
			return body_sent(check);
		if (status == THAW_FAILED || status == THAW_CLOSED) {
			check_enter(check, TS_RESPONSE);
			return TURN_MOVED;
		}
		if (status != THAW_OK || all)
			return TURN_WAIT;
	}
	check->wants = THAW_WANT_WRITE; /* let others run */
	return TURN_WAIT;
}

/* This side sends nothing more; from now on the server's patience is measured. */
static bool withhold(struct check *check)
{
	struct check_result *result = &check->result;

	if (!check->script.withholds || check->ended || timeline_find(&check->line, LINE_ASKED) == NULL)
		return false;
	result->outcome = CHECK_WITHHELD;
	check->stalled_ms = check->now_ms;
	check->stalled_as = CHECK_WITHHELD;
	check->stalled_in = check->state;
	check_note(check, LINE_STALL, result->body_out);
	check_enter(check, TS_HOLD);
	return true;
}

enum check_turn check_run_response(struct check *check)
{
	if (!check_hear(check) || withhold(check))
		return TURN_MOVED;
	/* A response before the end of the request is final with its head: some servers never send the end of its
	 * body. */
	bool cut = check->reply.in_body &&
		   (check->ended || check->result.body_out < check->script.length || check->heard > RESPONSE_MAX);
	if (check->reply.done && check->script.lingers && !check->ended)
		check_enter(check, TS_LINGER);
	else if (check->reply.done || cut)
		check_finish(check, CHECK_ANSWERED);
	else if (check->ended)
		check_finish_cut(check);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

/* An ask after the response is answered before the connection is closed. */
enum check_turn check_run_linger(struct check *check)
{
	const struct check_result *result = &check->result;

	if (!check_hear(check) || withhold(check))
		return TURN_MOVED;
	bool answered = (result->asked == CHECK_AFTER_RESPONSE) && (result->given || result->declined) &&
			!tls_client_handshaking(check->client) && tls_client_unsent(check->client) == 0;
	if (!check->ended && !answered)
		return TURN_WAIT;
	check_finish(check, CHECK_ANSWERED);
	return TURN_MOVED;
}

/* ---- HTTP/2 ---- */

static bool h2_write(struct check *check)
{
	const uint8_t *bytes = NULL;
	size_t len;

	while ((len = http_h2_client_pull(check->h2, &bytes)) > 0) {
		size_t done = 0;
		enum thaw_status status = put(check, (const char *)bytes, len, &done);
		http_h2_client_pulled(check->h2, done);
		if (status != THAW_OK)
			return status == THAW_WANT_READ || status == THAW_WANT_WRITE;
	}
	return true;
}

static bool h2_read(struct check *check)
{
	char data[RECORD_MAX];
	size_t len = 0;
	enum thaw_status status;

	while ((status = tls_client_read(check->client, data, sizeof(data), &len, &check->err)) == THAW_OK)
		if (!http_h2_client_push(check->h2, data, len))
			return false;
	check->ended = status == THAW_CLOSED || status == THAW_FAILED;
	return true;
}

static void h2_garbled(struct check *check)
{
	(void)snprintf(check->result.detail, sizeof(check->result.detail), "the response is not HTTP/2");
	check_finish(check, CHECK_GARBLED);
}

static void h2_finish(struct check *check, const struct http_h2_response *answer)
{
	struct check_result *result = &check->result;

	result->status = answer->status;
	result->h2_error = answer->error;
	memcpy(result->server, answer->server, sizeof(answer->server));
	check_finish(check, answer->reset ? CHECK_H2_RESET : CHECK_ANSWERED);
}

enum check_turn check_run_h2(struct check *check)
{
	const struct http_h2_request request = {.method = check->script.method,
						.authority = check->script.authority,
						.path = check->script.target,
						.user_agent = agent_of(&check->script)};
	struct http_h2_response answer;

	if (check->h2 == NULL && (check->h2 = http_h2_client_new(&request)) == NULL) {
		check_finish(check, CHECK_NO_MEMORY);
		return TURN_MOVED;
	}
	bool broken = h2_write(check) && !h2_read(check);
	if (!h2_write(check)) /* processes the received frames */
		check->ended = true;
	http_h2_client_response(check->h2, &answer);
	if (broken || answer.broken)
		h2_garbled(check);
	else if (answer.over || answer.status >= 200) /* its body is not needed */
		h2_finish(check, &answer);
	else if (check->ended)
		check_finish_cut(check);
	else
		return TURN_WAIT;
	return TURN_MOVED;
}

/* ---- after a stall ---- */

/* With the certificate withheld OpenSSL reads nothing more. Any received data is the server's last message; its
 * content does not matter. */
static bool has_given_up(struct check *check)
{
	char data[RECORD_MAX];

	if (!check->script.withholds)
		return check->ended || check->reply.in_body;
	ssize_t got = check->transport.ops->read(check->transport.io, data, sizeof(data));
	check->ended = check->ended || got == TRANSPORT_END || got == TRANSPORT_BROKEN;
	return check->ended || got > 0;
}

/* The server reads again: it took everything, or more than the last record. */
static bool reads_again(const struct check *check)
{
	bool all = check->acked == check->meter.up && tls_client_unsent(check->client) == 0;

	return check->stalled_in == TS_BODY && check->stalled_as != CHECK_WITHHELD && check->meter.write_error == 0 &&
	       check->acked > check->stalled_acked && (all || check->acked - check->stalled_acked > RECORD_MAX);
}

enum check_turn check_run_hold(struct check *check)
{
	struct check_result *result = &check->result;

	if (!check->script.withholds && !check_hear(check))
		return TURN_MOVED;
	bool over = has_given_up(check);
	if (!over && !reads_again(check))
		return TURN_WAIT;
	result->held_ms = (uint32_t)(check->now_ms - check->stalled_ms);
	if (!over) {
		check->reads_on = true;
		result->outcome = CHECK_PENDING;
		check_enter(check, TS_BODY);
		return TURN_MOVED;
	}
	/* An error response before the end of the request means that the server gave up; after it, it is the
	 * response. */
	bool whole = check->stalled_as == CHECK_SILENCE && result->taken_whole;
	result->answered_late = check->reply.in_body && (check->reply.status < 400 || whole);
	result->gave_up = !result->answered_late;
	if (result->answered_late)
		result->outcome = CHECK_ANSWERED; /* only slow */
	check_finish(check, check->stalled_as);
	return TURN_MOVED;
}
