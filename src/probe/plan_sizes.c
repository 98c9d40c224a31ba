/* Bodies of all sizes, in both styles of client and over both versions, in parallel. */
#include "probe/plan_inside.h"

#define SHORT_STALL 1000 /* while narrowing down; the result is confirmed at the end */
#define SLOW_FACTOR 4

static const struct check *begin_body(struct plan *plan, size_t i, enum check_style style, uint64_t size,
				      uint32_t stall_ms)
{
	struct find_bodies *bodies = &plan->findings->versions[i].bodies[style];
	struct check_script script = plan_body_script(plan, size);

	if (bodies->count == sizeof(bodies->checks) / sizeof(bodies->checks[0]))
		return NULL;
	script.style = style;
	script.stall_ms = stall_ms;
	script.asks_late = find_asks_late(&plan->findings->versions[i]);
	bool is_largest = size == plan->findings->max_body && bodies->largest == NULL;
	if (is_largest)
		script.hold_ms = plan->options->hold_ms; /* find out when the server gives up, */
	else
		script.slow_ms = 0; /* and slow is not the same as silent */
	const struct check *check = plan_begin(plan, &script, &(struct context_wish){.version = plan_version(i)}, NULL);
	if (check != NULL)
		bodies->checks[bodies->count++] = check;
	if (is_largest)
		bodies->largest = check;
	return check;
}

/* While no good check took longer than a part of it, a shorter stall is enough to detect bad ones. */
static uint32_t short_stall(const struct plan *plan, const struct find_bodies *bodies)
{
	uint32_t slowest = SHORT_STALL;

	for (size_t k = 0; k < bodies->count; k++) {
		const struct check_result *result = check_result(bodies->checks[k]);
		if (result->outcome == CHECK_ANSWERED && result->ms * SLOW_FACTOR > slowest)
			slowest = result->ms * SLOW_FACTOR;
	}
	uint32_t whole = plan_stall_ms(plan);
	return slowest < whole ? slowest : whole;
}

/* One running search. */
struct search {
	size_t version;
	struct find_bodies *bodies;
	const struct check *round[SIZES_ROUND_MAX];
	size_t count;
	enum check_style style;
	bool confirmed;
};

static void begin_round(struct plan *plan, struct search *search)
{
	struct find_bodies *bodies = search->bodies;
	uint64_t next[SIZES_ROUND_MAX];
	bool first = !bodies->began;
	uint32_t stall_ms = first ? plan_stall_ms(plan) : short_stall(plan, bodies);

	bodies->began = true;
	search->count = 0;
	size_t count = sizes_next(&bodies->sizes, next);
	for (size_t k = 0; k < count; k++)
		search->round[search->count++] = begin_body(plan, search->version, search->style, next[k], stall_ms);
}

static bool has_stalled(const struct check_result *result)
{
	return result->outcome == CHECK_FREEZE || result->outcome == CHECK_SILENCE;
}

/* The last failed check of that size. */
static const struct check *find_bad(const struct find_version *version, const struct find_bodies *bodies, uint64_t size)
{
	for (size_t k = bodies->count; k > 0; k--) {
		const struct check *check = bodies->checks[k - 1];
		if (check_script(check)->length == size && find_tells(check_result(check)) &&
		    !find_is_good(version, check_result(check)))
			return check;
	}
	return NULL;
}

/* Repeats a boundary that was found with short stalls, with the full one. */
static void begin_confirmation(struct plan *plan, struct search *search)
{
	const struct find_version *version = &plan->findings->versions[search->version];
	struct sizes_boundary at;
	struct find_bodies *bodies = search->bodies;

	if (search->confirmed)
		return;
	search->confirmed = true;
	sizes_boundary(&bodies->sizes, &at);
	if (!at.found || !has_stalled(find_result(find_bad(version, bodies, at.bad))))
		return;
	uint32_t whole = plan_stall_ms(plan);
	if (at.good > 0)
		search->round[search->count++] = begin_body(plan, search->version, search->style, at.good, whole);
	search->round[search->count++] = begin_body(plan, search->version, search->style, at.bad, whole);
}

/* The largest was answered after a stall, so the others may also only be slow. */
static bool is_only_slow(const struct find_version *version, const struct find_bodies *bodies,
			 const struct check_result *result)
{
	const struct check_result *largest = find_result(bodies->largest);

	return result->outcome == CHECK_SILENCE && result->taken_whole && largest->answered_late &&
	       find_is_good(version, largest);
}

static void see_slow(struct find_bodies *bodies, const struct check *check)
{
	uint64_t size = check_script(check)->length;

	if (bodies->slow_from == 0 || size < bodies->slow_from)
		bodies->slow_from = size;
}

static void tell_round(struct plan *plan, struct search *search)
{
	const struct find_version *version = &plan->findings->versions[search->version];
	struct find_bodies *bodies = search->bodies;

	for (size_t k = 0; k < search->count; k++) {
		const struct check_result *result = find_result(search->round[k]);
		if (search->round[k] == NULL || !find_tells(result) || result->outcome == CHECK_SHAKE_FAILED)
			continue;
		bool slow = is_only_slow(version, bodies, result);
		if (slow || (result->answered_late && search->round[k] == bodies->largest))
			see_slow(bodies, search->round[k]);
		sizes_tell(&bodies->sizes, check_script(search->round[k])->length,
			   slow || find_is_good(version, result));
	}
	sizes_boundary(&bodies->sizes, &bodies->boundary);
	if (bodies->boundary.found)
		bodies->first_bad = find_bad(version, bodies, bodies->boundary.bad);
}

static size_t begin_searches(struct plan *plan, struct search *searches)
{
	struct findings *findings = plan->findings;
	size_t count = 0;

	for (size_t i = 0; i < FIND_VERSIONS; i++)
		for (size_t style = 0; style < 2; style++) {
			struct find_bodies *bodies = &findings->versions[i].bodies[style];
			if (!plan_is_usable(&findings->versions[i]) || !plan_is_answered(&findings->versions[i]) ||
			    find_moment(&findings->versions[i]) == CHECK_NEVER || findings->max_body == 0)
				continue;
			bool brief = !find_asks_late(&findings->versions[i]) || findings->key_ms > 0;
			sizes_init(&bodies->sizes, findings->max_body, brief);
			searches[count++] =
				(struct search){.version = i, .style = (enum check_style)style, .bodies = bodies};
		}
	return count;
}

static bool run_round(struct plan *plan, struct search *searches, size_t count)
{
	bool more = false;

	for (size_t k = 0; k < count; k++) {
		if (searches[k].bodies->done)
			continue;
		begin_round(plan, &searches[k]);
		if (searches[k].count == 0)
			begin_confirmation(plan, &searches[k]);
		searches[k].bodies->done = searches[k].count == 0;
		more |= searches[k].count > 0;
	}
	for (size_t k = 0; k < count; k++)
		runner_wait(plan->runner, searches[k].round, searches[k].count);
	for (size_t k = 0; k < count; k++)
		tell_round(plan, &searches[k]);
	return more;
}

static bool any_boundary(const struct search *searches, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if (searches[k].bodies->boundary.found)
			return true;
	return false;
}

/* All four searches run in parallel: a round takes as long as its slowest check, which is a stall. */
void plan_sizes(struct plan *plan)
{
	struct search searches[FIND_VERSIONS * 2];
	size_t count = begin_searches(plan, searches);

	for (bool first = true; plan_may_go_on(plan) && run_round(plan, searches, count); first = false) {
		if (plan->findings->key_ms > 0)
			break; /* each size more is a signature more */
		if (first && any_boundary(searches, count))
			plan_phase(plan, "narrowing down the size at which the response changes");
	}
}
