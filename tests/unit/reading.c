/* How services read paths, and which routes cover each reading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/fold.h"
#include "http/reading.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void equal_spellings_fold_to_one(void **state)
{
	static const struct {
		const char *text, *folded;
	} cases[] = {
		{"", ""},
		{"Secure-1_~", "secure-1_~"},
		{"\xC5\xBF"
		 "ecure",
		 "secure"},                                                  /* long s */
		{"\xE2\x84\xAA", "k"},                                       /* Kelvin */
		{"\xC4\xB1\xC4\xB0", "ii"},                                  /* dotless, dotted */
		{"\xEF\xBC\xB3\xEF\xBD\x85", "se"},                          /* fullwidth */
		{"\xF0\x9D\x95\xA4\xF0\x9D\x90\x80\xF0\x9D\x9F\x97", "sa9"}, /* mathematical */
		{"\xE2\x93\xA2\xE2\x91\xA0", "s1"},                          /* circled */
		{"\xEF\xAC\x81\xC3\x9F", "fiss"},                            /* ligature, sharp s */
		{"\xE2\x80\xA5\xE2\x80\xA4", "..."},                         /* two dots, one dot */
		{"\xC3\x9C\xC3\xBCu\xCC\x88", "uuu"},                        /* composed or not */
		{"s\xE2\x80\x8B\xC2\xAD", "s"},                              /* zero width space, soft hyphen */
		{"a\xC2\xA0\xE3\x80\x80", "a  "},                            /* blanks */
		{"\xD0\x99\xD0\xB9\xD0\xAF", "\xD0\xB8\xD0\xB8\xD1\x8F"},    /* Cyrillic */
		{"\xCE\xA3\xCF\x82\xCE\xAC", "\xCF\x83\xCF\x83\xCE\xB1"},    /* Greek */
		{"\xE6\x96\x87\xE4\xBB\xB6", "\xE6\x96\x87\xE4\xBB\xB6"},    /* Chinese */
		{"\xE9t\xE9\xFF\xC0\xAE", "\xE9t\xE9\xFF\xC0\xAE"},          /* no UTF-8 */
		{"\xE2\x84", "\xE2\x84"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].text);
		char *text = malloc(len + 1), *out = malloc(len + 1); /* the sanitizer sees more than len */
		assert_true(text != NULL && out != NULL);
		memcpy(text, cases[i].text, len);
		size_t folded = http_fold(text, len, true, out);
		if (folded != strlen(cases[i].folded) || memcmp(out, cases[i].folded, folded) != 0)
			fail_msg("%s: %.*s", cases[i].folded, (int)folded, out);
		free(text);
		free(out);
	}
}

/* For every code point: no longer than before, and folded again it stays. */
static void folding_is_bounded_and_stable(void **state)
{
	(void)state;
	for (uint32_t code = 0x80; code < 0x110000; code++) {
		char text[4], out[4], again[4];
		size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
		if (code >= 0xD800 && code < 0xE000)
			continue;
		for (size_t i = len - 1, rest = code; i < len; rest >>= 6, i--)
			text[i] = (char)(i > 0 ? 0x80 | (rest & 0x3F) : lead[len] | rest);
		size_t folded = http_fold(text, len, true, out);
		assert_true(folded <= len);
		size_t twice = http_fold(out, folded, true, again);
		if (twice != folded || memcmp(out, again, folded) != 0)
			fail_msg("U+%04X", (unsigned)code);
	}
}

static void traits_report_which_readings_differ(void **state)
{
	static const struct {
		const char *path;
		unsigned traits;
	} cases[] = {
		{"/", 0},
		{"/late/x.y", 0},
		{"/late;a=b%20c", 0},
		{"/a//b", HTTP_READ_EMPTY_SEGMENTS},
		{"/a%2fb", HTTP_READ_INNER_SLASH},
		{"/%2Fb", HTTP_READ_INNER_SLASH | HTTP_READ_EMPTY_SEGMENTS | HTTP_READ_AUTHORITY},
		{"/a/%2Fb", HTTP_READ_INNER_SLASH | HTTP_READ_EMPTY_SEGMENTS},
		{"/%61", HTTP_READ_ESCAPED_LETTER},
		{"/a/;b/c", HTTP_READ_NO_PARAMETERS},
		{"/\xC3\xA4", HTTP_READ_WIDE_SLASH},
		{"/%c3%a4", HTTP_READ_WIDE_SLASH},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (http_reading_traits((struct http_span){cases[i].path, strlen(cases[i].path)}) != cases[i].traits)
			fail_msg("%s", cases[i].path);
}

static void each_reading_has_its_form(void **state)
{
	static const struct {
		const char *path;
		unsigned how;
		const char *plain, *loose;
	} cases[] = {
		{"/Late//x", 0, "/Late/x", "/late/x"},
		{"/Late//x", HTTP_READ_EMPTY_SEGMENTS, "/Late//x", "/late//x"},
		{"/a%2fB%41", 0, "/a/BA", "/a/ba"},
		{"/a%2fB", HTTP_READ_INNER_SLASH, "/a\1B", "/a\1b"},
		{"/a%41%20", HTTP_READ_ESCAPED_LETTER, "/a%41 ", "/a%41 "},
		{"/%2fx/late", HTTP_READ_AUTHORITY, "/late", "/late"},
		{"/%2f%2fx", HTTP_READ_AUTHORITY, "/", "/"},
		{"/a%ef%bc%8fb", 0,
		 "/a\xEF\xBC\x8F"
		 "b",
		 "/a\1b"},
		{"/a%ef%bc%8fb", HTTP_READ_WIDE_SLASH, "/a/b", "/a/b"},
		{"/%20+a", 0, "/ +a", "/a"},
		{"/;x/a;b/c", HTTP_READ_NO_PARAMETERS, "/a/c", "/a/c"},
	};
	struct http_reading reading;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_span path = {cases[i].path, strlen(cases[i].path)};
		assert_true(http_reading_make(path, cases[i].how, false, &reading));
		if (reading.plain_len != strlen(cases[i].plain) ||
		    memcmp(reading.plain, cases[i].plain, reading.plain_len) != 0 ||
		    reading.loose_len != strlen(cases[i].loose) ||
		    memcmp(reading.loose, cases[i].loose, reading.loose_len) != 0)
			fail_msg("%s: %.*s and %.*s", cases[i].path, (int)reading.plain_len, reading.plain,
				 (int)reading.loose_len, reading.loose);
	}
}

static void what_services_take_for_a_dot_segment_is_refused(void **state)
{
	static const char *const paths[] = {
		"/..%20/x",     "/x/.%20",        "/..+",
		"/%20..",       "/..:x",          "/..::$DATA",
		"/..%3fx",      "/..%23",         "/%ef%bc%8e%ef%bc%8e/x",
		"/%e2%80%a5/x", "/.%e2%80%8b./x", "/x%ef%bc%8f..%ef%bc%bcy",
	};
	struct http_reading reading;

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct http_span path = {paths[i], strlen(paths[i])};
		bool made = true;
		for (unsigned how = 0; how <= HTTP_READ_ALL; how++)
			if ((how & ~http_reading_traits(path)) == 0)
				made &= http_reading_make(path, how, false, &reading);
		if (made)
			fail_msg("%s", paths[i]);
	}
}

/* segments: 0: not covered. */
static const struct {
	const char *prefix, *path;
	bool case_matters;
	unsigned segments, loose;
} covers[] = {
	{"/a/b", "/a/b", false, 2, 0},
	{"/a/b/", "/a/b/c", false, 2, 0},
	{"/a/b", "/A/b", false, 2, 1},
	{"/a/b", "/a/B", false, 2, 2},
	{"/a/b", "/a", false, 0, 0},
	{"/a", "/ab", false, 0, 0},
	{"/secure", "/SECURE", true, 0, 0},
	{"/secure", "/secure.", true, 1, 1},
	{"/secure", "/secure", true, 1, 0},
	{"/secure",
	 "/\xEF\xBD\x93"
	 "ecure",
	 true, 1, 1},
	{"/secure", "/secure. .", false, 1, 1},
	{"/secure", "/secure%20/x", false, 1, 1},
	{"/secure", "/secure+", false, 1, 1},
	{"/secure", "/%20secure", false, 1, 1},
	{"/secure", "/secure;a=b", false, 1, 1},
	{"/secure", "/secure%3bx/y", false, 1, 1},
	{"/secure", "/secure:x", false, 1, 1},
	{"/secure", "/secure::$DATA", false, 1, 1},
	{"/secure", "/secure.:$i30:$INDEX_ALLOCATION", false, 1, 1},
	{"/secure", "/secure%3fx", false, 1, 1},
	{"/secure", "/secure%23", false, 1, 1},
	{"/secure", "/secure%c2%a0", false, 1, 1},
	{"/secure", "/secure%e2%80%8b", false, 1, 1},
	{"/v1:x", "/v1:x", false, 1, 0},
	{"/v1:x", "/v1", false, 0, 0},
	{"/v1:x", "/V1:X;y", false, 1, 1},
	{"/caf\xC3\xA9", "/CAF%C3%89", false, 1, 1},
	{"/caf\xC3\xA9", "/cafe%CC%81", false, 1, 1},
	/* 8.3 names */
	{"/secure-files", "/SECURE~1", false, 1, 1},
	{"/secure-files", "/secure~12", false, 0, 0},
	{"/secure-files", "/secur~12/x", false, 1, 1},
	{"/secure-files", "/SE3F2A~1", false, 1, 1},
	{"/secure-files", "/secur~1", false, 0, 0},
	{"/my secret.config", "/MYSECR~1.CON", false, 1, 1},
	{"/secure", "/~1", false, 0, 0},
	{"/secure", "/secure~x", false, 0, 0},
	{"/secure", "/secure~", false, 0, 0},
	/* wide signs, which fold to the ones that end a segment, in the route's own name */
	{"/\xEF\xBC\x83", "/%EF%BC%83;x", false, 1, 1},
	{"/\xEF\xBC\x9B"
	 "a",
	 "/%EF%BC%9Ba;x", false, 1, 1},
	{"/\xEF\xBC\x9B"
	 "a",
	 "/%EF%BC%9Bb;x", false, 0, 0},
};

static void test_covers(void **state)
{
	struct http_reading reading;
	struct http_cover cover;
	char loose[128];

	(void)state;
	for (size_t i = 0; i < COUNT(covers); i++) {
		struct http_span path = {covers[i].path, strlen(covers[i].path)};
		assert_true(http_reading_make(path, 0, covers[i].case_matters, &reading));
		http_reading_prefix(covers[i].prefix, covers[i].case_matters, loose);
		bool covered = http_reading_covered(&reading, covers[i].prefix, loose, &cover);
		if (covered != (covers[i].segments > 0) ||
		    (covered && (cover.segments != covers[i].segments || cover.loose != covers[i].loose)))
			fail_msg("%s and %s: %d, %u, %u", covers[i].prefix, covers[i].path, covered, cover.segments,
				 cover.loose);
	}
	assert_true(http_reading_make((struct http_span){"/x", 2}, 0, false, &reading));
	assert_true(http_reading_covered(&reading, "/", "/", &cover) && cover.segments == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_spellings_fold_to_one),
		cmocka_unit_test(folding_is_bounded_and_stable),
		cmocka_unit_test(traits_report_which_readings_differ),
		cmocka_unit_test(each_reading_has_its_form),
		cmocka_unit_test(what_services_take_for_a_dot_segment_is_refused),
		cmocka_unit_test(test_covers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
