/* A connection of HTTP/2 whose allocations fail, nghttp2's too: each run ends, every request ends exactly once, and the
 * client is told. */
#include <unistd.h>

#include "h2_world.h"

#include "../fault/alloc.h"

static void tolerates_data(struct seen *seen, size_t len)
{
	h2_stream_took(seen->stream, len);
}

/* A response with an interim head, a body and trailers; what cannot be answered is reset. */
static void tolerant(struct seen *seen)
{
	const struct http_field field = {{"Server", 6}, {"a test", 6}};

	seen->left = 40000;
	if (h2_stream_respond(seen->stream, 103, &field, 1, false) &&
	    h2_stream_respond(seen->stream, 200, &field, 1, false))
		return;
	h2_stream_reset(seen->stream, H2_INTERNAL_ERROR);
}

static size_t tolerant_body(void *arg, struct h2_stream *stream, char *buffer, size_t room, bool *ended)
{
	const struct http_field trailer = {{"Sum", 3}, {"abc", 3}};
	struct seen *seen = h2_stream_user(stream);
	size_t len = seen->left < room ? seen->left : room;

	(void)arg;
	memset(buffer, 'b', len);
	seen->left -= len;
	*ended = seen->left == 0;
	if (!*ended || h2_stream_trailers(stream, &trailer, 1))
		return len;
	h2_stream_reset(stream, H2_INTERNAL_ERROR);
	return 0;
}

static const struct h2_ops tolerant_app = {
	.request = app_request,
	.data = app_data,
	.ended = app_ended,
	.gone = on_stream_end,
	.body = tolerant_body,
	.random = app_random,
};

static bool deliver(struct world *world)
{
	const uint8_t *bytes = NULL;
	ssize_t len = nghttp2_session_mem_send(world->client, &bytes);

	if (len <= 0)
		return false;
	(void)fault_inside(true);
	(void)h2_server_take(world->server, bytes, (size_t)len, world->now);
	(void)fault_inside(false);
	return true;
}

static bool fetch(struct world *world)
{
	uint8_t buffer[5000];

	(void)fault_inside(true);
	size_t len = h2_server_pull(world->server, buffer, sizeof(buffer));
	(void)fault_inside(false);
	if (len > 0)
		(void)nghttp2_session_mem_recv(world->client, buffer, len);
	return len > 0;
}

static void submit_requests(struct world *world, struct upload *uploads, const nghttp2_nv *trailer)
{
	const nghttp2_nv cookies[] = {nv("cookie", "a=1"), nv("cookie", "b=2")};

	uploads[0] = (struct upload){.left = 300000, .trailers = trailer};
	uploads[1] = (struct upload){.left = 1000};
	(void)ask(world, "PUT", "/a", &uploads[0], NULL, 0);
	(void)ask(world, "GET", "/b", NULL, cookies, 2);
	(void)ask(world, "POST", "/c", &uploads[1], NULL, 0);
}

/* Without memory for that it goes on as it is. */
static void rest(struct world *world)
{
	(void)fault_inside(true);
	h2_server_rest(world->server);
	(void)fault_inside(false);
	assert_int_equal(nghttp2_submit_ping(world->client, NGHTTP2_FLAG_NONE, NULL), 0);
	for (int i = 0; deliver(world) || fetch(world);)
		assert_true(i++ < TURNS_MAX);
}

static void run(bool failing)
{
	struct world *world = calloc(1, sizeof(*world));
	const nghttp2_nv trailer = nv("checksum", "123");
	struct upload uploads[2];

	assert_non_null(world);
	world->now = 1000;
	world->on_request = tolerant;
	world->on_data = tolerates_data;
	open_client(world);
	submit_requests(world, uploads, &trailer);
	(void)fault_inside(true);
	world->server = h2_server_new(&tolerant_app, world, NULL, world->now);
	(void)fault_inside(false);
	for (int i = 0; world->server != NULL && (deliver(world) || fetch(world));)
		assert_true(i++ < TURNS_MAX);
	if (world->server != NULL && h2_server_end(world->server) == NULL)
		rest(world);
	bool whole = world->count == 3;
	for (size_t i = 0; i < world->count; i++)
		whole &= world->seen[i].gone == H2_NO_ERROR;
	assert_true(whole || failing);
	if (!whole && world->server != NULL)
		assert_true(world->goaway || world->resets > 0);
	if (world->server != NULL && h2_server_end(world->server) != NULL)
		assert_int_equal(h2_server_end(world->server)->code, H2_INTERNAL_ERROR);
	free_world(&world);
}

static void every_failure_is_survived(void **state)
{
	(void)state;
	assert_true(fault_each(run, 1) > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_failure_is_survived)};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
