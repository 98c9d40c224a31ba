/*
 * Starts with a harmless request without a body, over each version. If the server answers, it tests a small body and
 * when the server asks; then everything else in parallel, and last the sizes between the last good and the first bad
 * body.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "probe/survey_inside.h"

#define AT_ONCE    16
#define SMALL_BODY 64

#define EXPECT_BODY 1048576 /* larger than the limits of servers: tests whether Expect allows large bodies */

/* ---- its life ---- */

struct survey *survey_new(const struct probe_options *options, struct findings *findings, struct thaw_error *err)
{
	struct survey *survey = calloc(1, sizeof(*survey));

	if (survey == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	survey->options = options;
	survey->findings = findings;
	survey->phase = "begins";
	survey->contexts = contexts_new(&options->tls);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		survey->memories[i] = tls_client_memory_new();
	if (survey->contexts != NULL && survey->memories[FIND_12] != NULL && survey->memories[FIND_13] != NULL)
		return survey;
	(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
	survey_free(&survey);
	return NULL;
}

void survey_free(struct survey **survey)
{
	struct survey *gone = *survey;

	*survey = NULL;
	if (gone == NULL)
		return;
	crew_free(&gone->crew);
	tls_client_context_free(&gone->proxy);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		if (gone->memories[i] != NULL)
			tls_client_memory_free(&gone->memories[i]);
	contexts_free(&gone->contexts);
	if (gone->tunnel != NULL)
		explicit_bzero(gone->tunnel, strlen(gone->tunnel)); /* it contains the proxy's password */
	free(gone->tunnel);
	free(gone);
}

/* ---- trials ---- */

/* Waits for one or two trials. */
static void await(struct survey *survey, const struct trial *a, const struct trial *b)
{
	const struct trial *both[] = {a, b};

	crew_wait(survey->crew, both, 2);
}

/* ---- what it speaks ---- */

static void ask_plain(struct survey *survey, const bool wanted[static FIND_VERSIONS])
{
	struct findings *findings = survey->findings;
	struct trial_script script = survey_plain_script(survey);

	script.lingers = true;
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		if (wanted[i])
			findings->versions[i].plain =
				survey_begin(survey, &script, &(struct context_wish){.version = survey_version(i)},
					     survey->memories[i]);
	await(survey, findings->versions[FIND_12].plain, findings->versions[FIND_13].plain);
}

/* A connection that was closed without any data may be chance; it does not prove that the version is unsupported. */
static bool is_worth_another(const struct trial_result *result)
{
	return result->outcome == TRIAL_UNREACHABLE || (result->outcome == TRIAL_SHAKE_FAILED && result->alert == 0);
}

static void ask_plain_again(struct survey *survey)
{
	struct find_version *versions = survey->findings->versions;
	const bool wanted[FIND_VERSIONS] = {is_worth_another(find_result(versions[FIND_12].plain)),
					    is_worth_another(find_result(versions[FIND_13].plain))};

	if (wanted[FIND_12] || wanted[FIND_13])
		ask_plain(survey, wanted);
}

/* The alert of a server that does not support the only requested version. */
static const char *alert_words(const struct findings *findings, const struct trial_result *result)
{
	if (result->outcome != TRIAL_SHAKE_FAILED || !result->wrong_version || result->alert == 0 ||
	    findings->wanted[FIND_12] == findings->wanted[FIND_13])
		return NULL;
	return findings->wanted[FIND_13] ? "it does not speak TLS 1.3 (without --tls, 1.2 is also tried)"
					 : "it does not speak TLS 1.2 (without --tls, 1.3 is also tried)";
}

/* A hint, appended to the error. */
static const char *reach_cure(const struct trial_result *result)
{
	const char *why = result->detail;

	if (result->outcome == TRIAL_NOT_TLS)
		return "; check the port: the probe needs https";
	if (result->outcome != TRIAL_UNTRUSTED)
		return "";
	if (strstr(why, "expired") != NULL || strstr(why, "not yet valid") != NULL)
		return "; its operator must renew it, or this machine's clock is wrong; --insecure skips verification";
	if (strstr(why, "mismatch") != NULL)
		return "; it is for another name: use that name in the URL or with --sni; --insecure skips "
		       "verification";
	return "; name its CA with --ca; --insecure skips verification";
}

/* If neither version works, the most informative failure is first in the table. */
static enum probe_failure judge_reach(const struct survey *survey, struct thaw_error *err)
{
	static const struct {
		enum trial_outcome outcome;
		enum probe_failure failure;
		enum thaw_error_class cls;
		const char *text;
	} rows[] = {
		{TRIAL_UNREACHABLE, PROBE_UNREACHABLE, THAW_ERR_PEER, "cannot connect"},
		{TRIAL_NOT_TLS, PROBE_PROTOCOL, THAW_ERR_PEER, "the server does not speak TLS"},
		{TRIAL_SHAKE_STALL, PROBE_STALLED, THAW_ERR_TIMEOUT,
		 "connected, but the TLS handshake made no progress (--stall waits longer)"},
		{TRIAL_UNTRUSTED, PROBE_DISTRUST, THAW_ERR_PEER, "the server's certificate is not trusted"},
		{TRIAL_SHAKE_FAILED, PROBE_PROTOCOL, THAW_ERR_PEER, "the TLS handshake failed"},
		{TRIAL_GARBLED, PROBE_PROTOCOL, THAW_ERR_PEER, "the server speaks TLS, but not HTTP/1.1"},
		{TRIAL_PENDING, PROBE_STALLED, THAW_ERR_TIMEOUT, "no TLS handshake in time (use a higher --limit)"},
	};
	const struct findings *findings = survey->findings;
	const struct trial_result *results[] = {find_result(findings->versions[FIND_13].plain),
						find_result(findings->versions[FIND_12].plain)};
	bool tells_12 = results[0]->wrong_version && !results[1]->wrong_version;
	size_t count =
		sizeof(rows) / sizeof(rows[0]) - (survey_time_left_ms(survey) > 0); /* the last row: the time limit */

	for (size_t k = 0; k < count; k++)
		for (size_t n = 0; n < 2; n++) {
			size_t i = tells_12 ? 1 - n : n;
			if (results[i]->outcome == rows[k].outcome) {
				const char *words = alert_words(findings, results[i]);
				(void)error_set(err, rows[k].cls, "%s, port %s: %s%s%s%s", findings->url.host,
						findings->url.port, words != NULL ? words : rows[k].text,
						results[i]->detail[0] != '\0' ? ": " : "", results[i]->detail,
						reach_cure(results[i]));
				return rows[k].failure;
			}
		}
	return PROBE_FINE;
}

/* ---- when it asks ---- */

static void ask_paused(struct survey *survey, const char *method)
{
	struct findings *findings = survey->findings;

	findings->method = method;
	struct trial_script script = survey_body_script(survey, findings->small_body);
	script.pauses = script.lingers = true;
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		if (survey_is_usable(&findings->versions[i]))
			findings->versions[i].paused = survey_begin(
				survey, &script, &(struct context_wish){.version = survey_version(i)}, NULL);
	await(survey, findings->versions[FIND_12].paused, findings->versions[FIND_13].paused);
}

static bool is_asked(const struct trial *trial)
{
	return find_result(trial)->asked != TRIAL_NEVER;
}

/*
 * Chooses the method for bodies. Without --method it must be a safe one: OPTIONS may have a body (RFC 9110 9.3.7),
 * but some servers answer it without applying the path's rules; then GET, whose body has no defined meaning (9.3.1).
 */
static void ask_moment(struct survey *survey)
{
	struct findings *findings = survey->findings;
	bool asks = is_asked(findings->versions[FIND_12].plain) || is_asked(findings->versions[FIND_13].plain);

	if (findings->unsafe) {
		ask_paused(survey, survey->options->method);
		return;
	}
	ask_paused(survey, "OPTIONS");
	if (asks && !is_asked(findings->versions[FIND_12].paused) && !is_asked(findings->versions[FIND_13].paused))
		ask_paused(survey, "GET");
}

/* ---- all kinds of clients ---- */

static void ask_kinds(struct survey *survey, size_t i)
{
	struct findings *findings = survey->findings;
	struct find_version *version = &findings->versions[i];
	const struct context_wish wish = {.version = survey_version(i)};
	struct trial_script small = survey_body_script(survey, findings->small_body), script;

	if (findings->has_certificate) {
		struct context_wish none = wish;
		none.anonymous = true;
		version->anonymous = survey_begin(survey, &small, &none, NULL);
	}
	if (!find_asks_late(version) || !survey_is_answered(version))
		return;
	small.asks_late = true;
	script = small;
	if (i == FIND_13) {
		struct context_wish silent = wish;
		silent.no_offer = true;
		version->no_offer = survey_begin(survey, &small, &silent, NULL);
	}
	script.length = findings->expect_body;
	script.expect = TRIAL_WAITS;
	version->waits = survey_begin(survey, &script, &wish, NULL);
	script.length = findings->expect_body < 1024 ? findings->expect_body : 1024;
	script.expect = TRIAL_EAGER;
	if (findings->key_ms == 0)
		version->eager = survey_begin(survey, &script, &wish, NULL);
	script = survey_body_script(survey, findings->max_body);
	script.asks_late = true;
	script.prime = findings->url.target;
	version->primed = survey_begin(survey, &script, &wish, NULL);
	script = survey_plain_script(survey);
	if (findings->key_ms == 0)
		version->resumed = survey_begin(survey, &script, &wish, survey->memories[i]);
	struct context_wish withholding = wish;
	withholding.withholds = true;
	script.withholds = script.lingers = true;
	script.hold_ms = survey->options->hold_ms;
	version->withheld = survey_begin(survey, &script, &withholding, NULL);
}

static void ask_renegotiation(struct survey *survey)
{
	struct find_version *version = &survey->findings->versions[FIND_12];
	struct trial_script script = survey_plain_script(survey);

	script.renegotiates = true;
	if (survey_is_usable(version))
		version->renegotiated =
			survey_begin(survey, &script, &(struct context_wish){.version = TLS_CLIENT_12}, NULL);
}

static void ask_others(struct survey *survey)
{
	struct findings *findings = survey->findings;
	struct context_wish wish = {.version = survey_any_version(findings), .http2 = true};
	struct trial_script script = survey_plain_script(survey);

	script.has_body = false;
	script.http2 = true;
	findings->http2 = survey_begin(survey, &script, &wish, NULL);
	if (find_asks_late(&findings->versions[FIND_12]) || find_asks_late(&findings->versions[FIND_13])) {
		wish = (struct context_wish){.version = survey_any_version(findings), .no_offer = true};
		script = survey_body_script(survey, findings->small_body);
		script.asks_late = true;
		findings->browser = survey_begin(survey, &script, &wish, NULL);
	}
	ask_renegotiation(survey);
}

/* ---- the whole ---- */

static bool asks_at_all(const struct findings *findings)
{
	return find_moment(&findings->versions[FIND_12]) != TRIAL_NEVER ||
	       find_moment(&findings->versions[FIND_13]) != TRIAL_NEVER;
}

static void run_questions(struct survey *survey)
{
	survey_phase(survey, "finding out when the server asks");
	ask_moment(survey);
	ask_others(survey);
	if (asks_at_all(survey->findings)) {
		survey_phase(survey, "testing all kinds of clients and bodies");
		for (size_t i = 0; i < FIND_VERSIONS; i++)
			if (survey_is_usable(&survey->findings->versions[i]))
				ask_kinds(survey, i);
		survey_sizes(survey);
	}
	survey_phase(survey, "repeating what was found");
	survey_repeat(survey);
}

static enum probe_failure reach(struct survey *survey, struct thaw_error *err)
{
	struct findings *findings = survey->findings;
	const struct probe_patience patience = {.until_ms = survey->began_ms + survey->options->limit_ms,
						.each_ms = survey->options->stall_ms,
						.interrupted = survey->options->interrupted};
	struct probe_way way;
	bool named = false;

	if (probe_way_find(&way, &findings->url, &survey->options->routes, &survey->tunnel, err) != THAW_OK)
		return err->cls == THAW_ERR_USAGE ? PROBE_BAD_USAGE : PROBE_SYSTEM;
	/* Loads the CAs before the first connection. */
	const struct context_wish wish = {.version = survey_version(findings->wanted[FIND_12] ? FIND_12 : FIND_13)};
	if (contexts_get(survey->contexts, &wish, err) == NULL)
		return err->cls == THAW_ERR_CONFIG ? PROBE_BAD_FILE : PROBE_SYSTEM;
	if (way.tls) {
		const struct tls_client_options proxy = {.ca = survey->options->routes.proxy_ca,
							 .key_log = survey->options->tls.key_log,
							 .alpn = "http/1.1",
							 .reads_while_writing = true};
		(void)snprintf(survey->proxy_name, sizeof(survey->proxy_name), "%s", way.host);
		survey->proxy = tls_client_context_new(&proxy, err);
		if (survey->proxy == NULL)
			return err->cls == THAW_ERR_CONFIG ? PROBE_BAD_FILE : PROBE_SYSTEM;
	}
	if (survey->options->routes.proxy != NULL && survey->tunnel == NULL && survey->options->progress != NULL)
		(void)fprintf(survey->options->progress, "connecting without the proxy: '%s' is in no_proxy\n",
			      findings->url.host);
	survey_phase(survey, "connects");
	if (probe_find_address(&way, &patience, &findings->address, &named, err) != THAW_OK) {
		(void)survey_may_go_on(survey);
		if (findings->interrupted)
			return PROBE_FINE; /* the report then shows what is known */
		return named ? PROBE_UNREACHABLE : PROBE_NO_HOST;
	}
	survey->crew = crew_new(&(struct crew_options){
		.address = findings->address,
		.name = survey->options->routes.sni != NULL ? survey->options->routes.sni : findings->url.host,
		.tunnel = survey->tunnel,
		.proxy = survey->proxy,
		.proxy_name = survey->proxy_name,
		.tunnel_ms = survey->options->stall_ms,
		.at_once = AT_ONCE,
		.interrupted = survey->options->interrupted,
		.progress = survey->options->progress != NULL && survey->options->live ? survey_tell_progress : NULL,
		.arg = survey,
	});
	if (survey->crew == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return PROBE_SYSTEM;
	}
	if (crew_try_tunnel(survey->crew, err) != THAW_OK) {
		(void)survey_may_go_on(survey);
		return findings->interrupted ? PROBE_FINE : PROBE_UNREACHABLE;
	}
	ask_plain(survey, findings->wanted);
	ask_plain_again(survey);
	if (survey->err.cls != THAW_ERR_NONE) {
		*err = survey->err;
		return PROBE_SYSTEM;
	}
	/* A handshake that failed because of a missing certificate is also a result. */
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		if (survey_is_usable(&findings->versions[i]) ||
		    (find_moment(&findings->versions[i]) == TRIAL_AT_HANDSHAKE &&
		     find_result(findings->versions[i].plain)->outcome != TRIAL_GARBLED))
			return PROBE_FINE;
	return judge_reach(survey, err);
}

static void init_findings(struct survey *survey)
{
	const struct probe_options *options = survey->options;
	struct findings *findings = survey->findings;

	findings->wanted[FIND_12] = options->versions != PROBE_TLS_13;
	findings->wanted[FIND_13] = options->versions != PROBE_TLS_12;
	findings->unsafe = options->method != NULL;
	findings->method = options->method;
	findings->has_certificate = options->has_certificate;
	findings->max_body = options->max_body;
	findings->small_body = options->max_body < SMALL_BODY ? options->max_body : SMALL_BODY;
	findings->expect_body = options->max_body < EXPECT_BODY ? options->max_body : EXPECT_BODY;
	findings->stall_ms = options->stall_ms;
	findings->hold_ms = options->hold_ms;
}

enum probe_failure survey_run(struct survey *survey, struct thaw_error *err)
{
	struct findings *findings = survey->findings;

	survey->began_ms = clock_now_ms();
	init_findings(survey);
	enum probe_failure failure = reach(survey, err);
	if (failure == PROBE_FINE && survey_may_go_on(survey))
		run_questions(survey);
	if (failure == PROBE_FINE && survey->crew != NULL) {
		survey_phase(survey, "waiting for stalled connections");
		crew_wait_all(survey->crew);
		survey_settle(survey);
	}
	if (survey->options->live && survey->options->progress != NULL)
		(void)fputs("\r\033[K", survey->options->progress);
	(void)survey_may_go_on(survey);
	findings->connections = survey->crew != NULL ? crew_begun(survey->crew) : 0;
	findings->uploaded = survey->crew != NULL ? crew_uploaded(survey->crew) : 0;
	findings->ms = (uint32_t)(clock_now_ms() - survey->began_ms);
	if (failure == PROBE_FINE && survey->err.cls != THAW_ERR_NONE) {
		*err = survey->err;
		return PROBE_SYSTEM;
	}
	return failure;
}
