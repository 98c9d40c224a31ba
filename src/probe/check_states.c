/* The states of a check, and their transitions; its timeline; and access for others. */
#include "probe/check_inside.h"

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

bool check_state_may_follow(enum check_state from, enum check_state to)
{
	return (next[from] & BIT(to)) != 0;
}

void check_enter(struct check *check, enum check_state to)
{
	if (!check_state_may_follow(check->state, to))
		__builtin_trap(); /* a bug: abort rather than report a wrong result */
	check->state = to;
	check->entered_ms = check->moved_ms = check->now_ms;
}

/* ---- the timeline ---- */

static struct timeline_point now_of(const struct check *check)
{
	return (struct timeline_point){
		.ms = (uint32_t)(check->now_ms - check->began_ms), .up = check->acked, .down = check->meter.down};
}

void check_trace(struct check *check)
{
	struct timeline_point now = now_of(check);

	timeline_trace(&check->line, &now);
}

void check_note(struct check *check, enum timeline_what what, uint64_t value)
{
	struct timeline_point now = now_of(check);

	timeline_trace(&check->line, &now);
	now.up = check->meter.up; /* the curve is behind: bytes just written are not acknowledged yet */
	timeline_add(&check->line, what, value, &now);
}

/* ---- for others ---- */

const struct check_script *check_script(const struct check *check)
{
	return &check->script;
}

const struct check_result *check_result(const struct check *check)
{
	return &check->result;
}

const struct timeline *check_timeline(const struct check *check)
{
	return &check->line;
}

/* ---- names ---- */

const char *check_outcome_name(enum check_outcome outcome)
{
	static const char *const names[] = {
		[CHECK_PENDING] = "not-finished",
		[CHECK_ANSWERED] = "answered",
		[CHECK_FREEZE] = "freeze",
		[CHECK_SILENCE] = "silence",
		[CHECK_ALERTED] = "alert",
		[CHECK_CLOSED] = "closed",
		[CHECK_RESET] = "reset",
		[CHECK_GARBLED] = "garbled",
		[CHECK_WITHHELD] = "withheld",
		[CHECK_UNPRIMED] = "closed-after-priming",
		[CHECK_NO_HTTP2] = "no-http2",
		[CHECK_H2_RESET] = "stream-reset",
		[CHECK_RENEGOTIATED] = "renegotiated",
		[CHECK_NOT_RENEGOTIATED] = "not-renegotiated",
		[CHECK_UNREACHABLE] = "unreachable",
		[CHECK_NOT_TLS] = "not-tls",
		[CHECK_SHAKE_STALL] = "handshake-stalled",
		[CHECK_SHAKE_FAILED] = "handshake-failed",
		[CHECK_UNTRUSTED] = "server-untrusted",
		[CHECK_NO_MEMORY] = "no-memory",
		[CHECK_KEY_FAILED] = "key-failed",
	};
	return (size_t)outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "unknown";
}

const char *check_moment_name(enum check_moment moment)
{
	static const char *const names[] = {
		[CHECK_NEVER] = "never",
		[CHECK_AT_HANDSHAKE] = "handshake",
		[CHECK_AT_PRIMING] = "priming",
		[CHECK_AT_HEADERS] = "headers",
		[CHECK_DURING_BODY] = "body",
		[CHECK_AFTER_BODY] = "after-body",
		[CHECK_AFTER_RESPONSE] = "response",
	};
	return (size_t)moment < sizeof(names) / sizeof(names[0]) ? names[moment] : "unknown";
}
