/* Case, digits and numbers in ASCII, independent of the locale. */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include "thaw/types.h"

static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static inline char ascii_lower(char c)
{
	return (char)(ascii_is_upper(c) ? c | 0x20 : c);
}

static inline bool ascii_is_alnum(char c)
{
	return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* Folds a character of a field name as CGI-like servers do (RFC 3875 4.1.18): lower case, and '-' for all but letters
 * and digits. */
static inline char ascii_fold_sign(char c)
{
	return (char)(ascii_is_alnum(c) ? ascii_lower(c) : '-');
}

/* The value of a hexadecimal digit; -1: not a hexadecimal digit. */
static inline int ascii_hex(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of two hexadecimal digits; -1: not two hexadecimal digits. */
static inline int ascii_hex_byte(const char *digits)
{
	int high = ascii_hex(digits[0]), low = high >= 0 ? ascii_hex(digits[1]) : -1;

	return low >= 0 ? high << 4 | low : -1;
}

/* The value of len decimal digits; leading zeros are allowed. False: empty, not only digits, or more than max. */
static inline bool ascii_number(const char *text, size_t len, uint64_t max, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < len; i++) {
		uint64_t digit = (uint64_t)(unsigned char)text[i] - '0';
		if (!ascii_is_digit(text[i]) || digit > max || *number > (max - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return len > 0;
}

#endif
