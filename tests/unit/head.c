/* The head's parser: what it takes and what it refuses, and that neither depends on how the bytes come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/head.h"

#define SPLIT_ALL_MAX 700 /* longer inputs are split at a few points only */
#define HOST          "Host: a.example\r\n"
#define GET           "GET / HTTP/1.1\r\n" HOST

struct outcome {
	enum http_parse parse;
	size_t used;
	struct http_request request;
	struct http_refusal refusal;
};

/* Parses the first `len` bytes in memory of their own size, so that a sanitizer sees any look beyond them. */
static void look(const char *bytes, size_t len, struct http_scan *scan, struct outcome *outcome, char **memory)
{
	free(*memory);
	*memory = malloc(len > 0 ? len : 1);
	assert_non_null(*memory);
	memcpy(*memory, bytes, len);
	outcome->parse = http_head_parse(*memory, len, scan, &outcome->request, &outcome->used, &outcome->refusal);
	/* What has been looked at is not looked at again, but for a last CR. */
	if (outcome->parse == HTTP_PARSE_MORE)
		assert_true(scan->at <= len && scan->at + 1 >= len);
}

static void assert_same_span(struct http_span a, const char *a_base, struct http_span b, const char *b_base)
{
	assert_int_equal(a.at == NULL, b.at == NULL);
	assert_int_equal(a.len, b.len);
	if (a.at != NULL)
		assert_int_equal(a.at - a_base, b.at - b_base);
}

static void assert_same(const struct outcome *a, const char *a_base, const struct outcome *b, const char *b_base)
{
	assert_int_equal(a->parse, b->parse);
	if (a->parse == HTTP_PARSE_BAD) {
		assert_int_equal(a->refusal.status, b->refusal.status);
		assert_string_equal(a->refusal.why, b->refusal.why);
	}
	if (a->parse != HTTP_PARSE_DONE)
		return;
	const struct http_request *x = &a->request, *y = &b->request;
	assert_int_equal(a->used, b->used);
	assert_same_span(x->method, a_base, y->method, b_base);
	assert_same_span(x->target, a_base, y->target, b_base);
	assert_same_span(x->path, a_base, y->path, b_base);
	assert_same_span(x->query, a_base, y->query, b_base);
	assert_same_span(x->host, a_base, y->host, b_base);
	assert_int_equal(x->field_count, y->field_count);
	for (size_t i = 0; i < x->field_count; i++) {
		assert_same_span(x->fields[i].name, a_base, y->fields[i].name, b_base);
		assert_same_span(x->fields[i].value, a_base, y->fields[i].value, b_base);
	}
	assert_int_equal(x->framing, y->framing);
	assert_int_equal(x->length, y->length);
	assert_int_equal(x->minor, y->minor);
	assert_int_equal(x->keep_alive, y->keep_alive);
	assert_int_equal(x->expect_continue, y->expect_continue);
	assert_int_equal(x->is_head, y->is_head);
}

/* In two parts: what the first one decides already, the second cannot change. */
static void split_at(const char *bytes, size_t len, size_t at, const struct outcome *whole, const char *whole_base)
{
	struct http_scan scan = {0};
	struct outcome outcome = {0};
	char *memory = NULL;

	look(bytes, at, &scan, &outcome, &memory);
	if (outcome.parse == HTTP_PARSE_MORE)
		look(bytes, len, &scan, &outcome, &memory);
	assert_same(&outcome, memory, whole, whole_base);
	free(memory);
	http_request_free(&outcome.request);
}

/* Byte by byte. The bytes stay in their place here: copying them each time would be quadratic. */
static size_t trickle(const char *bytes, size_t len, const struct outcome *whole, const char *whole_base)
{
	struct http_scan scan = {0};
	struct outcome outcome = {.parse = HTTP_PARSE_MORE};
	char *memory = malloc(len > 0 ? len : 1);
	size_t have = 0;

	assert_non_null(memory);
	while (have < len && outcome.parse == HTTP_PARSE_MORE) {
		memory[have] = bytes[have];
		have++;
		outcome.parse = http_head_parse(memory, have, &scan, &outcome.request, &outcome.used, &outcome.refusal);
		if (outcome.parse == HTTP_PARSE_MORE)
			assert_true(scan.at <= have && scan.at + 1 >= have);
	}
	assert_same(&outcome, memory, whole, whole_base);
	free(memory);
	http_request_free(&outcome.request);
	return have;
}

/* Fed in every way. *memory, which the caller frees, is what the outcome's spans point into. Returns how many bytes it
 * took to decide. */
static size_t feed(const char *bytes, size_t len, struct outcome *whole, char **memory)
{
	struct http_scan scan = {0};

	*whole = (struct outcome){0};
	look(bytes, len, &scan, whole, memory);
	size_t step = len <= SPLIT_ALL_MAX ? 1 : len / 50;
	for (size_t at = 0; at <= len; at += step)
		split_at(bytes, len, at, whole, *memory);
	return trickle(bytes, len, whole, *memory);
}

struct refused {
	unsigned status;
	const char *bytes;
	size_t len; /* 0: up to the NUL */
};

static const struct refused refused[] = {
	/* the request line */
	{400, "GET\r\n", 0},
	{400, "GET /\r\n", 0}, /* HTTP/0.9 */
	{400, " GET / HTTP/1.1\r\n", 0},
	{400, "GET  / HTTP/1.1\r\n", 0},
	{400, "GET /  HTTP/1.1\r\n", 0},
	{400, "GET / HTTP/1.1 \r\n", 0},
	{400, "GET\t/ HTTP/1.1\r\n", 0},
	{400, "GET /\tHTTP/1.1\r\n", 0},
	{400, "GET /a b HTTP/1.1\r\n", 0},
	{400, "GET / http/1.1\r\n", 0},
	{400, "GET / HTTP/1.10\r\n", 0},
	{400, "GET / HTTP/11\r\n", 0},
	{400, "GET / HTTP/1,1\r\n", 0},
	{400, "GET / HTTP/1.x\r\n", 0},
	{400, "GET / HTTP/x.1\r\n", 0},
	{400, "GET / HTTP/1.\r\n", 0},
	{400, "GET / XHTTP/1.1\r\n", 0},
	{400, "OPTIONS /stream RTSP/1.0\r\n", 0},
	{400, "SOURCE /stream ICE/1.0\r\n", 0},
	{400, "GE(T / HTTP/1.1\r\n", 0},
	{400, "GE:T / HTTP/1.1\r\n", 0},
	{400, "G\x80T / HTTP/1.1\r\n", 0},
	{400, "G\0T / HTTP/1.1\r\n", 17},
	{400, "/ HTTP/1.1\r\n", 0},
	{400, "\x16\x03\x01\x02\r\n", 0}, /* TLS inside TLS */
	{505, "PRI * HTTP/2.0\r\n", 0},
	{505, "GET / HTTP/2.0\r\n", 0},
	{505, "GET / HTTP/0.9\r\n", 0},
	{505, "GET / HTTP/5.6\r\n", 0},
	/* the ends of lines */
	{400, "GET / HTTP/1.1\n", 0},
	{400, "\nGET / HTTP/1.1\r\n", 0},
	{400, "GET / HTTP/1.1\rX: y\r\n", 0},
	{400, "GET / HTTP/1.1\r\r\n", 0},
	{400, "GE\rT / HTTP/1.1\r\n", 0},
	{400, GET "A: b\n", 0},
	{400, GET "A: b\nTransfer-Encoding: chunked\r\n\r\n", 0},
	{400, GET "A: b\rContent-Length: 3\r\n\r\n", 0},
	{400, GET "A:\rB: c\r\n\r\n", 0},
	{400, GET "A:\nB: c\r\n\r\n", 0},
	{400, GET "A\rB: c\r\n\r\n", 0},
	{400, GET "\n", 0},
	{400, GET "A: b\r\n\n", 0},
	{400, GET "\r\r", 0},
	{400, GET "A: b\r\n\rxyz", 0}, /* refused although its line has no end yet */
	{400, GET "A: b\r\n\rGET /evil: HTTP/1.1\r\n", 0},
	{400, "\r\n\r\n\r\n\r\n\r\n" GET "\r\n", 0},
	{400, "\rGET / HTTP/1.1\r\n", 0},
	/* the target */
	{400, "GET * HTTP/1.1\r\n", 0},
	{400, "M-SEARCH * HTTP/1.1\r\n", 0},
	{400, "OPTIONS ** HTTP/1.1\r\n", 0},
	{400, "OPTIONS *?a HTTP/1.1\r\n", 0},
	{400, "GET late HTTP/1.1\r\n", 0},
	{400, "GET ?a HTTP/1.1\r\n", 0},
	{400, "GET a.example:443 HTTP/1.1\r\n", 0}, /* authority-form */
	{400, "GET ftp://a.example/ HTTP/1.1\r\n", 0},
	{400, "GET https:/a.example/ HTTP/1.1\r\n", 0},
	{400, "GET https:///late HTTP/1.1\r\n", 0},
	{400, "GET https://?q HTTP/1.1\r\n", 0},
	{400, "GET https:// HTTP/1.1\r\n", 0},
	{400, "GET https://u@a.example/ HTTP/1.1\r\n", 0},
	{400, "GET https://u:p@a.example/ HTTP/1.1\r\n", 0},
	{400, "GET https://@a.example/ HTTP/1.1\r\n", 0},
	{400, "GET https://a.example:x/ HTTP/1.1\r\n", 0},
	{400, "GET https://a%2eexample/ HTTP/1.1\r\n", 0},
	{400, "GET https://a.example\\@b.example/ HTTP/1.1\r\n", 0},
	{400, "GET /a#b HTTP/1.1\r\n", 0},
	{400, "GET /a?b#c HTTP/1.1\r\n", 0},
	{400, "GET /\xC3\xA4 HTTP/1.1\r\n", 0},
	{400, "GET /\x7F HTTP/1.1\r\n", 0},
	{400, "GET /\x01 HTTP/1.1\r\n", 0},
	{400, "GET /\0 HTTP/1.1\r\n", 17},
	{501, "CONNECT a.example:443 HTTP/1.1\r\n", 0},
	{501, "CONNECT / HTTP/1.1\r\n", 0},
	{501, "CONNECT a.example:443 HTTP/1.0\r\n", 0},
	/* fields */
	{400, GET " A: b\r\n", 0},
	{400, GET "\tA: b\r\n", 0},
	{400, "GET / HTTP/1.1\r\n " HOST "\r\n", 0},
	{400, "GET / HTTP/1.1\r\n ", 0},
	{400, GET "A: b\r\n folded\r\n\r\n", 0},
	{400, GET "A: b\r\n\tfolded\r\n\r\n", 0},
	{400, GET "A: b\r\n ", 0},
	{400, GET "A\r\n : b\r\n\r\n", 0},
	{400, GET "A : b\r\n", 0},
	{400, GET "A\t: b\r\n", 0},
	{400, GET "Content-Length : 3\r\n", 0},
	{400, GET "A B: c\r\n", 0},
	{400, GET ": b\r\n", 0},
	{400, GET "A\r\n", 0},
	{400, GET "A(: b\r\n", 0},
	{400, GET "A@: b\r\n", 0},
	{400, GET "A\x01: b\r\n", 0},
	{400, GET "\xC3\xA4: b\r\n", 0},
	{400, GET "A\0: b\r\n", sizeof(GET "A\0: b\r\n") - 1},
	{400, GET "A: b\0c\r\n", sizeof(GET "A: b\0c\r\n") - 1},
	{400, GET "A: b\x01\r\n", 0},
	{400, GET "A: \x0B chunked\r\n", 0},
	{400,
	 GET "A: 0123456789abcde\x7F"
	     "0123456\r\n",
	 0},
	{400, GET "A: \xFF\xFF\xFF\x1F\xFF\xFF\xFF\xFF\xFF\xFF\r\n", 0},
	/* Host */
	{400, "GET / HTTP/1.1\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHosts: a\r\n\r\n", 0},
	{400, "GET https://a.example/ HTTP/1.1\r\n\r\n", 0},
	{400, GET "host: b.example\r\n\r\n", 0},
	{400, GET HOST "\r\n", 0},
	{400, "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: :443\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a=5000\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: .a\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: .\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: ..\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a:4x3\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a:+43\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a:443:443\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: a:000443\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: [::1]:x\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: []\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: []]\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: [a.example]\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: [127.0.0.1]\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: [v1.a]\r\n\r\n", 0},
	{400, "GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8:9]\r\n\r\n", 0},
	{400, "GET / HTTP/1.0\r\nHost: a b\r\n\r\n", 0},
	{400, "GET https://a.example/ HTTP/1.1\r\nHost: u@b\r\n\r\n", 0},
	/* Content-Length */
	{400, GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 0},
	{400, GET "Content-Length: 1\r\ncontent-length: 2\r\n\r\n", 0},
	{400, GET "Content-Length: 1, 1\r\n\r\n", 0},
	{400, GET "Content-Length: 1 1\r\n\r\n", 0},
	{400, GET "Content-Length:\r\n\r\n", 0},
	{400, GET "Content-Length: +1\r\n\r\n", 0},
	{400, GET "Content-Length: -1\r\n\r\n", 0},
	{400, GET "Content-Length: 0x1\r\n\r\n", 0},
	{400, GET "Content-Length: 1.\r\n\r\n", 0},
	{400, GET "Content-Length: \"1\"\r\n\r\n", 0},
	{400, GET "Content-Length: \xB2\r\n\r\n", 0},
	{400, GET "Content-Length: 9223372036854775808\r\n\r\n", 0},
	{400, GET "Content-Length: 18446744073709551616\r\n\r\n", 0},
	{400, GET "Content-Length: 99999999999999999999999999\r\n\r\n", 0},
	/* Transfer-Encoding */
	{400, GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\n", 0},
	{400, GET "Transfer-Encoding:\r\nContent-Length: 1\r\n\r\n", 0},
	{400, GET "Transfer-Encoding:\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: ,\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: chunked,\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: , chunked\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: chunked, chunked\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: chunked, gzip\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: gzip, chunked, identity\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: chunked;q=1\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: chunked ; q=1\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: \"chunked\"\r\n\r\n", 0},
	{400, GET "Transfer-Encoding: chunked gzip\r\n\r\n", 0},
	{400, "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 0},
	{400, "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 0},
	{501, GET "Transfer-Encoding: gzip\r\n\r\n", 0},
	{501, GET "Transfer-Encoding: identity\r\n\r\n", 0},
	{501, GET "Transfer-Encoding: gzip, chunked\r\n\r\n", 0},
	{501, GET "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 0},
	{501, GET "Transfer-Encoding: gzip;level=9, chunked\r\n\r\n", 0},
	{501, GET "Transfer-Encoding: xchunked\r\n\r\n", 0},
	{501, GET "Transfer-Encoding: chunkedchunked\r\n\r\n", 0},
	/* Expect, Connection */
	{417, GET "Expect: 200-ok\r\n\r\n", 0},
	{417, GET "Expect:\r\n\r\n", 0},
	{417, GET "Expect: 100-continue, 100-continue\r\n\r\n", 0},
	{417, GET "Expect: 100-continue\r\nExpect: more\r\n\r\n", 0},
	{417, GET "Expect: 100-continue;a=b\r\n\r\n", 0},
	{400, GET "Expect: more\r\nContent-Length: x\r\n\r\n", 0}, /* what breaks the framing comes first */
	{400, GET "Connection: close; now\r\n\r\n", 0},
	{400, GET "Connection: keep-alive, a b\r\n\r\n", 0},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const struct refused *one = &refused[i];
		struct outcome outcome;
		char *memory = NULL;

		feed(one->bytes, one->len > 0 ? one->len : strlen(one->bytes), &outcome, &memory);
		if (outcome.parse != HTTP_PARSE_BAD || outcome.refusal.status != one->status)
			fail_msg("number %zu, %s: outcome %d, status %u instead of %u", i, one->bytes, outcome.parse,
				 outcome.refusal.status, one->status);
		assert_true(strlen(outcome.refusal.why) > 0);
		free(memory);
		http_request_free(&outcome.request);
	}
}

/* A head that is still on its way is neither taken nor refused, however little of it is there. */
static void test_unfinished(void **state)
{
	static const char head[] = "\r\nPUT /late?x HTTP/1.1\r\n" HOST "Content-Length: 3\r\nA:\r\n\r\n";
	(void)state;
	for (size_t len = 0; len < sizeof(head) - 1; len++) {
		struct outcome outcome = {0};
		char *memory = NULL;
		if (len > 0) {
			feed(head, len, &outcome, &memory);
			assert_int_equal(outcome.parse, HTTP_PARSE_MORE);
		}
		free(memory);
		http_request_free(&outcome.request);
	}
}

enum { CLOSE = 1, EXPECT = 2, IS_HEAD = 4, OLD = 8 };

struct taken {
	const char *bytes;
	const char *method, *path, *query, *host;
	unsigned flags;
	enum http_framing framing;
	uint64_t length;
	size_t fields;
};

static const struct taken taken[] = {
	{GET "\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"\r\n" GET "\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"\r\n\r\n\r\n\r\n" GET "\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"HEAD /x HTTP/1.1\r\n" HOST "\r\n", "HEAD", "/x", NULL, "a.example", IS_HEAD, HTTP_BODY_NONE, 0, 1},
	{"head /x HTTP/1.1\r\n" HOST "\r\n", "head", "/x", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" HOST "\r\n", "!#$%&'*+-.^_`|~09azAZ", "/", NULL, "a.example", 0,
	 HTTP_BODY_NONE, 0, 1},
	/* versions */
	{"GET / HTTP/1.0\r\n\r\n", "GET", "/", NULL, "", CLOSE | OLD, HTTP_BODY_NONE, 0, 0},
	{"GET / HTTP/1.0\r\nHost:\r\n\r\n", "GET", "/", NULL, "", CLOSE | OLD, HTTP_BODY_NONE, 0, 1},
	{"GET / HTTP/1.0\r\n" HOST "\r\n", "GET", "/", NULL, "a.example", CLOSE | OLD, HTTP_BODY_NONE, 0, 1},
	{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET", "/", NULL, "", OLD, HTTP_BODY_NONE, 0, 1},
	{"GET / HTTP/1.0\r\nconTENT-length: 5\r\n\r\n", "GET", "/", NULL, "", CLOSE | OLD, HTTP_BODY_LENGTH, 5, 1},
	{"GET / HTTP/1.2\r\n" HOST "\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET / HTTP/1.9\r\n" HOST "\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 1},
	/* targets */
	{"GET /a?b HTTP/1.1\r\n" HOST "\r\n", "GET", "/a", "b", "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET /a? HTTP/1.1\r\n" HOST "\r\n", "GET", "/a", "", "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET /a?b?c/ HTTP/1.1\r\n" HOST "\r\n", "GET", "/a", "b?c/", "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET /\"q\"?a=\\\"b|{} HTTP/1.1\r\n" HOST "\r\n", "GET", "/\"q\"", "a=\\\"b|{}", "a.example", 0,
	 HTTP_BODY_NONE, 0, 1},
	{"GET //b.example/c HTTP/1.1\r\n" HOST "\r\n", "GET", "//b.example/c", NULL, "a.example", 0, HTTP_BODY_NONE, 0,
	 1},
	{"GET /http://b/ HTTP/1.1\r\n" HOST "\r\n", "GET", "/http://b/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS", "*", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"OPTIONS /x HTTP/1.1\r\n" HOST "\r\n", "OPTIONS", "/x", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET https://b.example/c?d HTTP/1.1\r\n" HOST "\r\n", "GET", "/c", "d", "b.example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET HTTP://b.example:80/c HTTP/1.1\r\n" HOST "\r\n", "GET", "/c", NULL, "b.example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET http://b.example HTTP/1.1\r\n" HOST "\r\n", "GET", "/", NULL, "b.example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET http://b.example?c HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "c", "b.example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET http://[::1]:1/c@d HTTP/1.1\r\n" HOST "\r\n", "GET", "/c@d", NULL, "[::1]", 0, HTTP_BODY_NONE, 0, 1},
	{"GET http://b.example/ HTTP/1.0\r\n\r\n", "GET", "/", NULL, "b.example", CLOSE | OLD, HTTP_BODY_NONE, 0, 0},
	/* hosts */
	{"GET / HTTP/1.1\r\nHOST:A.Example:8443\r\n\r\n", "GET", "/", NULL, "A.Example", 0, HTTP_BODY_NONE, 0, 1},
	{"GET / HTTP/1.1\r\nHost: a.example.:65535\r\n\r\n", "GET", "/", NULL, "a.example.", 0, HTTP_BODY_NONE, 0, 1},
	{"GET / HTTP/1.1\r\nHost: a_b-1:\r\n\r\n", "GET", "/", NULL, "a_b-1", 0, HTTP_BODY_NONE, 0, 1},
	{"GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n", "GET", "/", NULL, "127.0.0.1", 0, HTTP_BODY_NONE, 0, 1},
	{"GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", "GET", "/", NULL, "[2001:db8::1]", 0, HTTP_BODY_NONE, 0, 1},
	{"GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]:1\r\n\r\n", "GET", "/", NULL, "[::ffff:1.2.3.4]", 0, HTTP_BODY_NONE,
	 0, 1},
	/* fields */
	{GET "A:b\r\nA: c\r\nB:\r\nC: \t \r\n\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 5},
	{GET "D: D\xFCsseldorf\t\xFF\r\n\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 2},
	{GET "E: :: b : c\r\n\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 2},
	/* framing */
	{"PUT / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "PUT", "/", NULL, "a.example", 0, HTTP_BODY_LENGTH, 0,
	 2},
	{"PUT / HTTP/1.1\r\n" HOST "Content-Length: \t003\t \r\n\r\n", "PUT", "/", NULL, "a.example", 0,
	 HTTP_BODY_LENGTH, 3, 2},
	{"PUT / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n", "PUT", "/", NULL, "a.example", 0,
	 HTTP_BODY_LENGTH, INT64_MAX, 2},
	{"PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: CHUNKED \r\n\r\n", "PUT", "/", NULL, "a.example", 0,
	 HTTP_BODY_CHUNKED, 0, 2},
	{"PUT / HTTP/1.1\r\n" HOST "TE: gzip, chunked\r\n\r\n", "PUT", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 2},
	/* Expect */
	{"PUT / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n", "PUT", "/", NULL, "a.example",
	 EXPECT, HTTP_BODY_LENGTH, 5, 3},
	{"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n" HOST "\r\n", "PUT", "/", NULL,
	 "a.example", EXPECT, HTTP_BODY_CHUNKED, 0, 3},
	{GET "Expect: 100-continue\r\n\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 2},
	{"PUT / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", "PUT", "/", NULL, "a.example",
	 0, HTTP_BODY_LENGTH, 0, 3},
	{"PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "PUT", "/", NULL, "", CLOSE | OLD,
	 HTTP_BODY_LENGTH, 5, 2},
	{"GET / HTTP/1.0\r\nExpect: anything\r\n\r\n", "GET", "/", NULL, "", CLOSE | OLD, HTTP_BODY_NONE, 0, 1},
	/* Connection */
	{GET "Connection: keep-alive\r\n\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 2},
	{GET "Connection: Close\t\r\n\r\n", "GET", "/", NULL, "a.example", CLOSE, HTTP_BODY_NONE, 0, 2},
	{GET "Connection: upgrade, ,close,\r\n\r\n", "GET", "/", NULL, "a.example", CLOSE, HTTP_BODY_NONE, 0, 2},
	{GET "Connection: keep-alive\r\nConnection: close\r\n\r\n", "GET", "/", NULL, "a.example", CLOSE,
	 HTTP_BODY_NONE, 0, 3},
	{GET "Connection: closed, xclose\r\n\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 2},
	{GET "Connection:\r\n\r\n", "GET", "/", NULL, "a.example", 0, HTTP_BODY_NONE, 0, 2},
	{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET", "/", NULL, "", CLOSE | OLD, HTTP_BODY_NONE,
	 0, 1},
};

static void assert_span(struct http_span span, const char *text)
{
	if (text == NULL) {
		assert_null(span.at);
		return;
	}
	assert_non_null(span.at);
	assert_int_equal(span.len, strlen(text));
	assert_memory_equal(span.at, text, span.len);
}

static void check_taken(const struct taken *one, const char *bytes, size_t len)
{
	struct outcome outcome;
	const struct http_request *request = &outcome.request;
	char *memory = NULL;

	feed(bytes, len, &outcome, &memory);
	if (outcome.parse != HTTP_PARSE_DONE)
		fail_msg("%s: outcome %d, %u %s", one->bytes, outcome.parse, outcome.refusal.status,
			 outcome.refusal.why != NULL ? outcome.refusal.why : "");
	assert_int_equal(outcome.used, strlen(one->bytes));
	assert_span(request->method, one->method);
	assert_span(request->path, one->path);
	assert_span(request->query, one->query);
	assert_span(request->host, one->host);
	assert_int_equal(request->keep_alive, (one->flags & CLOSE) == 0);
	assert_int_equal(request->expect_continue, (one->flags & EXPECT) != 0);
	assert_int_equal(request->is_head, (one->flags & IS_HEAD) != 0);
	assert_int_equal(request->minor, (one->flags & OLD) != 0 ? 0 : 1);
	assert_int_equal(request->framing, one->framing);
	assert_int_equal(request->length, one->length);
	assert_int_equal(request->field_count, one->fields);
	free(memory);
	http_request_free(&outcome.request);
}

/* Each alone, and with bytes of a body or a next request behind it. */
static void test_taken(void **state)
{
	static const char more[] = "\r\n\n\rGET ";
	char bytes[SPLIT_ALL_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		size_t len = strlen(taken[i].bytes);
		assert_true(len + sizeof(more) <= sizeof(bytes));
		memcpy(bytes, taken[i].bytes, len);
		memcpy(bytes + len, more, sizeof(more));
		check_taken(&taken[i], bytes, len);
		check_taken(&taken[i], bytes, len + sizeof(more));
	}
}

static void test_fields(void **state)
{
	static const char head[] = GET "A:b\r\naB: \t c d \t\r\nA: e\r\nEmpty:\r\n\r\n";
	static const struct {
		const char *name, *value;
	} fields[] = {{"Host", "a.example"}, {"A", "b"}, {"aB", "c d"}, {"A", "e"}, {"Empty", ""}};
	struct outcome outcome;
	char *memory = NULL;

	(void)state;
	feed(head, sizeof(head) - 1, &outcome, &memory);
	assert_int_equal(outcome.request.field_count, sizeof(fields) / sizeof(fields[0]));
	for (size_t i = 0; i < outcome.request.field_count; i++) {
		assert_span(outcome.request.fields[i].name, fields[i].name);
		assert_span(outcome.request.fields[i].value, fields[i].value);
	}
	assert_ptr_equal(http_field_find(&outcome.request, "a"), &outcome.request.fields[1]);
	assert_ptr_equal(http_field_find(&outcome.request, "AB"), &outcome.request.fields[2]);
	assert_null(http_field_find(&outcome.request, "B"));
	assert_null(http_field_find(&outcome.request, ""));
	free(memory);
	http_request_free(&outcome.request);
}

/* A head that is built in pieces, for the limits. */
struct text {
	char bytes[2 * HTTP_HEAD_DEFAULT];
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

/* Status 0: taken. Otherwise refused, once the first `shown` bytes are there and not earlier. */
static void expect(const struct text *text, unsigned status, size_t shown)
{
	struct outcome outcome;
	char *memory = NULL;
	size_t took = feed(text->bytes, text->len, &outcome, &memory);

	assert_int_equal(outcome.parse, status == 0 ? HTTP_PARSE_DONE : HTTP_PARSE_BAD);
	if (status == 0) {
		assert_int_equal(outcome.used, text->len);
	} else {
		assert_int_equal(outcome.refusal.status, status);
		assert_int_equal(took, shown);
	}
	free(memory);
	http_request_free(&outcome.request);
}

static void test_line_limits(void **state)
{
	static struct text text;

	(void)state;
	for (size_t over = 0; over <= 1; over++) {
		text.len = 0;
		add(&text, "GET /");
		add_many(&text, 'a', HTTP_LINE_DEFAULT + over - strlen("GET / HTTP/1.1"));
		add(&text, " HTTP/1.1\r\n" HOST "\r\n");
		expect(&text, over ? 414 : 0, HTTP_LINE_DEFAULT + 1);

		text.len = 0;
		add(&text, GET "A: ");
		add_many(&text, 'a', HTTP_LINE_DEFAULT + over - strlen("A: "));
		add(&text, "\r\n\r\n");
		expect(&text, over ? 431 : 0, strlen(GET) + HTTP_LINE_DEFAULT + 1);

		text.len = 0;
		add(&text, "GET / HTTP/1.1\r\nHost: ");
		add_many(&text, 'a', HTTP_HOST_MAX + over);
		add(&text, "\r\n\r\n");
		expect(&text, over ? 400 : 0, text.len);
	}
	/* A request line without any end; and one whose end comes too late does not change the reason. */
	text.len = 0;
	add_many(&text, 'a', HTTP_LINE_DEFAULT + 1);
	expect(&text, 414, HTTP_LINE_DEFAULT + 1);
	add(&text, "\n");
	expect(&text, 414, HTTP_LINE_DEFAULT + 1);
	/* A bare CR within the limit is seen first. */
	text.bytes[100] = '\r';
	expect(&text, 400, 102);
}

static void test_field_count(void **state)
{
	static struct text text;

	(void)state;
	text.len = 0;
	add(&text, GET);
	for (size_t i = 1; i < HTTP_FIELDS_DEFAULT; i++)
		add(&text, "A: b\r\n");
	size_t full = text.len;
	add(&text, "\r\n");
	expect(&text, 0, 0);
	text.len = full;
	add(&text, "B");
	expect(&text, 431, full + 1);
	add(&text, ": c\r\n\r\n");
	expect(&text, 431, full + 1);
}

/* Fields until `len` bytes are there, whose last line ends there. */
static void fill(struct text *text, size_t len)
{
	while (text->len < len) {
		size_t left = len - text->len, line = left < 2 * 1000 ? left : 1000;
		add(text, "A: ");
		add_many(text, 'b', line - strlen("A: \r\n"));
		add(text, "\r\n");
	}
}

static void test_head_limit(void **state)
{
	static struct text text;

	(void)state;
	text.len = 0;
	add(&text, GET);
	fill(&text, HTTP_HEAD_DEFAULT - 2);
	add(&text, "\r\n");
	assert_int_equal(text.len, HTTP_HEAD_DEFAULT);
	expect(&text, 0, 0);
	/* One byte longer: there is no room for the empty line, which its line's end shows. */
	text.len = 0;
	add(&text, GET);
	fill(&text, HTTP_HEAD_DEFAULT - 1);
	add(&text, "\r\n");
	expect(&text, 431, HTTP_HEAD_DEFAULT - 1);
	text.bytes[HTTP_HEAD_DEFAULT - 1] = '\n';
	expect(&text, 431, HTTP_HEAD_DEFAULT - 1);
	/* A line that goes on over the limit. */
	text.len = 0;
	add(&text, GET);
	fill(&text, HTTP_HEAD_DEFAULT - 500);
	add(&text, "A: ");
	add_many(&text, 'b', 1000);
	expect(&text, 431, HTTP_HEAD_DEFAULT - 1);
	/* Empty lines in front count too. */
	text.len = 0;
	add(&text, "\r\n" GET);
	fill(&text, HTTP_HEAD_DEFAULT);
	add(&text, "\r\n");
	expect(&text, 431, HTTP_HEAD_DEFAULT);
}

/* What a reader allows in place of the defaults, up to the ceilings. */
static void test_limits_of_a_reader(void **state)
{
	static const struct http_limits most = {HTTP_LINE_MAX, HTTP_HEAD_MAX, HTTP_FIELDS_MAX}, least = {40, 100, 3};
	static char text[3 * HTTP_HEAD_MAX];
	static const struct {
		const struct http_limits *limits;
		size_t line, fields; /* of fields' lines, and how many besides Host */
		const char *setting; /* NULL: it is taken */
	} cases[] = {
		{NULL, HTTP_LINE_DEFAULT, 1, NULL},
		{NULL, HTTP_LINE_DEFAULT + 1, 1, "(max_head_line)"},
		{&most, HTTP_LINE_MAX, 1, NULL},
		{&most, HTTP_LINE_MAX + 1, 1, "(max_head_line)"},
		{&most, 10, HTTP_FIELDS_MAX - 1, NULL},
		{&most, 10, HTTP_FIELDS_MAX, "(max_head_fields)"},
		{&most, HTTP_LINE_MAX / 2, 3, NULL},
		{&most, HTTP_LINE_MAX / 2, 4, "(max_head)"},
		{&least, 40, 1, NULL},
		{&least, 41, 1, "(max_head_line)"},
		{&least, 10, 2, NULL},
		{&least, 10, 3, "(max_head_fields)"},
		{&least, 34, 2, "(max_head)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_scan scan = {.limits = cases[i].limits};
		struct http_request request = {0};
		struct http_refusal refusal = {0};
		size_t used = 0, len = strlen(GET), have = 0;
		enum http_parse parsed = HTTP_PARSE_MORE;

		memcpy(text, GET, len);
		for (size_t k = 0; k < cases[i].fields; k++) {
			memset(text + len, 'a', cases[i].line);
			text[len + 1] = ':';
			memcpy(text + len + cases[i].line, "\r\n", 2);
			len += cases[i].line + 2;
		}
		memcpy(text + len, "\r\n", 2);
		len += 2;
		while (have < len && parsed == HTTP_PARSE_MORE) {
			have += len - have > 1000 ? 1000 : len - have;
			parsed = http_head_parse(text, have, &scan, &request, &used, &refusal);
		}
		if (parsed != (cases[i].setting == NULL ? HTTP_PARSE_DONE : HTTP_PARSE_BAD) ||
		    refusal.status != (cases[i].setting == NULL ? 0 : 431))
			fail_msg("case %zu: outcome %d, status %u", i, parsed, refusal.status);
		if (cases[i].setting != NULL)
			assert_non_null(strstr(refusal.why, cases[i].setting));
		else
			assert_int_equal(request.field_count, 1 + cases[i].fields);
		http_request_free(&request);
	}
}

/* Pipelined: the parser stops where the next one begins. */
static void test_pipelined(void **state)
{
	static const char two[] = "GET /1 HTTP/1.1\r\n" HOST "\r\nGET /2 HTTP/1.1\r\n" HOST "\r\n";
	struct http_request request = {0};
	struct http_refusal refusal;
	size_t used = 0, at = 0;

	(void)state;
	for (int i = 1; i <= 2; i++) {
		struct http_scan scan = {0};
		assert_int_equal(http_head_parse(two + at, sizeof(two) - 1 - at, &scan, &request, &used, &refusal),
				 HTTP_PARSE_DONE);
		assert_span(request.path, i == 1 ? "/1" : "/2");
		at += used;
	}
	assert_int_equal(at, sizeof(two) - 1);
	http_request_free(&request);
}

static void test_spans(void **state)
{
	struct http_span span = {"Content", 7}, none = {NULL, 0};

	(void)state;
	assert_true(http_span_equal(span, "Content"));
	assert_false(http_span_equal(span, "content"));
	assert_false(http_span_equal(span, "Content-"));
	assert_false(http_span_equal(span, "Conten"));
	assert_true(http_span_equal_nocase(span, "cONTENT"));
	assert_false(http_span_equal_nocase(span, "content-"));
	assert_false(http_span_equal_nocase(span, "conten"));
	assert_false(http_span_equal_nocase((struct http_span){"a\0", 2}, "a"));
	assert_false(http_span_equal_nocase((struct http_span){"[", 1}, "{"));
	assert_true(http_span_equal(none, ""));
	assert_true(http_span_equal_nocase(none, ""));
	assert_false(http_span_equal(none, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_line_limits),
		cmocka_unit_test(test_field_count),
		cmocka_unit_test(test_head_limit),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_limits_of_a_reader),
		cmocka_unit_test(test_spans),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
