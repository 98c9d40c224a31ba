#include "probe/verdict.h"

#include <stdio.h>
#include <string.h>

#include "probe/verdict_inside.h"

#define BOTH ((1U << FIND_12) | (1U << FIND_13))

static void name_versions(struct verdict_problem *problems, size_t count)
{
	static const char *const names[] = {
		[1U << FIND_12] = "over TLS 1.2 ", [1U << FIND_13] = "over TLS 1.3 ", [BOTH] = "over TLS 1.2 and 1.3 "};

	for (size_t k = 0; k < count; k++) {
		struct verdict_problem *problem = &problems[k];
		char text[VERDICT_TEXT_MAX];
		if (problem->versions == 0)
			continue;
		(void)snprintf(text, sizeof(text), "%s%.*s", names[problem->versions], VERDICT_TEXT_MAX - 24,
			       problem->text);
		memcpy(problem->text, text, sizeof(text));
	}
}

static bool is_bad(const struct find_version *version, const struct check *check)
{
	const struct check_result *result = find_result(check);

	return check != NULL && find_tells(result) && !find_is_good(version, result);
}

static bool is_stall(const struct check *check)
{
	const struct check_result *result = find_result(check);

	return result->outcome == CHECK_FREEZE || result->outcome == CHECK_SILENCE;
}

/* Bodies of that size fail without Expect too: they get the same response, or are slow, or the certificate is not
 * the cause. */
static bool fails_anyhow(const struct find_version *version, const struct check *waits)
{
	const struct check_result *result = find_result(waits);
	const struct find_bodies *bodies = &version->bodies[CHECK_READS];
	uint64_t length = check_script(waits)->length;

	if (is_stall(waits) && bodies->slow_from > 0 && bodies->slow_from <= length)
		return true;
	if (!bodies->boundary.found || bodies->boundary.bad > length)
		return false;
	if (find_is_own(version, bodies) || (is_stall(waits) && find_freezes_primed(bodies)))
		return true;
	return result->outcome == CHECK_ANSWERED && bodies->boundary.found && bodies->boundary.bad <= length &&
	       find_result(bodies->first_bad)->status == result->status;
}

static void judge_expect(struct verdict *verdict, const struct findings *findings, size_t i)
{
	const struct find_version *version = &findings->versions[i];
	unsigned over = 1U << i;
	char text[VERDICT_OUTCOME_MAX];
	struct verdict_weight weight;

	if (is_bad(version, version->waits) && !fails_anyhow(version, version->waits)) {
		verdict_weigh(findings, i, version->waits, &weight);
		verdict_add(verdict, weight.weight, over, "a client that waits for 100 Continue gets %s%s",
			    verdict_outcome(find_result(version->waits), text), weight.doubt);
	}
	/* If bodies of that size fail anyway, Expect is not the cause. */
	for (size_t style = 0; style < 2; style++)
		if (version->bodies[style].boundary.found && version->bodies[style].boundary.bad <= 1024)
			return;
	if (!is_bad(version, version->eager))
		return;
	verdict_weigh(findings, i, version->eager, &weight);
	verdict_add(verdict, weight.weight, over, "Expect: 100-continue with the body sent at once gets %s%s",
		    verdict_outcome(find_result(version->eager), text), weight.doubt);
}

/* The server asks over one version, but refuses without asking over the other; typical of Java with TLS 1.3. */
static void judge_unasked(struct verdict *verdict, const struct findings *findings, bool java, size_t i)
{
	const struct find_version *version = &findings->versions[i], *other = &findings->versions[1 - i];
	const struct check_result *result = find_result(version->paused);
	char text[VERDICT_OUTCOME_MAX];

	if (!find_speaks(version) || find_moment(version) != CHECK_NEVER || !(find_asks_late(other) || java))
		return;
	if (version->paused == NULL || !find_tells(result) || find_passes(result))
		return;
	struct verdict_weight weight;
	verdict_weigh(findings, i, version->paused, &weight);
	verdict_add(verdict, weight.weight, 1U << i, "it does not ask: every request gets %s%s",
		    verdict_outcome(result, text), weight.doubt);
}

/* Small requests. If they cannot be judged, larger ones cannot either. */
static void judge_small(struct verdict *verdict, const struct findings *findings, size_t i)
{
	const struct find_version *version = &findings->versions[i];
	const struct check_result *plain = find_result(version->plain), *paused = find_result(version->paused);
	unsigned over = 1U << i;
	struct verdict_weight weight;

	if (plain->outcome == CHECK_FREEZE) {
		verdict_weigh(findings, i, version->plain, &weight);
		verdict_add(verdict, weight.weight, over, "even a request without a body freezes%s", weight.doubt);
	} else if (plain->outcome == CHECK_SILENCE) {
		verdict_add(verdict, PROBE_UNTOLD, over, "a request without a body gets no response");
	} else if (paused->outcome == CHECK_SILENCE) {
		verdict_add(verdict, PROBE_UNTOLD, over, "a request with a small body gets no response");
	}
	if (plain->answered_late)
		verdict_note(verdict, over, "a request without a body was answered after %.1f s",
			     (double)plain->held_ms / 1000);
	if (paused->answered_late)
		verdict_note(verdict, over, "a request with a small body was answered after %.1f s",
			     (double)paused->held_ms / 1000);
	if (find_moment(version) != CHECK_NEVER && paused->outcome == CHECK_ANSWERED && paused->status >= 500)
		verdict_add(verdict, PROBE_UNTOLD, over,
			    "a request with a small body gets %u, so larger ones cannot be tested", paused->status);
	if (!version->bodies[CHECK_READS].began && paused->outcome == CHECK_FREEZE) {
		verdict_weigh(findings, i, version->paused, &weight);
		verdict_add(verdict, weight.weight, over, "a request with a small body freezes%s", weight.doubt);
	}
}

static void judge_version(struct verdict *verdict, const struct findings *findings, const struct server_guess *server,
			  size_t i)
{
	judge_small(verdict, findings, i);
	verdict_bodies(verdict, findings, i);
	judge_expect(verdict, findings, i);
	judge_unasked(verdict, findings, server->kind == SERVER_TOMCAT && i == FIND_13, i);
}

static void judge_clients(struct verdict *verdict, const struct findings *findings)
{
	const struct check_result *browser = find_result(findings->browser), *http2 = find_result(findings->http2);
	size_t i = browser->version == 13 ? FIND_13 : FIND_12;
	bool late = find_asks_late(&findings->versions[FIND_12]) || find_asks_late(&findings->versions[FIND_13]);
	char text[VERDICT_OUTCOME_MAX];
	struct verdict_weight weight;

	/* If that version always fails, this was reported already. */
	if (is_bad(&findings->versions[i], findings->browser) && find_asks_late(&findings->versions[i])) {
		verdict_weigh(findings, i, findings->browser, &weight);
		verdict_add(verdict, weight.weight, 0,
			    "clients without post-handshake authentication (browsers, Java, Node, Go) get %s%s",
			    verdict_outcome(browser, text), weight.doubt);
	}
	if (!late || (http2->outcome != CHECK_H2_RESET && (http2->outcome != CHECK_ANSWERED || http2->status < 400)))
		return;
	verdict_weigh(findings, http2->version == 13 ? FIND_13 : FIND_12, findings->http2, &weight);
	verdict_add(verdict, weight.weight, 0,
		    "it offers HTTP/2, over which it cannot ask (RFC 9113 9.2.3): clients that do not retry with "
		    "HTTP/1.1 get %s%s",
		    verdict_outcome(http2, text), weight.doubt);
}

/* ---- the verdict ---- */

static unsigned rank(enum probe_verdict weight)
{
	static const unsigned ranks[] = {
		[PROBE_NO_PROBLEM] = 0, [PROBE_UNTOLD] = 1, [PROBE_LIMITED] = 2, [PROBE_FREEZES] = 3};
	return ranks[weight];
}

/* The worst first; otherwise the order is kept. */
static void sort(struct verdict *verdict)
{
	for (size_t i = 1; i < verdict->count; i++)
		for (size_t k = i; k > 0 && rank(verdict->problems[k].weight) > rank(verdict->problems[k - 1].weight);
		     k--) {
			struct verdict_problem problem = verdict->problems[k];
			verdict->problems[k] = verdict->problems[k - 1];
			verdict->problems[k - 1] = problem;
		}
}

/* Some request passed, over a version for which that is known. */
static bool any_through(const struct findings *findings)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct check_result *results[] = {find_result(findings->versions[i].plain),
							find_result(findings->versions[i].paused)};
		for (size_t k = 0; k < 2; k++)
			if (results[k]->outcome == CHECK_ANSWERED && results[k]->status < 400)
				return true;
	}
	return false;
}

/* Statuses that servers send for a certificate that they do not accept. */
static bool is_refusal(const struct check_result *result)
{
	return result->outcome == CHECK_ALERTED || result->outcome == CHECK_SHAKE_FAILED ||
	       (result->outcome == CHECK_ANSWERED &&
		(result->status == 400 || result->status == 401 || result->status == 403));
}

/* A wrong or expired certificate explains all failures, so it is reported alone. */
static void judge_certificate(const struct findings *findings, struct verdict *verdict)
{
	char text[VERDICT_OUTCOME_MAX];

	if (any_through(findings))
		return;
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct check_result *plain = find_result(findings->versions[i].plain);
		const struct check_result *paused = find_result(findings->versions[i].paused);
		const struct check_result *result = plain->given ? plain : paused;
		if (result->given && is_refusal(result))
			verdict_add(verdict, PROBE_UNTOLD, 1U << i,
				    "the server seems to reject the client certificate: every request gets %s",
				    verdict_outcome(result, text));
	}
}

/* Such responses say nothing about the certificate. */
static void judge_rate(const struct findings *findings, struct verdict *verdict)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct find_version *version = &findings->versions[i];
		const struct check *checks[] = {version->plain, version->paused, version->again,
						version->bodies[CHECK_READS].largest,
						version->bodies[CHECK_WRITES_FIRST].largest};
		for (size_t k = 0; k < sizeof(checks) / sizeof(checks[0]); k++)
			if (find_result(checks[k])->status == VERDICT_TOO_MANY) {
				verdict_add(
					verdict, PROBE_UNTOLD, 1U << i,
					"requests got 429, a rate limit: run the probe without the limit, or later");
				break;
			}
	}
}

/* The server asked for the certificate, got one, and answered no request. */
static void judge_nothing(const struct findings *findings, struct verdict *verdict)
{
	char text[VERDICT_OUTCOME_MAX];

	for (size_t i = 0; i < FIND_VERSIONS && !any_through(findings); i++) {
		const struct check_result *plain = find_result(findings->versions[i].plain);
		const struct check_result *paused = find_result(findings->versions[i].paused);
		bool cut = plain->outcome == CHECK_CLOSED || plain->outcome == CHECK_RESET ||
			   plain->outcome == CHECK_GARBLED;
		if (cut && plain->given && (paused->outcome != CHECK_ANSWERED))
			verdict_add(verdict, PROBE_UNTOLD, 1U << i, "no request is answered: each gets %s",
				    verdict_outcome(plain, text));
	}
}

/* The server never asked, and its response is not the resource's own; another URL may behave differently. */
static void judge_elsewhere(const struct findings *findings, struct verdict *verdict)
{
	const struct find_version *v12 = &findings->versions[FIND_12], *v13 = &findings->versions[FIND_13];
	const struct check_result *plain = find_result((find_speaks(v13) ? v13 : v12)->plain);
	const struct check_result *http2 = find_result(findings->http2);
	char text[VERDICT_OUTCOME_MAX];

	if (plain->outcome == CHECK_ANSWERED && plain->status < 300)
		return;
	if (plain->outcome == CHECK_ANSWERED && plain->status < 400)
		verdict_add(
			verdict, PROBE_UNTOLD, 0,
			"it never asked for a certificate, and responded with %u, a redirect to %.160s: probe that URL",
			plain->status, plain->location[0] != '\0' ? plain->location : "nowhere");
	else if (plain->outcome != CHECK_ANSWERED && http2->outcome == CHECK_ANSWERED)
		verdict_add(verdict, PROBE_UNTOLD, 0,
			    "it only responds over HTTP/2 (with %u), over which clients cannot be asked late (RFC 9113 "
			    "9.2.3)",
			    http2->status);
	else
		verdict_add(verdict, PROBE_UNTOLD, 0,
			    "it never asked for a certificate, and responded with %s: it may ask for another path or "
			    "method (--method)",
			    verdict_outcome(plain, text));
}

static void judge_rest(const struct findings *findings, struct verdict *verdict)
{
	bool asks = find_moment(&findings->versions[FIND_12]) != CHECK_NEVER ||
		    find_moment(&findings->versions[FIND_13]) != CHECK_NEVER;

	if (findings->key_failed != NULL)
		verdict_add(verdict, PROBE_UNTOLD, 0, "the private key of the client certificate could not sign: %s",
			    find_result(findings->key_failed)->detail);
	if (findings->key_ms > 0)
		verdict_note(verdict, 0,
			     "the private key took %.1f s to sign: only few connections were made, and none to narrow "
			     "down a size",
			     (double)findings->key_ms / 1000);
	judge_certificate(findings, verdict);
	judge_rate(findings, verdict);
	judge_nothing(findings, verdict);
	if (findings->lost)
		verdict_add(verdict, PROBE_UNTOLD, 0,
			    "connections failed before all tests were done: the server may have stopped, or may block "
			    "the probe");
	if (findings->interrupted || findings->out_of_time)
		verdict_add(verdict, PROBE_UNTOLD, 0, "%s before all tests were done",
			    findings->interrupted
				    ? "the probe was interrupted"
				    : "the time limit was reached (use a higher --limit, or a smaller --max-body)");
	else if (!asks && verdict->count == 0)
		judge_elsewhere(findings, verdict);
}

/* For example "it asks late, and reads on meanwhile". */
static const char *how_it_asks(const struct findings *findings, bool *late, bool *handshake)
{
	const struct find_version *v12 = &findings->versions[FIND_12], *v13 = &findings->versions[FIND_13];

	*late = find_asks_late(v12) || find_asks_late(v13);
	*handshake = find_moment(v12) == CHECK_AT_HANDSHAKE || find_moment(v13) == CHECK_AT_HANDSHAKE;
	if (*late)
		return "it asks late, and reads on meanwhile";
	if (*handshake)
		return "it asks at the TLS handshake, before any body";
	return findings->unsafe ? "it does not ask for a certificate for this URL"
				: "it does not ask for a certificate for this URL (GET and OPTIONS were tried; "
				  "--method tries another)";
}

/* A largest body that did not pass, although small ones may have; NULL: all passed. */
static const struct check *not_passed(const struct findings *findings)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++) {
			const struct find_bodies *bodies = &findings->versions[i].bodies[style];
			if (bodies->began && bodies->largest != NULL && !find_passes(find_result(bodies->largest)))
				return bodies->largest;
		}
	return NULL;
}

static void say_no_problem(const struct findings *findings, struct verdict *verdict)
{
	const struct find_version *v12 = &findings->versions[FIND_12], *v13 = &findings->versions[FIND_13];
	const struct check_result *plain = find_result((find_speaks(v13) ? v13 : v12)->plain);
	bool late = false, handshake = false;
	char max[VERDICT_NUMBER_MAX], text[VERDICT_OUTCOME_MAX], rest[VERDICT_OUTCOME_MAX + 64] = "";
	const char *how = how_it_asks(findings, &late, &handshake);
	const struct check *bad = NULL;
	bool asks = late || handshake;

	if (asks && plain->outcome != CHECK_ANSWERED)
		(void)snprintf(rest, sizeof(rest), ", and closes connections of clients that send none");
	else if (asks && !any_through(findings))
		(void)snprintf(rest, sizeof(rest), "; %severy request gets %s",
			       findings->has_certificate ? "" : "without a certificate ", verdict_outcome(plain, text));
	else if (asks && (bad = not_passed(findings)) != NULL)
		(void)snprintf(rest, sizeof(rest), "; a body of %s bytes gets %s",
			       verdict_number(check_script(bad)->length, max), verdict_outcome(find_result(bad), text));
	else if (asks && findings->max_body > 0)
		(void)snprintf(rest, sizeof(rest), "; bodies of up to %s bytes pass",
			       verdict_number(findings->max_body, max));
	(void)snprintf(verdict->line, sizeof(verdict->line), "no problem: %s%s", how, rest);
}

void verdict_make(const struct findings *findings, const struct server_guess *server, struct verdict *verdict)
{
	memset(verdict, 0, sizeof(*verdict));
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		judge_version(verdict, findings, server, i);
	judge_clients(verdict, findings);
	judge_rest(findings, verdict);
	sort(verdict);
	name_versions(verdict->problems, verdict->count);
	name_versions(verdict->notes, verdict->note_count);
	verdict->code = verdict->count > 0 ? verdict->problems[0].weight : PROBE_NO_PROBLEM;
	if (verdict->count == 0)
		say_no_problem(findings, verdict);
	else
		(void)snprintf(verdict->line, sizeof(verdict->line), "%s: %s", verdict_name(verdict->code),
			       verdict->problems[0].text);
}
