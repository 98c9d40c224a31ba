/*
 * A request's bytes as they come: the head in a buffer that grows with it, and what comes behind the head in another,
 * which there is only once it is needed. So a request that waits for its certificate holds little beside its spool.
 */
#ifndef GATEWAY_INPUT_H
#define GATEWAY_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "thaw/types.h"

#define GW_HEAD_ROOM 4096  /* at first; up to HTTP_HEAD_MAX */
#define GW_REST_ROOM 16384 /* one TLS record's plaintext, beside what came with the head */

struct gw_input {
	char *head;
	size_t head_len, head_room; /* bytes that have come; the buffer's size */
	char *rest;                 /* NULL: not needed yet */
	size_t rest_room;
	/* what is behind the head and not used yet, in either buffer: bytes + at to bytes + len */
	char *bytes;
	size_t at, len;
};

bool gw_input_open(struct gw_input *input); /* false: no memory */
void gw_input_close(struct gw_input *input);

/* The head is here as a whole; its memory becomes the input's. */
void gw_input_adopt(struct gw_input *input, char *head, size_t len);

/* Makes room for more of the head, where there is none. False: no memory. */
bool gw_input_grow(struct gw_input *input);

/* The head has ended after so many bytes. From now on it stays where it is. */
void gw_input_head_ends(struct gw_input *input, size_t head_len);

/*
 * Where to read what comes behind the head: behind what is not used yet, or in scratch (of GW_REST_ROOM bytes) where it
 * is not known whether anything will come. What was taken from input->bytes is not valid any more. 0: as much lies
 * there already as ever may.
 */
size_t gw_input_room(struct gw_input *input, char *scratch, char **where);

/* So many bytes have come at where. False: no memory to keep them. */
bool gw_input_came(struct gw_input *input, const char *where, size_t len);

/* So many bytes have come, wherever they are; up to ceiling of them are kept. False: no memory, or too many. */
bool gw_input_keep(struct gw_input *input, const char *bytes, size_t len, size_t ceiling);

/* Holds no buffer for what is behind the head while nothing is there. */
void gw_input_rest(struct gw_input *input);

/* What is not used yet becomes the beginning of the next head. False: no memory. */
bool gw_input_next(struct gw_input *input);

#endif
