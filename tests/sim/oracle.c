#include "oracle_inside.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "";
}

static long long number_of(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

/* The known identity of a certificate. */
static enum identity identity_of(const json_t *certificate)
{
	if (strcmp(text_of(certificate, "sha256"), pki_get(PKI_CLIENT)->sha256_hex) == 0)
		return IDENTITY_GOOD;
	if (strcmp(text_of(certificate, "sha256"), pki_get(PKI_OTHER)->sha256_hex) == 0)
		return IDENTITY_OTHER;
	return IDENTITY_NONE;
}

static bool can_be(const struct scenario *scenario, const struct conn_plan *plan, enum route route,
		   enum identity identity)
{
	if (plan->resumes >= 0 && can_be(scenario, &scenario->conns[plan->resumes], route, identity))
		return true;
	switch (plan->answer) {
	case ANSWER_GOOD:
	case ANSWER_EMPTY_ONCE:
		return identity == IDENTITY_GOOD && route != ROUTE_OTHER;
	case ANSWER_OTHER:
		return identity == (route == ROUTE_OTHER ? IDENTITY_OTHER : IDENTITY_GOOD);
	case ANSWER_EMPTY:
	case ANSWER_WRONG_CA:
	case ANSWER_EXPIRED:
	case ANSWER_NEVER:
	case ANSWER_REFUSES:
		break;
	}
	return false;
}

/* Checks the answer of builtin:inspect: it belongs to this request, has the complete body, and the right identity. */
static void judge_inspect(struct world *world, const struct sim_conn *conn, unsigned i, enum identity expected)
{
	const struct conn_plan *plan = conn->client.plan;
	const struct request_plan *request = &plan->requests[i];
	const json_t *json = conn->client.answers[i].json;
	const json_t *certificate = json_object_get(json, "certificate");
	enum config_when when = route_when(request->route);

	if (strcmp(text_of(json, "path"), route_path(request->route)) != 0 ||
	    strcmp(text_of(json, "method"), request->method) != 0)
		world_fail(world, "#%u request %u: the response is another request's: %s", conn->index, i,
			   conn->client.answers[i].body);
	if ((uint64_t)number_of(json, "body_bytes") != request->body ||
	    strcmp(text_of(json, "body_sha256"), conn->client.emitter.sha256[i]) != 0)
		world_fail(world, "#%u request %u: the body is not what was sent: %lld bytes, %s instead of %llu, %s",
			   conn->index, i, number_of(json, "body_bytes"), text_of(json, "body_sha256"),
			   (unsigned long long)request->body, conn->client.emitter.sha256[i]);
	if (json_is_null(certificate)) {
		if (expected == IDENTITY_GOOD || expected == IDENTITY_OTHER)
			world_fail(world, "#%u request %u went on without its identity", conn->index, i);
		if (world->scenario->require && when != CONFIG_WHEN_NEVER && when != CONFIG_WHEN_RESPONSE)
			world_fail(world, "#%u request %u was let in without a certificate", conn->index, i);
		return;
	}
	enum identity identity = identity_of(certificate);
	if (expected == IDENTITY_NONE || when == CONFIG_WHEN_NEVER ||
	    !can_be(world->scenario, plan, request->route, identity) ||
	    (expected != IDENTITY_EITHER && identity != expected))
		world_fail(world, "#%u request %u runs under an identity that it must not have: %s", conn->index, i,
			   text_of(certificate, "subject"));
	const struct pki_entry *entry = pki_get(identity == IDENTITY_OTHER ? PKI_OTHER : PKI_CLIENT);
	if (strcmp(text_of(certificate, "subject"), entry->subject) != 0)
		world_fail(world, "#%u request %u: the subject is %s", conn->index, i, text_of(certificate, "subject"));
	if (strcmp(text_of(certificate, "means"), "none") == 0 || strcmp(text_of(certificate, "moment"), "none") == 0)
		world_fail(world, "#%u request %u: an identity, by no means or at no moment", conn->index, i);
}

/* A refusal must say why, and what to do about it (RFC 9457). */
static void judge_problem(struct world *world, const struct sim_conn *conn, unsigned i)
{
	const struct answer *answer = &conn->client.answers[i];

	if (strcmp(answer->type, "application/problem+json") != 0 || answer->json == NULL)
		world_fail(world, "#%u request %u: %u is no problem+json: %s", conn->index, i, answer->status,
			   answer->body);
	else if ((unsigned)number_of(answer->json, "status") != answer->status ||
		 text_of(answer->json, "reason")[0] == '\0' || text_of(answer->json, "cure")[0] == '\0' ||
		 text_of(answer->json, "detail")[0] == '\0')
		world_fail(world, "#%u request %u: a problem that explains nothing: %s", conn->index, i, answer->body);
	if (answer->status == 307 && strncmp(answer->location, "https://handshake.test/", 23) != 0)
		world_fail(world, "#%u request %u: sent to %s", conn->index, i, answer->location);
}

void judge_answer(struct world *world, const struct sim_conn *conn, unsigned i, const struct expect *expect)
{
	const struct answer *answer = &conn->client.answers[i];
	const struct request_plan *request = &conn->client.plan->requests[i];
	unsigned outcome = outcome_of(answer->complete ? answer->status : 0);
	char allowed[96];

	if (!(outcome & expect->outcomes)) {
		outcomes_print(expect->outcomes, allowed, sizeof(allowed));
		world_fail(world, "#%u request %u (%s %s): %u instead of %s; the client: %s %s; %s", conn->index, i,
			   request->method, route_path(request->route), answer->status, allowed,
			   client_end_name(conn->client.end), conn->client.why != NULL ? conn->client.why : "",
			   answer->body != NULL ? answer->body : "");
		return;
	}
	if (!answer->complete || world->scenario->server != SERVER_GATEWAY)
		return;
	if (strcmp(answer->site, SCENARIO_SITE) != 0)
		world_fail(world, "#%u request %u: %u without the operator's field", conn->index, i, answer->status);
	if (strcmp(request->method, "HEAD") == 0)
		return;
	if (answer->status == 200)
		judge_inspect(world, conn, i, expect->identity);
	else if (answer->status != 204 && !(world->scenario->proxied && world->scenario->origin.habit == ORIGIN_EARLY))
		judge_problem(world, conn, i);
	if (request->expect == EXPECT_STRICT && answer->status == 200 && request->body > 0 && answer->hundreds != 1)
		world_fail(world, "#%u request %u: %u times 100", conn->index, i, answer->hundreds);
}

/* Whether the upstream sent this 413: then it is not the gateway's verdict. */
static bool by_upstream(const struct world *world, const struct answer *answer)
{
	return answer->status == 413 && world->scenario->proxied && world->scenario->origin.habit == ORIGIN_EARLY;
}

static enum thaw_verdict verdict_of(const char *name)
{
	for (int verdict = THAW_VERDICT_NONE; verdict <= THAW_VERDICT_CANCELLED; verdict++)
		if (strcmp(thaw_verdict_name((enum thaw_verdict)verdict), name) == 0)
			return (enum thaw_verdict)verdict;
	return THAW_VERDICT_PENDING;
}

/* Whether this verdict can lead to this status. */
static bool verdict_fits(unsigned status, enum thaw_verdict verdict, bool require)
{
	switch (status) {
	case 200:
	case 204:
		return verdict == THAW_VERDICT_ACCEPTED ||
		       (!require && (verdict == THAW_VERDICT_DECLINED || verdict == THAW_VERDICT_IMPOSSIBLE));
	case 307:
		return verdict == THAW_VERDICT_IMPOSSIBLE;
	case 403:
		return verdict == THAW_VERDICT_DECLINED || verdict == THAW_VERDICT_REJECTED ||
		       verdict == THAW_VERDICT_IMPOSSIBLE;
	case 408:
		return verdict == THAW_VERDICT_TIMED_OUT || verdict == THAW_VERDICT_ACCEPTED ||
		       verdict == THAW_VERDICT_CANCELLED ||
		       (!require && (verdict == THAW_VERDICT_DECLINED || verdict == THAW_VERDICT_IMPOSSIBLE));
	case 413:
	case 503:
		return verdict == THAW_VERDICT_OVER_LIMIT;
	default:
		return true;
	}
}

void judge_record(struct world *world, const struct sim_conn *conn, unsigned i, const struct expect *expect)
{
	const struct request_plan *request = &conn->client.plan->requests[i];
	const struct answer *answer = &conn->client.answers[i];
	const json_t *record = conn->records[i];
	const json_t *ask = json_object_get(record, "ask");
	enum config_when when = route_when(request->route);
	const char *target = text_of(record, "target");
	char expected[64];

	scenario_target(conn->client.plan, i, expected, sizeof(expected));
	if (target[0] != '\0' && strcmp(target, expected) != 0)
		world_fail(world, "#%u record %u is for %s instead of %s", conn->index, i, target, expected);
	if (answer->complete && number_of(record, "status") != answer->status)
		world_fail(world, "#%u record %u says %lld, the response was %u", conn->index, i,
			   number_of(record, "status"), answer->status);
	if (strcmp(text_of(record, "note"), "in the middle of a TLS handshake") == 0 &&
	    number_of(record, "status") != 0)
		world_fail(world, "#%u record %u says %lld, and no response could be written", conn->index, i,
			   number_of(record, "status"));
	if ((uint64_t)number_of(record, "body_in") > request->body)
		world_fail(world, "#%u record %u: a body of %lld bytes", conn->index, i, number_of(record, "body_in"));
	if (json_is_object(ask)) {
		enum thaw_verdict verdict = verdict_of(text_of(ask, "verdict"));
		if (verdict == THAW_VERDICT_PENDING || verdict == THAW_VERDICT_NONE)
			world_fail(world, "#%u record %u: the ask has no verdict", conn->index, i);
		if (answer->complete && when != CONFIG_WHEN_RESPONSE &&
		    !(answer->status == 503 && conn->client.plan->dismiss_ms > 0) && !by_upstream(world, answer) &&
		    !verdict_fits(answer->status, verdict, world->scenario->require))
			world_fail(world, "#%u record %u: %u by the verdict %s", conn->index, i, answer->status,
				   thaw_verdict_name(verdict));
		if (answer->complete && expect->verdict != THAW_VERDICT_NONE && verdict != expect->verdict &&
		    expect->outcomes == outcome_of(answer->status) && expect->identity != IDENTITY_EITHER &&
		    when != CONFIG_WHEN_RESPONSE)
			world_fail(world, "#%u record %u: the verdict %s instead of %s", conn->index, i,
				   thaw_verdict_name(verdict), thaw_verdict_name(expect->verdict));
		if (number_of(ask, "to_memory") + number_of(ask, "to_disk") > (long long)request->body)
			world_fail(world, "#%u record %u: more was spooled than sent", conn->index, i);
	} else if (answer->complete && answer->status == 200 && when != CONFIG_WHEN_NEVER &&
		   when != CONFIG_WHEN_RESPONSE) {
		world_fail(world, "#%u record %u: no ask's story", conn->index, i);
	}
}

/* One record for each request: at least one for each response, and at most one for each request. */
static void judge_records(struct world *world, const struct sim_conn *conn, const struct expect *expects)
{
	const struct client *client = &conn->client;

	if (conn->record_count < client->answered)
		world_fail(world, "#%u %u access records for %u responses", conn->index, conn->record_count,
			   client->answered);
	if (conn->record_count > client->plan->request_count)
		world_fail(world, "#%u %u access records for %u requests", conn->index, conn->record_count,
			   client->plan->request_count);
	for (unsigned i = 0; i < conn->record_count && !world->failed; i++)
		judge_record(world, conn, i, &expects[i]);
}

/* With the handshake on demand, a TLS 1.3 connection is asked as on a host that asks in each handshake, with the same
 * result. */
static void as_if_at_handshake(struct conn_plan *plan)
{
	if (plan->versions == VERSIONS_12)
		return;
	plan->handshake_host = true;
	for (unsigned i = 0; i < plan->request_count; i++)
		if (plan->requests[i].route != ROUTE_NEVER)
			plan->requests[i].route = ROUTE_HOST;
}

static void judge_conn(struct world *world, struct sim_conn *conn)
{
	struct expect expects[SCENARIO_REQUESTS] = {0};

	if (conn->client.http2 != NULL) {
		judge_http2(world, conn);
		return;
	}
	struct conn_plan asked = *conn->client.plan;
	if (conn->sent_away)
		as_if_at_handshake(&asked);
	predict(world->scenario, &asked, expects);
	/* If both sides reset a stream at the same time, the gateway may have left a note or not. */
	for (unsigned i = 0; asked.follows >= 0 && !conn->sent_away && i < asked.request_count; i++)
		expects[i] = (struct expect){OUTCOME_ANY, IDENTITY_EITHER, THAW_VERDICT_NONE};
	for (unsigned i = 0; i < conn->client.plan->request_count && !world->failed; i++)
		judge_answer(world, conn, i, &expects[i]);
	if (world->scenario->server == SERVER_GATEWAY && !world->failed)
		judge_records(world, conn, expects);
}

void oracle_judge(struct world *world)
{
	for (unsigned i = 0; i < world->scenario->conn_count && !world->failed; i++)
		judge_conn(world, &world->conns[i]);
}
