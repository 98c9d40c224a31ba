/* Data received on a trial's connection. */
#include <stdio.h>
#include <string.h>

#include "probe/plain.h"
#include "probe/trial_inside.h"

#define READ_MAX 32768
#define TURN_MAX 262144 /* maximum bytes per turn, so that one connection does not delay the others */

/* ---- asks and alerts ---- */

static enum trial_moment moment_of(const struct trial *trial)
{
	const struct trial_result *result = &trial->result;

	switch (trial->state) {
	case TS_SHAKE:
		return TRIAL_AT_HANDSHAKE;
	case TS_PRIME:
	case TS_PRIMED:
		return TRIAL_AT_PRIMING;
	case TS_LINGER:
		return TRIAL_AFTER_RESPONSE;
	case TS_HEAD:
	case TS_PAUSE:
	case TS_EXPECT:
	case TS_RENEGOTIATE:
	case TS_H2:
		return TRIAL_AT_HEADERS;
	case TS_BODY:
	case TS_RESPONSE:
	case TS_HOLD:
	case TS_OVER:
	case TS_COUNT:
		break;
	}
	if (trial->reply.done)
		return TRIAL_AFTER_RESPONSE;
	if (result->body_out == 0)
		return TRIAL_AT_HEADERS;
	return result->body_out < trial->script.length ? TRIAL_DURING_BODY : TRIAL_AFTER_BODY;
}

/* The first sign of an ask over TLS 1.2 is a HelloRequest; in a freeze it is the only one. */
static void see_moment(struct trial *trial, enum thaw_means means)
{
	struct trial_result *result = &trial->result;

	if (result->asked == TRIAL_NEVER || result->asked == TRIAL_AT_PRIMING)
		result->asked = moment_of(trial);
	result->means = means;
}

static void see_ask(struct trial *trial, const struct tls_event *event)
{
	struct trial_result *result = &trial->result;

	trial_note(trial, LINE_ASKED, event->means);
	see_moment(trial, event->means);
	result->issuer_count = event->issuer_count;
	for (size_t i = 0; i < event->issuer_count && i < TRIAL_ISSUERS_MAX; i++)
		(void)plain_copy(result->issuers[i], TRIAL_NAME_MAX, TRIAL_NAME_MAX, event->issuers[i]);
	(void)plain_copy(result->subject, TRIAL_NAME_MAX, TRIAL_NAME_MAX, event->subject != NULL ? event->subject : "");
}

static void on_event(void *arg, const struct tls_event *event)
{
	struct trial *trial = arg;
	struct trial_result *result = &trial->result;

	switch (event->kind) {
	case TLS_EVENT_HELLO_REQUEST:
		trial_note(trial, LINE_HELLO_REQUEST, 0);
		see_moment(trial, THAW_MEANS_RENEGOTIATION);
		break;
	case TLS_EVENT_ASKED:
		see_ask(trial, event);
		break;
	case TLS_EVENT_GIVEN:
		result->given = true;
		trial_note(trial, LINE_GIVEN, 0);
		break;
	case TLS_EVENT_SIGNED:
		if (event->signed_ms > result->key_ms)
			result->key_ms = (uint32_t)event->signed_ms;
		break;
	case TLS_EVENT_DECLINED:
		result->declined = true;
		trial_note(trial, LINE_DECLINED, 0);
		break;
	case TLS_EVENT_FINISHED:
		if (trial->exchanges++ > 0)
			trial_note(trial, LINE_FINISHED, 0);
		break;
	case TLS_EVENT_ALERT_IN:
		if (event->alert == 0)
			break;
		result->alert = event->alert;
		result->wrong_version |= event->alert == ALERT_PROTOCOL_VERSION;
		trial_note(trial, LINE_ALERT, event->alert);
		break;
	case TLS_EVENT_ALERT_OUT:
		result->wrong_version |= event->alert == ALERT_PROTOCOL_VERSION;
		break;
	case TLS_EVENT_KEY_FAILED: /* tls_client_key_failed() */
		break;
	}
}

const struct tls_observer *trial_observer(void)
{
	static const struct tls_observer observer = {.on_event = on_event};
	return &observer;
}

const struct tls_observer *trial_withholder(void)
{
	static const struct tls_observer observer = {.on_event = on_event, .withhold = true};
	return &observer;
}

/* ---- bytes ---- */

/* False: invalid data, and the trial is over. */
static bool take(struct trial *trial, enum reply_news news)
{
	struct trial_result *result = &trial->result;

	switch (news) {
	case REPLY_MORE:
		return true;
	case REPLY_INTERIM:
		if (trial->reply.interim == 100 && !result->continued) {
			result->continued = true;
			trial_note(trial, LINE_CONTINUE, 0);
		}
		return true;
	case REPLY_HEAD:
		trial->answered_ms = trial->now_ms;
		if (trial->state != TS_PRIMED)
			trial_note(trial, LINE_STATUS, trial->reply.status);
		return true;
	case REPLY_DONE:
		trial_note(trial, trial->state == TS_PRIMED ? LINE_PRIMED : LINE_RESPONSE, trial->reply.status);
		return true;
	case REPLY_BAD:
		break;
	}
	(void)snprintf(result->detail, sizeof(result->detail), "the response is not HTTP/1.1: %s",
		       trial->reply.why != NULL ? trial->reply.why : "unreadable");
	trial_finish(trial, TRIAL_GARBLED);
	return false;
}

static bool feed(struct trial *trial, const char *data, size_t len)
{
	size_t at = 0, used = 0;

	while (!trial->reply.done) {
		enum reply_news news = reply_feed(&trial->reply, data + at, len - at, &used);
		at += used;
		if (!take(trial, news))
			return false;
		if (news == REPLY_MORE && at == len)
			break;
	}
	return true;
}

bool trial_hear(struct trial *trial)
{
	char data[READ_MAX];
	size_t all = 0, len = 0;
	enum thaw_status status = THAW_OK;

	while (all < TURN_MAX &&
	       (status = tls_client_read(trial->client, data, sizeof(data), &len, &trial->err)) == THAW_OK) {
		all += len;
		trial->heard += trial->reply.in_body ? len : 0;
		if (!feed(trial, data, len))
			return false;
	}
	if (status != THAW_CLOSED && status != THAW_FAILED)
		return true;
	trial->ended = true;
	bool done = trial->reply.done;
	return done || take(trial, reply_end(&trial->reply));
}

/* ---- the end ---- */

static void keep_reply(struct trial *trial)
{
	struct trial_result *result = &trial->result;

	if (!trial->reply.in_body)
		return;
	result->status = trial->reply.status;
	result->cookie_of_f5 = trial->reply.cookie_of_f5;
	memcpy(result->server, trial->reply.server, sizeof(result->server));
	memcpy(result->keep_alive, trial->reply.keep_alive, sizeof(result->keep_alive));
	memcpy(result->location, trial->reply.location, sizeof(result->location));
	memcpy(result->type, trial->reply.type, sizeof(result->type));
	memcpy(result->body, trial->reply.body, sizeof(result->body));
}

/* Not the server's fault. */
static bool has_key_failed(const struct trial *trial)
{
	const struct meter *meter = &trial->meter;

	return trial->client != NULL && tls_client_key_failed(trial->client) && trial->result.alert == 0 &&
	       !meter->ended && meter->read_error == 0 && meter->write_error == 0;
}

void trial_finish(struct trial *trial, enum trial_outcome outcome)
{
	struct trial_result *result = &trial->result;
	uint64_t unsent = trial->client != NULL ? tls_client_unsent(trial->client) : 0;
	uint64_t waiting = trial->meter.up - trial->acked + unsent;

	keep_reply(trial);
	if (!trial->ended && trial->meter.write_error == 0 && trial->unacked + unsent == 0)
		(void)tls_client_close_notify(trial->client);
	if (has_key_failed(trial))
		result->outcome = TRIAL_KEY_FAILED;
	if (result->outcome == TRIAL_PENDING)
		result->outcome = outcome;
	result->answered_late |= trial->reads_on && result->outcome == TRIAL_ANSWERED;
	result->body_taken = result->body_out > waiting ? result->body_out - waiting : 0;
	result->ms = (uint32_t)(trial->now_ms - trial->began_ms);
	if (trial->ended)
		trial_note(trial, trial->meter.read_error != 0 ? LINE_RESET : LINE_CLOSED, 0);
	else
		trial_note(trial, LINE_LEFT, 0);
	if (result->detail[0] == '\0' && trial->err.cls != THAW_ERR_NONE)
		(void)snprintf(result->detail, sizeof(result->detail), "%.*s", TRIAL_DETAIL_MAX - 1, trial->err.text);
	trial_enter(trial, TS_OVER);
}

void trial_finish_cut(struct trial *trial)
{
	enum trial_outcome outcome = TRIAL_GARBLED;

	if (trial->result.alert != 0)
		outcome = TRIAL_ALERTED;
	else if (trial->err.cls == THAW_ERR_RESOURCE)
		outcome = TRIAL_NO_MEMORY;
	else if (trial->meter.read_error != 0 || (trial->meter.write_error != 0 && !trial->meter.ended))
		outcome = TRIAL_RESET;
	else if (trial->meter.ended || trial->err.cls == THAW_ERR_NONE)
		outcome = TRIAL_CLOSED;
	trial->ended = true;
	trial_finish(trial, outcome);
}
