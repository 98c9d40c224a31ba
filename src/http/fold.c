#include "http/fold.h"

#include <stdint.h>
#include <string.h>

#include "base/ascii.h"
#include "http/fold_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FULLWIDTH_FIRST 0xFF01 /* '!' */
#define FULLWIDTH_LAST  0xFF5E /* '~' */

struct range {
	uint32_t first, last;
};

/* Unicode's default ignorable code points and the combining marks of Latin letters, which some file systems and folding
 * functions ignore. */
static const struct range ignored[] = {
	{0xAD, 0xAD},       {0x300, 0x36F},     {0x61C, 0x61C},   {0x115F, 0x1160}, {0x17B4, 0x17B5},
	{0x180B, 0x180F},   {0x200B, 0x200F},   {0x202A, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164},
	{0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3},
	{0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

/* Ranges of alphabets and digits that are not in the table: they map to `to` and following, repeatedly. */
static const struct {
	struct range codes;
	char to;
} alphabets[] = {
	{{0x107A5, 0x107A5}, 'q'}, {{0x1CCD6, 0x1CCEF}, 'a'}, {{0x1CCF0, 0x1CCF9}, '0'},
	{{0x1D400, 0x1D6A3}, 'a'}, {{0x1D7CE, 0x1D7FF}, '0'}, {{0x1F12B, 0x1F12B}, 'c'},
	{{0x1F12C, 0x1F12C}, 'r'}, {{0x1F130, 0x1F149}, 'a'}, {{0x1FBF0, 0x1FBF9}, '0'},
};

static const struct {
	uint32_t code;
	const char *to;
} squared[] = {
	{0x1F12D, "cd"},  {0x1F12E, "wz"}, {0x1F14A, "hv"}, {0x1F14B, "mv"}, {0x1F14C, "sd"}, {0x1F14D, "ss"},
	{0x1F14E, "ppv"}, {0x1F14F, "wc"}, {0x1F16A, "mc"}, {0x1F16B, "md"}, {0x1F16C, "mr"}, {0x1F190, "dj"},
};

/* The code point at text, and its length in *used (RFC 3629 4). 0: invalid UTF-8. */
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

static bool is_within(uint32_t code, const struct range *range)
{
	return code >= range->first && code <= range->last;
}

static bool is_ignored(uint32_t code)
{
	for (size_t i = 0; i < COUNT(ignored) && code >= ignored[i].first; i++) /* in order */
		if (code <= ignored[i].last)
			return true;
	return false;
}

/* The number of table entries whose first code point is at most this one. Each entry's first member is a uint16_t. */
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

/* The ASCII character that a code point folds to; 0: none. */
static char to_ascii(uint32_t code)
{
	if (code >= FULLWIDTH_FIRST && code <= FULLWIDTH_LAST)
		return ascii_lower((char)(code - FULLWIDTH_FIRST + '!'));
	for (size_t i = 0; code > 0xFFFF && i < COUNT(alphabets); i++)
		if (is_within(code, &alphabets[i].codes))
			return (char)(alphabets[i].to +
				      (code - alphabets[i].codes.first) % (alphabets[i].to >= 'a' ? 26 : 10));
	size_t i = begun(fold_blocks, sizeof(fold_blocks[0]), COUNT(fold_blocks), code);
	if (i == 0 || code - fold_blocks[i - 1].first >= fold_blocks[i - 1].count)
		return 0;
	char c = fold_blocks[i - 1].to[code - fold_blocks[i - 1].first];
	return (char)(c != '_' ? c : 0);
}

/* The characters that a code point folds to, if more than one; otherwise NULL. */
static const char *to_several(uint32_t code)
{
	for (size_t k = 0; code > 0xFFFF && k < COUNT(squared); k++)
		if (squared[k].code == code)
			return squared[k].to;
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

/* Folds one character of `used` bytes at text to out; writes at most `used` bytes. */
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
			out[to++] = ascii_case ? ascii_lower(text[at]) : text[at];
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
