/* What made-up findings come to: the verdict, the server that is recognised, and the cures. */
#include "findings_world.h"

#include <ctype.h>
#include <unistd.h>

#include "probe/cures.h"
#include "probe/verdict.h"

static struct verdict verdict;

static void judge(void)
{
	repeat_all();
	verdict_make(&found, &guess, &verdict);
	assert_true(verdict.count <= VERDICT_PROBLEMS_MAX);
	assert_ptr_equal(strstr(verdict.line, verdict_name(verdict.code)), verdict.line);
}

/* words: values and keywords of the verdict's line in their order, separated by '|'. The sentences may change. */
static void expect(enum probe_verdict code, const char *words)
{
	judge();
	if (!has_words(verdict.line, words))
		fail_msg("'%s' does not have '%s'", verdict.line, words);
	assert_int_equal(verdict.code, code);
}

static void expect_one(enum probe_verdict code, const char *words)
{
	expect(code, words);
	assert_int_equal(verdict.count, 1);
}

/* ---- verdicts ---- */

static void no_problem(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	expect(PROBE_NO_PROBLEM, "asks late|reads on|16,777,216");
	assert_int_equal(verdict.count, 0);
	begin(CHECK_AT_HANDSHAKE);
	expect(PROBE_NO_PROBLEM, "TLS handshake|any body|16,777,216");
	found.max_body = 0;
	expect(PROBE_NO_PROBLEM, "TLS handshake|any body");
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		struct check *plain = (struct check *)found.versions[i].plain;
		plain->result.outcome = CHECK_SHAKE_FAILED;
	}
	expect(PROBE_NO_PROBLEM, "TLS handshake|any body|closes connections");
	begin(CHECK_NEVER);
	expect(PROBE_NO_PROBLEM, "not ask|--method");
	found.unsafe = true;
	expect(PROBE_NO_PROBLEM, "not ask");
}

/* Every request is answered so, with and without a body. */
static void answer_all(enum check_outcome outcome, unsigned status)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		struct check *checks[] = {(struct check *)found.versions[i].plain,
					  (struct check *)found.versions[i].paused};
		for (size_t k = 0; k < 2; k++) {
			checks[k]->result.outcome = outcome;
			checks[k]->result.status = status;
		}
	}
}

static void a_server_that_accepts_no_certificate_is_not_fine(void **state)
{
	static const unsigned refusals[] = {400, 401, 403};

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char line[VERDICT_TEXT_MAX];
		begin(CHECK_AT_HEADERS);
		found.has_certificate = true;
		answer_all(CHECK_ANSWERED, refusals[i]);
		(void)snprintf(line, sizeof(line), "over TLS 1.2 and 1.3|client certificate|%u", refusals[i]);
		expect_one(PROBE_UNTOLD, line);
	}
	answer_all(CHECK_ALERTED, 0);
	((struct check *)found.versions[FIND_12].plain)->result.status = 0;
	expect_one(PROBE_UNTOLD, "over TLS 1.2 and 1.3|client certificate|an alert (no alert)");
	answer_all(CHECK_ANSWERED, 404); /* with a good certificate, too */
	expect(PROBE_NO_PROBLEM, "asks late|reads on|404");
	begin(CHECK_AT_HANDSHAKE);
	answer_all(CHECK_ANSWERED, 400);
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		((struct check *)found.versions[i].plain)->result.given = false;
		((struct check *)found.versions[i].paused)->result.given = false;
	}
	expect(PROBE_NO_PROBLEM, "TLS handshake|any body|without a certificate|400");
	begin(CHECK_AT_HEADERS); /* a method that it does not know, but the certificate is good */
	found.has_certificate = true;
	answer_all(CHECK_ANSWERED, 403);
	((struct check *)found.versions[FIND_12].plain)->result.status = 200;
	expect(PROBE_NO_PROBLEM, "asks late|reads on|16,777,216");
}

static void answers_from_elsewhere(void **state)
{
	(void)state;
	begin(CHECK_NEVER);
	answer_all(CHECK_ANSWERED, 301);
	expect_one(PROBE_UNTOLD, "301|redirect to nowhere");
	memcpy(((struct check *)found.versions[FIND_13].plain)->result.location, "/x/", sizeof("/x/"));
	expect_one(PROBE_UNTOLD, "301|redirect to /x/");
	answer_all(CHECK_CLOSED, 0);
	found.http2 = made(CHECK_ANSWERED, 200);
	expect_one(PROBE_UNTOLD, "HTTP/2|200");
}

/* A server that dies while it is probed, or keeps the probe out, shows nothing by that. */
static void connections_that_are_not_made(void **state)
{
	static const enum check_outcome outcomes[] = {CHECK_UNREACHABLE, CHECK_SHAKE_STALL};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(CHECK_NEVER);
		struct check *lost = made(outcomes[i], 0);
		lost->script.length = 64;
		found.versions[FIND_12].paused = found.versions[FIND_13].paused = lost;
		judge();
		assert_int_equal(verdict.code, PROBE_UNTOLD);
		assert_non_null(strstr(verdict.line, "64 bytes"));
		begin(CHECK_AT_HEADERS);
		found.versions[FIND_13].waits = found.versions[FIND_13].eager = made(outcomes[i], 0);
		found.browser = made(outcomes[i], 0);
		judge();
		assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
		assert_false(find_is_good(&found.versions[FIND_12], find_result(found.browser)));
	}
	begin(CHECK_AT_HEADERS);
	found.lost = true;
	judge();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
	assert_non_null(strstr(verdict.line, "connections failed"));
}

static void a_freeze_has_its_boundary(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	(void)change(FIND_13, CHECK_WRITES_FIRST, 65537, made(CHECK_FREEZE, 0));
	expect_one(PROBE_FREEZES, "over TLS 1.3|65,537|a freeze|writes before it reads|65,536");
	(void)change(FIND_12, CHECK_WRITES_FIRST, 65537, made(CHECK_FREEZE, 0));
	expect_one(PROBE_FREEZES, "over TLS 1.2 and 1.3|65,537|a freeze|writes before it reads|65,536");
	assert_int_equal(verdict.problems[0].versions, (1U << FIND_12) | (1U << FIND_13));
	(void)change(FIND_12, CHECK_WRITES_FIRST, 65538, made(CHECK_FREEZE, 0));
	judge();
	assert_int_equal(verdict.count, 2); /* what differs is two */
}

static void a_limit_has_its_boundary(void **state)
{
	struct sizes_boundary *at;

	(void)state;
	begin(CHECK_AFTER_BODY);
	change_all(131073, CHECK_ANSWERED, 413);
	expect_one(PROBE_LIMITED, "over TLS 1.2 and 1.3|131,073|413|any client|131,072");
	begin(CHECK_AFTER_BODY);
	change_all(1, CHECK_RESET, 0);
	expect_one(PROBE_LIMITED, "over TLS 1.2 and 1.3|any body|a reset connection|any client");
	begin(CHECK_AFTER_BODY);
	(void)change(FIND_12, CHECK_READS, 2, made(CHECK_ANSWERED, 413));
	judge();
	assert_non_null(strstr(verdict.line, "a body of 2 bytes or more")); /* not any */
	/* interrupted before a smaller one had its answer */
	begin(CHECK_AFTER_BODY);
	at = change(FIND_12, CHECK_READS, 131073, made(CHECK_ANSWERED, 413));
	at->good = 0;
	at->exact = false;
	expect_one(PROBE_LIMITED, "over TLS 1.2|131,073|413|reads while it writes|smaller ones");
	begin(CHECK_AFTER_BODY);
	at = change(FIND_12, CHECK_READS, 5000, made(CHECK_CLOSED, 0));
	at->good = 4000;
	at->exact = false;
	expect_one(PROBE_LIMITED, "over TLS 1.2|about 5,000|a closed connection|reads while it writes|4,000");
	at->mixed = true;
	expect_one(PROBE_LIMITED, "over TLS 1.2|5,000|a closed connection|reads while it writes|4,000|larger ones");
	at->bad = 1;
	at->good = 0;
	expect_one(PROBE_LIMITED, "over TLS 1.2|1 bytes|a closed connection|reads while it writes|0 bytes|larger ones");
	begin(CHECK_AFTER_BODY);
	(void)change(FIND_12, CHECK_READS, 5000, made(CHECK_PENDING, 0));
	judge();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
	(void)change(FIND_12, CHECK_READS, 5000, made(CHECK_NO_MEMORY, 0)); /* which is not the server's fault */
	judge();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
}

/* Two styles are one client only where boundary and outcome are the same. */
static void styles_that_differ_are_two(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	(void)change(FIND_12, CHECK_READS, 1000, made(CHECK_ANSWERED, 413));
	(void)change(FIND_12, CHECK_WRITES_FIRST, 1000, made(CHECK_ANSWERED, 408));
	judge();
	assert_int_equal(verdict.count, 2);
	(void)change(FIND_12, CHECK_WRITES_FIRST, 1001, made(CHECK_ANSWERED, 413));
	judge();
	assert_int_equal(verdict.count, 2);
	(void)change(FIND_12, CHECK_WRITES_FIRST, 1000, made(CHECK_FREEZE, 0));
	judge();
	assert_int_equal(verdict.count, 2);
	assert_int_equal(verdict.problems[0].weight, PROBE_FREEZES);
}

/* Without the repetitions that judge() makes up. */
static void judge_as_it_is(void)
{
	verdict_make(&found, &guess, &verdict);
}

static void a_finding_that_was_not_repeated_is_undecided(void **state)
{
	(void)state;
	begin(CHECK_AFTER_BODY);
	change_all(131073, CHECK_ANSWERED, 413);
	judge_as_it_is();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
	repeat_all();
	judge_as_it_is();
	assert_int_equal(verdict.code, PROBE_LIMITED);
	for (size_t k = 0; k < found.claim_count; k++)
		found.claims[k].second = made(CHECK_ANSWERED, 200);
	judge_as_it_is();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
	for (size_t k = 0; k < found.claim_count; k++)
		found.claims[k].second = made(CHECK_UNREACHABLE, 0);
	judge_as_it_is();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
	repeat_all();
	found.versions[FIND_12].again = found.versions[FIND_13].again = made(CHECK_ANSWERED, 413);
	judge_as_it_is();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
	assert_non_null(strstr(verdict.line, "depend on the time"));
	repeat_all();
	found.versions[FIND_12].again = found.versions[FIND_13].again = NULL;
	judge_as_it_is();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
}

static void freeze_that_does_not_freeze_again_is_a_limit(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	change_all(65537, CHECK_FREEZE, 0);
	repeat_all();
	for (size_t k = 0; k < found.claim_count; k++)
		found.claims[k].second = made(CHECK_CLOSED, 0);
	judge_as_it_is();
	assert_int_equal(verdict.code, PROBE_LIMITED);
}

static void freeze_beyond_a_limit_is_the_verdict(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	change_all(65, CHECK_CLOSED, 0);
	struct check *frozen = made(CHECK_FREEZE, 0);
	frozen->script.length = 65537;
	found.versions[FIND_13].bodies[CHECK_READS].frozen = frozen;
	judge();
	assert_int_equal(verdict.code, PROBE_FREEZES);
	assert_int_equal(verdict.count, 2);
	assert_int_equal(verdict.problems[1].weight, PROBE_LIMITED);
}

static void no_response_after_the_whole_body_is_undecided(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *silent = made(CHECK_SILENCE, 0);
	silent->result.taken_whole = true;
	(void)change(FIND_13, CHECK_READS, 1000001, silent);
	judge();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
	assert_int_equal(verdict.count, 1);
}

static void slow_bodies_are_one_note(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	for (size_t style = 0; style < 2; style++) {
		struct find_bodies *bodies = &found.versions[FIND_13].bodies[style];
		bodies->slow_from = 1048576 + style;
		((struct check *)bodies->largest)->result.held_ms = 6100 + 100 * (uint32_t)style;
	}
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
	assert_int_equal(verdict.note_count, 1);
	assert_non_null(strstr(verdict.notes[0].text, "1,048,576"));
	assert_non_null(strstr(verdict.notes[0].text, "6.2 s"));
}

/* At the handshake, or on a primed connection. */
static void limit_that_a_known_certificate_has_too_is_a_note(void **state)
{
	(void)state;
	begin(CHECK_AT_HANDSHAKE);
	change_all(1048577, CHECK_ANSWERED, 413);
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
	assert_int_equal(verdict.note_count, 1);
	begin(CHECK_AT_HEADERS);
	change_all(1048577, CHECK_ANSWERED, 413);
	struct check *control = asked(CHECK_AT_PRIMING, FIND_13);
	control->result.status = 413;
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++)
			found.versions[i].bodies[style].control = control;
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
	assert_int_equal(verdict.note_count, 1);
	control->result.status = 200;
	judge();
	assert_int_equal(verdict.code, PROBE_LIMITED);
	control->result.outcome = CHECK_RESET; /* its 413 was lost */
	control->result.status = 0;
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
	control->result.outcome = CHECK_ANSWERED;
	control->result.status = 413;
	control->result.given = false; /* then it is not known there, either */
	judge();
	assert_int_equal(verdict.code, PROBE_LIMITED);
}

static void only_what_passed_passes(void **state)
{
	(void)state;
	begin(CHECK_AT_HANDSHAKE);
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		((struct check *)found.versions[i].paused)->result.status = 405;
		for (size_t style = 0; style < 2; style++)
			found.versions[i].bodies[style].largest = found.versions[i].paused;
	}
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
	assert_null(strstr(verdict.line, "pass"));
	begin(CHECK_AT_HANDSHAKE);
	answer_all(CHECK_GARBLED, 0);
	judge();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
}

static void key_that_makes_no_signature_is_not_the_server(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *failed = made(CHECK_KEY_FAILED, 0);
	(void)snprintf(failed->result.detail, sizeof(failed->result.detail), "Function rejected");
	found.versions[FIND_13].plain = failed;
	found.key_failed = failed;
	judge();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
	assert_int_equal(verdict.count, 1);
	assert_non_null(strstr(verdict.line, "Function rejected"));
	begin(CHECK_AT_HEADERS);
	found.key_ms = 7000;
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
	assert_int_equal(verdict.note_count, 1);
}

static void status_429_is_undecided(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	answer_all(CHECK_ANSWERED, 429);
	judge();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
	begin(CHECK_AT_HEADERS);
	change_all(131073, CHECK_ANSWERED, 429);
	judge();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
}

static void the_worst_comes_first(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	(void)change(FIND_12, CHECK_READS, 131073, made(CHECK_ANSWERED, 413));
	(void)change(FIND_13, CHECK_READS, 65537, made(CHECK_FREEZE, 0));
	found.versions[FIND_13].eager = made(CHECK_ANSWERED, 403);
	found.interrupted = true;
	judge();
	assert_int_equal(verdict.code, PROBE_FREEZES);
	assert_int_equal(verdict.count, 4);
	assert_int_equal(verdict.problems[0].weight, PROBE_FREEZES);
	assert_int_equal(verdict.problems[1].weight, PROBE_LIMITED);
	assert_non_null(strstr(verdict.problems[1].text, "131,073")); /* as they were found */
	assert_non_null(strstr(verdict.problems[2].text, "Expect"));
	assert_int_equal(verdict.problems[3].weight, PROBE_UNTOLD);
	assert_non_null(strstr(verdict.problems[3].text, "interrupted"));
}

static void requests_without_a_body(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *plain = asked(CHECK_AT_HEADERS, FIND_12);
	plain->result.outcome = CHECK_FREEZE;
	found.versions[FIND_12].plain = plain;
	expect_one(PROBE_FREEZES, "over TLS 1.2|without a body|freezes");
	plain->result.outcome = CHECK_SILENCE;
	expect_one(PROBE_UNTOLD, "over TLS 1.2|without a body|no response");
	begin(CHECK_AT_HEADERS);
	struct check *paused = asked(CHECK_AT_HEADERS, FIND_13);
	paused->result.outcome = CHECK_FREEZE;
	found.versions[FIND_13].paused = paused;
	found.versions[FIND_13].bodies[CHECK_READS].began = false;
	judge();
	assert_int_equal(verdict.code, PROBE_FREEZES);
	assert_non_null(strstr(verdict.line, "a request with a small body freezes"));
}

static void expectations(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	found.versions[FIND_12].waits = made(CHECK_FREEZE, 0);
	expect_one(PROBE_FREEZES, "over TLS 1.2|100 Continue|a freeze");
	begin(CHECK_AT_HEADERS);
	found.versions[FIND_12].eager = made(CHECK_ANSWERED, 403);
	found.versions[FIND_13].eager = made(CHECK_ANSWERED, 403);
	expect_one(PROBE_LIMITED, "over TLS 1.2 and 1.3|100-continue|403");
	/* where such bodies fail without it, too, it is not to blame */
	begin(CHECK_AT_HEADERS);
	found.versions[FIND_12].eager = made(CHECK_ANSWERED, 413);
	(void)change(FIND_12, CHECK_READS, 1024, made(CHECK_ANSWERED, 413));
	judge();
	assert_int_equal(verdict.count, 1);
	(void)change(FIND_12, CHECK_READS, 1025, made(CHECK_ANSWERED, 413));
	judge();
	assert_int_equal(verdict.count, 2);
	/* so are those that are answered slowly, or that freeze although the certificate is known */
	begin(CHECK_AT_HEADERS);
	struct check *waits = made(CHECK_FREEZE, 0);
	waits->script.length = 1048576;
	found.versions[FIND_13].waits = waits;
	found.versions[FIND_13].bodies[CHECK_READS].slow_from = 1048576;
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
	found.versions[FIND_13].bodies[CHECK_READS].slow_from = 1048577;
	judge();
	assert_int_equal(verdict.code, PROBE_FREEZES);
	(void)change(FIND_13, CHECK_READS, 201, made(CHECK_FREEZE, 0));
	struct check *control = asked(CHECK_AT_PRIMING, FIND_13);
	control->result.outcome = CHECK_FREEZE;
	found.versions[FIND_13].bodies[CHECK_READS].control = control;
	expect_one(PROBE_FREEZES, "over TLS 1.3|201|a freeze|reads while it writes|200|known before");
	/* a path that answers everything with 404 has no trouble with Expect */
	begin(CHECK_AT_HEADERS);
	struct check *paused = asked(CHECK_AT_HEADERS, FIND_12);
	paused->result.status = 404;
	found.versions[FIND_12].paused = paused;
	found.versions[FIND_12].waits = found.versions[FIND_12].eager = made(CHECK_ANSWERED, 404);
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
}

static void asked_over_one_version_only(void **state)
{
	(void)state;
	begin(CHECK_AFTER_BODY);
	struct check *plain = asked(CHECK_NEVER, FIND_13), *paused = asked(CHECK_NEVER, FIND_13);
	plain->result.status = paused->result.status = 401;
	found.versions[FIND_13].plain = plain;
	found.versions[FIND_13].paused = paused;
	expect_one(PROBE_LIMITED, "over TLS 1.3|not ask|401");
	paused->result.status = 200; /* it is content without */
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
}

static void clients_of_another_kind(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *browser = asked(CHECK_NEVER, FIND_13), *http2 = made(CHECK_H2_RESET, 0);
	browser->result.status = 403;
	found.browser = browser;
	expect_one(PROBE_LIMITED, "post-handshake|403");
	browser->result.status = 200;
	http2->result.h2_error = 13;
	found.http2 = http2;
	expect_one(PROBE_LIMITED, "HTTP/2|not ask|HTTP/1.1|a reset stream (HTTP_1_1_REQUIRED)");
	begin(CHECK_AT_HANDSHAKE); /* there HTTP/2 is no trouble */
	found.http2 = http2;
	judge();
	assert_int_equal(verdict.code, PROBE_NO_PROBLEM);
}

static void what_could_not_be_determined(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	found.out_of_time = true;
	expect_one(PROBE_UNTOLD, "--limit|before all tests");
	begin(CHECK_NEVER);
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		struct check *check = asked(CHECK_NEVER, i);
		check->result.status = 405;
		found.versions[i].plain = found.versions[i].paused = check;
	}
	expect_one(PROBE_UNTOLD, "405|--method");
	memset(&found, 0, sizeof(found)); /* nothing at all was found */
	judge();
	assert_int_equal(verdict.code, PROBE_UNTOLD);
}

static void words(void **state)
{
	static const struct {
		uint64_t number;
		const char *text;
	} numbers[] = {{0, "0"},          {999, "999"},           {1000, "1,000"},
		       {65536, "65,536"}, {1000000, "1,000,000"}, {UINT64_MAX, "18,446,744,073,709,551,615"}};
	char text[VERDICT_NUMBER_MAX], outcome[VERDICT_OUTCOME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_string_equal(verdict_number(numbers[i].number, text), numbers[i].text);
	struct check_result result = {.outcome = CHECK_ALERTED, .alert = 116};
	assert_string_equal(verdict_outcome(&result, outcome), "an alert (certificate_required)");
	result = (struct check_result){.outcome = CHECK_SHAKE_FAILED};
	assert_string_equal(verdict_outcome(&result, outcome), "a failed handshake (no alert)");
	for (int i = CHECK_PENDING; i <= CHECK_KEY_FAILED; i++) {
		result = (struct check_result){.outcome = (enum check_outcome)i, .status = 200};
		assert_int_not_equal(verdict_outcome(&result, outcome)[0], '\0');
	}
}

/* ---- servers ---- */

static void recognise(enum server_kind kind, size_t evidence)
{
	server_recognise(&found, &guess);
	assert_string_equal(server_name(guess.kind), server_name(kind));
	assert_int_equal(guess.count, evidence);
	for (size_t i = 0; i < guess.count; i++)
		assert_int_not_equal(guess.evidence[i][0], '\0');
}

static void server_is(const char *text)
{
	struct check *plain = asked(CHECK_AT_HEADERS, FIND_12);

	(void)snprintf(plain->result.server, sizeof(plain->result.server), "%s", text);
	found.versions[FIND_12].plain = plain;
}

static void apache_by_what_it_does(void **state)
{
	(void)state;
	begin(CHECK_AFTER_BODY);
	recognise(SERVER_UNKNOWN, 0);
	(void)change(FIND_12, CHECK_READS, 131073, made(CHECK_ANSWERED, 413));
	recognise(SERVER_APACHE, 2); /* the default, and some limit */
	assert_non_null(strstr(guess.evidence[0], "131,072"));
	begin(CHECK_AFTER_BODY);
	(void)change(FIND_13, CHECK_WRITES_FIRST, 10001, made(CHECK_ANSWERED, 413));
	recognise(SERVER_UNKNOWN, 0); /* many have a limit */
	found.versions[FIND_13].eager = made(CHECK_ANSWERED, 403);
	recognise(SERVER_APACHE, 2);
	begin(CHECK_AFTER_BODY);
	(void)change(FIND_12, CHECK_READS, 131073, made(CHECK_ANSWERED, 401));
	recognise(SERVER_UNKNOWN, 0); /* not with another status */
	begin(CHECK_AT_HEADERS);
	change(FIND_12, CHECK_READS, 131073, made(CHECK_ANSWERED, 413))->exact = false;
	recognise(SERVER_UNKNOWN, 0); /* nor about there */
	server_is("Apache/2.4");
	recognise(SERVER_UNKNOWN, 0); /* its word alone is too little */
	found.versions[FIND_12].eager = made(CHECK_ANSWERED, 403);
	recognise(SERVER_APACHE, 2);
}

static void tomcat_by_what_it_does(void **state)
{
	(void)state;
	begin(CHECK_AFTER_BODY);
	(void)change(FIND_12, CHECK_READS, 4097, made(CHECK_ANSWERED, 401));
	recognise(SERVER_TOMCAT, 2);
	begin(CHECK_AFTER_BODY);
	(void)change(FIND_12, CHECK_READS, 9001, made(CHECK_ANSWERED, 401));
	recognise(SERVER_UNKNOWN, 0);
	found.versions[FIND_12].waits = made(CHECK_FREEZE, 0);
	recognise(SERVER_TOMCAT, 2);
	begin(CHECK_AFTER_BODY);
	struct check *refused = asked(CHECK_NEVER, FIND_13);
	refused->result.status = 401;
	found.versions[FIND_13].plain = found.versions[FIND_13].paused = refused;
	recognise(SERVER_UNKNOWN, 0); /* some other server in Java */
	found.versions[FIND_12].waits = made(CHECK_FREEZE, 0);
	recognise(SERVER_TOMCAT, 2);
	begin(CHECK_AFTER_BODY);
	server_is("Apache-Coyote/1.1"); /* and not Apache's httpd */
	recognise(SERVER_TOMCAT, 1);
}

static void node_by_what_it_does(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	(void)change(FIND_12, CHECK_READS, 81921, made(CHECK_FREEZE, 0));
	recognise(SERVER_UNKNOWN, 0); /* so does any that asks and waits */
	found.versions[FIND_13].plain = asked(CHECK_NEVER, FIND_13);
	found.versions[FIND_13].paused = asked(CHECK_NEVER, FIND_13);
	recognise(SERVER_NODE, 2);
	/* a stream of Node's buffers more than a record, and less than a MiB */
	(void)change(FIND_12, CHECK_READS, 16384, made(CHECK_FREEZE, 0));
	recognise(SERVER_UNKNOWN, 0);
	(void)change(FIND_12, CHECK_READS, 1048577, made(CHECK_FREEZE, 0));
	recognise(SERVER_UNKNOWN, 0);
	(void)change(FIND_12, CHECK_READS, 1048576, made(CHECK_FREEZE, 0));
	recognise(SERVER_NODE, 2);
	server_is("something"); /* Node's own HTTP server has no such field */
	recognise(SERVER_UNKNOWN, 0);
	begin(CHECK_AT_HEADERS);
	found.versions[FIND_13].plain = found.versions[FIND_13].paused = asked(CHECK_NEVER, FIND_13);
	struct check *plain = asked(CHECK_AT_HEADERS, FIND_12);
	(void)snprintf(plain->result.keep_alive, sizeof(plain->result.keep_alive), "timeout=5");
	found.versions[FIND_12].plain = plain;
	recognise(SERVER_NODE, 2);
}

static void others_by_their_words(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	server_is("Microsoft-HTTPAPI/2.0");
	recognise(SERVER_IIS, 1);
	(void)change(FIND_12, CHECK_READS, 49153, made(CHECK_FREEZE, 0));
	recognise(SERVER_IIS, 2);
	server_is("");
	recognise(SERVER_UNKNOWN, 0);
	begin(CHECK_AT_HEADERS);
	server_is("Kestrel");
	recognise(SERVER_KESTREL, 1);
	begin(CHECK_AT_HANDSHAKE);
	server_is("nginx/1.22.1");
	recognise(SERVER_NGINX, 1);
	begin(CHECK_AT_HEADERS);
	struct check *cookie = asked(CHECK_AT_HEADERS, FIND_13);
	cookie->result.cookie_of_f5 = true;
	found.versions[FIND_13].plain = cookie;
	recognise(SERVER_F5, 1);
	begin(CHECK_AT_HANDSHAKE);
	struct check *refused = made(CHECK_ANSWERED, 400);
	(void)snprintf(refused->result.body, sizeof(refused->result.body),
		       "<center>No required SSL certificate was sent</center>");
	found.versions[FIND_13].anonymous = refused;
	recognise(SERVER_NGINX, 1);
}

static void thaw_by_its_refusals(void **state)
{
	static const char problem[] = "{\"reason\":\"no-certificate\",\"cure\":\"\"}";

	(void)state;
	begin(CHECK_AT_HEADERS);
	struct check *refused = made(CHECK_ANSWERED, 403);
	found.versions[FIND_12].anonymous = refused;
	memcpy(refused->result.body, problem, sizeof(problem));
	recognise(SERVER_UNKNOWN, 0); /* any JSON */
	(void)snprintf(refused->result.type, sizeof(refused->result.type), "application/problem+json");
	refused->result.body[0] = '\0'; /* another's problem */
	recognise(SERVER_UNKNOWN, 0);
	memcpy(refused->result.body, problem, sizeof(problem));
	recognise(SERVER_THAW, 1);
	change_all(131073, CHECK_ANSWERED, 413); /* whatever its max_body is, and whoever is behind it */
	server_is("Apache/2.4");
	recognise(SERVER_THAW, 1);
}

static void nothing_is_recognised_from_nothing(void **state)
{
	(void)state;
	memset(&found, 0, sizeof(found));
	recognise(SERVER_UNKNOWN, 0);
	for (int kind = 0; kind < SERVER_KINDS; kind++)
		for (int other = 0; other < kind; other++)
			assert_string_not_equal(server_name((enum server_kind)kind),
						server_name((enum server_kind)other));
}

/* ---- cures ---- */

/* A heading's anchor as GitHub makes it: lower case, punctuation gone, a hyphen for a blank. */
static void anchor_of(const char *heading, char *anchor, size_t room)
{
	size_t len = 0;

	for (; *heading != '\0' && *heading != '\n' && len + 1 < room; heading++) {
		unsigned char byte = (unsigned char)*heading;
		if (isalnum(byte) || byte == '-' || byte == '_')
			anchor[len++] = (char)tolower(byte);
		else if (byte == ' ')
			anchor[len++] = '-';
	}
	anchor[len] = '\0';
}

static bool is_heading(const char *wanted)
{
	FILE *file = fopen(THAW_DOCS "/cures.md", "r");
	char line[512], anchor[512];
	bool is = false;

	assert_non_null(file);
	while (!is && fgets(line, sizeof(line), file) != NULL) {
		size_t hashes = strspn(line, "#");
		if (hashes == 0 || line[hashes] != ' ')
			continue;
		anchor_of(line + hashes + 1, anchor, sizeof(anchor));
		is = strcmp(anchor, wanted) == 0;
	}
	(void)fclose(file);
	return is;
}

static void expect_cure(const struct cure *cure)
{
	assert_non_null(cure->what);
	assert_non_null(cure->lines);
	assert_non_null(cure->lines[0]);
}

static void each_server_has_cures_and_a_chapter(void **state)
{
	(void)state;
	for (int kind = 0; kind < SERVER_KINDS; kind++) {
		size_t count = 0;
		const struct cure *cures = cures_of_server((enum server_kind)kind, &count);
		assert_true(count > 0);
		for (size_t i = 0; i < count; i++)
			expect_cure(&cures[i]);
		if (!is_heading(cures_anchor((enum server_kind)kind)))
			fail_msg("docs/cures.md has no #%s", cures_anchor((enum server_kind)kind));
	}
	assert_false(is_heading("no-such-chapter"));
	expect_cure(cures_of_thaw());
}

static bool offers(const char *word)
{
	struct cure cures[CURES_OF_CLIENT_MAX];
	size_t count = cures_of_client(&found, cures);
	bool any = false;

	assert_true(count <= CURES_OF_CLIENT_MAX);
	for (size_t i = 0; i < count; i++) {
		expect_cure(&cures[i]);
		any = any || strstr(cures[i].what, word) != NULL;
	}
	return any;
}

/* The line that is to be typed for one of the cures has that word. */
static bool types(const char *word)
{
	struct cure cures[CURES_OF_CLIENT_MAX];
	size_t count = cures_of_client(&found, cures);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; cures[i].lines[k] != NULL; k++)
			if (strstr(cures[i].lines[k], word) != NULL)
				return true;
	return false;
}

/* curl goes as high as it can: over TLS 1.3 it would be refused. */
static void clients_are_kept_to_the_version_that_can_be_asked(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	assert_true(types("curl --http1.1 --cert"));
	assert_false(types("--tls-max"));
	found.versions[FIND_13] = (struct find_version){.plain = asked(CHECK_NEVER, FIND_13)};
	assert_true(types("--tls-max 1.2"));
	assert_false(types("--http1.1 --cert"));
}

static void the_cures_for_clients_name_what_worked(void **state)
{
	(void)state;
	begin(CHECK_AT_HEADERS);
	change_all(65537, CHECK_FREEZE, 0);
	assert_true(offers("Prime") && offers("Expect"));
	assert_false(offers("Read while") || offers("post-handshake"));
	found.versions[FIND_12].primed = made(CHECK_UNPRIMED, 0);
	assert_false(offers("Prime")); /* it must work over each version that asks late */
	found.versions[FIND_12].primed = NULL;
	assert_true(offers("Prime")); /* or was not tried there */
	found.versions[FIND_13].primed = NULL;
	assert_false(offers("Prime"));
	found.versions[FIND_13].waits = made(CHECK_FREEZE, 0);
	assert_false(offers("Expect"));
	(void)change(FIND_13, CHECK_READS, 1048577, made(CHECK_FREEZE, 0));
	assert_true(offers("Read while"));
	found.versions[FIND_13].no_offer = made(CHECK_ANSWERED, 403);
	assert_true(offers("post-handshake"));
	begin(CHECK_AT_HANDSHAKE);
	assert_false(offers("Prime") || offers("Expect") || offers("Read") || offers("post-handshake"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_problem),
		cmocka_unit_test(a_server_that_accepts_no_certificate_is_not_fine),
		cmocka_unit_test(answers_from_elsewhere),
		cmocka_unit_test(connections_that_are_not_made),
		cmocka_unit_test(a_freeze_has_its_boundary),
		cmocka_unit_test(a_limit_has_its_boundary),
		cmocka_unit_test(styles_that_differ_are_two),
		cmocka_unit_test(a_finding_that_was_not_repeated_is_undecided),
		cmocka_unit_test(freeze_that_does_not_freeze_again_is_a_limit),
		cmocka_unit_test(freeze_beyond_a_limit_is_the_verdict),
		cmocka_unit_test(no_response_after_the_whole_body_is_undecided),
		cmocka_unit_test(slow_bodies_are_one_note),
		cmocka_unit_test(limit_that_a_known_certificate_has_too_is_a_note),
		cmocka_unit_test(only_what_passed_passes),
		cmocka_unit_test(key_that_makes_no_signature_is_not_the_server),
		cmocka_unit_test(status_429_is_undecided),
		cmocka_unit_test(the_worst_comes_first),
		cmocka_unit_test(requests_without_a_body),
		cmocka_unit_test(expectations),
		cmocka_unit_test(asked_over_one_version_only),
		cmocka_unit_test(clients_of_another_kind),
		cmocka_unit_test(what_could_not_be_determined),
		cmocka_unit_test(words),
		cmocka_unit_test(apache_by_what_it_does),
		cmocka_unit_test(tomcat_by_what_it_does),
		cmocka_unit_test(node_by_what_it_does),
		cmocka_unit_test(others_by_their_words),
		cmocka_unit_test(thaw_by_its_refusals),
		cmocka_unit_test(nothing_is_recognised_from_nothing),
		cmocka_unit_test(each_server_has_cures_and_a_chapter),
		cmocka_unit_test(the_cures_for_clients_name_what_worked),
		cmocka_unit_test(clients_are_kept_to_the_version_that_can_be_asked),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
