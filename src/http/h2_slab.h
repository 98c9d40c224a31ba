/*
 * A slab allocator for nghttp2's sessions, whose pages can be returned to the system one by one, unlike those of
 * malloc(). Slabs are in blocks of 64, and are not shared between threads.
 */
#ifndef HTTP_H2_SLAB_H
#define HTTP_H2_SLAB_H

#include <stdbool.h>
#include <stdint.h>

#define H2_SLAB_ROOM \
	16384 /* a multiple of the page size, otherwise no slabs are used; only written pages are resident */

struct h2_slabs;

struct h2_slab {
	struct h2_slabs *of; /* NULL: none */
	uint8_t *bytes;
};

/* A slab of zero bytes. `of` NULL: out of memory, or the system's pages are larger. */
struct h2_slab h2_slab_take(void);
/* Releases the pages, so that all bytes become zero. False: madvise() failed, and nothing changed. */
bool h2_slab_empty(const struct h2_slab *slab);
void h2_slab_give(struct h2_slab *slab);

#endif
