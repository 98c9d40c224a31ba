/* Text that a peer chose does not steer the terminal that shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"

static char *shown(const char *text, size_t len, const char *keep)
{
	char *bytes = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&bytes, &size);

	assert_non_null(file);
	assert_true(printable_put(file, text, len, keep));
	assert_int_equal(fclose(file), 0);
	return bytes;
}

static void terminal_control_characters_are_escaped(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"", ""},
		{"plain ~", "plain ~"},
		{"B\xc3\xbc"
		 "cher \xe6\x97\xa5 \xf0\x9f\x98\x80",
		 "B\xc3\xbc"
		 "cher \xe6\x97\xa5 \xf0\x9f\x98\x80"},
		{"\x1b]0;title\x07", "\\x1B]0;title\\x07"},
		{"a\r\n\tb", "a\\x0D\\x0A\\x09b"},
		{"\x7f", "\\x7F"},
		{"\xc2\x9b"
		 "31m",
		 "\\xC2\\x9B31m"}, /* CSI of C1 */
		{"\x9b"
		 "31m",
		 "\\x9B31m"}, /* the same in Latin-1 */
		{"\xe2\x80\xae"
		 "fdp",
		 "\\xE2\\x80\\xAEfdp"},                       /* right-to-left override */
		{"\xe2\x81\xa6", "\\xE2\\x81\\xA6"},          /* isolate */
		{"\xe2\x80\xa8", "\\xE2\\x80\\xA8"},          /* line separator */
		{"\xc0\x9b", "\\xC0\\x9B"},                   /* overlong */
		{"\xed\xa0\x80", "\\xED\\xA0\\x80"},          /* surrogate */
		{"\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"}, /* above U+10FFFF */
		{"\xe2\x80", "\\xE2\\x80"},                   /* cut */
		{"\xe2\x1b[", "\\xE2\\x1B["},                 /* an escape inside a character */
		{"\xf8\x88\x80\x80\x80", "\\xF8\\x88\\x80\\x80\\x80"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = shown(cases[i].text, strlen(cases[i].text), "");
		assert_string_equal(text, cases[i].shown);
		free(text);
	}
}

static void each_byte_below_32_is_escaped_unless_it_is_kept(void **state)
{
	(void)state;
	for (int byte = 0; byte < 32; byte++) {
		char text = (char)byte, *out = shown(&text, 1, "\n\t");
		bool kept = byte == '\n' || byte == '\t';
		assert_int_equal(strlen(out), kept ? 1 : 4);
		free(out);
	}
}

static void a_file_that_cannot_be_written(void **state)
{
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(full);
	setbuf(full, NULL);
	assert_false(printable_put(full, "x", 1, ""));
	assert_false(printable_put(full, "\x1b", 1, ""));
	(void)fclose(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terminal_control_characters_are_escaped),
		cmocka_unit_test(each_byte_below_32_is_escaped_unless_it_is_kept),
		cmocka_unit_test(a_file_that_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
