#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 64

/* Makes room for len bytes after the content. The first allocation is exact (but see ROOM_MIN), for buffers that are
 * written once. */
static bool make_room(struct buffer *buffer, size_t ceiling, size_t len)
{
	size_t left = buffer_left(buffer);

	if (buffer->failed || len > ceiling || left > ceiling - len)
		return false;
	if (len <= buffer->room - buffer->len)
		return true;
	if (buffer->at > 0) {
		memmove(buffer->bytes, buffer_first(buffer), left);
		buffer->at = 0;
		buffer->len = left;
	}
	if (len <= buffer->room - left)
		return true;
	size_t room = 2 * buffer->room;
	if (room < left + len)
		room = left + len;
	if (room < ROOM_MIN)
		room = ROOM_MIN;
	char *more = realloc(buffer->bytes, room < ceiling ? room : ceiling);
	if (more == NULL)
		return false;
	buffer->bytes = more;
	buffer->room = room < ceiling ? room : ceiling;
	return true;
}

bool buffer_reserve(struct buffer *buffer, size_t ceiling, size_t len)
{
	buffer->failed = !make_room(buffer, ceiling, len);
	return !buffer->failed;
}

bool buffer_append(struct buffer *buffer, size_t ceiling, const void *data, size_t len)
{
	if (!buffer_reserve(buffer, ceiling, len))
		return false;
	if (len > 0)
		memcpy(buffer->bytes + buffer->len, data, len);
	buffer->len += len;
	return true;
}

bool buffer_adopt(struct buffer *buffer, size_t ceiling, char *bytes, size_t len)
{
	bool ok = bytes != NULL && !buffer->failed && len <= ceiling;

	if (ok && buffer->bytes == NULL) {
		*buffer = (struct buffer){.bytes = bytes, .len = len, .room = len};
		return true;
	}
	ok = ok && buffer_append(buffer, ceiling, bytes, len);
	buffer->failed = !ok;
	free(bytes);
	return ok;
}

void buffer_consume(struct buffer *buffer, size_t len)
{
	buffer->at += len;
	if (buffer->at == buffer->len)
		buffer->at = buffer->len = 0;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct buffer){.bytes = NULL};
}
