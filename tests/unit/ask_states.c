/* The ask's state table and decision table, walked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ask/plan.h"
#include "ask/states.h"

#define ENDS (ASK_BIT(ASK_SETTLED) | ASK_BIT(ASK_ABANDONED))

/* The states from which a settled ask can be reached, by working backwards through the table. */
static uint32_t ending(void)
{
	uint32_t known = ENDS, before;

	do {
		before = known;
		for (int s = 0; s < ASK_STATES; s++)
			if (ask_states[s].next & known)
				known |= ASK_BIT(s);
	} while (known != before);
	return known;
}

static void every_path_ends(void **state)
{
	(void)state;
	for (int s = 0; s < ASK_STATES; s++)
		assert_true(ending() & ASK_BIT(s));
}

static void a_waiting_state_settles_at_once_if_it_must(void **state)
{
	(void)state;
	for (int s = 0; s < ASK_STATES; s++)
		if (ask_states[s].waits)
			assert_true(ask_states[s].next & ENDS);
}

/* What the client was asked for, and has not answered to the end, cannot be taken for settled. */
static void an_unanswered_request_is_abandoned(void **state)
{
	(void)state;
	for (int s = ASK_SEND; s <= ASK_EXCHANGE; s++) {
		assert_true(ask_states[s].open);
		assert_int_equal(ask_states[s].next & ENDS, ASK_BIT(ASK_ABANDONED));
	}
	assert_int_equal(ask_states[ASK_GRACE].next, ASK_BIT(ASK_SETTLED));
}

static void an_abandoned_ask_permits_no_further_request(void **state)
{
	(void)state;
	assert_int_equal(ask_states[ASK_ABANDONED].next, ASK_BIT(ASK_ABANDONED));
}

/* Before the request is written, a handshake message is the client's own idea; and so it is afterwards. */
static void messages_belong_to_an_exchange_once_it_is_begun(void **state)
{
	(void)state;
	for (int s = 0; s < ASK_STATES; s++)
		assert_int_equal(ask_states[s].open, s >= ASK_SEND && s <= ASK_GRACE);
}

static void waiting_states_have_no_cycle(void **state)
{
	/* Only once there is a verdict can a state be seen again: otherwise deadlines could be renewed for ever. */
	(void)state;
	for (int s = 0; s < ASK_STATES; s++) {
		uint32_t seen = ask_states[s].next & ~ENDS, before;
		if (ENDS & ASK_BIT(s))
			continue;
		do {
			before = seen;
			for (int t = 0; t < ASK_STATES; t++)
				if (seen & ASK_BIT(t))
					seen |= ask_states[t].next & ~ENDS;
		} while (seen != before);
		assert_false(seen & ASK_BIT(s));
	}
}

static void names_differ(void **state)
{
	(void)state;
	for (int a = 0; a < ASK_STATES; a++) {
		assert_non_null(ask_states[a].name);
		for (int b = 0; b < a; b++)
			assert_string_not_equal(ask_states[a].name, ask_states[b].name);
	}
}

struct row {
	struct ask_facts facts;
	enum thaw_moment moment;
	bool body_follows, early, again;
	enum ask_step step;
	enum thaw_moment when;
};

#define PHA   THAW_MEANS_POST_HANDSHAKE
#define RENEG THAW_MEANS_RENEGOTIATION
#define NO    THAW_MEANS_NONE

/* Where an unverified certificate will do, one that is there is judged, and its client is not asked again. */
static void unverified_certificates_are_not_requested_again(void **state)
{
	const struct ask_facts none = {PHA, false, false, false}, present = {PHA, false, false, true},
			       over_http2 = {NO, false, false, true};
	struct thaw_ask_options options = {.moment = THAW_MOMENT_HEADERS};

	(void)state;
	assert_int_equal(ask_plan(&present, &options).step, ASK_STEP_REQUEST);
	options.unverified = true;
	assert_int_equal(ask_plan(&none, &options).step, ASK_STEP_REQUEST);
	assert_int_equal(ask_plan(&present, &options).step, ASK_STEP_VERIFY);
	assert_int_equal(ask_plan(&over_http2, &options).step, ASK_STEP_VERIFY);
	options.again = true;
	assert_int_equal(ask_plan(&present, &options).step, ASK_STEP_REQUEST);
}

static void decisions(void **state)
{
	static const struct row rows[] = {
		/* what is believed already needs no asking, by any means, whatever comes behind */
		{{PHA, true, false, false},
		 THAW_MOMENT_HEADERS,
		 true,
		 false,
		 false,
		 ASK_STEP_ACCEPT,
		 THAW_MOMENT_HANDSHAKE},
		{{NO, true, false, false},
		 THAW_MOMENT_BODY,
		 true,
		 false,
		 false,
		 ASK_STEP_ACCEPT,
		 THAW_MOMENT_HANDSHAKE},
		{{RENEG, true, true, false},
		 THAW_MOMENT_HEADERS,
		 true,
		 true,
		 false,
		 ASK_STEP_ACCEPT,
		 THAW_MOMENT_HANDSHAKE},
		{{PHA, true, false, false},
		 THAW_MOMENT_HEADERS,
		 false,
		 false,
		 true,
		 ASK_STEP_REQUEST,
		 THAW_MOMENT_HEADERS},
		/* at the handshake: no second request */
		{{PHA, false, false, false},
		 THAW_MOMENT_HANDSHAKE,
		 true,
		 false,
		 false,
		 ASK_STEP_VERIFY,
		 THAW_MOMENT_HANDSHAKE},
		{{NO, false, false, false},
		 THAW_MOMENT_HANDSHAKE,
		 false,
		 false,
		 false,
		 ASK_STEP_VERIFY,
		 THAW_MOMENT_HANDSHAKE},
		/* who cannot be asked, is not */
		{{NO, false, false, false},
		 THAW_MOMENT_HEADERS,
		 true,
		 false,
		 false,
		 ASK_STEP_IMPOSSIBLE,
		 THAW_MOMENT_NONE},
		{{NO, false, false, false},
		 THAW_MOMENT_BODY,
		 false,
		 false,
		 false,
		 ASK_STEP_IMPOSSIBLE,
		 THAW_MOMENT_NONE},
		{{PHA, false, true, false},
		 THAW_MOMENT_HEADERS,
		 true,
		 false,
		 false,
		 ASK_STEP_IMPOSSIBLE,
		 THAW_MOMENT_NONE},
		{{RENEG, false, true, false},
		 THAW_MOMENT_RESPONSE,
		 false,
		 false,
		 false,
		 ASK_STEP_IMPOSSIBLE,
		 THAW_MOMENT_NONE},
		/* TLS 1.3: at the headers, draining meanwhile */
		{{PHA, false, false, false},
		 THAW_MOMENT_HEADERS,
		 true,
		 false,
		 false,
		 ASK_STEP_REQUEST,
		 THAW_MOMENT_HEADERS},
		{{PHA, false, false, false},
		 THAW_MOMENT_HEADERS,
		 false,
		 false,
		 false,
		 ASK_STEP_REQUEST,
		 THAW_MOMENT_HEADERS},
		{{PHA, false, false, false},
		 THAW_MOMENT_HEADERS,
		 true,
		 true,
		 false,
		 ASK_STEP_REQUEST,
		 THAW_MOMENT_HEADERS},
		/* TLS 1.2: at the headers only when no body is on its way, or when told so */
		{{RENEG, false, false, false},
		 THAW_MOMENT_HEADERS,
		 false,
		 false,
		 false,
		 ASK_STEP_REQUEST,
		 THAW_MOMENT_HEADERS},
		{{RENEG, false, false, false},
		 THAW_MOMENT_HEADERS,
		 true,
		 false,
		 false,
		 ASK_STEP_DRAIN_FIRST,
		 THAW_MOMENT_BODY},
		{{RENEG, false, false, false},
		 THAW_MOMENT_HEADERS,
		 true,
		 true,
		 false,
		 ASK_STEP_REQUEST,
		 THAW_MOMENT_HEADERS},
		/* at the end of the body, which may be there already */
		{{PHA, false, false, false},
		 THAW_MOMENT_BODY,
		 true,
		 false,
		 false,
		 ASK_STEP_DRAIN_FIRST,
		 THAW_MOMENT_BODY},
		{{RENEG, false, false, false},
		 THAW_MOMENT_BODY,
		 true,
		 false,
		 false,
		 ASK_STEP_DRAIN_FIRST,
		 THAW_MOMENT_BODY},
		{{PHA, false, false, false}, THAW_MOMENT_BODY, false, false, false, ASK_STEP_REQUEST, THAW_MOMENT_BODY},
		/* after the response */
		{{PHA, false, false, false},
		 THAW_MOMENT_RESPONSE,
		 false,
		 false,
		 false,
		 ASK_STEP_REQUEST,
		 THAW_MOMENT_RESPONSE},
		{{RENEG, false, false, false},
		 THAW_MOMENT_RESPONSE,
		 false,
		 false,
		 false,
		 ASK_STEP_REQUEST,
		 THAW_MOMENT_RESPONSE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct thaw_ask_options options = {.size = sizeof(options),
						   .moment = rows[i].moment,
						   .body_follows = rows[i].body_follows,
						   .early = rows[i].early,
						   .again = rows[i].again};
		struct ask_plan plan = ask_plan(&rows[i].facts, &options);
		if (plan.step != rows[i].step || plan.moment != rows[i].when)
			fail_msg("row %zu: step %d moment %s", i, (int)plan.step, thaw_moment_name(plan.moment));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_ends),
		cmocka_unit_test(a_waiting_state_settles_at_once_if_it_must),
		cmocka_unit_test(an_unanswered_request_is_abandoned),
		cmocka_unit_test(an_abandoned_ask_permits_no_further_request),
		cmocka_unit_test(messages_belong_to_an_exchange_once_it_is_begun),
		cmocka_unit_test(waiting_states_have_no_cycle),
		cmocka_unit_test(names_differ),
		cmocka_unit_test(decisions),
		cmocka_unit_test(unverified_certificates_are_not_requested_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
