/* Internals of a trial, for trial*.c only. */
#ifndef PROBE_TRIAL_INSIDE_H
#define PROBE_TRIAL_INSIDE_H

#include "http/h2_client.h"
#include "probe/trial.h"

enum trial_state {
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
enum trial_turn {
	TURN_MOVED, /* the state has changed */
	TURN_WAIT,  /* waits for the transport, or for a deadline */
};

#define TRIAL_HEAD_MAX 16384

#define ALERT_PROTOCOL_VERSION 70 /* RFC 8446 6.2 */

struct trial {
	struct trial_script script;
	struct trial_result result;
	struct timeline line;
	struct meter meter;
	struct transport transport; /* over the meter */
	struct tls_client *client;
	struct http_h2_client *h2; /* NULL except in TS_H2 */
	enum trial_state state;
	enum thaw_status wants; /* what the last blocked write waits for; THAW_OK: none */
	struct reply reply;
	char head[TRIAL_HEAD_MAX];
	size_t head_at, head_len;
	uint64_t answered_ms; /* when the head of the final response arrived */
	uint64_t heard;       /* bytes received of it */
	bool ended;           /* the peer has closed its side */
	unsigned exchanges;
	struct thaw_error err; /* the first TLS error */
	uint64_t began_ms, now_ms, entered_ms, moved_ms, stalled_ms;
	enum trial_state stalled_in;
	enum trial_outcome stalled_as; /* the outcome after the hold, if it is still open */
	uint64_t stalled_acked;
	bool reads_on; /* stalled, but then the server read more */
	uint64_t progress;
	uint64_t unacked, acked; /* at the start of the step: bytes written in this step are in neither */
};

/* trial_states.c: the states, and the timeline. */

bool trial_state_may_follow(enum trial_state from, enum trial_state to);
/* The only function that changes the state. */
void trial_enter(struct trial *trial, enum trial_state to);
void trial_note(struct trial *trial, enum timeline_what what, uint64_t value);
void trial_trace(struct trial *trial);

/* trial_see.c: received data. */

/* Reads what is available. Sets trial->ended and reply (status, done). False: invalid data, and the trial is over. */
bool trial_hear(struct trial *trial);

/* The final state, with this outcome. */
void trial_finish(struct trial *trial, enum trial_outcome outcome);
/* The same for a connection that was closed, or failed, without a response. */
void trial_finish_cut(struct trial *trial);

/* trial_run.c: the functions of the states. */
enum trial_turn trial_run_shake(struct trial *trial);
enum trial_turn trial_run_renegotiate(struct trial *trial);
enum trial_turn trial_run_prime(struct trial *trial);
enum trial_turn trial_run_primed(struct trial *trial);
enum trial_turn trial_run_head(struct trial *trial);
enum trial_turn trial_run_pause(struct trial *trial);
enum trial_turn trial_run_expect(struct trial *trial);
enum trial_turn trial_run_body(struct trial *trial);
enum trial_turn trial_run_response(struct trial *trial);
enum trial_turn trial_run_linger(struct trial *trial);
enum trial_turn trial_run_h2(struct trial *trial);
enum trial_turn trial_run_hold(struct trial *trial);

#endif
