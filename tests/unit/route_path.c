/* The routing form of paths, and which routes cover them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/route_path.h"

static const struct {
	const char *path, *form;
} taken[] = {
	{"/", "/"},
	{"//", "/"},
	{"////", "/"},
	{"/late", "/late"},
	{"/late/", "/late/"},
	{"//late///x//", "/late/x/"},
	{"/Late", "/Late"},
	{"*", "*"},
	/* escapes */
	{"/%6cate", "/late"},
	{"/l%61te", "/late"},
	{"/%6C%61%74%65", "/late"},
	{"/late%2fx", "/late/x"},
	{"/%2Flate", "/late"},
	{"/%2f%2F/late%2f/", "/late/"},
	{"/a%20b", "/a b"},
	{"/a%25", "/a%"},
	{"/a%25b", "/a%b"},
	{"/100%25/2e", "/100%/2e"},
	{"/a%25g0", "/a%g0"},
	{"/a%3fb%23c", "/a?b#c"},
	{"/%c3%a4", "/\xC3\xA4"},
	{"/\xC3\xA4", "/\xC3\xA4"},
	{"/%e2%82%ac%f0%9f%90%91", "/\xE2\x82\xAC\xF0\x9F\x90\x91"},
	{"/%e9t%e9", "/\xE9t\xE9"}, /* Latin-1 */
	{"/%c0", "/\xC0"},
	{"/%c0/%c0%20la.", "/\xC0/\xC0 la."},
	{"/%e0%20la", "/\xE0 la"},
	{"/%f8l", "/\xF8l"},
	{"/%c0...", "/\xC0..."},
	/* parameters */
	{"/late;a=b", "/late"},
	{"/late;a=b/x;c", "/late/x"},
	{"/late;a;b;c", "/late"},
	{"/late;", "/late"},
	{"/;a/late", "/late"},
	{"/;a/;b//late", "/late"},
	{"/late/;a", "/late/"},
	{"/;", "/"},
	{"/late%3ba=b", "/late"},
	{"/late%3b%61", "/late"},
	{"/late;%61\xC3\xA4/x", "/late/x"},
	{"/late;%252e", "/late"},
	{"/late;../x", "/late/x"},
	/* dots that are no dot segment */
	{"/...", "/..."},
	{"/.late", "/.late"},
	{"/late.", "/late."},
	{"/..late", "/..late"},
	{"/a.b/..c", "/a.b/..c"},
	{"/. ", "/. "},
};

static void test_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct http_refusal refusal = {0};
		size_t len = strlen(taken[i].path), out_len = 0;
		char *path = malloc(len), *out = malloc(len); /* not a byte more, for the sanitizer to see */
		assert_non_null(path);
		assert_non_null(out);
		memcpy(path, taken[i].path, len);
		if (!http_route_path((struct http_span){path, len}, out, len, &out_len, &refusal))
			fail_msg("%s: %s", taken[i].path, refusal.why);
		if (out_len != strlen(taken[i].form) || memcmp(out, taken[i].form, out_len) != 0)
			fail_msg("%s: %.*s", taken[i].path, (int)out_len, out);
		free(path);
		free(out);
	}
}

static const struct {
	const char *path;
	const char *why; /* some word of the reason */
	size_t len;      /* 0: up to the NUL */
} refused[] = {
	{"late", "slash", 0},
	{"**", "slash", 0},
	{"%2flate", "slash", 0},
	{";/late", "slash", 0},
	/* dot segments */
	{"/.", "dot", 0},
	{"/..", "dot", 0},
	{"/./late", "dot", 0},
	{"/../late", "dot", 0},
	{"/late/.", "dot", 0},
	{"/late/..", "dot", 0},
	{"/late/./x", "dot", 0},
	{"/public/../late", "dot", 0},
	{"/public//../late", "dot", 0},
	{"/%2e/late", "dot", 0},
	{"/%2E%2e/late", "dot", 0},
	{"/.%2e/late", "dot", 0},
	{"/%2e./late", "dot", 0},
	{"/..%2flate", "dot", 0},
	{"/public%2f..%2flate", "dot", 0},
	{"/public%2f%2e%2E", "dot", 0},
	{"/..;/late", "dot", 0},
	{"/..;a=b/late", "dot", 0},
	{"/.;a", "dot", 0},
	{"/%2e%2e;a/late", "dot", 0},
	{"/..%3b/late", "dot", 0},
	{"/a;b/../late", "dot", 0},
	/* backslashes */
	{"/a\\b", "backslash", 0},
	{"\\late", "slash", 0},
	{"/..\\late", "backslash", 0},
	{"/..%5clate", "backslash", 0},
	{"/a%5Cb", "backslash", 0},
	{"/a;b\\c", "backslash", 0},
	{"/a;b%5cc", "backslash", 0},
	/* control characters */
	{"/late%00", "control", 0},
	{"/late%00.html", "control", 0},
	{"/late\0", "control", 6},
	{"/a%0d%0ab", "control", 0},
	{"/a%09", "control", 0},
	{"/a%1f", "control", 0},
	{"/a%7f", "control", 0},
	{"/a;%00", "control", 0},
	{"/a;%7F/b", "control", 0},
	/* escapes */
	{"/%", "escape", 0},
	{"/a%2", "escape", 0},
	{"/%zz", "escape", 0},
	{"/%2g", "escape", 0},
	{"/%g2", "escape", 0},
	{"/%u002e", "escape", 0},
	{"/%%32e", "escape", 0},
	{"/%+2", "escape", 0},
	{"/a;%", "escape", 0},
	{"/%252e", "itself", 0},
	{"/%252e%252e/late", "itself", 0},
	{"/%25%32%65", "itself", 0},
	{"/%25%32e", "itself", 0},
	{"/%252flate", "itself", 0},
	{"/%2525252e", "itself", 0},
	/* overlong UTF-8 */
	{"/%c0%ae%c0%ae/late", "overlong", 0},
	{"/\xC0\xAE/late", "overlong", 0},
	{"/%c1%9c", "overlong", 0},
	{"/%e0%80%ae", "overlong", 0},
	{"/%e0%9f%bf", "overlong", 0},
	{"/%f0%80%80%ae", "overlong", 0},
	{"/%f8%80%80%80%ae", "overlong", 0},
	{"/%fc%80%80%80%80%ae", "overlong", 0},
	/* the same for decoders that do not look at what follows */
	{"/%c0%2e%c0%2e/late", "overlong", 0},
	{"/x%c0%2flate", "overlong", 0},
	{"/%c0%6e", "overlong", 0},
	{"/x/%c0.%c0./late", "dot segment", 0},
	{"/x/.%c0./late", "dot segment", 0},
	{"/x/%c0.", "dot segment", 0},
	{"/%e0%40%ae", "overlong", 0},
	{"/%f0%40%40%ae", "overlong", 0},
	/* what a parameter hides */
	{"/a;b%2flate", "slash", 0},
	{"/a%3bb%2Flate", "slash", 0},
};

static void test_refused(void **state)
{
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct http_refusal refusal = {0};
		size_t len = refused[i].len > 0 ? refused[i].len : strlen(refused[i].path), out_len = 0;
		if (http_route_path((struct http_span){refused[i].path, len}, out, sizeof(out), &out_len, &refusal))
			fail_msg("%s: taken as %.*s", refused[i].path, (int)out_len, out);
		assert_int_equal(refusal.status, 400);
		if (strstr(refusal.why, refused[i].why) == NULL)
			fail_msg("%s: %s", refused[i].path, refusal.why);
	}
	struct http_refusal refusal = {0};
	size_t out_len = 0;
	assert_false(http_route_path((struct http_span){"", 0}, out, sizeof(out), &out_len, &refusal));
	assert_int_equal(refusal.status, 400);
}

static void test_room(void **state)
{
	struct http_refusal refusal = {0};
	char out[5];
	size_t out_len = 0;

	(void)state;
	assert_true(http_route_path((struct http_span){"/late", 5}, out, 5, &out_len, &refusal));
	assert_int_equal(out_len, 5);
	assert_false(http_route_path((struct http_span){"/late", 5}, out, 4, &out_len, &refusal));
	assert_int_equal(refusal.status, 414);
	assert_false(http_route_path((struct http_span){"*", 1}, out, 0, &out_len, &refusal));
	assert_int_equal(refusal.status, 414);
}

/* Every byte, encoded: what comes out is that byte, or it is refused. */
static void test_every_byte(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte <= 0xFF; byte++) {
		static const char digits[] = "0123456789abcdef";
		char path[] = "/a%00", out[sizeof(path)];
		struct http_refusal refusal = {0};
		size_t len = 0;
		path[3] = digits[byte >> 4];
		path[4] = digits[byte & 15];
		bool good = http_route_path((struct http_span){path, 5}, out, sizeof(out), &len, &refusal);
		assert_int_equal(good, byte >= 0x20 && byte != 0x7F && byte != '\\');
		if (good && byte == ';')
			assert_int_equal(len, 2);
		else if (good)
			assert_true(len == 3 && (unsigned char)out[2] == byte);
	}
}

static void test_covers(void **state)
{
	static const struct {
		const char *prefix, *path;
		bool covers;
	} cases[] = {
		{"/", "/", true},
		{"/", "/late", true},
		{"/", "*", false},
		{"/", "", false},
		{"/late", "/late", true},
		{"/late", "/late/", true},
		{"/late", "/late/x", true},
		{"/late", "/later", false},
		{"/late", "/lat", false},
		{"/late", "/", false},
		{"/late", "/Late", false},
		{"/late", "/x/late", false},
		{"/late/", "/late", true},
		{"/late/", "/late/", true},
		{"/late/", "/late/x", true},
		{"/late/", "/later", false},
		{"/late/x", "/late", false},
		{"/late/x", "/late/x/y", true},
		{"/late/x", "/late/xy", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (http_route_covers(cases[i].prefix, cases[i].path, strlen(cases[i].path)) != cases[i].covers)
			fail_msg("%s and %s", cases[i].prefix, cases[i].path);
	/* The path's length counts, not a NUL. */
	assert_true(http_route_covers("/late", "/later", 5));
	assert_false(http_route_covers("/late", "/late", 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),      cmocka_unit_test(test_refused), cmocka_unit_test(test_room),
		cmocka_unit_test(test_every_byte), cmocka_unit_test(test_covers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
