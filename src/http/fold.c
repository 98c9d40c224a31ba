#include "http/fold.h"

#include <stdint.h>
#include <string.h>

#include "http/fold_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FULLWIDTH_FIRST  0xFF01  /* '!' */
#define FULLWIDTH_LAST   0xFF5E  /* '~' */
#define MATH_FIRST       0x1D400 /* 13 alphabets: A to Z, then a to z */
#define MATH_LAST        0x1D6A3
#define MATH_DIGIT_FIRST 0x1D7CE
#define MATH_DIGIT_LAST  0x1D7FF

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* The code point at text and, in *used, its bytes (RFC 3629 4). 0: they are not UTF-8. */
static uint32_t decode(const char *text, size_t len, size_t *used)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char lead = (unsigned char)text[0];
	size_t count = lead >= 0xF0 && lead <= 0xF4  ? 4
		       : lead >= 0xE0 && lead < 0xF0 ? 3
		       : lead >= 0xC2 && lead < 0xE0 ? 2
						     : 0;

	if (count == 0 || count > len)
		return 0;
	uint32_t code = lead & (0xFFu >> (count + 1));
	for (size_t i = 1; i < count; i++) {
		unsigned char next = (unsigned char)text[i];
		if ((next & 0xC0) != 0x80)
			return 0;
		code = code << 6 | (next & 0x3F);
	}
	*used = count;
	return code >= least[count] && code <= 0x10FFFF ? code : 0;
}

static size_t encode(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	out[0] = (char)(0xE0 | code >> 12);
	out[1] = (char)(0x80 | (code >> 6 & 0x3F));
	out[2] = (char)(0x80 | (code & 0x3F));
	return 3;
}

/* Combining marks, variation selectors, and what takes no place: some file systems do not see them. */
static bool is_ignored(uint32_t code)
{
	return (code >= 0x300 && code <= 0x36F) || code == 0xAD || (code >= 0x200B && code <= 0x200F) ||
	       (code >= 0x202A && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
	       (code >= 0xFE00 && code <= 0xFE0F) || code == 0xFEFF;
}

/* How many entries of a table begin at the code point or before it. Each entry's first member is a uint16_t. */
static size_t begun(const void *table, size_t size, size_t count, uint32_t code)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint16_t first = 0;
		memcpy(&first, (const char *)table + middle * size, sizeof(first));
		if (first <= code)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The ASCII character that a code point folds to; 0: to none. */
static char to_ascii(uint32_t code)
{
	if (code >= FULLWIDTH_FIRST && code <= FULLWIDTH_LAST)
		return lower((char)(code - FULLWIDTH_FIRST + '!'));
	if (code >= MATH_FIRST && code <= MATH_LAST)
		return (char)('a' + (code - MATH_FIRST) % 26);
	if (code >= MATH_DIGIT_FIRST && code <= MATH_DIGIT_LAST)
		return (char)('0' + (code - MATH_DIGIT_FIRST) % 10);
	size_t i = begun(fold_blocks, sizeof(fold_blocks[0]), COUNT(fold_blocks), code);
	if (i == 0 || code - fold_blocks[i - 1].first >= fold_blocks[i - 1].count)
		return 0;
	char c = fold_blocks[i - 1].to[code - fold_blocks[i - 1].first];
	return (char)(c != '_' ? c : 0);
}

/* The characters that a code point folds to, where they are more than one; NULL. */
static const char *to_several(uint32_t code)
{
	size_t i = begun(fold_several, sizeof(fold_several[0]), COUNT(fold_several), code);

	return i > 0 && fold_several[i - 1].code == code ? fold_several[i - 1].to : NULL;
}

static uint32_t to_other(uint32_t code)
{
	size_t end = begun(fold_runs, sizeof(fold_runs[0]), COUNT(fold_runs), code);

	for (size_t i = end; i > 0 && end - i < FOLD_LOOK_BACK; i--)
		if (code <= fold_runs[i - 1].last && (code - fold_runs[i - 1].first) % fold_runs[i - 1].stride == 0)
			return (uint32_t)((int64_t)code + fold_runs[i - 1].delta);
	return code;
}

/* One character of `used` bytes at text, to out; never more bytes than those. */
static size_t fold_one(uint32_t code, const char *text, size_t used, char *out)
{
	if (is_ignored(code))
		return 0;
	char c = to_ascii(code);
	if (c != 0) {
		out[0] = c;
		return 1;
	}
	const char *several = to_several(code);
	if (several != NULL) {
		size_t len = 0;
		for (; several[len] != '\0'; len++)
			out[len] = several[len];
		return len;
	}
	uint32_t other = to_other(code);
	if (other != code && (used > 2 || other < 0x800))
		return encode(other, out);
	memmove(out, text, used);
	return used;
}

size_t http_fold(const char *text, size_t len, bool ascii_case, char *out)
{
	size_t to = 0;

	for (size_t at = 0; at < len;) {
		size_t used = 0;
		uint32_t code = (unsigned char)text[at] < 0x80 ? 0 : decode(text + at, len - at, &used);
		if (code == 0) {
			out[to++] = ascii_case ? lower(text[at]) : text[at];
			at++;
			continue;
		}
		to += fold_one(code, text + at, used, out + to);
		at += used;
	}
	return to;
}

size_t http_folds_to_slash(const char *text, size_t len)
{
	size_t used = 0;
	uint32_t code = len == 0 || (unsigned char)text[0] < 0x80 ? 0 : decode(text, len, &used);
	char c = code != 0 ? to_ascii(code) : 0;

	return c == '/' || c == '\\' ? used : 0;
}
