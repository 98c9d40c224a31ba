#include "base/printable.h"

#include <stdint.h>
#include <string.h>

struct range {
	uint32_t first, last;
};

/* The length in bytes of the first character, and its code point; 0: invalid UTF-8 (RFC 3629 4). */
static size_t decode(const unsigned char *text, size_t len, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t size = text[0] < 0x80 ? 1 : text[0] >> 5 == 6 ? 2 : text[0] >> 4 == 14 ? 3 : text[0] >> 3 == 30 ? 4 : 0;

	if (size == 0 || size > len)
		return 0;
	*code = size == 1 ? text[0] : text[0] & (0xFFU >> (size + 1));
	for (size_t i = 1; i < size; i++) {
		if ((text[i] & 0xC0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3FU);
	}
	bool surrogate = *code >= 0xD800 && *code <= 0xDFFF;
	return *code < least[size] || *code > 0x10FFFF || surrogate ? 0 : size;
}

static bool is_harmless(uint32_t code, const char *keep)
{
	static const struct range unsafe[] = {
		{0x00, 0x1F},     {0x7F, 0x9F},     {0x61C, 0x61C},   {0x200E, 0x200F},
		{0x2028, 0x202E}, {0x2066, 0x2069}, {0xFEFF, 0xFEFF}, {0xE0000, 0xE007F},
	};

	if (code != 0 && code < 0x80 && strchr(keep, (int)code) != NULL)
		return true;
	for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
		if (code >= unsafe[i].first && code <= unsafe[i].last)
			return false;
	return true;
}

size_t printable_next(const char *text, size_t len, uint32_t *code, bool *plain)
{
	size_t size = decode((const unsigned char *)text, len, code);

	*plain = size > 0 && is_harmless(*code, "");
	return size;
}

bool printable_put(FILE *file, const char *text, size_t len, const char *keep)
{
	bool ok = true;

	for (size_t at = 0, size; ok && at < len; at += size) {
		const unsigned char *from = (const unsigned char *)text + at;
		uint32_t code = 0;
		size = decode(from, len - at, &code);
		bool plain = size > 0 && is_harmless(code, keep);
		size = size > 0 ? size : 1;
		if (plain)
			ok = fwrite(from, 1, size, file) == size;
		for (size_t i = 0; !plain && ok && i < size; i++)
			ok = fprintf(file, "\\x%02X", from[i]) == 4;
	}
	return ok;
}
