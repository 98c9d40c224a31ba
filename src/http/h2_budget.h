/*
 * What a client of HTTP/2 may cost without bringing anything. It walks over the frames' headers before nghttp2 sees
 * them, so that also frames which nghttp2 ignores are counted, in whatever parts the bytes come.
 *
 * Two buckets, which refill with time and with what is useful. A flood empties one at once; what clients do by nature
 * (a window update for a frame of data, a mass cancel of a page that is left) does not. And a header block is bounded
 * before it is buffered (CVE-2024-28182).
 *
 * By the way it sees what comes for a stream that the client has ended, of the newest 64: nghttp2 keeps nothing of
 * streams that are closed, and would ignore it.
 */
#ifndef HTTP_H2_BUDGET_H
#define HTTP_H2_BUDGET_H

#include "http/head.h"

/*
 * Frames that carry nothing: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, RST_STREAM, empty DATA, unknown types. A thousand
 * cost about a millisecond; a hundred a second cost nothing. SETTINGS and PING are dearer: each makes an answer wait,
 * and SETTINGS walks over all streams.
 */
#define H2_IDLE_BURST      1000
#define H2_IDLE_RATE       100 /* per second */
#define H2_IDLE_SETTINGS   16
#define H2_IDLE_PING       4
#define H2_IDLE_PER_HEAD   4    /* a request earns: browsers send PRIORITY and WINDOW_UPDATE with it */
#define H2_IDLE_SENT_BYTES 512  /* DATA of ours earns one for each: some clients update both windows every 1 KiB */
#define H2_IDLE_CAME_BYTES 1024 /* DATA of theirs earns one for each */

/*
 * Requests that were begun and then reset: by the client (CVE-2023-44487), or by us for what the client sent
 * (CVE-2025-8671). The burst is twice H2_STREAMS_MAX: a browser that leaves a page cancels what it has open. A request
 * that completes earns one.
 */
#define H2_RESETS_BURST 256
#define H2_RESETS_RATE  32 /* per second */

#define H2_BLOCK_TIMES       ((size_t)2) /* bytes of a header block on the wire: so many times those of a head */
#define H2_BLOCK_MAX         (H2_BLOCK_TIMES * HTTP_HEAD_DEFAULT) /* by default */
#define H2_CONTINUATIONS_MAX 32 /* frames of one: 4 carry that block in frames of 16 KiB */

struct h2_bucket {
	uint64_t left; /* in thousandths */
	uint64_t at_ms;
};

struct h2_budget {
	struct h2_bucket idle, resets;
	uint64_t now_ms;
	size_t skip;   /* bytes up to the next frame's header: the preface, or a payload */
	size_t header; /* bytes of it that are there */
	uint8_t bytes[9];
	size_t block; /* of the header block under way */
	size_t block_max;
	unsigned continuations;
	uint32_t newest; /* of the streams that the client has begun; 0: none */
	uint64_t ended;  /* bit k: the client has ended, or reset, newest - 2k */
};

void h2_budget_init(struct h2_budget *budget, uint64_t now_ms);

/* Bytes that came. NULL: within the budget; otherwise the connection is to be ended with *code (enum h2_code), and why:
 * static text. */
const char *h2_budget_take(struct h2_budget *budget, const uint8_t *bytes, size_t len, uint64_t now_ms, uint32_t *code);

/* A request was reset that was not complete. False: too many. */
bool h2_budget_reset(struct h2_budget *budget);

void h2_budget_completed(struct h2_budget *budget);        /* a request, with its response */
void h2_budget_sent(struct h2_budget *budget, size_t len); /* a frame of DATA */

#endif
