/* The driver of a trial: it runs the state's function and checks deadlines. */
#include "probe/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/trial_inside.h"
#include "thaw/types.h"

/* The time limit of a waiting state, in addition to limit_ms in all except HOLD. */
enum patience { STALL, SETTLE, HOLD, NONE };

/* The function and the limit of each state. */
static const struct {
	enum trial_turn (*run)(struct trial *trial);
	enum patience patience;
} states[TS_COUNT] = {
	[TS_SHAKE] = {trial_run_shake, STALL},
	[TS_RENEGOTIATE] = {trial_run_renegotiate, SETTLE},
	[TS_PRIME] = {trial_run_prime, STALL},
	[TS_PRIMED] = {trial_run_primed, STALL},
	[TS_HEAD] = {trial_run_head, STALL},
	[TS_PAUSE] = {trial_run_pause, SETTLE},
	[TS_EXPECT] = {trial_run_expect, STALL},
	[TS_BODY] = {trial_run_body, STALL},
	[TS_RESPONSE] = {trial_run_response, STALL},
	[TS_LINGER] = {trial_run_linger, SETTLE},
	[TS_H2] = {trial_run_h2, STALL},
	[TS_HOLD] = {trial_run_hold, HOLD},
	[TS_OVER] = {NULL, NONE},
};

struct trial *trial_new(const struct trial_script *script, struct tls_client_context *context, const char *name,
			struct tls_client_memory *memory, struct transport below, uint64_t now_ms)
{
	struct trial *trial = calloc(1, sizeof(*trial));

	if (trial == NULL)
		return NULL;
	trial->script = *script;
	trial->meter.below = below;
	trial->transport = meter_transport(&trial->meter);
	trial->began_ms = trial->now_ms = trial->entered_ms = trial->moved_ms = now_ms;
	trial->client = tls_client_new(context, name, trial->transport, memory, NULL);
	if (trial->client == NULL || !tls_client_watch(trial->client, trial))
		trial_free(&trial);
	return trial;
}

void trial_free(struct trial **trial)
{
	struct trial *gone = *trial;

	*trial = NULL;
	if (gone == NULL)
		return;
	tls_client_free(&gone->client);
	http_h2_client_free(&gone->h2);
	free(gone);
}

/* ---- deadlines ---- */

/* How long a stalled connection is watched, from its last progress. */
static uint64_t hold_ms(const struct trial *trial)
{
	uint64_t slow_ms = (uint64_t)trial->script.stall_ms + trial->script.slow_ms;
	bool awaited = trial->result.outcome == TRIAL_PENDING;

	return awaited && slow_ms > trial->script.hold_ms ? slow_ms : trial->script.hold_ms;
}

static uint64_t patience_ends(const struct trial *trial)
{
	switch (states[trial->state].patience) {
	case STALL:
		if (trial->state == TS_RESPONSE && trial->reply.in_body) /* the rest of the body may take any time */
			return trial->answered_ms + trial->script.stall_ms;
		return trial->moved_ms + trial->script.stall_ms;
	case SETTLE:
		return trial->entered_ms + trial->script.settle_ms;
	case HOLD:
		return trial->stalled_ms + hold_ms(trial);
	case NONE:
		break;
	}
	return THAW_NEVER;
}

static uint64_t deadline(const struct trial *trial)
{
	uint64_t limit = trial->state == TS_HOLD ? THAW_NEVER : trial->began_ms + trial->script.limit_ms;
	uint64_t ends = patience_ends(trial);

	return ends < limit ? ends : limit;
}

static bool is_asked_late(const struct trial_result *result)
{
	return result->asked != TRIAL_NEVER && result->asked != TRIAL_AT_HANDSHAKE;
}

/* Bytes of the request that the other side has not acknowledged. */
static bool has_unsent(const struct trial *trial)
{
	bool primes = trial->state == TS_PRIME || trial->state == TS_PRIMED; /* a priming request has no body */

	return (!primes && trial->result.body_out < trial->script.length) || trial->head_at < trial->head_len ||
	       trial->meter.held_len > 0 || tls_client_unsent(trial->client) > 0 || trial->acked < trial->meter.up;
}

/* The server asked late, and the exchange is not complete; over TLS 1.2 the server sends its last message. */
static bool has_open_exchange(const struct trial *trial)
{
	const struct trial_result *result = &trial->result;

	return is_asked_late(result) &&
	       ((!result->given && !result->declined) || tls_client_handshaking(trial->client));
}

/*
 * No progress for stall_ms. It is a freeze only if something is left to do: a server that has all of the request and
 * the certificate may just be slow. A client that writes first has not read anything yet. Now it reads, to tell a
 * freeze (an unread ask) from silence, and to find a response that was already there.
 */
static void stall(struct trial *trial)
{
	struct trial_result *result = &trial->result;
	bool unread = trial->state == TS_BODY && trial->script.style == TRIAL_WRITES_FIRST;
	bool knew = is_asked_late(result);

	trial->stalled_ms = trial->moved_ms;
	trial_note(trial, LINE_STALL, result->body_out);
	if (unread && !trial_hear(trial))
		return;
	if (unread && (trial->reply.in_body || trial->ended)) {
		trial_enter(trial, TS_RESPONSE);
		return;
	}
	bool asked = is_asked_late(result);
	result->unread_ask = asked && !knew;
	result->taken_whole = !has_unsent(trial) && !has_open_exchange(trial);
	if (trial->script.withholds && result->asked != TRIAL_NEVER)
		trial->stalled_as = TRIAL_WITHHELD;
	else if (!result->taken_whole && (asked || trial->script.asks_late))
		trial->stalled_as = TRIAL_FREEZE;
	else
		trial->stalled_as = TRIAL_SILENCE;
	trial->stalled_in = trial->state;
	trial->stalled_acked = trial->acked;
	bool awaits = trial->stalled_as == TRIAL_SILENCE && result->taken_whole && trial->script.slow_ms > 0;
	if (!awaits)
		result->outcome = trial->stalled_as;
	if (awaits || trial->script.hold_ms > 0)
		trial_enter(trial, TS_HOLD);
	else
		trial_finish(trial, trial->stalled_as);
}

/* The deadline of the state, or of the whole trial, has passed. */
static void expire(struct trial *trial)
{
	struct trial_result *result = &trial->result;

	if (trial->now_ms < patience_ends(trial)) {
		(void)snprintf(result->detail, sizeof(result->detail), "not complete within %u ms",
			       trial->script.limit_ms);
		trial_finish(trial, TRIAL_PENDING);
		return;
	}
	switch (trial->state) {
	case TS_SHAKE:
		if (trial->script.withholds && result->asked != TRIAL_NEVER)
			result->outcome = TRIAL_WITHHELD;
		trial_finish(trial, trial->meter.up == 0 ? TRIAL_UNREACHABLE : TRIAL_SHAKE_STALL);
		return;
	case TS_RENEGOTIATE:
		trial_finish(trial, TRIAL_NOT_RENEGOTIATED);
		return;
	case TS_PAUSE:
		trial_enter(trial, TS_BODY);
		return;
	case TS_LINGER:
		trial_finish(trial, TRIAL_ANSWERED);
		return;
	case TS_RESPONSE:
		if (!trial->reply.in_body)
			break;
		trial_finish(trial, TRIAL_ANSWERED);
		return;
	case TS_HOLD:
		result->held_ms = (uint32_t)(trial->now_ms - trial->stalled_ms);
		trial_finish(trial, trial->stalled_as);
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
	stall(trial);
}

/* ---- the driver ---- */

static void see_progress(struct trial *trial)
{
	uint64_t progress = trial->acked + trial->meter.up + trial->meter.down;

	if (progress != trial->progress)
		trial->moved_ms = trial->now_ms;
	trial->progress = progress;
	trial_trace(trial);
}

bool trial_step(struct trial *trial, uint64_t now_ms, uint64_t unacked)
{
	trial->now_ms = now_ms;
	if (trial->state == TS_OVER)
		return true;
	trial->unacked = unacked < trial->meter.up ? unacked : trial->meter.up;
	if (trial->meter.up - trial->unacked > trial->acked)
		trial->acked = trial->meter.up - trial->unacked;
	see_progress(trial);
	if (!trial->meter.corked)
		(void)meter_flush(&trial->meter);
	tls_client_flush(trial->client);
	while (trial->state != TS_OVER) {
		trial->wants = THAW_OK;
		if (states[trial->state].run(trial) == TURN_MOVED)
			continue;
		see_progress(trial);
		if (now_ms < deadline(trial))
			return false;
		expire(trial);
	}
	tls_client_free(&trial->client);
	return true;
}

void trial_wants(const struct trial *trial, struct trial_wants *wants)
{
	bool unsent = trial->meter.held_len > 0 ||
		      (trial->client != NULL && trial->meter.write_error == 0 && tls_client_unsent(trial->client) > 0);
	bool deaf = trial->state == TS_BODY && trial->script.style == TRIAL_WRITES_FIRST;

	*wants = (struct trial_wants){
		.read = trial->state != TS_OVER && !deaf,
		.write = unsent || (trial->wants == THAW_WANT_WRITE && trial->meter.write_error == 0),
		.deadline_ms = deadline(trial),
	};
}

void trial_is_frozen(struct trial *trial)
{
	if (trial->result.outcome == TRIAL_SILENCE)
		trial->result.outcome = TRIAL_FREEZE;
}

void trial_stop(struct trial *trial, uint64_t now_ms)
{
	trial->now_ms = now_ms;
	if (trial->state == TS_OVER)
		return;
	if (trial->state == TS_HOLD)
		trial->result.held_ms = (uint32_t)(now_ms - trial->stalled_ms);
	trial_finish(trial, TRIAL_PENDING);
	tls_client_free(&trial->client);
}
