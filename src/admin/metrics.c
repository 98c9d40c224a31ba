/*
 * Prometheus' text exposition format, version 0.0.4: HELP and TYPE of each metric once, then all its samples.
 * docs/METRICS.md describes them.
 */
#include <inttypes.h>
#include <string.h>

#include "admin/respond.h"

enum kind { COUNTER, GAUGE, HISTOGRAM };

static void head(struct buffer *text, const char *name, enum kind kind, const char *help)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	admin_putf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kinds[kind]);
}

static void single(struct buffer *text, const char *name, enum kind kind, const char *help, uint64_t value)
{
	head(text, name, kind, help);
	admin_putf(text, "%s %" PRIu64 "\n", name, value);
}

/* For label values that need no escaping. */
static void labelled(struct buffer *text, const char *name, const char *label, const char *value, uint64_t number)
{
	admin_putf(text, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, number);
}

static void escaped(struct buffer *text, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			admin_put(text, "\\", 1);
		if (*value == '\n')
			admin_put(text, "\\n", 2);
		else
			admin_put(text, value, 1);
	}
}

/* labels: "", or labels to write before le, with a trailing comma. */
static void histogram(struct buffer *text, const char *name, const char *labels,
		      const struct scoreboard_histogram *histogram, const uint64_t *limits_ms)
{
	uint64_t count = 0;
	size_t len = strlen(labels);
	int bare = (int)(len > 0 ? len - 1 : 0);

	for (size_t i = 0; i < SCOREBOARD_BUCKETS; i++) {
		count += histogram->counts[i];
		admin_putf(text, "%s_bucket{%sle=\"%g\"} %" PRIu64 "\n", name, labels, (double)limits_ms[i] / 1000.,
			   count);
	}
	count += histogram->counts[SCOREBOARD_BUCKETS];
	admin_putf(text, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, count);
	admin_putf(text, len > 0 ? "%s_sum{%.*s} " : "%s_sum%.*s ", name, bare, labels);
	admin_putf(text, "%" PRIu64 ".%03" PRIu64 "\n", histogram->sum_ms / 1000, histogram->sum_ms % 1000);
	admin_putf(text, len > 0 ? "%s_count{%.*s} " : "%s_count%.*s ", name, bare, labels);
	admin_putf(text, "%" PRIu64 "\n", count);
}

/* ---- the gateway ---- */

static void gateway(const struct admin_sight *sight, struct buffer *text)
{
	const struct scoreboard_view *scoreboard = sight->scoreboard;

	head(text, "thaw_build_info", GAUGE, "Always 1; the version is a label.");
	labelled(text, "thaw_build_info", "version", THAW_VERSION_TEXT, 1);
	single(text, "thaw_ready", GAUGE, "1 if the gateway serves with all configured workers.", scoreboard->ready);
	single(text, "thaw_configuration", GAUGE, "Number of the configuration in use; the first is 1.",
	       scoreboard->configuration);
	single(text, "thaw_reload_refused", GAUGE,
	       "1 if the last reload was refused, so that an earlier configuration is in use.", scoreboard->refused);
	single(text, "thaw_reloads_refused_total", COUNTER, "Refused reloads.", scoreboard->reloads_refused);
	single(text, "thaw_files_not_loaded", GAUGE,
	       "1 if watch_files has found changed files that cannot be loaded, so that the earlier ones are in use.",
	       scoreboard->held);
	single(text, "thaw_workers_wanted", GAUGE, "Configured workers.", scoreboard->workers_wanted);
	single(text, "thaw_workers_ready", GAUGE, "Workers of the configuration in use that are serving and not stuck.",
	       scoreboard->workers_ready);
	single(text, "thaw_workers_full", GAUGE,
	       "Workers of the configuration in use that are at their limit of connections.", scoreboard->workers_full);
	single(text, "thaw_workers", GAUGE, "Worker processes, including those of earlier configurations.",
	       scoreboard->worker_count);
}

/* The labels follow enum tls_demand. */
static void on_demand(const struct scoreboard_sums *sums, struct buffer *text)
{
	static const char name[] = "thaw_handshakes_on_demand_total";
	static const char *const why[SCOREBOARD_DEMANDS] = {NULL, "note", "ticket", "certificate"};

	head(text, name, COUNTER,
	     "TLS handshakes in which the client certificate was requested on demand, by how the need was recognised.");
	for (size_t i = 1; i < SCOREBOARD_DEMANDS; i++)
		labelled(text, name, "by", why[i], sums->on_demand[i]);
	single(text, "thaw_away_notes_total", COUNTER,
	       "HTTP/2 requests reset with HTTP_1_1_REQUIRED whose clients are expected to retry over HTTP/1.1.",
	       sums->notes);
}

/* The labels follow enum scoreboard_plain. */
static void plain(const struct scoreboard_sums *sums, struct buffer *text)
{
	static const char name[] = "thaw_plain_requests_total";
	static const char *const answers[SCOREBOARD_PLAINS] = {"redirect", "challenge", "other"};

	head(text, name, COUNTER, "Requests without TLS, by what they got.");
	for (size_t i = 0; i < SCOREBOARD_PLAINS; i++)
		labelled(text, name, "answer", answers[i], sums->plain[i]);
}

static void connections(const struct scoreboard_sums *sums, struct buffer *text)
{
	static const char name[] = "thaw_tls_handshakes_total";
	static const char *const kinds[SCOREBOARD_KINDS] = {"silent", "handshake", "idle"};

	single(text, "thaw_connections_open", GAUGE, "Client connections that are open now.", sums->connections_open);
	single(text, "thaw_connections_total", COUNTER, "Client connections accepted.", sums->connections);
	head(text, "thaw_connections_evicted_total", COUNTER,
	     "Waiting client connections closed at a connection limit to make room for new ones, by state.");
	for (size_t i = 0; i < SCOREBOARD_KINDS; i++)
		labelled(text, "thaw_connections_evicted_total", "state", kinds[i], sums->evicted[i]);
	head(text, "thaw_connections_refused_total", COUNTER,
	     "Client connections closed without a response, by limit.");
	labelled(text, "thaw_connections_refused_total", "limit", "all", sums->refused[0]);
	labelled(text, "thaw_connections_refused_total", "limit", "client", sums->refused[1]);
	head(text, name, COUNTER, "TLS handshakes completed.");
	for (size_t i = 0; i < sizeof(sums->handshakes) / sizeof(sums->handshakes[0]); i++)
		for (size_t resumed = 0; resumed < 2; resumed++)
			admin_putf(text, "%s{version=\"%s\",resumed=\"%s\"} %" PRIu64 "\n", name, admin_version_name(i),
				   resumed ? "yes" : "no", sums->handshakes[i][resumed]);
	on_demand(sums, text);
	single(text, "thaw_tls_handshake_failures_total", COUNTER, "TLS handshakes that failed.",
	       sums->handshakes_failed);
	single(text, "thaw_connections_unused_total", COUNTER,
	       "Client connections that ended before their first request: without a byte, or after the handshake.",
	       sums->connections_unused);
	single(text, "thaw_internal_errors_total", COUNTER,
	       "Failed internal checks, each of which ended a connection; please report them.", sums->internal_errors);
}

static void requests(const struct scoreboard_sums *sums, struct buffer *text)
{
	head(text, "thaw_requests_total", COUNTER, "Requests by status class; none: ended without a response.");
	for (size_t i = 0; i < SCOREBOARD_CLASSES; i++)
		labelled(text, "thaw_requests_total", "status", admin_class_name(i), sums->requests[i]);
	single(text, "thaw_access_records_total", COUNTER, "Access records, including lost ones.", sums->records);
	single(text, "thaw_access_records_lost_total", COUNTER, "Access records that could not be written.",
	       sums->records_lost);
	head(text, "thaw_request_duration_seconds", HISTOGRAM,
	     "Time from the first byte of a request to the last byte of its response.");
	histogram(text, "thaw_request_duration_seconds", "", &sums->request_ms, scoreboard_machine_ms);
	single(text, "thaw_request_body_bytes_total", COUNTER, "Bytes of request bodies received.", sums->bytes_in);
	single(text, "thaw_response_body_bytes_total", COUNTER, "Bytes of response bodies sent.", sums->bytes_out);
	plain(sums, text);
	head(text, "thaw_refusals_total", COUNTER,
	     "Requests refused for other reasons than the verdict of an ask, by problem.");
	for (size_t i = 0; i < SCOREBOARD_PROBLEMS; i++)
		labelled(text, "thaw_refusals_total", "problem", gw_problem_name((enum gw_problem)i),
			 sums->refusals[i]);
}

/* ---- asks ---- */

static void ask_row(const struct scoreboard_sums *sums, struct buffer *text, size_t means, size_t moment)
{
	for (size_t verdict = 0; verdict < SCOREBOARD_VERDICTS; verdict++)
		for (size_t reason = 0; reason < SCOREBOARD_REASONS; reason++)
			if (sums->asks[means][moment][verdict][reason] != 0)
				admin_putf(text,
					   "thaw_asks_total{means=\"%s\",moment=\"%s\",verdict=\"%s\",reason=\"%s\"} "
					   "%" PRIu64 "\n",
					   thaw_means_name((enum thaw_means)means),
					   thaw_moment_name((enum thaw_moment)moment),
					   thaw_verdict_name((enum thaw_verdict)verdict),
					   thaw_reason_name((enum thaw_reason)reason),
					   sums->asks[means][moment][verdict][reason]);
}

/* Asks that ended because of a budget or a limit. */
static uint64_t over_limit(const struct scoreboard_sums *sums, size_t reason)
{
	uint64_t total = 0;

	for (size_t means = 0; means < SCOREBOARD_MEANS; means++)
		for (size_t moment = 0; moment < SCOREBOARD_MOMENTS; moment++)
			total += sums->asks[means][moment][THAW_VERDICT_OVER_LIMIT][reason];
	return total;
}

static void asks(const struct scoreboard_sums *sums, struct buffer *text)
{
	single(text, "thaw_asks_open", GAUGE, "Requests that are waiting for a client certificate now.",
	       sums->asks_open);
	head(text, "thaw_asks_total", COUNTER, "Asks for a client certificate, by verdict and reason.");
	for (size_t means = 0; means < SCOREBOARD_MEANS; means++)
		for (size_t moment = 0; moment < SCOREBOARD_MOMENTS; moment++)
			ask_row(sums, text, means, moment);
	head(text, "thaw_ask_duration_seconds", HISTOGRAM, "Time from asking for the certificate to the verdict.");
	histogram(text, "thaw_ask_duration_seconds", "outcome=\"accepted\",", &sums->ask_ms[1], scoreboard_human_ms);
	histogram(text, "thaw_ask_duration_seconds", "outcome=\"other\",", &sums->ask_ms[0], scoreboard_human_ms);
	single(text, "thaw_drained_bytes_total", COUNTER, "Bytes of request bodies received while an ask was pending.",
	       sums->drained);
	head(text, "thaw_budget_refusals_total", COUNTER, "Asks ended by a limit of the spool, by limit.");
	for (int reason = THAW_REASON_BODY_SIZE; reason <= THAW_REASON_DISK_ERROR; reason++)
		labelled(text, "thaw_budget_refusals_total", "reason", thaw_reason_name((enum thaw_reason)reason),
			 over_limit(sums, (size_t)reason));
	labelled(text, "thaw_budget_refusals_total", "reason", thaw_reason_name(THAW_REASON_BUDGET_PRESSURE),
		 over_limit(sums, THAW_REASON_BUDGET_PRESSURE));
}

/* ---- the spool ---- */

static void spool(const struct admin_sight *sight, struct buffer *text)
{
	head(text, "thaw_spool_bytes", GAUGE, "Spool space in use now, by tier.");
	labelled(text, "thaw_spool_bytes", "tier", "memory", sight->spool.memory);
	labelled(text, "thaw_spool_bytes", "tier", "disk", sight->spool.disk);
	head(text, "thaw_spool_limit_bytes", GAUGE, "Spool space configured, by tier.");
	labelled(text, "thaw_spool_limit_bytes", "tier", "memory", sight->admin->memory_limit);
	labelled(text, "thaw_spool_limit_bytes", "tier", "disk", sight->admin->disk_limit);
	single(text, "thaw_spool_clients", GAUGE, "Client addresses that use spool space now.", sight->spool.clients);
	single(text, "thaw_spool_refusals_total", COUNTER,
	       "How often a spool budget was exhausted; if it was memory, the disk may have been used instead.",
	       sight->spool.refused);
}

/* ---- certificates ---- */

static void expiries(const struct admin_sight *sight, struct buffer *text)
{
	static const char name[] = "thaw_certificate_expiry_seconds";
	const struct expiries *list = sight->admin->expiries;

	head(text, name, GAUGE, "Time until a certificate expires or until a CRL's nextUpdate; negative afterwards.");
	for (size_t i = 0; list != NULL && i < list->count; i++) {
		const struct expiry *expiry = &list->items[i];
		admin_putf(text, "%s{kind=\"%s\",file=\"", name, expiry->kind);
		escaped(text, expiry->file);
		admin_putf(text, "\",name=\"");
		escaped(text, expiry->name);
		admin_putf(text, "\",position=\"%u\"} %" PRId64 "\n", expiry->position,
			   expiry->until_s - sight->wall_ms / 1000);
	}
}

/* ---- upstreams ---- */

/* upstream="...",server="...", with a trailing comma. */
static void server_labels(const struct scoreboard_server_view *server, struct buffer *labels)
{
	labels->len = 0;
	admin_putf(labels, "upstream=\"");
	escaped(labels, server->upstream);
	admin_putf(labels, "\",server=\"");
	escaped(labels, server->server);
	admin_put(labels, "\",", sizeof("\","));
}

struct server_metric {
	const char *name, *help;
	enum kind kind;
	const char *more; /* labels in addition to the server's */
	size_t offset;    /* offset of a uint64_t */
};

#define OF(member) offsetof(struct scoreboard_server_view, sums.member)

static const struct server_metric server_metrics[] = {
	{"thaw_upstream_requests_total", "Requests to this server, by outcome.", COUNTER, "outcome=\"answered\"",
	 OF(outcomes) + sizeof(uint64_t) * SCOREBOARD_ANSWERED},
	{"thaw_upstream_requests_total", NULL, COUNTER, "outcome=\"failed\"",
	 OF(outcomes) + sizeof(uint64_t) * SCOREBOARD_FAILED},
	{"thaw_upstream_requests_total", NULL, COUNTER, "outcome=\"timed-out\"",
	 OF(outcomes) + sizeof(uint64_t) * SCOREBOARD_TIMED_OUT},
	{"thaw_upstream_connections", "Connections to this server, by state.", GAUGE, "state=\"in-use\"",
	 OF(use.in_use)},
	{"thaw_upstream_connections", NULL, GAUGE, "state=\"idle\"", OF(use.idle)},
	{"thaw_upstream_resting", "Workers in which this server is marked down after failures.", GAUGE, "",
	 OF(use.resting)},
	{"thaw_upstream_connects_total", "New connections opened to this server.", COUNTER, "", OF(use.connects)},
	{"thaw_upstream_reuses_total", "Requests sent on a reused connection.", COUNTER, "", OF(use.reused)},
	{"thaw_upstream_connect_failures_total", "Failed attempts to connect to this server.", COUNTER, "",
	 OF(use.connect_failures)},
	{"thaw_upstream_failures_total", "Connections to this server that failed during a request.", COUNTER, "",
	 OF(use.failures)},
};

static uint64_t number_of(const struct scoreboard_server_view *server, const struct server_metric *metric)
{
	uint64_t number;

	memcpy(&number, (const char *)server + metric->offset, sizeof(number));
	return number;
}

static void each_server(const struct scoreboard_view *scoreboard, const struct server_metric *metric,
			struct buffer *labels, struct buffer *text)
{
	size_t more = strlen(metric->more);

	for (size_t i = 0; i < scoreboard->server_count; i++) {
		server_labels(&scoreboard->servers[i], labels);
		if (labels->failed)
			break;
		size_t bare = labels->len - sizeof("\",") + (more > 0 ? 2 : 1);
		admin_putf(text, "%s{", metric->name);
		admin_put(text, labels->bytes, bare);
		admin_putf(text, "%s} %" PRIu64 "\n", metric->more, number_of(&scoreboard->servers[i], metric));
	}
}

static void upstreams(const struct scoreboard_view *scoreboard, struct buffer *text)
{
	static const char name[] = "thaw_upstream_response_seconds";
	struct buffer labels = {.bytes = NULL};

	for (size_t i = 0; i < sizeof(server_metrics) / sizeof(server_metrics[0]); i++) {
		if (server_metrics[i].help != NULL)
			head(text, server_metrics[i].name, server_metrics[i].kind, server_metrics[i].help);
		each_server(scoreboard, &server_metrics[i], &labels, text);
	}
	head(text, name, HISTOGRAM, "Time from choosing this server to the head of its response.");
	for (size_t i = 0; i < scoreboard->server_count; i++) {
		server_labels(&scoreboard->servers[i], &labels);
		if (!labels.failed)
			histogram(text, name, labels.bytes, &scoreboard->servers[i].sums.answer_ms,
				  scoreboard_machine_ms);
	}
	text->failed = text->failed || labels.failed;
	buffer_free(&labels);
}

void admin_metrics(const struct admin_sight *sight, struct buffer *text)
{
	const struct scoreboard_sums *sums = &sight->scoreboard->sums;

	gateway(sight, text);
	connections(sums, text);
	requests(sums, text);
	asks(sums, text);
	spool(sight, text);
	expiries(sight, text);
	upstreams(sight->scoreboard, text);
}
