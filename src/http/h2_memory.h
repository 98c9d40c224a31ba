/*
 * Memory for nghttp2's session.
 *
 * A session has a buffer of 16 KiB for outgoing frames. h2_server_pull() copies its contents after each
 * nghttp2_session_mem_send(), so all sessions of a thread share one buffer.
 *
 * A session's initial allocations are in a slab: 9 KiB, mostly zero while no stream is open (its map of streams, its
 * HPACK tables). For an idle connection the slab is folded: its non-zero words are saved, and its pages are released.
 * It must be unfolded before nghttp2 is called; that restores every byte.
 *
 * When memory runs out, nghttp2 before 1.64 frees an item that a stream still points to, and uses and frees it again
 * when the session is deleted. So after the first failure nothing is freed until the session is deleted, and nothing
 * twice.
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
	bool begins; /* nghttp2_session_server_new3() is running; the caller resets it */
	bool shares; /* it uses the shared frame buffer */
	bool failed;
	struct h2_block *late; /* freed after a failure */
	struct h2_slab slab;
	size_t used;              /* used bytes of the slab */
	struct h2_folded *folded; /* NULL: not folded */
};

/* Takes a slab, and sets `begins`. */
void h2_memory_begin(struct h2_memory *memory);

/* The allocator for nghttp2_session_server_new3(), which copies it; memory must outlive the session. */
nghttp2_mem h2_memory_hooks(struct h2_memory *memory);

/* Does nothing if memory runs out, or without a slab. */
void h2_memory_fold(struct h2_memory *memory);
void h2_memory_unfold(struct h2_memory *memory); /* if it is folded */

/* Call it after the session was deleted. */
void h2_memory_end(struct h2_memory *memory);

#endif
