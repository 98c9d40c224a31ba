/* The states of a trial, and their transitions; its timeline; and access for others. */
#include "probe/trial_inside.h"

#define BIT(state) (1U << (state))

/* The states that may follow each state. */
static const unsigned next[TS_COUNT] = {
	[TS_SHAKE] = BIT(TS_RENEGOTIATE) | BIT(TS_PRIME) | BIT(TS_HEAD) | BIT(TS_H2) | BIT(TS_OVER),
	[TS_RENEGOTIATE] = BIT(TS_OVER),
	[TS_PRIME] = BIT(TS_PRIMED) | BIT(TS_HOLD) | BIT(TS_OVER),
	[TS_PRIMED] = BIT(TS_HEAD) | BIT(TS_HOLD) | BIT(TS_OVER),
	[TS_HEAD] = BIT(TS_PAUSE) | BIT(TS_EXPECT) | BIT(TS_BODY) | BIT(TS_RESPONSE) | BIT(TS_HOLD) | BIT(TS_OVER),
	[TS_PAUSE] = BIT(TS_BODY) | BIT(TS_RESPONSE) | BIT(TS_OVER),
	[TS_EXPECT] = BIT(TS_BODY) | BIT(TS_RESPONSE) | BIT(TS_HOLD) | BIT(TS_OVER),
	[TS_BODY] = BIT(TS_RESPONSE) | BIT(TS_HOLD) | BIT(TS_OVER),
	[TS_RESPONSE] = BIT(TS_LINGER) | BIT(TS_HOLD) | BIT(TS_OVER),
	[TS_LINGER] = BIT(TS_HOLD) | BIT(TS_OVER),
	[TS_H2] = BIT(TS_HOLD) | BIT(TS_OVER),
	[TS_HOLD] = BIT(TS_BODY) | BIT(TS_OVER),
	[TS_OVER] = 0,
};

bool trial_state_may_follow(enum trial_state from, enum trial_state to)
{
	return (next[from] & BIT(to)) != 0;
}

void trial_enter(struct trial *trial, enum trial_state to)
{
	if (!trial_state_may_follow(trial->state, to))
		__builtin_trap(); /* a bug: abort rather than report a wrong result */
	trial->state = to;
	trial->entered_ms = trial->moved_ms = trial->now_ms;
}

/* ---- the timeline ---- */

static struct timeline_point now_of(const struct trial *trial)
{
	return (struct timeline_point){
		.ms = (uint32_t)(trial->now_ms - trial->began_ms), .up = trial->acked, .down = trial->meter.down};
}

void trial_trace(struct trial *trial)
{
	struct timeline_point now = now_of(trial);

	timeline_trace(&trial->line, &now);
}

void trial_note(struct trial *trial, enum timeline_what what, uint64_t value)
{
	struct timeline_point now = now_of(trial);

	timeline_trace(&trial->line, &now);
	now.up = trial->meter.up; /* the curve is behind: bytes just written are not acknowledged yet */
	timeline_add(&trial->line, what, value, &now);
}

/* ---- for others ---- */

const struct trial_script *trial_script(const struct trial *trial)
{
	return &trial->script;
}

const struct trial_result *trial_result(const struct trial *trial)
{
	return &trial->result;
}

const struct timeline *trial_timeline(const struct trial *trial)
{
	return &trial->line;
}

/* ---- names ---- */

const char *trial_outcome_name(enum trial_outcome outcome)
{
	static const char *const names[] = {
		[TRIAL_PENDING] = "not-finished",
		[TRIAL_ANSWERED] = "answered",
		[TRIAL_FREEZE] = "freeze",
		[TRIAL_SILENCE] = "silence",
		[TRIAL_ALERTED] = "alert",
		[TRIAL_CLOSED] = "closed",
		[TRIAL_RESET] = "reset",
		[TRIAL_GARBLED] = "garbled",
		[TRIAL_WITHHELD] = "withheld",
		[TRIAL_UNPRIMED] = "closed-after-priming",
		[TRIAL_NO_HTTP2] = "no-http2",
		[TRIAL_H2_RESET] = "stream-reset",
		[TRIAL_RENEGOTIATED] = "renegotiated",
		[TRIAL_NOT_RENEGOTIATED] = "not-renegotiated",
		[TRIAL_UNREACHABLE] = "unreachable",
		[TRIAL_NOT_TLS] = "not-tls",
		[TRIAL_SHAKE_STALL] = "handshake-stalled",
		[TRIAL_SHAKE_FAILED] = "handshake-failed",
		[TRIAL_UNTRUSTED] = "server-untrusted",
		[TRIAL_NO_MEMORY] = "no-memory",
		[TRIAL_KEY_FAILED] = "key-failed",
	};
	return (size_t)outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "unknown";
}

const char *trial_moment_name(enum trial_moment moment)
{
	static const char *const names[] = {
		[TRIAL_NEVER] = "never",
		[TRIAL_AT_HANDSHAKE] = "handshake",
		[TRIAL_AT_PRIMING] = "priming",
		[TRIAL_AT_HEADERS] = "headers",
		[TRIAL_DURING_BODY] = "body",
		[TRIAL_AFTER_BODY] = "after-body",
		[TRIAL_AFTER_RESPONSE] = "response",
	};
	return (size_t)moment < sizeof(names) / sizeof(names[0]) ? names[moment] : "unknown";
}
