/* The server's side of HTTP/2, against a client of nghttp2's in memory, and raw frames where none would send them. */
#include <unistd.h>

#include "h2_world.h"

static const size_t steps[] = {0, 1, 7, 64, 1000};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static void keeps_open(struct seen *seen)
{
	(void)seen;
}

static void a_request_is_delivered_and_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEPS; i++) {
		struct world *world = new_world_with_client();
		world->step = steps[i];
		int32_t id = ask(world, "GET", "/x?y", NULL, NULL, 0);
		exchange(world);
		assert_int_equal(world->count, 1);
		assert_string_equal(world->seen[0].head, "GET /x?y HTTP/1.1\r\nhost: a.example\r\n\r\n");
		assert_true(world->seen[0].ended);
		assert_int_equal(world->seen[0].id, id);
		assert_string_equal(got_of(world, id)->fields, ":status=200;server=a test;");
		assert_true(got_of(world, id)->ended);
		assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
		assert_no_streams(world);
		assert_null(h2_server_end(world->server));
		free_world(&world);
	}
}

static void answers_a_megabyte(struct seen *seen)
{
	respond(seen, 200, 1000 * 1000);
}

static void bodies_are_transferred_in_both_directions(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEPS; i++) {
		struct world *world = new_world_with_client();
		struct upload upload = {.left = 700 * 1000};
		world->step = steps[i];
		world->on_request = answers_a_megabyte;
		world->on_data = gives_back;
		int32_t id = ask(world, "PUT", "/up", &upload, NULL, 0);
		exchange(world);
		assert_string_equal(world->seen[0].head,
				    "PUT /up HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n");
		assert_int_equal(world->seen[0].came, 700 * 1000);
		assert_true(world->seen[0].ended);
		assert_int_equal(got_of(world, id)->body, 1000 * 1000);
		assert_true(got_of(world, id)->ended);
		assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
		free_world(&world);
	}
}

static void trailers_go_both_ways(void **state)
{
	struct world *world = new_world_with_client();
	const nghttp2_nv trailer = nv("checksum", "123");
	struct upload upload = {.left = 10, .trailers = &trailer};

	(void)state;
	world->on_request = NULL;
	int32_t id = ask(world, "POST", "/", &upload, NULL, 0);
	exchange(world);
	assert_true(world->seen[0].ended);
	assert_string_equal(world->seen[0].trailers, "checksum: 123\r\n");
	world->seen[0].with_trailers = true;
	respond(&world->seen[0], 200, 5);
	exchange(world);
	assert_int_equal(got_of(world, id)->body, 5);
	assert_string_equal(got_of(world, id)->fields, ":status=200;server=a test;sum=abc;");
	assert_true(got_of(world, id)->ended);
	assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
	free_world(&world);
}

/* Its body has come to its end before anybody knew: the trailers are all that is left. */
static void answers_nothing_but_trailers(struct seen *seen)
{
	seen->with_trailers = true;
	assert_true(h2_stream_respond(seen->stream, 200, NULL, 0, false));
}

static void trailers_alone_end_a_body(void **state)
{
	struct world *world = new_world_with_client();

	(void)state;
	world->on_request = answers_nothing_but_trailers;
	int32_t id = ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	assert_string_equal(got_of(world, id)->fields, ":status=200;sum=abc;");
	assert_int_equal(got_of(world, id)->body, 0);
	assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
	free_world(&world);
}

static void trailers_are_for_the_end_only(void **state)
{
	struct world *world = new_world_with_client();
	const struct http_field trailer = {{"a", 1}, {"b", 1}};

	(void)state;
	world->on_request = NULL;
	(void)ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	assert_false(h2_stream_trailers(world->seen[0].stream, &trailer, 1));
	assert_true(h2_stream_respond(world->seen[0].stream, 200, NULL, 0, false));
	assert_false(h2_stream_trailers(world->seen[0].stream, &trailer, 1));
	free_world(&world);
}

/* RFC 9113 8.1 */
static void interim_responses_precede_the_final_one(void **state)
{
	struct world *world = new_world_with_client();
	struct upload upload = {.left = 10};
	const nghttp2_nv expect = nv("expect", "100-continue");

	(void)state;
	world->on_request = NULL;
	int32_t id = ask(world, "PUT", "/", &upload, &expect, 1);
	exchange(world);
	assert_true(h2_stream_respond(world->seen[0].stream, 100, NULL, 0, false));
	assert_true(h2_stream_respond(world->seen[0].stream, 103, NULL, 0, false));
	exchange(world);
	assert_string_equal(got_of(world, id)->fields, ":status=100;:status=103;");
	respond(&world->seen[0], 201, 3);
	assert_false(h2_stream_respond(world->seen[0].stream, 200, NULL, 0, true)); /* there is one */
	exchange(world);
	assert_string_equal(got_of(world, id)->fields, ":status=100;:status=103;:status=201;server=a test;");
	assert_int_equal(got_of(world, id)->body, 3);
	free_world(&world);
}

static void impossible_heads_are_not_sent(void **state)
{
	static const unsigned statuses[] = {0, 99, 101, 1000};
	static struct http_field fields[H2_FIELDS_MAX + 1];
	struct world *world = new_world_with_client();

	(void)state;
	world->on_request = NULL;
	(void)ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		assert_false(h2_stream_respond(world->seen[0].stream, statuses[i], NULL, 0, true));
	for (size_t i = 0; i <= H2_FIELDS_MAX; i++)
		fields[i] = (struct http_field){{"a", 1}, {"b", 1}};
	assert_false(h2_stream_respond(world->seen[0].stream, 200, fields, H2_FIELDS_MAX + 1, true));
	assert_true(h2_stream_respond(world->seen[0].stream, 200, fields, H2_FIELDS_MAX, true));
	exchange(world);
	assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
	free_world(&world);
}

/* nghttp2 sends no more than 64 KiB of a head. */
static void a_head_that_is_too_long_resets_its_stream_only(void **state)
{
	static char value[2 * HTTP_HEAD_MAX + 4096];
	struct world *world = new_world_with_client();
	const struct http_field field = {{"a", 1}, {value, sizeof(value)}};

	(void)state;
	memset(value, '\xff', sizeof(value)); /* long in HPACK, too */
	world->on_request = NULL;
	int32_t id = ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	assert_true(h2_stream_respond(world->seen[0].stream, 200, &field, 1, true));
	exchange(world);
	assert_int_equal(world->seen[0].gone, H2_INTERNAL_ERROR);
	assert_int_equal(got_of(world, id)->code, H2_INTERNAL_ERROR);
	world->on_request = answers_at_once;
	(void)ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	assert_int_equal(world->seen[1].gone, H2_NO_ERROR);
	free_world(&world);
}

static void answers_to_head_have_no_body(void **state)
{
	static const struct {
		const char *method;
		unsigned status;
	} cases[] = {{"HEAD", 200}, {"GET", 204}, {"GET", 304}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = new_world_with_client();
		world->on_request = NULL;
		int32_t id = ask(world, cases[i].method, "/", NULL, NULL, 0);
		exchange(world);
		respond(&world->seen[0], cases[i].status, 100);
		exchange(world);
		assert_true(got_of(world, id)->ended);
		assert_int_equal(got_of(world, id)->body, 0);
		assert_int_equal(world->seen[0].left, 100);
		assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
		free_world(&world);
	}
}

static void a_delayed_body_is_resumed(void **state)
{
	struct world *world = new_world_with_client();

	(void)state;
	world->on_request = NULL;
	int32_t id = ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	h2_stream_resume(world->seen[0].stream); /* in vain */
	world->seen[0].later = true;
	respond(&world->seen[0], 200, 10);
	exchange(world);
	assert_false(got_of(world, id)->ended);
	assert_nothing_to_write(world);
	world->seen[0].later = false;
	h2_stream_resume(world->seen[0].stream);
	exchange(world);
	assert_int_equal(got_of(world, id)->body, 10);
	assert_true(got_of(world, id)->ended);
	free_world(&world);
}

/* What is not given back holds the client: of a stream, and of all together. */
static void what_is_held_is_bounded_by_the_windows(void **state)
{
	struct world *world = new_world_with_client();
	struct upload uploads[8];
	size_t held = 0;

	(void)state;
	world->on_request = NULL;
	for (size_t i = 0; i < 8; i++) {
		uploads[i] = (struct upload){.left = 1000 * 1000};
		(void)ask(world, "PUT", "/", &uploads[i], NULL, 0);
	}
	exchange(world);
	for (size_t i = 0; i < 8; i++) {
		assert_true(world->seen[i].held <= H2_STREAM_WINDOW);
		held += world->seen[i].held;
	}
	assert_int_equal(held, H2_CONNECTION_WINDOW);
	/* One gives back what it has: only then more comes, and also for the others. */
	world->on_data = gives_back;
	for (size_t i = 0; i < 8; i++)
		gives_back(&world->seen[i], world->seen[i].held);
	exchange(world);
	for (size_t i = 0; i < 8; i++) {
		assert_true(world->seen[i].ended);
		assert_int_equal(world->seen[i].came, 1000 * 1000);
	}
	free_world(&world);
}

static void an_ended_stream_returns_its_window(void **state)
{
	struct world *world = new_world_with_client();
	struct upload upload;

	(void)state;
	world->on_request = NULL;
	for (size_t i = 0; i < 24; i++) { /* each holds a quarter of the connection's window */
		upload = (struct upload){.left = 10 * H2_STREAM_WINDOW};
		int32_t id = ask(world, "PUT", "/", &upload, NULL, 0);
		exchange(world);
		assert_int_equal(world->seen[i].held, H2_STREAM_WINDOW);
		if (i % 3 == 0) {
			h2_stream_reset(world->seen[i].stream, H2_HTTP_1_1_REQUIRED);
			world->seen[i].gones = 0;
		} else if (i % 3 == 1) {
			assert_int_equal(nghttp2_submit_rst_stream(world->client, 0, id, H2_CANCEL), 0);
		} else {
			respond(&world->seen[i], 413, 0);
			h2_stream_drop_body(world->seen[i].stream);
		}
		exchange(world);
		assert_int_equal(world->seen[i].gone, i % 3 == 0 ? NOT_GONE : i % 3 == 1 ? H2_CANCEL : H2_NO_ERROR);
		if (i % 3 == 0)
			assert_int_equal(got_of(world, id)->code, H2_HTTP_1_1_REQUIRED);
		assert_no_streams(world);
	}
	free_world(&world);
}

static void resets_at_once(struct seen *seen)
{
	h2_stream_reset(seen->stream, H2_HTTP_1_1_REQUIRED);
}

/* All of a body was sent before the client hears of it. */
static void data_after_a_reset_is_discarded_and_credited(void **state)
{
	struct world *world = new_world_with_client();
	struct upload uploads[40];

	(void)state;
	world->on_request = resets_at_once;
	for (size_t i = 0; i < 40; i++) {
		uploads[i] = (struct upload){.left = 60000};
		int32_t id = ask(world, "PUT", "/late", &uploads[i], NULL, 0);
		(void)to_server(world);
		exchange(world);
		assert_int_equal(world->seen[i].came, 0);
		assert_int_equal(world->seen[i].gones, 0);
		assert_int_equal(got_of(world, id)->code, H2_HTTP_1_1_REQUIRED);
	}
	assert_int_equal(uploads[39].left, 0); /* the window never ran out */
	assert_null(h2_server_end(world->server));
	free_world(&world);
}

static void resets_in_mid_frame(struct seen *seen, size_t len)
{
	(void)len;
	h2_stream_reset(seen->stream, H2_CANCEL);
}

static void drops_in_mid_frame(struct seen *seen, size_t len)
{
	(void)len;
	h2_stream_drop_body(seen->stream);
	if (seen->left == 0)
		respond(seen, 200, 1);
	h2_stream_resume(seen->stream);
}

/* Of a frame that is under way, too. */
static void the_rest_of_a_frame_is_credited(void **state)
{
	(void)state;
	for (int drops = 0; drops < 2; drops++) {
		struct world *world = new_world_with_client();
		struct upload uploads[150];
		world->step = 1000;
		world->on_request = keeps_open;
		world->on_data = drops == 1 ? drops_in_mid_frame : resets_in_mid_frame;
		for (size_t i = 0; i < 150; i++) {
			uploads[i] = (struct upload){.left = 60000};
			int32_t id = ask(world, "PUT", "/", &uploads[i], NULL, 0);
			exchange(world);
			assert_true(got_of(world, id)->closed);
			assert_in_range(world->seen[i].came, 1, 1000);
		}
		assert_int_equal(uploads[149].left, 0);
		free_world(&world);
	}
}

/* A body that is dropped goes on for as long as its client likes: what it holds of its own window comes back, too. */
static void a_dropped_body_runs_to_its_end(void **state)
{
	struct world *world = new_world_with_client();
	struct upload upload = {.left = 3 * 1000 * 1000};

	(void)state;
	world->on_request = keeps_open;
	world->step = 1000;
	(void)ask(world, "PUT", "/", &upload, NULL, 0);
	(void)to_server(world);
	assert_true(world->seen[0].held > 0);
	h2_stream_drop_body(world->seen[0].stream);
	exchange(world);
	assert_int_equal(upload.left, 0);
	assert_false(world->seen[0].ended);
	respond(&world->seen[0], 200, 0);
	exchange(world);
	assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
	free_world(&world);
}

/* RFC 9113 8.1 */
static void an_early_response_resets_a_dropped_body(void **state)
{
	(void)state;
	for (int when = 0; when < 3; when++) {
		struct world *world = new_world_with_client();
		struct upload upload = {.left = 100, .holds = true};
		world->on_request = NULL;
		int32_t id = ask(world, "PUT", "/", &upload, NULL, 0);
		exchange(world);
		if (when == 0)
			h2_stream_drop_body(world->seen[0].stream);
		respond(&world->seen[0], 403, 20);
		if (when == 1)
			h2_stream_drop_body(world->seen[0].stream);
		exchange(world);
		if (when == 2) {
			assert_non_null(world->seen[0].stream); /* the body is still wanted */
			h2_stream_drop_body(world->seen[0].stream);
			exchange(world);
		}
		assert_int_equal(got_of(world, id)->body, 20);
		assert_true(got_of(world, id)->ended);
		assert_true(got_of(world, id)->closed);
		assert_int_equal(got_of(world, id)->code, H2_NO_ERROR);
		assert_int_equal(world->resets, 1);
		assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
		free_world(&world);
	}
}

/* curl 7.88 loses a response that comes together with the reset. */
static void a_reset_is_not_returned_together_with_its_response(void **state)
{
	struct world *world = new_world_with_client();
	struct upload upload = {.left = 100, .holds = true};
	uint8_t buffer[H2_PULL_ROOM];

	(void)state;
	world->on_request = NULL;
	int32_t id = ask(world, "PUT", "/", &upload, NULL, 0);
	exchange(world);
	h2_stream_drop_body(world->seen[0].stream);
	respond(&world->seen[0], 403, 20);
	size_t len = h2_server_pull(world->server, buffer, sizeof(buffer));
	(void)nghttp2_session_mem_recv(world->client, buffer, len);
	assert_true(got_of(world, id)->ended);
	assert_false(got_of(world, id)->closed);
	len = h2_server_pull(world->server, buffer, sizeof(buffer));
	assert_int_equal(len, 9 + 4);
	assert_int_equal(buffer[3], NGHTTP2_RST_STREAM);
	(void)nghttp2_session_mem_recv(world->client, buffer, len);
	assert_true(got_of(world, id)->closed);
	assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
	assert_int_equal(h2_server_pull(world->server, buffer, sizeof(buffer)), 0);
	free_world(&world);
}

static void a_body_continues_after_the_response(void **state)
{
	struct world *world = new_world_with_client();
	struct upload upload = {.left = 100, .holds = true};

	(void)state;
	int32_t id = ask(world, "PUT", "/", &upload, NULL, 0);
	exchange(world);
	assert_true(got_of(world, id)->ended);
	assert_int_equal(world->seen[0].gones, 0);
	upload = (struct upload){.left = 50};
	assert_int_equal(nghttp2_session_resume_data(world->client, id), 0);
	exchange(world);
	assert_int_equal(world->seen[0].came, 150);
	assert_true(world->seen[0].ended);
	assert_int_equal(world->seen[0].gone, H2_NO_ERROR);
	assert_int_equal(world->resets, 0);
	free_world(&world);
}

static void a_websocket_becomes_an_upgrade(void **state)
{
	struct world *world = new_world_with_client();
	const nghttp2_nv fields[] = {nv(":method", "CONNECT"), nv(":protocol", "websocket"),
				     nv(":scheme", "https"),   nv(":authority", "a.example"),
				     nv(":path", "/chat"),     nv("sec-websocket-version", "13")};
	const struct http_field answer[] = {{{"Upgrade", 7}, {"websocket", 9}},
					    {{"Connection", 10}, {"Upgrade", 7}},
					    {{"Sec-WebSocket-Accept", 20}, {"x", 1}},
					    {{"Sec-WebSocket-Protocol", 22}, {"y", 1}}};
	struct upload upload = {.left = 30, .holds = true};
	const nghttp2_data_provider provider = {.source = {.ptr = &upload}, .read_callback = client_read};

	(void)state;
	world->on_request = NULL;
	exchange(world); /* RFC 8441 3: after the server's settings */
	assert_int_equal(nghttp2_session_get_remote_settings(world->client, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL),
			 1);
	int32_t id = nghttp2_submit_request(world->client, NULL, fields, 6, &provider, NULL);
	exchange(world);
	assert_true(world->seen[0].websocket && !world->seen[0].ended);
	assert_string_equal(world->seen[0].head,
			    "GET /chat HTTP/1.1\r\nhost: a.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
			    "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
	assert_true(h2_stream_respond(world->seen[0].stream, 101, answer, 4, false));
	world->seen[0].left = 20;
	exchange(world);
	assert_string_equal(got_of(world, id)->fields, ":status=200;sec-websocket-protocol=y;");
	assert_int_equal(got_of(world, id)->body, 20);
	assert_int_equal(world->seen[0].came, 30);
	free_world(&world);
}

static void settings_are_as_promised(void **state)
{
	static const struct {
		nghttp2_settings_id id;
		uint32_t value;
	} wanted[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_DEFAULT},
		{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 4096},
		{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16384},
	};
	struct world *world = new_world_with_client();

	(void)state;
	exchange(world);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(nghttp2_session_get_remote_settings(world->client, wanted[i].id), wanted[i].value);
	assert_int_equal(nghttp2_session_get_remote_window_size(world->client), H2_CONNECTION_WINDOW);
	assert_int_equal(h2_server_deadline(world->server), THAW_NEVER);
	free_world(&world);
}

static void settings_that_are_not_acknowledged_end_the_connection(void **state)
{
	struct world *world = new_world();

	(void)state;
	assert_true(raw(world, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN));
	assert_true(frame(world, NGHTTP2_SETTINGS, 0, 0, NULL, 0));
	assert_int_equal(h2_server_deadline(world->server), world->now + H2_SETTINGS_WAIT_MS);
	h2_server_tick(world->server, world->now + H2_SETTINGS_WAIT_MS - 1);
	assert_null(h2_server_end(world->server));
	h2_server_tick(world->server, world->now + H2_SETTINGS_WAIT_MS);
	assert_int_equal(h2_server_end(world->server)->code, H2_SETTINGS_TIMEOUT);
	(void)drain(world);
	assert_int_equal(world->goaway_code, H2_SETTINGS_TIMEOUT);
	free_world(&world);
}

static void a_graceful_stop_lets_streams_end(void **state)
{
	(void)state;
	for (int notice = 0; notice < 2; notice++) {
		struct world *world = new_world_with_client();
		world->on_request = keeps_open;
		int32_t first = ask(world, "GET", "/1", NULL, NULL, 0);
		exchange(world);
		if (notice == 1) {
			assert_true(h2_server_notice(world->server));
			int32_t second = ask(world, "GET", "/2", NULL, NULL, 0); /* it is on its way */
			exchange(world);
			assert_true(world->goaway);
			assert_int_equal(world->goaway_last, INT32_MAX);
			assert_int_equal(world->count, 2);
			respond(&world->seen[1], 200, 0);
			exchange(world);
			assert_true(got_of(world, second)->ended);
		}
		assert_true(h2_server_stop(world->server));
		exchange(world);
		assert_int_equal(world->goaway_last, notice == 1 ? 3 : 1);
		assert_int_equal(world->goaway_code, H2_NO_ERROR);
		assert_null(h2_server_end(world->server));
		respond(&world->seen[0], 200, 100000);
		exchange(world);
		assert_int_equal(got_of(world, first)->body, 100000);
		assert_non_null(h2_server_end(world->server));
		assert_int_equal(h2_server_end(world->server)->code, H2_NO_ERROR);
		assert_nothing_to_write(world);
		free_world(&world);
	}
}

/* RFC 9113 6.8: what the client had sent before it heard of the end is not begun: it may be repeated. */
static void a_request_after_a_stop_is_refused(void **state)
{
	struct world *world = new_world();

	(void)state;
	world->on_request = keeps_open;
	assert_true(hello(world) && get(world, 1));
	(void)drain(world);
	assert_true(h2_server_stop(world->server));
	assert_true(get(world, 3));
	(void)drain(world);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->goaway_last, 1);
	free_world(&world);
}

static void an_idle_connection_stops_at_once(void **state)
{
	struct world *world = new_world_with_client();

	(void)state;
	exchange(world);
	assert_true(h2_server_stop(world->server));
	exchange(world);
	assert_int_equal(h2_server_end(world->server)->code, H2_NO_ERROR);
	assert_false(h2_server_end(world->server)->by_client);
	free_world(&world);
}

static void a_goaway_of_the_client_is_reported(void **state)
{
	struct world *world = new_world_with_client();

	(void)state;
	world->on_request = keeps_open;
	int32_t id = ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	assert_int_equal(nghttp2_submit_goaway(world->client, 0, 0, NGHTTP2_NO_ERROR, NULL, 0), 0);
	exchange(world);
	assert_null(h2_server_end(world->server));
	respond(&world->seen[0], 200, 0);
	exchange(world);
	assert_true(got_of(world, id)->ended);
	assert_true(h2_server_end(world->server)->by_client);
	free_world(&world);
}

static void a_failure_takes_all_streams_along(void **state)
{
	struct world *world = new_world_with_client();

	(void)state;
	world->on_request = keeps_open;
	for (int i = 0; i < 3; i++)
		(void)ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	h2_server_fail(world->server, H2_INTERNAL_ERROR, "a test");
	assert_int_equal(world->seen[0].gones, 0); /* not from within */
	exchange(world);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(world->seen[i].gone, H2_INTERNAL_ERROR);
	assert_int_equal(world->goaway_code, H2_INTERNAL_ERROR);
	assert_int_equal(world->goaway_last, 5);
	assert_string_equal(h2_server_end(world->server)->why, "a test");
	assert_false(h2_server_take(world->server, "x", 1, world->now));
	free_world(&world);
}

static void fails_the_connection(struct seen *seen)
{
	h2_server_fail(seen->world->server, H2_ENHANCE_YOUR_CALM, "a test");
	(void)h2_stream_respond(seen->stream, 200, NULL, 0, true);
	h2_stream_took(seen->stream, 1);
	h2_stream_drop_body(seen->stream);
	h2_stream_resume(seen->stream);
}

static void an_op_may_fail_the_connection(void **state)
{
	struct world *world = new_world();

	(void)state;
	world->on_request = fails_the_connection;
	assert_true(hello(world));
	assert_false(post(world, 1));
	assert_int_equal(world->seen[0].gone, H2_ENHANCE_YOUR_CALM);
	(void)drain(world);
	assert_int_equal(world->goaway_code, H2_ENHANCE_YOUR_CALM);
	assert_int_equal(world->goaway_last, 1);
	free_world(&world);
}

/* --- what only raw frames say */

static void connection_errors_end_all(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t code;
	} cases[] = {
		{"\0\0\0\x06\0\0\0\0\0", 9, H2_FRAME_SIZE_ERROR},                      /* PING of nothing */
		{"\0\0\x04\x08\0\0\0\0\0\0\0\0\0", 13, H2_PROTOCOL_ERROR},             /* a window by 0 */
		{"\0\0\x04\x08\0\0\0\0\0\x7f\xff\xff\xff", 13, H2_FLOW_CONTROL_ERROR}, /* and too large */
		{"\0\0\x01\0\0\0\0\0\0x", 10, H2_PROTOCOL_ERROR},                      /* DATA on no stream */
		{"\0\0\x01\0\0\0\0\0\x09x", 10, H2_PROTOCOL_ERROR},                    /* on an idle one */
		{"\0\0\x01\0\0\0\0\0\x01x", 10, H2_STREAM_CLOSED},                     /* on a half-closed one */
		{"\0\0\x01\x01\x05\0\0\0\x03\xff", 10, H2_COMPRESSION_ERROR},          /* no HPACK */
		{"\0\0\0\x09\0\0\0\0\x01", 9, H2_PROTOCOL_ERROR},                      /* CONTINUATION of nothing */
		{"\0\0\x06\x04\0\0\0\0\0\0\x02\0\0\0\x02", 15, H2_PROTOCOL_ERROR},     /* ENABLE_PUSH 2 */
		{"\x00\x40\x01\x01\0\0\0\0\x03", 9, H2_FRAME_SIZE_ERROR},              /* 16 KiB and 1 */
		{"\0\0\x04\x03\0\0\0\0\x07\0\0\0\x08", 13, H2_PROTOCOL_ERROR},         /* RST of an idle one */
		{"\0\0\x06\x01\x05\0\0\0\x02" GET_BLOCK, 15, H2_PROTOCOL_ERROR},       /* an even stream */
		{"\0\0\0\x05\0\0\0\0\x01", 9, H2_FRAME_SIZE_ERROR},                    /* PUSH_PROMISE */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 0; step < 3; step++) {
			struct world *world = new_world();
			world->on_request = keeps_open;
			world->step = step;
			assert_true(hello(world) && get(world, 1));
			(void)raw(world, cases[i].bytes, cases[i].len);
			(void)drain(world);
			assert_true(world->goaway);
			if (world->goaway_code != cases[i].code)
				fail_msg("case %zu: code %u", i, world->goaway_code);
			assert_int_equal(h2_server_end(world->server)->code, cases[i].code);
			assert_non_null(h2_server_end(world->server)->why);
			assert_int_equal(world->seen[0].gone, cases[i].code);
			assert_int_equal(drain(world), 0);
			free_world(&world);
		}
}

static void invalid_http2_ends_the_connection(void **state)
{
	static const char *const cases[] = {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxx"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 0; step < 3; step++) {
			struct world *world = new_world();
			world->step = step;
			(void)raw(world, cases[i], strlen(cases[i]));
			(void)drain(world);
			assert_int_equal(world->goaway_code, H2_PROTOCOL_ERROR);
			assert_int_equal(h2_server_end(world->server)->code, H2_PROTOCOL_ERROR);
			free_world(&world);
		}
}

static void malformed_requests_are_reset_and_not_delivered(void **state)
{
	static const struct {
		const char *block;
		size_t len;
	} cases[] = {
		{"\x82\x87\x84", 3}, /* no authority */
		{"\x82\x87\x84\x41\x01"
		 "a\x40\x01X\x01y",
		 11}, /* an upper-case name */
		{"\x82\x87\x84\x41\x01"
		 "a\x40\x00\x01y",
		 10}, /* a name of nothing */
		{"\x82\x87\x84\x41\x01"
		 "a\x40\x01x\x02 y",
		 12}, /* a blank before a value */
		{"\x82\x87\x84\x41\x01"
		 "a\x40\x01x\x01\n",
		 11}, /* LF */
		{"\x82\x87\x84\x41\x01"
		 "a\x40\x01x\x01\x01",
		 11}, /* a control character */
		{"\x82\x87\x84\x41\x01"
		 "a\x40\x02te\x01x",
		 12}, /* TE */
		{"\x82\x87\x84\x41\x01"
		 "a\x66\x01x",
		 9}, /* Host: x */
		{"\x82\x87\x84\x41\x01"
		 "a\x0f\x0d\x01"
		 "5",
		 10}, /* a length without a body */
		{"\x82\x87\x44\x02/ \x41\x01"
		 "a",
		 9},                            /* a blank in the path */
		{"\x82\x87\x84\x41\x03u@a", 8}, /* user information */
		{"\x82\x82\x87\x84\x41\x01"
		 "a",
		 7}, /* :method twice */
		{"\x82\x87\x41\x01"
		 "a",
		 5}, /* no path */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = new_world();
		assert_true(hello(world));
		assert_true(frame(world, NGHTTP2_HEADERS, 5, 1, cases[i].block, cases[i].len));
		(void)drain(world);
		if (world->count != 0 || world->resets != 1 || world->reset_code != H2_PROTOCOL_ERROR)
			fail_msg("case %zu: %zu resets", i, world->resets);
		assert_true(get(world, 3)); /* the others go on */
		(void)drain(world);
		assert_int_equal(world->count, 1);
		assert_no_streams(world);
		free_world(&world);
	}
}

static void refused_requests_are_delivered_with_a_status(void **state)
{
	struct world *world = new_world_with_client();
	static char value[20000];
	nghttp2_nv more[2];

	(void)state;
	memset(value, '\xff', sizeof(value) - 1);
	more[0] = nv("a", value);
	more[1] = nv("b", value);
	world->on_request = NULL;
	int32_t id = ask(world, "HEAD", "/", NULL, more, 2);
	exchange(world);
	assert_int_equal(world->seen[0].refused, 431);
	respond(&world->seen[0], 431, 50);
	exchange(world);
	assert_string_equal(got_of(world, id)->fields, ":status=431;server=a test;");
	assert_true(got_of(world, id)->ended); /* as it was HEAD */
	assert_null(h2_server_end(world->server));
	free_world(&world);
}

/* RFC 9113 8.1.1 */
static void content_length_is_enforced(void **state)
{
	static const struct {
		const char *length;
		size_t sent;
		bool good;
	} cases[] = {{"5", 5, true}, {"5", 4, false}, {"5", 6, false},
		     {"0", 0, true}, {"0", 1, false}, {"5", 0, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = new_world_with_client();
		struct upload upload = {.left = cases[i].sent};
		const nghttp2_nv length = nv("content-length", cases[i].length);
		world->on_request = keeps_open;
		int32_t id = ask(world, "PUT", "/", &upload, &length, 1);
		exchange(world);
		assert_int_equal(world->count, 1);
		assert_int_equal(world->seen[0].ended, cases[i].good);
		assert_int_equal(world->seen[0].gone, cases[i].good ? NOT_GONE : H2_PROTOCOL_ERROR);
		if (!cases[i].good)
			assert_int_equal(got_of(world, id)->code, H2_PROTOCOL_ERROR);
		free_world(&world);
	}
}

static void malformed_trailers_reset_the_stream(void **state)
{
	static const struct {
		const char *block;
		size_t len;
		uint8_t flags;
	} cases[] = {
		{"\x84", 1, 5},           /* :path */
		{"\x40\x01x\x01y", 5, 4}, /* no END_STREAM */
		{"\x40\x01X\x01y", 5, 5}, /* an upper-case name */
		{"\x40\x07upgrade\x01y", 11, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = new_world();
		world->on_request = keeps_open;
		assert_true(hello(world) && post(world, 1));
		assert_true(frame(world, NGHTTP2_HEADERS, cases[i].flags, 1, cases[i].block, cases[i].len));
		(void)drain(world);
		assert_int_equal(world->reset_code, H2_PROTOCOL_ERROR);
		assert_false(world->seen[0].ended);
		assert_int_equal(world->seen[0].gone, H2_PROTOCOL_ERROR);
		free_world(&world);
	}
}

/* A reset with NO_ERROR by a client is no success. */
static void a_reset_without_an_error_still_cuts_short(void **state)
{
	struct world *world = new_world();

	(void)state;
	world->on_request = keeps_open;
	assert_true(hello(world) && get(world, 1));
	assert_true(frame(world, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\0", 4));
	assert_int_equal(world->seen[0].gone, H2_CANCEL);
	free_world(&world);
}

/* In the smallest of buffers: all comes, and no frame is torn that should not be. */
static void small_buffers_are_enough(void **state)
{
	static const size_t rooms[] = {H2_PULL_LEAST, 65, 100, 520, 1000, 16384, 16500, 65536};

	(void)state;
	for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
		struct world *world = new_world_with_client();
		uint8_t *buffer = malloc(rooms[i]);
		size_t len;
		assert_non_null(buffer);
		world->on_request = answers_a_megabyte;
		int32_t id = ask(world, "GET", "/", NULL, NULL, 0);
		do {
			(void)to_server(world);
			len = h2_server_pull(world->server, buffer, rooms[i]);
			assert_true(len <= rooms[i]);
			assert_int_equal(nghttp2_session_mem_recv(world->client, buffer, len), len);
		} while (len > 0 || nghttp2_session_want_write(world->client) != 0);
		assert_int_equal(got_of(world, id)->body, 1000 * 1000);
		if (rooms[i] >= 16384) /* no crumbs because a buffer is nearly full */
			assert_true(world->frames < 80);
		free(buffer);
		free_world(&world);
	}
}

static size_t body_that_resets(void *arg, struct h2_stream *stream, char *buffer, size_t room, bool *ended)
{
	(void)arg;
	(void)buffer;
	(void)room;
	(void)ended;
	h2_stream_reset(stream, H2_INTERNAL_ERROR);
	return 0;
}

static void a_body_may_be_cut_short(void **state)
{
	struct h2_ops ops = app;
	struct world *world = new_world();

	(void)state;
	ops.body = body_that_resets;
	h2_server_free(&world->server);
	world->server = h2_server_new(&ops, world, NULL, world->now);
	open_client(world);
	world->on_request = answers_a_megabyte;
	int32_t id = ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	assert_int_equal(got_of(world, id)->code, H2_INTERNAL_ERROR);
	assert_int_equal(world->seen[0].gones, 0);
	assert_no_streams(world);
	free_world(&world);
}

static void many_streams_share_a_connection(void **state)
{
	struct world *world = new_world_with_client();
	int32_t ids[H2_STREAMS_MAX];

	(void)state;
	exchange(world);
	world->on_request = keeps_open;
	for (size_t i = 0; i < H2_STREAMS_MAX; i++)
		ids[i] = ask(world, "GET", "/", NULL, NULL, 0);
	exchange(world);
	assert_int_equal(world->server->count, H2_STREAMS_MAX);
	for (size_t i = 0; i < H2_STREAMS_MAX; i++)
		respond(&world->seen[H2_STREAMS_MAX - 1 - i], 200, 10000);
	exchange(world);
	for (size_t i = 0; i < H2_STREAMS_MAX; i++)
		assert_int_equal(got_of(world, ids[i])->body, 10000);
	assert_no_streams(world);
	free_world(&world);
}

/* Frames in the middle, of heads that need CONTINUATION, while other connections have their turn. */
static void connections_do_not_mix(void **state)
{
	static char values[3][30000];
	struct world *worlds[3];
	uint32_t sums[3];
	bool any = true;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct http_field field = {{"a", 1}, {values[i], sizeof(values[i])}};
		worlds[i] = new_world_with_client();
		worlds[i]->on_request = keeps_open;
		(void)ask(worlds[i], "GET", "/", NULL, NULL, 0);
		exchange(worlds[i]);
		sums[i] = 0;
		for (const char *digit = "200"; *digit != '\0'; digit++)
			sums[i] = (sums[i] ^ (uint8_t)*digit) * 16777619;
		for (size_t k = 0; k < sizeof(values[i]); k++) {
			values[i][k] = (char)('a' + (k * (i + 3)) % 26);
			sums[i] = (sums[i] ^ (uint8_t)values[i][k]) * 16777619;
		}
		assert_true(h2_stream_respond(worlds[i]->seen[0].stream, 200, &field, 1, true));
	}
	while (any) {
		any = false;
		for (size_t i = 0; i < 3; i++) {
			uint8_t buffer[100];
			size_t len = h2_server_pull(worlds[i]->server, buffer, sizeof(buffer) - 10 * i);
			assert_int_equal(nghttp2_session_mem_recv(worlds[i]->client, buffer, len), len);
			any |= len > 0;
		}
	}
	for (size_t i = 0; i < 3; i++) {
		assert_true(worlds[i]->got[0].ended);
		assert_int_equal(worlds[i]->got[0].sum, sums[i]);
		free_world(&worlds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_delivered_and_answered),
		cmocka_unit_test(bodies_are_transferred_in_both_directions),
		cmocka_unit_test(trailers_go_both_ways),
		cmocka_unit_test(trailers_alone_end_a_body),
		cmocka_unit_test(trailers_are_for_the_end_only),
		cmocka_unit_test(interim_responses_precede_the_final_one),
		cmocka_unit_test(impossible_heads_are_not_sent),
		cmocka_unit_test(a_head_that_is_too_long_resets_its_stream_only),
		cmocka_unit_test(answers_to_head_have_no_body),
		cmocka_unit_test(a_delayed_body_is_resumed),
		cmocka_unit_test(what_is_held_is_bounded_by_the_windows),
		cmocka_unit_test(an_ended_stream_returns_its_window),
		cmocka_unit_test(data_after_a_reset_is_discarded_and_credited),
		cmocka_unit_test(the_rest_of_a_frame_is_credited),
		cmocka_unit_test(a_dropped_body_runs_to_its_end),
		cmocka_unit_test(an_early_response_resets_a_dropped_body),
		cmocka_unit_test(a_reset_is_not_returned_together_with_its_response),
		cmocka_unit_test(a_body_continues_after_the_response),
		cmocka_unit_test(a_websocket_becomes_an_upgrade),
		cmocka_unit_test(settings_are_as_promised),
		cmocka_unit_test(settings_that_are_not_acknowledged_end_the_connection),
		cmocka_unit_test(a_graceful_stop_lets_streams_end),
		cmocka_unit_test(a_request_after_a_stop_is_refused),
		cmocka_unit_test(an_idle_connection_stops_at_once),
		cmocka_unit_test(a_goaway_of_the_client_is_reported),
		cmocka_unit_test(a_failure_takes_all_streams_along),
		cmocka_unit_test(an_op_may_fail_the_connection),
		cmocka_unit_test(connection_errors_end_all),
		cmocka_unit_test(invalid_http2_ends_the_connection),
		cmocka_unit_test(malformed_requests_are_reset_and_not_delivered),
		cmocka_unit_test(refused_requests_are_delivered_with_a_status),
		cmocka_unit_test(content_length_is_enforced),
		cmocka_unit_test(malformed_trailers_reset_the_stream),
		cmocka_unit_test(a_reset_without_an_error_still_cuts_short),
		cmocka_unit_test(small_buffers_are_enough),
		cmocka_unit_test(a_body_may_be_cut_short),
		cmocka_unit_test(many_streams_share_a_connection),
		cmocka_unit_test(connections_do_not_mix),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
