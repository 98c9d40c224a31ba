/* The data of the status page, as one JSON object. docs/METRICS.md describes it. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "admin/respond.h"

/* Maximum number of outcomes; the metrics have all of them. */
#define REASONS_MAX 64

/* These functions return NULL if out of memory; json_pack and json_object_set_new pass that on. */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)(value <= INT64_MAX ? value : INT64_MAX));
}

static json_t *numbers(const uint64_t *values, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, number(values[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* {name(0): values[0], ...} */
static json_t *named(const uint64_t *values, size_t count, const char *(*name)(size_t i))
{
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++)
		if (json_object_set_new(object, name(i), number(values[i])) != 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static json_t *list_of(const void *items, size_t count, size_t size, json_t *(*make)(const void *item, const void *arg),
		       const void *arg)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, make((const char *)items + i * size, arg)) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* ---- parts ---- */

static json_t *worker_of(const void *item, const void *arg)
{
	static const char *const states[] = {
		[SCOREBOARD_WORKER_STARTING] = "starting",
		[SCOREBOARD_WORKER_SERVING] = "serving",
		[SCOREBOARD_WORKER_RETIRING] = "retiring",
		[SCOREBOARD_WORKER_SILENT] = "silent",
	};
	const struct scoreboard_worker_view *worker = item;

	(void)arg;
	return json_pack("{s:i, s:i, s:s, s:o, s:o, s:o}", "pid", worker->pid, "configuration",
			 (int)worker->configuration, "state", states[worker->state], "connections",
			 number(worker->connections), "asks", number(worker->asks), "silent_ms",
			 number(worker->silent_ms));
}

static json_t *ask_of(const void *item, const void *arg)
{
	const struct scoreboard_ask_view *ask = item;
	const struct admin_sight *sight = arg;
	uint64_t age_ms = sight->now_ms > ask->began_ms ? sight->now_ms - ask->began_ms : 0;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:o, s:o, s:i}", "client", ask->client, "host", ask->host,
			 "path", ask->path, "means", thaw_means_name(ask->means), "moment",
			 thaw_moment_name(ask->moment), "asked", (int)(ask->asked_ms != 0), "age_ms", number(age_ms),
			 "drained", number(ask->drained), "length",
			 ask->length == UINT64_MAX ? json_null() : number(ask->length), "worker", ask->worker);
}

static json_t *server_of(const void *item, const void *arg)
{
	const struct scoreboard_server_view *server = item;
	const struct scoreboard_server_sums *sums = &server->sums;

	(void)arg;
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "upstream", server->upstream,
			 "server", server->server, "answered", number(sums->outcomes[SCOREBOARD_ANSWERED]), "failed",
			 number(sums->outcomes[SCOREBOARD_FAILED]), "timed_out",
			 number(sums->outcomes[SCOREBOARD_TIMED_OUT]), "in_use", number(sums->use.in_use), "idle",
			 number(sums->use.idle), "resting", number(sums->use.resting), "connects",
			 number(sums->use.connects), "connect_failures", number(sums->use.connect_failures), "answers",
			 numbers(sums->answer_ms.counts, SCOREBOARD_BUCKETS + 1), "answers_ms",
			 number(sums->answer_ms.sum_ms));
}

static const char *verdict_name(size_t verdict)
{
	return thaw_verdict_name((enum thaw_verdict)verdict);
}

static const char *problem_name(size_t problem)
{
	return gw_problem_name((enum gw_problem)problem);
}

static json_t *verdict_steps(const struct scoreboard_view *scoreboard)
{
	json_t *object = json_object();
	uint64_t column[SCOREBOARD_STEPS];

	for (size_t verdict = THAW_VERDICT_ACCEPTED; verdict < SCOREBOARD_VERDICTS; verdict++) {
		for (size_t i = 0; i < SCOREBOARD_STEPS; i++)
			column[i] = scoreboard->steps[i][verdict];
		if (json_object_set_new(object, verdict_name(verdict), numbers(column, SCOREBOARD_STEPS)) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

struct outcome {
	size_t means, verdict, reason;
	uint64_t count;
};

static int by_count(const void *a, const void *b)
{
	uint64_t one = ((const struct outcome *)a)->count, other = ((const struct outcome *)b)->count;
	return one < other ? 1 : one > other ? -1 : 0;
}

static json_t *outcome_of(const void *item, const void *arg)
{
	const struct outcome *outcome = item;

	(void)arg;
	return json_pack("{s:s, s:s, s:s, s:o}", "means", thaw_means_name((enum thaw_means)outcome->means), "verdict",
			 verdict_name(outcome->verdict), "reason", thaw_reason_name((enum thaw_reason)outcome->reason),
			 "count", number(outcome->count));
}

/* How asks have ended since the gateway started, most frequent first. */
static json_t *outcomes(const struct scoreboard_sums *sums)
{
	size_t count = 0, most = SCOREBOARD_MEANS * SCOREBOARD_VERDICTS * SCOREBOARD_REASONS;
	struct outcome *all = calloc(most, sizeof(*all));

	if (all == NULL)
		return NULL;
	for (size_t i = 0; i < most; i++) {
		size_t means = i / SCOREBOARD_REASONS / SCOREBOARD_VERDICTS,
		       verdict = i / SCOREBOARD_REASONS % SCOREBOARD_VERDICTS;
		struct outcome outcome = {means, verdict, i % SCOREBOARD_REASONS, 0};
		for (size_t moment = 0; moment < SCOREBOARD_MOMENTS; moment++)
			outcome.count += sums->asks[means][moment][verdict][outcome.reason];
		if (outcome.count > 0)
			all[count++] = outcome;
	}
	qsort(all, count, sizeof(*all), by_count);
	json_t *list = list_of(all, count < REASONS_MAX ? count : REASONS_MAX, sizeof(*all), outcome_of, NULL);
	free(all);
	return list;
}

static json_t *totals(const struct scoreboard_sums *sums)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "connections", number(sums->connections),
			 "connections_open", number(sums->connections_open), "asks_open", number(sums->asks_open),
			 "requests", named(sums->requests, SCOREBOARD_CLASSES, admin_class_name), "refusals",
			 named(sums->refusals, SCOREBOARD_PROBLEMS, problem_name), "bytes_in", number(sums->bytes_in),
			 "bytes_out", number(sums->bytes_out), "drained", number(sums->drained), "handshakes_failed",
			 number(sums->handshakes_failed));
}

static json_t *spool(const struct admin_sight *sight)
{
	return json_pack("{s:{s:o, s:o}, s:{s:o, s:o}, s:o, s:o}", "memory", "used", number(sight->spool.memory),
			 "limit", number(sight->admin->memory_limit), "disk", "used", number(sight->spool.disk),
			 "limit", number(sight->admin->disk_limit), "clients", number(sight->spool.clients), "refused",
			 number(sight->spool.refused));
}

static json_t *verdicts(const struct scoreboard_view *scoreboard)
{
	return json_pack("{s:i, s:I, s:o}", "step_ms", SCOREBOARD_STEP_MS, "end_ms",
			 (json_int_t)scoreboard->steps_end_ms, "steps", verdict_steps(scoreboard));
}

static json_t *refusal(const struct admin_sight *sight, bool is, const struct scoreboard_refusal *last)
{
	uint64_t age_ms = sight->now_ms > last->since_ms ? sight->now_ms - last->since_ms : 0;

	return is ? json_pack("{s:s, s:o}", "why", last->why, "age_ms", number(age_ms)) : json_null();
}

static json_t *whole(const struct admin_sight *sight)
{
	const struct scoreboard_view *scoreboard = sight->scoreboard;

	return json_pack(
		"{s:s, s:b, s:s, s:i, s:o, s:o, s:i, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
		thaw_version(), "ready", (int)scoreboard->ready, "phase", admin_phase_name(scoreboard->phase),
		"configuration", (int)scoreboard->configuration, "reload_refused",
		refusal(sight, scoreboard->refused, &scoreboard->refusal), "files_not_loaded",
		refusal(sight, scoreboard->held, &scoreboard->hold), "workers_wanted", (int)scoreboard->workers_wanted,
		"workers_ready", (int)scoreboard->workers_ready, "time_ms", (json_int_t)sight->wall_ms, "uptime_ms",
		number(sight->now_ms - sight->admin->began_ms), "workers",
		list_of(scoreboard->workers, scoreboard->worker_count, sizeof(*scoreboard->workers), worker_of, NULL),
		"asks", list_of(scoreboard->asks, scoreboard->ask_count, sizeof(*scoreboard->asks), ask_of, sight),
		"verdicts", verdicts(scoreboard), "outcomes", outcomes(&scoreboard->sums), "totals",
		totals(&scoreboard->sums), "spool", spool(sight), "upstreams",
		list_of(scoreboard->servers, scoreboard->server_count, sizeof(*scoreboard->servers), server_of, NULL),
		"answer_limits_ms", numbers(scoreboard_machine_ms, SCOREBOARD_BUCKETS));
}

bool admin_status(const struct admin_sight *sight, struct buffer *text)
{
	json_t *object = whole(sight);
	char *bytes = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	if (bytes == NULL)
		return false;
	admin_put(text, bytes, strlen(bytes));
	free(bytes);
	return true;
}
