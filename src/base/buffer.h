/*
 * Bytes that wait, or are gathered: appended at the end, consumed from the front, never more than a ceiling that its
 * user names. A failure sticks, so that a text that is put together is looked at once, at its end; whoever handles each
 * failure clears it. Zero it first.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "thaw/types.h"

struct buffer {
	char *bytes;    /* owned; NULL: it holds nothing */
	size_t at, len; /* bytes + at to bytes + len are there */
	size_t room;
	bool failed; /* no memory, or over the ceiling */
};

static inline size_t buffer_left(const struct buffer *buffer)
{
	return buffer->len - buffer->at;
}

/* The first of them. */
static inline char *buffer_first(const struct buffer *buffer)
{
	return buffer->bytes + buffer->at;
}

/* Room for len more bytes, where it is known how many will come. False: it failed, now or before. */
bool buffer_reserve(struct buffer *buffer, size_t ceiling, size_t len);

/* All or nothing. False: it failed, now or before. */
bool buffer_append(struct buffer *buffer, size_t ceiling, const void *data, size_t len);

/* The same with memory that becomes the buffer's, whatever comes of it; NULL fails. */
bool buffer_adopt(struct buffer *buffer, size_t ceiling, char *bytes, size_t len);

/* The first len bytes are done with. The memory stays, for more. */
void buffer_consume(struct buffer *buffer, size_t len);

void buffer_free(struct buffer *buffer);

#endif
