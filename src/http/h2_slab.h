/*
 * Places of one size for nghttp2's sessions, whose pages can be given back to the system one by one, which those of
 * malloc() cannot. They lie in blocks of 64. A thread's places are its own.
 */
#ifndef HTTP_H2_SLAB_H
#define HTTP_H2_SLAB_H

#include <stdbool.h>
#include <stdint.h>

#define H2_SLAB_ROOM 16384 /* whole pages, or there are no slabs; only what is written to is resident */

struct h2_slabs;

struct h2_slab {
	struct h2_slabs *of; /* NULL: none */
	uint8_t *bytes;
};

/* Its bytes are zero. of is NULL: no memory, or the system's pages are larger. */
struct h2_slab h2_slab_take(void);
/* Its bytes are zero from now on. False: they are as they were, for the system did not take the pages. */
bool h2_slab_empty(const struct h2_slab *slab);
void h2_slab_give(struct h2_slab *slab);

#endif
