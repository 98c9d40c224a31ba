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

static enum http_parse parse(const char *text, size_t len, struct http_ask ask, struct http_answer *answer,
			     size_t *used, struct http_refusal *refusal)
{
	struct http_scan scan = {0};

	*refusal = (struct http_refusal){0};
	return http_answer_parse(text, len, &ask, &scan, answer, used, refusal);
}

/* Once whole, and once in every pair of pieces, in memory that ends where the bytes do. */
static enum http_parse parse_all_ways(const char *text, struct http_ask ask, struct http_answer *answer)
{
	size_t len = strlen(text), used = 0;
	struct http_refusal refusal, again;
	enum http_parse whole = parse(text, len, ask, answer, &used, &refusal);

	for (size_t cut = 1; cut < len; cut++) {
		struct http_scan scan = {0};
		struct http_answer other;
		size_t other_used = 0;
		char *first = malloc(cut), *all = malloc(len);
		assert_non_null(first);
		assert_non_null(all);
		memcpy(first, text, cut);
		memcpy(all, text, len);
		enum http_parse early = http_answer_parse(first, cut, &ask, &scan, &other, &other_used, &again);
		if (early == HTTP_PARSE_MORE)
			early = http_answer_parse(all, len, &ask, &scan, &other, &other_used, &again);
		assert_int_equal(early, whole);
		if (whole == HTTP_PARSE_DONE) {
			assert_int_equal(other_used, used);
			assert_int_equal(other.framing, answer->framing);
			assert_int_equal(other.field_count, answer->field_count);
		}
		free(first);
		free(all);
	}
	return whole;
}

static void what_passes(void **state)
{
	static const struct {
		const char *text;
		bool is_head;
		unsigned status;
		enum http_answer_framing framing;
		uint64_t length;
		bool keep_alive;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, HTTP_ANSWER_LENGTH, 5, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, 200, HTTP_ANSWER_LENGTH, 0, true},
		{"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", false, 200, HTTP_ANSWER_LENGTH, 5, true},
		{"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", false, 200, HTTP_ANSWER_LENGTH, 5, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", false, 200, HTTP_ANSWER_CHUNKED, 0, true},
		{"HTTP/1.1 200 OK\r\n\r\n", false, 200, HTTP_ANSWER_UNTIL_CLOSE, 0, true},
		{"HTTP/1.1 200 OK\r\nConnection: X, close\r\n\r\n", false, 200, HTTP_ANSWER_UNTIL_CLOSE, 0, false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, 200, HTTP_ANSWER_LENGTH, 5, false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", false, 200,
		 HTTP_ANSWER_LENGTH, 5, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, 200, HTTP_ANSWER_NONE, 5, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, 200, HTTP_ANSWER_NONE, 0, true},
		{"HTTP/1.1 204 No Content\r\n\r\n", false, 204, HTTP_ANSWER_NONE, 0, true},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false, 204, HTTP_ANSWER_NONE, 0, true},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", false, 304, HTTP_ANSWER_NONE, 77, true},
		{"HTTP/1.1 100 Continue\r\n\r\n", false, 100, HTTP_ANSWER_NONE, 0, true},
		{"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", false, 103, HTTP_ANSWER_NONE, 0, true},
		{"HTTP/1.9 599 \xc3\xa4\r\nContent-Length: 9223372036854775807\r\n\r\n", false, 599, HTTP_ANSWER_LENGTH,
		 INT64_MAX, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_answer answer;
		if (parse_all_ways(cases[i].text, (struct http_ask){.is_head = cases[i].is_head}, &answer) !=
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
		"HTTP/1.1  200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 +20 OK\r\n\r\n",
		"HTTP/1.1 099 OK\r\n\r\n",
		"HTTP/1.1 600 OK\r\n\r\n",
		"HTTP/1.1 200-OK\r\n\r\n",
		"HTTP/1.1 200 O\x01K\r\n\r\n",
		"\r\nHTTP/1.1 200 OK\r\n\r\n",
		" HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\n\n",
		"HTTP/1.1 200 OK\r\nX: a\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_answer answer;
		if (parse_all_ways(cases[i], (struct http_ask){0}, &answer) != HTTP_PARSE_BAD)
			fail_msg("passed: %s", cases[i]);
	}
}

static void an_upgrade_must_have_been_asked_for(void **state)
{
	struct http_answer answer;

	(void)state;
	assert_int_equal(
		parse_all_ways("HTTP/1.1 101 S\r\nUpgrade: x\r\n\r\n", (struct http_ask){.upgrade = true}, &answer),
		HTTP_PARSE_DONE);
	assert_int_equal(parse_all_ways("HTTP/1.1 101 S\r\n\r\n", (struct http_ask){.upgrade = true}, &answer),
			 HTTP_PARSE_BAD);
}

static void what_is_too_much(void **state)
{
	size_t used = 0, len = 0;
	struct http_answer answer;
	struct http_refusal refusal;
	char *text = malloc(2 * (size_t)HTTP_HEAD_MAX);

	(void)state;
	assert_non_null(text);
	len = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < HTTP_FIELDS_MAX + 1; i++)
		len += (size_t)sprintf(text + len, "a: b\r\n");
	assert_int_equal(parse(text, len, (struct http_ask){0}, &answer, &used, &refusal), HTTP_PARSE_BAD);
	len = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nX: ");
	memset(text + len, 'x', HTTP_LINE_MAX + 1);
	assert_int_equal(parse(text, len + HTTP_LINE_MAX + 1, (struct http_ask){0}, &answer, &used, &refusal),
			 HTTP_PARSE_BAD);
	free(text);
}

/* ---- hop by hop ---- */

static bool stays(const char *head, const char *name)
{
	struct http_answer answer;
	struct http_hops hops;
	struct http_refusal refusal;
	size_t used = 0;

	assert_int_equal(parse(head, strlen(head), (struct http_ask){0}, &answer, &used, &refusal), HTTP_PARSE_DONE);
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

static void too_many_named_fields_leave_all_behind(void **state)
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
		cmocka_unit_test(an_upgrade_must_have_been_asked_for),
		cmocka_unit_test(what_is_too_much),
		cmocka_unit_test(what_is_for_this_hop_only),
		cmocka_unit_test(too_many_named_fields_leave_all_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
