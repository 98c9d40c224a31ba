/* Digits, numbers, amounts and case in ASCII: every byte, and the edges of numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/amount.h"
#include "base/ascii.h"

static void every_byte(void **state)
{
	static const char digits[] = "0123456789abcdef", upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	(void)state;
	for (int i = 0; i < 256; i++) {
		char c = (char)i;
		const char *letter = i != 0 ? strchr(upper, i) : NULL;
		const char *digit = i != 0 ? strchr(digits, letter != NULL ? i + 32 : i) : NULL;
		assert_int_equal(ascii_lower(c), letter != NULL ? (char)(i + 32) : c);
		assert_int_equal(ascii_hex(c), digit != NULL ? (int)(digit - digits) : -1);
		assert_int_equal(ascii_is_digit(c), digit != NULL && digit - digits < 10);
	}
}

static void pairs_of_digits(void **state)
{
	(void)state;
	assert_int_equal(ascii_hex_byte("00"), 0);
	assert_int_equal(ascii_hex_byte("fF"), 255);
	assert_int_equal(ascii_hex_byte("g0"), -1);
	assert_int_equal(ascii_hex_byte("0g"), -1);
	assert_int_equal(ascii_hex_byte(""), -1);
}

static bool reads(const char *text, uint64_t max, uint64_t expected)
{
	uint64_t number = 0;

	return ascii_number(text, strlen(text), max, &number) && number == expected;
}

static void numbers_up_to_a_maximum(void **state)
{
	uint64_t number;

	(void)state;
	assert_true(reads("0", 0, 0));
	assert_true(reads("007", 7, 7));
	assert_true(reads("18446744073709551615", UINT64_MAX, UINT64_MAX));
	assert_true(reads("65535", 65535, 65535));
	assert_false(reads("65536", 65535, 65536));
	assert_false(reads("1", 0, 1));
	assert_false(reads("18446744073709551616", UINT64_MAX, 0));
	assert_false(reads("99999999999999999999999999", UINT64_MAX, 0));
	assert_false(reads("", 9, 0));
	assert_false(reads("-1", 9, 1));
	assert_false(reads("+1", 9, 1));
	assert_false(reads("1 ", 9, 1));
	assert_false(reads("0x1", 9, 1));
	assert_true(ascii_number("12", 1, 9, &number) && number == 1);
}

static enum amount amount_of(const char *text, uint64_t max, uint64_t expected)
{
	static const struct amount_unit units[] = {{"", 1}, {"KiB", 1024}, {"s", 1000}, {NULL, 0}};
	uint64_t amount = 0;
	enum amount is = amount_read(text, units, max, &amount);

	assert_int_equal(amount, expected);
	return is;
}

static void amounts_with_units(void **state)
{
	(void)state;
	assert_int_equal(amount_of("0", 0, 0), AMOUNT_OK);
	assert_int_equal(amount_of("2KiB", 2048, 2048), AMOUNT_OK);
	assert_int_equal(amount_of("2KiB", 2047, 0), AMOUNT_LARGE);
	assert_int_equal(amount_of("18446744073709551615", UINT64_MAX, UINT64_MAX), AMOUNT_OK);
	assert_int_equal(amount_of("18014398509481984KiB", UINT64_MAX, 0), AMOUNT_LARGE);
	assert_int_equal(amount_of("99999999999999999999s", UINT64_MAX, 0), AMOUNT_LARGE);
	assert_int_equal(amount_of("2kib", 9999, 0), AMOUNT_UNKNOWN);
	assert_int_equal(amount_of("02s", 9999, 0), AMOUNT_UNKNOWN);
	assert_int_equal(amount_of("2 s", 9999, 0), AMOUNT_UNKNOWN);
	assert_int_equal(amount_of("s", 9999, 0), AMOUNT_UNKNOWN);
	assert_int_equal(amount_of("", 9999, 0), AMOUNT_UNKNOWN);
	assert_int_equal(amount_of("-1", 9999, 0), AMOUNT_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte),
		cmocka_unit_test(pairs_of_digits),
		cmocka_unit_test(numbers_up_to_a_maximum),
		cmocka_unit_test(amounts_with_units),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
