#include "predict.h"

#include "thaw/spool.h"
#include <stdio.h>
#include <string.h>

#define SLOW_US      15000000 /* half of the shortest deadline for the bytes of a request */
#define HANDSHAKES   12000    /* bytes of all handshakes of a connection */
#define RECORD_BYTES 40       /* overhead of a TLS record */
#define BEHIND_MAX   16384    /* pipelined bytes that are certainly held after an asked request */

unsigned outcome_of(unsigned status)
{
	static const struct {
		unsigned status, outcome;
	} all[] = {
		{0, OUTCOME_NONE},  {200, OUTCOME_200}, {204, OUTCOME_200}, {307, OUTCOME_307},
		{400, OUTCOME_400}, {403, OUTCOME_403}, {408, OUTCOME_408}, {413, OUTCOME_413},
		{503, OUTCOME_503}, {502, OUTCOME_502}, {504, OUTCOME_504},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].status == status)
			return all[i].outcome;
	return 0;
}

void outcomes_print(unsigned outcomes, char *text, size_t room)
{
	static const char *const names[] = {"none", "200", "307", "400", "403", "408", "413", "503", "502", "504"};
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && len < room; i++)
		if (outcomes & (1U << i))
			len += (size_t)snprintf(text + len, room - len, "%s%s", len > 0 ? " or " : "", names[i]);
}

bool predict_tls13(const struct scenario *scenario, const struct conn_plan *plan)
{
	bool hold = scenario->hold_to_tls12 && !plan->handshake_host && !plan->post_handshake &&
		    plan->versions == VERSIONS_BOTH;
	return plan->versions != VERSIONS_12 && !hold;
}

enum thaw_means predict_means(const struct scenario *scenario, const struct conn_plan *plan)
{
	if (predict_tls13(scenario, plan))
		return plan->post_handshake ? THAW_MEANS_POST_HANDSHAKE : THAW_MEANS_NONE;
	return plan->no_secure_renegotiation ? THAW_MEANS_NONE : THAW_MEANS_RENEGOTIATION;
}

static uint64_t request_bytes(const struct request_plan *request, size_t record_max)
{
	uint64_t body = request->body;

	if (request->framing == FRAMING_CHUNKED)
		body += 64 + (request->chunk < 16 ? 7 * body : body / 2); /* most chunks are small */
	return 400 + body + (body / (record_max < 4096 ? record_max : 4096) + 2) * RECORD_BYTES;
}

static uint64_t direction_us(const struct relay_limits *limits, uint64_t bytes)
{
	uint64_t us = limits->delay_us * (bytes / limits->buffer + 10);

	if (limits->bytes_per_s > 0)
		us += bytes * 1000000 / limits->bytes_per_s;
	return us;
}

/* The time for all bytes, as a rough upper bound. */
static uint64_t transfer_us(const struct conn_plan *plan)
{
	uint64_t up = HANDSHAKES, down = HANDSHAKES;

	for (unsigned i = 0; i < plan->request_count; i++) {
		up += request_bytes(&plan->requests[i], plan->record_max);
		down += 2000;
	}
	uint64_t us = direction_us(&plan->up, up) + direction_us(&plan->down, down);
	if (plan->reading == READS_SLOWLY)
		us += (down / plan->read_max + 1) * plan->read_pause_ms * 1000;
	return us;
}

static bool has_body(const struct request_plan *request)
{
	return request->framing == FRAMING_CHUNKED || (request->framing == FRAMING_LENGTH && request->body > 0);
}

static bool asks_late(const struct request_plan *request)
{
	return route_when(request->route) != CONFIG_WHEN_NEVER && route_when(request->route) != CONFIG_WHEN_HANDSHAKE;
}

/* A GnuTLS client that sends in the middle of a renegotiation ends its own connection. */
static bool interleaves_fatally(const struct scenario *scenario, const struct conn_plan *plan)
{
	if (!plan->interleaves || predict_tls13(scenario, plan))
		return false;
	for (unsigned i = 0; i < plan->request_count; i++) {
		enum config_when when = route_when(plan->requests[i].route);
		bool more = plan->pipelined && i + 1 < plan->request_count;
		if (when == CONFIG_WHEN_REQUEST_EARLY || when == CONFIG_WHEN_RESPONSE ||
		    (more && asks_late(&plan->requests[i])))
			return true;
		if (plan->requests[i].expect != EXPECT_NONE)
			return true; /* the body may arrive in the middle */
	}
	return false;
}

bool predict_clean(const struct scenario *scenario, const struct conn_plan *plan)
{
	uint64_t slow_us = SLOW_US < scenario->timeout_ms * 500 ? SLOW_US : scenario->timeout_ms * 500;

	if (plan->ending != ENDING_NORMAL && plan->ending != ENDING_IDLE)
		return false;
	if (plan->trickle_ms > 0 || transfer_us(plan) > slow_us || interleaves_fatally(scenario, plan))
		return false;
	/* The client may not read a response before it has sent its next request. */
	if (plan->pipelined && plan->request_count > 1 && plan->down.buffer < 16384 &&
	    (plan->reading == READS_AFTER || plan->stack == STACK_OPENSSL))
		return false;
	if (plan->retire_ms > 0)
		return false;
	if (plan->careless && plan->stack == STACK_OPENSSL)
		return false;
	if (plan->renegotiates && !predict_tls13(scenario, plan))
		return false;
	/* OpenSSL neither sends nor receives until its human has answered. */
	if (plan->stack == STACK_OPENSSL && plan->answer == ANSWER_NEVER)
		return false;
	return plan->answer_after_ms == 0 || plan->answer_after_ms + slow_us / 500 < scenario->timeout_ms;
}

/* The state of the prediction between two requests. */
struct standing {
	const struct scenario *scenario;
	const struct conn_plan *plan;
	enum thaw_means means;
	unsigned asked;     /* how often asked so far */
	enum identity has;  /* accepted on this connection */
	bool refused_after; /* refused in the ask after a response */
	struct expect after;
	bool broken;            /* the connection ends early because of a refused renegotiation */
	bool after_pending;     /* `after` may still be pending when the next request arrives */
	bool outstanding, over; /* over: the last response announced the end of the connection */
};

static struct expect refusal(const struct standing *at, unsigned outcome, enum thaw_verdict verdict)
{
	if (!at->scenario->require && (verdict == THAW_VERDICT_DECLINED || verdict == THAW_VERDICT_IMPOSSIBLE))
		return (struct expect){OUTCOME_200, IDENTITY_NONE, verdict};
	return (struct expect){outcome, IDENTITY_NONE, verdict};
}

static struct expect impossible(const struct standing *at)
{
	return refusal(at, at->scenario->elsewhere ? OUTCOME_307 : OUTCOME_403, THAW_VERDICT_IMPOSSIBLE);
}

static struct expect accepted(struct standing *at, bool other)
{
	at->has = other ? IDENTITY_OTHER : IDENTITY_GOOD;
	return (struct expect){OUTCOME_200, at->has, THAW_VERDICT_ACCEPTED};
}

/* What the client gives when it is asked. other: the route has the other CA. */
static struct expect answer(struct standing *at, bool other, bool at_handshake)
{
	bool first = at->asked++ == 0;

	switch (at->plan->answer) {
	case ANSWER_GOOD:
		break;
	case ANSWER_EMPTY_ONCE:
		if (first)
			return refusal(at, OUTCOME_403, THAW_VERDICT_DECLINED);
		break;
	case ANSWER_EMPTY:
		return refusal(at, OUTCOME_403, THAW_VERDICT_DECLINED);
	case ANSWER_WRONG_CA:
	case ANSWER_EXPIRED:
		return refusal(at, OUTCOME_403, THAW_VERDICT_REJECTED);
	case ANSWER_NEVER:
		if (at_handshake)
			return refusal(at, OUTCOME_403, THAW_VERDICT_DECLINED);
		at->outstanding = true;
		return refusal(at, OUTCOME_408, THAW_VERDICT_TIMED_OUT);
	case ANSWER_REFUSES:
		if (at_handshake || at->means == THAW_MEANS_POST_HANDSHAKE)
			return refusal(at, OUTCOME_403, THAW_VERDICT_DECLINED);
		/* Its alert may be stuck because the relay is full: OpenSSL sends it only with its next record. */
		return (struct expect){OUTCOME_NONE | OUTCOME_408, IDENTITY_NONE, THAW_VERDICT_NONE};
	case ANSWER_OTHER:
		if (other && at->has == IDENTITY_NONE)
			return accepted(at, true);
		if (other || at->has == IDENTITY_OTHER)
			return refusal(at, OUTCOME_403, THAW_VERDICT_REJECTED);
		return accepted(at, false);
	}
	return other || at->has == IDENTITY_OTHER ? refusal(at, OUTCOME_403, THAW_VERDICT_REJECTED)
						  : accepted(at, false);
}

/* Whether all connections together certainly stay within each spool budget. */
static bool fits_budgets(const struct scenario *scenario)
{
	uint64_t all = 0, tier;

	for (unsigned i = 0; i < scenario->conn_count; i++)
		for (unsigned k = 0; k < scenario->conns[i].request_count; k++)
			all += scenario->conns[i].requests[k].body + 4U * THAW_SPOOL_CHUNK;
	tier = scenario->memory / 100 * scenario->per_client_percent;
	if (scenario->request_memory > 0 && scenario->request_memory < tier)
		tier = scenario->request_memory;
	/* A part is reserved for requests that have just begun. */
	if (all <= tier / 4 * 3)
		return true;
	return scenario->conn_count == 1 && scenario->disk_room == 0 &&
	       all <= scenario->disk / 100 * scenario->per_client_percent && tier >= 8U * THAW_SPOOL_CHUNK;
}

static bool much_behind(const struct standing *at, const struct request_plan *request)
{
	uint64_t behind = 0;

	for (const struct request_plan *next = request + 1; next < at->plan->requests + at->plan->request_count; next++)
		behind += request_bytes(next, 16384);
	return at->plan->pipelined && behind > BEHIND_MAX;
}

/* Applies the limits: what is certainly held, what may be held, and what follows it. */
static void limit(const struct standing *at, const struct request_plan *request, struct expect *expect)
{
	const struct scenario *scenario = at->scenario;
	bool whole = at->means == THAW_MEANS_RENEGOTIATION || route_when(request->route) == CONFIG_WHEN_BODY;
	bool strict = request->expect == EXPECT_STRICT && route_when(request->route) != CONFIG_WHEN_BODY;

	if (route_when(request->route) == CONFIG_WHEN_REQUEST_EARLY)
		whole = false;
	if (request->expect != EXPECT_NONE && route_when(request->route) != CONFIG_WHEN_BODY)
		whole = false;
	if (much_behind(at, request))
		expect->outcomes |= OUTCOME_400;
	if (strict || !has_body(request))
		return;
	if (request->body > scenario->max_body) {
		if (whole)
			*expect = (struct expect){OUTCOME_413, IDENTITY_NONE, THAW_VERDICT_OVER_LIMIT};
		else
			expect->outcomes |= OUTCOME_413;
	}
	if (!fits_budgets(scenario))
		expect->outcomes |= OUTCOME_503;
}

/*
 * A refusal that crosses the client's ClientHello: OpenSSL's client reads it if it is reading at that moment, and ends
 * the connection if it is writing.
 */
static void crossing(const struct standing *at, struct expect *expect)
{
	bool refused = (expect->outcomes & (OUTCOME_400 | OUTCOME_413 | OUTCOME_503)) != 0;

	if (refused && at->means == THAW_MEANS_RENEGOTIATION && expect->outcomes != OUTCOME_413)
		expect->outcomes |= OUTCOME_NONE;
}

static bool believed(const struct standing *at, bool other)
{
	return other ? at->has == IDENTITY_OTHER : at->has == IDENTITY_GOOD;
}

static struct expect late(struct standing *at, const struct request_plan *request)
{
	bool other = request->route == ROUTE_OTHER;

	if (believed(at, other))
		return (struct expect){OUTCOME_200, at->has, THAW_VERDICT_ACCEPTED};
	if (at->means == THAW_MEANS_NONE || at->outstanding)
		return impossible(at);
	struct expect expect = answer(at, other, false);
	limit(at, request, &expect);
	crossing(at, &expect);
	return expect;
}

static struct expect after(struct standing *at, const struct request_plan *request)
{
	if (believed(at, false))
		return (struct expect){OUTCOME_200, at->has, THAW_VERDICT_ACCEPTED};
	if (at->refused_after && at->scenario->require)
		return at->after;
	if (!at->refused_after && !request->close) {
		at->after_pending = true;
		at->after = at->means == THAW_MEANS_NONE ? impossible(at) : answer(at, false, false);
		at->refused_after = at->after.verdict != THAW_VERDICT_ACCEPTED;
		at->broken = (at->after.outcomes & OUTCOME_NONE) != 0;
	}
	return (struct expect){OUTCOME_200, IDENTITY_NONE, THAW_VERDICT_NONE};
}

static struct expect one(struct standing *at, const struct request_plan *request)
{
	switch (route_when(request->route)) {
	case CONFIG_WHEN_NEVER:
		return (struct expect){OUTCOME_200, IDENTITY_NONE, THAW_VERDICT_NONE};
	case CONFIG_WHEN_HANDSHAKE:
		if (at->has == IDENTITY_GOOD)
			return (struct expect){OUTCOME_200, IDENTITY_GOOD, THAW_VERDICT_ACCEPTED};
		at->asked = 0; /* the handshake was the only ask */
		return answer(at, false, true);
	case CONFIG_WHEN_RESPONSE:
		return after(at, request);
	case CONFIG_WHEN_REQUEST:
	case CONFIG_WHEN_REQUEST_EARLY:
	case CONFIG_WHEN_BODY:
		break;
	}
	return late(at, request);
}

/* This request is held, within the limits, until the ask after the previous response is settled. */
static unsigned held_meanwhile(const struct standing *at, const struct request_plan *request)
{
	unsigned outcomes = much_behind(at, request) ? OUTCOME_400 : 0;

	if (request->body > at->scenario->max_body)
		outcomes |= OUTCOME_413;
	if (request->body > 0 && !fits_budgets(at->scenario))
		outcomes |= OUTCOME_503;
	return outcomes;
}

/* Which failure it is, depends on the scenario: a named scenario checks it. */
static bool fails_upstream(const struct scenario *scenario)
{
	enum origin_habit habit = scenario->origin.habit;
	bool slow = habit == ORIGIN_SLOW && scenario->origin.pause_ms >= 1000;

	return scenario->proxied && habit != ORIGIN_HONEST && habit != ORIGIN_CLOSES_IDLE && habit != ORIGIN_EVENTS &&
	       (habit != ORIGIN_SLOW || slow);
}

static bool repeatable(const struct request_plan *request)
{
	return !has_body(request) && strcmp(request->method, "POST") != 0;
}

void predict(const struct scenario *scenario, const struct conn_plan *plan, struct expect expects[SCENARIO_REQUESTS])
{
	struct standing at = {.scenario = scenario, .plan = plan, .means = predict_means(scenario, plan)};
	bool clean = predict_clean(scenario, plan);
	bool sure = true; /* the requests so far have certainly left the connection open */

	for (unsigned i = 0; i < plan->request_count; i++) {
		if (!clean || at.broken || plan->resumes >= 0) {
			expects[i] = (struct expect){OUTCOME_ANY, IDENTITY_EITHER, THAW_VERDICT_NONE};
			continue;
		}
		if (at.over) {
			expects[i] = (struct expect){OUTCOME_NONE, IDENTITY_NONE, THAW_VERDICT_NONE};
			continue;
		}
		bool waits = at.after_pending;
		at.after_pending = false;
		unsigned asked = at.asked;
		expects[i] = one(&at, &plan->requests[i]);
		if (waits)
			expects[i].outcomes |= held_meanwhile(&at, &plan->requests[i]);
		if (!(expects[i].outcomes & OUTCOME_200) || plan->requests[i].close)
			at.over = true;
		if (!sure)
			expects[i].identity = IDENTITY_EITHER;
		if (!sure)
			expects[i].outcomes |= OUTCOME_NONE;
		if (fails_upstream(scenario) && (expects[i].outcomes & OUTCOME_200) != 0)
			expects[i].outcomes = OUTCOME_NONE | OUTCOME_413 | OUTCOME_502 | OUTCOME_504;
		/* A request cannot always be sent again when the server closes the connection at that moment. */
		if (scenario->origin.habit == ORIGIN_CLOSES_IDLE && !repeatable(&plan->requests[i]))
			expects[i].outcomes |= OUTCOME_502;
		/* Requests that follow before the client renegotiates are dropped; those sent afterwards are not. */
		bool overtaken = plan->pipelined && at.means == THAW_MEANS_RENEGOTIATION && at.asked > asked;
		sure = sure && (expects[i].outcomes & ~(unsigned)OUTCOME_200) == 0 && !overtaken;
	}
}
