/*
 * A single observation may be chance: a rate limit, a restart, a busy server. So each result that would make an
 * operator change a server is repeated with a longer time limit, followed by the smallest request. If that one fails
 * too, the responses depend on the time. Bodies are also repeated on a primed connection: a limit that stays there
 * is not caused by the certificate.
 */
#include "probe/plan_inside.h"

#define SMALL_ONES 8 /* small bodies at the end over each version, to detect one that fails sometimes */
#define WATCHED    2 /* a check that stalls again is watched for this many times --stall, in case it is only slow */

static struct context_wish wish_of(const struct findings *findings, const struct find_claim *claim)
{
	struct context_wish wish = {.version = plan_version(claim->version)};

	if (claim->first == findings->browser || claim->first == findings->http2)
		wish.version = plan_any_version(findings);
	wish.no_offer = claim->first == findings->browser;
	wish.http2 = claim->first == findings->http2;
	return wish;
}

static const struct check *begin_again(struct plan *plan, const struct find_claim *claim)
{
	struct check_script script = *check_script(claim->first);
	const struct context_wish wish = wish_of(plan->findings, claim);

	script.stall_ms = plan_stall_ms(plan);
	script.hold_ms = WATCHED * script.stall_ms;
	script.slow_ms = 0;
	return plan_begin(plan, &script, &wish, NULL);
}

/* Watching a stall takes long, and a slow key allows few signatures: those checks are made twice, others three
 * times. */
static bool is_cheap(const struct plan *plan, const struct find_claim *claim)
{
	return plan->findings->key_ms == 0 && find_result(claim->first)->outcome != CHECK_FREEZE;
}

static void repeat_claims(struct plan *plan, const struct check *thirds[static FIND_CLAIMS_MAX])
{
	struct findings *findings = plan->findings;

	for (size_t k = 0; k < findings->claim_count; k++)
		findings->claims[k].second = begin_again(plan, &findings->claims[k]);
	for (size_t k = 0; k < findings->claim_count; k++)
		thirds[k] = is_cheap(plan, &findings->claims[k]) ? begin_again(plan, &findings->claims[k]) : NULL;
}

/* A repetition that passes proves nothing: a failing one counts as the second. */
static void choose_seconds(struct findings *findings, const struct check *const thirds[static FIND_CLAIMS_MAX])
{
	for (size_t k = 0; k < findings->claim_count; k++) {
		struct find_claim *claim = &findings->claims[k];
		const struct check_result *third = find_result(thirds[k]);
		if (find_tells(third) && find_is_good(&findings->versions[claim->version], third))
			claim->second = thirds[k];
	}
}

static void begin_control(struct plan *plan, size_t i, struct find_bodies *bodies)
{
	if (!bodies->boundary.found || bodies->first_bad == NULL || !find_asks_late(&plan->findings->versions[i]))
		return;
	struct check_script script = *check_script(bodies->first_bad);
	script.stall_ms = plan_stall_ms(plan);
	script.hold_ms = script.slow_ms = 0;
	script.prime = plan->findings->url.target;
	bodies->control = plan_begin(plan, &script, &(struct context_wish){.version = plan_version(i)}, NULL);
}

/* The smallest that froze with bytes left, or with an unfinished exchange. */
static const struct check *find_frozen(const struct find_bodies *bodies)
{
	const struct check *frozen = NULL;

	for (size_t k = 0; k < bodies->count; k++) {
		const struct check *check = bodies->checks[k];
		if (check_result(check)->outcome == CHECK_FREEZE &&
		    (frozen == NULL || check_script(check)->length < check_script(frozen)->length))
			frozen = check;
	}
	return frozen;
}

/* Bodies between the first bad size and one that froze may fit completely into the buffers on the way. */
static void explain_silence(struct runner *runner, struct find_bodies *bodies)
{
	const struct check *frozen = find_frozen(bodies);

	if (frozen == NULL || !bodies->boundary.found)
		return;
	uint64_t size = check_script(frozen)->length;
	for (size_t k = 0; k < bodies->count; k++) {
		uint64_t length = check_script(bodies->checks[k])->length;
		if (length >= bodies->boundary.bad && length < size)
			runner_is_frozen(runner, bodies->checks[k]);
	}
	bodies->frozen = find_frozen(bodies);
}

static void wait_for(struct plan *plan, const struct check *const thirds[static FIND_CLAIMS_MAX])
{
	struct findings *findings = plan->findings;
	const struct check *waited[FIND_CLAIMS_MAX * 2 + FIND_VERSIONS * 2];
	size_t count = 0;

	for (size_t k = 0; k < findings->claim_count; k++) {
		waited[count++] = findings->claims[k].second;
		waited[count++] = thirds[k];
	}
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		for (size_t style = 0; style < 2; style++)
			waited[count++] = findings->versions[i].bodies[style].control;
	}
	runner_wait(plan->runner, waited, count);
}

/* Waits for checks that were started in parallel with the bodies, and not evaluated yet. */
static void wait_for_first(struct plan *plan)
{
	struct findings *findings = plan->findings;
	const struct check *waited[FIND_VERSIONS * 2 + 2] = {findings->browser, findings->http2};

	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		waited[2 + 2 * i] = findings->versions[i].waits;
		waited[3 + 2 * i] = findings->versions[i].eager;
	}
	runner_wait(plan->runner, waited, sizeof(waited) / sizeof(waited[0]));
}

static bool is_claimed(const struct findings *findings, size_t i)
{
	for (size_t k = 0; k < findings->claim_count; k++)
		if (findings->claims[k].version == i)
			return true;
	return false;
}

/* Repeats small bodies over that version; one that differs from the first counts. */
static void repeat_small(struct plan *plan, size_t i)
{
	struct find_version *version = &plan->findings->versions[i];
	bool slow = plan->findings->key_ms > 0 || plan_stall_ms(plan) > plan->options->stall_ms;
	struct check_script script = plan_body_script(plan, plan->findings->small_body);
	const struct check *small[SMALL_ONES] = {NULL};
	size_t count = slow ? 1 : SMALL_ONES;

	script.pauses = true;
	for (size_t k = 0; k < count; k++)
		small[k] = plan_begin(plan, &script, &(struct context_wish){.version = plan_version(i)}, NULL);
	runner_wait(plan->runner, small, count);
	for (size_t k = 0; k < count; k++) {
		if (version->again != NULL && find_result(small[k])->outcome == CHECK_PENDING)
			continue; /* there was no time for all of them */
		version->again = small[k];
		if (!find_is_steady(version))
			return;
	}
}

void plan_repeat(struct plan *plan)
{
	struct findings *findings = plan->findings;
	const struct check *thirds[FIND_CLAIMS_MAX] = {NULL};

	wait_for_first(plan);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++)
			explain_silence(plan->runner, &findings->versions[i].bodies[style]);
	find_claims(findings);
	repeat_claims(plan, thirds);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++)
			begin_control(plan, i, &findings->versions[i].bodies[style]);
	wait_for(plan, thirds);
	choose_seconds(findings, thirds);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		if (is_claimed(findings, i) && find_result(findings->versions[i].paused)->version != 0)
			repeat_small(plan, i);
}

/* The largest body stalled, but was answered later. */
static void settle(const struct find_version *version, struct find_bodies *bodies)
{
	const struct check_result *largest = find_result(bodies->largest);
	const struct check_result *bad = find_result(bodies->first_bad);
	bool stalled = bad->outcome == CHECK_FREEZE || bad->outcome == CHECK_SILENCE;

	if (!largest->answered_late || !find_is_good(version, largest))
		return;
	bodies->frozen = NULL;
	if (!bodies->boundary.found || !stalled)
		return;
	bodies->slow_from = bodies->boundary.bad;
	bodies->boundary = (struct sizes_boundary){.good = check_script(bodies->largest)->length};
	bodies->first_bad = NULL;
}

/* If a check stalled the first time and was only slow the second time, the second one replaces the first. */
static void replace_slow(struct findings *findings, const struct find_claim *claim)
{
	struct find_version *version = &findings->versions[claim->version];
	const struct check_result *first = find_result(claim->first), *second = find_result(claim->second);
	const struct check **places[] = {&version->plain,
					 &version->paused,
					 &version->waits,
					 &version->eager,
					 &version->bodies[CHECK_READS].largest,
					 &version->bodies[CHECK_WRITES_FIRST].largest,
					 &findings->browser};

	if (first->outcome != CHECK_FREEZE || !second->answered_late || !find_is_good(version, second))
		return;
	for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++)
		if (*places[k] == claim->first)
			*places[k] = claim->second;
}

void plan_settle(struct plan *plan)
{
	for (size_t k = 0; k < plan->findings->claim_count; k++)
		replace_slow(plan->findings, &plan->findings->claims[k]);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++)
			settle(&plan->findings->versions[i], &plan->findings->versions[i].bodies[style]);
}
