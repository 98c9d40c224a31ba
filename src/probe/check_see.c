/* Data received on a check's connection. */
#include <stdio.h>
#include <string.h>

#include "probe/check_inside.h"
#include "probe/plain.h"

#define READ_MAX 32768
#define TURN_MAX 262144 /* maximum bytes per turn, so that one connection does not delay the others */

/* ---- asks and alerts ---- */

static enum check_moment moment_of(const struct check *check)
{
	const struct check_result *result = &check->result;

	switch (check->state) {
	case TS_SHAKE:
		return CHECK_AT_HANDSHAKE;
	case TS_PRIME:
	case TS_PRIMED:
		return CHECK_AT_PRIMING;
	case TS_LINGER:
		return CHECK_AFTER_RESPONSE;
	case TS_HEAD:
	case TS_PAUSE:
	case TS_EXPECT:
	case TS_RENEGOTIATE:
	case TS_H2:
		return CHECK_AT_HEADERS;
	case TS_BODY:
	case TS_RESPONSE:
	case TS_HOLD:
	case TS_OVER:
	case TS_COUNT:
		break;
	}
	if (check->reply.done)
		return CHECK_AFTER_RESPONSE;
	if (result->body_out == 0)
		return CHECK_AT_HEADERS;
	return result->body_out < check->script.length ? CHECK_DURING_BODY : CHECK_AFTER_BODY;
}

/* The first sign of an ask over TLS 1.2 is a HelloRequest; in a freeze it is the only one. */
static void see_moment(struct check *check, enum thaw_means means)
{
	struct check_result *result = &check->result;

	if (result->asked == CHECK_NEVER || result->asked == CHECK_AT_PRIMING)
		result->asked = moment_of(check);
	result->means = means;
}

static void see_ask(struct check *check, const struct tls_event *event)
{
	struct check_result *result = &check->result;

	check_note(check, LINE_ASKED, event->means);
	see_moment(check, event->means);
	result->issuer_count = event->issuer_count;
	for (size_t i = 0; i < event->issuer_count && i < CHECK_ISSUERS_MAX; i++)
		(void)plain_copy(result->issuers[i], CHECK_NAME_MAX, CHECK_NAME_MAX, event->issuers[i]);
	(void)plain_copy(result->subject, CHECK_NAME_MAX, CHECK_NAME_MAX, event->subject != NULL ? event->subject : "");
}

static void on_event(void *arg, const struct tls_event *event)
{
	struct check *check = arg;
	struct check_result *result = &check->result;

	switch (event->kind) {
	case TLS_EVENT_HELLO_REQUEST:
		check_note(check, LINE_HELLO_REQUEST, 0);
		see_moment(check, THAW_MEANS_RENEGOTIATION);
		break;
	case TLS_EVENT_ASKED:
		see_ask(check, event);
		break;
	case TLS_EVENT_GIVEN:
		result->given = true;
		check_note(check, LINE_GIVEN, 0);
		break;
	case TLS_EVENT_SIGNED:
		if (event->signed_ms > result->key_ms)
			result->key_ms = (uint32_t)event->signed_ms;
		break;
	case TLS_EVENT_DECLINED:
		result->declined = true;
		check_note(check, LINE_DECLINED, 0);
		break;
	case TLS_EVENT_FINISHED:
		if (check->exchanges++ > 0)
			check_note(check, LINE_FINISHED, 0);
		break;
	case TLS_EVENT_ALERT_IN:
		if (event->alert == 0)
			break;
		result->alert = event->alert;
		result->wrong_version |= event->alert == ALERT_PROTOCOL_VERSION;
		check_note(check, LINE_ALERT, event->alert);
		break;
	case TLS_EVENT_ALERT_OUT:
		result->wrong_version |= event->alert == ALERT_PROTOCOL_VERSION;
		break;
	case TLS_EVENT_KEY_FAILED: /* tls_client_key_failed() */
		break;
	}
}

const struct tls_observer *check_observer(void)
{
	static const struct tls_observer observer = {.on_event = on_event};
	return &observer;
}

const struct tls_observer *check_withholder(void)
{
	static const struct tls_observer observer = {.on_event = on_event, .withhold = true};
	return &observer;
}

/* ---- bytes ---- */

/* False: invalid data, and the check is over. */
static bool take(struct check *check, enum reply_news news)
{
	struct check_result *result = &check->result;

	switch (news) {
	case REPLY_MORE:
		return true;
	case REPLY_INTERIM:
		if (check->reply.interim == 100 && !result->continued) {
			result->continued = true;
			check_note(check, LINE_CONTINUE, 0);
		}
		return true;
	case REPLY_HEAD:
		check->answered_ms = check->now_ms;
		if (check->state != TS_PRIMED)
			check_note(check, LINE_STATUS, check->reply.status);
		return true;
	case REPLY_DONE:
		check_note(check, check->state == TS_PRIMED ? LINE_PRIMED : LINE_RESPONSE, check->reply.status);
		return true;
	case REPLY_BAD:
		break;
	}
	(void)snprintf(result->detail, sizeof(result->detail), "the response is not HTTP/1.1: %s",
		       check->reply.why != NULL ? check->reply.why : "unreadable");
	check_finish(check, CHECK_GARBLED);
	return false;
}

static bool feed(struct check *check, const char *data, size_t len)
{
	size_t at = 0, used = 0;

	while (!check->reply.done) {
		enum reply_news news = reply_feed(&check->reply, data + at, len - at, &used);
		at += used;
		if (!take(check, news))
			return false;
		if (news == REPLY_MORE && at == len)
			break;
	}
	return true;
}

bool check_hear(struct check *check)
{
	char data[READ_MAX];
	size_t all = 0, len = 0;
	enum thaw_status status = THAW_OK;

	while (all < TURN_MAX &&
	       (status = tls_client_read(check->client, data, sizeof(data), &len, &check->err)) == THAW_OK) {
		all += len;
		check->heard += check->reply.in_body ? len : 0;
		if (!feed(check, data, len))
			return false;
	}
	if (status != THAW_CLOSED && status != THAW_FAILED)
		return true;
	check->ended = true;
	bool done = check->reply.done;
	return done || take(check, reply_end(&check->reply));
}

/* ---- the end ---- */

static void keep_reply(struct check *check)
{
	struct check_result *result = &check->result;

	if (!check->reply.in_body)
		return;
	result->status = check->reply.status;
	result->cookie_of_f5 = check->reply.cookie_of_f5;
	memcpy(result->server, check->reply.server, sizeof(result->server));
	memcpy(result->keep_alive, check->reply.keep_alive, sizeof(result->keep_alive));
	memcpy(result->location, check->reply.location, sizeof(result->location));
	memcpy(result->type, check->reply.type, sizeof(result->type));
	memcpy(result->body, check->reply.body, sizeof(result->body));
}

/* Not the server's fault. */
static bool has_key_failed(const struct check *check)
{
	const struct meter *meter = &check->meter;

	return check->client != NULL && tls_client_key_failed(check->client) && check->result.alert == 0 &&
	       !meter->ended && meter->read_error == 0 && meter->write_error == 0;
}

void check_finish(struct check *check, enum check_outcome outcome)
{
	struct check_result *result = &check->result;
	uint64_t unsent = check->client != NULL ? tls_client_unsent(check->client) : 0;
	uint64_t waiting = check->meter.up - check->acked + unsent;

	keep_reply(check);
	if (!check->ended && check->meter.write_error == 0 && check->unacked + unsent == 0)
		(void)tls_client_close_notify(check->client);
	if (has_key_failed(check))
		result->outcome = CHECK_KEY_FAILED;
	if (result->outcome == CHECK_PENDING)
		result->outcome = outcome;
	result->answered_late |= check->reads_on && result->outcome == CHECK_ANSWERED;
	result->body_taken = result->body_out > waiting ? result->body_out - waiting : 0;
	result->ms = (uint32_t)(check->now_ms - check->began_ms);
	if (check->ended)
		check_note(check, check->meter.read_error != 0 ? LINE_RESET : LINE_CLOSED, 0);
	else
		check_note(check, LINE_LEFT, 0);
	if (result->detail[0] == '\0' && check->err.cls != THAW_ERR_NONE)
		(void)snprintf(result->detail, sizeof(result->detail), "%.*s", CHECK_DETAIL_MAX - 1, check->err.text);
	check_enter(check, TS_OVER);
}

void check_finish_cut(struct check *check)
{
	enum check_outcome outcome = CHECK_GARBLED;

	if (check->result.alert != 0)
		outcome = CHECK_ALERTED;
	else if (check->err.cls == THAW_ERR_RESOURCE)
		outcome = CHECK_NO_MEMORY;
	else if (check->meter.read_error != 0 || (check->meter.write_error != 0 && !check->meter.ended))
		outcome = CHECK_RESET;
	else if (check->meter.ended || check->err.cls == THAW_ERR_NONE)
		outcome = CHECK_CLOSED;
	check->ended = true;
	check_finish(check, outcome);
}
