/* Named scenarios whose clients speak HTTP/2: several concurrent streams on one connection. */
#include "named.h"

#define KiB 1024U
#define MiB (1024U * KiB)

static struct conn_plan *http2(struct scenario *scenario)
{
	scenario->conns[0].http2 = true;
	return &scenario->conns[0];
}

/* Repeats the first request count times. */
static struct conn_plan *times(struct scenario *scenario, unsigned count)
{
	struct conn_plan *plan = http2(scenario);

	for (unsigned i = 1; i < count; i++)
		plan->requests[i] = plan->requests[0];
	plan->request_count = count;
	return plan;
}

static void one(struct scenario *scenario)
{
	(void)times(scenario, 1);
}

static void sixteen(struct scenario *scenario)
{
	(void)times(scenario, SCENARIO_REQUESTS);
}

/* GET, HEAD, PUT and POST of all sizes, with and without Content-Length. */
static void mixed(struct scenario *scenario)
{
	static const struct request_plan requests[] = {
		{.method = "GET", .pad = MiB},
		{.method = "HEAD", .pad = 1000},
		{.method = "PUT", .framing = FRAMING_LENGTH, .body = MiB},
		{.method = "POST", .framing = FRAMING_CHUNKED, .body = 300000, .chunk = 1000, .trailers = true},
		{.method = "PUT", .framing = FRAMING_LENGTH, .body = 0},
		{.method = "POST", .framing = FRAMING_CHUNKED, .body = 0},
		{.method = "POST", .framing = FRAMING_LENGTH, .body = 1, .pad = 100000},
		{.method = "DELETE"},
	};
	struct conn_plan *plan = http2(scenario);

	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		plan->requests[i] = requests[i];
	plan->request_count = sizeof(requests) / sizeof(requests[0]);
}

static void proxied_mixed(struct scenario *scenario)
{
	scenario->proxied = true;
	mixed(scenario);
}

/* ---- through an upstream server ---- */

static struct conn_plan *proxied(struct scenario *scenario, uint64_t pad)
{
	scenario->proxied = true;
	scenario->conns[0].requests[0].pad = pad;
	return times(scenario, SCENARIO_REQUESTS);
}

static void habit(struct scenario *scenario, enum origin_habit habit, uint64_t at)
{
	(void)proxied(scenario, 0);
	scenario->origin.habit = habit;
	scenario->origin.at = at;
}

static void small(struct scenario *scenario)
{
	struct conn_plan *plan = proxied(scenario, 20000);

	plan->up.buffer = plan->down.buffer = 4096;
	scenario->origin.up.buffer = scenario->origin.down.buffer = 4096;
}

static void one_byte(struct scenario *scenario)
{
	struct conn_plan *plan = proxied(scenario, 500);

	plan->up = plan->down = (struct relay_limits){.buffer = 1};
	scenario->origin.up = scenario->origin.down = plan->up;
	plan->request_count = 4;
}

static void chunked(struct scenario *scenario)
{
	scenario->conns[0].requests[0].framing = FRAMING_CHUNKED;
	scenario->conns[0].requests[0].trailers = true;
	scenario->origin.body = ORIGIN_CHUNKED;
	(void)proxied(scenario, 50000);
}

static void writes_first(struct scenario *scenario)
{
	proxied(scenario, 50000)->reading = READS_AFTER;
}

static void expects(struct scenario *scenario)
{
	scenario->conns[0].requests[0].expect = EXPECT_STRICT;
	(void)proxied(scenario, 0);
}

static void upstream_away(struct scenario *scenario)
{
	habit(scenario, ORIGIN_AWAY, 0);
}

static void upstream_slow(struct scenario *scenario)
{
	habit(scenario, ORIGIN_SLOW, 0);
	scenario->origin.read_max = 4096;
	scenario->origin.pause_ms = 10;
}

static void upstream_events(struct scenario *scenario)
{
	habit(scenario, ORIGIN_EVENTS, 0);
	scenario->origin.body = ORIGIN_CHUNKED;
	scenario->origin.read_max = 100;
	scenario->origin.pause_ms = 45000;
}

static void upstream_closes(struct scenario *scenario)
{
	habit(scenario, ORIGIN_CLOSES, 50000);
}

static void upstream_resets(struct scenario *scenario)
{
	habit(scenario, ORIGIN_RESETS, 50000);
}

static void upstream_early(struct scenario *scenario)
{
	habit(scenario, ORIGIN_EARLY, 1000);
}

static void upstream_cuts(struct scenario *scenario)
{
	habit(scenario, ORIGIN_CUTS, 0);
}

/* The upstream answers and closes while the client neither reads nor has sent its body: nothing may spin meanwhile. */
static void upstream_cuts_unread(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[0];

	upstream_cuts(scenario);
	scenario->origin.down.buffer = 50;
	plan->down = (struct relay_limits){.buffer = 100, .delay_us = 10000};
	plan->reading = READS_SLOWLY;
	plan->read_max = 10;
	plan->read_pause_ms = 100;
}

static void upstream_silent(struct scenario *scenario)
{
	habit(scenario, ORIGIN_SILENT, 1000);
}

/* More than one step of the connection may do: each stream must get its turn eventually. */
static void much_at_once(struct scenario *scenario)
{
	struct conn_plan *plan = proxied(scenario, 0);

	plan->up = (struct relay_limits){.buffer = MiB, .delay_us = 80000};
	for (unsigned i = 0; i < plan->request_count; i++)
		plan->requests[i].body += i * 1000;
}

/* ---- certificates ---- */

/* Every other stream requests a route that asks late. */
static void late_among(struct scenario *scenario)
{
	struct conn_plan *plan = proxied(scenario, 1000);

	for (unsigned i = 0; i + 1 < plan->request_count; i += 2)
		plan->requests[i].route = (enum route)(ROUTE_LATE + i / 2 % 6);
}

static void check_late_among(struct world *world)
{
	const struct client *client = &world->conns[0].client;

	for (unsigned i = 0; i < client->plan->request_count; i++)
		if (client->answers[i].status != (i % 2 == 0 ? 0 : 200))
			world_fail(world, "stream %u: %u", i, client->answers[i].status);
	if (world->origin.requests != client->plan->request_count / 2)
		world_fail(world, "%u requests came to the upstream", world->origin.requests);
}

static void at_handshake(struct scenario *scenario)
{
	scenario->conns[0].handshake_host = true;
	(void)proxied(scenario, 0);
}

/* Another connection speaks HTTP/1.1, and is asked for the certificate meanwhile. */
static void beside_http1(struct scenario *scenario)
{
	struct conn_plan *plan = &scenario->conns[1];

	*plan = scenario->conns[0];
	plan->answer_after_ms = 1000;
	scenario->conns[0].requests[0].route = ROUTE_NEVER;
	scenario->conn_count = 2;
	(void)proxied(scenario, 100000);
}

/* ---- the handshake on demand ---- */

/* A browser whose request is reset with HTTP_1_1_REQUIRED, and which sends it again over HTTP/1.1. */
static struct conn_plan *comes_back(struct scenario *scenario)
{
	struct conn_plan *first = http2(scenario), *second = &scenario->conns[1];

	first->browser = true;
	first->post_handshake = false;
	*second = *first;
	second->http2 = false;
	second->follows = 0;
	scenario->conn_count = 2;
	return second;
}

static void browser(struct scenario *scenario)
{
	(void)comes_back(scenario);
}

static void browser_proxied(struct scenario *scenario)
{
	scenario->proxied = true;
	(void)comes_back(scenario);
}

/* On a host that never holds clients to TLS 1.2; the user takes long to choose. */
static void browser_that_thinks(struct scenario *scenario)
{
	scenario->hold_to_tls12 = false;
	comes_back(scenario)->answer_after_ms = 100000;
}

/* Connections of other clients, and those of the same client before the reset, are not asked. */
static void browser_from_elsewhere(struct scenario *scenario)
{
	comes_back(scenario)->address = 7;
}

static void check_on_demand(struct world *world)
{
	const struct sim_conn *conn = &world->conns[1];
	const json_t *ask = conn->record_count == 1 ? json_object_get(conn->records[0], "ask") : NULL;

	if (!json_is_true(json_object_get(ask, "on_demand")))
		world_fail(world, "it was not asked on demand");
	if (h2_peer_fate(world->conns[0].client.http2, 0)->sent > 65535)
		world_fail(world, "the stream that was sent away has taken its body");
}

static void check_not_on_demand(struct world *world)
{
	const struct sim_conn *conn = &world->conns[1];
	const json_t *ask = conn->record_count == 1 ? json_object_get(conn->records[0], "ask") : NULL;

	if (json_is_true(json_object_get(ask, "on_demand")))
		world_fail(world, "it was asked on demand");
}

static void gnutls(struct scenario *scenario)
{
	scenario->proxied = true;
	mixed(scenario);
	scenario->conns[0].stack = STACK_GNUTLS;
}

static void gnutls_at_handshake(struct scenario *scenario)
{
	at_handshake(scenario);
	scenario->conns[0].stack = STACK_GNUTLS;
}

/* ---- windows ---- */

static void window(struct scenario *scenario, enum window_grants grants, uint32_t stream)
{
	struct conn_plan *plan = proxied(scenario, 100000);

	plan->windows.grants = grants;
	plan->windows.stream = stream;
}

static void window_withheld(struct scenario *scenario)
{
	window(scenario, GRANTS_NEVER, 0);
}

static void window_used_up(struct scenario *scenario)
{
	window(scenario, GRANTS_NEVER, 65535);
	scenario->conns[0].windows.withholds_connection = true;
}

static void window_by_octets(struct scenario *scenario)
{
	window(scenario, GRANTS_DRIBBLE, 1000);
	scenario->conns[0].windows.grant_max = 1000;
	scenario->conns[0].windows.grant_pause_ms = 200;
}

/* More WINDOW_UPDATEs than a connection may send, over a very slow connection: the connection must still end soon. */
static void window_flood(struct scenario *scenario)
{
	struct conn_plan *plan = proxied(scenario, 1558);

	plan->up = plan->down = (struct relay_limits){.buffer = 1, .delay_us = 4, .bytes_per_s = 100000};
	plan->windows = (struct window_plan){
		.stream = 6 * MiB, .connection = MiB, .grants = GRANTS_DRIBBLE, .grant_max = 1, .grant_pause_ms = 1};
	plan->record_max = 10;
	scenario->origin.down = (struct relay_limits){.buffer = 1};
	plan->request_count = 1;
}

static void window_by_octets_too_slowly(struct scenario *scenario)
{
	window(scenario, GRANTS_DRIBBLE, 10);
	scenario->conns[0].windows.grant_max = 1;
	scenario->conns[0].windows.grant_pause_ms = 20000;
}

/* The upstream sends pieces of one byte: a piece must not get a time limit of its own. */
static void window_by_octets_each_piece(struct scenario *scenario)
{
	window(scenario, GRANTS_DRIBBLE, 10);
	scenario->conns[0].requests[0].pad = 1000;
	scenario->conns[0].request_count = 1;
	scenario->conns[0].windows.grant_max = 10;
	scenario->conns[0].windows.grant_pause_ms = 20000;
	scenario->origin.down.buffer = 1;
}

/* The client takes each piece, but late: a piece must not get a time limit of its own on the connection either. */
static void reads_each_piece_slowly(struct scenario *scenario)
{
	struct conn_plan *plan = proxied(scenario, 0);

	habit(scenario, ORIGIN_EVENTS, 0);
	scenario->origin.body = ORIGIN_CHUNKED;
	scenario->origin.read_max = 4000;
	scenario->origin.pause_ms = 45000;
	plan->request_count = 1;
	plan->requests[0].pad = 40000;
	plan->reading = READS_SLOWLY;
	plan->shakes_fast = true;
	plan->read_max = 1100;
	plan->read_pause_ms = 11000;
	plan->down.buffer = 16;
}

static void check_cut_off(struct world *world)
{
	if (world->conns[0].client.answers[0].complete || world->conns[0].client.end == CLIENT_DONE)
		world_fail(world, "the response goes on for as long as its client likes");
}

/* Each stream has ended without a response that looks complete, and its upstream connection has ended, too. */
static void check_none_complete(struct world *world)
{
	const struct client *client = &world->conns[0].client;

	for (unsigned i = 0; i < client->plan->request_count; i++)
		if (client->answers[i].complete || !h2_peer_fate(client->http2, i)->over)
			world_fail(world, "stream %u is complete, or goes on", i);
	for (unsigned i = 0; i < world->origin.count; i++)
		if (world->origin.upconns[i].open && !world->origin.upconns[i].dead)
			world_fail(world, "upstream connection %u is still open", i);
}

/* ---- ends ---- */

static void cancelled(struct scenario *scenario)
{
	struct conn_plan *plan = proxied(scenario, 100000);

	for (unsigned i = 0; i + 1 < plan->request_count; i += 2) {
		plan->requests[i].cancel = (enum request_cancel)(CANCEL_LATER + i / 2 % 3);
		plan->requests[i].cancel_at = (uint64_t)i * i * i;
	}
}

static void check_others_200(struct world *world)
{
	const struct client *client = &world->conns[0].client;

	for (unsigned i = 1; i < client->plan->request_count; i += 2)
		if (client->answers[i].status != 200 || !client->answers[i].complete)
			world_fail(world, "stream %u: %u", i, client->answers[i].status);
}

/* The head, a part of the body and the reset arrive together: the record must still name the request. */
static void cancelled_at_once(struct scenario *scenario)
{
	struct conn_plan *plan = http2(scenario);

	plan->requests[0].cancel = CANCEL_SENT;
	plan->requests[0].cancel_at = 1;
	plan->requests[0].chunk = 1000;
	plan->requests[1] = (struct request_plan){.method = "GET"};
	plan->request_count = 2;
}

static void retired(struct scenario *scenario)
{
	struct conn_plan *plan = proxied(scenario, 100000);

	plan->up.bytes_per_s = 100000;
	plan->retire_ms = 300;
	plan->requests[plan->request_count - 1].start_ms = 5000;
}

/* Requests that had begun are answered; the later one is not accepted. */
static void check_retired(struct world *world)
{
	const struct client *client = &world->conns[0].client;
	unsigned last = client->plan->request_count - 1;

	for (unsigned i = 0; i < last; i++)
		if (client->answers[i].status != 200 || !client->answers[i].complete)
			world_fail(world, "stream %u: %u", i, client->answers[i].status);
	if (h2_peer_fate(client->http2, last)->begun || client->answers[last].status != 0)
		world_fail(world, "a request was taken after the GOAWAY");
}

/*
 * The last response comes before its request is complete, and the client reads it only after it has written what it
 * began: the server must keep reading, although it is done with the connection.
 */
static void retired_early(struct scenario *scenario)
{
	struct conn_plan *plan = times(scenario, 1);

	scenario->proxied = true;
	scenario->origin.habit = ORIGIN_EARLY;
	scenario->origin.at = 1000;
	plan->reading = READS_AFTER;
	plan->up.buffer = 2000;
	plan->up.bytes_per_s = 20000;
	plan->down.buffer = 16;
	plan->retire_ms = 5;
}

/* Each request begins on a connection that has released its memory. */
static void rested(struct scenario *scenario)
{
	struct conn_plan *plan = proxied(scenario, 1000);

	plan->request_count = 8;
	for (unsigned i = 0; i < plan->request_count; i++)
		plan->requests[i].start_ms = i * UINT64_C(3000);
}

static void dismissed(struct scenario *scenario)
{
	habit(scenario, ORIGIN_SILENT, 1000);
	scenario->conns[0].retire_ms = 1000;
	scenario->conns[0].dismiss_ms = 1000;
}

/* The server wants to announce the end of the connection, and cannot. */
static void idle_unread(struct scenario *scenario)
{
	struct conn_plan *plan = times(scenario, 1);

	plan->ending = ENDING_IDLE;
	plan->reading = READS_SLOWLY;
	plan->read_max = 80; /* a handshake with ML-KEM must fit its 30 s */
	plan->read_pause_ms = 500;
	plan->down.buffer = 2;
}

static void check_all(struct world *world, unsigned status)
{
	const struct client *client = &world->conns[0].client;

	for (unsigned i = 0; i < client->plan->request_count; i++)
		if (client->answers[i].status != status || !client->answers[i].complete)
			world_fail(world, "stream %u: %u", i, client->answers[i].status);
}

static void check_all_200(struct world *world)
{
	check_all(world, 200);
}

static void check_all_403(struct world *world)
{
	check_all(world, 403);
}

static void check_all_413(struct world *world)
{
	check_all(world, 413);
}

static void check_all_502(struct world *world)
{
	check_all(world, 502);
}

static void check_all_503(struct world *world)
{
	check_all(world, 503);
}

static void check_all_504(struct world *world)
{
	check_all(world, 504);
}

#define V13        VERSIONS_13
#define V12        VERSIONS_12
#define NEVER      .route = ROUTE_NEVER
#define ALL(s)     .status = (s), .check = check_all_##s
#define KB(n)      .body = (n)*UINT64_C(1000)
#define INCOMPLETE .status = 0, .check = check_none_complete

const struct named named_h2[] = {
	{"h2-get", V13, NEVER, .adjust = one, ALL(200)},
	{"h2-get-1.2", V12, NEVER, .adjust = one, ALL(200)},
	{"h2-put", V13, NEVER, .body = MiB, .adjust = one, ALL(200)},
	{"h2-sixteen", V13, NEVER, KB(100), .adjust = sixteen, ALL(200)},
	{"h2-mixed", V13, .adjust = mixed, ALL(200)},
	{"h2-proxied-mixed", V13, .adjust = proxied_mixed, ALL(200)},
	{"h2-proxied-small", V13, NEVER, KB(20), .adjust = small, ALL(200)},
	{"h2-proxied-one-byte", V13, NEVER, KB(1), .adjust = one_byte, ALL(200)},
	{"h2-proxied-chunked", V13, NEVER, KB(50), .adjust = chunked, ALL(200)},
	{"h2-writes-first", V13, NEVER, KB(300), .adjust = writes_first, ALL(200)},
	{"h2-expects", V13, NEVER, KB(50), .adjust = expects, ALL(200)},
	{"h2-much-at-once", V13, NEVER, KB(60), .adjust = much_at_once, ALL(200)},
	/* certificates */
	{"h2-late", V13, .route = ROUTE_LATE, .body = MiB, .adjust = one, .status = 0},
	{"h2-late-1.2", V12, .route = ROUTE_LATE, .body = MiB, .adjust = one, .status = 0},
	{"h2-late-among", V13, NEVER, KB(50), .adjust = late_among, .status = 200, .check = check_late_among},
	{"h2-beside-http1", V13, .route = ROUTE_LATE, KB(100), .adjust = beside_http1, ALL(200)},
	{"h2-comes-back", VERSIONS_BOTH, .route = ROUTE_LATE, .body = MiB, .adjust = browser, .status = 200,
	 .verdict = "accepted", .reason = "none", .means = "handshake", .moment = "handshake",
	 .check = check_on_demand},
	{"h2-comes-back-proxied", V13, .route = ROUTE_BODY, .body = MiB, .adjust = browser_proxied, .status = 200,
	 .verdict = "accepted", .reason = "none", .means = "handshake", .moment = "handshake",
	 .check = check_on_demand},
	{"h2-comes-back-empty", VERSIONS_BOTH, .answer = ANSWER_EMPTY, .route = ROUTE_LATE, .body = MiB,
	 .adjust = browser, .status = 403, .verdict = "declined", .means = "handshake", .moment = "handshake",
	 .check = check_on_demand},
	{"h2-comes-back-wrong-ca", VERSIONS_BOTH, .answer = ANSWER_WRONG_CA, .route = ROUTE_LATE, .body = MiB,
	 .adjust = browser, .status = 403, .verdict = "rejected", .means = "handshake", .moment = "handshake",
	 .check = check_on_demand},
	{"h2-comes-back-late", V13, .route = ROUTE_LATE, .body = MiB, .adjust = browser_that_thinks, .status = 200,
	 .verdict = "accepted", .reason = "none", .means = "handshake", .moment = "handshake",
	 .check = check_on_demand},
	{"h2-comes-back-1.2", V12, .route = ROUTE_LATE, .body = 5000, .adjust = browser, .status = 200,
	 .verdict = "accepted", .reason = "none", .means = "renegotiation", .check = check_not_on_demand},
	{"h2-comes-from-elsewhere", VERSIONS_BOTH, .route = ROUTE_LATE, .body = 5000, .adjust = browser_from_elsewhere,
	 .check = check_not_on_demand, .status = ANY_STATUS},
	{"h2-gnutls", V13, .adjust = gnutls, ALL(200)},
	{"h2-gnutls-1.2", V12, .adjust = gnutls, ALL(200)},
	{"h2-gnutls-handshake", V13, .route = ROUTE_HOST, KB(50), .adjust = gnutls_at_handshake, ALL(200)},
	{"h2-handshake", V13, .route = ROUTE_HOST, KB(50), .adjust = at_handshake, ALL(200)},
	{"h2-handshake-empty", V13, .answer = ANSWER_EMPTY, .route = ROUTE_HOST, KB(50), .adjust = at_handshake,
	 ALL(403)},
	/* upstreams */
	{"h2-upstream-away", V13, NEVER, KB(100), .adjust = upstream_away, ALL(502)},
	{"h2-upstream-slow", V13, NEVER, KB(100), .adjust = upstream_slow, ALL(200)},
	{"h2-upstream-events", V13, NEVER, .adjust = upstream_events, ALL(200)},
	{"h2-upstream-closes", V13, NEVER, KB(100), .adjust = upstream_closes, ALL(502)},
	{"h2-upstream-resets", V13, NEVER, KB(100), .adjust = upstream_resets, ALL(502)},
	{"h2-upstream-early", V13, NEVER, KB(100), .adjust = upstream_early, ALL(413)},
	{"h2-upstream-cuts", V13, NEVER, .adjust = upstream_cuts, INCOMPLETE},
	{"h2-upstream-cuts-unread", V13, NEVER, KB(60), .adjust = upstream_cuts_unread, INCOMPLETE},
	{"h2-upstream-silent", V13, NEVER, KB(100), .adjust = upstream_silent, ALL(504)},
	/* windows */
	{"h2-window-withheld", V13, NEVER, .adjust = window_withheld, INCOMPLETE},
	{"h2-window-used-up", V13, NEVER, .adjust = window_used_up, INCOMPLETE},
	{"h2-window-by-octets", V13, NEVER, .adjust = window_by_octets, ALL(200)},
	{"h2-slow-reader-of-each-piece", V13, NEVER, .adjust = reads_each_piece_slowly, .status = ANY_STATUS,
	 .check = check_cut_off},
	{"h2-window-by-octets-too-slowly", V13, NEVER, .adjust = window_by_octets_too_slowly, INCOMPLETE},
	{"h2-window-by-octets-each-piece", V13, NEVER, .adjust = window_by_octets_each_piece, INCOMPLETE},
	{"h2-window-flood", V13, NEVER, .adjust = window_flood, .status = ANY_STATUS},
	/* ends */
	{"h2-cancelled", V13, NEVER, KB(100), .adjust = cancelled, .status = 200, .check = check_others_200},
	{"h2-cancelled-at-once", V13, NEVER, KB(100), .adjust = cancelled_at_once, .status = 200},
	{"h2-retired", V13, NEVER, KB(20), .adjust = retired, .status = 0, .check = check_retired},
	{"h2-retired-early", V13, NEVER, KB(60), .adjust = retired_early, ALL(413)},
	{"h2-dismissed", V13, NEVER, KB(100), .adjust = dismissed, ALL(503)},
	{"h2-rested", V13, NEVER, KB(20), .adjust = rested, ALL(200)},
	{"h2-idle-unread", V13, NEVER, .adjust = idle_unread, ALL(200)},
};

const size_t named_h2_count = sizeof(named_h2) / sizeof(named_h2[0]);
