/* Used by all questions of a survey: starting a trial, and reporting progress. */
#include <sys/ioctl.h>

#include "base/clock.h"
#include "probe/survey_inside.h"

#define SETTLE_MS   1000 /* time limit for an ask before a body, or after a response */
#define UNREACHED   3    /* failed connections after which the survey stops */
#define SLOW_FACTOR 2    /* a response to a complete request is awaited for this many more stalls */

enum tls_client_version survey_version(size_t i)
{
	static const enum tls_client_version versions[FIND_VERSIONS] = {TLS_CLIENT_12, TLS_CLIENT_13};
	return versions[i];
}

/* Both versions are offered, as real clients do, unless --tls is given. */
enum tls_client_version survey_any_version(const struct findings *findings)
{
	if (findings->wanted[FIND_12] && findings->wanted[FIND_13])
		return TLS_CLIENT_ANY;
	return findings->wanted[FIND_12] ? TLS_CLIENT_12 : TLS_CLIENT_13;
}

/* ---- progress ---- */

#define LINE_MAX_WIDE 160
#define LINE_USUAL    80

/* The maximum width of a line that can be overwritten; one that wraps cannot. */
static int terminal_wide(FILE *to)
{
	struct winsize size = {0};
	int wide = ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : LINE_USUAL - 1;

	return wide < LINE_MAX_WIDE ? wide : LINE_MAX_WIDE;
}

void survey_tell_progress(void *arg)
{
	const struct survey *survey = arg;
	FILE *to = survey->options->progress;
	char counts[64] = "", line[LINE_MAX_WIDE + 1];

	if (survey->crew != NULL)
		(void)snprintf(counts, sizeof(counts), "%zu connections, %.1f MiB: ", crew_begun(survey->crew),
			       (double)crew_uploaded(survey->crew) / 1048576);
	(void)snprintf(line, sizeof(line), "thaw probe: %s%s", counts, survey->phase);
	(void)fprintf(to, "\r\033[K%.*s", terminal_wide(to), line);
	(void)fflush(to);
}

void survey_phase(struct survey *survey, const char *phase)
{
	survey->phase = phase;
	if (survey->options->progress == NULL)
		return;
	if (survey->options->live)
		survey_tell_progress(survey);
	else
		(void)fprintf(survey->options->progress, "thaw probe: %s\n", phase);
}

/* ---- beginning a trial ---- */

uint32_t survey_time_left_ms(const struct survey *survey)
{
	uint64_t passed_ms = clock_now_ms() - survey->began_ms;

	return passed_ms < survey->options->limit_ms ? survey->options->limit_ms - (uint32_t)passed_ms : 0;
}

/* A slow key is used for few signatures, a failing one for no more. */
static void see_key(struct survey *survey)
{
	struct findings *findings = survey->findings;
	bool knew = findings->key_ms > 0;

	findings->key_failed = crew_key_failed(survey->crew);
	findings->key_ms = crew_key_ms(survey->crew);
	if (findings->key_ms > 0 && !knew)
		survey_phase(survey,
			     "the key is slow to sign, or waits for a touch: making few connections, one at a time");
}

bool survey_may_go_on(struct survey *survey)
{
	struct findings *findings = survey->findings;

	findings->interrupted = survey->options->interrupted != NULL && *survey->options->interrupted;
	if (survey_time_left_ms(survey) == 0)
		findings->out_of_time = true;
	if (survey->crew != NULL && crew_unreached(survey->crew) >= UNREACHED)
		findings->lost = true;
	if (survey->crew != NULL)
		see_key(survey);
	return !findings->interrupted && !findings->out_of_time && !findings->lost && findings->key_failed == NULL &&
	       survey->err.cls == THAW_ERR_NONE;
}

const struct trial *survey_begin(struct survey *survey, const struct trial_script *script,
				 const struct context_wish *wish, struct tls_client_memory *memory)
{
	struct trial_script timed = *script;

	if (!survey_may_go_on(survey))
		return NULL;
	crew_make_room(survey->crew); /* this also takes time */
	if (!survey_may_go_on(survey))
		return NULL;
	timed.limit_ms = survey_time_left_ms(survey);
	struct tls_client_context *context = contexts_get(survey->contexts, wish, &survey->err);
	return context != NULL ? crew_start(survey->crew, &timed, context, memory, &survey->err) : NULL;
}

/* ---- what trials say ---- */

/* The slowest small request that was answered after it counted as stalled. */
static uint32_t slowest_ms(const struct findings *findings)
{
	uint32_t slowest = 0;

	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct trial_result *results[] = {find_result(findings->versions[i].plain),
							find_result(findings->versions[i].paused)};
		for (size_t k = 0; k < 2; k++)
			if (results[k]->answered_late && results[k]->held_ms > slowest)
				slowest = results[k]->held_ms;
	}
	return slowest;
}

uint32_t survey_stall_ms(const struct survey *survey)
{
	uint32_t stall_ms = survey->options->stall_ms, slowest = slowest_ms(survey->findings);
	uint32_t slow = slowest > 0 ? slowest + slowest / 2 + SETTLE_MS : 0;

	return slow > stall_ms ? slow : stall_ms;
}

bool survey_is_answered(const struct find_version *version)
{
	return find_result(version->paused)->outcome != TRIAL_SILENCE &&
	       (version->paused != NULL || find_result(version->plain)->outcome != TRIAL_SILENCE);
}

bool survey_is_usable(const struct find_version *version)
{
	const struct trial_result *plain = find_result(version->plain);

	return plain->version != 0 && plain->outcome != TRIAL_GARBLED && plain->outcome != TRIAL_UNTRUSTED;
}

/* ---- scripts ---- */

struct trial_script survey_plain_script(const struct survey *survey)
{
	const struct findings *findings = survey->findings;
	const struct probe_options *options = survey->options;

	return (struct trial_script){
		.method = options->method != NULL ? options->method : "GET",
		.target = findings->url.target,
		.authority = options->host != NULL ? options->host : findings->url.authority,
		.agent = options->routes.user_agent,
		.fields = options->fields,
		.has_body = findings->unsafe, /* RFC 9110 8.6: Content-Length: 0 */
		.stall_ms = survey_stall_ms(survey),
		.settle_ms = SETTLE_MS,
		.slow_ms = SLOW_FACTOR * survey_stall_ms(survey),
	};
}

struct trial_script survey_body_script(const struct survey *survey, uint64_t length)
{
	struct trial_script script = survey_plain_script(survey);

	script.method = survey->findings->method;
	script.has_body = true;
	script.length = length;
	return script;
}
