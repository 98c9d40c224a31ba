/*
 * Memory for nghttp2's session.
 *
 * A session has a buffer of 16 KiB that frames are packed into. Between two calls of nghttp2_session_mem_send() it
 * holds nothing but what that has given out, and h2_server_pull() copies this at once; so all sessions of a thread
 * share one.
 *
 * When memory runs out, nghttp2 before 1.64 frees an item that a stream still points to, looks at it again when the
 * session is deleted, and frees it a second time. So from the first failure on nothing is freed before the session is
 * gone, and nothing twice.
 */
#ifndef HTTP_H2_MEMORY_H
#define HTTP_H2_MEMORY_H

#include <stdbool.h>

#include <nghttp2/nghttp2.h>

struct h2_block;

/* Zero it first. */
struct h2_memory {
	bool begins; /* nghttp2_session_server_new3() runs: the caller's to set */
	bool failed;
	struct h2_block *late; /* freed since then */
};

/* For nghttp2_session_server_new3(), which copies it; memory must outlive the session. */
nghttp2_mem h2_memory_hooks(struct h2_memory *memory);

/* The session is deleted. */
void h2_memory_end(struct h2_memory *memory);

#endif
