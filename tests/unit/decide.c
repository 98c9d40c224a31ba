/* The decision table of the gateway, row by row, and over all facts at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/decide.h"
#include "gateway/problem.h"

struct row {
	const char *what;
	struct gw_facts facts;
	struct gw_decision decision;
};

static const struct row rows[] = {
	{"never", {CONFIG_WHEN_NEVER, true, false, true, false, false}, {.action = GW_GO}},
	{"never, and a 100 is waited for",
	 {CONFIG_WHEN_NEVER, true, true, false, false, false},
	 {.action = GW_GO, .continue_then = true}},
	{"at the handshake",
	 {CONFIG_WHEN_HANDSHAKE, true, false, true, false, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_HANDSHAKE}},
	{"a body on its way",
	 {CONFIG_WHEN_REQUEST, true, false, true, false, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_HEADERS, .body_follows = true}},
	{"no body",
	 {CONFIG_WHEN_REQUEST, false, false, false, false, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_HEADERS}},
	{"Expect and nothing sent: the 100 is held",
	 {CONFIG_WHEN_REQUEST, true, true, false, false, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_HEADERS, .continue_then = true}},
	{"Expect, but the body is here",
	 {CONFIG_WHEN_REQUEST, true, true, true, false, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_HEADERS, .body_follows = true}},
	{"early",
	 {CONFIG_WHEN_REQUEST_EARLY, true, false, true, false, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_HEADERS, .body_follows = true, .early = true}},
	{"at the end of the body",
	 {CONFIG_WHEN_BODY, true, false, false, false, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_BODY, .body_follows = true}},
	{"at the end of the body, which needs its 100",
	 {CONFIG_WHEN_BODY, true, true, false, false, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_BODY, .body_follows = true, .continue_now = true}},
	{"at the end of no body",
	 {CONFIG_WHEN_BODY, false, false, false, false, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_BODY}},
	{"late, over HTTP/2",
	 {CONFIG_WHEN_REQUEST, true, false, false, true, false},
	 {.action = GW_GO_OR_AWAY, .moment = THAW_MOMENT_HANDSHAKE}},
	{"late, over HTTP/2, with Expect",
	 {CONFIG_WHEN_BODY, true, true, false, true, false},
	 {.action = GW_GO_OR_AWAY, .moment = THAW_MOMENT_HANDSHAKE, .continue_then = true}},
	{"after the response, over HTTP/2",
	 {CONFIG_WHEN_RESPONSE, false, false, false, true, false},
	 {.action = GW_GO_OR_AWAY, .moment = THAW_MOMENT_HANDSHAKE}},
	{"at the handshake, over HTTP/2",
	 {CONFIG_WHEN_HANDSHAKE, false, false, false, true, false},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_HANDSHAKE}},
	{"never, over HTTP/2", {CONFIG_WHEN_NEVER, false, false, false, true, false}, {.action = GW_GO}},
	{"late, where the handshake has asked on demand",
	 {CONFIG_WHEN_REQUEST, true, false, true, false, true},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_HANDSHAKE}},
	{"after the response, where the handshake has asked on demand",
	 {CONFIG_WHEN_RESPONSE, true, false, true, false, true},
	 {.action = GW_GO_ASK, .moment = THAW_MOMENT_HANDSHAKE}},
	{"after the response", {CONFIG_WHEN_RESPONSE, true, false, true, false, false}, {.action = GW_GO_THEN_ASK}},
};

static bool same(const struct gw_decision *a, const struct gw_decision *b)
{
	return a->action == b->action && a->moment == b->moment && a->body_follows == b->body_follows &&
	       a->early == b->early && a->continue_now == b->continue_now && a->continue_then == b->continue_then;
}

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gw_decision decision = gw_decide(&rows[i].facts);
		if (!same(&decision, &rows[i].decision))
			fail_msg("%s", rows[i].what);
	}
}

/* What must hold for any facts at all. */
static void invariants(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 6 * 32; bits++) {
		struct gw_facts facts = {(enum config_when)(bits / 32),
					 (bits & 1) != 0,
					 (bits & 2) != 0,
					 (bits & 4) != 0,
					 (bits & 8) != 0,
					 (bits & 16) != 0};
		struct gw_decision d = gw_decide(&facts);
		assert_false(d.continue_now && d.continue_then);
		if (d.continue_now || d.continue_then)
			assert_true(facts.expects && facts.has_body && !facts.body_here);
		if (d.body_follows)
			assert_true(facts.has_body);
		bool asks = d.action == GW_GO_ASK || d.action == GW_GO_OR_AWAY;
		assert_true(asks == (d.moment != THAW_MOMENT_NONE));
		if (facts.cannot_ask) /* nothing is asked for between its bytes */
			assert_true(!asks || d.moment == THAW_MOMENT_HANDSHAKE);
		/* Whoever waits for a 100 gets it now or later, or there would be a freeze. */
		if (facts.expects && facts.has_body && !facts.body_here)
			assert_true(d.continue_now || d.continue_then);
		/* A body that is drained to its end before the client is asked must be able to come. */
		if (d.body_follows && facts.expects && !facts.body_here)
			assert_true(d.continue_now);
	}
}

static void statuses(void **state)
{
	(void)state;
	assert_int_equal(gw_problem_status(THAW_VERDICT_DECLINED, THAW_REASON_NO_CERTIFICATE), 403);
	assert_int_equal(gw_problem_status(THAW_VERDICT_REJECTED, THAW_REASON_UNTRUSTED), 403);
	assert_int_equal(gw_problem_status(THAW_VERDICT_IMPOSSIBLE, THAW_REASON_NO_POST_HANDSHAKE), 403);
	assert_int_equal(gw_problem_status(THAW_VERDICT_TIMED_OUT, THAW_REASON_NO_ANSWER), 408);
	assert_int_equal(gw_problem_status(THAW_VERDICT_TIMED_OUT, THAW_REASON_BODY_IDLE), 408);
	assert_int_equal(gw_problem_status(THAW_VERDICT_OVER_LIMIT, THAW_REASON_BODY_SIZE), 413);
	assert_int_equal(gw_problem_status(THAW_VERDICT_OVER_LIMIT, THAW_REASON_PIPELINED), 400);
	assert_int_equal(gw_problem_status(THAW_VERDICT_OVER_LIMIT, THAW_REASON_BUDGET_CLIENT), 503);
	assert_int_equal(gw_problem_status(THAW_VERDICT_OVER_LIMIT, THAW_REASON_DISK_FULL), 503);
	assert_int_equal(gw_problem_status(THAW_VERDICT_OVER_LIMIT, THAW_REASON_NO_MEMORY), 503);
}

/* What is not trusted goes on only where the route says so, and only for that reason. */
static void courses(void **state)
{
	struct config_certificate settings = {.require = CONFIG_REQUIRED};

	(void)state;
	assert_int_equal(gw_course(&settings, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE), GW_COURSE_ADMIT);
	assert_int_equal(gw_course(&settings, THAW_VERDICT_DECLINED, THAW_REASON_NO_CERTIFICATE), GW_COURSE_REFUSE);
	assert_int_equal(gw_course(&settings, THAW_VERDICT_REJECTED, THAW_REASON_UNTRUSTED), GW_COURSE_REFUSE);
	settings.require = CONFIG_OPTIONAL;
	assert_int_equal(gw_course(&settings, THAW_VERDICT_DECLINED, THAW_REASON_NO_CERTIFICATE), GW_COURSE_GO);
	assert_int_equal(gw_course(&settings, THAW_VERDICT_IMPOSSIBLE, THAW_REASON_HTTP2), GW_COURSE_GO);
	assert_int_equal(gw_course(&settings, THAW_VERDICT_REJECTED, THAW_REASON_UNTRUSTED), GW_COURSE_REFUSE);
	settings.require = CONFIG_OPTIONAL_UNVERIFIED;
	assert_int_equal(gw_course(&settings, THAW_VERDICT_DECLINED, THAW_REASON_NO_CERTIFICATE), GW_COURSE_GO);
	for (int reason = THAW_REASON_NONE; reason <= THAW_REASON_BUDGET_PRESSURE; reason++)
		assert_int_equal(gw_course(&settings, THAW_VERDICT_REJECTED, (enum thaw_reason)reason),
				 reason == THAW_REASON_UNTRUSTED ? GW_COURSE_MARKED : GW_COURSE_REFUSE);
	assert_int_equal(gw_course(&settings, THAW_VERDICT_CANCELLED, THAW_REASON_UNTRUSTED), GW_COURSE_REFUSE);
	assert_int_equal(gw_course(&settings, THAW_VERDICT_TIMED_OUT, THAW_REASON_NO_ANSWER), GW_COURSE_REFUSE);
	settings.allow_count = 1;
	assert_int_equal(gw_course(&settings, THAW_VERDICT_REJECTED, THAW_REASON_UNTRUSTED), GW_COURSE_REFUSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(invariants),
		cmocka_unit_test(statuses),
		cmocka_unit_test(courses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
