/* The head of an upstream's response: what passes, what is refused, and what it means for the body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/response_head.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The answer's spans point into this. */
static char memory[4 * HTTP_HEAD_DEFAULT];

static enum http_parse parse(const char *text, size_t len, struct http_request_kind ask, struct http_response *answer,
			     size_t *used, struct http_refusal *refusal)
{
	struct http_scan scan = {0};

	assert_true(len <= sizeof(memory));
	memcpy(memory, text, len);
	*refusal = (struct http_refusal){0};
	return http_response_parse(memory, len, &ask, &scan, answer, used, refusal);
}

static void assert_same_span(struct http_span a, struct http_span b)
{
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.at, b.at, a.len);
}

static void assert_same(const struct http_response *a, const struct http_response *b)
{
	assert_int_equal(a->status, b->status);
	assert_same_span(a->phrase, b->phrase);
	assert_int_equal(a->framing, b->framing);
	assert_int_equal(a->has_length, b->has_length);
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->keep_alive, b->keep_alive);
	assert_int_equal(a->repairs, b->repairs);
	assert_int_equal(a->field_count, b->field_count);
	for (size_t i = 0; i < a->field_count; i++) {
		assert_same_span(a->fields[i].name, b->fields[i].name);
		assert_same_span(a->fields[i].value, b->fields[i].value);
	}
}

/* Once whole, and once in every pair of pieces, in memory that ends where the bytes do. */
static enum http_parse parse_bytes(const char *text, size_t len, struct http_request_kind ask,
				   struct http_response *answer)
{
	struct http_refusal refusal, again;
	size_t used = 0;
	enum http_parse whole = parse(text, len, ask, answer, &used, &refusal);

	for (size_t cut = 1; cut < len; cut++) {
		struct http_scan scan = {0};
		struct http_response other;
		size_t other_used = 0;
		char *first = malloc(cut), *all = malloc(len);
		assert_non_null(first);
		assert_non_null(all);
		memcpy(first, text, cut);
		memcpy(all, text, len);
		enum http_parse early = http_response_parse(first, cut, &ask, &scan, &other, &other_used, &again);
		if (early == HTTP_PARSE_MORE)
			early = http_response_parse(all, len, &ask, &scan, &other, &other_used, &again);
		assert_int_equal(early, whole);
		if (whole == HTTP_PARSE_DONE) {
			assert_int_equal(other_used, used);
			assert_same(&other, answer);
		} else if (whole == HTTP_PARSE_BAD) {
			assert_string_equal(again.why, refusal.why);
		}
		free(first);
		free(all);
	}
	if (whole == HTTP_PARSE_DONE)
		assert_int_equal(used, len);
	return whole;
}

static enum http_parse parse_all_ways(const char *text, struct http_request_kind ask, struct http_response *answer)
{
	return parse_bytes(text, strlen(text), ask, answer);
}

static void what_passes(void **state)
{
	static const struct {
		const char *text;
		bool is_head;
		unsigned status;
		enum http_response_framing framing;
		uint64_t length;
		bool keep_alive;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, HTTP_RESPONSE_LENGTH, 5, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, HTTP_RESPONSE_LENGTH, 0, true},
		{"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", false, 200, HTTP_RESPONSE_LENGTH, 5, true},
		{"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", false, 200, HTTP_RESPONSE_LENGTH, 5, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", false, 200, HTTP_RESPONSE_CHUNKED, 0, true},
		{"HTTP/1.1 200 OK\r\n\r\n", false, 200, HTTP_RESPONSE_UNTIL_CLOSE, 0, true},
		{"HTTP/1.1 200 OK\r\nConnection: X, close\r\n\r\n", false, 200, HTTP_RESPONSE_UNTIL_CLOSE, 0, false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, HTTP_RESPONSE_LENGTH, 5, false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", false, 200,
		 HTTP_RESPONSE_LENGTH, 5, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, 200, HTTP_RESPONSE_NONE, 5, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, 200, HTTP_RESPONSE_NONE, 0, true},
		{"HTTP/1.1 204 No Content\r\n\r\n", false, 204, HTTP_RESPONSE_NONE, 0, true},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, 204, HTTP_RESPONSE_NONE, 0, true},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", false, 304, HTTP_RESPONSE_NONE, 77, true},
		{"HTTP/1.1 100 Continue\r\n\r\n", false, 100, HTTP_RESPONSE_NONE, 0, true},
		{"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", false, 103, HTTP_RESPONSE_NONE, 0, true},
		{"HTTP/1.9 599 \xc3\xa4\r\nContent-Length: 9223372036854775807\r\n\r\n", false, 599,
		 HTTP_RESPONSE_LENGTH, INT64_MAX, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_response answer;
		if (parse_all_ways(cases[i].text, (struct http_request_kind){.is_head = cases[i].is_head}, &answer) !=
		    HTTP_PARSE_DONE)
			fail_msg("refused: %s", cases[i].text);
		assert_int_equal(answer.status, cases[i].status);
		assert_int_equal(answer.framing, cases[i].framing);
		assert_int_equal(answer.length, cases[i].length);
		assert_int_equal(answer.keep_alive, cases[i].keep_alive);
	}
}

static void what_is_refused(void **state)
{
	static const char *const cases[] = {
		"SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/2 200 OK\r\n\r\n",
		"http/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 +20 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 200-OK\r\n\r\n",
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
		" HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n",
		/* an LF in a value splits nothing */
		"HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\n\nbody\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\n b\r\n\r\n",
		/* what only one of nginx and HAProxy takes, or both in two ways */
		"HTTP/1.10 200 OK\r\n\r\n",
		"HTTP/11 200 OK\r\n\r\n",
		"HTTP/1.1200 OK\r\n\r\n",
		"HTTP/1.1 000 OK\r\n\r\n",
		"\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 a\rb\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\r\n\r\n",
		"HTTP/1.1 200 OK\n\rX: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\n b\r\n\r\n",
		"HTTP/1.1 200 OK\n\tb\n\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\rc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX\r\n : a\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX Y: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX  \r\n\r\n",
		"HTTP/1.1 200 OK\r\nX(Y): a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5, 5, 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5,\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: ,5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5 5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5;\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\x01\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 204 No\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"HTTP/1.1 304 No\r\nContent-Length: 5, 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: ,chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\x01\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: \013chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked;q=1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_response answer;
		if (parse_all_ways(cases[i], (struct http_request_kind){0}, &answer) != HTTP_PARSE_BAD)
			fail_msg("passed: %s", cases[i]);
	}
}

struct repaired {
	const char *text;
	bool is_head;
	enum http_response_framing framing;
	uint64_t length;
	unsigned repairs;
};

#define OK    "HTTP/1.1 200 OK\r\n"
#define FIVE  "Content-Length: 5\r\n\r\n"
#define CODED "Transfer-Encoding: chunked\r\n"

static const struct repaired repaired_heads[] = {
	{"HTTP/1.1  200  OK\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_STATUS_LINE},
	{"HTTP/1.1\t200\tOK\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_STATUS_LINE},
	{"HTTP/2.0 200 OK\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_STATUS_LINE},
	{"HTTP/1.1 200 \x1b[31m\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_STATUS_LINE},
	{"HTTP/1.1 200 OK\nContent-Length: 5\n\n", false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_LINE_END},
	{"HTTP/1.1 200 OK\nX: a\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_LINE_END},
	{OK "Content-Length: 5\r\n\n", false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_LINE_END},
	{OK "\n", false, HTTP_RESPONSE_UNTIL_CLOSE, 0, HTTP_REPAIR_LINE_END},
	{"HTTP/1.1 200 OK\nContent-Length: 5\r\n\n", false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_LINE_END},
	{"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", false, HTTP_RESPONSE_CHUNKED, 0, HTTP_REPAIR_LINE_END},
	{OK "X : a\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_FIELD_NAME},
	{OK "Content-Length \t : 5\r\n\r\n", false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_FIELD_NAME},
	{OK "Transfer-Encoding : chunked\r\n\r\n", false, HTTP_RESPONSE_CHUNKED, 0, HTTP_REPAIR_FIELD_NAME},
	{OK "Transfer-Encoding : chunked\r\n" FIVE, false, HTTP_RESPONSE_CHUNKED, 0,
	 HTTP_REPAIR_FIELD_NAME | HTTP_REPAIR_CODING},
	{OK "Content-Length:\r\n 5\r\n\r\n", false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_FOLDED},
	{"HTTP/1.1 200 OK\nTransfer-Encoding:\n\tchunked\n\n", false, HTTP_RESPONSE_CHUNKED, 0,
	 HTTP_REPAIR_FOLDED | HTTP_REPAIR_LINE_END},
	{OK "X: a\001b\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_CONTROL},
	{OK "Content-Length: 5\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_LENGTH},
	{OK "Content-Length: 5\r\nContent-Length: 05\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_LENGTH},
	{OK "Content-Length: 5, 5,5\r\n\r\n", false, HTTP_RESPONSE_LENGTH, 5, HTTP_REPAIR_LENGTH},
	{OK "Content-Length: 5, 5\r\n" FIVE, true, HTTP_RESPONSE_NONE, 5, HTTP_REPAIR_LENGTH},
	{"HTTP/1.1 304 N\r\nContent-Length: 5\r\n" FIVE, false, HTTP_RESPONSE_NONE, 5, HTTP_REPAIR_LENGTH},
	{OK CODED FIVE, false, HTTP_RESPONSE_CHUNKED, 0, HTTP_REPAIR_CODING},
	{OK "Content-Length: 5\r\n" CODED "\r\n", false, HTTP_RESPONSE_CHUNKED, 0, HTTP_REPAIR_CODING},
	{OK CODED FIVE, true, HTTP_RESPONSE_NONE, 0, HTTP_REPAIR_CODING},
	{"HTTP/1.1 304 N\r\n" CODED FIVE, false, HTTP_RESPONSE_NONE, 0, HTTP_REPAIR_CODING},
	{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" CODED "\r\n", false, HTTP_RESPONSE_CHUNKED, 0,
	 HTTP_REPAIR_CODING},
	{OK "Transfer-Encoding: chunked, ,\r\n\r\n", false, HTTP_RESPONSE_CHUNKED, 0, HTTP_REPAIR_CODING},
	{OK "Transfer-Encoding:\r\n\r\n", false, HTTP_RESPONSE_UNTIL_CLOSE, 0, HTTP_REPAIR_CODING},
	{"HTTP/1.1 204 N\r\n" FIVE, false, HTTP_RESPONSE_NONE, 0, HTTP_REPAIR_NO_BODY},
	{"HTTP/1.1 204 N\r\n" CODED "\r\n", false, HTTP_RESPONSE_NONE, 0, HTTP_REPAIR_NO_BODY},
	{"HTTP/1.1 204 N\r\n" CODED FIVE, false, HTTP_RESPONSE_NONE, 0, HTTP_REPAIR_NO_BODY},
	{"HTTP/1.1 204 N\r\n" FIVE, true, HTTP_RESPONSE_NONE, 0, HTTP_REPAIR_NO_BODY},
	{"HTTP/1.1 103 E\r\n" FIVE, false, HTTP_RESPONSE_NONE, 0, HTTP_REPAIR_NO_BODY},
	{"HTTP/1.1 100 C\r\n" CODED "\r\n", false, HTTP_RESPONSE_NONE, 0, HTTP_REPAIR_NO_BODY},
	/* not a repair: passed as it is */
	{"HTTP/1.1 999 Denied\r\n" FIVE, false, HTTP_RESPONSE_LENGTH, 5, 0},
	{"HTTP/1.1 600 \r\n\r\n", false, HTTP_RESPONSE_UNTIL_CLOSE, 0, 0},
};

static void what_is_repaired(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(repaired_heads); i++) {
		const struct repaired *one = &repaired_heads[i];
		struct http_response answer;
		if (parse_all_ways(one->text, (struct http_request_kind){.is_head = one->is_head}, &answer) !=
		    HTTP_PARSE_DONE)
			fail_msg("refused: %s", one->text);
		if (answer.repairs != one->repairs)
			fail_msg("repairs %x, not %x: %s", answer.repairs, one->repairs, one->text);
		assert_int_equal(answer.framing, one->framing);
		assert_int_equal(answer.length, one->length);
		assert_int_equal(answer.has_length, one->length > 0);
	}
}

static void values_are_repaired(void **state)
{
	static const struct {
		const char *lines, *value;
	} cases[] = {
		{"X: a\r\n b\r\n", "a b"},
		{"X: a \r\n\t \tb c\r\n", "a b c"},
		{"X: a\r\n \t\r\n\tb\r\n", "a b"},
		{"X: a\r\n b\r\n\tc \r\n   d\r\n", "a b c d"},
		{"X: a\r\n \r\n", "a"},
		{"X: a\r\n \r\n b\r\n", "a b"},
		{"X:\r\n a\r\n", "a"},
		{"X:\r\n \r\n", ""},
		{"X : a\r\n b: c\r\n", "a b: c"},
		{"X: a\001b\x7f\r\n", "a b"},
		{"X: \x1b\r\n c\r\n", "c"},
		{"X: a\tb\r\n", "a\tb"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_response answer;
		char text[200];
		(void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nA: 1\r\n%sZ: 2\r\n\r\n", cases[i].lines);
		assert_int_equal(parse_all_ways(text, (struct http_request_kind){0}, &answer), HTTP_PARSE_DONE);
		assert_int_equal(answer.field_count, 3);
		assert_true(http_span_equal(answer.fields[1].name, "X"));
		if (!http_span_equal(answer.fields[1].value, cases[i].value))
			fail_msg("'%.*s', not '%s'", (int)answer.fields[1].value.len, answer.fields[1].value.at,
				 cases[i].value);
		assert_true(http_span_equal(answer.fields[2].value, "2"));
	}
}

static void a_phrase_with_control_characters_is_left_out(void **state)
{
	struct http_response answer;

	(void)state;
	assert_int_equal(parse_bytes("HTTP/1.1 200 a\0b\r\n\r\n", 20, (struct http_request_kind){0}, &answer),
			 HTTP_PARSE_DONE);
	assert_int_equal(answer.phrase.len, 0);
	assert_int_equal(answer.repairs, HTTP_REPAIR_STATUS_LINE);
	assert_int_equal(parse_all_ways("HTTP/1.1 200 \t Fine \r\n\r\n", (struct http_request_kind){0}, &answer),
			 HTTP_PARSE_DONE);
	assert_true(http_span_equal(answer.phrase, "Fine"));
}

static void a_nul_is_refused(void **state)
{
	static const char plain[] = "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n";
	static const char folded[] = "HTTP/1.1 200 OK\r\nX: a\r\n \0b\r\n\r\n";
	struct http_response answer;

	(void)state;
	assert_int_equal(parse_bytes(plain, sizeof(plain) - 1, (struct http_request_kind){0}, &answer), HTTP_PARSE_BAD);
	assert_int_equal(parse_bytes(folded, sizeof(folded) - 1, (struct http_request_kind){0}, &answer),
			 HTTP_PARSE_BAD);
}

static void an_upgrade_requires_a_request_for_it(void **state)
{
	struct http_response answer;

	(void)state;
	assert_int_equal(parse_all_ways("HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n",
					(struct http_request_kind){.upgrade = true}, &answer),
			 HTTP_PARSE_DONE);
	assert_int_equal(parse_all_ways("HTTP/1.1 101 S\r\n\r\n", (struct http_request_kind){.upgrade = true}, &answer),
			 HTTP_PARSE_BAD);
}

static void what_is_too_much(void **state)
{
	size_t used = 0, len = 0;
	struct http_response answer;
	struct http_refusal refusal;
	char *text = malloc(2 * (size_t)HTTP_HEAD_DEFAULT);

	(void)state;
	assert_non_null(text);
	len = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < HTTP_FIELDS_DEFAULT + 1; i++)
		len += (size_t)sprintf(text + len, "a: b\r\n");
	assert_int_equal(parse(text, len, (struct http_request_kind){0}, &answer, &used, &refusal), HTTP_PARSE_BAD);
	memset(text, 'x', HTTP_LINE_DEFAULT + 2);
	assert_int_equal(parse(text, HTTP_LINE_DEFAULT + 2, (struct http_request_kind){0}, &answer, &used, &refusal),
			 HTTP_PARSE_BAD);
	assert_non_null(strstr(refusal.why, "status line")); /* the log names the side that it is about */
	len = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nX: ");
	memset(text + len, 'x', HTTP_LINE_DEFAULT + 1);
	assert_int_equal(
		parse(text, len + HTTP_LINE_DEFAULT + 1, (struct http_request_kind){0}, &answer, &used, &refusal),
		HTTP_PARSE_BAD);
	free(text);
}

/* ---- hop by hop ---- */

static bool stays(const char *head, const char *name)
{
	struct http_response answer;
	struct http_hops hops;
	struct http_refusal refusal;
	size_t used = 0;

	assert_int_equal(parse(head, strlen(head), (struct http_request_kind){0}, &answer, &used, &refusal),
			 HTTP_PARSE_DONE);
	http_hops_of(&hops, answer.fields, answer.field_count);
	return http_hops_has(&hops, (struct http_span){name, strlen(name)});
}

static void what_is_for_this_hop_only(void **state)
{
	static const char *const always[] = {"connection",
					     "Keep-Alive",
					     "TE",
					     "Transfer-Encoding",
					     "upgrade",
					     "Trailer",
					     "Proxy-Connection",
					     "Proxy-Authorization",
					     "Proxy-Authenticate"};
	static const char plain[] = "HTTP/1.1 200 OK\r\n\r\n";
	static const char named[] = "HTTP/1.1 200 OK\r\nConnection: close, X-One\r\nConnection: , x-two ,\r\n\r\n";

	(void)state;
	for (size_t i = 0; i < COUNT(always); i++)
		assert_true(stays(plain, always[i]));
	assert_false(stays(plain, "Content-Type"));
	assert_true(stays(named, "x-one"));
	assert_true(stays(named, "X-TWO"));
	assert_false(stays(named, "X-Three"));
	assert_false(stays(named, "X-On"));
}

static void too_many_connection_options_drop_unknown_fields(void **state)
{
	char head[1024];
	size_t len = (size_t)sprintf(head, "HTTP/1.1 200 OK\r\nConnection: ");

	(void)state;
	for (int i = 0; i <= HTTP_HOPS_MAX; i++)
		len += (size_t)sprintf(head + len, "x%d,", i);
	(void)sprintf(head + len, "y\r\n\r\n");
	assert_true(stays(head, "x0"));
	assert_true(stays(head, "Anything"));
	assert_false(stays(head, "Host"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_passes),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(what_is_repaired),
		cmocka_unit_test(values_are_repaired),
		cmocka_unit_test(a_phrase_with_control_characters_is_left_out),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(an_upgrade_requires_a_request_for_it),
		cmocka_unit_test(what_is_too_much),
		cmocka_unit_test(what_is_for_this_hop_only),
		cmocka_unit_test(too_many_connection_options_drop_unknown_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
