/* What a client may do to a connection of HTTP/2: each flood ends it early, with a reason, at a bounded cost; and what
 * honest clients do by nature ends nothing. */
#include <malloc.h>
#include <unistd.h>

#include "h2_world.h"
#include "http/h2_budget.h"
#include "http/h2_head.h"

#define MANY 200000

static void keeps_open(struct seen *seen)
{
	(void)seen;
}

/* The tests go on for longer than what is kept of them. */
static void forgets(struct seen *seen)
{
	struct world *world = seen->world;

	if (world->count == SEEN_MAX)
		fail_msg("%d requests were let in", SEEN_MAX);
}

static void assert_calmed(struct world *world)
{
	(void)drain(world);
	assert_true(world->goaway);
	assert_int_equal(world->goaway_code, H2_ENHANCE_YOUR_CALM);
	assert_int_equal(h2_server_end(world->server)->code, H2_ENHANCE_YOUR_CALM);
	assert_no_streams(world);
	for (size_t i = 0; i < world->count; i++)
		assert_int_equal(world->seen[i].gones, 1);
}

/* --- requests that are begun and reset */

static bool resets_its_request(struct world *world, uint32_t id)
{
	return get(world, id) && frame(world, NGHTTP2_RST_STREAM, 0, id, "\0\0\0\x08", 4);
}

static bool overflows_a_window(struct world *world, uint32_t id)
{
	return get(world, id) && frame(world, NGHTTP2_WINDOW_UPDATE, 0, id, "\x7f\xff\xff\xff", 4);
}

static bool sends_more_than_its_length(struct world *world, uint32_t id)
{
	static const char block[] = POST_BLOCK "\x0f\x0d\x01"
					       "1";

	return frame(world, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, block, sizeof(block) - 1) &&
	       frame(world, NGHTTP2_DATA, 0, id, "12", 2);
}

static bool sends_less_than_its_length(struct world *world, uint32_t id)
{
	static const char block[] = POST_BLOCK "\x0f\x0d\x01"
					       "3";

	return frame(world, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, block, sizeof(block) - 1) &&
	       frame(world, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, id, "12", 2);
}

static bool sends_bad_trailers(struct world *world, uint32_t id)
{
	return post(world, id) && frame(world, NGHTTP2_HEADERS, 5, id, "\x84", 1);
}

static bool sends_a_field_without_a_name(struct world *world, uint32_t id)
{
	static const char block[] = GET_BLOCK "\x00\x00\x00";

	return frame(world, NGHTTP2_HEADERS, 5, id, block, sizeof(block) - 1);
}

static bool sends_a_malformed_head(struct world *world, uint32_t id)
{
	static const char block[] = GET_BLOCK "\x66\x01"
					      "b"; /* another host */

	return frame(world, NGHTTP2_HEADERS, 5, id, block, sizeof(block) - 1);
}

static bool (*const provokes[])(struct world *, uint32_t) = {
	resets_its_request, overflows_a_window,           sends_more_than_its_length, sends_less_than_its_length,
	sends_bad_trailers, sends_a_field_without_a_name, sends_a_malformed_head,
};
#define PROVOKES (sizeof(provokes) / sizeof(provokes[0]))

/* CVE-2023-44487, CVE-2025-8671 */
static void resets_of_both_sides_are_counted(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROVOKES; i++) {
		struct world *world = new_world();
		uint32_t id = 1;
		world->on_request = forgets;
		assert_true(hello(world));
		for (; id < 2 * MANY && provokes[i](world, id); id += 2)
			(void)drain(world);
		assert_in_range(id / 2, H2_RESETS_BURST, H2_RESETS_BURST + 1);
		assert_calmed(world);
		free_world(&world);
	}
}

/* No output is taken meanwhile, so that resets of ours are never sent. */
static void resets_that_cannot_be_sent_end_it_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROVOKES; i++) {
		struct world *world = new_world();
		uint32_t id = 1;
		world->on_request = forgets;
		assert_true(hello(world));
		while (id < 2 * MANY && provokes[i](world, id))
			id += 2;
		assert_in_range(id / 2, 0, 2000);
		assert_calmed(world);
		free_world(&world);
	}
}

static void unread_refusals_are_bounded(void **state)
{
	struct world *world = new_world();
	uint32_t id = 1;

	(void)state;
	world->on_request = keeps_open;
	assert_true(raw(world, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN));
	assert_true(frame(world, NGHTTP2_SETTINGS, 0, 0, NULL, 0));
	while (id < 2 * MANY && get(world, id))
		id += 2;
	assert_in_range(id / 2, H2_STREAMS_MAX, 2000); /* refusals wait to be read */
	assert_int_equal(world->count, H2_STREAMS_MAX);
	assert_calmed(world);
	free_world(&world);
}

/* RFC 9113 5.1.2: before our settings are acknowledged, and after. HPACK's table, which it changes, goes on. */
static void stream_over_the_limit_is_refused_alone(void **state)
{
	static const char indexes[] = GET_BLOCK "\x40\x01"
						"n\x01"
						"v",
			  indexed[] = GET_BLOCK "\xc0"; /* behind two of :authority */

	(void)state;
	for (int acknowledged = 0; acknowledged < 2; acknowledged++) {
		struct world *world = new_world();
		uint32_t id = 1;
		world->on_request = keeps_open;
		assert_true(raw(world, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) &&
			    frame(world, NGHTTP2_SETTINGS, 0, 0, NULL, 0));
		if (acknowledged != 0)
			assert_true(frame(world, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0));
		for (int i = 0; i < H2_STREAMS_MAX; i++, id += 2)
			assert_true(get(world, id));
		(void)drain(world);
		assert_int_equal(world->resets, 0);
		assert_true(frame(world, NGHTTP2_HEADERS, 5, id, indexes, sizeof(indexes) - 1));
		assert_true(post(world, id + 2) && frame(world, NGHTTP2_DATA, 1, id + 2, "abc", 3));
		(void)drain(world);
		assert_int_equal(world->count, H2_STREAMS_MAX);
		assert_int_equal(world->resets, 2);
		assert_int_equal(world->reset_code, H2_REFUSED_STREAM);
		assert_false(world->goaway);
		respond(&world->seen[5], 200, 0);
		(void)drain(world);
		assert_true(frame(world, NGHTTP2_HEADERS, 5, id + 4, indexed, sizeof(indexed) - 1));
		assert_int_equal(world->count, H2_STREAMS_MAX + 1);
		assert_non_null(strstr(world->seen[H2_STREAMS_MAX].head, "\r\nn: v\r\n"));
		free_world(&world);
	}
}

#define PLAIN_BLOCK            \
	"\x82\x87\x84\x01\x01" \
	"a" /* without an entry in HPACK's table */
#define LONG_VALUE 3000
#define REPEATS    10

/* HPACK: each request after the first one has 16 bytes, and a head of 30,000. */
static void heads_of_all_open_streams_are_bounded(void **state)
{
	static char first[sizeof(PLAIN_BLOCK) + 8 + LONG_VALUE] = PLAIN_BLOCK "\x40\x01"
									      "n\x7f\xb9\x16"; /* 127 + 57 + 22 * 128 */
	static char more[sizeof(PLAIN_BLOCK) + REPEATS] = PLAIN_BLOCK;
	const size_t before = sizeof(PLAIN_BLOCK) - 1 + 6, most = H2_HEADS_TIMES * HTTP_HEAD_DEFAULT;
	struct world *world = new_world();
	uint32_t id = 1;

	(void)state;
	world->on_request = keeps_open;
	memset(first + before, 'x', LONG_VALUE);
	memset(more + sizeof(PLAIN_BLOCK) - 1, 0xbe, REPEATS);
	assert_true(raw(world, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) &&
		    frame(world, NGHTTP2_SETTINGS, 0, 0, NULL, 0));
	assert_true(frame(world, NGHTTP2_HEADERS, 5, id, first, before + LONG_VALUE));
	for (size_t i = 1; i < H2_STREAMS_MAX; i++)
		assert_true(frame(world, NGHTTP2_HEADERS, 5, id += 2, more, sizeof(PLAIN_BLOCK) - 1 + REPEATS));
	(void)drain(world);
	assert_in_range(world->server->heads, most / 2, most);
	assert_in_range(world->count, most / 65536, most / (LONG_VALUE * REPEATS) + 1);
	assert_int_equal(world->resets, H2_STREAMS_MAX - world->count);
	assert_int_equal(world->reset_code, H2_REFUSED_STREAM);
	assert_false(world->goaway);
	/* There is room again once a request has ended. */
	size_t count = world->count;
	respond(&world->seen[3], 200, 0);
	(void)drain(world);
	assert_true(frame(world, NGHTTP2_HEADERS, 5, id + 2, more, sizeof(PLAIN_BLOCK) - 1 + REPEATS));
	assert_int_equal(world->count, count + 1);
	for (size_t i = 0; i < world->count; i++)
		if (i != 3)
			respond(&world->seen[i], 200, 0);
	(void)drain(world);
	assert_no_streams(world);
	assert_int_equal(world->server->heads, 0);
	free_world(&world);
}

/* RFC 9113 5.1: whoever ended the request; but what was on its way when we reset it is ignored. */
static void frames_for_ended_streams_end_the_connection(void **state)
{
	(void)state;
	for (int how = 0; how < 8; how++) {
		struct world *world = new_world();
		const bool by_reset = (how & 1) != 0, by_us = (how & 2) != 0, later = (how & 4) != 0;
		world->on_request = keeps_open;
		assert_true(hello(world) && (by_reset || by_us ? post(world, 1) : get(world, 1)));
		if (by_us)
			h2_stream_reset(world->seen[0].stream, by_reset ? H2_CANCEL : H2_HTTP_1_1_REQUIRED);
		else if (by_reset)
			assert_true(frame(world, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4));
		else
			respond(&world->seen[0], 200, 0);
		for (uint32_t id = 3; later && id < 2 * 63; id += 2)
			assert_true(get(world, id) && frame(world, NGHTTP2_RST_STREAM, 0, id, "\0\0\0\x08", 4));
		(void)drain(world);
		assert_int_equal(frame(world, NGHTTP2_DATA, 0, 1, "abc", 3), by_us);
		assert_int_equal(post(world, 1), by_us);
		(void)drain(world);
		assert_int_equal(world->goaway, !by_us);
		assert_int_equal(world->goaway_code, by_us ? H2_NO_ERROR : H2_STREAM_CLOSED);
		free_world(&world);
	}
}

static void an_occasional_mass_cancel_is_allowed(void **state)
{
	struct world *world = new_world();
	uint32_t id = 1;

	(void)state;
	world->on_request = keeps_open;
	assert_true(hello(world));
	for (int page = 0; page < 50; page++) {
		uint32_t first = id;
		for (int i = 0; i < H2_STREAMS_MAX; i++, id += 2)
			assert_true(get(world, id));
		for (; first < id; first += 2)
			assert_true(frame(world, NGHTTP2_RST_STREAM, 0, first, "\0\0\0\x08", 4));
		(void)drain(world);
		world->count = 0;
		world->now += 4000; /* a page every four seconds */
	}
	free_world(&world);
}

/* What the server itself wants to reset is not held against the client. */
static void resets_at_once(struct seen *seen)
{
	h2_stream_reset(seen->stream, H2_HTTP_1_1_REQUIRED);
	seen->world->count = 0;
}

static void resets_by_the_caller_are_not_counted(void **state)
{
	struct world *world = new_world();

	(void)state;
	world->on_request = resets_at_once;
	assert_true(hello(world));
	for (uint32_t id = 1; id < 20000; id += 2) {
		assert_true(get(world, id));
		(void)drain(world);
	}
	assert_int_equal(world->resets, 10000);
	free_world(&world);
}

/* --- header blocks */

/* CVE-2024-28182: of whatever size the frames are, and whether the list is still read or not. */
static void endless_header_blocks_end_early(void **state)
{
	static const struct {
		const char *begin;
		size_t len, frame, most;
	} cases[] = {
		{GET_BLOCK, BLOCK_LEN, 16384, H2_BLOCK_MAX / 16384 + 1},
		{GET_BLOCK, BLOCK_LEN, 100, H2_CONTINUATIONS_MAX + 1},
		{GET_BLOCK, BLOCK_LEN, 0, H2_CONTINUATIONS_MAX + 1},
		{GET_BLOCK "\x00\x01X\x01y", BLOCK_LEN + 5, 16384, H2_BLOCK_MAX / 16384 + 1}, /* malformed */
		{GET_BLOCK "\x00\x01X\x01y", BLOCK_LEN + 5, 1, H2_CONTINUATIONS_MAX + 1},
	};
	static char fields[16384];

	(void)state;
	memset(fields, '\x82', sizeof(fields)); /* as bytes of a value, or :method again */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t step = 0; step < 2; step++) {
			struct world *world = new_world();
			size_t count = 0;
			world->step = step * 5;
			assert_true(hello(world));
			assert_true(frame(world, NGHTTP2_HEADERS, 0, 1, cases[i].begin, cases[i].len));
			while (count < MANY && frame(world, NGHTTP2_CONTINUATION, 0, 1, fields, cases[i].frame))
				count++;
			assert_in_range(count, 0, cases[i].most);
			assert_calmed(world);
			assert_int_equal(world->count, 0);
			free_world(&world);
		}
}

static void a_block_in_parts_is_read(void **state)
{
	static const char rest[] = "\x87\x84\x41\x01"
				   "a";

	(void)state;
	for (size_t step = 0; step < 10; step++) {
		struct world *world = new_world();
		world->step = step;
		assert_true(hello(world));
		for (uint32_t id = 1; id < 9; id += 2) {
			assert_true(frame(world, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, id, "\x82", 1));
			for (size_t i = 0; i < 5; i++) {
				assert_true(frame(world, NGHTTP2_CONTINUATION, 0, id, rest + i, 1));
				assert_true(frame(world, NGHTTP2_CONTINUATION, i == 4 ? 4 : 0, id, NULL, 0));
			}
			(void)drain(world);
			assert_int_equal(world->count, (id + 1) / 2);
		}
		free_world(&world);
	}
}

/* One entry of the table, over and over: a byte for four thousand. */
static void an_hpack_bomb_is_decoded_to_its_limit_only(void **state)
{
	static char block[60000] = GET_BLOCK "\x40\x01x\x7f\xa1\x1e"; /* x: and 4,000 bytes */
	size_t len = BLOCK_LEN + 6;

	(void)state;
	memset(block + len, 'v', 4000);
	len += 4000;
	memset(block + len, '\xbe', 12000); /* the newest entry */
	len += 12000;
	for (size_t step = 0; step < 2; step++) {
		struct world *world = new_world();
		world->step = step * 100;
		assert_true(hello(world));
		struct mallinfo2 before = mallinfo2();
		(void)frame(world, NGHTTP2_HEADERS, 5, 1, block, len);
		struct mallinfo2 after = mallinfo2();
		assert_true(after.uordblks < before.uordblks + 4 * HTTP_HEAD_DEFAULT);
		assert_calmed(world);
		assert_int_equal(world->count, 0);
		free_world(&world);
	}
}

static void a_list_over_the_limit_costs_its_stream_only(void **state)
{
	static const char field[] = {0, 1, 'x', 0}; /* 33 bytes as a list counts, 5 in HTTP/1.1 */
	static char block[16000] = GET_BLOCK;

	(void)state;
	for (size_t i = BLOCK_LEN; i + sizeof(field) <= sizeof(block); i += sizeof(field))
		memcpy(block + i, field, sizeof(field));
	struct world *world = new_world();
	assert_true(hello(world));
	assert_true(frame(world, NGHTTP2_HEADERS, 5, 1, block, (size_t)BLOCK_LEN + 4 * 150)); /* 150 fields */
	assert_int_equal(world->count, 1);
	assert_true(get(world, 3));
	assert_int_equal(world->count, 2);
	(void)frame(world, NGHTTP2_HEADERS, 5, 5, block, BLOCK_LEN + (sizeof(block) - BLOCK_LEN) / 4 * 4);
	assert_calmed(world);
	free_world(&world);
}

/* --- frames that carry nothing */

static const struct flood {
	const char *name;
	uint8_t type, flags;
	uint32_t id;
	const char *payload;
	size_t len;
	unsigned cost;
} floods[] = {
	{"SETTINGS", NGHTTP2_SETTINGS, 0, 0, "\0\x03\0\0\0\x64", 6, H2_IDLE_SETTINGS},
	{"SETTINGS of nothing", NGHTTP2_SETTINGS, 0, 0, "", 0, H2_IDLE_SETTINGS},
	{"PING", NGHTTP2_PING, 0, 0, "12345678", 8, H2_IDLE_PING},
	{"PING acknowledged", NGHTTP2_PING, 1, 0, "12345678", 8, H2_IDLE_PING},
	{"PRIORITY", NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\x10", 5, 1},
	{"PRIORITY of idle streams", NGHTTP2_PRIORITY, 0, 9, "\0\0\0\x01\x10", 5, 1},
	{"WINDOW_UPDATE", NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\x01", 4, 1},
	{"WINDOW_UPDATE of a stream", NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\x01", 4, 1},
	{"empty DATA", NGHTTP2_DATA, 0, 1, "", 0, 1},
	{"padding alone", NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x03\0\0\0", 4, 1},
	{"an unknown type", 0xbe, 0, 1, "x", 1, 1},
	{"PRIORITY_UPDATE", 0x10, 0, 0, "\0\0\0\x01u=1", 7, 1},
	{"RST_STREAM of a closed stream", NGHTTP2_RST_STREAM, 0, 3, "\0\0\0\x08", 4, 1},
};
#define FLOODS (sizeof(floods) / sizeof(floods[0]))

static bool pour(struct world *world, const struct flood *flood)
{
	return frame(world, flood->type, flood->flags, flood->id, flood->payload, flood->len);
}

static struct world *new_flooded(void)
{
	struct world *world = new_world();

	world->on_request = keeps_open;
	assert_true(hello(world) && post(world, 1) && get(world, 3));
	respond(&world->seen[1], 200, 0);
	(void)drain(world);
	assert_int_equal(world->seen[1].gone, H2_NO_ERROR);
	return world;
}

static void floods_of_nothing_end_early(void **state)
{
	(void)state;
	for (size_t i = 0; i < FLOODS; i++)
		for (int reads = 0; reads < 2; reads++) {
			struct world *world = new_flooded();
			size_t count = 0;
			while (count < MANY && pour(world, &floods[i])) {
				count++;
				if (reads == 1)
					(void)drain(world);
			}
			if (count > H2_IDLE_BURST / floods[i].cost + 1)
				fail_msg("%s: %zu", floods[i].name, count);
			assert_calmed(world);
			free_world(&world);
		}
}

static void the_same_at_a_gentle_pace_ends_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < FLOODS; i++) {
		struct world *world = new_flooded();
		for (int second = 0; second < 300; second++) {
			for (unsigned k = 0; k < H2_IDLE_RATE / 2 / floods[i].cost; k++)
				if (!pour(world, &floods[i]))
					fail_msg("%s in second %d", floods[i].name, second);
			(void)drain(world);
			world->now += 1000;
		}
		free_world(&world);
	}
}

/* Acknowledgements that nobody reads, within the budget of frames. */
static void what_waits_to_be_read_is_bounded(void **state)
{
	static const uint8_t wants_acks[] = {NGHTTP2_PING, NGHTTP2_SETTINGS};

	(void)state;
	for (size_t i = 0; i < sizeof(wants_acks); i++) {
		struct world *world = new_flooded();
		size_t count = 0, len = wants_acks[i] == NGHTTP2_PING ? 8 : 0;
		struct mallinfo2 before = mallinfo2();
		while (count < MANY && frame(world, wants_acks[i], 0, 0, "12345678", len)) {
			count++;
			world->now += 1000;
		}
		struct mallinfo2 after = mallinfo2();
		assert_in_range(count, 500, 1100);
		assert_true(after.uordblks < before.uordblks + 512 * 1024);
		assert_calmed(world);
		free_world(&world);
	}
}

/* A byte of window for a byte of body. */
static void single_octet_window_updates_end_early(void **state)
{
	struct world *world = new_world();
	size_t count = 0;

	(void)state;
	world->on_request = keeps_open;
	assert_true(hello(world) && frame(world, NGHTTP2_SETTINGS, 0, 0, "\0\x04\0\0\0\0", 6) && get(world, 1));
	respond(&world->seen[0], 200, MANY);
	(void)drain(world);
	assert_int_equal(world->seen[0].left, MANY);
	while (count < MANY && frame(world, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\x01", 4)) {
		(void)drain(world);
		count++;
		assert_int_equal(world->seen[0].left, MANY - count);
	}
	assert_in_range(count, 500, H2_IDLE_BURST);
	assert_calmed(world);
	free_world(&world);
}

/* 128 responses wait for a window that never opens: nothing of their bodies is asked for, and little is kept. */
static void a_closed_window_uses_little_memory(void **state)
{
	struct world *world = new_world();

	(void)state;
	world->on_request = keeps_open;
	assert_true(hello(world) && frame(world, NGHTTP2_SETTINGS, 0, 0, "\0\x04\0\0\0\0", 6));
	(void)drain(world);
	struct mallinfo2 before = mallinfo2();
	for (uint32_t i = 0; i < H2_STREAMS_MAX; i++) {
		assert_true(get(world, 2 * i + 1));
		respond(&world->seen[i], 200, 1000 * 1000);
	}
	(void)drain(world);
	struct mallinfo2 after = mallinfo2();
	assert_true(after.uordblks < before.uordblks + (size_t)H2_STREAMS_MAX * 2048);
	for (size_t i = 0; i < H2_STREAMS_MAX; i++)
		assert_int_equal(world->seen[i].left, 1000 * 1000);
	assert_nothing_to_write(world);
	/* One more is too many: RFC 9113 5.1.2. */
	(void)get(world, 2 * H2_STREAMS_MAX + 1);
	(void)drain(world);
	assert_true(world->goaway || world->resets == 1);
	assert_int_equal(world->count, H2_STREAMS_MAX);
	free_world(&world);
}

/* --- honest ones */

static void answers_ten_megabytes(struct seen *seen)
{
	respond(seen, 200, 10 * 1000 * 1000);
}

/* Go updates both windows every 4 KiB, others both for each frame; gRPC sends a PING for each window. */
static void downloads_are_allowed(void **state)
{
	struct world *world = new_world();
	size_t before;

	(void)state;
	world->on_request = answers_ten_megabytes;
	assert_true(hello(world) && get(world, 1));
	do {
		before = world->seen[0].left;
		(void)drain(world);
		for (size_t taken = world->seen[0].left; taken < before; taken += 4096) {
			assert_true(frame(world, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\x10\0", 4));
			assert_true(frame(world, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\x10\0", 4));
		}
		assert_true(frame(world, NGHTTP2_PING, 0, 0, "12345678", 8));
	} while (world->seen[0].left > 0);
	free_world(&world);
}

static void many_small_requests_are_allowed(void **state)
{
	struct world *world = new_world();

	(void)state;
	assert_true(hello(world));
	for (uint32_t id = 1; id < 40000; id += 2) {
		assert_true(frame(world, NGHTTP2_PRIORITY, 0, id, "\0\0\0\0\x10", 5));
		assert_true(get(world, id));
		assert_true(frame(world, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\x01", 4));
		assert_true(frame(world, NGHTTP2_PING, 0, 0, "12345678", 8));
		(void)drain(world);
		world->count = 0;
		world->now += 20;
	}
	free_world(&world);
}

static void uploads_in_small_frames_are_allowed(void **state)
{
	struct world *world = new_world();

	(void)state;
	world->on_request = keeps_open;
	world->on_data = gives_back;
	assert_true(hello(world) && post(world, 1));
	for (int i = 0; i < MANY; i++) {
		assert_true(frame(world, NGHTTP2_DATA, 0, 1, "x", 1));
		(void)drain(world);
	}
	assert_int_equal(world->seen[0].came, MANY);
	free_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resets_of_both_sides_are_counted),
		cmocka_unit_test(resets_that_cannot_be_sent_end_it_too),
		cmocka_unit_test(unread_refusals_are_bounded),
		cmocka_unit_test(stream_over_the_limit_is_refused_alone),
		cmocka_unit_test(frames_for_ended_streams_end_the_connection),
		cmocka_unit_test(an_occasional_mass_cancel_is_allowed),
		cmocka_unit_test(resets_by_the_caller_are_not_counted),
		cmocka_unit_test(endless_header_blocks_end_early),
		cmocka_unit_test(a_block_in_parts_is_read),
		cmocka_unit_test(an_hpack_bomb_is_decoded_to_its_limit_only),
		cmocka_unit_test(a_list_over_the_limit_costs_its_stream_only),
		cmocka_unit_test(floods_of_nothing_end_early),
		cmocka_unit_test(the_same_at_a_gentle_pace_ends_nothing),
		cmocka_unit_test(what_waits_to_be_read_is_bounded),
		cmocka_unit_test(single_octet_window_updates_end_early),
		cmocka_unit_test(a_closed_window_uses_little_memory),
		cmocka_unit_test(heads_of_all_open_streams_are_bounded),
		cmocka_unit_test(downloads_are_allowed),
		cmocka_unit_test(many_small_requests_are_allowed),
		cmocka_unit_test(uploads_in_small_frames_are_allowed),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
