/* The only place that looks at clocks: everything else is handed the time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ms(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now); /* these two clocks always can be read */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline uint64_t clock_now_ms(void)
{
	return (uint64_t)clock_ms(CLOCK_MONOTONIC);
}

/* Milliseconds since 1970 of the moment at which clock_now_ms() was 0. Changes when the wall clock is set. */
static inline int64_t clock_wall_offset_ms(void)
{
	return clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_MONOTONIC);
}

#endif
