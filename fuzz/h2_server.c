/*
 * Any bytes from an HTTP/2 client, in parts of any size, to a server whose application makes random valid calls: every
 * request ends exactly once, unreturned data stays within the windows, all output is complete frames, and an ended
 * connection has a reason.
 */
#include <stdint.h>
#include <string.h>

#include "holds.h"
#include "http/h2_inside.h"

#define STREAMS_MAX 600

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct app {
	struct h2_server *server;
	uint32_t seed;
	struct {
		struct h2_stream *stream;
		size_t held, left;
		bool ended;
	} streams[STREAMS_MAX];
	size_t count, open, held;
	/* The bytes that the server sent. */
	uint8_t header[9];
	size_t have, skip;
};

static uint32_t dice(struct app *app, uint32_t sides)
{
	app->seed = app->seed * 1664525 + 1013904223;
	return (app->seed >> 8) % sides;
}

static size_t index_of(const struct app *app, const struct h2_stream *stream)
{
	size_t at = (size_t)((uintptr_t)h2_stream_user(stream) - 1);

	HOLDS(at < app->count && app->streams[at].stream == stream);
	return at;
}

static void forget(struct app *app, size_t at)
{
	app->held -= app->streams[at].held;
	app->streams[at].held = 0;
	app->streams[at].stream = NULL;
	app->open--;
}

static void respond(struct app *app, size_t at)
{
	static const unsigned statuses[] = {100, 101, 103, 200, 204, 304, 404, 431};
	const struct http_field fields[] = {{{"Server", 6}, {"fuzz", 4}}, {{"Set-Cookie", 10}, {"a=b", 3}}};

	(void)h2_stream_respond(app->streams[at].stream, statuses[dice(app, 8)], fields, dice(app, 3),
				dice(app, 2) == 0);
}

/* A random call that is valid at any time. */
static void act(struct app *app, size_t at)
{
	struct h2_stream *stream = app->streams[at].stream;
	size_t len = dice(app, 2) == 0 ? app->streams[at].held : dice(app, 1000);

	switch (stream != NULL ? dice(app, 8) : 7) {
	case 0:
	case 1:
	case 2:
		respond(app, at);
		break;
	case 3:
		h2_stream_resume(stream);
		break;
	case 4:
		len = len < app->streams[at].held ? len : app->streams[at].held;
		h2_stream_took(stream, len);
		app->streams[at].held -= len;
		app->held -= len;
		break;
	case 5:
		if (dice(app, 4) == 0) {
			h2_stream_drop_body(stream);
			app->held -= app->streams[at].held;
			app->streams[at].held = 0;
		}
		break;
	case 6:
		if (dice(app, 8) == 0) {
			forget(app, at);
			h2_stream_reset(stream, dice(app, 16));
		}
		break;
	default:
		break;
	}
}

static void act_on_any(struct app *app)
{
	if (app->count > 0)
		act(app, dice(app, (uint32_t)app->count));
}

static void on_request(void *arg, struct h2_stream *stream, struct h2_request *request)
{
	struct app *app = arg;
	struct http_scan scan = {0};
	struct http_request head = {0};
	struct http_refusal refusal = {0};
	size_t used = 0;

	if (request->head != NULL)
		HOLDS(http_head_parse(request->head, request->len, &scan, &head, &used, &refusal) != HTTP_PARSE_MORE);
	else
		HOLDS(request->refusal.status >= 400);
	http_request_free(&head);
	free(request->head);
	HOLDS(app->count < STREAMS_MAX);
	app->streams[app->count].stream = stream;
	app->streams[app->count].left = dice(app, 3) == 0 ? dice(app, 100000) : dice(app, 100);
	app->streams[app->count].ended = request->ended;
	h2_stream_set_user(stream, (void *)(uintptr_t)(app->count + 1));
	app->count++;
	app->open++;
	HOLDS(app->open <= H2_STREAMS_MAX);
	act(app, app->count - 1);
	act_on_any(app);
}

static void on_data(void *arg, struct h2_stream *stream, const char *bytes, size_t len)
{
	struct app *app = arg;
	size_t at = index_of(app, stream);

	HOLDS(len > 0 && bytes != NULL && !app->streams[at].ended);
	app->streams[at].held += len;
	app->held += len;
	HOLDS(app->streams[at].held <= H2_STREAM_WINDOW && app->held <= H2_CONNECTION_WINDOW);
	act(app, at);
}

static void on_ended(void *arg, struct h2_stream *stream, struct http_trailers *trailers)
{
	struct app *app = arg;
	size_t at = index_of(app, stream);

	HOLDS(!app->streams[at].ended && trailers->lines.len <= HTTP_TRAILER_MAX);
	app->streams[at].ended = true;
	act(app, at);
}

static void on_gone(void *arg, struct h2_stream *stream, uint32_t code)
{
	struct app *app = arg;

	(void)code;
	forget(app, index_of(app, stream));
	act_on_any(app);
}

static size_t on_body(void *arg, struct h2_stream *stream, char *buffer, size_t room, bool *ended)
{
	const struct http_field trailer = {{"a", 1}, {"b", 1}};
	struct app *app = arg;
	size_t at = index_of(app, stream), len = app->streams[at].left < room ? app->streams[at].left : room;

	HOLDS(room > 0);
	if (dice(app, 4) == 0)
		return 0;
	memset(buffer, 'x', len);
	app->streams[at].left -= len;
	*ended = app->streams[at].left == 0;
	if (*ended && dice(app, 2) == 0)
		(void)h2_stream_trailers(stream, &trailer, 1);
	act_on_any(app);
	return len;
}

static void on_random(void *arg, uint8_t *bytes, size_t len)
{
	(void)arg;
	memset(bytes, 7, len);
}

static const struct h2_ops ops = {.request = on_request,
				  .data = on_data,
				  .ended = on_ended,
				  .gone = on_gone,
				  .body = on_body,
				  .random = on_random};

/* Frames of at most 16 KiB, of types that a server sends. */
static void see(struct app *app, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (app->skip > 0) {
			app->skip--;
			continue;
		}
		app->header[app->have++] = bytes[i];
		if (app->have < sizeof(app->header))
			continue;
		app->have = 0;
		app->skip = (size_t)app->header[0] << 16 | (size_t)app->header[1] << 8 | app->header[2];
		HOLDS(app->skip <= 16384 && app->header[3] <= 9);
	}
}

static size_t pull(struct app *app)
{
	size_t room = dice(app, 4) == 0 ? H2_PULL_LEAST + dice(app, 600) : H2_PULL_ROOM;
	uint8_t *buffer = malloc(room);

	HOLDS(buffer != NULL);
	size_t len = h2_server_pull(app->server, buffer, room);
	HOLDS(len <= room);
	see(app, buffer, len);
	free(buffer);
	return len;
}

static void check_end(struct app *app)
{
	const struct h2_end *end = h2_server_end(app->server);

	if (end == NULL)
		return;
	HOLDS(app->open == 0 && app->server->count == 0);
	HOLDS(end->code == H2_NO_ERROR || end->why != NULL);
	for (int i = 0; i < 2000 && pull(app) > 0; i++)
		;
	HOLDS(pull(app) == 0 && app->skip == 0 && app->have == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct app app;
	uint64_t now = 1000;

	app = (struct app){.seed = size > 0 ? data[0] : 0};
	app.server = h2_server_new(&ops, &app, NULL, now);
	HOLDS(app.server != NULL);
	for (size_t at = 1; at < size;) {
		size_t step = 1 + (dice(&app, 3) == 0 ? dice(&app, 20) : dice(&app, 4000));
		step = step < size - at ? step : size - at;
		uint8_t *part = malloc(step); /* of exact size, for the sanitizer */
		HOLDS(part != NULL);
		memcpy(part, data + at, step);
		bool goes_on = h2_server_take(app.server, part, step, now);
		free(part);
		HOLDS(goes_on == (h2_server_end(app.server) == NULL));
		at += step;
		now += dice(&app, 20);
		act_on_any(&app);
		if (dice(&app, 3) != 0)
			(void)pull(&app);
		if (dice(&app, 200) == 0)
			(void)(dice(&app, 2) == 0 ? h2_server_stop(app.server) : h2_server_notice(app.server));
		if (app.count + H2_STREAMS_MAX >= STREAMS_MAX)
			break;
	}
	if (dice(&app, 4) == 0)
		h2_server_tick(app.server, now + H2_SETTINGS_WAIT_MS);
	check_end(&app);
	h2_server_free(&app.server);
	HOLDS(app.open == 0 && app.held == 0);
	return 0;
}
