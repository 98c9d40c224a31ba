/* What an upload decides: priming, stepping down to TLS 1.2, when the body may go out, what may be sent again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "send/plan.h"

static void priming(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct send_known known = {.https = (i & 1) != 0, .credentials = (i & 2) != 0};
		assert_true(send_primes(SEND_ALWAYS, &known));
		assert_false(send_primes(SEND_NEVER, &known));
		assert_int_equal(send_primes(SEND_AUTO, &known), i == 3);
		known.head_has_body = true;
		assert_false(send_primes(SEND_AUTO, &known));
	}
}

static void stepping_down(void **state)
{
	const struct send_known refused = {
		.https = true, .credentials = true, .tls_open = true, .reached = true, .is_13 = true, .status = 401};
	struct send_known known = refused;

	(void)state;
	assert_true(send_steps_down(&known));
	known.status = 403;
	assert_true(send_steps_down(&known));
	known.status = 500; /* Node, where the ask throws */
	assert_true(send_steps_down(&known));
	known.status = 400;
	assert_true(send_steps_down(&known));
	known.status = 0; /* the connection was given up */
	assert_true(send_steps_down(&known));
	known.status = 200;
	assert_false(send_steps_down(&known));
	known.status = 404;
	assert_false(send_steps_down(&known));
	known = refused;
	known.asked = THAW_MEANS_POST_HANDSHAKE;
	assert_false(send_steps_down(&known));
	known = refused;
	known.tls_open = false;
	assert_false(send_steps_down(&known));
	known = refused;
	known.tried_12 = true;
	assert_false(send_steps_down(&known));
	known = refused;
	known.credentials = false;
	assert_false(send_steps_down(&known));
	known = refused;
	known.is_13 = false;
	assert_false(send_steps_down(&known));
	known = refused;
	known.reached = false;
	assert_false(send_steps_down(&known));
}

static void expecting(void **state)
{
	struct send_known known = {.https = true, .credentials = true};

	(void)state;
	assert_true(send_expects(SEND_AUTO, &known));
	known.kept = true; /* primed, and not asked: the upload may be */
	assert_true(send_expects(SEND_AUTO, &known));
	known.asked = THAW_MEANS_RENEGOTIATION;
	assert_false(send_expects(SEND_AUTO, &known));
	assert_true(send_expects(SEND_ALWAYS, &known));
	known.kept = false; /* another connection will be asked again */
	assert_true(send_expects(SEND_AUTO, &known));
	assert_false(send_expects(SEND_NEVER, &known));
	known.asked = THAW_MEANS_HANDSHAKE; /* which comes before all of it */
	assert_false(send_expects(SEND_AUTO, &known));
	known = (struct send_known){.https = true};
	assert_false(send_expects(SEND_AUTO, &known));
	known = (struct send_known){.credentials = true};
	assert_false(send_expects(SEND_AUTO, &known));
}

/* ---- the gate ---- */

/* From each gate, by each event: the table, seen from outside. */
static void the_gate(void **state)
{
	static const enum send_gate leads[][3] = {
		/* EVENT_CONTINUE, EVENT_ASKED, EVENT_ANSWERED */
		[GATE_HEAD] = {GATE_OPEN, GATE_ASKED, GATE_HEAD},
		[GATE_ASKER] = {GATE_OPEN, GATE_ASKED, GATE_ASKER},
		[GATE_ASKED] = {GATE_OPEN, GATE_ASKED, GATE_ANSWERED},
		[GATE_ANSWERED] = {GATE_OPEN, GATE_ASKED, GATE_ANSWERED},
		[GATE_OPEN] = {GATE_OPEN, GATE_OPEN, GATE_OPEN},
	};

	(void)state;
	for (size_t from = GATE_HEAD; from <= GATE_OPEN; from++)
		for (size_t event = EVENT_CONTINUE; event <= EVENT_ANSWERED; event++) {
			struct send_hold hold = {.gate = (enum send_gate)from, .deadline_ms = THAW_NEVER};
			send_hold_event(&hold, (enum send_event)event, 1000);
			assert_int_equal(hold.gate, leads[from][event]);
			assert_int_equal(hold.continued, event == EVENT_CONTINUE);
		}
}

/* Every wait has an end, but for that on an answer of our own. */
static void each_wait_has_an_end(void **state)
{
	static const struct send_known nothing = {.https = true}, asker = {.asked = THAW_MEANS_RENEGOTIATION};
	struct send_hold hold;

	(void)state;
	send_hold_begin(&hold, false, &nothing, 5000);
	assert_int_equal(hold.gate, GATE_OPEN);
	send_hold_begin(&hold, true, &nothing, 5000);
	assert_int_equal(hold.gate, GATE_HEAD);
	uint64_t short_wait = hold.deadline_ms - 5000;
	send_hold_event(&hold, EVENT_TIME, hold.deadline_ms - 1);
	assert_int_equal(hold.gate, GATE_HEAD);
	send_hold_event(&hold, EVENT_TIME, hold.deadline_ms);
	assert_int_equal(hold.gate, GATE_OPEN);
	send_hold_begin(&hold, true, &asker, 5000);
	assert_int_equal(hold.gate, GATE_ASKER);
	assert_true(hold.deadline_ms - 5000 > short_wait);
	send_hold_event(&hold, EVENT_ASKED, 6000);
	send_hold_event(&hold, EVENT_TIME, UINT64_MAX - 1);
	assert_int_equal(hold.gate, GATE_ASKED);
	send_hold_event(&hold, EVENT_ANSWERED, 7000);
	assert_true(hold.deadline_ms > 7000 && hold.deadline_ms < 60000);
	send_hold_event(&hold, EVENT_TIME, hold.deadline_ms);
	assert_int_equal(hold.gate, GATE_OPEN);
	assert_false(hold.continued);
}

/* ---- again ---- */

static void what_may_be_sent_again(void **state)
{
	static const struct {
		enum send_cause cause;
		long status;
		bool put, post_begun, post_unbegun, put_from_a_pipe;
	} cases[] = {
		{SEND_NO_HOST, 0, true, true, true, false},
		{SEND_NO_WAY, 0, true, true, true, false},
		{SEND_LOST, 0, true, false, true, false},
		{SEND_STALLED, 0, true, false, true, false},
		{SEND_REFUSED, 503, true, false, true, false},
		{SEND_REFUSED, 408, true, false, true, false},
		{SEND_REFUSED, 403, false, false, false, false},
		{SEND_REFUSED, 413, false, false, false, false},
		{SEND_DONE, 200, false, false, false, false},
		{SEND_EARLY, 200, false, false, false, false},
		{SEND_NO_BODY, 0, false, false, false, false},
		{SEND_NO_TRUST, 0, false, false, false, false},
		{SEND_TIMEOUT, 0, false, false, false, false},
		{SEND_UNPRIMED, 0, false, false, false, false},
		{SEND_NO_TLS, 0, false, false, false, false},
		{SEND_NO_OUT, 0, false, false, false, false},
		{SEND_NO_CERTIFICATE, 0, false, false, false, false},
		{SEND_NO_ROOM, 0, false, false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct send_attempt put = {.cause = cases[i].cause,
					   .status = cases[i].status,
					   .idempotent = true,
					   .touched = true,
					   .rewindable = true};
		struct send_attempt post_begun = put, post_unbegun = put, pipe = put;
		post_begun.idempotent = post_unbegun.idempotent = false;
		post_unbegun.touched = false;
		pipe.rewindable = false;
		assert_int_equal(send_may_retry(&put), cases[i].put);
		assert_int_equal(send_may_retry(&post_begun), cases[i].post_begun);
		assert_int_equal(send_may_retry(&post_unbegun), cases[i].post_unbegun);
		assert_int_equal(send_may_retry(&pipe), cases[i].put_from_a_pipe);
	}
	struct send_attempt answered = {.cause = SEND_LOST, .idempotent = true, .answered = true, .rewindable = true};
	for (uint64_t after = 0; after <= 7200; after += 3600) {
		struct send_attempt busy = {.cause = SEND_REFUSED,
					    .status = 503,
					    .idempotent = true,
					    .rewindable = true,
					    .retry_after_s = after};
		assert_int_equal(send_may_retry(&busy), after <= 3600); /* a server that says more is not waited for */
		busy.status = 413;
		assert_int_equal(send_may_retry(&busy), after == 3600); /* for a while only */
		busy.status = 403;
		assert_false(send_may_retry(&busy));
	}
	static const struct {
		unsigned alert;
		bool again, certificate;
	} alerts[] = {{0, true, false},   {20, true, false},  {80, true, false},  {90, true, false},
		      {40, false, true},  {42, false, true},  {45, false, true},  {46, false, true},
		      {48, false, true},  {49, false, true},  {51, false, true},  {116, false, true},
		      {70, false, false}, {47, false, false}, {120, false, false}};
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		struct send_attempt ended = {
			.cause = SEND_LOST, .idempotent = true, .rewindable = true, .alert = alerts[i].alert};
		assert_int_equal(send_may_retry(&ended), alerts[i].again);
		assert_int_equal(send_refuses_certificate(alerts[i].alert), alerts[i].certificate);
	}
	assert_false(send_may_retry(&answered)); /* what it did is known in part */
}

static void pauses_are_as_long_as_the_server_says(void **state)
{
	(void)state;
	assert_int_equal(send_pause_ms(1, 0), 500);
	assert_int_equal(send_pause_ms(2, 0), 1000);
	assert_int_equal(send_pause_ms(100, 0), 30000);
	assert_int_equal(send_pause_ms(1, 5), 5000);
	assert_int_equal(send_pause_ms(6, 5), 16000); /* not less than without it */
	assert_int_equal(send_pause_ms(1, 3600), 3600000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(priming),
		cmocka_unit_test(stepping_down),
		cmocka_unit_test(expecting),
		cmocka_unit_test(the_gate),
		cmocka_unit_test(each_wait_has_an_end),
		cmocka_unit_test(what_may_be_sent_again),
		cmocka_unit_test(pauses_are_as_long_as_the_server_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
