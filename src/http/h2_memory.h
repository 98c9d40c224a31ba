/*
 * Memory for nghttp2's session.
 *
 * A session has a buffer of 16 KiB that frames are packed into. Between two calls of nghttp2_session_mem_send() it
 * holds nothing but what that has given out, and h2_server_pull() copies this at once; so all sessions of a thread
 * share one.
 *
 * What a session allocates while it begins lies in a slab: 9 KiB, most of it zero as long as no stream is open (its map
 * of streams, the ends of its HPACK tables). While nothing happens on a connection it is folded: what is not zero there
 * is kept, and the pages are given back. nghttp2 must not be called before it is unfolded; it then finds each byte as
 * it was.
 *
 * When memory runs out, nghttp2 before 1.64 frees an item that a stream still points to, looks at it again when the
 * session is deleted, and frees it a second time. So from the first failure on nothing is freed before the session is
 * gone, and nothing twice.
 */
#ifndef HTTP_H2_MEMORY_H
#define HTTP_H2_MEMORY_H

#include <stdbool.h>

#include <nghttp2/nghttp2.h>

#include "http/h2_slab.h"

struct h2_block;
struct h2_folded;

/* Zero it first. */
struct h2_memory {
	bool begins; /* nghttp2_session_server_new3() runs: the caller's to end */
	bool shares; /* it has the buffer for frames */
	bool failed;
	struct h2_block *late; /* freed since then */
	struct h2_slab slab;
	size_t used;              /* bytes of it */
	struct h2_folded *folded; /* NULL: it is not */
};

/* Takes a slab, and sets begins. */
void h2_memory_begin(struct h2_memory *memory);

/* For nghttp2_session_server_new3(), which copies it; memory must outlive the session. */
nghttp2_mem h2_memory_hooks(struct h2_memory *memory);

/* Without memory for what is to be kept, or without a slab, it does nothing. */
void h2_memory_fold(struct h2_memory *memory);
void h2_memory_unfold(struct h2_memory *memory); /* if it is folded */

/* The session is deleted. */
void h2_memory_end(struct h2_memory *memory);

#endif
