/*
 * A growing byte queue: append at the end, consume from the front, never more than the caller's ceiling. `failed` stays
 * set after a failure, so that a caller that builds a text can check it once, at the end; a caller that handles each
 * failure clears it. Zero the struct first.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "thaw/types.h"

struct buffer {
	char *bytes;    /* owned; NULL: nothing is allocated */
	size_t at, len; /* the content is bytes[at] to bytes[len - 1] */
	size_t room;
	bool failed; /* out of memory, or over the ceiling */
};

static inline size_t buffer_left(const struct buffer *buffer)
{
	return buffer->len - buffer->at;
}

static inline char *buffer_first(const struct buffer *buffer)
{
	return buffer->bytes + buffer->at;
}

/* Makes room for len more bytes. False: it failed, now or before. */
bool buffer_reserve(struct buffer *buffer, size_t ceiling, size_t len);

/* Appends all of data or nothing. False: it failed, now or before. */
bool buffer_append(struct buffer *buffer, size_t ceiling, const void *data, size_t len);

/* Appends malloc()ed memory and takes ownership of it, also on failure. bytes NULL: fails. */
bool buffer_adopt(struct buffer *buffer, size_t ceiling, char *bytes, size_t len);

/* Removes the first len bytes; keeps the memory. */
void buffer_consume(struct buffer *buffer, size_t len);

void buffer_free(struct buffer *buffer);

#endif
