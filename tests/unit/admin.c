/* The admin server over a transport in memory: what it answers, whom it refuses, and how its connections end. */
#include "scoreboard_world.h"

#include <jansson.h>

#include "../made.h"
#include "admin/respond.h"

#define MIB UINT64_C(1048576)

/* ---- a transport that the test fills and drains */

struct pipe_end {
	char in[65536], out[1 << 22];
	size_t in_at, in_len, out_len, out_room; /* out_room: what may still be written */
	bool ended, broken, half_closed;
};

static ssize_t pipe_read(void *io, void *data, size_t room)
{
	struct pipe_end *pipe_end = io;
	size_t len = pipe_end->in_len - pipe_end->in_at;

	if (pipe_end->broken)
		return TRANSPORT_BROKEN;
	if (len == 0)
		return pipe_end->ended ? TRANSPORT_END : TRANSPORT_BLOCKED;
	len = len < room ? len : room;
	memcpy(data, pipe_end->in + pipe_end->in_at, len);
	pipe_end->in_at += len;
	return (ssize_t)len;
}

static ssize_t pipe_write(void *io, const void *data, size_t len)
{
	struct pipe_end *pipe_end = io;

	if (pipe_end->broken)
		return TRANSPORT_BROKEN;
	assert_false(pipe_end->half_closed);
	len = len < pipe_end->out_room ? len : pipe_end->out_room;
	if (len == 0)
		return TRANSPORT_BLOCKED;
	assert_true(pipe_end->out_len + len < sizeof(pipe_end->out));
	memcpy(pipe_end->out + pipe_end->out_len, data, len);
	pipe_end->out_len += len;
	pipe_end->out_room -= len;
	return (ssize_t)len;
}

static void pipe_half_close(void *io)
{
	((struct pipe_end *)io)->half_closed = true;
}

static ssize_t pipe_discard(void *io, size_t max)
{
	char unread[4096];
	return pipe_read(io, unread, max < sizeof(unread) ? max : sizeof(unread));
}

static const struct transport_ops pipe_ops = {
	.read = pipe_read, .write = pipe_write, .half_close = pipe_half_close, .discard = pipe_discard};

/* ---- a world: a gateway that serves, and one connection */

struct world {
	struct config *config;
	struct scoreboard *scoreboard;
	struct scoreboard_map *map;
	struct scoreboard_worker *worker;
	thaw_quota *quota;
	struct admin admin;
	struct pipe_end *pipe_end;
	struct admin_conn *conn;
	struct admin_wants wants;
	uint64_t now_ms;
	bool crowded;
};

static void reconnect(struct world *world)
{
	admin_conn_free(&world->conn);
	memset(world->pipe_end, 0, sizeof(*world->pipe_end));
	world->pipe_end->out_room = SIZE_MAX;
	world->conn = admin_conn_new(&world->admin, (struct transport){&pipe_ops, world->pipe_end}, world->now_ms);
	assert_non_null(world->conn);
}

static int open_world(void **state)
{
	struct thaw_quota_limits limits = {.size = sizeof(limits), .memory = 16 * MIB, .disk = 64 * MIB, .workers = 1};
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->config = config_with("{ a: { servers: [ 'http://10.0.0.1' ] } }");
	world->scoreboard = new_scoreboard(2);
	world->map = scoreboard_map_new(world->scoreboard, world->config);
	world->worker = new_worker(world->scoreboard, 1, world->map, NULL);
	world->quota = made_quota_new(&limits);
	world->pipe_end = malloc(sizeof(*world->pipe_end));
	assert_true(world->quota != NULL && world->pipe_end != NULL);
	scoreboard_alive(world->worker, NOW_MS);
	scoreboard_enter(world->scoreboard, SCOREBOARD_SERVING, 1, 1);
	world->now_ms = NOW_MS;
	world->admin = (struct admin){.scoreboard = world->scoreboard,
				      .quota = world->quota,
				      .memory_limit = 16 * MIB,
				      .disk_limit = 64 * MIB,
				      .host = "gate-7",
				      .began_ms = NOW_MS - 60000,
				      .wall_offset_ms = WALL_MS - (int64_t)NOW_MS};
	reconnect(world);
	*state = world;
	return 0;
}

static int close_world(void **state)
{
	struct world *world = *state;

	admin_conn_free(&world->conn);
	scoreboard_close(&world->worker);
	scoreboard_map_free(&world->map);
	scoreboard_free(&world->scoreboard);
	thaw_quota_free(&world->quota);
	config_free(&world->config);
	free(world->pipe_end);
	free(world);
	return 0;
}

static void step(struct world *world)
{
	world->wants = admin_conn_step(world->conn, world->crowded, world->now_ms);
}

static void send_text(struct world *world, const char *text)
{
	size_t len = strlen(text);

	assert_true(world->pipe_end->in_len + len <= sizeof(world->pipe_end->in));
	memcpy(world->pipe_end->in + world->pipe_end->in_len, text, len);
	world->pipe_end->in_len += len;
	step(world);
}

/* The one response that has come: its status, its head as a string, and its body. */
struct response {
	unsigned status;
	char head[2048];
	const char *body;
	size_t body_len;
};

static struct response take(struct world *world, bool has_body)
{
	struct response response = {.status = 0};
	char *out = world->pipe_end->out, *end = memmem(out, world->pipe_end->out_len, "\r\n\r\n", 4);

	assert_non_null(end);
	assert_true((size_t)(end - out) + 3 < sizeof(response.head));
	memcpy(response.head, out, (size_t)(end - out) + 2);
	assert_memory_equal(response.head, "HTTP/1.1 ", 9);
	response.status = (unsigned)atoi(response.head + 9);
	const char *length = strstr(response.head, "\r\nContent-Length: ");
	assert_non_null(length);
	response.body = end + 4;
	response.body_len = has_body ? strtoul(length + 18, NULL, 10) : 0;
	assert_int_equal((size_t)(end - out) + 4 + response.body_len, world->pipe_end->out_len);
	world->pipe_end->out_len = 0;
	return response;
}

static struct response get(struct world *world, const char *path)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
	send_text(world, text);
	return take(world, true);
}

static bool has_line(const struct response *response, const char *line)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "\r\n%s\r\n", line);
	return strstr(response->head, text) != NULL;
}

static void assert_body(const struct response *response, const char *text)
{
	assert_int_equal(response->body_len, strlen(text));
	assert_memory_equal(response->body, text, strlen(text));
}

/* ---- what there is */

static void test_health_and_readiness(void **state)
{
	struct world *world = *state;
	struct response response = get(world, "/healthz");

	assert_int_equal(response.status, 200);
	assert_body(&response, "ok\n");
	assert_true(has_line(&response, "Date: Mon, 23 Nov 2026 18:40:00 GMT"));
	assert_true(has_line(&response, "Cache-Control: no-store"));
	response = get(world, "/readyz");
	assert_int_equal(response.status, 200);
	assert_body(&response, "ready\n");
	world->now_ms += SCOREBOARD_SILENT_MS + 1;
	response = get(world, "/readyz");
	assert_int_equal(response.status, 503);
	assert_body(&response, "not ready\nserving; 0 of 1 workers serve\n");
	scoreboard_alive(world->worker, world->now_ms);
	response = get(world, "/readyz");
	assert_int_equal(response.status, 200);
	scoreboard_enter(world->scoreboard, SCOREBOARD_STOPPING, 1, 1);
	response = get(world, "/readyz");
	assert_int_equal(response.status, 503);
	response = get(world, "/healthz");
	assert_int_equal(response.status, 200);
	assert_false(world->wants.dead);
}

static void test_metrics(void **state)
{
	struct world *world = *state;
	struct response response = get(world, "/metrics");

	assert_int_equal(response.status, 200);
	assert_true(has_line(&response, "Content-Type: text/plain; version=0.0.4; charset=utf-8"));
	assert_non_null(memmem(response.body, response.body_len, "\nthaw_ready 1\n", 14));
	assert_int_equal(response.body[response.body_len - 1], '\n');
}

static const char *string_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	assert_non_null(text);
	return text;
}

static json_int_t number_at(const json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

static json_t *get_status(struct world *world)
{
	json_error_t error;
	struct response response = get(world, "/status.json");

	assert_int_equal(response.status, 200);
	assert_true(has_line(&response, "Content-Type: application/json"));
	json_t *status = json_loadb(response.body, response.body_len, JSON_REJECT_DUPLICATES, &error);
	if (status == NULL)
		fail_msg("%s", error.text);
	return status;
}

static void test_status_of_an_idle_gateway(void **state)
{
	struct world *world = *state;
	json_t *status = get_status(world), *spool = json_object_get(status, "spool");

	assert_string_equal(string_at(status, "version"), THAW_VERSION_TEXT);
	assert_true(json_is_true(json_object_get(status, "ready")));
	assert_string_equal(string_at(status, "phase"), "serving");
	assert_int_equal(number_at(status, "uptime_ms"), 60000);
	assert_int_equal(number_at(status, "time_ms"), WALL_MS);
	assert_int_equal(json_array_size(json_object_get(status, "asks")), 0);
	assert_true(json_is_array(json_object_get(status, "asks")));
	assert_int_equal(json_array_size(json_object_get(status, "outcomes")), 0);
	assert_int_equal(json_array_size(json_object_get(status, "upstreams")), 1);
	assert_int_equal(json_array_size(json_object_get(status, "answer_limits_ms")), SCOREBOARD_BUCKETS);
	assert_int_equal(number_at(json_object_get(spool, "memory"), "limit"), 16 * MIB);
	assert_int_equal(number_at(json_object_get(spool, "disk"), "limit"), 64 * MIB);
	json_t *worker = json_array_get(json_object_get(status, "workers"), 0);
	assert_string_equal(string_at(worker, "state"), "serving");
	json_decref(status);
}

static void test_status_of_a_busy_gateway(void **state)
{
	struct world *world = *state;
	struct thaw_report accepted =
		a_verdict(THAW_MEANS_POST_HANDSHAKE, THAW_VERDICT_ACCEPTED, THAW_REASON_NONE, 100);
	struct thaw_report declined =
		a_verdict(THAW_MEANS_RENEGOTIATION, THAW_VERDICT_DECLINED, THAW_REASON_NO_CERTIFICATE, 100);
	scoreboard_ask ask = ask_at(world->worker, "/\"quoted\"</script>", NOW_MS - 2500);

	scoreboard_ask_progress(world->worker, ask, 77, NOW_MS - 2000);
	scoreboard_verdict(world->worker, &declined, 5, WALL_MS);
	for (int i = 0; i < 3; i++)
		scoreboard_verdict(world->worker, &accepted, 10, WALL_MS - SCOREBOARD_STEP_MS);
	scoreboard_request(world->worker, 404, 1, 2, 3);
	scoreboard_refusal(world->worker, GW_PROBLEM_NO_ROUTE);
	scoreboard_upstream(world->worker, &world->config->upstreams[0], "http://10.0.0.1", SCOREBOARD_ANSWERED, 6);
	scoreboard_pool(world->worker, 0, 0, &(struct scoreboard_use){.in_use = 1, .resting = 1});
	json_t *status = get_status(world);

	json_t *shown = json_array_get(json_object_get(status, "asks"), 0);
	assert_string_equal(string_at(shown, "client"), "192.0.2.1:49152");
	assert_string_equal(string_at(shown, "path"), "/\"quoted\"</script>");
	assert_string_equal(string_at(shown, "means"), "post-handshake");
	assert_true(json_is_true(json_object_get(shown, "asked")));
	assert_int_equal(number_at(shown, "age_ms"), 2500);
	assert_int_equal(number_at(shown, "drained"), 77);
	assert_int_equal(number_at(shown, "length"), 1000);

	json_t *steps = json_object_get(json_object_get(status, "verdicts"), "steps");
	assert_int_equal(json_object_size(steps), SCOREBOARD_VERDICTS - THAW_VERDICT_ACCEPTED);
	assert_int_equal(json_array_size(json_object_get(steps, "accepted")), SCOREBOARD_STEPS);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(steps, "accepted"), SCOREBOARD_STEPS - 2)),
			 3);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(steps, "declined"), SCOREBOARD_STEPS - 1)),
			 1);

	json_t *outcome = json_array_get(json_object_get(status, "outcomes"), 0);
	assert_string_equal(string_at(outcome, "verdict"), "accepted");
	assert_int_equal(number_at(outcome, "count"), 3);
	outcome = json_array_get(json_object_get(status, "outcomes"), 1);
	assert_string_equal(string_at(outcome, "reason"), "no-certificate");
	assert_string_equal(string_at(outcome, "means"), "renegotiation");

	json_t *totals = json_object_get(status, "totals");
	assert_int_equal(number_at(totals, "drained"), 35);
	assert_int_equal(number_at(totals, "asks_open"), 1);
	assert_int_equal(number_at(json_object_get(totals, "requests"), "4xx"), 1);
	assert_int_equal(number_at(json_object_get(totals, "refusals"), "no-route"), 1);

	json_t *server = json_array_get(json_object_get(status, "upstreams"), 0);
	assert_string_equal(string_at(server, "server"), "http://10.0.0.1");
	assert_int_equal(number_at(server, "answered"), 1);
	assert_int_equal(number_at(server, "resting"), 1);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(server, "answers"), 1)), 1);
	json_decref(status);

	/* A body whose length is not declared. */
	struct scoreboard_ask_facts facts = {.path = {"/", 1}, .length = UINT64_MAX};
	(void)scoreboard_ask_begin(world->worker, &facts, NOW_MS);
	status = get_status(world);
	shown = json_array_get(json_object_get(status, "asks"), 1);
	assert_true(json_is_null(json_object_get(shown, "length")));
	json_decref(status);
}

static void test_more_outcomes_than_are_listed(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < SCOREBOARD_VERDICTS * SCOREBOARD_REASONS; i++) {
		struct thaw_report report = {.verdict = (enum thaw_verdict)(i / SCOREBOARD_REASONS),
					     .reason = (enum thaw_reason)(i % SCOREBOARD_REASONS)};
		scoreboard_verdict(world->worker, &report, 0, WALL_MS);
	}
	json_t *status = get_status(world);
	assert_int_equal(json_array_size(json_object_get(status, "outcomes")), 64);
	json_decref(status);
}

static void test_the_page_is_whole_and_alone(void **state)
{
	struct world *world = *state;
	char nonces[2][64] = {"", ""};

	for (int i = 0; i < 2; i++) {
		struct response response = get(world, "/");
		char *page = strndup(response.body, response.body_len), mark[80];
		assert_non_null(page);
		assert_int_equal(response.status, 200);
		assert_true(has_line(&response, "Content-Type: text/html; charset=utf-8"));
		const char *nonce = strstr(response.head, "script-src 'nonce-");
		assert_non_null(nonce);
		assert_int_equal(sscanf(nonce + 18, "%63[0-9a-f]", nonces[i]), 1);
		assert_int_equal(strlen(nonces[i]), 32);
		(void)snprintf(mark, sizeof(mark), "<script nonce=\"%s\">", nonces[i]);
		assert_non_null(strstr(page, mark));
		(void)snprintf(mark, sizeof(mark), "<style nonce=\"%s\">", nonces[i]);
		assert_non_null(strstr(page, mark));
		assert_non_null(strstr(response.head, "default-src 'none'"));
		assert_non_null(strstr(response.head, "frame-ancestors 'none'"));
		assert_int_equal(strncmp(page, "<!doctype html>", 15), 0);
		assert_non_null(strstr(page, "prefers-color-scheme: dark"));
		assert_non_null(strstr(page, "fetch(\"/status.json\""));
		assert_null(strstr(page, "@STYLE@"));
		assert_null(strstr(page, "@NONCE@"));
		assert_null(strstr(page, "https://"));
		assert_null(strstr(page, "src=\""));
		assert_null(strstr(page, "innerHTML"));
		assert_string_equal(page + strlen(page) - 8, "</html>\n");
		free(page);
	}
	assert_string_not_equal(nonces[0], nonces[1]);
}

static void test_head_has_no_body(void **state)
{
	static const char *const paths[] = {"/", "/metrics", "/status.json", "/healthz", "/readyz", "/nothing"};
	struct world *world = *state;
	char text[128];

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct response whole = get(world, paths[i]);
		(void)snprintf(text, sizeof(text), "HEAD %s HTTP/1.1\r\nHost: [::1]:9443\r\n\r\n", paths[i]);
		send_text(world, text);
		struct response head = take(world, false);
		assert_int_equal(head.status, whole.status);
		(void)snprintf(text, sizeof(text), "Content-Length: %zu", whole.body_len);
		assert_true(has_line(&head, text));
	}
}

/* ---- whom it refuses */

static unsigned status_of(struct world *world, const char *request)
{
	reconnect(world);
	send_text(world, request);
	return take(world, true).status;
}

static void test_names_that_may_be_used(void **state)
{
	static const char *const good[] = {"localhost", "LOCALHOST:80",     "127.0.0.1:9443", "192.0.2.200",
					   "[::1]",     "[2001:db8::1]:80", "gate-7",         "Gate-7:9443"};
	static const char *const bad[] = {"evil.example",
					  "localhost.evil.example",
					  "127.0.0.1.evil.example",
					  "1.2.3",
					  "gate-7.evil.example",
					  "localhos",
					  "xlocalhost",
					  "256.0.0.1",
					  "0x7f000001",
					  "a23456789012345678901234567890123456789012345678901234567890.b.example"};
	struct world *world = *state;
	char text[256];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		(void)snprintf(text, sizeof(text), "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", good[i]);
		assert_int_equal(status_of(world, text), 200);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", bad[i]);
		if (status_of(world, text) != 421)
			fail_msg("%s may be used", bad[i]);
	}
	assert_int_equal(status_of(world, "GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
			 421);
	assert_int_equal(status_of(world, "GET /healthz HTTP/1.0\r\n\r\n"), 200);
	assert_int_equal(status_of(world, "GET /healthz HTTP/1.1\r\n\r\n"), 400);
	world->admin.host = NULL;
	assert_int_equal(status_of(world, "GET /healthz HTTP/1.1\r\nHost: gate-7\r\n\r\n"), 421);
}

static void names_of_the_settings_are_accepted(void **state)
{
	static char first[] = "gateway.example.com", second[] = "metrics";
	static char *const names[] = {first, second, NULL};
	struct world *world = *state;

	world->admin.names = names;
	assert_int_equal(status_of(world, "GET /healthz HTTP/1.1\r\nHost: Gateway.Example.com:9443\r\n\r\n"), 200);
	assert_int_equal(status_of(world, "GET /healthz HTTP/1.1\r\nHost: metrics\r\n\r\n"), 200);
	assert_int_equal(status_of(world, "GET /healthz HTTP/1.1\r\nHost: gate-7\r\n\r\n"), 200);
	assert_int_equal(status_of(world, "GET /healthz HTTP/1.1\r\nHost: example.com\r\n\r\n"), 421);
	assert_int_equal(status_of(world, "GET /healthz HTTP/1.1\r\nHost: metrics.example.com\r\n\r\n"), 421);
}

static void test_methods_and_paths(void **state)
{
	static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "get", "TRACE"};
	static const char *const missing[] = {"/metric",       "/metrics/",      "//",
					      "/status.json2", "/../etc/passwd", "/Metrics"};
	struct world *world = *state;
	char text[256];

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		reconnect(world);
		(void)snprintf(text, sizeof(text), "%s /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", methods[i]);
		send_text(world, text);
		struct response response = take(world, true);
		assert_int_equal(response.status, 405);
		assert_true(has_line(&response, "Allow: GET, HEAD"));
	}
	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		reconnect(world);
		assert_int_equal(get(world, missing[i]).status, 404);
	}
	assert_int_equal(get(world, "/metrics?name=x").status, 200);
}

static void test_bodies_are_not_read(void **state)
{
	struct world *world = *state;

	assert_int_equal(status_of(world, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"), 413);
	assert_true(world->pipe_end->half_closed);
	assert_int_equal(status_of(world, "GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"),
			 413);
	assert_int_equal(status_of(world, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
			 200);
	assert_false(world->pipe_end->half_closed);
}

static void test_what_is_not_http(void **state)
{
	struct world *world = *state;
	char text[9000];

	assert_int_equal(status_of(world, "hello\r\n\r\n"), 400);
	assert_int_equal(status_of(world, "GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"), 505);
	assert_int_equal(status_of(world, "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"), 400);
	assert_true(world->pipe_end->half_closed);

	/* A head that fills the buffer and is not over. */
	int len = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: localhost\r\n");
	while (len < 8150)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "X-Filler: %040d\r\n", len);
	while (len < 8300)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "Y: z\r\n");
	assert_int_equal(status_of(world, text), 431);
	assert_true(world->pipe_end->half_closed);
}

/* ---- how connections go on, and end */

static void test_kept_alive(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 20; i++) {
		struct response response = get(world, "/healthz");
		assert_false(has_line(&response, "Connection: close"));
		assert_true(world->wants.read && !world->wants.write && !world->wants.dead);
		world->now_ms += ADMIN_LIMIT_MS - 1;
	}
	assert_int_equal(world->wants.deadline_ms, world->now_ms + 1);
	world->now_ms++;
	step(world);
	assert_true(world->wants.dead);
	assert_int_equal(world->pipe_end->out_len, 0);
}

static void test_one_byte_at_a_time(void **state)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct world *world = *state;

	for (size_t i = 0; i + 1 < sizeof(request) - 1; i++) {
		send_text(world, (char[]){request[i], '\0'});
		assert_int_equal(world->pipe_end->out_len, 0);
		assert_true(world->wants.read && !world->wants.dead);
		world->now_ms++;
	}
	send_text(world, "\n");
	assert_int_equal(take(world, true).status, 200);
}

/* Whoever sends a byte now and then does not stay for ever. */
static void test_a_slow_head_ends(void **state)
{
	struct world *world = *state;
	uint64_t began_ms = world->now_ms;

	while (!world->wants.dead && world->now_ms < began_ms + 2 * ADMIN_LIMIT_MS) {
		send_text(world, "G");
		world->now_ms += 500;
	}
	assert_true(world->wants.dead);
	assert_int_equal(world->now_ms, began_ms + ADMIN_LIMIT_MS + 500);
}

static void test_a_slow_reader(void **state)
{
	struct world *world = *state;

	world->pipe_end->out_room = 100;
	send_text(world, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_true(world->wants.write && !world->wants.read);
	assert_int_equal(world->pipe_end->out_len, 100);
	uint64_t deadline_ms = world->wants.deadline_ms;
	assert_int_equal(deadline_ms, world->now_ms + ADMIN_LIMIT_MS);
	world->now_ms += 4000;
	world->pipe_end->out_room = 1000;
	step(world);
	assert_int_equal(world->wants.deadline_ms, deadline_ms);
	world->pipe_end->out_room = SIZE_MAX;
	step(world);
	assert_int_equal(take(world, true).status, 200);
	assert_true(world->wants.read);

	world->pipe_end->out_room = 100;
	send_text(world, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
	world->now_ms += ADMIN_LIMIT_MS;
	step(world);
	assert_true(world->wants.dead);
}

static void test_pipelined_requests_take_turns(void **state)
{
	struct world *world = *state;
	unsigned answered = 0;

	send_text(world,
		  "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
		  "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n");
	static const unsigned expected[] = {200, 200, 404};
	while (answered < 3) {
		struct response response = take(world, true);
		assert_int_equal(response.status, expected[answered]);
		assert_int_equal(has_line(&response, "Connection: close"), answered == 2);
		assert_int_equal(world->wants.write, answered < 2); /* again soon */
		answered++;
		step(world);
	}
	assert_int_equal(world->pipe_end->out_len, 0);
	assert_true(world->pipe_end->half_closed);
}

static void test_the_last_response_can_be_read(void **state)
{
	struct world *world = *state;
	struct response response;

	send_text(world, "GET /healthz HTTP/1.0\r\n\r\n");
	response = take(world, true);
	assert_true(has_line(&response, "Connection: close"));
	assert_true(world->pipe_end->half_closed);
	assert_true(world->wants.read && !world->wants.dead);
	send_text(world, "more");
	assert_false(world->wants.dead);
	world->pipe_end->ended = true;
	step(world);
	step(world);
	assert_true(world->wants.dead);

	/* A client that does not end is not waited for. */
	reconnect(world);
	send_text(world, "GET /healthz HTTP/1.0\r\n\r\n");
	world->now_ms = world->wants.deadline_ms;
	send_text(world, "more");
	assert_true(world->wants.dead);
}

static void test_with_many_connections_every_response_is_the_last(void **state)
{
	struct world *world = *state;
	struct response response;

	world->crowded = true;
	response = get(world, "/readyz");
	assert_int_equal(response.status, 200);
	assert_true(has_line(&response, "Connection: close"));
	assert_true(world->pipe_end->half_closed);
}

static void test_a_client_that_may_not_read_gets_403(void **state)
{
	struct world *world = *state;
	struct response response;

	admin_conn_bar(world->conn);
	response = get(world, "/status.json");
	assert_int_equal(response.status, 403);
	assert_true(has_line(&response, "Connection: close"));
	assert_true(world->pipe_end->half_closed);
}

static void test_retiring(void **state)
{
	struct world *world = *state;
	struct response response;

	/* An idle one ends at once. */
	step(world);
	admin_conn_retire(world->conn);
	step(world);
	assert_true(world->wants.dead);

	/* One whose request has begun has its response. */
	reconnect(world);
	send_text(world, "GET /healthz HTT");
	admin_conn_retire(world->conn);
	send_text(world, "P/1.1\r\nHost: localhost\r\n\r\n");
	response = take(world, true);
	assert_int_equal(response.status, 200);
	assert_true(has_line(&response, "Connection: close"));

	/* One whose response is being written has the rest of it. */
	reconnect(world);
	world->pipe_end->out_room = 50;
	send_text(world, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
	admin_conn_retire(world->conn);
	step(world);
	assert_false(world->wants.dead);
	world->pipe_end->out_room = SIZE_MAX;
	step(world);
	assert_int_equal(take(world, true).status, 200);
	assert_true(world->wants.dead);
}

static void test_clients_that_go_away(void **state)
{
	struct world *world = *state;

	world->pipe_end->ended = true;
	step(world);
	assert_true(world->wants.dead);
	reconnect(world);
	send_text(world, "GET /he");
	world->pipe_end->ended = true;
	step(world);
	assert_true(world->wants.dead);
	reconnect(world);
	world->pipe_end->broken = true;
	step(world);
	assert_true(world->wants.dead);
	reconnect(world);
	world->pipe_end->out_room = 10;
	send_text(world, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
	world->pipe_end->broken = true;
	step(world);
	assert_true(world->wants.dead);
	step(world); /* and stays so */
	assert_true(world->wants.dead);
}

/* ---- no memory */

static void test_without_memory_a_connection_ends(void **state)
{
	static const char *const paths[] = {"/", "/metrics", "/status.json", "/healthz"};
	struct world *world = *state;
	char text[128];

	json_set_alloc_funcs(malloc, free); /* so that they fail, too */
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		bool done = false;
		(void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", paths[i]);
		for (long calls = 0; !done; calls += 1 + calls / 50) {
			reconnect(world);
			calls_left = calls + 1;
			send_text(world, text);
			calls_left = -1;
			done = !world->wants.dead;
			assert_true(done || world->pipe_end->out_len == 0); /* nothing that looks whole */
		}
		assert_int_equal(take(world, true).status, 200);
	}
	calls_left = 1;
	assert_null(admin_conn_new(&world->admin, (struct transport){&pipe_ops, world->pipe_end}, NOW_MS));
	calls_left = -1;
}

#define A_TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		A_TEST(test_health_and_readiness),
		A_TEST(test_metrics),
		A_TEST(test_status_of_an_idle_gateway),
		A_TEST(test_status_of_a_busy_gateway),
		A_TEST(test_more_outcomes_than_are_listed),
		A_TEST(test_the_page_is_whole_and_alone),
		A_TEST(test_head_has_no_body),
		A_TEST(test_names_that_may_be_used),
		A_TEST(names_of_the_settings_are_accepted),
		A_TEST(test_methods_and_paths),
		A_TEST(test_bodies_are_not_read),
		A_TEST(test_what_is_not_http),
		A_TEST(test_kept_alive),
		A_TEST(test_one_byte_at_a_time),
		A_TEST(test_a_slow_head_ends),
		A_TEST(test_a_slow_reader),
		A_TEST(test_pipelined_requests_take_turns),
		A_TEST(test_the_last_response_can_be_read),
		A_TEST(test_with_many_connections_every_response_is_the_last),
		A_TEST(test_a_client_that_may_not_read_gets_403),
		A_TEST(test_retiring),
		A_TEST(test_clients_that_go_away),
		A_TEST(test_without_memory_a_connection_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
