/* The chunked decoder: what it takes and what it refuses, and that neither depends on how the bytes come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/chunked.h"
#include "http/repair.h"

#define BODY_MAX 65536

/* While the tests of what is repaired run; NULL: strict. */
static unsigned *repairs;

struct outcome {
	enum http_chunk chunk; /* never DATA */
	size_t used;
	size_t len;
	struct http_refusal refusal;
	char body[BODY_MAX];
};

/* Decodes a part of the input, in memory of its own size, so that a sanitizer sees any look beyond it. */
static void feed_part(struct http_chunked *chunked, const char *part, size_t len, struct outcome *outcome)
{
	char *memory = malloc(len > 0 ? len : 1);
	size_t at = 0;

	assert_non_null(memory);
	memcpy(memory, part, len);
	do {
		struct http_span data;
		size_t used = 0;
		outcome->chunk = http_chunked_decode(chunked, memory + at, len - at, &used, &data, &outcome->refusal);
		assert_true(used <= len - at);
		if (outcome->chunk == HTTP_CHUNK_DATA) {
			assert_true(data.len > 0 && data.at >= memory + at && data.at + data.len == memory + at + used);
			assert_true(outcome->len + data.len <= BODY_MAX);
			memcpy(outcome->body + outcome->len, data.at, data.len);
			outcome->len += data.len;
		}
		if (outcome->chunk == HTTP_CHUNK_MORE)
			assert_int_equal(used, len - at);
		at += used;
	} while (outcome->chunk == HTTP_CHUNK_DATA);
	outcome->used += at;
	free(memory);
}

/* In parts of `step` bytes, of which the first one has `first`. */
static void feed_parts(const char *input, size_t len, size_t first, size_t step, struct outcome *outcome)
{
	struct http_chunked chunked;

	http_chunked_init(&chunked);
	chunked.repairs = repairs;
	*outcome = (struct outcome){.chunk = HTTP_CHUNK_MORE};
	feed_part(&chunked, input, first, outcome);
	for (size_t at = first; at < len && outcome->chunk == HTTP_CHUNK_MORE; at += step)
		feed_part(&chunked, input + at, step < len - at ? step : len - at, outcome);
	/* What is over stays over. */
	enum http_chunk end = outcome->chunk;
	if (end == HTTP_CHUNK_MORE)
		return;
	struct http_refusal refusal = outcome->refusal;
	size_t used = outcome->used;
	feed_part(&chunked, "0\r\n\r\n", 5, outcome);
	assert_int_equal(outcome->chunk, end);
	assert_int_equal(outcome->used, used);
	outcome->refusal = refusal;
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
	assert_int_equal(a->chunk, b->chunk);
	assert_int_equal(a->used, b->used);
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->body, b->body, a->len);
	if (a->chunk != HTTP_CHUNK_BAD)
		return;
	assert_int_equal(a->refusal.status, b->refusal.status);
	assert_string_equal(a->refusal.why, b->refusal.why);
}

static void feed(const char *input, size_t len, struct outcome *whole)
{
	static struct outcome parts;
	size_t step = len < 500 ? 1 : len / 50;

	feed_parts(input, len, len, 1, whole);
	feed_parts(input, len, 1, 1, &parts);
	assert_same(&parts, whole);
	for (size_t at = 0; at <= len; at += step) {
		feed_parts(input, len, at, len - at, &parts);
		assert_same(&parts, whole);
	}
}

struct taken {
	const char *input, *body;
};

static const struct taken taken[] = {
	{"0\r\n\r\n", ""},
	{"000\r\n\r\n", ""},
	{"0000000000000000\r\n\r\n", ""},
	{"1\r\nx\r\n0\r\n\r\n", "x"},
	{"a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
	{"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
	{"000000000000000a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
	{"1F\r\n0123456789012345678901234567890\r\n0\r\n\r\n", "0123456789012345678901234567890"},
	{"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n", "hello world"},
	{"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"},
	{"5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"}, /* what looks like the end, in the data */
	/* extensions */
	{"1;a\r\nx\r\n0;a;b=c\r\n\r\n", "x"},
	{"1;a=b;c=d;e\r\nx\r\n0\r\n\r\n", "x"},
	{"1 ;a\r\nx\r\n0\t; \ta \t=\t b ;c\r\n\r\n", "x"},
	{"1;a=\"\"\r\nx\r\n0\r\n\r\n", "x"},
	{"1;a=\"b;c=d, \t:\xFF\"\r\nx\r\n0\r\n\r\n", "x"},
	{"1;a=\"\\\"\\\\\\ \";b\r\nx\r\n0\r\n\r\n", "x"},
	{"1;abc=0aF\r\nx\r\n0;chunk-signature=ad80c730\r\n\r\n", "x"},
	/* trailers */
	{"0\r\nA: b\r\n\r\n", ""},
	{"1\r\nx\r\n0\r\nVary: *\r\nEmpty:\r\nc:d\xFF\t\r\n\r\n", "x"},
};

/* Each alone, and with a next request behind it. */
static void test_taken(void **state)
{
	static const char behind[] = {'G', 'E', 'T', ' ', '\r', '\n'};
	static struct outcome outcome;
	char input[200];

	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		size_t len = strlen(taken[i].input);
		assert_true(len + sizeof(behind) <= sizeof(input));
		memcpy(input, taken[i].input, len);
		memcpy(input + len, behind, sizeof(behind));
		for (size_t more = 0; more <= sizeof(behind); more += sizeof(behind)) {
			feed(input, len + more, &outcome);
			if (outcome.chunk != HTTP_CHUNK_END)
				fail_msg("%s: outcome %d, %s", taken[i].input, outcome.chunk,
					 outcome.refusal.why != NULL ? outcome.refusal.why : "");
			assert_int_equal(outcome.used, len);
			assert_int_equal(outcome.len, strlen(taken[i].body));
			assert_memory_equal(outcome.body, taken[i].body, outcome.len);
		}
		/* No part of it is the whole. */
		for (size_t part = 0; part < len; part++) {
			feed_parts(input, part, part, 1, &outcome);
			assert_int_equal(outcome.chunk, HTTP_CHUNK_MORE);
		}
	}
}

/* Refused by its last byte, and not earlier. */
struct refused {
	const char *input;
	size_t len; /* 0: up to the NUL */
};

static const struct refused refused[] = {
	/* sizes */
	{"\r", 0},
	{"\n", 0},
	{" ", 0},
	{";", 0},
	{"g", 0},
	{"+", 0},
	{"-", 0},
	{"0x", 0},
	{"\"", 0},
	{"5\n", 0},
	{"5\r\r", 0},
	{"5\rx", 0},
	{"5 \r", 0},
	{"5 5", 0},
	{"5\t\n", 0},
	{"5,", 0},
	{"5=", 0},
	{"5:", 0},
	{"5_", 0},
	{"5\0", 2},
	{"5\xB2", 0},
	{"00000000000000000", 0},
	{"00000000000000001", 0},
	{"8000000000000000", 0},
	{"ffffffffffffffff", 0},
	{"FFFFFFFFFFFFFFFF", 0},
	{"7fffffffffffffff0", 0},
	{"3\r\nfoo\r\n\r", 0}, /* no last chunk */
	/* extensions */
	{"5;\r", 0},
	{"5; \r", 0},
	{"5;;", 0},
	{"5;a;\r", 0},
	{"5;=", 0},
	{"5;a=\r", 0},
	{"5;a=;", 0},
	{"5;a b", 0},
	{"5;a \r", 0},
	{"5;a=b \r", 0},
	{"5;a=b c", 0},
	{"5;a=b=", 0},
	{"5;a\n", 0},
	{"5;a\r\r", 0},
	{"5;a\rb", 0},
	{"5;a=b\n", 0},
	{"5;a\0", 4},
	{"5;a=\"b\n", 0},
	{"5;a=\"b\r", 0},
	{"5;a=\"b\\\r", 0},
	{"5;a=\"b\\\n", 0},
	{"5;a=\"b\0", 7},
	{"5;a=\"b\x7F", 0},
	{"5;a=\"b\"c", 0},
	{"5;a=\"b\"\n", 0},
	{"5;a=b\"", 0},
	{"5;\"", 0},
	{"5;a/", 0},
	{"5;a=[", 0},
	{"2 erfr", 3},
	/* data */
	{"5\r\nABCDE0", 0},
	{"5\r\nABCDE\n", 0},
	{"5\r\nABCDE\rx", 0},
	{"5\r\nABCDE\r\r", 0},
	{"5\r\nABCDEF", 0},
	/* trailers */
	{"0\r\n\n", 0},
	{"0\r\n\rx", 0},
	{"0\r\n ", 0},
	{"0\r\n:", 0},
	{"0\r\nA\r", 0},
	{"0\r\nA\n", 0},
	{"0\r\nA ", 0},
	{"0\r\nA\t", 0},
	{"0\r\nA(", 0},
	{"0\r\nA\xFF", 0},
	{"0\r\nA: b\n", 0},
	{"0\r\nA: b\rc", 0},
	{"0\r\nA: b\0", 8},
	{"0\r\nA: b\x7F", 0},
	{"0\r\nA: b\r\n ", 0},
	{"0\r\nA: b\r\n\t", 0},
	{"0\r\nA: b\r\n\n", 0},
	{"0\r\nA: b\r\n\r\r", 0},
};

static void test_refused(void **state)
{
	static struct outcome outcome;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		size_t len = refused[i].len > 0 ? refused[i].len : strlen(refused[i].input);
		feed(refused[i].input, len, &outcome);
		if (outcome.chunk != HTTP_CHUNK_BAD || outcome.used != len - 1)
			fail_msg("%s: outcome %d after %zu bytes", refused[i].input, outcome.chunk, outcome.used);
		assert_int_equal(outcome.refusal.status, 400);
		assert_true(strlen(outcome.refusal.why) > 0);
	}
}

struct text {
	char bytes[8 * HTTP_TRAILER_MAX];
	size_t len;
};

static void add(struct text *text, const char *more)
{
	size_t len = strlen(more);
	assert_true(text->len + len <= sizeof(text->bytes));
	memcpy(text->bytes + text->len, more, len);
	text->len += len;
}

static void add_many(struct text *text, char c, size_t count)
{
	assert_true(text->len + count <= sizeof(text->bytes));
	memset(text->bytes + text->len, c, count);
	text->len += count;
}

/* Status 0: it ends well. Otherwise it is refused at `at`. */
static void expect(const struct text *text, unsigned status, size_t at)
{
	static struct outcome outcome;

	feed(text->bytes, text->len, &outcome);
	assert_int_equal(outcome.chunk, status == 0 ? HTTP_CHUNK_END : HTTP_CHUNK_BAD);
	assert_int_equal(outcome.used, at);
	if (status != 0)
		assert_int_equal(outcome.refusal.status, status);
}

static void test_line_limit(void **state)
{
	static struct text text;

	(void)state;
	for (size_t over = 0; over <= 1; over++) {
		text.len = 0;
		add(&text, "0;");
		add_many(&text, 'a', HTTP_CHUNK_LINE_MAX + over - 2);
		add(&text, "\r\n\r\n");
		expect(&text, over ? 400 : 0, over ? HTTP_CHUNK_LINE_MAX : text.len);
		/* Each line is counted by itself. */
		text.len = 0;
		for (int i = 0; i < 3; i++) {
			add(&text, "1;a=\"");
			add_many(&text, ' ', 600);
			add(&text, "\"\r\nx\r\n");
		}
		size_t before = text.len;
		add(&text, "0;");
		add_many(&text, 'a', HTTP_CHUNK_LINE_MAX + over - 2);
		add(&text, "\r\n\r\n");
		expect(&text, over ? 400 : 0, over ? before + HTTP_CHUNK_LINE_MAX : text.len);
	}
}

/* Many lines, each of which would pass alone: refused, but where data makes up for them. */
static void test_extension_limit(void **state)
{
	static struct text text;
	const size_t each = 1000;

	(void)state;
	text.len = 0;
	for (size_t sum = 0; sum + each - 1 <= HTTP_CHUNK_EXTENSIONS_MAX; sum += each - 1) {
		add(&text, "1;");
		add_many(&text, 'a', each - 1);
		add(&text, "\r\nx\r\n");
	}
	size_t pass = text.len;
	add(&text, "0\r\n\r\n");
	expect(&text, 0, text.len);
	text.len = pass;
	add(&text, "0;");
	add_many(&text, 'a', each - 1);
	size_t taken_bytes = HTTP_CHUNK_EXTENSIONS_MAX / (each - 1) * (each - 1);
	expect(&text, 400, pass + 1 + HTTP_CHUNK_EXTENSIONS_MAX - taken_bytes);

	text.len = 0;
	for (size_t i = 0; i < 30; i++) {
		add(&text, "3e8;");
		add_many(&text, 'a', each - 1);
		add(&text, "\r\n");
		add_many(&text, 'x', each);
		add(&text, "\r\n");
	}
	add(&text, "0\r\n\r\n");
	expect(&text, 0, text.len);
}

static void test_trailer_limit(void **state)
{
	static struct text text;

	(void)state;
	for (size_t over = 0; over <= 1; over++) {
		text.len = 0;
		add(&text, "0\r\nA: ");
		add_many(&text, 'b', HTTP_TRAILER_MAX + over - strlen("A: \r\n\r\n"));
		add(&text, "\r\n\r\n");
		expect(&text, over ? 431 : 0, over ? text.len - 1 : text.len);
		/* The same in many lines: the last one fits with its empty line, or is a byte too long. */
		text.len = 0;
		add(&text, "0\r\n");
		for (size_t i = 0; i < HTTP_TRAILER_MAX / 8 - 1; i++)
			add(&text, "A: bcd\r\n");
		add(&text, over ? "A: bc\r\n\r\n" : "A: b\r\n\r\n");
		expect(&text, over ? 431 : 0, over ? text.len - 1 : text.len);
	}
}

/* The largest size there is: data without end, and nothing overflows. */
static void test_largest(void **state)
{
	static const char input[] = "7fffffffffffffff\r\nabc";
	struct http_chunked chunked;
	struct http_span data;
	struct http_refusal refusal;
	size_t used = 0;

	(void)state;
	http_chunked_init(&chunked);
	assert_int_equal(http_chunked_decode(&chunked, input, sizeof(input) - 1, &used, &data, &refusal),
			 HTTP_CHUNK_DATA);
	assert_int_equal(used, sizeof(input) - 1);
	assert_int_equal(data.len, 3);
	assert_true(chunked.left == INT64_MAX - 3);
}

/* One that nobody initialised refuses. */
static void test_uninitialised(void **state)
{
	struct http_chunked chunked = {0};
	struct http_span data;
	struct http_refusal refusal = {0};
	size_t used = 0;

	(void)state;
	assert_int_equal(http_chunked_decode(&chunked, "0\r\n\r\n", 5, &used, &data, &refusal), HTTP_CHUNK_BAD);
	assert_int_equal(refusal.status, 400);
}

/* ---- what is repaired in a response ---- */

/* Each is refused where nothing is repaired. */
static const struct taken repaired[] = {
	{"1   \r\nx\r\n0\r\n\r\n", "x"},
	{"1\t \r\nx\r\n0 \t\r\n\r\n", "x"},
	{"1\nx\r\n0\r\n\r\n", "x"},
	{"1 \nx\r\n0\r\n\r\n", "x"},
	{"1\r\nx\n0\r\n\r\n", "x"},
	{"1\nx\n0\n\n", "x"},
	{"1\r\nx\r\n0\r\n\n", "x"},
	{"00000000000000001\r\nx\r\n0\r\n\r\n", "x"},
	{"1\r\nx\r\n00000000000000000000\r\n\r\n", "x"},
	{"1;\r\nx\r\n0\r\n\r\n", "x"},
	{"1; \r\nx\r\n0;\r\n\r\n", "x"},
	{"1;a \r\nx\r\n0\r\n\r\n", "x"},
	{"1;a=\r\nx\r\n0\r\n\r\n", "x"},
	{"1;a=b c\r\nx\r\n0\r\n\r\n", "x"},
	{"1;;a\r\nx\r\n0\r\n\r\n", "x"},
	{"1;a=\"b\r\nx\r\n0\r\n\r\n", "x"},
	{"1;a=\"b\\\r\nx\r\n0\r\n\r\n", "x"},
	{"1;a=\"b\"c\r\nx\r\n0\r\n\r\n", "x"},
	{"1;@\"x=(\r\nx\r\n0\r\n\r\n", "x"},
	{"1;a\x01\xFF\nx\r\n0\r\n\r\n", "x"},
	{"0\r\nA : b\r\n\r\n", ""},
	{"0\nA: b\n\n", ""},
	{"0\nA: b\r\nC: d\n\r\n", ""},
	{"0\r\nA: b\x01\r\n\r\n", ""},
	{"0\r\nA: b\r\n c\r\n\r\n", ""},
};

static void malformed_chunks_are_repaired(void **state)
{
	static struct outcome outcome;
	unsigned found;

	(void)state;
	for (size_t i = 0; i < sizeof(repaired) / sizeof(repaired[0]); i++) {
		size_t len = strlen(repaired[i].input);
		repairs = NULL;
		feed(repaired[i].input, len, &outcome);
		assert_int_equal(outcome.chunk, HTTP_CHUNK_BAD);
		found = 0;
		repairs = &found;
		feed(repaired[i].input, len, &outcome);
		repairs = NULL;
		if (outcome.chunk != HTTP_CHUNK_END || outcome.used != len)
			fail_msg("%s: outcome %d, %s", repaired[i].input, outcome.chunk,
				 outcome.refusal.why != NULL ? outcome.refusal.why : "");
		assert_int_equal(outcome.len, strlen(repaired[i].body));
		assert_memory_equal(outcome.body, repaired[i].body, outcome.len);
		assert_int_equal(found, HTTP_REPAIR_CHUNK);
	}
}

static void well_formed_chunks_need_no_repair(void **state)
{
	static struct outcome outcome;
	unsigned found = 0;

	(void)state;
	repairs = &found;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		feed(taken[i].input, strlen(taken[i].input), &outcome);
		assert_int_equal(outcome.chunk, HTTP_CHUNK_END);
		assert_int_equal(found, 0);
	}
	repairs = NULL;
}

/* Refused by its last byte, also where the rest is repaired. */
static const struct refused beyond_repair[] = {
	{" ", 0},
	{"\t", 0},
	{"\r", 0},
	{"\n", 0},
	{";", 0},
	{"g", 0},
	{"0x", 0},
	{"-", 0},
	{"+", 0},
	{"5\rx", 0},
	{"5\r\r", 0},
	{"5 5", 0},
	{"5 x", 0},
	{"5 \rx", 0},
	{"5\x0B", 0},
	{"5\0", 2},
	{"5,", 0},
	{"5;a\rb", 0},
	{"5;a\r\r", 0},
	{"8000000000000000", 0},
	{"00000000000000008000000000000000", 0},
	{"5\r\nABCDEF", 0},
	{"5\r\nABCDE\rx", 0},
	{"5\r\nABCDE\r\r", 0},
	{"5\r\nABCDE\n\n", 0},
	{"5\r\nABCDE\r\n\r", 0},
	{"0\r\n ", 0},
	{"0\r\n:", 0},
	{"0\r\nA\r", 0},
	{"0\r\nA\n", 0},
	{"0\r\nA B", 0},
	{"0\r\nA \r", 0},
	{"0\r\nA(", 0},
	{"0\r\nA: b\rc", 0},
	{"0\r\nA: b\0", 8},
	{"0\r\nA: b\n", 0},
	{"1\nx\n0\r\nA: b\n", 0},
	{"0\r\nA: b\r\n\rx", 0},
};

static void what_is_beyond_repair_is_refused(void **state)
{
	static struct outcome outcome;
	unsigned found = 0;

	(void)state;
	repairs = &found;
	for (size_t i = 0; i < sizeof(beyond_repair) / sizeof(beyond_repair[0]); i++) {
		const struct refused *one = &beyond_repair[i];
		size_t len = one->len > 0 ? one->len : strlen(one->input);
		feed(one->input, len, &outcome);
		if (outcome.chunk != HTTP_CHUNK_BAD || outcome.used != len - 1)
			fail_msg("%s: outcome %d after %zu bytes", one->input, outcome.chunk, outcome.used);
	}
	repairs = NULL;
}

/* The limits of lines, extensions and trailers hold for what is repaired, too. */
static void what_is_repaired_is_limited(void **state)
{
	static struct text text;
	unsigned found = 0;

	(void)state;
	repairs = &found;
	text.len = 0;
	add_many(&text, '0', HTTP_CHUNK_LINE_MAX + 1);
	expect(&text, 400, HTTP_CHUNK_LINE_MAX);
	text.len = 0;
	add(&text, "1");
	add_many(&text, ' ', HTTP_CHUNK_LINE_MAX);
	expect(&text, 400, HTTP_CHUNK_LINE_MAX);
	text.len = 0;
	for (size_t i = 0; i * 1000 < HTTP_CHUNK_EXTENSIONS_MAX; i++) {
		add(&text, "1;");
		add_many(&text, '(', 1000);
		add(&text, "\nx\n");
	}
	static struct outcome outcome;
	feed(text.bytes, text.len, &outcome);
	assert_int_equal(outcome.chunk, HTTP_CHUNK_BAD);
	text.len = 0;
	add(&text, "0\nA: b\n");
	for (size_t i = 0; i < HTTP_TRAILER_MAX; i++)
		add(&text, " \n");
	feed(text.bytes, text.len, &outcome);
	assert_int_equal(outcome.chunk, HTTP_CHUNK_BAD);
	assert_int_equal(outcome.refusal.status, 431);
	repairs = NULL;
}

/* ---- trailers that are kept ---- */

static struct http_trailers kept(const char *text, size_t step)
{
	struct http_trailers trailers = {0};
	struct http_chunked chunked;
	struct http_refusal refusal;
	struct http_span data;
	size_t len = strlen(text), at = 0, used = 0;
	enum http_chunk chunk = HTTP_CHUNK_MORE;

	http_chunked_init(&chunked);
	chunked.trailers = &trailers;
	chunked.repairs = repairs;
	while (chunk != HTTP_CHUNK_END && at < len) {
		chunk = http_chunked_decode(&chunked, text + at, step < len - at ? step : len - at, &used, &data,
					    &refusal);
		assert_int_not_equal(chunk, HTTP_CHUNK_BAD);
		at += used;
	}
	assert_int_equal(chunk, HTTP_CHUNK_END);
	return trailers;
}

static void trailers_are_kept_where_there_is_a_place(void **state)
{
	static const char body[] = "3\r\nabc\r\n0\r\nX-Sum:  1 2 \r\nEmpty:\r\n\r\n";

	(void)state;
	for (size_t step = 1; step < sizeof(body); step++) {
		struct http_trailers trailers = kept(body, step);
		struct http_field field;
		size_t at = 0;
		assert_true(http_trailers_next(&trailers, &at, &field));
		assert_true(http_span_equal(field.name, "X-Sum") && http_span_equal(field.value, "1 2"));
		assert_true(http_trailers_next(&trailers, &at, &field));
		assert_true(http_span_equal(field.name, "Empty") && field.value.len == 0);
		assert_false(http_trailers_next(&trailers, &at, &field));
		http_trailers_free(&trailers);
	}
}

static void repaired_trailers_are_kept_as_they_should_be(void **state)
{
	static const char body[] = "0\nX-Sum \t:  1\r\n 2\n\t3\n \nEmpty:\nC: a\001b\r\n\n";
	unsigned found = 0;

	(void)state;
	repairs = &found;
	for (size_t step = 1; step < sizeof(body); step++) {
		struct http_trailers trailers = kept(body, step);
		struct http_field field;
		size_t at = 0;
		assert_true(http_trailers_next(&trailers, &at, &field));
		assert_true(http_span_equal(field.name, "X-Sum") && http_span_equal(field.value, "1   2  \t3"));
		assert_true(http_trailers_next(&trailers, &at, &field));
		assert_true(http_span_equal(field.name, "Empty") && field.value.len == 0);
		assert_true(http_trailers_next(&trailers, &at, &field));
		assert_true(http_span_equal(field.name, "C") && http_span_equal(field.value, "a b"));
		assert_false(http_trailers_next(&trailers, &at, &field));
		http_trailers_free(&trailers);
	}
	repairs = NULL;
}

static void absent_trailers_use_no_memory(void **state)
{
	struct http_trailers trailers = kept("3\r\nabc\r\n0\r\n\r\n", 100);
	struct http_field field;
	size_t at = 0;

	(void)state;
	assert_null(trailers.lines.bytes);
	assert_false(http_trailers_next(&trailers, &at, &field));
}

static void some_fields_may_not_be_trailers(void **state)
{
	static const char *const never[] = {
		"Content-Length", "content-type", "Transfer-Encoding", "Host",       "TE",
		"Connection",     "Trailer",      "Authorization",     "Set-Cookie", "Expect"};

	(void)state;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert_false(http_trailer_allowed((struct http_span){never[i], strlen(never[i])}));
	assert_true(http_trailer_allowed((struct http_span){"Digest", 6}));
	assert_true(http_trailer_allowed((struct http_span){"Content", 7}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_chunks_are_repaired),
		cmocka_unit_test(well_formed_chunks_need_no_repair),
		cmocka_unit_test(what_is_beyond_repair_is_refused),
		cmocka_unit_test(what_is_repaired_is_limited),
		cmocka_unit_test(repaired_trailers_are_kept_as_they_should_be),
		cmocka_unit_test(trailers_are_kept_where_there_is_a_place),
		cmocka_unit_test(absent_trailers_use_no_memory),
		cmocka_unit_test(some_fields_may_not_be_trailers),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_extension_limit),
		cmocka_unit_test(test_trailer_limit),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_uninitialised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
