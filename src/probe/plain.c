#include "probe/plain.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DOTS "..."

struct range {
	uint32_t first, last;
};

/* Characters outside the general category of control characters that change how their neighbours are displayed. */
static const struct range steering[] = {
	{0x0000, 0x001f}, {0x007f, 0x009f}, {0x061c, 0x061c}, {0x200e, 0x200f},   {0x2028, 0x202e},
	{0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xffff}, {0xe0000, 0xe007f},
};
/* Similar to wcwidth(), which only knows ASCII in the C locale. */
static const struct range of_no_width[] = {{0x0300, 0x036f}, {0x200b, 0x200d}, {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}};
static const struct range of_two[] = {
	{0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
	{0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff}, {0x20000, 0x3fffd},
};

#define IS_IN(code, ranges) is_in(code, ranges, sizeof(ranges) / sizeof((ranges)[0]))

static bool is_in(uint32_t code, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* The length in bytes of the character at text; 0: invalid (RFC 3629 3). A NUL ends a sequence that is too short. */
static size_t decode(const char *text, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)text[0];
	size_t len = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;

	*code = len == 1 ? first : first & (0x7fU >> len);
	for (size_t i = 1; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];
		if ((byte & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (byte & 0x3f);
	}
	return len > 0 && *code >= least[len] && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) ? len : 0;
}

/* How the next character of the text is shown. */
struct glyph {
	size_t used; /* bytes of the text used */
	const char *bytes;
	size_t len, wide;
};

static struct glyph next_glyph(const char *text)
{
	uint32_t code;
	size_t len = decode(text, &code);

	if (len == 0 || IS_IN(code, steering))
		return (struct glyph){.used = len > 0 ? len : 1, .bytes = "?", .len = 1, .wide = 1};
	return (struct glyph){.used = len,
			      .bytes = text,
			      .len = len,
			      .wide = IS_IN(code, of_no_width) ? 0
				      : IS_IN(code, of_two)    ? 2
							       : 1};
}

char *plain_copy(char *to, size_t room, size_t columns, const char *from)
{
	size_t at = 0, wide = 0, cut = 0; /* cut: where "..." would go */

	while (*from != '\0') {
		struct glyph glyph = next_glyph(from);
		if (at + glyph.len >= room || wide + glyph.wide > columns) {
			memcpy(to + cut, DOTS, sizeof(DOTS));
			return to;
		}
		memcpy(to + at, glyph.bytes, glyph.len);
		at += glyph.len;
		wide += glyph.wide;
		from += glyph.used;
		if (at + sizeof(DOTS) <= room && wide + strlen(DOTS) <= columns)
			cut = at;
	}
	to[at] = '\0';
	return to;
}

size_t plain_columns(const char *text)
{
	size_t columns = 0;

	while (*text != '\0') {
		struct glyph glyph = next_glyph(text);
		columns += glyph.wide;
		text += glyph.used;
	}
	return columns;
}
