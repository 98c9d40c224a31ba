#include "named.h"

#include <string.h>

#include "watch.h"

#define KiB 1024U
#define MiB (1024U * KiB)

/* ---- how a scenario differs from one fast connection with one honest client and one request ---- */

static void small_relays(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];
	plan->up.buffer = plan->down.buffer = 4096;
}

static void one_byte_relays(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];
	plan->up = plan->down = (struct relay_limits){.buffer = 1};
}

static void one_byte_down(struct scenario *scenario)
{
	scenario->conns[0].down = (struct relay_limits){.buffer = 1};
}

static void one_byte_records(struct scenario *scenario)
{
	scenario->conns[0].record_max = 1;
}

static void chunked(struct scenario *scenario)
{
	struct request_plan *request = &scenario->conns[0].requests[0];
	request->framing = FRAMING_CHUNKED;
	request->chunk = 1000;
	request->trailers = true;
}

static void at_handshake(struct scenario *scenario)
{
	scenario->conns[0].handshake_host = true;
}

static void human_at_handshake(struct scenario *scenario)
{
	at_handshake(scenario);
	scenario->conns[0].answer_after_ms = 100000;
}

static void late_human_at_handshake(struct scenario *scenario)
{
	at_handshake(scenario);
	scenario->conns[0].answer_after_ms = 130000;
}

static void primed(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];
	plan->requests[1] = plan->requests[0];
	plan->requests[0] = (struct request_plan){.method = "HEAD", .route = ROUTE_PRIME};
	plan->request_count = 2;
}

/* ---- through an upstream server ---- */

static void proxied(struct scenario *scenario)
{
	scenario->proxied = true;
}

static void proxied_small(struct scenario *scenario)
{
	scenario->proxied = true;
	scenario->origin.up.buffer = scenario->origin.down.buffer = 4096;
	small_relays(scenario);
}

static void proxied_one_byte(struct scenario *scenario)
{
	scenario->proxied = true;
	scenario->origin.up = scenario->origin.down = (struct relay_limits){.buffer = 1};
	one_byte_relays(scenario);
}

static void proxied_chunked(struct scenario *scenario)
{
	scenario->proxied = true;
	scenario->origin.body = ORIGIN_CHUNKED;
	chunked(scenario);
}

static void proxied_until_close(struct scenario *scenario)
{
	scenario->proxied = true;
	scenario->origin.body = ORIGIN_UNTIL_CLOSE;
}

static void proxied_expect(struct scenario *scenario)
{
	scenario->proxied = true;
	scenario->conns[0].requests[0].expect = EXPECT_STRICT;
}

static void proxied_twice(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];

	scenario->proxied = true;
	plan->requests[1] = plan->requests[2] = plan->requests[0];
	plan->request_count = 3;
}

/* Two clients take turns at a server that offers NTLM. */
static void proxied_pinned(struct scenario *scenario)
{
	proxied_twice(scenario);
	scenario->conns[1] = scenario->conns[0];
	scenario->conn_count = 2;
	scenario->origin.binds = true;
}

static void check_two_upconns(struct world *world)
{
	if (world->origin.count != 2 || world->origin.requests != 6)
		world_fail(world, "%u connections for %u requests", world->origin.count, world->origin.requests);
}

static void proxied_pinned_closes_idle(struct scenario *scenario)
{
	proxied_pinned(scenario);
	scenario->origin.habit = ORIGIN_CLOSES_IDLE;
}

/* A server that closes each connection after its response, as many servers close idle connections. */
static void proxied_closes_idle(struct scenario *scenario)
{
	proxied_twice(scenario);
	scenario->origin.habit = ORIGIN_CLOSES_IDLE;
}

static void habit(struct scenario *scenario, enum origin_habit habit, uint64_t at)
{
	scenario->proxied = true;
	scenario->origin.habit = habit;
	scenario->origin.at = at;
}

static void upstream_away(struct scenario *scenario)
{
	habit(scenario, ORIGIN_AWAY, 0);
}

static void upstream_closes(struct scenario *scenario)
{
	habit(scenario, ORIGIN_CLOSES, 100000);
}

static void upstream_closes_small(struct scenario *scenario)
{
	habit(scenario, ORIGIN_CLOSES, 100000);
	proxied_small(scenario);
}

static void upstream_resets(struct scenario *scenario)
{
	habit(scenario, ORIGIN_RESETS, 100000);
}

static void upstream_early(struct scenario *scenario)
{
	habit(scenario, ORIGIN_EARLY, 1000);
}

static void upstream_garbage(struct scenario *scenario)
{
	habit(scenario, ORIGIN_GARBAGE, 1000);
}

static void upstream_cuts(struct scenario *scenario)
{
	habit(scenario, ORIGIN_CUTS, 0);
}

static void upstream_silent(struct scenario *scenario)
{
	habit(scenario, ORIGIN_SILENT, 1000);
}

static void upstream_slow(struct scenario *scenario)
{
	habit(scenario, ORIGIN_SLOW, 0);
	scenario->origin.read_max = 4096;
	scenario->origin.pause_ms = 10;
}

/* Like server-sent events: a few bytes at a time, with pauses shorter than response_timeout, but longer in total. */
static void upstream_events(struct scenario *scenario)
{
	habit(scenario, ORIGIN_EVENTS, 0);
	scenario->origin.body = ORIGIN_CHUNKED;
	scenario->origin.read_max = 100;
	scenario->origin.pause_ms = 45000;
}

/* One byte per second: it cannot end within any deadline. */
static void upstream_too_slow(struct scenario *scenario)
{
	habit(scenario, ORIGIN_SLOW, 0);
	scenario->origin.read_max = 1;
	scenario->origin.pause_ms = 1000;
	scenario->origin.up.buffer = 4096;
}

static void check_cut(struct world *world)
{
	const struct client *client = &world->conns[0].client;

	if (client->answers[0].complete || client->end == CLIENT_TOLD_BYE)
		world_fail(world, "half a response looks complete");
}

static void check_one_upconn(struct world *world)
{
	if (world->origin.count != 1 || world->origin.requests != 3)
		world_fail(world, "%u connections for %u requests", world->origin.count, world->origin.requests);
}

static void resumed(struct scenario *scenario)
{
	scenario->conns[1] = scenario->conns[0];
	scenario->conns[1].resumes = 0;
	scenario->conn_count = 2;
}

static void expects(struct scenario *scenario)
{
	scenario->conns[0].requests[0].expect = EXPECT_STRICT;
}

static void expects_and_waits(struct scenario *scenario)
{
	scenario->conns[0].requests[0].expect = EXPECT_STRICT;
	scenario->conns[0].answer_after_ms = 5000;
}

static void expects_impatiently(struct scenario *scenario)
{
	scenario->conns[0].requests[0].expect = EXPECT_IMPATIENT;
	scenario->conns[0].answer_after_ms = 5000;
}

static void expects_at_once(struct scenario *scenario)
{
	scenario->conns[0].requests[0].expect = EXPECT_AT_ONCE;
}

/* The 100 cannot be written completely before the body has ended. */
static void expects_at_once_narrow(struct scenario *scenario)
{
	expects_at_once(scenario);
	scenario->conns[0].record_max = 100;
	scenario->conns[0].up = (struct relay_limits){.buffer = 17, .delay_us = 17};
	scenario->conns[0].down = (struct relay_limits){.buffer = 1, .delay_us = 20};
}

/* The spool is full of another client's body. This client holds back its own body, so it needs no spool. */
static void expects_beside_withheld(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[1];
	*plan = scenario->conns[0];
	plan->requests[0].expect = EXPECT_STRICT;
	plan->start_ms = 1000;
	scenario->conns[0].versions = VERSIONS_13;
	scenario->conns[0].stack = STACK_GNUTLS;
	scenario->conns[0].answer = ANSWER_NEVER;
	scenario->conns[0].requests[0].body = 130U * KiB;
	scenario->memory = 64U * KiB;
	scenario->disk = 64U * MiB;
	scenario->conn_count = 2;
}

static void expects_narrow(struct scenario *scenario)
{
	expects(scenario);
	one_byte_relays(scenario);
}

static void no_ems(struct scenario *scenario)
{
	scenario->conns[0].no_extended_master = true;
}

static void no_5746(struct scenario *scenario)
{
	scenario->conns[0].no_secure_renegotiation = true;
}

static void elsewhere(struct scenario *scenario)
{
	scenario->elsewhere = true;
}

static void not_held(struct scenario *scenario)
{
	scenario->hold_to_tls12 = false;
}

static void optional(struct scenario *scenario)
{
	scenario->require = false;
}

static void after_100_s(struct scenario *scenario)
{
	scenario->conns[0].answer_after_ms = 100000;
}

static void after_200_s(struct scenario *scenario)
{
	scenario->conns[0].answer_after_ms = 200000;
}

static void ends(struct scenario *scenario, enum client_ending ending, uint64_t at)
{
	scenario->conns[0].ending = ending;
	scenario->conns[0].ending_at = at;
}

static void closes(struct scenario *scenario)
{
	ends(scenario, ENDING_NOTIFY, 300000);
}

static void half_closes(struct scenario *scenario)
{
	ends(scenario, ENDING_HALF_CLOSE, 300000);
}

static void resets(struct scenario *scenario)
{
	ends(scenario, ENDING_RESET, 300000);
}

static void stops(struct scenario *scenario)
{
	ends(scenario, ENDING_STOPS, 300000);
}

static void stops_in_head(struct scenario *scenario)
{
	ends(scenario, ENDING_STOPS, 20);
}

static void stops_in_handshake(struct scenario *scenario)
{
	ends(scenario, ENDING_STOPS, SIM_NEVER);
}

static void stays(struct scenario *scenario)
{
	ends(scenario, ENDING_IDLE, 0);
}

static void trickles(struct scenario *scenario)
{
	scenario->conns[0].record_max = 1;
	scenario->conns[0].trickle_ms = 5000;
}

/* 1,500 bytes per second, which extend the body's deadline as long as they arrive. */
static void keeps_coming(struct scenario *scenario)
{
	scenario->conns[0].record_max = 15;
	scenario->conns[0].trickle_ms = 10;
}

static void keeps_coming_for_3_s(struct scenario *scenario)
{
	keeps_coming(scenario);
	scenario->timeout_ms = 3000;
}

static void keeps_coming_then_100_s(struct scenario *scenario)
{
	keeps_coming(scenario);
	scenario->conns[0].answer_after_ms = 100000;
}

static void interleaves(struct scenario *scenario)
{
	small_relays(scenario);
	scenario->conns[0].interleaves = true;
	scenario->conns[0].down.delay_us = 20000;
}

static void careless(struct scenario *scenario)
{
	small_relays(scenario);
	scenario->conns[0].careless = true;
}

static void renegotiates(struct scenario *scenario)
{
	scenario->conns[0].renegotiates = true;
	scenario->conns[0].renegotiates_at = 100000;
}

static void pipelined(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];
	for (unsigned i = 1; i < 4; i++) {
		plan->requests[i] = plan->requests[0];
		plan->requests[i].body = 3000 + i;
	}
	plan->requests[2].route = ROUTE_NEVER;
	plan->request_count = 4;
	plan->pipelined = true;
}

static void pipelined_too_much(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];
	plan->requests[1] = plan->requests[0];
	plan->request_count = 2;
	plan->pipelined = true;
}

/* The first connection gives no certificate and leaves within the grace; the request of the second one brings the
 * certificate. */
static void comes_back(struct scenario *scenario)
{
	scenario->conns[1] = scenario->conns[0];
	scenario->conns[1].answer = ANSWER_GOOD;
	scenario->conns[1].start_ms = 300;
	scenario->conn_count = 2;
}

static void reads_slowly(struct scenario *scenario)
{
	scenario->conns[0].read_max = 1;
	scenario->conns[0].read_pause_ms = 5;
}

static void reads_too_slowly(struct scenario *scenario)
{
	scenario->conns[0].read_max = 1;
	scenario->conns[0].read_pause_ms = 2000;
	scenario->conns[0].down.buffer = 16;
}

/* The upstream sends pieces of one byte: a piece must not get a time limit of its own. */
static void reads_each_piece_slowly(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];

	scenario->proxied = true;
	scenario->origin.down = (struct relay_limits){.buffer = 1, .delay_us = 10000};
	plan->reading = READS_SLOWLY;
	plan->shakes_fast = true;
	plan->read_max = 80; /* the head must fit its 60 s */
	plan->read_pause_ms = 20000;
	plan->down.buffer = 16;
}

static void twice_after(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];
	plan->requests[1] = plan->requests[0];
	plan->request_count = 2;
}

static void then_other(struct scenario *scenario)
{
	twice_after(scenario);
	scenario->conns[0].requests[1].route = ROUTE_OTHER;
}

/* The client gives no certificate after the first response, and gives one for the second request: the third request
 * must not be refused because of the first. */
static void then_given(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];
	plan->requests[1] = plan->requests[2] = plan->requests[0];
	plan->requests[1].route = ROUTE_LATE;
	plan->request_count = 3;
}

/*
 * The ask after the first response times out in the middle of its renegotiation. The next request proceeds without it,
 * but nothing can be written to it before the client has completed the renegotiation.
 */
static void expects_in_between(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];
	plan->requests[1] = (struct request_plan){.method = "PUT",
						  .route = ROUTE_NEVER,
						  .framing = FRAMING_LENGTH,
						  .body = 1000,
						  .expect = EXPECT_STRICT};
	plan->request_count = 2;
	plan->answer_after_ms = 5000;
	plan->down = (struct relay_limits){.buffer = 1, .delay_us = 13, .bytes_per_s = 20000};
	scenario->timeout_ms = 3000;
}

static void then_never(struct scenario *scenario)
{
	twice_after(scenario);
	scenario->conns[0].requests[1].route = ROUTE_NEVER;
}

static void small_max_body(struct scenario *scenario)
{
	scenario->max_body = 100 * KiB;
	small_relays(scenario);
}

static void small_max_body_chunked(struct scenario *scenario)
{
	small_max_body(scenario);
	chunked(scenario);
}

static void small_spool(struct scenario *scenario)
{
	scenario->memory = 128 * KiB;
	small_relays(scenario);
}

static void on_disk(struct scenario *scenario)
{
	scenario->memory = 4U * MiB;
	scenario->disk = 64U * MiB;
	scenario->request_memory = 64 * KiB;
}

/* The disk is full long before its budget is used up. */
static void disk_full(struct scenario *scenario)
{
	scenario->memory = 256 * KiB;
	scenario->disk = 64U * MiB;
	scenario->disk_room = 100 * KiB;
	small_relays(scenario);
}

/* So much arrives at once that the writer finds the full disk first. */
static void disk_full_at_once(struct scenario *scenario)
{
	disk_full(scenario);
	scenario->memory = 128 * KiB;
	scenario->conns[0].up.buffer = 2U * MiB;
}

/* Two clients that withhold have filled the disk, and are ended for the third one. */
static void disk_full_beside(struct scenario *scenario)
{
	disk_full(scenario);
	for (unsigned i = 1; i < 3; i++) {
		scenario->conns[i] = scenario->conns[0];
		scenario->conns[i].address = i;
	}
	for (unsigned i = 0; i < 2; i++) {
		scenario->conns[i].answer = ANSWER_NEVER;
		scenario->conns[i].stack = STACK_GNUTLS;
		scenario->conns[i].requests[0].body = 140 * KiB;
	}
	scenario->conns[2].start_ms = 11000;
	scenario->conn_count = 3;
}

/* Three clients that withhold, from one address, and one honest client from another. */
static void crowd(struct scenario *scenario)
{
	struct conn_plan *honest = &scenario->conns[3];
	*honest = scenario->conns[0];
	honest->address = 1;
	honest->start_ms = 2000;
	for (unsigned i = 0; i < 3; i++) {
		struct conn_plan *plan = &scenario->conns[i];
		*plan = scenario->conns[0];
		plan->address = 0;
		plan->stack = STACK_GNUTLS;
		plan->answer = ANSWER_NEVER;
	}
	scenario->memory = 4U * MiB;
	scenario->per_client_percent = 50;
	scenario->conn_count = 4;
}

/* Each client has an address of its own, and they need more than there is room for. */
static void crowd_under_pressure(struct scenario *scenario)
{
	crowd(scenario);
	for (unsigned i = 0; i < 4; i++)
		scenario->conns[i].address = i;
	scenario->memory = 3U * MiB;
	scenario->per_client_percent = 100;
}

static void with_engine(struct scenario *scenario)
{
	scenario->server = SERVER_ENGINE;
	small_relays(scenario);
}

static void with_engine_one_byte(struct scenario *scenario)
{
	scenario->server = SERVER_ENGINE;
	one_byte_relays(scenario);
}

static void with_control(struct scenario *scenario)
{
	scenario->server = SERVER_CONTROL;
	small_relays(scenario);
}

static void with_control_timeout(struct scenario *scenario)
{
	scenario->server = SERVER_CONTROL_TIMEOUT;
	small_relays(scenario);
}

static void retired(struct scenario *scenario)
{
	small_relays(scenario);
	twice_after(scenario);
	scenario->conns[0].retire_ms = 50;
}

/* The gateway stops while the client's human still looks for the card. */
static void dismissed(struct scenario *scenario)
{
	small_relays(scenario);
	scenario->conns[0].retire_ms = 1000;
	scenario->conns[0].dismiss_ms = 30000;
}

static void dismissed_idle(struct scenario *scenario)
{
	dismissed(scenario);
	scenario->conns[0].ending = ENDING_IDLE;
}

static void dismissed_in_head(struct scenario *scenario)
{
	dismissed(scenario);
	scenario->conns[0].dismiss_ms = 1000;
	ends(scenario, ENDING_STOPS, 20);
}

static void dismissed_proxied(struct scenario *scenario)
{
	dismissed(scenario);
	scenario->proxied = true;
	habit(scenario, ORIGIN_SILENT, 0);
}

static void dismissed_relaying(struct scenario *scenario)
{
	dismissed(scenario);
	scenario->proxied = true;
	habit(scenario, ORIGIN_SLOW, 0);
	scenario->origin.read_max = 20; /* its response takes from 7 s to 11 s */
	scenario->origin.pause_ms = 500;
	scenario->conns[0].dismiss_ms = 8000;
}

/* ---- what else must hold ---- */

static void check_memory(struct world *world)
{
	if (world->memory_most > 1U << 20)
		world_fail(world, "one-byte records took %llu bytes of the spool",
			   (unsigned long long)world->memory_most);
}

static void check_disk(struct world *world)
{
	if (world->disk_most == 0)
		world_fail(world, "the disk was never used");
}

static void check_disk_full(struct world *world)
{
	unsigned full = 0;

	for (unsigned i = 0; i + 1 < world->scenario->conn_count; i++) {
		const json_t *ask = json_object_get(world->conns[i].records[0], "ask");
		const char *reason = json_string_value(json_object_get(ask, "reason"));
		full += reason != NULL && strcmp(reason, "disk-full") == 0;
		if (reason != NULL && strcmp(reason, "budget-pressure") == 0)
			world_fail(world, "#%u ended for another reason than the full disk", i);
	}
	if (full == 0)
		world_fail(world, "none ended because of the full disk");
}

/* Clients that withhold make room, and read why; the client that answers is served. */
static void check_pressure(struct world *world)
{
	unsigned ended = 0;

	for (unsigned i = 0; i < 3; i++)
		ended += world->conns[i].client.answered == 1 && world->conns[i].client.answers[0].status == 503;
	if (ended == 0)
		world_fail(world, "nobody made room");
	if (world->conns[3].client.answered != 1 || world->conns[3].client.answers[0].status != 200)
		world_fail(world, "the honest client was not served");
}

static void check_hundred(struct world *world)
{
	if (world->conns[0].client.answers[0].hundreds != 1)
		world_fail(world, "%u times 100 Continue", world->conns[0].client.answers[0].hundreds);
}

static void check_interleaved(struct world *world)
{
	if (!world->conns[0].client.interleaved)
		world_fail(world, "the client did not send in the middle of the renegotiation");
}

static void check_all_answered(struct world *world)
{
	for (unsigned i = 0; i < world->scenario->conn_count; i++)
		if (world->conns[i].client.answered != world->scenario->conns[i].request_count)
			world_fail(world, "#%u heard %u responses", i, world->conns[i].client.answered);
}

static void check_first_answered(struct world *world)
{
	const struct client *client = &world->conns[0].client;
	if (client->answered != 1 || client->answers[0].status != 200 || !client->answers[0].close)
		world_fail(world, "the request under way was not answered, and the connection then closed");
}

static void check_dismissed(struct world *world)
{
	const struct sim_conn *conn = &world->conns[0];
	const json_t *record = conn->records[0], *ask = json_object_get(record, "ask");
	json_int_t ms = json_integer_value(json_object_get(record, "ms"));

	if (conn->client.answered != 1 || conn->client.answers[0].status != 503 || !conn->client.answers[0].close)
		world_fail(world, "the request under way was not answered 503, and the connection then closed");
	else if (!json_is_string(json_object_get(record, "note")))
		world_fail(world, "the record does not say why");
	else if (ms < 29000 || ms > 32000)
		world_fail(world, "the record says that it took %lld ms", (long long)ms);
	else if (json_is_object(ask) && json_integer_value(json_object_get(ask, "drained")) !=
						json_integer_value(json_object_get(record, "body_in")))
		world_fail(world, "the record does not say what was drained");
}

static void check_broken_off(struct world *world)
{
	const struct sim_conn *conn = &world->conns[0];
	const char *note = json_string_value(json_object_get(conn->records[0], "note"));

	if (conn->record_count != 1 || note == NULL || strstr(note, "stop_timeout") == NULL ||
	    conn->client.answers[0].complete)
		world_fail(world, "a response that was cut off looks complete, or its record does not say why");
}

static void check_held_back(struct world *world)
{
	if (world->now_us < (WORLD_START_MS + world->scenario->grace_ms) * 1000)
		world_fail(world, "the refusal was not held back for the grace");
}

static void check_asked_once(struct world *world)
{
	for (unsigned i = 0; i < world->scenario->conn_count; i++)
		if (world->conns[i].asks > (i == 0 ? 1 : 0))
			world_fail(world, "#%u was asked %u times", i, world->conns[i].asks);
}

/* The ask ends at its own timeout, whatever happens to the body. */
static void check_3_s(struct world *world)
{
	const json_t *ask = json_object_get(world->conns[0].records[0], "ask");
	json_int_t ms = json_integer_value(json_object_get(ask, "ms"));

	if (ms < 3000 || ms > 3010)
		world_fail(world, "an ask with a timeout of 3 s ended after %lld ms", (long long)ms);
}

static void check_says_timeout(struct world *world)
{
	if (strstr(world->last_message, "client_certificate.timeout") == NULL)
		world_fail(world, "the last message is: %s", world->last_message);
}

static void check_never_asked(struct world *world)
{
	if (world->conns[0].asks != 0)
		world_fail(world, "asked %u times", world->conns[0].asks);
}

#define V12                         .versions = VERSIONS_12
#define V13                         .versions = VERSIONS_13
#define FIRST                       .reading = READS_AFTER
#define GNU                         .stack = STACK_GNUTLS
#define LATE                        .route = ROUTE_LATE
#define GOOD(how, at)               .status = 200, .verdict = "accepted", .means = how, .moment = at
#define PHA(at)                     GOOD("post-handshake", at)
#define RENEG(at)                   GOOD("renegotiation", at)
#define NO(code, verdict_, reason_) .status = code, .verdict = verdict_, .reason = reason_

const struct named named_all[] = {
	/* the decision table, row by row */
	{"handshake-1.3", V13, .route = ROUTE_HOST, .body = MiB, .adjust = at_handshake, GOOD("handshake", "handshake"),
	 .check = check_never_asked},
	{"handshake-1.2", V12, .route = ROUTE_HOST, .body = MiB, .adjust = at_handshake,
	 GOOD("handshake", "handshake")},
	{"handshake-empty", .answer = ANSWER_EMPTY, .route = ROUTE_HOST, .adjust = at_handshake,
	 NO(403, "declined", "no-certificate")},
	{"handshake-human-1.3", V13, .route = ROUTE_HOST, .body = MiB, .adjust = human_at_handshake,
	 GOOD("handshake", "handshake")},
	{"handshake-human-1.2", V12, .route = ROUTE_HOST, .body = MiB, .adjust = human_at_handshake,
	 GOOD("handshake", "handshake")},
	{"handshake-human-too-late-1.3", V13, .route = ROUTE_HOST, .adjust = late_human_at_handshake,
	 .check = check_says_timeout},
	{"handshake-human-too-late-1.2", V12, .route = ROUTE_HOST, .adjust = late_human_at_handshake,
	 .check = check_says_timeout},
	{"primed-1.3", V13, FIRST, LATE, .body = MiB, .adjust = primed, GOOD("handshake", "headers"),
	 .check = check_asked_once},
	{"primed-1.2", V12, FIRST, LATE, .body = MiB, .adjust = primed, GOOD("handshake", "headers"),
	 .check = check_asked_once},
	{"resumed-1.3", V13, LATE, .body = MiB, .adjust = resumed, GOOD("handshake", "handshake"),
	 .check = check_asked_once},
	{"reads-1.3", V13, LATE, .body = MiB, .adjust = small_relays, PHA("headers")},
	{"write-first-1.3", V13, FIRST, LATE, .body = MiB, .adjust = small_relays, PHA("headers")},
	{"no-body-1.3", V13, LATE, PHA("headers")},
	{"no-body-1.2", V12, LATE, RENEG("headers")},
	{"expect-1.3", V13, LATE, .body = MiB, .adjust = expects, PHA("headers"), .check = check_hundred},
	{"expect-1.2", V12, LATE, .body = MiB, .adjust = expects, RENEG("headers"), .check = check_hundred},
	{"expect-slow-answer-1.2", V12, LATE, .body = MiB, .adjust = expects_and_waits, RENEG("headers"),
	 .check = check_hundred},
	{"expect-impatient-1.3", V13, GNU, LATE, .body = MiB, .adjust = expects_impatiently, PHA("headers")},
	{"expect-impatient-1.2", V12, GNU, LATE, .body = MiB, .adjust = expects_impatiently, RENEG("headers")},
	{"expect-at-once-1.2", V12, FIRST, LATE, .body = MiB, .adjust = expects_at_once, .status = 200,
	 .verdict = "accepted"},
	{"expect-body-1.2", V12, .route = ROUTE_BODY, .body = MiB, .adjust = expects, RENEG("body"),
	 .check = check_hundred},
	{"expect-at-once-narrow-1.3", V13, GNU, FIRST, .route = ROUTE_BODY, .body = 5000,
	 .adjust = expects_at_once_narrow, PHA("body")},
	{"expect-narrow", V13, .route = ROUTE_NEVER, .body = 100, .adjust = expects_narrow, .status = 200,
	 .check = check_hundred},
	{"expect-spool-full-1.2", V12, LATE, .body = 1, .adjust = expects_beside_withheld, RENEG("headers")},
	{"reads-1.2", V12, LATE, .body = MiB, .adjust = small_relays, RENEG("body")},
	{"write-first-1.2", V12, FIRST, LATE, .body = MiB, .adjust = small_relays, RENEG("body")},
	{"early-1.2", V12, .route = ROUTE_EARLY, .body = MiB, .adjust = small_relays, RENEG("headers")},
	{"early-write-first-1.2", V12, FIRST, .route = ROUTE_EARLY, .body = MiB, .adjust = small_relays,
	 RENEG("headers")},
	{"body-1.3", V13, .route = ROUTE_BODY, .body = MiB, PHA("body")},
	{"body-1.2", V12, .route = ROUTE_BODY, .body = MiB, RENEG("body")},
	{"held-to-1.2", .no_post_handshake = true, FIRST, LATE, .body = MiB, RENEG("body")},
	{"no-post-handshake", V13, .no_post_handshake = true, LATE, .body = MiB, .adjust = small_relays,
	 NO(403, "impossible", "no-post-handshake-auth")},
	{"no-post-handshake-write-first", V13, .no_post_handshake = true, FIRST, LATE, .body = MiB,
	 .adjust = small_relays, NO(403, "impossible", "no-post-handshake-auth")},
	{"not-held", .no_post_handshake = true, LATE, .body = MiB, .adjust = not_held,
	 NO(403, "impossible", "no-post-handshake-auth")},
	{"no-extended-master", V12, LATE, .body = MiB, .adjust = no_ems, RENEG("body")},
	{"no-secure-renegotiation", V12, GNU, LATE, .adjust = no_5746,
	 NO(403, "impossible", "no-secure-renegotiation")},
	{"elsewhere", V13, .no_post_handshake = true, LATE, .body = MiB, .adjust = elsewhere,
	 NO(307, "impossible", "no-post-handshake-auth")},
	{"never", .route = ROUTE_NEVER, .body = MiB, .status = 200, .check = check_never_asked},
	{"after-1.3", V13, .route = ROUTE_AFTER, .body = 1000, .adjust = twice_after, .status = 200,
	 .verdict = "accepted"},
	{"after-1.2", V12, .route = ROUTE_AFTER, .body = 1000, .adjust = twice_after, .status = 200,
	 .verdict = "accepted"},
	{"after-empty-1.3", V13, .answer = ANSWER_EMPTY, .route = ROUTE_AFTER, .adjust = twice_after, .status = 403},
	{"after-too-late-1.2", V12, .route = ROUTE_AFTER, .adjust = expects_in_between, .status = 200,
	 .check = check_all_answered},
	{"after-then-given", V13, .answer = ANSWER_EMPTY_ONCE, .route = ROUTE_AFTER, .adjust = then_given,
	 GOOD("handshake", "headers")},
	{"optional-empty", V13, .answer = ANSWER_EMPTY, LATE, .body = MiB, .adjust = optional, .status = 200,
	 .verdict = "declined"},
	{"optional-impossible", V13, .no_post_handshake = true, LATE, .body = MiB, .adjust = optional, .status = 200,
	 .verdict = "impossible"},
	{"optional-wrong-ca", .answer = ANSWER_WRONG_CA, LATE, .adjust = optional, NO(403, "rejected", "untrusted")},
	{"identity-changed", V13, .answer = ANSWER_OTHER, LATE, .adjust = then_other,
	 NO(403, "rejected", "identity-changed")},
	{"identity-changed-1.2", V12, .answer = ANSWER_OTHER, LATE, .adjust = then_other,
	 NO(403, "rejected", "identity-changed")},
	{"identity-not-elsewhere", LATE, .adjust = then_never, .status = 200},
	/* the behaviour of clients */
	{"never-answers-1.3", V13, GNU, .answer = ANSWER_NEVER, LATE, .body = MiB, NO(408, "timed-out", "no-answer")},
	{"never-answers-1.2", V12, GNU, .answer = ANSWER_NEVER, LATE, .body = MiB, NO(408, "timed-out", "no-answer")},
	{"stands-still-1.3", V13, .answer = ANSWER_NEVER, LATE, .body = MiB, .verdict = "timed-out"},
	{"stands-still-1.2", V12, .answer = ANSWER_NEVER, LATE, .body = MiB, .verdict = "timed-out"},
	{"empty-1.3", V13, .answer = ANSWER_EMPTY, LATE, .body = MiB, NO(403, "declined", "no-certificate"),
	 .check = check_held_back},
	{"empty-1.2", V12, .answer = ANSWER_EMPTY, LATE, .body = MiB, NO(403, "declined", "no-certificate")},
	{"wrong-ca-1.3", V13, .answer = ANSWER_WRONG_CA, FIRST, LATE, .body = MiB, NO(403, "rejected", "untrusted")},
	{"wrong-ca-1.2", V12, .answer = ANSWER_WRONG_CA, FIRST, LATE, .body = MiB, NO(403, "rejected", "untrusted")},
	{"expired-1.3", V13, .answer = ANSWER_EXPIRED, LATE, .body = MiB, NO(403, "rejected", "untrusted")},
	{"expired-1.2", V12, .answer = ANSWER_EXPIRED, LATE, .body = MiB, NO(403, "rejected", "untrusted")},
	{"after-100-s-1.3", V13, LATE, .body = MiB, .adjust = after_100_s, PHA("headers")},
	{"after-100-s-1.2", V12, LATE, .body = MiB, .adjust = after_100_s, RENEG("body")},
	{"after-100-s-body-goes-on", V13, GNU, LATE, .body = MiB, .adjust = after_100_s, PHA("headers")},
	{"after-200-s-1.3", V13, GNU, LATE, .body = MiB, .adjust = after_200_s, NO(408, "timed-out", "no-answer")},
	{"withheld-while-body-comes-1.3", V13, GNU, .answer = ANSWER_NEVER, LATE, .body = 128U * KiB,
	 .adjust = keeps_coming_for_3_s, NO(408, "timed-out", "no-answer"), .check = check_3_s},
	{"withheld-while-body-comes-early-1.2", V12, GNU, .answer = ANSWER_NEVER, .route = ROUTE_EARLY,
	 .body = 128U * KiB, .adjust = keeps_coming_for_3_s, NO(408, "timed-out", "no-answer"), .check = check_3_s},
	{"slow-body-then-100-s-1.2", V12, LATE, .body = 64U * KiB, .adjust = keeps_coming_then_100_s, RENEG("body")},
	{"closes-1.3", V13, LATE, .body = MiB, .adjust = closes},
	{"closes-1.2", V12, LATE, .body = MiB, .adjust = closes},
	{"half-closes-1.3", V13, FIRST, LATE, .body = MiB, .adjust = half_closes},
	{"half-closes-1.2", V12, FIRST, LATE, .body = MiB, .adjust = half_closes},
	{"resets-1.3", V13, LATE, .body = MiB, .adjust = resets},
	{"resets-1.2", V12, LATE, .body = MiB, .adjust = resets},
	{"stops-1.3", V13, LATE, .body = MiB, .adjust = stops, .status = 408},
	{"stops-1.2", V12, LATE, .body = MiB, .adjust = stops, NO(408, "timed-out", "body-idle")},
	{"stops-in-head", LATE, .body = MiB, .adjust = stops_in_head, .status = 408},
	{"stops-in-handshake", LATE, .adjust = stops_in_handshake},
	{"stays", LATE, .body = MiB, .adjust = stays, .status = 200},
	{"trickles-1.3", V13, LATE, .body = 5000, .adjust = trickles, .status = 408},
	{"trickles-1.2", V12, LATE, .body = 5000, .adjust = trickles, NO(408, "timed-out", "body-idle")},
	{"one-byte-records-1.3", V13, FIRST, LATE, .body = 128U * KiB, .adjust = one_byte_records, PHA("headers"),
	 .check = check_memory},
	{"one-byte-records-1.2", V12, FIRST, LATE, .body = 128U * KiB, .adjust = one_byte_records, RENEG("body"),
	 .check = check_memory},
	{"chunked-1.3", V13, FIRST, LATE, .body = MiB, .adjust = chunked, PHA("headers")},
	{"chunked-1.2", V12, FIRST, LATE, .body = MiB, .adjust = chunked, RENEG("body")},
	{"one-byte-relays-1.3", V13, LATE, .body = 5000, .adjust = one_byte_relays, PHA("headers")},
	{"one-byte-relays-1.2", V12, LATE, .body = 5000, .adjust = one_byte_relays, RENEG("body")},
	{"one-byte-write-first-1.3", V13, FIRST, LATE, .body = 5000, .adjust = one_byte_relays, PHA("headers")},
	{"one-byte-write-first-1.2", V12, FIRST, LATE, .body = 5000, .adjust = one_byte_relays, RENEG("body")},
	{"one-byte-early-1.2", V12, FIRST, .route = ROUTE_EARLY, .body = 5000, .adjust = one_byte_relays,
	 RENEG("headers")},
	{"one-byte-down-refused", V13, .no_post_handshake = true, FIRST, LATE, .body = MiB, .adjust = one_byte_down,
	 NO(403, "impossible", "no-post-handshake-auth")},
	{"interleaves-late", V12, GNU, LATE, .body = MiB, .adjust = interleaves, RENEG("body")},
	{"interleaves-early", V12, GNU, .route = ROUTE_EARLY, .body = MiB, .adjust = interleaves,
	 .check = check_interleaved},
	{"interleaves-body", V12, GNU, .route = ROUTE_BODY, .body = MiB, .adjust = interleaves, RENEG("body")},
	{"gnutls-early-1.2", V12, GNU, .route = ROUTE_EARLY, .body = MiB, .adjust = small_relays, RENEG("headers")},
	{"refuses-1.2", V12, .answer = ANSWER_REFUSES, LATE, .body = MiB, .verdict = "impossible",
	 .reason = "renegotiation-refused"},
	{"renegotiates-openssl", V12, LATE, .body = MiB, .adjust = renegotiates},
	{"renegotiates-gnutls", V12, GNU, .route = ROUTE_NEVER, .body = MiB, .adjust = renegotiates, .status = 200},
	{"pipelined-1.3", V13, LATE, .body = MiB, .adjust = pipelined, .status = 200, .check = check_all_answered},
	{"pipelined-1.2", V12, LATE, .body = MiB, .adjust = pipelined, .check = check_first_answered},
	{"pipelined-body-1.2", V12, .route = ROUTE_BODY, .body = 5000, .adjust = pipelined,
	 .check = check_first_answered},
	{"pipelined-too-much", V12, GNU, .answer = ANSWER_NEVER, LATE, .body = MiB, .adjust = pipelined_too_much},
	{"comes-back", V13, .answer = ANSWER_EMPTY, LATE, .body = MiB, .adjust = comes_back, PHA("headers")},
	{"empty-once-same-connection", V13, .answer = ANSWER_EMPTY_ONCE, .route = ROUTE_AFTER, .adjust = twice_after,
	 .status = 403},
	{"slow-reader", .reading = READS_SLOWLY, LATE, .body = 10000, .adjust = reads_slowly, .status = 200},
	{"too-slow-reader", .reading = READS_SLOWLY, .route = ROUTE_NEVER, .adjust = reads_too_slowly},
	{"slow-reader-of-each-piece", V12, .route = ROUTE_NEVER, .adjust = reads_each_piece_slowly, .status = 0,
	 .check = check_cut},
	{"careless-1.3", V13, LATE, .body = MiB, .adjust = careless, .status = ANY_STATUS},
	{"careless-early-1.2", V12, .route = ROUTE_EARLY, .body = MiB, .adjust = careless, .status = ANY_STATUS},
	{"careless-1.2", V12, LATE, .body = MiB, .adjust = careless, RENEG("body")},
	{"retired-1.3", V13, FIRST, LATE, .body = MiB, .adjust = retired, .check = check_first_answered},
	{"dismissed-1.3", V13, GNU, .answer = ANSWER_NEVER, LATE, .body = MiB, .adjust = dismissed,
	 NO(503, "cancelled", "caller"), .check = check_dismissed},
	{"dismissed-drained-1.2", V12, FIRST, .answer = ANSWER_NEVER, LATE, .body = MiB, .adjust = dismissed,
	 .verdict = "cancelled", .reason = "caller"},
	{"dismissed-idle", .route = ROUTE_NEVER, .adjust = dismissed_idle, .status = 200},
	{"dismissed-in-head", .route = ROUTE_NEVER, .adjust = dismissed_in_head, .status = 503},
	{"dismissed-proxied", .route = ROUTE_NEVER, .body = 1000, .adjust = dismissed_proxied, .status = 503,
	 .check = check_dismissed},
	{"dismissed-relaying", .route = ROUTE_NEVER, .adjust = dismissed_relaying, .status = ANY_STATUS,
	 .check = check_broken_off},
	/* limits */
	{"max-body-1.2", V12, LATE, .body = MiB, .adjust = small_max_body, NO(413, "over-limit", "body-size")},
	{"max-body-write-first-1.2", V12, FIRST, LATE, .body = MiB, .adjust = small_max_body,
	 NO(413, "over-limit", "body-size")},
	{"max-body-write-first-1.3", V13, FIRST, LATE, .body = MiB, .adjust = small_max_body,
	 NO(413, "over-limit", "body-size")},
	{"max-body-chunked-1.2", V12, FIRST, LATE, .body = MiB, .adjust = small_max_body_chunked,
	 NO(413, "over-limit", "body-size")},
	{"max-body-reads-1.3", V13, LATE, .body = MiB, .adjust = small_max_body, PHA("headers")},
	{"spool-full-write-first-1.3", V13, FIRST, LATE, .body = MiB, .adjust = small_spool, .status = 503,
	 .verdict = "over-limit"},
	{"spool-full-1.2", V12, LATE, .body = MiB, .adjust = small_spool, .status = 503, .verdict = "over-limit"},
	{"on-disk-1.2", V12, FIRST, LATE, .body = MiB, .adjust = on_disk, RENEG("body"), .check = check_disk},
	{"on-disk-1.3", V13, FIRST, LATE, .body = MiB, .adjust = on_disk, PHA("headers"), .check = check_disk},
	{"disk-full-1.2", V12, LATE, .body = MiB, .adjust = disk_full, NO(503, "over-limit", "disk-full")},
	{"disk-full-1.3", V13, FIRST, LATE, .body = MiB, .adjust = disk_full, NO(503, "over-limit", "disk-full")},
	{"disk-full-at-once-1.2", V12, LATE, .body = MiB, .adjust = disk_full_at_once,
	 NO(503, "over-limit", "disk-full")},
	{"disk-full-at-once-1.3", V13, FIRST, LATE, .body = MiB, .adjust = disk_full_at_once,
	 NO(503, "over-limit", "disk-full")},
	{"disk-full-beside", V13, FIRST, LATE, .body = 100 * KiB, .adjust = disk_full_beside, .status = 200,
	 .check = check_disk_full},
	{"crowd", V13, FIRST, LATE, .body = MiB, .adjust = crowd, .status = 200},
	{"crowd-under-pressure", V13, FIRST, LATE, .body = MiB, .adjust = crowd_under_pressure, .status = 200,
	 .check = check_pressure},
	{"crowd-under-pressure-1.2", V12, FIRST, LATE, .body = MiB, .adjust = crowd_under_pressure, .status = 200,
	 .check = check_pressure},
	/* through an upstream server */
	{"proxied-get", V13, .route = ROUTE_NEVER, .adjust = proxied, .status = 200},
	{"proxied-late-1.3", V13, LATE, .body = MiB, .adjust = proxied, PHA("headers")},
	{"proxied-late-1.2", V12, LATE, .body = MiB, .adjust = proxied, RENEG("body")},
	{"proxied-write-first-1.3", V13, FIRST, LATE, .body = MiB, .adjust = proxied, PHA("headers")},
	{"proxied-write-first-1.2", V12, FIRST, LATE, .body = MiB, .adjust = proxied, RENEG("body")},
	{"proxied-small", V13, FIRST, LATE, .body = MiB, .adjust = proxied_small, PHA("headers")},
	{"proxied-one-byte", V13, FIRST, LATE, .body = 5000, .adjust = proxied_one_byte, .status = 200},
	{"proxied-chunked-1.3", V13, FIRST, LATE, .body = MiB, .adjust = proxied_chunked, PHA("headers")},
	{"proxied-chunked-1.2", V12, LATE, .body = MiB, .adjust = proxied_chunked, RENEG("body")},
	{"proxied-until-close", V13, LATE, .body = MiB, .adjust = proxied_until_close, PHA("headers")},
	{"proxied-expect", V13, LATE, .body = MiB, .adjust = proxied_expect, PHA("headers")},
	{"proxied-kept", V13, .route = ROUTE_NEVER, .body = 1000, .adjust = proxied_twice, .status = 200,
	 .check = check_one_upconn},
	{"proxied-pinned", V13, .route = ROUTE_NEVER, .body = 1000, .adjust = proxied_pinned, .status = 200,
	 .check = check_two_upconns},
	{"proxied-pinned-late-1.2", V12, LATE, .body = 1000, .adjust = proxied_pinned, .status = 200,
	 .check = check_two_upconns},
	{"proxied-pinned-closes-idle", V13, .route = ROUTE_NEVER, .body = 1000, .adjust = proxied_pinned_closes_idle,
	 .status = 200},
	{"proxied-closes-idle", V13, .route = ROUTE_NEVER, .body = 1000, .adjust = proxied_closes_idle, .status = 200},
	{"upstream-away", V13, LATE, .body = MiB, .adjust = upstream_away, .status = 502},
	{"upstream-closes", V13, LATE, .body = MiB, .adjust = upstream_closes, .status = 502},
	{"upstream-closes-write-first", V13, FIRST, LATE, .body = MiB, .adjust = upstream_closes_small, .status = 502},
	{"upstream-resets", V12, LATE, .body = MiB, .adjust = upstream_resets, .status = 502},
	{"upstream-early", V13, .route = ROUTE_NEVER, .body = MiB, .adjust = upstream_early, .status = 413},
	{"upstream-early-write-first", V13, FIRST, .route = ROUTE_NEVER, .body = 4 * MiB, .adjust = upstream_early,
	 .status = 413},
	{"upstream-garbage", V13, .route = ROUTE_NEVER, .body = MiB, .adjust = upstream_garbage, .status = 502},
	{"upstream-cuts", V13, .route = ROUTE_NEVER, .adjust = upstream_cuts, .status = 0, .check = check_cut},
	{"upstream-silent", V13, .route = ROUTE_NEVER, .body = MiB, .adjust = upstream_silent, .status = 504},
	{"upstream-slow", V13, LATE, .body = MiB, .adjust = upstream_slow, PHA("headers")},
	{"upstream-events", V13, .route = ROUTE_NEVER, .adjust = upstream_events, .status = 200},
	{"upstream-too-slow", V13, LATE, .body = MiB, .adjust = upstream_too_slow, .status = 504},
	/* libthaw alone */
	{"engine-write-first-1.3", V13, FIRST, LATE, .body = MiB, .adjust = with_engine, .status = 200},
	{"engine-write-first-1.2", V12, FIRST, LATE, .body = MiB, .adjust = with_engine, .status = 200},
	{"engine-reads-1.3", V13, LATE, .body = MiB, .adjust = with_engine, .status = 200},
	{"engine-reads-1.2", V12, LATE, .body = MiB, .adjust = with_engine, .status = 200},
	{"engine-empty-1.3", V13, .answer = ANSWER_EMPTY, LATE, .body = MiB, .adjust = with_engine, .status = 403},
	{"engine-one-byte-write-first-1.3", V13, FIRST, LATE, .body = 5000, .adjust = with_engine_one_byte,
	 .status = 200},
	{"engine-one-byte-write-first-1.2", V12, FIRST, LATE, .body = 5000, .adjust = with_engine_one_byte,
	 .status = 200},
	/* the controls: the same check must catch a server that stops reading */
	{"control-write-first-1.3", V13, FIRST, LATE, .body = MiB, .adjust = with_control, .frozen = true},
	{"control-write-first-1.2", V12, FIRST, LATE, .body = MiB, .adjust = with_control, .frozen = true},
	{"control-timeout-1.3", V13, FIRST, LATE, .body = MiB, .adjust = with_control_timeout, .frozen = true},
	{"control-timeout-1.2", V12, FIRST, LATE, .body = MiB, .adjust = with_control_timeout, .frozen = true},
};

const size_t named_count = sizeof(named_all) / sizeof(named_all[0]);

const struct named *named_at(size_t index)
{
	if (index < named_count)
		return &named_all[index];
	return index - named_count < named_h2_count ? &named_h2[index - named_count] : NULL;
}

void named_make(const struct named *named, struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];

	scenario_init(scenario);
	scenario->name = named->name;
	plan->versions = named->versions;
	plan->post_handshake = !named->no_post_handshake;
	plan->stack = named->stack;
	plan->reading = named->reading;
	plan->answer = named->answer;
	plan->request_count = 1;
	plan->requests[0] = (struct request_plan){
		.method = named->body > 0 ? "PUT" : "GET",
		.route = named->route,
		.framing = named->body > 0 ? FRAMING_LENGTH : FRAMING_NONE,
		.body = named->body,
	};
	if (named->adjust != NULL)
		named->adjust(scenario);
}

static void expect_word(struct world *world, const json_t *record, const char *key, const char *word)
{
	const char *is = json_string_value(json_object_get(json_object_get(record, "ask"), key));

	if (word != NULL && (is == NULL || strcmp(is, word) != 0))
		world_fail(world, "the record's %s is %s instead of %s", key, is != NULL ? is : "not there", word);
}

void named_check(const struct named *named, struct world *world)
{
	const struct sim_conn *conn = &world->conns[world->scenario->conn_count - 1];
	unsigned last = conn->client.plan->request_count - 1;
	const struct answer *answer = &conn->client.answers[last];

	if (named->status != ANY_STATUS && (answer->complete ? answer->status : 0) != named->status)
		world_fail(world, "the response is %u instead of %u; the client: %s %s", answer->status, named->status,
			   client_end_name(conn->client.end), conn->client.why != NULL ? conn->client.why : "");
	if (world->scenario->server == SERVER_GATEWAY && named->verdict != NULL && conn->record_count <= last) {
		world_fail(world, "no access record");
	} else if (named->verdict != NULL) {
		expect_word(world, conn->records[last], "verdict", named->verdict);
		expect_word(world, conn->records[last], "reason", named->reason);
		expect_word(world, conn->records[last], "means", named->means);
		expect_word(world, conn->records[last], "moment", named->moment);
	}
	if (named->check != NULL)
		named->check(world);
}
