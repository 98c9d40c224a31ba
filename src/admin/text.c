#include "admin/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 16384
#define LINE_ROOM  1024

static bool make_room(struct admin_text *text, size_t len)
{
	size_t room = text->room != 0 ? text->room : ROOM_FIRST;

	if (text->failed || len > ADMIN_TEXT_MAX - text->len)
		return false;
	while (room < text->len + len)
		room *= 2;
	if (room == text->room)
		return true;
	char *more = realloc(text->at, room);
	if (more == NULL)
		return false;
	text->at = more;
	text->room = room;
	return true;
}

void admin_put(struct admin_text *text, const char *bytes, size_t len)
{
	if (!make_room(text, len)) {
		text->failed = true;
		return;
	}
	if (len > 0)
		memcpy(text->at + text->len, bytes, len);
	text->len += len;
}

void admin_putf(struct admin_text *text, const char *format, ...)
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

void admin_text_free(struct admin_text *text)
{
	free(text->at);
	*text = (struct admin_text){.at = NULL};
}
