/*
 * The received bytes of a request. The head is in one buffer, which grows as needed. Bytes after the head are in a
 * second buffer, which exists only while it is needed. So a request that waits for its certificate uses little memory
 * in addition to its spool.
 */
#ifndef GATEWAY_INPUT_H
#define GATEWAY_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "thaw/types.h"

#define GW_HEAD_ROOM 4096  /* initial size; grows up to HTTP_HEAD_MAX */
#define GW_REST_ROOM 16384 /* plaintext of one TLS record, in addition to the bytes received with the head */

struct gw_input {
	char *head;
	size_t head_len, head_room; /* bytes received; the buffer's size */
	char *rest;                 /* NULL: not needed yet */
	size_t rest_room;
	/* unused bytes after the head, in either buffer: from bytes + at to bytes + len */
	char *bytes;
	size_t at, len;
};

bool gw_input_open(struct gw_input *input); /* false: out of memory */
void gw_input_close(struct gw_input *input);

/* Sets a complete head; the input takes ownership of its memory. */
void gw_input_adopt(struct gw_input *input, char *head, size_t len);

/* Makes room for more of the head if the buffer is full. False: out of memory, or the buffer has its maximum size. */
bool gw_input_grow(struct gw_input *input);

/* The head ends after head_len bytes. It does not move after this call. */
void gw_input_head_ends(struct gw_input *input, size_t head_len);

/*
 * Returns how many bytes can be read to *where, for data after the head. *where is after the unused bytes, or it is
 * scratch (of GW_REST_ROOM bytes) if no buffer is needed yet, because it is not known whether any data will come.
 * Earlier pointers into input->bytes become invalid. 0: the buffer is full.
 */
size_t gw_input_room(struct gw_input *input, char *scratch, char **where);

/* len bytes were read to where. False: out of memory to keep them. */
bool gw_input_came(struct gw_input *input, const char *where, size_t len);

/* Appends len bytes from any memory. False: out of memory, or more than ceiling bytes would be kept. */
bool gw_input_keep(struct gw_input *input, const char *bytes, size_t len, size_t ceiling);

/* Frees the buffer for data after the head if it is empty. */
void gw_input_rest(struct gw_input *input);

/* The unused bytes become the beginning of the next head. False: out of memory. */
bool gw_input_next(struct gw_input *input);

#endif
