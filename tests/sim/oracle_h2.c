/*
 * Checks the streams of an HTTP/2 connection. A request for a route that asks late is reset with HTTP_1_1_REQUIRED
 * before a byte of its body is taken; all others are answered as over HTTP/1.1. Each has one record.
 */
#include <stdlib.h>
#include <string.h>

#include "oracle_inside.h"

#define HTTP_1_1_REQUIRED 0xd /* RFC 9113 7 */
#define REFUSED_STREAM    0x7
#define SLOW_MS           10000 /* certainly shorter than every deadline */

static bool is_late(const struct request_plan *request)
{
	enum config_when when = route_when(request->route);

	return when != CONFIG_WHEN_NEVER && when != CONFIG_WHEN_HANDSHAKE;
}

/* Whether nothing about the client can prevent an honest stream from completing. */
static bool is_clean(const struct scenario *scenario, const struct conn_plan *plan)
{
	uint64_t pad = 0, ms = 0;

	for (unsigned i = 0; i < plan->request_count; i++) {
		const struct request_plan *request = &plan->requests[i];
		uint64_t pieces = request->chunk > 0 ? request->body / request->chunk + 1 : request->body / 1024 + 1;
		pad += request->pad;
		ms += request->start_ms + request->pause_ms * pieces;
	}
	/* A window limits the bytes in flight: each window costs one round trip. */
	if (plan->down.bytes_per_s > 0)
		ms += pad * 1000 / plan->down.bytes_per_s;
	ms += pad / plan->down.buffer * plan->down.delay_us / 1000;
	ms += pad / (plan->windows.stream / 2 + 1) * (plan->up.delay_us + plan->down.delay_us) / 500;
	if (plan->reading == READS_SLOWLY && pad > 0)
		return false;
	return plan->windows.grants == GRANTS_AT_ONCE && ms < SLOW_MS && predict_clean(scenario, plan);
}

/* The result then depends on the request and on timing; a named scenario says what it expects. */
static bool misbehaves(const struct scenario *scenario)
{
	enum origin_habit habit = scenario->origin.habit;

	return scenario->proxied && habit != ORIGIN_HONEST && habit != ORIGIN_CLOSES_IDLE;
}

/* The expectation as if it were the only request of its connection. */
static struct expect expect_of(const struct scenario *scenario, const struct conn_plan *plan, unsigned i)
{
	struct expect any = {OUTCOME_ANY, IDENTITY_EITHER, THAW_VERDICT_NONE}, all[SCENARIO_REQUESTS] = {0};
	struct conn_plan alone = *plan;

	if (is_late(&plan->requests[i]))
		return (struct expect){OUTCOME_NONE, IDENTITY_NONE, THAW_VERDICT_NONE};
	if (!is_clean(scenario, plan) || plan->requests[i].cancel != CANCEL_NOT || misbehaves(scenario))
		return any;
	alone.requests[0] = plan->requests[i];
	alone.request_count = 1;
	predict(scenario, &alone, all);
	return all[0];
}

/* The number after the path of a record's target; -1: none. */
static int number_of_target(const json_t *record)
{
	const char *target = json_string_value(json_object_get(record, "target"));
	const char *mark = target != NULL ? strchr(target, '?') : NULL;

	return mark != NULL ? (int)strtol(mark + 1, NULL, 10) : -1;
}

static void sort_records(struct world *world, struct sim_conn *conn)
{
	json_t *sorted[WORLD_RECORDS] = {NULL};

	for (unsigned i = 0; i < conn->record_count; i++) {
		int number = number_of_target(conn->records[i]);
		if (number < 0 || number >= (int)conn->client.plan->request_count || sorted[number] != NULL) {
			world_fail(world, "#%u: a record of no stream, or the second one of stream %d", conn->index,
				   number);
			return;
		}
		sorted[number] = conn->records[i];
	}
	memcpy(conn->records, sorted, sizeof(sorted));
	conn->record_count = conn->client.plan->request_count;
}

static void judge_pad(struct world *world, const struct sim_conn *conn, unsigned i)
{
	const struct answer *answer = &conn->client.answers[i];
	const json_t *pad = json_object_get(answer->json, "pad");
	uint64_t len = world->scenario->proxied ? conn->client.plan->requests[i].pad : 0;

	if (!answer->complete || answer->status != 200 || strcmp(conn->client.plan->requests[i].method, "HEAD") == 0)
		return;
	if (answer->json == NULL || json_string_length(pad) != len) {
		world_fail(world, "#%u stream %u: a response of %zu bytes more instead of %llu", conn->index, i,
			   json_string_length(pad), (unsigned long long)len);
		return;
	}
	char *text = malloc(len + 1);
	if (text == NULL)
		abort();
	origin_pad(text, len);
	if (len > 0 && memcmp(json_string_value(pad), text, len) != 0)
		world_fail(world, "#%u stream %u: the response's bytes are not those of the upstream", conn->index, i);
	free(text);
}

static void judge_away(struct world *world, const struct sim_conn *conn, unsigned i, bool clean)
{
	const struct h2_fate *outcome = h2_peer_fate(conn->client.http2, i);
	const json_t *record = conn->records[i];

	if (conn->client.answers[i].status != 0)
		world_fail(world, "#%u stream %u was answered %u, and cannot be asked", conn->index, i,
			   conn->client.answers[i].status);
	if (clean && conn->client.plan->requests[i].cancel == CANCEL_NOT && outcome->code != HTTP_1_1_REQUIRED)
		world_fail(world, "#%u stream %u ended with code %u, and was not sent away", conn->index, i,
			   outcome->code);
	if (record != NULL && json_integer_value(json_object_get(record, "status")) != 0)
		world_fail(world, "#%u stream %u: the record says that it was answered", conn->index, i);
}

static void judge_stream(struct world *world, const struct sim_conn *conn, unsigned i)
{
	const struct conn_plan *plan = conn->client.plan;
	const struct h2_fate *outcome = h2_peer_fate(conn->client.http2, i);
	struct expect expect = expect_of(world->scenario, plan, i);
	bool clean = is_clean(world->scenario, plan);

	judge_answer(world, conn, i, &expect);
	judge_pad(world, conn, i);
	if (is_late(&plan->requests[i]))
		judge_away(world, conn, i, clean);
	if (clean && !outcome->over)
		world_fail(world, "#%u stream %u never ended", conn->index, i);
	if (!outcome->begun && conn->records[i] != NULL)
		world_fail(world, "#%u stream %u has a record and was never begun", conn->index, i);
	bool served =
		conn->client.answers[i].complete || (clean && !outcome->cancelled && outcome->code != REFUSED_STREAM);
	if (served && conn->records[i] == NULL)
		world_fail(world, "#%u stream %u has no record", conn->index, i);
	if (conn->records[i] != NULL)
		judge_record(world, conn, i, &expect);
}

void judge_http2(struct world *world, struct sim_conn *conn)
{
	sort_records(world, conn);
	for (unsigned i = 0; i < conn->client.plan->request_count && !world->failed; i++)
		judge_stream(world, conn, i);
	if (!world->failed && is_clean(world->scenario, conn->client.plan) &&
	    conn->client.plan->ending == ENDING_NORMAL && conn->client.end != CLIENT_DONE)
		world_fail(world, "#%u the connection ended before its client was done: %s %s", conn->index,
			   client_end_name(conn->client.end), conn->client.why != NULL ? conn->client.why : "");
}
