/* Evaluates bodies: their limits and freezes, weighted by the repetitions. */
#include <stdio.h>

#include "probe/verdict_inside.h"

#define BY_TIME "the responses depend on the time, not on the request"
static bool is_stalled(const struct check_result *result)
{
	return result->outcome == CHECK_FREEZE || result->outcome == CHECK_SILENCE;
}

static void doubt(struct verdict_weight *weight, const char *before, const char *text, const char *after)
{
	weight->weight = PROBE_UNTOLD;
	(void)snprintf(weight->doubt, sizeof(weight->doubt), "%s%s%s", before, text, after);
}

void verdict_weigh(const struct findings *findings, size_t i, const struct check *check, struct verdict_weight *weight)
{
	const struct find_version *version = &findings->versions[i];
	const struct check_result *result = find_result(check);
	const struct find_claim *claim = find_claim(findings, check);
	const struct check_result *second = find_result(claim != NULL ? claim->second : NULL);
	char text[VERDICT_OUTCOME_MAX];

	*weight = (struct verdict_weight){.weight = result->outcome == CHECK_FREEZE ? PROBE_FREEZES : PROBE_LIMITED};
	if (result->outcome == CHECK_SILENCE || !find_tells(result))
		doubt(weight, "",
		      result->taken_whole ? " yet, although the server took all of it (--stall waits longer)" : "", "");
	else if (result->status == VERDICT_TOO_MANY)
		doubt(weight, ": ", "a rate limit", "");
	else if (!find_tells(second) || version->again == NULL)
		doubt(weight, "", " (seen only once: there was no time to repeat it)", "");
	else if (find_is_good(version, second) && !(check == version->paused && !find_passes(second)))
		doubt(weight, "; the repetition resulted in ", verdict_outcome(second, text), ": " BY_TIME);
	else if (!find_is_steady(version))
		doubt(weight, "; a small body resulted in ", verdict_outcome(find_result(version->again), text),
		      " after it: " BY_TIME);
	else if (weight->weight == PROBE_FREEZES && !is_stalled(second))
		weight->weight = PROBE_LIMITED;
}

/* If the boundary is random, the largest body counts. */
static void weigh_bodies(const struct findings *findings, size_t i, const struct find_bodies *bodies,
			 const struct check *check, struct verdict_weight *weight)
{
	struct verdict_weight largest;

	verdict_weigh(findings, i, check, weight);
	if (weight->weight != PROBE_UNTOLD || bodies->largest == NULL ||
	    find_result(bodies->largest)->outcome != find_result(check)->outcome ||
	    find_is_good(&findings->versions[i], find_result(bodies->largest)))
		return;
	verdict_weigh(findings, i, bodies->largest, &largest);
	if (largest.weight != PROBE_UNTOLD)
		*weight = largest;
}

static bool is_same_boundary(const struct find_bodies *a, const struct find_bodies *b)
{
	return a->boundary.found && b->boundary.found && a->boundary.bad == b->boundary.bad &&
	       a->boundary.good == b->boundary.good &&
	       find_result(a->first_bad)->outcome == find_result(b->first_bad)->outcome &&
	       find_result(a->first_bad)->status == find_result(b->first_bad)->status;
}

static void add_boundary(struct verdict *verdict, const struct findings *findings, size_t i,
			 const struct find_bodies *bodies, const char *who)
{
	const struct find_version *version = &findings->versions[i];
	const struct sizes_boundary *at = &bodies->boundary;
	const struct check_result *result = find_result(bodies->first_bad);
	/* Others are compared with the small one: if it does not pass, nothing passes. */
	const char *pass = find_passes(find_result(version->paused)) ? "pass" : "are handled like small ones";
	char bad[VERDICT_NUMBER_MAX], good[VERDICT_NUMBER_MAX], text[VERDICT_OUTCOME_MAX];
	char after[VERDICT_DOUBT_MAX + 64];
	struct verdict_weight weight;
	unsigned over = 1U << i;

	weigh_bodies(findings, i, bodies, bodies->first_bad, &weight);
	(void)snprintf(after, sizeof(after), "%s%s",
		       find_freezes_primed(bodies) ? ", also if the certificate is known before" : "", weight.doubt);
	(void)verdict_outcome(result, text);
	(void)verdict_number(at->bad, bad);
	(void)verdict_number(at->good, good);
	if (find_is_own(version, bodies))
		verdict_note(verdict, over,
			     "a body of %s%s bytes or more results in %s even if the certificate is known before: not "
			     "caused "
			     "by asking late",
			     at->exact ? "" : "about ", bad, text);
	else if (at->mixed)
		verdict_add(
			verdict, weight.weight, over,
			"some bodies of %s bytes or more result in %s, with %s (%s bytes %s, and some larger ones)%s",
			bad, text, who, good, pass, after);
	else if (at->bad == 1)
		verdict_add(verdict, weight.weight, over, "any body results in %s, with %s%s", text, who, after);
	else if (at->good == 0)
		verdict_add(verdict, weight.weight, over,
			    "a body of %s bytes or more results in %s, with %s (smaller ones unknown)%s", bad, text,
			    who, after);
	else
		verdict_add(verdict, weight.weight, over,
			    "a body of %s%s bytes or more results in %s, with %s (%s bytes %s)%s",
			    at->exact ? "" : "about ", bad, text, who, good, pass, after);
}

/* A freeze above a limit: worse than the limit. */
static void add_frozen(struct verdict *verdict, const struct findings *findings, size_t i,
		       const struct find_bodies *bodies, const char *who)
{
	const struct check_result *first = find_result(bodies->first_bad);
	char bytes[VERDICT_NUMBER_MAX];
	struct verdict_weight weight;

	if (bodies->frozen == NULL || first->outcome == CHECK_FREEZE)
		return;
	(void)verdict_number(check_script(bodies->frozen)->length, bytes);
	weigh_bodies(findings, i, bodies, bodies->frozen, &weight);
	verdict_add(verdict, weight.weight, 1U << i, "a body of %s bytes freezes, with %s%s", bytes, who, weight.doubt);
}

/* A connection that failed while others worked: not caused by the size. */
static void add_unmade(struct verdict *verdict, unsigned over, const struct check *check)
{
	const struct check_result *result = find_result(check);
	char bytes[VERDICT_NUMBER_MAX], text[VERDICT_OUTCOME_MAX];

	if (check != NULL && result->outcome != CHECK_PENDING && !find_tells(result))
		verdict_add(verdict, PROBE_UNTOLD, over, "a body of %s bytes could not be tested: it resulted in %s",
			    verdict_number(check_script(check)->length, bytes), verdict_outcome(result, text));
}

/* Both styles of client are slow, so the application is. */
static void note_slow(struct verdict *verdict, unsigned over, const struct find_version *version)
{
	uint64_t from = 0;
	uint32_t held_ms = 0;
	char bytes[VERDICT_NUMBER_MAX];

	for (size_t style = 0; style < 2; style++) {
		const struct find_bodies *bodies = &version->bodies[style];
		const struct check_result *largest = find_result(bodies->largest);
		if (bodies->slow_from == 0)
			continue;
		from = from == 0 || bodies->slow_from < from ? bodies->slow_from : from;
		held_ms = largest->held_ms > held_ms ? largest->held_ms : held_ms;
	}
	if (from > 0)
		verdict_note(verdict, over, "a body of %s bytes or more is answered slowly (the largest after %.1f s)",
			     verdict_number(from, bytes), (double)held_ms / 1000);
}

void verdict_bodies(struct verdict *verdict, const struct findings *findings, size_t i)
{
	const struct find_version *version = &findings->versions[i];
	const struct find_bodies *reads = &version->bodies[CHECK_READS], *first = &version->bodies[CHECK_WRITES_FIRST];
	unsigned over = 1U << i;

	add_unmade(verdict, over, version->paused);
	if (!reads->boundary.found)
		add_unmade(verdict, over, reads->largest);
	if (!first->boundary.found)
		add_unmade(verdict, over, first->largest);
	note_slow(verdict, over, version);
	bool same = is_same_boundary(reads, first);
	if (same)
		add_boundary(verdict, findings, i, reads, "any client");
	for (size_t style = 0; style < 2; style++) {
		const struct find_bodies *bodies = &version->bodies[style];
		if (bodies->boundary.found && !same)
			add_boundary(verdict, findings, i, bodies, verdict_style((enum check_style)style));
		add_frozen(verdict, findings, i, bodies, verdict_style((enum check_style)style));
	}
}
