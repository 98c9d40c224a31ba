/*
 * Limits the cost of an HTTP/2 client's useless frames. It reads the frame headers before nghttp2 does, so that it also
 * counts frames that nghttp2 ignores, independent of how the bytes are split.
 *
 * Two token buckets refill with time and with useful frames. A flood empties one quickly; normal behavior (a window
 * update for each DATA frame, cancelling all requests of a page) does not. A header block is limited before it is
 * buffered (CVE-2024-28182).
 *
 * It also detects frames for streams that the client has ended, among the newest 64: nghttp2 does not remember closed
 * streams, and would ignore such frames.
 */
#ifndef HTTP_H2_BUDGET_H
#define HTTP_H2_BUDGET_H

#include "http/head.h"

/*
 * Frames without content: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, RST_STREAM, empty DATA, unknown types. 1,000 of them
 * cost about 1 ms of CPU. SETTINGS and PING cost more: each queues a reply, and SETTINGS visits all streams.
 */
#define H2_IDLE_BURST      1000
#define H2_IDLE_RATE       100 /* per second */
#define H2_IDLE_SETTINGS   16
#define H2_IDLE_PING       4
#define H2_IDLE_PER_HEAD   4    /* tokens per request: browsers send PRIORITY and WINDOW_UPDATE with it */
#define H2_IDLE_SENT_BYTES 512  /* bytes of our DATA per token: some clients update both windows every 1 KiB */
#define H2_IDLE_CAME_BYTES 1024 /* bytes of their DATA per token */

/*
 * Requests that were reset by the client (CVE-2023-44487), or by us because of what the client sent (CVE-2025-8671).
 * The burst is twice H2_STREAMS_MAX: a browser that leaves a page cancels all open requests. Each completed request
 * adds a token.
 */
#define H2_RESETS_BURST 256
#define H2_RESETS_RATE  32 /* per second */

#define H2_BLOCK_TIMES       ((size_t)2) /* largest header block on the connection, as a multiple of the largest head */
#define H2_BLOCK_MAX         (H2_BLOCK_TIMES * HTTP_HEAD_DEFAULT) /* by default */
#define H2_HEADS_TIMES       ((size_t)32) /* heads of all open streams, as a multiple of the largest head */
#define H2_CONTINUATIONS_MAX 32           /* most CONTINUATION frames of a block; 4 are enough with frames of 16 KiB */

struct h2_bucket {
	uint64_t left; /* in thousandths */
	uint64_t at_ms;
};

struct h2_budget {
	struct h2_bucket idle, resets;
	uint64_t now_ms;
	size_t skip;   /* bytes until the next frame header: the preface, or a payload */
	size_t header; /* received bytes of the frame header */
	uint8_t bytes[9];
	size_t block; /* size of the current header block */
	size_t block_max;
	unsigned continuations;
	uint32_t newest; /* newest stream that the client has opened; 0: none */
	uint64_t ended;  /* bit k: the client has ended or reset stream newest - 2k */
};

void h2_budget_init(struct h2_budget *budget, uint64_t now_ms);

/* Counts received bytes. NULL: within the limits. Otherwise a static text why, and the connection must be closed with
 * *code (enum h2_code). */
const char *h2_budget_take(struct h2_budget *budget, const uint8_t *bytes, size_t len, uint64_t now_ms, uint32_t *code);

/* Counts the reset of an incomplete request. False: too many. */
bool h2_budget_reset(struct h2_budget *budget);

void h2_budget_completed(struct h2_budget *budget);        /* a request and its response are complete */
void h2_budget_sent(struct h2_budget *budget, size_t len); /* a DATA frame was sent */

#endif
