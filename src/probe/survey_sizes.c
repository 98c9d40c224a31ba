/* Bodies of all sizes, in both styles of client and over both versions, in parallel. */
#include "probe/survey_inside.h"

#define SHORT_STALL 1000 /* while narrowing down; the result is confirmed at the end */
#define SLOW_FACTOR 4

static const struct trial *begin_body(struct survey *survey, size_t i, enum trial_style style, uint64_t size,
				      uint32_t stall_ms)
{
	struct find_bodies *bodies = &survey->findings->versions[i].bodies[style];
	struct trial_script script = survey_body_script(survey, size);

	if (bodies->count == sizeof(bodies->trials) / sizeof(bodies->trials[0]))
		return NULL;
	script.style = style;
	script.stall_ms = stall_ms;
	script.asks_late = find_asks_late(&survey->findings->versions[i]);
	bool is_largest = size == survey->findings->max_body && bodies->largest == NULL;
	if (is_largest)
		script.hold_ms = survey->options->hold_ms; /* find out when the server gives up, */
	else
		script.slow_ms = 0; /* and slow is not the same as silent */
	const struct trial *trial =
		survey_begin(survey, &script, &(struct context_wish){.version = survey_version(i)}, NULL);
	if (trial != NULL)
		bodies->trials[bodies->count++] = trial;
	if (is_largest)
		bodies->largest = trial;
	return trial;
}

/* While no good trial took longer than a part of it, a shorter stall is enough to detect bad ones. */
static uint32_t short_stall(const struct survey *survey, const struct find_bodies *bodies)
{
	uint32_t slowest = SHORT_STALL;

	for (size_t k = 0; k < bodies->count; k++) {
		const struct trial_result *result = trial_result(bodies->trials[k]);
		if (result->outcome == TRIAL_ANSWERED && result->ms * SLOW_FACTOR > slowest)
			slowest = result->ms * SLOW_FACTOR;
	}
	uint32_t whole = survey_stall_ms(survey);
	return slowest < whole ? slowest : whole;
}

/* One running search. */
struct search {
	size_t version;
	struct find_bodies *bodies;
	const struct trial *round[SIZES_ROUND_MAX];
	size_t count;
	enum trial_style style;
	bool confirmed;
};

static void begin_round(struct survey *survey, struct search *search)
{
	struct find_bodies *bodies = search->bodies;
	uint64_t next[SIZES_ROUND_MAX];
	bool first = !bodies->began;
	uint32_t stall_ms = first ? survey_stall_ms(survey) : short_stall(survey, bodies);

	bodies->began = true;
	search->count = 0;
	size_t count = sizes_next(&bodies->sizes, next);
	for (size_t k = 0; k < count; k++)
		search->round[search->count++] = begin_body(survey, search->version, search->style, next[k], stall_ms);
}

static bool has_stalled(const struct trial_result *result)
{
	return result->outcome == TRIAL_FREEZE || result->outcome == TRIAL_SILENCE;
}

/* The last failed trial of that size. */
static const struct trial *find_bad(const struct find_version *version, const struct find_bodies *bodies, uint64_t size)
{
	for (size_t k = bodies->count; k > 0; k--) {
		const struct trial *trial = bodies->trials[k - 1];
		if (trial_script(trial)->length == size && find_tells(trial_result(trial)) &&
		    !find_is_good(version, trial_result(trial)))
			return trial;
	}
	return NULL;
}

/* Repeats a boundary that was found with short stalls, with the full one. */
static void begin_confirmation(struct survey *survey, struct search *search)
{
	const struct find_version *version = &survey->findings->versions[search->version];
	struct sizes_boundary at;
	struct find_bodies *bodies = search->bodies;

	if (search->confirmed)
		return;
	search->confirmed = true;
	sizes_boundary(&bodies->sizes, &at);
	if (!at.found || !has_stalled(find_result(find_bad(version, bodies, at.bad))))
		return;
	uint32_t whole = survey_stall_ms(survey);
	if (at.good > 0)
		search->round[search->count++] = begin_body(survey, search->version, search->style, at.good, whole);
	search->round[search->count++] = begin_body(survey, search->version, search->style, at.bad, whole);
}

/* The largest was answered after a stall, so the others may also only be slow. */
static bool is_only_slow(const struct find_version *version, const struct find_bodies *bodies,
			 const struct trial_result *result)
{
	const struct trial_result *largest = find_result(bodies->largest);

	return result->outcome == TRIAL_SILENCE && result->taken_whole && largest->answered_late &&
	       find_is_good(version, largest);
}

static void see_slow(struct find_bodies *bodies, const struct trial *trial)
{
	uint64_t size = trial_script(trial)->length;

	if (bodies->slow_from == 0 || size < bodies->slow_from)
		bodies->slow_from = size;
}

static void tell_round(struct survey *survey, struct search *search)
{
	const struct find_version *version = &survey->findings->versions[search->version];
	struct find_bodies *bodies = search->bodies;

	for (size_t k = 0; k < search->count; k++) {
		const struct trial_result *result = find_result(search->round[k]);
		if (search->round[k] == NULL || !find_tells(result) || result->outcome == TRIAL_SHAKE_FAILED)
			continue;
		bool slow = is_only_slow(version, bodies, result);
		if (slow || (result->answered_late && search->round[k] == bodies->largest))
			see_slow(bodies, search->round[k]);
		sizes_tell(&bodies->sizes, trial_script(search->round[k])->length,
			   slow || find_is_good(version, result));
	}
	sizes_boundary(&bodies->sizes, &bodies->boundary);
	if (bodies->boundary.found)
		bodies->first_bad = find_bad(version, bodies, bodies->boundary.bad);
}

static size_t begin_searches(struct survey *survey, struct search *searches)
{
	struct findings *findings = survey->findings;
	size_t count = 0;

	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++) {
			struct find_bodies *bodies = &findings->versions[i].bodies[style];
			if (!survey_is_usable(&findings->versions[i]) || !survey_is_answered(&findings->versions[i]) ||
			    find_moment(&findings->versions[i]) == TRIAL_NEVER || findings->max_body == 0)
				continue;
			bool brief = !find_asks_late(&findings->versions[i]) || findings->key_ms > 0;
			sizes_init(&bodies->sizes, findings->max_body, brief);
			searches[count++] =
				(struct search){.version = i, .style = (enum trial_style)style, .bodies = bodies};
		}
	return count;
}

static bool run_round(struct survey *survey, struct search *searches, size_t count)
{
	bool more = false;

	for (size_t k = 0; k < count; k++) {
		if (searches[k].bodies->done)
			continue;
		begin_round(survey, &searches[k]);
		if (searches[k].count == 0)
			begin_confirmation(survey, &searches[k]);
		searches[k].bodies->done = searches[k].count == 0;
		more |= searches[k].count > 0;
	}
	for (size_t k = 0; k < count; k++)
		crew_wait(survey->crew, searches[k].round, searches[k].count);
	for (size_t k = 0; k < count; k++)
		tell_round(survey, &searches[k]);
	return more;
}

static bool any_boundary(const struct search *searches, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if (searches[k].bodies->boundary.found)
			return true;
	return false;
}

/* All four searches run in parallel: a round takes as long as its slowest trial, which is a stall. */
void survey_sizes(struct survey *survey)
{
	struct search searches[FIND_VERSIONS * 2];
	size_t count = begin_searches(survey, searches);

	for (bool first = true; survey_may_go_on(survey) && run_round(survey, searches, count); first = false) {
		if (survey->findings->key_ms > 0)
			break; /* each size more is a signature more */
		if (first && any_boundary(searches, count))
			survey_phase(survey, "narrowing down the size at which the response changes");
	}
}
