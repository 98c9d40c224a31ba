/* The driver of a check: it runs the state's function and checks deadlines. */
#include "probe/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/check_inside.h"
#include "thaw/types.h"

/* The time limit of a waiting state, in addition to limit_ms in all except HOLD. */
enum patience { STALL, SETTLE, HOLD, NONE };

/* The function and the limit of each state. */
static const struct {
	enum check_turn (*run)(struct check *check);
	enum patience patience;
} states[TS_COUNT] = {
	[TS_SHAKE] = {check_run_shake, STALL},
	[TS_RENEGOTIATE] = {check_run_renegotiate, SETTLE},
	[TS_PRIME] = {check_run_prime, STALL},
	[TS_PRIMED] = {check_run_primed, STALL},
	[TS_HEAD] = {check_run_head, STALL},
	[TS_PAUSE] = {check_run_pause, SETTLE},
	[TS_EXPECT] = {check_run_expect, STALL},
	[TS_BODY] = {check_run_body, STALL},
	[TS_RESPONSE] = {check_run_response, STALL},
	[TS_LINGER] = {check_run_linger, SETTLE},
	[TS_H2] = {check_run_h2, STALL},
	[TS_HOLD] = {check_run_hold, HOLD},
	[TS_OVER] = {NULL, NONE},
};

struct check *check_new(const struct check_script *script, struct tls_client_context *context, const char *name,
			struct tls_client_memory *memory, struct transport below, uint64_t now_ms)
{
	struct check *check = calloc(1, sizeof(*check));

	if (check == NULL)
		return NULL;
	check->script = *script;
	check->meter.below = below;
	check->transport = meter_transport(&check->meter);
	check->began_ms = check->now_ms = check->entered_ms = check->moved_ms = now_ms;
	check->client = tls_client_new(context, name, check->transport, memory, NULL);
	if (check->client == NULL || !tls_client_watch(check->client, check))
		check_free(&check);
	return check;
}

void check_free(struct check **check)
{
	struct check *gone = *check;

	*check = NULL;
	if (gone == NULL)
		return;
	tls_client_free(&gone->client);
	http_h2_client_free(&gone->h2);
	free(gone);
}

/* ---- deadlines ---- */

/* How long a stalled connection is watched, from its last progress. */
static uint64_t hold_ms(const struct check *check)
{
	uint64_t slow_ms = (uint64_t)check->script.stall_ms + check->script.slow_ms;
	bool awaited = check->result.outcome == CHECK_PENDING;

	return awaited && slow_ms > check->script.hold_ms ? slow_ms : check->script.hold_ms;
}

static uint64_t patience_ends(const struct check *check)
{
	switch (states[check->state].patience) {
	case STALL:
		if (check->state == TS_RESPONSE && check->reply.in_body) /* the rest of the body may take any time */
			return check->answered_ms + check->script.stall_ms;
		return check->moved_ms + check->script.stall_ms;
	case SETTLE:
		return check->entered_ms + check->script.settle_ms;
	case HOLD:
		return check->stalled_ms + hold_ms(check);
	case NONE:
		break;
	}
	return THAW_NEVER;
}

static uint64_t deadline(const struct check *check)
{
	uint64_t limit = check->state == TS_HOLD ? THAW_NEVER : check->began_ms + check->script.limit_ms;
	uint64_t ends = patience_ends(check);

	return ends < limit ? ends : limit;
}

static bool is_asked_late(const struct check_result *result)
{
	return result->asked != CHECK_NEVER && result->asked != CHECK_AT_HANDSHAKE;
}

/* Bytes of the request that the other side has not acknowledged. */
static bool has_unsent(const struct check *check)
{
	bool primes = check->state == TS_PRIME || check->state == TS_PRIMED; /* a priming request has no body */

	return (!primes && check->result.body_out < check->script.length) || check->head_at < check->head_len ||
	       check->meter.held_len > 0 || tls_client_unsent(check->client) > 0 || check->acked < check->meter.up;
}

/* The server asked late, and the exchange is not complete; over TLS 1.2 the server sends its last message. */
static bool has_open_exchange(const struct check *check)
{
	const struct check_result *result = &check->result;

	return is_asked_late(result) &&
	       ((!result->given && !result->declined) || tls_client_handshaking(check->client));
}

/*
 * No progress for stall_ms. It is a freeze only if something is left to do: a server that has all of the request and
 * the certificate may just be slow. A client that writes first has not read anything yet. Now it reads, to tell a
 * freeze (an unread ask) from silence, and to find a response that was already there.
 */
static void stall(struct check *check)
{
	struct check_result *result = &check->result;
	bool unread = check->state == TS_BODY && check->script.style == CHECK_WRITES_FIRST;
	bool knew = is_asked_late(result);

	check->stalled_ms = check->moved_ms;
	check_note(check, LINE_STALL, result->body_out);
	if (unread && !check_hear(check))
		return;
	if (unread && (check->reply.in_body || check->ended)) {
		check_enter(check, TS_RESPONSE);
		return;
	}
	bool asked = is_asked_late(result);
	result->unread_ask = asked && !knew;
	result->taken_whole = !has_unsent(check) && !has_open_exchange(check);
	if (check->script.withholds && result->asked != CHECK_NEVER)
		check->stalled_as = CHECK_WITHHELD;
	else if (!result->taken_whole && (asked || check->script.asks_late))
		check->stalled_as = CHECK_FREEZE;
	else
		check->stalled_as = CHECK_SILENCE;
	check->stalled_in = check->state;
	check->stalled_acked = check->acked;
	bool awaits = check->stalled_as == CHECK_SILENCE && result->taken_whole && check->script.slow_ms > 0;
	if (!awaits)
		result->outcome = check->stalled_as;
	if (awaits || check->script.hold_ms > 0)
		check_enter(check, TS_HOLD);
	else
		check_finish(check, check->stalled_as);
}

/* The deadline of the state, or of the whole check, has passed. */
static void expire(struct check *check)
{
	struct check_result *result = &check->result;

	if (check->now_ms < patience_ends(check)) {
		(void)snprintf(result->detail, sizeof(result->detail), "not complete within %u ms",
			       check->script.limit_ms);
		check_finish(check, CHECK_PENDING);
		return;
	}
	switch (check->state) {
	case TS_SHAKE:
		if (check->script.withholds && result->asked != CHECK_NEVER)
			result->outcome = CHECK_WITHHELD;
		check_finish(check, check->meter.up == 0 ? CHECK_UNREACHABLE : CHECK_SHAKE_STALL);
		return;
	case TS_RENEGOTIATE:
		check_finish(check, CHECK_NOT_RENEGOTIATED);
		return;
	case TS_PAUSE:
		check_enter(check, TS_BODY);
		return;
	case TS_LINGER:
		check_finish(check, CHECK_ANSWERED);
		return;
	case TS_RESPONSE:
		if (!check->reply.in_body)
			break;
		check_finish(check, CHECK_ANSWERED);
		return;
	case TS_HOLD:
		result->held_ms = (uint32_t)(check->now_ms - check->stalled_ms);
		check_finish(check, check->stalled_as);
		return;
	case TS_PRIME:
	case TS_PRIMED:
	case TS_HEAD:
	case TS_EXPECT:
	case TS_BODY:
	case TS_H2:
	case TS_OVER:
	case TS_COUNT:
		break;
	}
	stall(check);
}

/* ---- the driver ---- */

static void see_progress(struct check *check)
{
	uint64_t progress = check->acked + check->meter.up + check->meter.down;

	if (progress != check->progress)
		check->moved_ms = check->now_ms;
	check->progress = progress;
	check_trace(check);
}

bool check_step(struct check *check, uint64_t now_ms, uint64_t unacked)
{
	check->now_ms = now_ms;
	if (check->state == TS_OVER)
		return true;
	check->unacked = unacked < check->meter.up ? unacked : check->meter.up;
	if (check->meter.up - check->unacked > check->acked)
		check->acked = check->meter.up - check->unacked;
	see_progress(check);
	if (!check->meter.corked)
		(void)meter_flush(&check->meter);
	tls_client_flush(check->client);
	while (check->state != TS_OVER) {
		check->wants = THAW_OK;
		if (states[check->state].run(check) == TURN_MOVED)
			continue;
		see_progress(check);
		if (now_ms < deadline(check))
			return false;
		expire(check);
	}
	tls_client_free(&check->client);
	return true;
}

void check_wants(const struct check *check, struct check_wants *wants)
{
	bool unsent = check->meter.held_len > 0 ||
		      (check->client != NULL && check->meter.write_error == 0 && tls_client_unsent(check->client) > 0);
	bool deaf = check->state == TS_BODY && check->script.style == CHECK_WRITES_FIRST;

	*wants = (struct check_wants){
		.read = check->state != TS_OVER && !deaf,
		.write = unsent || (check->wants == THAW_WANT_WRITE && check->meter.write_error == 0),
		.deadline_ms = deadline(check),
	};
}

void check_is_frozen(struct check *check)
{
	if (check->result.outcome == CHECK_SILENCE)
		check->result.outcome = CHECK_FREEZE;
}

void check_stop(struct check *check, uint64_t now_ms)
{
	check->now_ms = now_ms;
	if (check->state == TS_OVER)
		return;
	if (check->state == TS_HOLD)
		check->result.held_ms = (uint32_t)(now_ms - check->stalled_ms);
	check_finish(check, CHECK_PENDING);
	tls_client_free(&check->client);
}
