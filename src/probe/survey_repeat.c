/*
 * A single observation may be chance: a rate limit, a restart, a busy server. So each result that would make an
 * operator change a server is repeated with a longer time limit, followed by the smallest request. If that one fails
 * too, the responses depend on the time. Bodies are also repeated on a primed connection: a limit that stays there
 * is not caused by the certificate.
 */
#include "probe/survey_inside.h"

#define SMALL_ONES 8 /* small bodies at the end over each version, to detect one that fails sometimes */
#define WATCHED    2 /* a trial that stalls again is watched for this many times --stall, in case it is only slow */

static struct context_wish wish_of(const struct findings *findings, const struct find_claim *claim)
{
	struct context_wish wish = {.version = survey_version(claim->version)};

	if (claim->first == findings->browser || claim->first == findings->http2)
		wish.version = survey_any_version(findings);
	wish.no_offer = claim->first == findings->browser;
	wish.http2 = claim->first == findings->http2;
	return wish;
}

static const struct trial *begin_again(struct survey *survey, const struct find_claim *claim)
{
	struct trial_script script = *trial_script(claim->first);
	const struct context_wish wish = wish_of(survey->findings, claim);

	script.stall_ms = survey_stall_ms(survey);
	script.hold_ms = WATCHED * script.stall_ms;
	script.slow_ms = 0;
	return survey_begin(survey, &script, &wish, NULL);
}

/* Watching a stall takes long, and a slow key allows few signatures: those trials are made twice, others three
 * times. */
static bool is_cheap(const struct survey *survey, const struct find_claim *claim)
{
	return survey->findings->key_ms == 0 && find_result(claim->first)->outcome != TRIAL_FREEZE;
}

static void repeat_claims(struct survey *survey, const struct trial *thirds[static FIND_CLAIMS_MAX])
{
	struct findings *findings = survey->findings;

	for (size_t k = 0; k < findings->claim_count; k++)
		findings->claims[k].second = begin_again(survey, &findings->claims[k]);
	for (size_t k = 0; k < findings->claim_count; k++)
		thirds[k] = is_cheap(survey, &findings->claims[k]) ? begin_again(survey, &findings->claims[k]) : NULL;
}

/* A repetition that passes proves nothing: a failing one counts as the second. */
static void choose_seconds(struct findings *findings, const struct trial *const thirds[static FIND_CLAIMS_MAX])
{
	for (size_t k = 0; k < findings->claim_count; k++) {
		struct find_claim *claim = &findings->claims[k];
		const struct trial_result *third = find_result(thirds[k]);
		if (find_tells(third) && find_is_good(&findings->versions[claim->version], third))
			claim->second = thirds[k];
	}
}

static void begin_control(struct survey *survey, size_t i, struct find_bodies *bodies)
{
	if (!bodies->boundary.found || bodies->first_bad == NULL || !find_asks_late(&survey->findings->versions[i]))
		return;
	struct trial_script script = *trial_script(bodies->first_bad);
	script.stall_ms = survey_stall_ms(survey);
	script.hold_ms = script.slow_ms = 0;
	script.prime = survey->findings->url.target;
	bodies->control = survey_begin(survey, &script, &(struct context_wish){.version = survey_version(i)}, NULL);
}

/* The smallest that froze with bytes left, or with an unfinished exchange. */
static const struct trial *find_frozen(const struct find_bodies *bodies)
{
	const struct trial *frozen = NULL;

	for (size_t k = 0; k < bodies->count; k++) {
		const struct trial *trial = bodies->trials[k];
		if (trial_result(trial)->outcome == TRIAL_FREEZE &&
		    (frozen == NULL || trial_script(trial)->length < trial_script(frozen)->length))
			frozen = trial;
	}
	return frozen;
}

/* Bodies between the first bad size and one that froze may fit completely into the buffers on the way. */
static void explain_silence(struct crew *crew, struct find_bodies *bodies)
{
	const struct trial *frozen = find_frozen(bodies);

	if (frozen == NULL || !bodies->boundary.found)
		return;
	uint64_t size = trial_script(frozen)->length;
	for (size_t k = 0; k < bodies->count; k++) {
		uint64_t length = trial_script(bodies->trials[k])->length;
		if (length >= bodies->boundary.bad && length < size)
			crew_is_frozen(crew, bodies->trials[k]);
	}
	bodies->frozen = find_frozen(bodies);
}

static void wait_for(struct survey *survey, const struct trial *const thirds[static FIND_CLAIMS_MAX])
{
	struct findings *findings = survey->findings;
	const struct trial *waited[FIND_CLAIMS_MAX * 2 + FIND_VERSIONS * 2];
	size_t count = 0;

	for (size_t k = 0; k < findings->claim_count; k++) {
		waited[count++] = findings->claims[k].second;
		waited[count++] = thirds[k];
	}
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		for (size_t style = 0; style < 2; style++)
			waited[count++] = findings->versions[i].bodies[style].control;
	}
	crew_wait(survey->crew, waited, count);
}

/* Waits for trials that were started in parallel with the bodies, and not evaluated yet. */
static void wait_for_first(struct survey *survey)
{
	struct findings *findings = survey->findings;
	const struct trial *waited[FIND_VERSIONS * 2 + 2] = {findings->browser, findings->http2};

	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		waited[2 + 2 * i] = findings->versions[i].waits;
		waited[3 + 2 * i] = findings->versions[i].eager;
	}
	crew_wait(survey->crew, waited, sizeof(waited) / sizeof(waited[0]));
}

static bool is_claimed(const struct findings *findings, size_t i)
{
	for (size_t k = 0; k < findings->claim_count; k++)
		if (findings->claims[k].version == i)
			return true;
	return false;
}

/* Repeats small bodies over that version; one that differs from the first counts. */
static void repeat_small(struct survey *survey, size_t i)
{
	struct find_version *version = &survey->findings->versions[i];
	bool slow = survey->findings->key_ms > 0 || survey_stall_ms(survey) > survey->options->stall_ms;
	struct trial_script script = survey_body_script(survey, survey->findings->small_body);
	const struct trial *small[SMALL_ONES] = {NULL};
	size_t count = slow ? 1 : SMALL_ONES;

	script.pauses = true;
	for (size_t k = 0; k < count; k++)
		small[k] = survey_begin(survey, &script, &(struct context_wish){.version = survey_version(i)}, NULL);
	crew_wait(survey->crew, small, count);
	for (size_t k = 0; k < count; k++) {
		if (version->again != NULL && find_result(small[k])->outcome == TRIAL_PENDING)
			continue; /* there was no time for all of them */
		version->again = small[k];
		if (!find_is_steady(version))
			return;
	}
}

void survey_repeat(struct survey *survey)
{
	struct findings *findings = survey->findings;
	const struct trial *thirds[FIND_CLAIMS_MAX] = {NULL};

	wait_for_first(survey);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++)
			explain_silence(survey->crew, &findings->versions[i].bodies[style]);
	find_claims(findings);
	repeat_claims(survey, thirds);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++)
			begin_control(survey, i, &findings->versions[i].bodies[style]);
	wait_for(survey, thirds);
	choose_seconds(findings, thirds);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		if (is_claimed(findings, i) && find_result(findings->versions[i].paused)->version != 0)
			repeat_small(survey, i);
}

/* The largest body stalled, but was answered later. */
static void settle(const struct find_version *version, struct find_bodies *bodies)
{
	const struct trial_result *largest = find_result(bodies->largest);
	const struct trial_result *bad = find_result(bodies->first_bad);
	bool stalled = bad->outcome == TRIAL_FREEZE || bad->outcome == TRIAL_SILENCE;

	if (!largest->answered_late || !find_is_good(version, largest))
		return;
	bodies->frozen = NULL;
	if (!bodies->boundary.found || !stalled)
		return;
	bodies->slow_from = bodies->boundary.bad;
	bodies->boundary = (struct sizes_boundary){.good = trial_script(bodies->largest)->length};
	bodies->first_bad = NULL;
}

/* If a trial stalled the first time and was only slow the second time, the second one replaces the first. */
static void replace_slow(struct findings *findings, const struct find_claim *claim)
{
	struct find_version *version = &findings->versions[claim->version];
	const struct trial_result *first = find_result(claim->first), *second = find_result(claim->second);
	const struct trial **places[] = {&version->plain,
					 &version->paused,
					 &version->waits,
					 &version->eager,
					 &version->bodies[TRIAL_READS].largest,
					 &version->bodies[TRIAL_WRITES_FIRST].largest,
					 &findings->browser};

	if (first->outcome != TRIAL_FREEZE || !second->answered_late || !find_is_good(version, second))
		return;
	for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++)
		if (*places[k] == claim->first)
			*places[k] = claim->second;
}

void survey_settle(struct survey *survey)
{
	for (size_t k = 0; k < survey->findings->claim_count; k++)
		replace_slow(survey->findings, &survey->findings->claims[k]);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++)
			settle(&survey->findings->versions[i], &survey->findings->versions[i].bodies[style]);
}
