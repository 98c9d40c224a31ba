/* Makes a scenario from a seed whose clients speak HTTP/2. About half of them are honest. */
#include <string.h>

#include "random.h"

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The bytes that a relay can carry in reasonable time, virtual and real. */
static uint64_t carries(const struct relay_limits *relay, unsigned share)
{
	uint64_t max = relay->buffer < 100 ? 2000 : smaller(relay->buffer * UINT64_C(256), 2U << 20);

	if (relay->bytes_per_s > 0)
		max = smaller(max, relay->bytes_per_s * 4);
	if (relay->delay_us > 0)
		max = smaller(max, relay->buffer * (2000000 / relay->delay_us + 1));
	return max / share;
}

static void random_cancel(struct rng *rng, struct request_plan *request)
{
	request->cancel = (enum request_cancel)rng_range(rng, CANCEL_LATER, CANCEL_HEARD);
	request->cancel_at = request->cancel == CANCEL_LATER  ? rng_skewed(rng, 20000)
			     : request->cancel == CANCEL_SENT ? rng_skewed(rng, request->body)
							      : rng_skewed(rng, request->pad);
}

static void random_body(struct rng *rng, const struct scenario *scenario, const struct conn_plan *plan,
			struct request_plan *request)
{
	uint64_t max =
		smaller(carries(&plan->up, plan->request_count), carries(&scenario->origin.up, plan->request_count));

	if (plan->record_max < 1448)
		max = smaller(max, plan->record_max * UINT64_C(400) + 1000);
	request->framing = rng_chance(rng, 60) ? FRAMING_LENGTH : FRAMING_CHUNKED;
	request->body = rng_chance(rng, 8) ? 0 : rng_skewed(rng, max);
	request->chunk = (size_t)PICK(rng, 0, 0, 0, 100, 1000, 16384);
	if (request->chunk > 0 && request->body / request->chunk > 500)
		request->chunk = (size_t)(request->body / 500);
	request->trailers = rng_chance(rng, 30);
	if (request->chunk > 0 && rng_chance(rng, 30))
		request->pause_ms = PICK(rng, 1, 10, 1000);
	if (request->body > 0 && rng_chance(rng, 15))
		request->expect = (enum request_expect)rng_range(rng, EXPECT_STRICT, EXPECT_AT_ONCE);
}

static void random_stream(struct rng *rng, const struct scenario *scenario, const struct conn_plan *plan,
			  struct request_plan *request)
{
	static const char *const methods[] = {"PUT", "POST", "PUT", "POST", "GET", "GET", "HEAD", "DELETE"};

	request->method = methods[rng_range(rng, 0, 7)];
	request->route = rng_chance(rng, 85) ? ROUTE_NEVER : (enum route)rng_range(rng, ROUTE_LATE, ROUTE_PRIME);
	if (plan->handshake_host)
		request->route = ROUTE_HOST;
	if (scenario->proxied && rng_chance(rng, 60))
		request->pad = rng_skewed(rng, smaller(carries(&plan->down, plan->request_count),
						       carries(&scenario->origin.down, plan->request_count)));
	request->start_ms = rng_chance(rng, 60) ? 0 : rng_skewed(rng, 3000);
	if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
		random_body(rng, scenario, plan, request);
	if (rng_chance(rng, 10))
		random_cancel(rng, request);
}

static void random_windows(struct rng *rng, struct conn_plan *plan)
{
	struct window_plan *windows = &plan->windows;

	windows->stream = (uint32_t)PICK(rng, 65535, 65535, 1 << 20, 6 << 20, 16384, 1000, 100, 1, 0);
	windows->connection = (uint32_t)PICK(rng, 65535, 65535, 1 << 20, 15 << 20);
	if (rng_chance(rng, 70)) {
		windows->stream = windows->stream < 1000 ? 1000 : windows->stream;
		return;
	}
	windows->grants = rng_chance(rng, 60) ? GRANTS_DRIBBLE : GRANTS_NEVER;
	windows->withholds_connection = rng_chance(rng, 20);
	windows->grant_max = (uint32_t)PICK(rng, 1, 10, 1000, 16384, 65535);
	windows->grant_pause_ms = PICK(rng, 1, 10, 100, 1000, 20000);
}

static void random_habits(struct rng *rng, struct conn_plan *plan)
{
	plan->reading =
		(enum client_reading)PICK(rng, READS_ALWAYS, READS_ALWAYS, READS_AFTER, READS_AFTER, READS_SLOWLY);
	plan->read_max = (size_t)PICK(rng, 7, 100, 1000, 10000);
	plan->read_pause_ms = PICK(rng, 1, 10, 100);
	plan->record_max = (size_t)PICK(rng, 16384, 16384, 16384, 1, 10, 100, 1448);
	if (rng_chance(rng, 3))
		plan->trickle_ms = PICK(rng, 10, 1000, 5000);
	if (rng_chance(rng, 20)) {
		plan->ending = (enum client_ending)rng_range(rng, ENDING_IDLE, ENDING_RESET);
		plan->ending_at = rng_chance(rng, 5) ? SIM_NEVER : rng_skewed(rng, 1U << 20);
	}
}

static void random_conn(struct rng *rng, struct scenario *scenario, unsigned index)
{
	struct conn_plan *plan = &scenario->conns[index];

	plan->http2 = true;
	if (rng_chance(rng, 70)) {
		plan->up = random_relay(rng);
		plan->down = random_relay(rng);
	}
	plan->versions = (enum client_versions)PICK(rng, VERSIONS_BOTH, VERSIONS_BOTH, VERSIONS_12, VERSIONS_13);
	plan->post_handshake = rng_chance(rng, 40);
	plan->handshake_host = rng_chance(rng, 20);
	plan->answer = (enum client_answer)PICK(rng, ANSWER_GOOD, ANSWER_GOOD, ANSWER_GOOD, ANSWER_EMPTY,
						ANSWER_WRONG_CA, ANSWER_EXPIRED);
	if (plan->handshake_host && rng_chance(rng, 20))
		plan->answer_after_ms = PICK(rng, 1, 100, 3000, 100000);
	if (rng_chance(rng, 50))
		random_habits(rng, plan);
	if (rng_chance(rng, 60))
		random_windows(rng, plan);
	plan->address = (unsigned)rng_range(rng, 0, 1);
	plan->start_ms = rng_chance(rng, 50) ? 0 : rng_skewed(rng, 3000);
	plan->retire_ms = rng_chance(rng, 10) ? 1 + rng_skewed(rng, 100000) : 0;
	plan->dismiss_ms = plan->retire_ms > 0 && rng_chance(rng, 60) ? 1 + rng_skewed(rng, 60000) : 0;
	plan->request_count = (unsigned)PICK(rng, 1, 2, 3, 4, 8, SCENARIO_REQUESTS);
	for (unsigned i = 0; i < plan->request_count; i++)
		random_stream(rng, scenario, plan, &plan->requests[i]);
}

/* Upstream habits that a stream and its neighbours must survive. */
static void random_bad_origin(struct rng *rng, struct scenario *scenario)
{
	struct origin_plan *plan = &scenario->origin;

	plan->habit = (enum origin_habit)rng_range(rng, ORIGIN_AWAY, ORIGIN_SILENT);
	plan->at = rng_chance(rng, 30) ? 0 : rng_skewed(rng, 300000);
	plan->read_max = (size_t)PICK(rng, 100, 4096, 16384);
	plan->pause_ms = PICK(rng, 1, 10, 100);
}

/* Copies the requests that are reset with HTTP_1_1_REQUIRED: those of late routes with the host's own trust. */
static unsigned take_late(const struct conn_plan *from, struct conn_plan *to)
{
	for (unsigned i = 0; i < from->request_count; i++) {
		struct request_plan *request = &to->requests[to->request_count];
		if (from->requests[i].route < ROUTE_LATE || from->requests[i].route > ROUTE_AFTER)
			continue;
		*request = from->requests[i];
		request->pad = request->start_ms = request->pause_ms = 0;
		request->cancel = CANCEL_NOT;
		request->chunk = request->chunk > 0 ? request->chunk : 1000;
		to->request_count++;
	}
	return to->request_count;
}

/* The connection that a browser opens after its late request was reset. */
static void random_follower(struct rng *rng, struct scenario *scenario)
{
	struct conn_plan *first = &scenario->conns[0], *plan = &scenario->conns[scenario->conn_count];

	if (scenario->conn_count == SCENARIO_CONNS || first->handshake_host || take_late(first, plan) == 0)
		return;
	scenario->conn_count++;
	first->stack = STACK_OPENSSL;
	first->browser = plan->browser = true;
	first->post_handshake = plan->post_handshake = false;
	plan->versions = first->versions;
	plan->address = first->address;
	plan->follows = 0;
	plan->answer = first->answer;
	plan->answer_after_ms = rng_chance(rng, 30) ? rng_skewed(rng, scenario->timeout_ms) : 0;
	if (rng_chance(rng, 50)) {
		plan->up = first->up;
		plan->down = first->down;
	}
}

void scenario_from_h2_seed(struct scenario *scenario, uint64_t seed)
{
	struct rng rng = {seed * UINT64_C(0x2545f4914f6cdd1d) + 2};

	scenario_init(scenario);
	scenario->seed = seed;
	scenario->require = rng_chance(&rng, 80);
	scenario->elsewhere = rng_chance(&rng, 25);
	scenario->hold_to_tls12 = rng_chance(&rng, 70);
	scenario->timeout_ms = PICK(&rng, 120000, 120000, 20000);
	if (rng_chance(&rng, 75))
		random_origin(&rng, scenario);
	scenario->origin.binds = false;
	if (scenario->proxied && rng_chance(&rng, 25))
		random_bad_origin(&rng, scenario);
	scenario->conn_count = (unsigned)PICK(&rng, 1, 1, 1, 2, 3);
	for (unsigned i = 0; i < scenario->conn_count; i++)
		random_conn(&rng, scenario, i);
	for (unsigned i = 0; i < scenario->conn_count; i++)
		if (rng_chance(&rng, 20))
			scenario->conns[i].stack = STACK_GNUTLS;
	if (scenario->origin.habit == ORIGIN_HONEST && rng_chance(&rng, 60))
		random_follower(&rng, scenario);
}
