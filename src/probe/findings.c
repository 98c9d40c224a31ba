#include "probe/findings.h"

const struct trial_result *find_result(const struct trial *trial)
{
	static const struct trial_result nothing = {.outcome = TRIAL_PENDING};
	return trial != NULL ? trial_result(trial) : &nothing;
}

bool find_tells(const struct trial_result *result)
{
	return result->outcome != TRIAL_PENDING && result->outcome != TRIAL_UNREACHABLE &&
	       result->outcome != TRIAL_SHAKE_STALL && result->outcome != TRIAL_NO_MEMORY;
}

bool find_speaks(const struct find_version *version)
{
	return find_result(version->plain)->version != 0 || find_result(version->paused)->version != 0;
}

/* The paused trial tells headers from body; where it was not made, the plain one tells at least that it was asked. */
enum trial_moment find_moment(const struct find_version *version)
{
	enum trial_moment paused = find_result(version->paused)->asked, plain = find_result(version->plain)->asked;

	return paused != TRIAL_NEVER ? paused : plain;
}

bool find_asks_late(const struct find_version *version)
{
	return find_moment(version) > TRIAL_AT_HANDSHAKE;
}

static bool is_same(const struct trial_result *a, const struct trial_result *b)
{
	return a->outcome == b->outcome && a->status == b->status && a->alert == b->alert;
}

/*
 * A path may answer any request with 404 or 405, and without a certificate a small request is refused, too: what is
 * looked for is what bodies change. A freeze is never good.
 */
bool find_is_good(const struct find_version *version, const struct trial_result *result)
{
	const struct trial_result *paused = find_result(version->paused), *plain = find_result(version->plain);

	if (result->outcome == TRIAL_ANSWERED && result->status < 400)
		return true;
	if (result->outcome == TRIAL_FREEZE || result->outcome == TRIAL_SILENCE || !find_tells(result))
		return false;
	return is_same(result, paused->outcome != TRIAL_PENDING ? paused : plain);
}
