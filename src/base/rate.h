/*
 * How often one kind of message is written: RATE_BURST times in RATE_WINDOW_MS, which begin with the first one. Further
 * ones are counted, for one line at the window's end. So a flood costs a few lines, and none goes uncounted.
 */
#ifndef BASE_RATE_H
#define BASE_RATE_H

#include "thaw/types.h"

#define RATE_WINDOW_MS 10000
#define RATE_BURST     10

struct rate {
	uint64_t end_ms; /* of the window; 0: none has begun */
	unsigned written;
	uint64_t held_back; /* in this window, and not summed up yet */
};

/* Whether a message may be written now. Once the window is over, call rate_take() first. */
static inline bool rate_pass(struct rate *rate, uint64_t now_ms)
{
	if (now_ms >= rate->end_ms)
		*rate = (struct rate){.end_ms = now_ms + RATE_WINDOW_MS, .held_back = rate->held_back};
	if (rate->written < RATE_BURST) {
		rate->written++;
		return true;
	}
	rate->held_back++;
	return false;
}

/* When something is to be summed up; THAW_NEVER: nothing is. */
static inline uint64_t rate_due(const struct rate *rate)
{
	return rate->held_back > 0 ? rate->end_ms : THAW_NEVER;
}

/* What was held back, if that is due. */
static inline uint64_t rate_take(struct rate *rate, uint64_t now_ms)
{
	if (now_ms < rate_due(rate))
		return 0;
	uint64_t held_back = rate->held_back;
	rate->held_back = 0;
	return held_back;
}

#endif
