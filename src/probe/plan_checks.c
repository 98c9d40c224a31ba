/* Used by all questions of a plan: starting a check, and reporting progress. */
#include <sys/ioctl.h>

#include "base/clock.h"
#include "probe/plan_inside.h"

#define SETTLE_MS   1000 /* time limit for an ask before a body, or after a response */
#define UNREACHED   3    /* failed connections after which the plan stops */
#define SLOW_FACTOR 2    /* a response to a complete request is awaited for this many more stalls */

enum tls_client_version plan_version(size_t i)
{
	static const enum tls_client_version versions[FIND_VERSIONS] = {TLS_CLIENT_12, TLS_CLIENT_13};
	return versions[i];
}

/* Both versions are offered, as real clients do, unless --tls is given. */
enum tls_client_version plan_any_version(const struct findings *findings)
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

void plan_tell_progress(void *arg)
{
	const struct plan *plan = arg;
	FILE *to = plan->options->progress;
	char counts[64] = "", line[LINE_MAX_WIDE + 1];

	if (plan->runner != NULL)
		(void)snprintf(counts, sizeof(counts), "%zu connections, %.1f MiB: ", runner_begun(plan->runner),
			       (double)runner_uploaded(plan->runner) / 1048576);
	(void)snprintf(line, sizeof(line), "thaw probe: %s%s", counts, plan->phase);
	(void)fprintf(to, "\r\033[K%.*s", terminal_wide(to), line);
	(void)fflush(to);
}

void plan_phase(struct plan *plan, const char *phase)
{
	plan->phase = phase;
	if (plan->options->progress == NULL)
		return;
	if (plan->options->live)
		plan_tell_progress(plan);
	else
		(void)fprintf(plan->options->progress, "thaw probe: %s\n", phase);
}

/* ---- beginning a check ---- */

uint32_t plan_time_left_ms(const struct plan *plan)
{
	uint64_t passed_ms = clock_now_ms() - plan->began_ms;

	return passed_ms < plan->options->limit_ms ? plan->options->limit_ms - (uint32_t)passed_ms : 0;
}

/* A slow key is used for few signatures, a failing one for no more. */
static void see_key(struct plan *plan)
{
	struct findings *findings = plan->findings;
	bool knew = findings->key_ms > 0;

	findings->key_failed = runner_key_failed(plan->runner);
	findings->key_ms = runner_key_ms(plan->runner);
	if (findings->key_ms > 0 && !knew)
		plan_phase(plan,
			   "the key is slow to sign, or waits for a touch: making few connections, one at a time");
}

bool plan_may_go_on(struct plan *plan)
{
	struct findings *findings = plan->findings;

	findings->interrupted = plan->options->interrupted != NULL && *plan->options->interrupted;
	if (plan_time_left_ms(plan) == 0)
		findings->out_of_time = true;
	if (plan->runner != NULL && runner_unreached(plan->runner) >= UNREACHED)
		findings->lost = true;
	if (plan->runner != NULL)
		see_key(plan);
	return !findings->interrupted && !findings->out_of_time && !findings->lost && findings->key_failed == NULL &&
	       plan->err.cls == THAW_ERR_NONE;
}

const struct check *plan_begin(struct plan *plan, const struct check_script *script, const struct context_wish *wish,
			       struct tls_client_memory *memory)
{
	struct check_script timed = *script;

	if (!plan_may_go_on(plan))
		return NULL;
	runner_make_room(plan->runner); /* this also takes time */
	if (!plan_may_go_on(plan))
		return NULL;
	timed.limit_ms = plan_time_left_ms(plan);
	struct tls_client_context *context = contexts_get(plan->contexts, wish, &plan->err);
	return context != NULL ? runner_start(plan->runner, &timed, context, memory, &plan->err) : NULL;
}

/* ---- what checks say ---- */

/* The slowest small request that was answered after it counted as stalled. */
static uint32_t slowest_ms(const struct findings *findings)
{
	uint32_t slowest = 0;

	for (size_t i = 0; i < FIND_VERSIONS; i++) {
		const struct check_result *results[] = {find_result(findings->versions[i].plain),
							find_result(findings->versions[i].paused)};
		for (size_t k = 0; k < 2; k++)
			if (results[k]->answered_late && results[k]->held_ms > slowest)
				slowest = results[k]->held_ms;
	}
	return slowest;
}

uint32_t plan_stall_ms(const struct plan *plan)
{
	uint32_t stall_ms = plan->options->stall_ms, slowest = slowest_ms(plan->findings);
	uint32_t slow = slowest > 0 ? slowest + slowest / 2 + SETTLE_MS : 0;

	return slow > stall_ms ? slow : stall_ms;
}

bool plan_is_answered(const struct find_version *version)
{
	return find_result(version->paused)->outcome != CHECK_SILENCE &&
	       (version->paused != NULL || find_result(version->plain)->outcome != CHECK_SILENCE);
}

bool plan_is_usable(const struct find_version *version)
{
	const struct check_result *plain = find_result(version->plain);

	return plain->version != 0 && plain->outcome != CHECK_GARBLED && plain->outcome != CHECK_UNTRUSTED;
}

/* ---- scripts ---- */

struct check_script plan_plain_script(const struct plan *plan)
{
	const struct findings *findings = plan->findings;
	const struct probe_options *options = plan->options;

	return (struct check_script){
		.method = options->method != NULL ? options->method : "GET",
		.target = findings->url.target,
		.authority = options->host != NULL ? options->host : findings->url.authority,
		.agent = options->routes.user_agent,
		.fields = options->fields,
		.has_body = findings->unsafe, /* RFC 9110 8.6: Content-Length: 0 */
		.stall_ms = plan_stall_ms(plan),
		.settle_ms = SETTLE_MS,
		.slow_ms = SLOW_FACTOR * plan_stall_ms(plan),
	};
}

struct check_script plan_body_script(const struct plan *plan, uint64_t length)
{
	struct check_script script = plan_plain_script(plan);

	script.method = plan->findings->method;
	script.has_body = true;
	script.length = length;
	return script;
}
