/* From header lists of HTTP/2 to heads of HTTP/1.1: what comes out, and what is malformed or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fault/alloc.h"
#include "http/chunked.h"
#include "http/h2_head.h"

#define FIELDS_MAX 16

struct pair {
	const char *name, *value;
};

static const uint8_t key[H2_KEY_LEN] = "the sample nonce";

static struct http_span span(const char *text)
{
	return (struct http_span){text, strlen(text)};
}

static void give(struct h2_head *head, const struct pair *fields)
{
	for (; fields->name != NULL; fields++)
		h2_head_field(head, span(fields->name), span(fields->value));
}

#define GET                                                                    \
	{":method", "GET"}, {":scheme", "https"}, {":authority", "a.example"}, \
	{                                                                      \
		":path", "/"                                                   \
	}
#define PUT                                                                    \
	{":method", "PUT"}, {":scheme", "https"}, {":authority", "a.example"}, \
	{                                                                      \
		":path", "/up?x=1"                                             \
	}
#define WS                                                                                                     \
	{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "a.example"}, \
	{                                                                                                      \
		":path", "/chat"                                                                               \
	}
#define MORE  true
#define ENDED false

static void valid_lists_become_heads(void **state)
{
	static const struct {
		struct pair fields[FIELDS_MAX];
		bool more;
		const char *head;
	} cases[] = {
		{{GET}, ENDED, "GET / HTTP/1.1\r\nhost: a.example\r\n\r\n"},
		{{GET, {"accept", "*/*"}}, ENDED, "GET / HTTP/1.1\r\nhost: a.example\r\naccept: */*\r\n\r\n"},
		{{{":path", "/%41?q"}, {":authority", "[::1]:8443"}, {":scheme", "HTTP"}, {":method", "delete"}},
		 ENDED,
		 "delete /%41?q HTTP/1.1\r\nhost: [::1]:8443\r\n\r\n"},
		{{{":method", "HEAD"}, {":scheme", "https"}, {":path", "/"}, {"host", "b.example"}},
		 ENDED,
		 "HEAD / HTTP/1.1\r\nhost: b.example\r\n\r\n"},
		{{GET, {"x", ""}, {"host", "A.Example"}}, ENDED, "GET / HTTP/1.1\r\nhost: a.example\r\nx: \r\n\r\n"},
		{{{":method", "OPTIONS"}, {":scheme", "https"}, {":authority", "a"}, {":path", "*"}},
		 ENDED,
		 "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"},
		{{PUT}, MORE, "PUT /up?x=1 HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\n\r\n"},
		{{PUT, {"content-length", "7"}},
		 MORE,
		 "PUT /up?x=1 HTTP/1.1\r\nhost: a.example\r\ncontent-length: 7\r\n\r\n"},
		{{PUT, {"content-length", "0"}},
		 ENDED,
		 "PUT /up?x=1 HTTP/1.1\r\nhost: a.example\r\ncontent-length: 0\r\n\r\n"},
		{{GET, {"cookie", "a=1"}, {"te", "trailers"}, {"cookie", "b=2"}, {"cookie", "c"}},
		 ENDED,
		 "GET / HTTP/1.1\r\nhost: a.example\r\nte: trailers\r\ncookie: a=1; b=2; c\r\n\r\n"},
		{{WS, {"sec-websocket-version", "13"}, {"sec-websocket-key", "x"}, {"origin", "https://a.example"}},
		 MORE,
		 "GET /chat HTTP/1.1\r\nhost: a.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
		 "sec-websocket-version: 13\r\norigin: https://a.example\r\n"
		 "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct h2_head head = {.outcome = H2_HEAD_GOOD};
		give(&head, cases[i].fields);
		assert_int_equal(h2_head_end(&head, !cases[i].more, key), H2_HEAD_GOOD);
		assert_int_equal(head.text.len, strlen(cases[i].head));
		assert_memory_equal(head.text.bytes, cases[i].head, head.text.len);
		struct http_scan scan = {0};
		struct http_request request = {0};
		struct http_refusal refusal;
		size_t used = 0;
		assert_int_equal(http_head_parse(head.text.bytes, head.text.len, &scan, &request, &used, &refusal),
				 HTTP_PARSE_DONE);
		assert_int_equal(used, head.text.len);
		assert_int_equal(head.kind == H2_KIND_HEAD, request.is_head);
		http_request_free(&request);
		h2_head_free(&head);
	}
}

static void malformed_lists_are_reported(void **state)
{
	static const struct {
		struct pair fields[FIELDS_MAX];
		bool more;
	} cases[] = {
		/* RFC 9113 8.2.1 */
		{{GET, {"Accept", "x"}}, ENDED},
		{{GET, {"acCept", "x"}}, ENDED},
		{{GET, {"", "x"}}, ENDED},
		{{GET, {"a b", "x"}}, ENDED},
		{{GET, {"a\r\nb", "x"}}, ENDED},
		{{GET, {"a:", "x"}}, ENDED},
		{{GET, {"a\x80", "x"}}, ENDED},
		{{GET, {"a", "x\r\ny: z"}}, ENDED},
		{{GET, {"a", "x\n"}}, ENDED},
		{{GET, {"a", "\r"}}, ENDED},
		{{GET, {"a", "x\x01y"}}, ENDED},
		{{GET, {"a", " x"}}, ENDED},
		{{GET, {"a", "x\t"}}, ENDED},
		{{GET, {"a", " "}}, ENDED},
		/* 8.2.2 */
		{{GET, {"connection", "close"}}, ENDED},
		{{GET, {"keep-alive", "timeout=1"}}, ENDED},
		{{GET, {"proxy-connection", "close"}}, ENDED},
		{{GET, {"transfer-encoding", "chunked"}}, MORE},
		{{GET, {"upgrade", "websocket"}}, ENDED},
		{{GET, {"te", "gzip"}}, ENDED},
		{{GET, {"te", "trailers, deflate"}}, ENDED},
		{{GET, {"te", ""}}, ENDED},
		/* 8.3 */
		{{GET, {":method", "GET"}}, ENDED},
		{{GET, {":path", "/"}}, ENDED},
		{{GET, {":status", "200"}}, ENDED},
		{{GET, {":", "x"}}, ENDED},
		{{GET, {":Path", "/"}}, ENDED},
		{{{":method", "GET"}, {"a", "b"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, ENDED},
		{{GET, {"a", "b"}, {":protocol", "websocket"}}, ENDED},
		/* 8.3.1 */
		{{{NULL, NULL}}, ENDED},
		{{{"a", "b"}}, ENDED},
		{{{":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, ENDED},
		{{{":method", "GET"}, {":authority", "a"}, {":path", "/"}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}, {"host", ""}}, ENDED},
		{{{":method", ""}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, ENDED},
		{{{":method", "GE T"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, ENDED},
		{{{":method", "GET / HTTP/1.1\r\nx:"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}},
		 ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", ""}, {":path", "/"}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", "u@a"}, {":path", "/"}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", ""}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "x"}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "https://b/"}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/a b"}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/a\tb"}}, ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/ HTTP/1.1\r\nx: y"}},
		 ENDED},
		{{{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "*"}}, ENDED},
		{{{":method", "OPTIONS"}, {":scheme", "https"}, {":authority", "a"}, {":path", "**"}}, ENDED},
		{{GET, {"host", "b.example"}}, ENDED},
		{{GET, {"host", "a.example"}, {"host", "a.example"}}, ENDED},
		/* content-length */
		{{PUT, {"content-length", "7"}}, ENDED},
		{{PUT, {"content-length", "7"}, {"content-length", "7"}}, MORE},
		{{PUT, {"content-length", "7"}, {"content-length", "8"}}, MORE},
		{{PUT, {"content-length", "7, 7"}}, MORE},
		{{PUT, {"content-length", "+7"}}, MORE},
		{{PUT, {"content-length", "-7"}}, MORE},
		{{PUT, {"content-length", "0x7"}}, MORE},
		{{PUT, {"content-length", ""}}, MORE},
		{{PUT, {"content-length", "9223372036854775808"}}, MORE},
		/* 8.5, and RFC 8441 */
		{{{":method", "CONNECT"}, {":authority", "a:1"}, {":path", "/"}}, MORE},
		{{{":method", "CONNECT"}, {":authority", "a:1"}, {":scheme", "https"}}, MORE},
		{{{":method", "CONNECT"}, {"host", "a:1"}}, MORE},
		{{{":method", "CONNECT"}, {":protocol", "websocket"}, {":authority", "a"}}, MORE},
		{{{":method", "CONNECT"},
		  {":protocol", "websocket"},
		  {":scheme", "https"},
		  {":path", "/"},
		  {"host", "a"}},
		 MORE},
		{{GET, {":protocol", "websocket"}}, MORE},
		{{{":method", "GET"}, {":protocol", ""}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}},
		 MORE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct h2_head head = {.outcome = H2_HEAD_GOOD};
		give(&head, cases[i].fields);
		if (h2_head_end(&head, !cases[i].more, key) != H2_HEAD_MALFORMED)
			fail_msg("case %zu is not malformed", i);
		assert_non_null(head.why);
		h2_head_free(&head);
	}
}

static void nul_in_a_value_is_malformed(void **state)
{
	struct h2_head head = {.outcome = H2_HEAD_GOOD};
	static const struct pair get[] = {GET, {NULL, NULL}};

	(void)state;
	give(&head, get);
	h2_head_field(&head, span("a"), (struct http_span){"x\0y", 3});
	assert_int_equal(h2_head_end(&head, true, key), H2_HEAD_MALFORMED);
	h2_head_free(&head);
}

static void what_a_gateway_does_not_do_is_refused(void **state)
{
	static const struct {
		struct pair fields[FIELDS_MAX];
		unsigned status;
	} cases[] = {
		{{{":method", "CONNECT"}, {":authority", "a:1"}}, 501},
		{{{":method", "CONNECT"},
		  {":protocol", "connect-udp"},
		  {":scheme", "https"},
		  {":authority", "a"},
		  {":path", "/"}},
		 501},
		{{{":method", "GET"}, {":scheme", "ftp"}, {":authority", "a"}, {":path", "/"}}, 400},
		{{WS, {"content-length", "5"}}, 400},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct h2_head head = {.outcome = H2_HEAD_GOOD};
		give(&head, cases[i].fields);
		h2_head_field(&head, span("a"), span("b"));
		assert_int_equal(h2_head_end(&head, false, key), H2_HEAD_REFUSED);
		assert_int_equal(head.refusal.status, cases[i].status);
		assert_non_null(head.refusal.why);
		h2_head_free(&head);
	}
}

/* A list of one field, `times` over. */
static void give_many(struct h2_head *head, const char *name, size_t len, size_t times)
{
	static const struct pair get[] = {GET, {NULL, NULL}};
	char *value = malloc(len + 1);

	assert_non_null(value);
	memset(value, 'v', len);
	value[len] = '\0';
	give(head, get);
	for (size_t i = 0; i < times; i++) {
		h2_head_field(head, span(name), (struct http_span){value, len});
		assert_true(head->text.room <= (size_t)3 * HTTP_HEAD_DEFAULT && head->cookie.room <= HTTP_HEAD_DEFAULT);
	}
	free(value);
}

static void what_is_kept_is_bounded(void **state)
{
	static const struct {
		const char *name;
		size_t len, times;
		enum h2_outcome outcome;
	} cases[] = {
		{"a", HTTP_LINE_DEFAULT - 3, 1, H2_HEAD_GOOD},
		{"a", 1000, 32, H2_HEAD_GOOD},
		{"a", 1000, 33, H2_HEAD_REFUSED},
		{"a", HTTP_HEAD_DEFAULT, 1, H2_HEAD_REFUSED},
		{"cookie", 1000, 32, H2_HEAD_GOOD},
		{"cookie", 1000, 33, H2_HEAD_REFUSED},
		{"a", 1, H2_LIST_MAX / 34 + 1, H2_HEAD_FLOOD},
		{"cookie", 0, H2_LIST_MAX / 32 + 1, H2_HEAD_FLOOD},
		{"a", H2_LIST_MAX, 1, H2_HEAD_FLOOD},
		{"Malformed", 1000, H2_LIST_MAX / 1000, H2_HEAD_FLOOD}, /* it costs as much */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct h2_head head = {.outcome = H2_HEAD_GOOD};
		give_many(&head, cases[i].name, cases[i].len, cases[i].times);
		if (h2_head_end(&head, true, key) != cases[i].outcome)
			fail_msg("case %zu: outcome %d", i, (int)head.outcome);
		if (head.outcome == H2_HEAD_REFUSED)
			assert_int_equal(head.refusal.status, 431);
		h2_head_free(&head);
	}
}

static void a_long_path_has_its_own_status(void **state)
{
	struct h2_head head = {.outcome = H2_HEAD_GOOD};
	char path[HTTP_LINE_DEFAULT + 2];

	(void)state;
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	h2_head_field(&head, span(":path"), span(path));
	assert_int_equal(h2_head_end(&head, true, key), H2_HEAD_REFUSED);
	assert_int_equal(head.refusal.status, 414);
	h2_head_free(&head);
}

static void trailers_become_lines(void **state)
{
	struct h2_head head = {.outcome = H2_HEAD_GOOD};
	struct http_trailers trailers;
	struct http_field field;
	size_t at = 0;

	(void)state;
	h2_head_trailer(&head, span("a"), span("1"));
	h2_head_trailer(&head, span("grpc-status"), span(""));
	assert_int_equal(head.outcome, H2_HEAD_GOOD);
	trailers.lines = head.text;
	assert_true(http_trailers_next(&trailers, &at, &field));
	assert_true(http_span_equal(field.name, "a") && http_span_equal(field.value, "1"));
	assert_true(http_trailers_next(&trailers, &at, &field));
	assert_true(http_span_equal(field.name, "grpc-status") && field.value.len == 0);
	assert_false(http_trailers_next(&trailers, &at, &field));
	h2_head_free(&head);
}

static void malformed_trailers_are_reported(void **state)
{
	static const struct pair cases[] = {
		{":path", "/"},          {"A", "b"},   {"", ""},
		{"a", "b\r\nc: d"},      {"a", " b"},  {"transfer-encoding", "x"},
		{"connection", "close"}, {"a b", "c"}, {"a", "b\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct h2_head head = {.outcome = H2_HEAD_GOOD};
		h2_head_trailer(&head, span(cases[i].name), span(cases[i].value));
		assert_int_equal(head.outcome, H2_HEAD_MALFORMED);
		h2_head_free(&head);
	}
}

static void trailers_are_bounded(void **state)
{
	struct h2_head head = {.outcome = H2_HEAD_GOOD};
	char value[1000];

	(void)state;
	memset(value, 'v', sizeof(value));
	for (size_t i = 0; i < H2_LIST_MAX / sizeof(value); i++) {
		h2_head_trailer(&head, span("a"), (struct http_span){value, sizeof(value)});
		assert_true(head.text.len <= HTTP_TRAILER_MAX);
		if (i == HTTP_TRAILER_MAX / sizeof(value))
			assert_int_equal(head.outcome, H2_HEAD_REFUSED);
	}
	assert_int_equal(head.outcome, H2_HEAD_FLOOD);
	h2_head_free(&head);
}

static void run_with_failures(bool failing)
{
	static const struct pair list[] = {WS, {"cookie", "a"}, {"x", "y"}, {"cookie", "b"}, {NULL, NULL}};
	struct h2_head head = {.outcome = H2_HEAD_GOOD};

	(void)fault_inside(true);
	give(&head, list);
	enum h2_outcome outcome = h2_head_end(&head, false, key);
	(void)fault_inside(false);
	assert_int_equal(outcome, failing ? H2_HEAD_NO_MEMORY : H2_HEAD_GOOD);
	h2_head_free(&head);
}

static void out_of_memory_is_reported(void **state)
{
	(void)state;
	assert_true(fault_each(run_with_failures, 1) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_lists_become_heads),    cmocka_unit_test(malformed_lists_are_reported),
		cmocka_unit_test(nul_in_a_value_is_malformed), cmocka_unit_test(what_a_gateway_does_not_do_is_refused),
		cmocka_unit_test(what_is_kept_is_bounded),     cmocka_unit_test(a_long_path_has_its_own_status),
		cmocka_unit_test(trailers_become_lines),       cmocka_unit_test(malformed_trailers_are_reported),
		cmocka_unit_test(trailers_are_bounded),        cmocka_unit_test(out_of_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
