#include "admin/text.h"

#include <stdarg.h>
#include <stdio.h>

#define ROOM_FIRST 16384
#define LINE_ROOM  1024

void admin_put(struct buffer *text, const char *bytes, size_t len)
{
	if (text->bytes != NULL || text->failed || buffer_reserve(text, ADMIN_TEXT_MAX, ROOM_FIRST))
		(void)buffer_append(text, ADMIN_TEXT_MAX, bytes, len);
}

void admin_putf(struct buffer *text, const char *format, ...)
{
	char line[LINE_ROOM];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(line))
		text->failed = true;
	else
		admin_put(text, line, (size_t)len);
}
