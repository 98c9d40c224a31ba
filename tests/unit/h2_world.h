/*
 * A server connection in memory, and what the tests put around it: an application that answers as a test says and, at
 * the other end, an nghttp2 client or raw frames. It records what it saw.
 */
#ifndef TESTS_H2_WORLD_H
#define TESTS_H2_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "http/h2_inside.h"

#define SEEN_MAX  400
#define TURNS_MAX 100000
#define NOT_GONE  UINT32_MAX

struct world;

/* A request as the application sees it. */
struct seen {
	struct world *world;
	struct h2_stream *stream; /* NULL: the stream has ended */
	uint32_t id;
	char head[600]; /* the beginning of the head */
	unsigned refused;
	bool websocket, ended; /* ended: the request is complete */
	size_t came, held;
	char trailers[200];
	uint32_t gone; /* the code with which the stream ended */
	unsigned gones;
	/* The length of the response's body. later: body() returns nothing until a test resumes it. */
	size_t left;
	bool later, with_trailers;
};

/* A response as the client sees it. */
struct got {
	int32_t id;
	char fields[600];
	size_t body;
	bool ended, closed;
	uint32_t code; /* of a RST_STREAM */
	uint32_t sum;  /* a checksum of all fields */
};

struct world {
	struct h2_server *server;
	nghttp2_session *client; /* NULL: raw frames */
	uint64_t now;
	struct seen seen[SEEN_MAX];
	size_t count;
	void (*on_request)(struct seen *seen);
	void (*on_data)(struct seen *seen, size_t len);
	void (*on_ended)(struct seen *seen);
	size_t step; /* bytes at a time; 0: all */
	struct got got[SEEN_MAX];
	size_t got_count;
	bool goaway;
	uint32_t goaway_code, goaway_last;
	/* ---- for raw frames ---- */
	size_t resets, acks, frames;
	uint32_t reset_code;
	uint8_t header[9];
	uint8_t payload[20000];
	size_t have;
};

/* Nothing is kept of streams that have ended. */
static inline void assert_no_streams(const struct world *world)
{
	assert_int_equal(world->server->count, 0);
	assert_null(world->server->streams);
}

static inline void assert_nothing_to_write(struct world *world)
{
	uint8_t buffer[H2_PULL_ROOM];

	assert_int_equal(h2_server_pull(world->server, buffer, sizeof(buffer)), 0);
}

static inline void respond(struct seen *seen, unsigned status, size_t body)
{
	const struct http_field fields[] = {{{"Server", 6}, {"a test", 6}}, {{"Connection", 10}, {"close", 5}}};

	seen->left = body;
	assert_true(h2_stream_respond(seen->stream, status, fields, 2, body == 0));
}

static inline void answers_at_once(struct seen *seen)
{
	respond(seen, 200, 0);
}

static void app_request(void *arg, struct h2_stream *stream, struct h2_request *request)
{
	struct world *world = arg;
	struct seen *seen = &world->seen[world->count++];

	assert_true(world->count <= SEEN_MAX);
	*seen = (struct seen){.world = world,
			      .stream = stream,
			      .id = stream->id,
			      .refused = request->head == NULL ? request->refusal.status : 0,
			      .websocket = request->websocket,
			      .ended = request->ended,
			      .gone = NOT_GONE};
	assert_null(h2_stream_user(stream));
	h2_stream_set_user(stream, seen);
	if (request->head != NULL)
		(void)snprintf(seen->head, sizeof(seen->head), "%.*s", (int)request->len, request->head);
	free(request->head);
	if (world->on_request != NULL)
		world->on_request(seen);
}

static void app_data(void *arg, struct h2_stream *stream, const char *bytes, size_t len)
{
	struct world *world = arg;
	struct seen *seen = h2_stream_user(stream);

	assert_true(len > 0 && bytes != NULL && !seen->ended && seen->gones == 0);
	seen->came += len;
	seen->held += len;
	if (world->on_data != NULL)
		world->on_data(seen, len);
}

static void app_ended(void *arg, struct h2_stream *stream, struct http_trailers *trailers)
{
	struct world *world = arg;
	struct seen *seen = h2_stream_user(stream);

	assert_false(seen->ended);
	seen->ended = true;
	if (trailers->lines.len > 0)
		(void)snprintf(seen->trailers, sizeof(seen->trailers), "%.*s", (int)trailers->lines.len,
			       trailers->lines.bytes);
	if (world->on_ended != NULL)
		world->on_ended(seen);
}

static void on_stream_end(void *arg, struct h2_stream *stream, uint32_t code)
{
	struct seen *seen = h2_stream_user(stream);

	(void)arg;
	assert_int_equal(seen->gones, 0);
	assert_ptr_equal(seen->stream, stream);
	seen->gones++;
	seen->gone = code;
	seen->stream = NULL;
}

static size_t app_body(void *arg, struct h2_stream *stream, char *buffer, size_t room, bool *ended)
{
	const struct http_field trailer = {{"Sum", 3}, {"abc", 3}};
	struct seen *seen = h2_stream_user(stream);
	size_t len = seen->left < room ? seen->left : room;

	(void)arg;
	assert_true(room > 0 && !*ended);
	if (seen->later)
		return 0;
	memset(buffer, 'b', len);
	seen->left -= len;
	*ended = seen->left == 0;
	if (*ended && seen->with_trailers)
		assert_true(h2_stream_trailers(stream, &trailer, 1));
	return len;
}

static void app_random(void *arg, uint8_t *bytes, size_t len)
{
	(void)arg;
	memset(bytes, 0, len);
}

static const struct h2_ops app = {
	.request = app_request,
	.data = app_data,
	.ended = app_ended,
	.gone = on_stream_end,
	.body = app_body,
	.random = app_random,
};

static inline void gives_back(struct seen *seen, size_t len)
{
	h2_stream_took(seen->stream, len);
	seen->held -= len;
}

/* --- the nghttp2 client */

static struct got *got_of(struct world *world, int32_t id)
{
	for (size_t i = 0; i < world->got_count; i++)
		if (world->got[i].id == id)
			return &world->got[i];
	assert_true(world->got_count < SEEN_MAX);
	world->got[world->got_count] = (struct got){.id = id};
	return &world->got[world->got_count++];
}

static int client_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
			 const uint8_t *value, size_t len, uint8_t flags, void *arg)
{
	struct got *got = got_of(arg, frame->hd.stream_id);
	size_t at = strlen(got->fields);

	(void)session;
	(void)flags;
	for (size_t i = 0; i < len; i++)
		got->sum = (got->sum ^ value[i]) * 16777619;
	(void)snprintf(got->fields + at, sizeof(got->fields) - at, "%.*s=%.*s;", (int)name_len, (const char *)name,
		       (int)len, (const char *)value);
	return 0;
}

static int client_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct world *world = arg;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY) {
		world->goaway = true;
		world->goaway_code = frame->goaway.error_code;
		world->goaway_last = (uint32_t)frame->goaway.last_stream_id;
	}
	if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
		got_of(world, frame->hd.stream_id)->ended = true;
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		world->resets++;
	world->frames++;
	return 0;
}

static int client_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *arg)
{
	(void)session;
	(void)flags;
	for (size_t i = 0; i < len; i++)
		assert_int_equal(bytes[i], 'b');
	got_of(arg, id)->body += len;
	return 0;
}

static int client_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct got *got = got_of(arg, id);

	(void)session;
	got->closed = true;
	got->code = code;
	return 0;
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* The rest of a request's body. */
struct upload {
	size_t left;
	bool holds; /* no data for now */
	const nghttp2_nv *trailers;
};

static ssize_t client_read(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
			   nghttp2_data_source *source, void *arg)
{
	struct upload *upload = source->ptr;
	size_t len = upload->left < room ? upload->left : room;

	(void)arg;
	if (upload->holds && len == 0)
		return NGHTTP2_ERR_DEFERRED;
	memset(to, 'u', len);
	upload->left -= len;
	if (upload->left == 0 && !upload->holds)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (upload->left == 0 && upload->trailers != NULL) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		assert_int_equal(nghttp2_submit_trailer(session, id, upload->trailers, 1), 0);
	}
	return (ssize_t)len;
}

/* Sends a request. upload NULL: no body. more: fields after the usual four. */
static inline int32_t ask(struct world *world, const char *method, const char *path, struct upload *upload,
			  const nghttp2_nv *more, size_t count)
{
	nghttp2_nv fields[20] = {nv(":method", method), nv(":scheme", "https"), nv(":authority", "a.example"),
				 nv(":path", path)};
	const nghttp2_data_provider provider = {.source = {.ptr = upload}, .read_callback = client_read};

	if (count > 0)
		memcpy(fields + 4, more, count * sizeof(*more));
	int32_t id =
		nghttp2_submit_request(world->client, NULL, fields, 4 + count, upload != NULL ? &provider : NULL, NULL);
	assert_true(id > 0);
	return id;
}

static inline bool to_server(struct world *world)
{
	const uint8_t *bytes = NULL;
	ssize_t len;
	bool any = false;

	while ((len = nghttp2_session_mem_send(world->client, &bytes)) > 0) {
		size_t step = world->step != 0 ? world->step : (size_t)len;
		for (size_t at = 0; at < (size_t)len; at += step)
			(void)h2_server_take(world->server, bytes + at,
					     (size_t)len - at < step ? (size_t)len - at : step, world->now);
		any = true;
	}
	assert_int_equal(len, 0);
	return any;
}

static inline bool to_client(struct world *world)
{
	uint8_t buffer[H2_PULL_ROOM];
	size_t room = world->step != 0 && world->step >= H2_PULL_LEAST ? world->step : sizeof(buffer), len;
	bool any = false;

	while ((len = h2_server_pull(world->server, buffer, room)) > 0) {
		assert_true(len <= room);
		(void)nghttp2_session_mem_recv(world->client, buffer, len);
		any = true;
	}
	return any;
}

/* Exchanges bytes until neither side has any. */
static inline void exchange(struct world *world)
{
	for (int i = 0; i < TURNS_MAX; i++) {
		bool up = to_server(world), down = to_client(world);
		if (!up && !down)
			return;
	}
	fail_msg("it does not end");
}

static inline void open_client(struct world *world)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *options = NULL;

	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	assert_int_equal(nghttp2_option_new(&options), 0);
	nghttp2_option_set_no_http_messaging(options, 1); /* so that the client can send invalid messages */
	nghttp2_session_callbacks_set_on_header_callback(callbacks, client_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, client_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, client_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, client_close);
	assert_int_equal(nghttp2_session_client_new2(&world->client, callbacks, world, options), 0);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(options);
	assert_int_equal(nghttp2_submit_settings(world->client, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

static inline struct world *new_world(void)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->now = 1000;
	world->on_request = answers_at_once;
	world->server = h2_server_new(&app, world, NULL, world->now);
	assert_non_null(world->server);
	return world;
}

static inline struct world *new_world_with_client(void)
{
	struct world *world = new_world();

	open_client(world);
	return world;
}

/* Checks that each request was reported as ended exactly once. */
static inline void free_world(struct world **world)
{
	struct world *gone = *world;

	*world = NULL;
	h2_server_free(&gone->server);
	assert_null(gone->server);
	for (size_t i = 0; i < gone->count; i++)
		assert_int_equal(gone->seen[i].gones + (gone->seen[i].gone == NOT_GONE), 1);
	nghttp2_session_del(gone->client);
	free(gone);
}

/* --- raw frames */

static inline bool raw(struct world *world, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t step = world->step != 0 ? world->step : len;
	bool goes_on = true;

	for (; len > 0; at += step, len -= step) {
		step = step < len ? step : len;
		goes_on = h2_server_take(world->server, at, step, world->now);
	}
	return goes_on;
}

static inline bool frame(struct world *world, uint8_t type, uint8_t flags, uint32_t id, const void *payload, size_t len)
{
	const uint8_t header[] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       flags,
				  (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};

	return raw(world, header, sizeof(header)) && (len == 0 || raw(world, payload, len));
}

static inline bool hello(struct world *world)
{
	return raw(world, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) &&
	       frame(world, NGHTTP2_SETTINGS, 0, 0, NULL, 0) &&
	       frame(world, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
}

/* GET, or POST, https://a/: from HPACK's static table. */
#define GET_BLOCK              \
	"\x82\x87\x84\x41\x01" \
	"a"
#define POST_BLOCK             \
	"\x83\x87\x84\x41\x01" \
	"a"
#define BLOCK_LEN 6

static inline bool get(struct world *world, uint32_t id)
{
	return frame(world, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, id, GET_BLOCK,
		     BLOCK_LEN);
}

static inline bool post(struct world *world, uint32_t id)
{
	return frame(world, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, POST_BLOCK, BLOCK_LEN);
}

static inline uint32_t read_32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void see_frame(struct world *world, size_t len)
{
	world->frames++;
	if (world->header[3] == NGHTTP2_RST_STREAM) {
		world->resets++;
		world->reset_code = read_32(world->payload);
	} else if (world->header[3] == NGHTTP2_GOAWAY) {
		assert_true(len >= 8);
		world->goaway = true;
		world->goaway_last = read_32(world->payload);
		world->goaway_code = read_32(world->payload + 4);
	} else if (world->header[3] == NGHTTP2_PING || world->header[3] == NGHTTP2_SETTINGS) {
		world->acks += (world->header[4] & NGHTTP2_FLAG_ACK) != 0;
	}
}

/* Reads everything that the server has to send, as frames. Returns the number of bytes. */
static inline size_t drain(struct world *world)
{
	uint8_t buffer[H2_PULL_ROOM];
	size_t len, all = 0;

	while ((len = h2_server_pull(world->server, buffer, sizeof(buffer))) > 0) {
		all += len;
		for (size_t i = 0; i < len; i++) {
			size_t want =
				world->have < 9
					? SIZE_MAX
					: (size_t)(world->header[0] << 16 | world->header[1] << 8 | world->header[2]);
			if (world->have < 9)
				world->header[world->have++] = buffer[i];
			else
				world->payload[world->have++ - 9] = buffer[i];
			assert_true(world->have - 9 < sizeof(world->payload) || world->have < 9);
			if (world->have >= 9 && want == SIZE_MAX)
				want = (size_t)(world->header[0] << 16 | world->header[1] << 8 | world->header[2]);
			if (world->have >= 9 && world->have - 9 == want) {
				see_frame(world, want);
				world->have = 0;
			}
		}
	}
	return all;
}

#endif
