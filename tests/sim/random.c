/* Makes a scenario from a seed. About half of the clients are honest; the others have one or more bad habits. */
#include "random.h"

#include <string.h>

struct relay_limits random_relay(struct rng *rng)
{
	struct relay_limits limits = {
		.buffer = (size_t)PICK(rng, 1, 2, 17, 100, 536, 1448, 4096, 16384, 16384, 65536, 65536, 262144),
		.bytes_per_s = PICK(rng, 0, 0, 0, 20000, 100000, 1000000, 10000000),
	};
	/* A window too small for the delay would carry almost nothing. */
	limits.delay_us = limits.buffer < 100 ? rng_range(rng, 0, 20) : PICK(rng, 0, 0, 50, 1000, 10000, 80000);
	if (limits.buffer < 1448 && limits.delay_us > 1000)
		limits.delay_us = 1000;
	return limits;
}

/* The largest body that this connection can carry in reasonable time, virtual and real. */
static uint64_t body_max(const struct conn_plan *plan)
{
	uint64_t max = 4U << 20;
	uint64_t narrow = plan->up.buffer;

	if (narrow * 512U < max)
		max = narrow * 512U;
	if (narrow < 100)
		max = 6000;
	if (plan->record_max < 1448 && max > plan->record_max * 2000U + 5000)
		max = plan->record_max * 2000U + 5000;
	if (plan->up.bytes_per_s > 0 && max > plan->up.bytes_per_s * 4)
		max = plan->up.bytes_per_s * 4;
	if (plan->up.delay_us > 0 && max > plan->up.buffer * (2000000 / plan->up.delay_us + 1))
		max = plan->up.buffer * (2000000 / plan->up.delay_us + 1);
	return max;
}

static void random_request(struct rng *rng, const struct conn_plan *plan, struct request_plan *request)
{
	static const char *const methods[] = {"PUT", "POST", "PUT", "POST", "GET", "HEAD", "DELETE"};

	request->method = methods[rng_range(rng, 0, 6)];
	request->route = (enum route)PICK(rng, ROUTE_NEVER, ROUTE_LATE, ROUTE_LATE, ROUTE_LATE, ROUTE_EARLY, ROUTE_BODY,
					  ROUTE_AFTER, ROUTE_OTHER, ROUTE_PRIME);
	if (plan->handshake_host)
		request->route = ROUTE_HOST;
	if (request->route == ROUTE_PRIME)
		request->method = rng_chance(rng, 50) ? "GET" : "HEAD";
	request->close = rng_chance(rng, 5);
	if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
		return;
	request->framing = rng_chance(rng, 60) ? FRAMING_LENGTH : FRAMING_CHUNKED;
	request->body = rng_chance(rng, 8) ? 0 : rng_skewed(rng, body_max(plan));
	request->chunk = (size_t)PICK(rng, 1, 10, 1000, 16384, 70000);
	if (request->body > 20000 && request->chunk < 1000)
		request->chunk = 1000;
	request->trailers = rng_chance(rng, 30);
	if (request->body > 0 && rng_chance(rng, 20))
		request->expect = (enum request_expect)rng_range(rng, EXPECT_STRICT, EXPECT_AT_ONCE);
}

static void random_stack(struct rng *rng, struct conn_plan *plan)
{
	plan->stack = rng_chance(rng, 70) ? STACK_OPENSSL : STACK_GNUTLS;
	plan->versions = (enum client_versions)PICK(rng, VERSIONS_BOTH, VERSIONS_BOTH, VERSIONS_12, VERSIONS_13);
	plan->post_handshake = rng_chance(rng, 60);
	if (rng_chance(rng, 4))
		plan->no_extended_master = true;
	else if (plan->stack == STACK_GNUTLS && rng_chance(rng, 5))
		plan->no_secure_renegotiation = true;
	plan->handshake_host = rng_chance(rng, 10);
}

static void random_answer(struct rng *rng, struct conn_plan *plan)
{
	plan->answer = (enum client_answer)PICK(rng, ANSWER_GOOD, ANSWER_GOOD, ANSWER_GOOD, ANSWER_GOOD, ANSWER_GOOD,
						ANSWER_GOOD, ANSWER_EMPTY, ANSWER_WRONG_CA, ANSWER_EXPIRED,
						ANSWER_NEVER, ANSWER_EMPTY_ONCE, ANSWER_OTHER, ANSWER_REFUSES);
	/* GnuTLS cannot refuse. */
	if (plan->answer == ANSWER_REFUSES && plan->stack == STACK_GNUTLS)
		plan->answer = ANSWER_EMPTY;
	if (rng_chance(rng, 15))
		plan->answer_after_ms = PICK(rng, 1, 100, 3000, 100000);
}

static void random_habits(struct rng *rng, struct conn_plan *plan)
{
	plan->reading =
		(enum client_reading)PICK(rng, READS_ALWAYS, READS_ALWAYS, READS_AFTER, READS_AFTER, READS_SLOWLY);
	plan->read_max = (size_t)PICK(rng, 1, 7, 100, 1000);
	plan->read_pause_ms = PICK(rng, 1, 10, 100);
	plan->record_max = (size_t)PICK(rng, 16384, 16384, 16384, 1, 2, 100, 1448);
	if (rng_chance(rng, 3))
		plan->trickle_ms = PICK(rng, 10, 1000, 5000);
	if (rng_chance(rng, 20)) {
		plan->ending = (enum client_ending)rng_range(rng, ENDING_IDLE, ENDING_RESET);
		plan->ending_at = rng_chance(rng, 5) ? SIM_NEVER : rng_skewed(rng, 1U << 20);
	}
	plan->careless = rng_chance(rng, 5);
	plan->interleaves = plan->stack == STACK_GNUTLS && rng_chance(rng, 30);
	if (rng_chance(rng, 3)) {
		plan->renegotiates = true;
		plan->renegotiates_at = rng_skewed(rng, 10000);
	}
}

static void random_conn(struct rng *rng, struct scenario *scenario, unsigned index)
{
	struct conn_plan *plan = &scenario->conns[index];

	if (rng_chance(rng, 70)) {
		plan->up = random_relay(rng);
		plan->down = random_relay(rng);
	}
	random_stack(rng, plan);
	random_answer(rng, plan);
	if (rng_chance(rng, 60))
		random_habits(rng, plan);
	else if (rng_chance(rng, 50))
		plan->reading = READS_AFTER;
	plan->address = (unsigned)rng_range(rng, 0, 1);
	plan->start_ms = rng_chance(rng, 50) ? 0 : rng_skewed(rng, 3000);
	plan->retire_ms = rng_chance(rng, 5) ? 1 + rng_skewed(rng, 100000) : 0;
	plan->dismiss_ms = plan->retire_ms > 0 && rng_chance(rng, 60) ? 1 + rng_skewed(rng, 60000) : 0;
	plan->pipelined = rng_chance(rng, 15);
	plan->request_count = (unsigned)PICK(rng, 1, 1, 1, 2, 2, 3, 4);
	for (unsigned i = 0; i < plan->request_count; i++)
		random_request(rng, plan, &plan->requests[i]);
	if (index > 0 && rng_chance(rng, 20) && plan->stack == STACK_OPENSSL &&
	    scenario->conns[index - 1].stack == STACK_OPENSSL) {
		plan->resumes = (int)index - 1;
		plan->handshake_host = scenario->conns[index - 1].handshake_host;
		for (unsigned i = 0; i < plan->request_count; i++)
			if (plan->handshake_host != (plan->requests[i].route == ROUTE_HOST))
				plan->requests[i].route = plan->handshake_host ? ROUTE_HOST : ROUTE_LATE;
	}
}

/* A server behind the gateway, fast enough that it never causes a timeout. */
void random_origin(struct rng *rng, struct scenario *scenario)
{
	struct origin_plan *plan = &scenario->origin;

	scenario->proxied = true;
	plan->body = (enum origin_body)PICK(rng, ORIGIN_LENGTH, ORIGIN_CHUNKED, ORIGIN_UNTIL_CLOSE);
	plan->habit = (enum origin_habit)PICK(rng, ORIGIN_HONEST, ORIGIN_HONEST, ORIGIN_CLOSES_IDLE);
	plan->up =
		(struct relay_limits){.buffer = PICK(rng, 1, 100, 1448, 65536, 262144), .delay_us = PICK(rng, 0, 50)};
	plan->down = (struct relay_limits){.buffer = PICK(rng, 1, 100, 1448, 65536), .delay_us = PICK(rng, 0, 50)};
	if (plan->up.buffer < 1448)
		plan->up.delay_us = 0;
	plan->connect_ms = PICK(rng, 0, 0, 1, 100);
	plan->binds = rng_chance(rng, 25);
}

void scenario_from_seed(struct scenario *scenario, uint64_t seed)
{
	struct rng rng = {seed * UINT64_C(0x2545f4914f6cdd1d) + 1};

	scenario_init(scenario);
	scenario->seed = seed;
	scenario->require = rng_chance(&rng, 80);
	scenario->elsewhere = rng_chance(&rng, 25);
	scenario->hold_to_tls12 = rng_chance(&rng, 70);
	scenario->timeout_ms = PICK(&rng, 120000, 120000, 120000, 20000, 3000);
	scenario->grace_ms = PICK(&rng, 1000, 1000, 0);
	scenario->max_body = rng_chance(&rng, 75) ? UINT64_C(1) << 30 : rng_skewed(&rng, 300000);
	scenario->memory = PICK(&rng, 64U << 20, 64U << 20, 1U << 20, 256U << 10, 64U << 10);
	scenario->disk = PICK(&rng, 0, 0, 64U << 20, 1U << 20);
	scenario->per_client_percent = (unsigned)PICK(&rng, 100, 100, 50, 25);
	scenario->request_memory = PICK(&rng, 0, 0, 16384, 131072);
	scenario->conn_count = (unsigned)PICK(&rng, 1, 1, 1, 2, 3, 4);
	for (unsigned i = 0; i < scenario->conn_count; i++)
		random_conn(&rng, scenario, i);
	if (rng_chance(&rng, 40))
		random_origin(&rng, scenario);
}
