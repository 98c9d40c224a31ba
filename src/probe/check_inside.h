/* Internals of a check, for check*.c only. */
#ifndef PROBE_CHECK_INSIDE_H
#define PROBE_CHECK_INSIDE_H

#include "http/h2_client.h"
#include "probe/check.h"

enum check_state {
	TS_SHAKE,
	TS_RENEGOTIATE,
	TS_PRIME,  /* writes the priming request */
	TS_PRIMED, /* reads its response */
	TS_HEAD,
	TS_PAUSE,
	TS_EXPECT, /* waits for a 100 */
	TS_BODY,
	TS_RESPONSE,
	TS_LINGER,
	TS_H2,
	TS_HOLD, /* stalled: waiting for the server to give up */
	TS_OVER,
	TS_COUNT
};

/* The result of a state's function. */
enum check_turn {
	TURN_MOVED, /* the state has changed */
	TURN_WAIT,  /* waits for the transport, or for a deadline */
};

#define CHECK_HEAD_MAX 16384

#define ALERT_PROTOCOL_VERSION 70 /* RFC 8446 6.2 */

struct check {
	struct check_script script;
	struct check_result result;
	struct timeline line;
	struct meter meter;
	struct transport transport; /* over the meter */
	struct tls_client *client;
	struct http_h2_client *h2; /* NULL except in TS_H2 */
	enum check_state state;
	enum thaw_status wants; /* what the last blocked write waits for; THAW_OK: none */
	struct reply reply;
	char head[CHECK_HEAD_MAX];
	size_t head_at, head_len;
	uint64_t answered_ms; /* when the head of the final response arrived */
	uint64_t heard;       /* bytes received of it */
	bool ended;           /* the peer has closed its side */
	unsigned exchanges;
	struct thaw_error err; /* the first TLS error */
	uint64_t began_ms, now_ms, entered_ms, moved_ms, stalled_ms;
	enum check_state stalled_in;
	enum check_outcome stalled_as; /* the outcome after the hold, if it is still open */
	uint64_t stalled_acked;
	bool reads_on; /* stalled, but then the server read more */
	uint64_t progress;
	uint64_t unacked, acked; /* at the start of the step: bytes written in this step are in neither */
};

/* check_states.c: the states, and the timeline. */

bool check_state_may_follow(enum check_state from, enum check_state to);
/* The only function that changes the state. */
void check_enter(struct check *check, enum check_state to);
void check_note(struct check *check, enum timeline_what what, uint64_t value);
void check_trace(struct check *check);

/* check_see.c: received data. */

/* Reads what is available. Sets check->ended and reply (status, done). False: invalid data, and the check is over. */
bool check_hear(struct check *check);

/* The final state, with this outcome. */
void check_finish(struct check *check, enum check_outcome outcome);
/* The same for a connection that was closed, or failed, without a response. */
void check_finish_cut(struct check *check);

/* check_run.c: the functions of the states. */
enum check_turn check_run_shake(struct check *check);
enum check_turn check_run_renegotiate(struct check *check);
enum check_turn check_run_prime(struct check *check);
enum check_turn check_run_primed(struct check *check);
enum check_turn check_run_head(struct check *check);
enum check_turn check_run_pause(struct check *check);
enum check_turn check_run_expect(struct check *check);
enum check_turn check_run_body(struct check *check);
enum check_turn check_run_response(struct check *check);
enum check_turn check_run_linger(struct check *check);
enum check_turn check_run_h2(struct check *check);
enum check_turn check_run_hold(struct check *check);

#endif
