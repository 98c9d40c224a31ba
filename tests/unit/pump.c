/* The pump: whatever its framing, and however it comes, a sink gets each byte of a body once and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/pump.h"

#define BODY_LEN 1000
#define RAW_MAX  16384

/* What the client sends, in pieces, and what a sink has got of it. */
static struct world {
	struct gateway gateway;
	struct gw_conn conn;
	struct gw_stream stream;
	struct gw_route route;
	struct config_route config;
	char raw[RAW_MAX];
	size_t raw_len, sent, piece;
	char got[BODY_LEN];
	size_t got_len, most, span_most; /* the sink holds most bytes, and takes span_most at a time */
	bool straight;                   /* it has memory that can be read to */
	unsigned straight_reads;
} w;

static char body_at(size_t i)
{
	return (char)('a' + i * 7 % 26);
}

static enum thaw_status read_raw(struct gw_stream *stream, void *where, size_t room, size_t *len)
{
	size_t left = w.raw_len - w.sent;

	(void)stream;
	*len = left < w.piece ? left : w.piece;
	*len = *len < room ? *len : room;
	if (*len == 0)
		return THAW_WANT_READ;
	memcpy(where, w.raw + w.sent, *len);
	w.sent += *len;
	return THAW_OK;
}

static const struct gw_protocol protocol = {.version = "1.1", .read = read_raw};

static enum thaw_reason take(struct gw_stream *stream, void *to, const char *bytes, size_t len, size_t *took)
{
	assert_ptr_equal(stream, &w.stream);
	assert_ptr_equal(to, &w);
	if (w.got_len == w.most)
		return THAW_REASON_BUDGET_TOTAL;
	*took = len < w.span_most ? len : w.span_most;
	*took = *took < w.most - w.got_len ? *took : w.most - w.got_len;
	memcpy(w.got + w.got_len, bytes, *took);
	w.got_len += *took;
	return THAW_REASON_NONE;
}

static enum thaw_reason reserve(struct gw_stream *stream, void *to, void **where, size_t *room)
{
	(void)stream;
	(void)to;
	*room = 0;
	if (!w.straight)
		return THAW_REASON_NONE;
	if (w.got_len == w.most)
		return THAW_REASON_BUDGET_TOTAL;
	*where = w.got + w.got_len;
	*room = w.most - w.got_len;
	return THAW_REASON_NONE;
}

static void commit(struct gw_stream *stream, void *to, size_t len)
{
	(void)stream;
	(void)to;
	w.got_len += len;
	w.straight_reads++;
}

static const struct gw_sink sink = {.take = take, .reserve = reserve, .commit = commit};

static void put_raw(const char *bytes, size_t len)
{
	assert_true(w.raw_len + len <= RAW_MAX);
	memcpy(w.raw + w.raw_len, bytes, len);
	w.raw_len += len;
}

/* A body of BODY_LEN bytes, in chunks of that size; chunk 0: of known length. */
static void begin(size_t chunk, size_t piece)
{
	memset(&w, 0, sizeof(w));
	w.most = BODY_LEN;
	w.span_most = BODY_LEN;
	w.piece = piece;
	for (size_t at = 0; at < BODY_LEN;) {
		size_t len = chunk == 0 || chunk > BODY_LEN - at ? BODY_LEN - at : chunk;
		char line[16], data[BODY_LEN];
		for (size_t i = 0; i < len; i++)
			data[i] = body_at(at + i);
		if (chunk > 0)
			put_raw(line, (size_t)snprintf(line, sizeof(line), "%zx\r\n", len));
		put_raw(data, len);
		if (chunk > 0)
			put_raw("\r\n", 2);
		at += len;
	}
	if (chunk > 0)
		put_raw("0\r\n\r\n", 5);
	w.config.max_request_body = UINT64_MAX;
	w.route.config = &w.config;
	w.conn.gateway = &w.gateway;
	w.conn.protocol = &protocol;
	w.stream.conn = &w.conn;
	w.stream.gateway = &w.gateway;
	w.stream.route = &w.route;
	w.stream.body.framing = chunk > 0 ? HTTP_BODY_CHUNKED : HTTP_BODY_LENGTH;
	w.stream.body.left = chunk > 0 ? 0 : BODY_LEN;
	http_chunked_init(&w.stream.body.chunked);
	w.stream.body.chunked.trailers = &w.stream.body.trailers;
	assert_true(gw_input_open(&w.stream.in));
	gw_input_head_ends(&w.stream.in, 0);
}

static void end(void)
{
	gw_input_close(&w.stream.in);
	http_trailers_free(&w.stream.body.trailers);
}

static enum gw_pumped run(struct gw_pump_news *news)
{
	enum gw_pumped came;

	*news = (struct gw_pump_news){.status = THAW_OK};
	do
		came = gw_pump(&w.stream, &sink, &w, news);
	while (came == GW_PUMPED_TAKEN || (came == GW_PUMPED_READ && news->status == THAW_OK));
	return came;
}

static void assert_got(size_t len)
{
	assert_int_equal(w.got_len, len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(w.got[i], body_at(i));
}

static void each_byte_comes_once_in_every_framing(void **state)
{
	static const size_t chunks[] = {0, 1, 2, 3, 16, 999, 1000, 4096}, pieces[] = {1, 2, 7, 64, 1000, 100000};
	struct gw_pump_news news;

	(void)state;
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
		for (size_t k = 0; k < sizeof(pieces) / sizeof(pieces[0]); k++)
			for (unsigned how = 0; how < 4; how++) {
				begin(chunks[i], pieces[k]);
				w.straight = (how & 1) != 0;
				w.span_most = (how & 2) != 0 ? 3 : BODY_LEN;
				assert_int_equal(run(&news), GW_PUMPED_END);
				assert_got(BODY_LEN);
				assert_int_equal(w.stream.body.received, BODY_LEN);
				assert_int_equal(w.straight_reads > 0, chunks[i] == 0 && w.straight);
				end();
			}
}

static void a_sink_that_is_full_loses_nothing(void **state)
{
	struct gw_pump_news news;

	(void)state;
	for (unsigned how = 0; how < 4; how++) {
		begin((how & 1) != 0 ? 64 : 0, 50);
		w.straight = (how & 2) != 0;
		w.most = 333;
		assert_int_equal(run(&news), GW_PUMPED_FULL);
		assert_int_equal(news.reason, THAW_REASON_BUDGET_TOTAL);
		assert_got(333);
		w.most = BODY_LEN; /* room was made */
		assert_int_equal(run(&news), GW_PUMPED_END);
		assert_got(BODY_LEN);
		end();
	}
}

static void a_client_that_pauses_is_waited_for(void **state)
{
	struct gw_pump_news news;

	(void)state;
	begin(0, 100);
	w.raw_len -= 400;
	assert_int_equal(run(&news), GW_PUMPED_READ);
	assert_int_equal(news.status, THAW_WANT_READ);
	assert_got(BODY_LEN - 400);
	w.raw_len += 400;
	assert_int_equal(run(&news), GW_PUMPED_END);
	assert_got(BODY_LEN);
	end();
}

static void what_is_behind_the_body_stays(void **state)
{
	static const size_t chunks[] = {0, 10};
	struct gw_pump_news news;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		begin(chunks[i], RAW_MAX);
		put_raw("GET / HTTP/1.1", 14);
		assert_int_equal(run(&news), GW_PUMPED_END);
		assert_got(BODY_LEN);
		if (w.sent < w.raw_len) { /* a body of known length is read no further than its end */
			assert_int_equal(gw_pump_read(&w.stream, &news), GW_PUMPED_READ);
			assert_int_equal(news.status, THAW_OK);
		}
		assert_int_equal(run(&news), GW_PUMPED_END);
		assert_int_equal(w.stream.in.len - w.stream.in.at, 14);
		assert_memory_equal(w.stream.in.bytes + w.stream.in.at, "GET / HTTP/1.1", 14);
		end();
	}
}

static void a_body_over_its_limit_is_large(void **state)
{
	struct gw_pump_news news;

	(void)state;
	begin(100, 100);
	w.config.max_request_body = BODY_LEN - 1;
	assert_int_equal(run(&news), GW_PUMPED_LARGE);
	end();
}

static void an_invalid_chunk_is_an_error_with_a_reason(void **state)
{
	struct gw_pump_news news;

	(void)state;
	begin(100, RAW_MAX);
	memcpy(w.raw, "zz", 2);
	assert_int_equal(run(&news), GW_PUMPED_BAD);
	assert_int_not_equal(news.refusal.status, 0);
	assert_got(0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_byte_comes_once_in_every_framing),
		cmocka_unit_test(a_sink_that_is_full_loses_nothing),
		cmocka_unit_test(a_client_that_pauses_is_waited_for),
		cmocka_unit_test(what_is_behind_the_body_stays),
		cmocka_unit_test(a_body_over_its_limit_is_large),
		cmocka_unit_test(an_invalid_chunk_is_an_error_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
