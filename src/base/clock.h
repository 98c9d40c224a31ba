/* The only place that reads clocks. All other code gets the time as an argument. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ms(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now); /* cannot fail for these two clocks */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline uint64_t clock_now_ms(void)
{
	return (uint64_t)clock_ms(CLOCK_MONOTONIC);
}

/* The wall-clock time, in milliseconds since 1970, at which clock_now_ms() was 0. It changes when the wall clock is
 * set. */
static inline int64_t clock_wall_offset_ms(void)
{
	return clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
}

#endif
