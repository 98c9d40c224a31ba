/*
 * Rate limit for one kind of message: RATE_BURST messages in a window of RATE_WINDOW_MS, which starts with the first
 * one. Further messages are counted, and reported in one line at the end of the window.
 */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include "thaw/types.h"

#define RATE_WINDOW_MS 10000
#define RATE_BURST     10

struct rate {
	uint64_t end_ms; /* of the window; 0: no window has started */
	unsigned written;
	uint64_t suppressed; /* in this window, and not reported yet */
};

/* Whether a message may be written now. Once the window is over, call rate_take() first. */
static inline bool rate_pass(struct rate *rate, uint64_t now_ms)
{
	if (now_ms >= rate->end_ms)
		*rate = (struct rate){.end_ms = now_ms + RATE_WINDOW_MS, .suppressed = rate->suppressed};
	if (rate->written < RATE_BURST) {
		rate->written++;
		return true;
	}
	rate->suppressed++;
	return false;
}

/* When suppressed messages must be reported; THAW_NEVER: there are none. */
static inline uint64_t rate_due(const struct rate *rate)
{
	return rate->suppressed > 0 ? rate->end_ms : THAW_NEVER;
}

/* The number of suppressed messages to report now; resets it. */
static inline uint64_t rate_take(struct rate *rate, uint64_t now_ms)
{
	if (now_ms < rate_due(rate))
		return 0;
	uint64_t suppressed = rate->suppressed;
	rate->suppressed = 0;
	return suppressed;
}

#endif
