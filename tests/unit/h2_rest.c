/* What an idle connection of HTTP/2 keeps, and that a client sees nothing of what it gave back. */
#include <malloc.h>
#include <unistd.h>

#include "h2_world.h"

#include "http/h2_inside.h"

static void rest(struct world *world)
{
	h2_server_rest(world->server);
	assert_non_null(world->server->memory.folded);
}

/* Fields that both sides have in their tables: each block refers to earlier ones. */
static int32_t get_as(struct world *world, const char *agent)
{
	const nghttp2_nv more[] = {nv("user-agent", agent), nv("x-kept", "a value of some length")};

	return ask(world, "GET", "/", NULL, more, 2);
}

static void requests_go_on_after_a_rest(void **state)
{
	struct world *world = new_world_with_client();
	char agent[32], line[64];

	(void)state;
	world->on_request = answers_at_once;
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(agent, sizeof(agent), "agent %u", i / 2);
		(void)snprintf(line, sizeof(line), "user-agent: agent %u\r\nx-kept: a value of some length\r\n", i / 2);
		int32_t id = get_as(world, agent);
		exchange(world);
		assert_true(got_of(world, id)->ended);
		assert_non_null(strstr(world->seen[i].head, line));
		rest(world);
	}
	assert_null(h2_server_end(world->server));
	free_world(&world);
}

static void a_stream_that_is_open_lets_nothing_rest(void **state)
{
	struct world *world = new_world_with_client();

	(void)state;
	world->on_request = NULL;
	(void)get_as(world, "a");
	exchange(world);
	h2_server_rest(world->server);
	assert_null(world->server->memory.folded);
	respond(&world->seen[0], 200, 100);
	h2_server_rest(world->server);
	assert_null(world->server->memory.folded);
	exchange(world);
	rest(world);
	free_world(&world);
}

static void nothing_is_to_be_sent_while_memory_is_released(void **state)
{
	struct world *world = new_world_with_client();
	uint8_t buffer[H2_PULL_ROOM];

	(void)state;
	exchange(world);
	rest(world);
	assert_int_equal(h2_server_pull(world->server, buffer, sizeof(buffer)), 0);
	h2_server_tick(world->server, world->now);
	rest(world); /* it does already */
	assert_null(h2_server_end(world->server));
	free_world(&world);
}

static void an_idle_connection_can_be_stopped(void **state)
{
	(void)state;
	for (int noticed = 0; noticed < 2; noticed++) {
		struct world *world = new_world_with_client();
		exchange(world);
		rest(world);
		if (noticed) {
			assert_true(h2_server_notice(world->server));
			exchange(world);
			assert_true(world->goaway);
			rest(world);
		}
		assert_true(h2_server_stop(world->server));
		exchange(world);
		assert_true(world->goaway);
		assert_int_equal(world->goaway_code, H2_NO_ERROR);
		assert_int_equal(h2_server_end(world->server)->code, H2_NO_ERROR);
		free_world(&world);
	}
}

static void an_idle_connection_can_fail(void **state)
{
	struct world *world = new_world_with_client();

	(void)state;
	world->on_request = answers_at_once;
	(void)get_as(world, "a");
	exchange(world);
	rest(world);
	h2_server_fail(world->server, H2_ENHANCE_YOUR_CALM, "a test");
	exchange(world);
	assert_true(world->goaway);
	assert_int_equal(world->goaway_code, H2_ENHANCE_YOUR_CALM);
	assert_int_equal(world->goaway_last, 1);
	free_world(&world);
}

/* In the middle of a frame, too. */
static void releasing_memory_after_each_byte_changes_nothing(void **state)
{
	struct world *world = new_world_with_client();
	const uint8_t *bytes = NULL;
	ssize_t len;

	(void)state;
	world->on_request = answers_at_once;
	exchange(world);
	(void)get_as(world, "a");
	while ((len = nghttp2_session_mem_send(world->client, &bytes)) > 0)
		for (ssize_t i = 0; i < len; i++) {
			assert_true(h2_server_take(world->server, bytes + i, 1, world->now));
			h2_server_rest(world->server);
		}
	exchange(world);
	assert_int_equal(world->count, 1);
	assert_true(got_of(world, 1)->ended);
	free_world(&world);
}

static void streams_that_are_over_leave_nothing(void **state)
{
	struct world *world = new_world_with_client();

	(void)state;
	world->on_request = answers_at_once;
	for (unsigned i = 0; i < 10; i++) {
		(void)get_as(world, "a");
		exchange(world);
	}
	size_t before = mallinfo2().uordblks;
	for (unsigned i = 0; i < 2 * H2_STREAMS_MAX; i++) {
		(void)get_as(world, "a");
		exchange(world);
	}
	assert_true(mallinfo2().uordblks < before + 64U * H2_STREAMS_MAX);
	free_world(&world);
}

static void responses_need_no_table(void **state)
{
	struct world *world = new_world_with_client();

	(void)state;
	world->on_request = answers_at_once;
	for (unsigned i = 0; i < 3; i++) {
		(void)get_as(world, "a");
		exchange(world);
	}
	assert_int_equal(nghttp2_session_get_hd_inflate_dynamic_table_size(world->client), 0);
	free_world(&world);
}

#define SLABS 200

static bool is_zero(const struct h2_slab *slab)
{
	for (size_t i = 0; i < H2_SLAB_ROOM; i++)
		if (slab->bytes[i] != 0)
			return false;
	return true;
}

static void slabs_are_separate_and_zero(void **state)
{
	static struct h2_slab slabs[SLABS];

	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < SLABS; i++) {
			slabs[i] = h2_slab_take();
			assert_non_null(slabs[i].of);
			assert_true(is_zero(&slabs[i]));
			memset(slabs[i].bytes, (int)(i % 255 + 1), H2_SLAB_ROOM);
		}
		for (unsigned i = 0; i < SLABS; i++) {
			assert_int_equal(slabs[i].bytes[0], i % 255 + 1);
			assert_int_equal(slabs[i].bytes[H2_SLAB_ROOM - 1], i % 255 + 1);
		}
		assert_true(h2_slab_empty(&slabs[7]));
		assert_true(is_zero(&slabs[7]));
		for (unsigned i = round; i < SLABS + round; i++)
			h2_slab_give(&slabs[i * 7 % SLABS]);
		assert_null(slabs[0].of);
		h2_slab_give(&slabs[0]); /* none */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_go_on_after_a_rest),
		cmocka_unit_test(a_stream_that_is_open_lets_nothing_rest),
		cmocka_unit_test(nothing_is_to_be_sent_while_memory_is_released),
		cmocka_unit_test(an_idle_connection_can_be_stopped),
		cmocka_unit_test(an_idle_connection_can_fail),
		cmocka_unit_test(releasing_memory_after_each_byte_changes_nothing),
		cmocka_unit_test(streams_that_are_over_leave_nothing),
		cmocka_unit_test(responses_need_no_table),
		cmocka_unit_test(slabs_are_separate_and_zero),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
