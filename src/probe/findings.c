#include "probe/findings.h"

#define CONTENT_TOO_LARGE 413 /* RFC 9110 15.5.14 */

const struct check_result *find_result(const struct check *check)
{
	static const struct check_result nothing = {.outcome = CHECK_PENDING};
	return check != NULL ? check_result(check) : &nothing;
}

bool find_tells(const struct check_result *result)
{
	return result->outcome != CHECK_PENDING && result->outcome != CHECK_UNREACHABLE &&
	       result->outcome != CHECK_SHAKE_STALL && result->outcome != CHECK_NO_MEMORY &&
	       result->outcome != CHECK_KEY_FAILED;
}

bool find_speaks(const struct find_version *version)
{
	return find_result(version->plain)->version != 0 || find_result(version->paused)->version != 0;
}

/* The paused check separates headers from body. If there was none, the plain one at least shows that the server
 * asked. */
enum check_moment find_moment(const struct find_version *version)
{
	enum check_moment paused = find_result(version->paused)->asked, plain = find_result(version->plain)->asked;

	return paused != CHECK_NEVER ? paused : plain;
}

bool find_asks_late(const struct find_version *version)
{
	return find_moment(version) > CHECK_AT_HANDSHAKE;
}

static bool is_cut(const struct check_result *result)
{
	return result->outcome == CHECK_CLOSED || result->outcome == CHECK_RESET;
}

/* A server that refuses a large body may close at once, and a reset may then destroy its 413 (RFC 9112 9.6). */
static bool is_refused_size(const struct check_result *result)
{
	return result->outcome == CHECK_ANSWERED && result->status == CONTENT_TOO_LARGE;
}

static bool is_same(const struct check_result *a, const struct check_result *b)
{
	return (a->outcome == b->outcome && a->status == b->status && a->alert == b->alert) ||
	       (is_cut(a) && is_cut(b)) || (is_cut(a) && is_refused_size(b)) || (is_refused_size(a) && is_cut(b));
}

bool find_passes(const struct check_result *result)
{
	return result->outcome == CHECK_ANSWERED && result->status < 400;
}

/*
 * A path may answer every request with 404 or 405, and without a certificate small requests also fail. So the result
 * is compared with the small request. A freeze is never good.
 */
bool find_is_good(const struct find_version *version, const struct check_result *result)
{
	const struct check_result *paused = find_result(version->paused), *plain = find_result(version->plain);

	if (find_passes(result))
		return true;
	if (result->outcome == CHECK_FREEZE || result->outcome == CHECK_SILENCE || !find_tells(result))
		return false;
	return is_same(result, paused->outcome != CHECK_PENDING ? paused : plain);
}

static bool has_stalled(const struct check_result *result)
{
	return result->outcome == CHECK_FREEZE || result->outcome == CHECK_SILENCE;
}

static bool is_primed(const struct find_bodies *bodies)
{
	const struct check_result *control = find_result(bodies->control);

	return control->asked == CHECK_AT_PRIMING && control->given;
}

bool find_freezes_primed(const struct find_bodies *bodies)
{
	return find_result(bodies->first_bad)->outcome == CHECK_FREEZE && is_primed(bodies) &&
	       has_stalled(find_result(bodies->control));
}

bool find_is_own(const struct find_version *version, const struct find_bodies *bodies)
{
	const struct check_result *bad = find_result(bodies->first_bad);

	if (has_stalled(bad) || !find_tells(bad) || !find_is_steady(version))
		return false;
	if (find_moment(version) == CHECK_AT_HANDSHAKE)
		return true;
	return is_primed(bodies) && is_same(bad, find_result(bodies->control));
}

/* ---- claims ---- */

static void claim(struct findings *findings, size_t i, const struct check *check)
{
	const struct find_version *version = &findings->versions[i];
	const struct check_result *result = find_result(check);

	if (check == NULL || !find_tells(result) || result->outcome == CHECK_SILENCE ||
	    result->outcome == CHECK_NO_HTTP2 || find_claim(findings, check) != NULL ||
	    findings->claim_count == FIND_CLAIMS_MAX)
		return;
	bool unasked = check == version->paused && result->asked == CHECK_NEVER && !find_passes(result);
	bool compared = check != version->plain && check != version->paused;
	if (!unasked && result->outcome != CHECK_FREEZE && (!compared || find_is_good(version, result)))
		return;
	findings->claims[findings->claim_count++] = (struct find_claim){.first = check, .version = i};
}

void find_claims(struct findings *findings)
{
	findings->claim_count = 0;
	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct find_version *version = &findings->versions[i];
		claim(findings, i, version->plain);
		claim(findings, i, version->paused);
		for (size_t style = 0; style < 2; style++) {
			const struct find_bodies *bodies = &version->bodies[style];
			claim(findings, i, bodies->first_bad);
			claim(findings, i, bodies->frozen);
			claim(findings, i, bodies->largest);
		}
		claim(findings, i, version->waits);
		claim(findings, i, version->eager);
	}
	claim(findings, find_result(findings->browser)->version == 13 ? FIND_13 : FIND_12, findings->browser);
	claim(findings, find_result(findings->http2)->version == 13 ? FIND_13 : FIND_12, findings->http2);
}

const struct find_claim *find_claim(const struct findings *findings, const struct check *first)
{
	for (size_t k = 0; k < findings->claim_count; k++)
		if (findings->claims[k].first == first)
			return &findings->claims[k];
	return NULL;
}

bool find_is_steady(const struct find_version *version)
{
	const struct check_result *paused = find_result(version->paused), *again = find_result(version->again);

	return version->again != NULL && (is_same(paused, again) || (find_passes(paused) && find_passes(again)));
}
