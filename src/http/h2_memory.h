/*
 * Memory for nghttp2's session. When it runs out, nghttp2 before 1.64 frees an item that a stream still points to,
 * looks at it again when the session is deleted, and frees it a second time. So from the first failure on nothing is
 * freed before the session is gone, and nothing twice.
 */
#ifndef HTTP_H2_MEMORY_H
#define HTTP_H2_MEMORY_H

#include <stdbool.h>

#include <nghttp2/nghttp2.h>

struct h2_block;

/* Zero it first. */
struct h2_memory {
	bool failed;
	struct h2_block *late; /* freed since then */
};

/* For nghttp2_session_server_new3(), which copies it; memory must outlive the session. */
nghttp2_mem h2_memory_hooks(struct h2_memory *memory);

/* The session is deleted. */
void h2_memory_end(struct h2_memory *memory);

#endif
