#include "probe/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/h2_client.h"
#include "tls/observe.h"

#define BOTH ((1U << FIND_12) | (1U << FIND_13))

/* ---- words ---- */

const char *verdict_name(enum probe_verdict code)
{
	static const char *const names[] = {
		[PROBE_NO_PROBLEM] = "no problem",
		[PROBE_LIMITED] = "limited",
		[PROBE_FREEZES] = "freezes",
		[PROBE_UNTOLD] = "could not tell",
	};
	return names[code];
}

const char *verdict_number(uint64_t number, char text[static VERDICT_NUMBER_MAX])
{
	char plain[VERDICT_NUMBER_MAX];
	int len = snprintf(plain, sizeof(plain), "%" PRIu64, number);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = plain[i];
	}
	text[at] = '\0';
	return text;
}

const char *verdict_style(enum trial_style style)
{
	return style == TRIAL_READS ? "a client that reads while it writes" : "a client that writes first";
}

static const char *plain_outcome(enum trial_outcome outcome)
{
	static const char *const words[] = {
		[TRIAL_FREEZE] = "a freeze",
		[TRIAL_SILENCE] = "no answer",
		[TRIAL_CLOSED] = "a closed connection",
		[TRIAL_RESET] = "a reset connection",
		[TRIAL_GARBLED] = "something that is no HTTP",
		[TRIAL_UNPRIMED] = "a connection that is closed once it is primed",
		[TRIAL_PENDING] = "nothing in time",
		[TRIAL_NO_HTTP2] = "HTTP/1.1 only",
		[TRIAL_SHAKE_STALL] = "a stalled handshake",
		[TRIAL_UNREACHABLE] = "no connection",
		[TRIAL_NO_MEMORY] = "nothing, for want of memory here",
		[TRIAL_WITHHELD] = "a withheld certificate",
		[TRIAL_NOT_TLS] = "something that is no TLS",
		[TRIAL_UNTRUSTED] = "a server's certificate that is not accepted",
	};

	return (size_t)outcome < sizeof(words) / sizeof(words[0]) && words[outcome] != NULL
		       ? words[outcome]
		       : trial_outcome_name(outcome);
}

const char *verdict_outcome(const struct trial_result *result, char text[static VERDICT_OUTCOME_MAX])
{
	bool shaking = result->outcome == TRIAL_SHAKE_FAILED;

	if (result->outcome == TRIAL_ANSWERED)
		(void)snprintf(text, VERDICT_OUTCOME_MAX, "%u", result->status);
	else if (result->outcome == TRIAL_ALERTED || shaking)
		(void)snprintf(text, VERDICT_OUTCOME_MAX, "%s (%s)", shaking ? "a failed handshake" : "an alert",
			       result->alert != 0 ? tls_alert_name(result->alert) : "no alert");
	else if (result->outcome == TRIAL_H2_RESET)
		(void)snprintf(text, VERDICT_OUTCOME_MAX, "a reset stream (%s)",
			       result->h2_error == HTTP_H2_HTTP_1_1_REQUIRED ? "HTTP_1_1_REQUIRED" : "another error");
	else
		(void)snprintf(text, VERDICT_OUTCOME_MAX, "%s", plain_outcome(result->outcome));
	return text;
}

/* ---- problems ---- */

static void add(struct verdict *verdict, enum probe_verdict weight, unsigned versions, const char *format, ...)
	THAW_PRINTF(4, 5);

/* The same over both versions is one problem. */
static void add(struct verdict *verdict, enum probe_verdict weight, unsigned versions, const char *format, ...)
{
	char text[VERDICT_TEXT_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (size_t k = 0; k < verdict->count; k++)
		if (strcmp(verdict->problems[k].text, text) == 0) {
			verdict->problems[k].versions |= versions;
			return;
		}
	if (verdict->count == VERDICT_PROBLEMS_MAX)
		return;
	struct verdict_problem *problem = &verdict->problems[verdict->count++];
	problem->weight = weight;
	problem->versions = versions;
	memcpy(problem->text, text, sizeof(text));
}

static void name_versions(struct verdict *verdict)
{
	static const char *const names[] = {
		[1U << FIND_12] = "over TLS 1.2 ", [1U << FIND_13] = "over TLS 1.3 ", [BOTH] = "over TLS 1.2 and 1.3 "};

	for (size_t k = 0; k < verdict->count; k++) {
		struct verdict_problem *problem = &verdict->problems[k];
		char text[VERDICT_TEXT_MAX];
		if (problem->versions == 0)
			continue;
		(void)snprintf(text, sizeof(text), "%s%.*s", names[problem->versions], VERDICT_TEXT_MAX - 24,
			       problem->text);
		memcpy(problem->text, text, sizeof(text));
	}
}

static enum probe_verdict weight_of(const struct trial_result *result)
{
	if (result->outcome == TRIAL_FREEZE)
		return PROBE_FREEZES;
	return find_tells(result) ? PROBE_LIMITED : PROBE_UNTOLD;
}

static bool is_same_boundary(const struct find_bodies *a, const struct find_bodies *b)
{
	return a->boundary.found && b->boundary.found && a->boundary.bad == b->boundary.bad &&
	       a->boundary.good == b->boundary.good &&
	       find_result(a->first_bad)->outcome == find_result(b->first_bad)->outcome &&
	       find_result(a->first_bad)->status == find_result(b->first_bad)->status;
}

static void add_boundary(struct verdict *verdict, unsigned over, const struct find_bodies *bodies, const char *who)
{
	const struct sizes_boundary *at = &bodies->boundary;
	const struct trial_result *result = find_result(bodies->first_bad);
	char bad[VERDICT_NUMBER_MAX], good[VERDICT_NUMBER_MAX], text[VERDICT_OUTCOME_MAX];

	(void)verdict_outcome(result, text);
	(void)verdict_number(at->bad, bad);
	(void)verdict_number(at->good, good);
	if (at->mixed)
		add(verdict, weight_of(result), over,
		    "some bodies of %s bytes or more come to %s, with %s (%s bytes pass, and some larger ones)", bad,
		    text, who, good);
	else if (at->bad == 1)
		add(verdict, weight_of(result), over, "any body comes to %s, with %s", text, who);
	else if (at->good == 0)
		add(verdict, weight_of(result), over,
		    "a body of %s bytes or more comes to %s, with %s (of smaller ones nothing is known)", bad, text,
		    who);
	else
		add(verdict, weight_of(result), over,
		    "a body of %s%s bytes or more comes to %s, with %s (%s bytes pass)", at->exact ? "" : "about ", bad,
		    text, who, good);
}

/* A connection that was not made, where others were: that is not what the body's size comes to. */
static void add_unmade(struct verdict *verdict, unsigned over, const struct trial *trial)
{
	const struct trial_result *result = find_result(trial);
	char bytes[VERDICT_NUMBER_MAX], text[VERDICT_OUTCOME_MAX];

	if (trial != NULL && result->outcome != TRIAL_PENDING && !find_tells(result))
		add(verdict, PROBE_UNTOLD, over, "of a body of %s bytes nothing is known: it came to %s",
		    verdict_number(trial_script(trial)->length, bytes), verdict_outcome(result, text));
}

static void judge_bodies(struct verdict *verdict, unsigned over, const struct find_version *version)
{
	const struct find_bodies *reads = &version->bodies[TRIAL_READS], *first = &version->bodies[TRIAL_WRITES_FIRST];

	add_unmade(verdict, over, version->paused);
	if (!reads->boundary.found)
		add_unmade(verdict, over, reads->largest);
	if (!first->boundary.found)
		add_unmade(verdict, over, first->largest);

	if (is_same_boundary(reads, first)) {
		add_boundary(verdict, over, reads, "any client");
		return;
	}
	if (reads->boundary.found)
		add_boundary(verdict, over, reads, verdict_style(TRIAL_READS));
	if (first->boundary.found)
		add_boundary(verdict, over, first, verdict_style(TRIAL_WRITES_FIRST));
}

static bool is_bad(const struct find_version *version, const struct trial *trial)
{
	const struct trial_result *result = find_result(trial);

	return trial != NULL && find_tells(result) && !find_is_good(version, result);
}

static void judge_expect(struct verdict *verdict, unsigned over, const struct find_version *version)
{
	char text[VERDICT_OUTCOME_MAX];

	if (is_bad(version, version->waits))
		add(verdict, weight_of(find_result(version->waits)), over,
		    "a client that waits for its 100 Continue gets %s",
		    verdict_outcome(find_result(version->waits), text));
	/* Where bodies of that size fail anyhow, Expect is not to blame. */
	for (size_t style = 0; style < 2; style++)
		if (version->bodies[style].boundary.found && version->bodies[style].boundary.bad <= 1024)
			return;
	if (is_bad(version, version->eager))
		add(verdict, weight_of(find_result(version->eager)), over,
		    "Expect: 100-continue with the body sent at once gets %s",
		    verdict_outcome(find_result(version->eager), text));
}

/* Asked over one version, refused without being asked over the other; Java's TLS 1.3 is known for that. */
static void judge_unasked(struct verdict *verdict, const struct findings *findings, bool java, size_t i)
{
	const struct find_version *version = &findings->versions[i], *other = &findings->versions[1 - i];
	const struct trial_result *result = find_result(version->paused);
	char text[VERDICT_OUTCOME_MAX];

	if (!find_speaks(version) || find_moment(version) != TRIAL_NEVER || !(find_asks_late(other) || java))
		return;
	if (version->paused != NULL && find_tells(result) &&
	    (result->outcome != TRIAL_ANSWERED || result->status >= 400))
		add(verdict, weight_of(result), 1U << i, "it does not ask at all: every request gets %s",
		    verdict_outcome(result, text));
}

static void judge_version(struct verdict *verdict, const struct findings *findings, const struct server_guess *server,
			  size_t i)
{
	const struct find_version *version = &findings->versions[i];
	unsigned over = 1U << i;

	if (find_result(version->plain)->outcome == TRIAL_FREEZE)
		add(verdict, PROBE_FREEZES, over, "even a request without a body freezes");
	else if (find_result(version->plain)->outcome == TRIAL_SILENCE)
		add(verdict, PROBE_UNTOLD, over, "a request without a body gets no answer");
	judge_bodies(verdict, over, version);
	if (!version->bodies[TRIAL_READS].began && find_result(version->paused)->outcome == TRIAL_FREEZE)
		add(verdict, PROBE_FREEZES, over, "a request with a small body freezes");
	judge_expect(verdict, over, version);
	judge_unasked(verdict, findings, server->kind == SERVER_TOMCAT && i == FIND_13, i);
}

static void judge_clients(struct verdict *verdict, const struct findings *findings)
{
	const struct trial_result *browser = find_result(findings->browser), *http2 = find_result(findings->http2);
	size_t i = browser->version == 13 ? FIND_13 : FIND_12;
	bool late = find_asks_late(&findings->versions[FIND_12]) || find_asks_late(&findings->versions[FIND_13]);
	char text[VERDICT_OUTCOME_MAX];

	/* Where that version fails for everybody, it has been said already. */
	if (is_bad(&findings->versions[i], findings->browser) && find_asks_late(&findings->versions[i]))
		add(verdict, weight_of(browser), 0,
		    "clients without post-handshake authentication (browsers, Java, Node, Go) get %s",
		    verdict_outcome(browser, text));
	if (late && (http2->outcome == TRIAL_H2_RESET || (http2->outcome == TRIAL_ANSWERED && http2->status >= 400)))
		add(verdict, PROBE_LIMITED, 0,
		    "it offers HTTP/2, where it cannot ask (RFC 9113 9.2.3): clients that do not come back by HTTP/1.1 "
		    "get %s",
		    verdict_outcome(http2, text));
}

/* ---- the verdict ---- */

static unsigned rank(enum probe_verdict weight)
{
	static const unsigned ranks[] = {
		[PROBE_NO_PROBLEM] = 0, [PROBE_UNTOLD] = 1, [PROBE_LIMITED] = 2, [PROBE_FREEZES] = 3};
	return ranks[weight];
}

/* The worst first, otherwise as they were found. */
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

/* Any request came through over a version of which that is known. */
static bool any_through(const struct findings *findings)
{
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct trial_result *results[] = {find_result(findings->versions[i].plain),
							find_result(findings->versions[i].paused)};
		for (size_t k = 0; k < 2; k++)
			if (results[k]->outcome == TRIAL_ANSWERED && results[k]->status < 400)
				return true;
	}
	return false;
}

/* What servers say to a certificate that they do not accept. */
static bool is_refusal(const struct trial_result *result)
{
	return result->outcome == TRIAL_ALERTED || result->outcome == TRIAL_SHAKE_FAILED ||
	       (result->outcome == TRIAL_ANSWERED &&
		(result->status == 400 || result->status == 401 || result->status == 403));
}

/* A wrong or expired certificate is not what the report is to be about, but explains all of it. */
static void judge_certificate(const struct findings *findings, struct verdict *verdict)
{
	char text[VERDICT_OUTCOME_MAX];

	if (any_through(findings))
		return;
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct trial_result *plain = find_result(findings->versions[i].plain);
		const struct trial_result *paused = find_result(findings->versions[i].paused);
		const struct trial_result *result = plain->given ? plain : paused;
		if (result->given && is_refusal(result))
			add(verdict, PROBE_UNTOLD, 1U << i,
			    "the certificate that was given seems not to be accepted: every request comes to %s",
			    verdict_outcome(result, text));
	}
}

/* It never asked, and the answer is none of the resource's own: there may be more behind it. */
static void judge_elsewhere(const struct findings *findings, struct verdict *verdict)
{
	const struct find_version *v12 = &findings->versions[FIND_12], *v13 = &findings->versions[FIND_13];
	const struct trial_result *plain = find_result((find_speaks(v13) ? v13 : v12)->plain);
	const struct trial_result *http2 = find_result(findings->http2);
	char text[VERDICT_OUTCOME_MAX];

	if (plain->outcome == TRIAL_ANSWERED && plain->status < 300)
		return;
	if (plain->outcome == TRIAL_ANSWERED && plain->status < 400)
		add(verdict, PROBE_UNTOLD, 0,
		    "it never asked for a certificate, and answered with %u, a redirect to %.160s: probe that URL",
		    plain->status, plain->location[0] != '\0' ? plain->location : "nowhere");
	else if (plain->outcome != TRIAL_ANSWERED && http2->outcome == TRIAL_ANSWERED)
		add(verdict, PROBE_UNTOLD, 0,
		    "it answers over HTTP/2 only (with %u), where nobody can be asked late (RFC 9113 9.2.3)",
		    http2->status);
	else
		add(verdict, PROBE_UNTOLD, 0,
		    "it never asked for a certificate, and answered with %s: perhaps it asks for another path, or "
		    "another method (--method)",
		    verdict_outcome(plain, text));
}

static void judge_rest(const struct findings *findings, struct verdict *verdict)
{
	bool asks = find_moment(&findings->versions[FIND_12]) != TRIAL_NEVER ||
		    find_moment(&findings->versions[FIND_13]) != TRIAL_NEVER;

	judge_certificate(findings, verdict);
	if (findings->lost)
		add(verdict, PROBE_UNTOLD, 0,
		    "connections could not be made any more before all was tried: perhaps it has ended, or keeps the "
		    "probe out");
	if (findings->interrupted || findings->out_of_time)
		add(verdict, PROBE_UNTOLD, 0, "%s before all was tried",
		    findings->interrupted ? "it was interrupted"
					  : "its time was over (--limit gives it more, --max-body less to do)");
	else if (!asks && verdict->count == 0)
		judge_elsewhere(findings, verdict);
}

/* "it asks late, and reads on meanwhile" and the like. */
static const char *how_it_asks(const struct findings *findings, bool *late, bool *handshake)
{
	const struct find_version *v12 = &findings->versions[FIND_12], *v13 = &findings->versions[FIND_13];

	*late = find_asks_late(v12) || find_asks_late(v13);
	*handshake = find_moment(v12) == TRIAL_AT_HANDSHAKE || find_moment(v13) == TRIAL_AT_HANDSHAKE;
	if (*late)
		return "it asks late, and reads on meanwhile";
	if (*handshake)
		return "it asks at the TLS handshake, before any body";
	return findings->unsafe ? "it does not ask for a certificate here"
				: "it does not ask for a certificate here (GET and OPTIONS were tried; --method tries "
				  "another)";
}

static void say_no_problem(const struct findings *findings, struct verdict *verdict)
{
	const struct find_version *v12 = &findings->versions[FIND_12], *v13 = &findings->versions[FIND_13];
	const struct trial_result *plain = find_result((find_speaks(v13) ? v13 : v12)->plain);
	bool late = false, handshake = false;
	char max[VERDICT_NUMBER_MAX], text[VERDICT_OUTCOME_MAX], rest[VERDICT_OUTCOME_MAX + 64] = "";
	const char *how = how_it_asks(findings, &late, &handshake);
	bool asks = late || handshake;

	if (asks && plain->outcome != TRIAL_ANSWERED)
		(void)snprintf(rest, sizeof(rest), ", and ends the connection of who gives none");
	else if (asks && !any_through(findings))
		(void)snprintf(rest, sizeof(rest), "; %severy request gets %s",
			       findings->has_certificate ? "" : "without a certificate ", verdict_outcome(plain, text));
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
	name_versions(verdict);
	verdict->code = verdict->count > 0 ? verdict->problems[0].weight : PROBE_NO_PROBLEM;
	if (verdict->count == 0)
		say_no_problem(findings, verdict);
	else
		(void)snprintf(verdict->line, sizeof(verdict->line), "%s: %s", verdict_name(verdict->code),
			       verdict->problems[0].text);
}
