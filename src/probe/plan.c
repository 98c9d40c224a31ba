/*
 * Starts with a harmless request without a body, over each version. If the server answers, it tests a small body and
 * when the server asks; then everything else in parallel, and last the sizes between the last good and the first bad
 * body.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "probe/plan_inside.h"

#define AT_ONCE    16
#define SMALL_BODY 64

#define EXPECT_BODY 1048576 /* larger than the limits of servers: tests whether Expect allows large bodies */

/* ---- its life ---- */

struct plan *plan_new(const struct probe_options *options, struct findings *findings, struct thaw_error *err)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (plan == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	plan->options = options;
	plan->findings = findings;
	plan->phase = "begins";
	plan->contexts = contexts_new(&options->tls);
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		plan->memories[i] = tls_client_memory_new();
	if (plan->contexts != NULL && plan->memories[FIND_12] != NULL && plan->memories[FIND_13] != NULL)
		return plan;
	(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
	plan_free(&plan);
	return NULL;
}

void plan_free(struct plan **plan)
{
	struct plan *gone = *plan;

	*plan = NULL;
	if (gone == NULL)
		return;
	runner_free(&gone->runner);
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

/* ---- checks ---- */

/* Waits for one or two checks. */
static void await(struct plan *plan, const struct check *a, const struct check *b)
{
	const struct check *both[] = {a, b};

	runner_wait(plan->runner, both, 2);
}

/* ---- what it speaks ---- */

static void ask_plain(struct plan *plan, const bool wanted[static FIND_VERSIONS])
{
	struct findings *findings = plan->findings;
	struct check_script script = plan_plain_script(plan);

	script.lingers = true;
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		if (wanted[i])
			findings->versions[i].plain = plan_begin(
				plan, &script, &(struct context_wish){.version = plan_version(i)}, plan->memories[i]);
	await(plan, findings->versions[FIND_12].plain, findings->versions[FIND_13].plain);
}

/* A connection that was closed without any data may be chance; it does not prove that the version is unsupported. */
static bool is_worth_another(const struct check_result *result)
{
	return result->outcome == CHECK_UNREACHABLE || (result->outcome == CHECK_SHAKE_FAILED && result->alert == 0);
}

static void ask_plain_again(struct plan *plan)
{
	struct find_version *versions = plan->findings->versions;
	const bool wanted[FIND_VERSIONS] = {is_worth_another(find_result(versions[FIND_12].plain)),
					    is_worth_another(find_result(versions[FIND_13].plain))};

	if (wanted[FIND_12] || wanted[FIND_13])
		ask_plain(plan, wanted);
}

/* The alert of a server that does not support the only requested version. */
static const char *alert_words(const struct findings *findings, const struct check_result *result)
{
	if (result->outcome != CHECK_SHAKE_FAILED || !result->wrong_version || result->alert == 0 ||
	    findings->wanted[FIND_12] == findings->wanted[FIND_13])
		return NULL;
	return findings->wanted[FIND_13] ? "it does not speak TLS 1.3 (without --tls, 1.2 is also tried)"
					 : "it does not speak TLS 1.2 (without --tls, 1.3 is also tried)";
}

/* A hint, appended to the error. */
static const char *reach_cure(const struct check_result *result)
{
	const char *why = result->detail;

	if (result->outcome == CHECK_NOT_TLS)
		return "; check the port: the probe needs https";
	if (result->outcome != CHECK_UNTRUSTED)
		return "";
	if (strstr(why, "expired") != NULL || strstr(why, "not yet valid") != NULL)
		return "; its operator must renew it, or this machine's clock is wrong; --insecure skips verification";
	if (strstr(why, "mismatch") != NULL)
		return "; it is for another name: use that name in the URL or with --sni; --insecure skips "
		       "verification";
	return "; name its CA with --ca; --insecure skips verification";
}

/* If neither version works, the most informative failure is first in the table. */
static enum probe_failure judge_reach(const struct plan *plan, struct thaw_error *err)
{
	static const struct {
		enum check_outcome outcome;
		enum probe_failure failure;
		enum thaw_error_class cls;
		const char *text;
	} rows[] = {
		{CHECK_UNREACHABLE, PROBE_UNREACHABLE, THAW_ERR_PEER, "cannot connect"},
		{CHECK_NOT_TLS, PROBE_PROTOCOL, THAW_ERR_PEER, "the server does not speak TLS"},
		{CHECK_SHAKE_STALL, PROBE_STALLED, THAW_ERR_TIMEOUT,
		 "connected, but the TLS handshake made no progress (--stall waits longer)"},
		{CHECK_UNTRUSTED, PROBE_DISTRUST, THAW_ERR_PEER, "the server's certificate is not trusted"},
		{CHECK_SHAKE_FAILED, PROBE_PROTOCOL, THAW_ERR_PEER, "the TLS handshake failed"},
		{CHECK_GARBLED, PROBE_PROTOCOL, THAW_ERR_PEER, "the server speaks TLS, but not HTTP/1.1"},
		{CHECK_PENDING, PROBE_STALLED, THAW_ERR_TIMEOUT, "no TLS handshake in time (use a higher --limit)"},
	};
	const struct findings *findings = plan->findings;
	const struct check_result *results[] = {find_result(findings->versions[FIND_13].plain),
						find_result(findings->versions[FIND_12].plain)};
	bool tells_12 = results[0]->wrong_version && !results[1]->wrong_version;
	size_t count =
		sizeof(rows) / sizeof(rows[0]) - (plan_time_left_ms(plan) > 0); /* the last row: the time limit */

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

static void ask_paused(struct plan *plan, const char *method)
{
	struct findings *findings = plan->findings;

	findings->method = method;
	struct check_script script = plan_body_script(plan, findings->small_body);
	script.pauses = script.lingers = true;
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		if (plan_is_usable(&findings->versions[i]))
			findings->versions[i].paused =
				plan_begin(plan, &script, &(struct context_wish){.version = plan_version(i)}, NULL);
	await(plan, findings->versions[FIND_12].paused, findings->versions[FIND_13].paused);
}

static bool is_asked(const struct check *check)
{
	return find_result(check)->asked != CHECK_NEVER;
}

/*
 * Chooses the method for bodies. Without --method it must be a safe one: OPTIONS may have a body (RFC 9110 9.3.7),
 * but some servers answer it without applying the path's rules; then GET, whose body has no defined meaning (9.3.1).
 */
static void ask_moment(struct plan *plan)
{
	struct findings *findings = plan->findings;
	bool asks = is_asked(findings->versions[FIND_12].plain) || is_asked(findings->versions[FIND_13].plain);

	if (findings->unsafe) {
		ask_paused(plan, plan->options->method);
		return;
	}
	ask_paused(plan, "OPTIONS");
	if (asks && !is_asked(findings->versions[FIND_12].paused) && !is_asked(findings->versions[FIND_13].paused))
		ask_paused(plan, "GET");
}

/* ---- all kinds of clients ---- */

static void ask_kinds(struct plan *plan, size_t i)
{
	struct findings *findings = plan->findings;
	struct find_version *version = &findings->versions[i];
	const struct context_wish wish = {.version = plan_version(i)};
	struct check_script small = plan_body_script(plan, findings->small_body), script;

	if (findings->has_certificate) {
		struct context_wish none = wish;
		none.anonymous = true;
		version->anonymous = plan_begin(plan, &small, &none, NULL);
	}
	if (!find_asks_late(version) || !plan_is_answered(version))
		return;
	small.asks_late = true;
	script = small;
	if (i == FIND_13) {
		struct context_wish silent = wish;
		silent.no_offer = true;
		version->no_offer = plan_begin(plan, &small, &silent, NULL);
	}
	script.length = findings->expect_body;
	script.expect = CHECK_WAITS;
	version->waits = plan_begin(plan, &script, &wish, NULL);
	script.length = findings->expect_body < 1024 ? findings->expect_body : 1024;
	script.expect = CHECK_EAGER;
	if (findings->key_ms == 0)
		version->eager = plan_begin(plan, &script, &wish, NULL);
	script = plan_body_script(plan, findings->max_body);
	script.asks_late = true;
	script.prime = findings->url.target;
	version->primed = plan_begin(plan, &script, &wish, NULL);
	script = plan_plain_script(plan);
	if (findings->key_ms == 0)
		version->resumed = plan_begin(plan, &script, &wish, plan->memories[i]);
	struct context_wish withholding = wish;
	withholding.withholds = true;
	script.withholds = script.lingers = true;
	script.hold_ms = plan->options->hold_ms;
	version->withheld = plan_begin(plan, &script, &withholding, NULL);
}

static void ask_renegotiation(struct plan *plan)
{
	struct find_version *version = &plan->findings->versions[FIND_12];
	struct check_script script = plan_plain_script(plan);

	script.renegotiates = true;
	if (plan_is_usable(version))
		version->renegotiated =
			plan_begin(plan, &script, &(struct context_wish){.version = TLS_CLIENT_12}, NULL);
}

static void ask_others(struct plan *plan)
{
	struct findings *findings = plan->findings;
	struct context_wish wish = {.version = plan_any_version(findings), .http2 = true};
	struct check_script script = plan_plain_script(plan);

	script.has_body = false;
	script.http2 = true;
	findings->http2 = plan_begin(plan, &script, &wish, NULL);
	if (find_asks_late(&findings->versions[FIND_12]) || find_asks_late(&findings->versions[FIND_13])) {
		wish = (struct context_wish){.version = plan_any_version(findings), .no_offer = true};
		script = plan_body_script(plan, findings->small_body);
		script.asks_late = true;
		findings->browser = plan_begin(plan, &script, &wish, NULL);
	}
	ask_renegotiation(plan);
}

/* ---- the whole ---- */

static bool asks_at_all(const struct findings *findings)
{
	return find_moment(&findings->versions[FIND_12]) != CHECK_NEVER ||
	       find_moment(&findings->versions[FIND_13]) != CHECK_NEVER;
}

static void run_questions(struct plan *plan)
{
	plan_phase(plan, "finding out when the server asks");
	ask_moment(plan);
	ask_others(plan);
	if (asks_at_all(plan->findings)) {
		plan_phase(plan, "testing all kinds of clients and bodies");
		for (size_t i = 0; i < FIND_VERSIONS; i++)
			if (plan_is_usable(&plan->findings->versions[i]))
				ask_kinds(plan, i);
		plan_sizes(plan);
	}
	plan_phase(plan, "repeating what was found");
	plan_repeat(plan);
}

static enum probe_failure reach(struct plan *plan, struct thaw_error *err)
{
	struct findings *findings = plan->findings;
	const struct probe_patience patience = {.until_ms = plan->began_ms + plan->options->limit_ms,
						.each_ms = plan->options->stall_ms,
						.interrupted = plan->options->interrupted};
	struct probe_way way;
	bool named = false;

	if (probe_way_find(&way, &findings->url, &plan->options->routes, &plan->tunnel, err) != THAW_OK)
		return err->cls == THAW_ERR_USAGE ? PROBE_BAD_USAGE : PROBE_SYSTEM;
	/* Loads the CAs before the first connection. */
	const struct context_wish wish = {.version = plan_version(findings->wanted[FIND_12] ? FIND_12 : FIND_13)};
	if (contexts_get(plan->contexts, &wish, err) == NULL)
		return err->cls == THAW_ERR_CONFIG ? PROBE_BAD_FILE : PROBE_SYSTEM;
	if (way.tls) {
		const struct tls_client_options proxy = {.ca = plan->options->routes.proxy_ca,
							 .key_log = plan->options->tls.key_log,
							 .alpn = "http/1.1",
							 .reads_while_writing = true};
		(void)snprintf(plan->proxy_name, sizeof(plan->proxy_name), "%s", way.host);
		plan->proxy = tls_client_context_new(&proxy, err);
		if (plan->proxy == NULL)
			return err->cls == THAW_ERR_CONFIG ? PROBE_BAD_FILE : PROBE_SYSTEM;
	}
	if (plan->options->routes.proxy != NULL && plan->tunnel == NULL && plan->options->progress != NULL)
		(void)fprintf(plan->options->progress, "connecting without the proxy: '%s' is in no_proxy\n",
			      findings->url.host);
	plan_phase(plan, "connects");
	if (probe_find_address(&way, &patience, &findings->address, &named, err) != THAW_OK) {
		(void)plan_may_go_on(plan);
		if (findings->interrupted)
			return PROBE_FINE; /* the report then shows what is known */
		return named ? PROBE_UNREACHABLE : PROBE_NO_HOST;
	}
	plan->runner = runner_new(&(struct runner_options){
		.address = findings->address,
		.name = plan->options->routes.sni != NULL ? plan->options->routes.sni : findings->url.host,
		.tunnel = plan->tunnel,
		.proxy = plan->proxy,
		.proxy_name = plan->proxy_name,
		.tunnel_ms = plan->options->stall_ms,
		.at_once = AT_ONCE,
		.interrupted = plan->options->interrupted,
		.progress = plan->options->progress != NULL && plan->options->live ? plan_tell_progress : NULL,
		.arg = plan,
	});
	if (plan->runner == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return PROBE_SYSTEM;
	}
	if (runner_try_tunnel(plan->runner, err) != THAW_OK) {
		(void)plan_may_go_on(plan);
		return findings->interrupted ? PROBE_FINE : PROBE_UNREACHABLE;
	}
	ask_plain(plan, findings->wanted);
	ask_plain_again(plan);
	if (plan->err.cls != THAW_ERR_NONE) {
		*err = plan->err;
		return PROBE_SYSTEM;
	}
	/* A handshake that failed because of a missing certificate is also a result. */
	for (size_t i = 0; i < FIND_VERSIONS; i++)
		if (plan_is_usable(&findings->versions[i]) ||
		    (find_moment(&findings->versions[i]) == CHECK_AT_HANDSHAKE &&
		     find_result(findings->versions[i].plain)->outcome != CHECK_GARBLED))
			return PROBE_FINE;
	return judge_reach(plan, err);
}

static void init_findings(struct plan *plan)
{
	const struct probe_options *options = plan->options;
	struct findings *findings = plan->findings;

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

enum probe_failure plan_run(struct plan *plan, struct thaw_error *err)
{
	struct findings *findings = plan->findings;

	plan->began_ms = clock_now_ms();
	init_findings(plan);
	enum probe_failure failure = reach(plan, err);
	if (failure == PROBE_FINE && plan_may_go_on(plan))
		run_questions(plan);
	if (failure == PROBE_FINE && plan->runner != NULL) {
		plan_phase(plan, "waiting for stalled connections");
		runner_wait_all(plan->runner);
		plan_settle(plan);
	}
	if (plan->options->live && plan->options->progress != NULL)
		(void)fputs("\r\033[K", plan->options->progress);
	(void)plan_may_go_on(plan);
	findings->connections = plan->runner != NULL ? runner_begun(plan->runner) : 0;
	findings->uploaded = plan->runner != NULL ? runner_uploaded(plan->runner) : 0;
	findings->ms = (uint32_t)(clock_now_ms() - plan->began_ms);
	if (failure == PROBE_FINE && plan->err.cls != THAW_ERR_NONE) {
		*err = plan->err;
		return PROBE_SYSTEM;
	}
	return failure;
}
