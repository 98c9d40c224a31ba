/*
 * A deadline that progress extends. It is at most limit_ms away. Each byte adds PACE_MS_PER_BYTE, so that a slow but
 * honest sender never reaches it, but one that sends a byte now and then does.
 */
#ifndef BASE_PACE_H
#define BASE_PACE_H

#include "thaw/types.h"

#define PACE_MS_PER_BYTE 1 /* 1 kB/s is slower than any modem that still sends bodies */

struct pace {
	uint64_t deadline_ms; /* THAW_NEVER: stopped, or paused */
	uint64_t limit_ms;    /* 0: stopped */
	uint64_t paused_ms;   /* time of the pause; left_ms: the time that was left */
	uint64_t left_ms;
};

static inline void pace_stop(struct pace *pace)
{
	*pace = (struct pace){.deadline_ms = THAW_NEVER};
}

/* A limit of THAW_NEVER, or one that the clock cannot reach, sets no deadline. */
static inline uint64_t pace_after(uint64_t from_ms, uint64_t ms)
{
	return ms < THAW_NEVER - from_ms ? from_ms + ms : THAW_NEVER;
}

static inline void pace_start(struct pace *pace, uint64_t limit_ms, uint64_t now_ms)
{
	*pace = (struct pace){.deadline_ms = pace_after(now_ms, limit_ms), .limit_ms = limit_ms};
}

static inline uint64_t pace_left(const struct pace *pace, uint64_t now_ms)
{
	return pace->deadline_ms > now_ms ? pace->deadline_ms - now_ms : 0;
}

/* Stops the deadline while we do not wait for the peer. */
static inline void pace_pause(struct pace *pace, uint64_t now_ms)
{
	if (pace->deadline_ms == THAW_NEVER)
		return;
	pace->left_ms = pace_left(pace, now_ms);
	pace->paused_ms = now_ms;
	pace->deadline_ms = THAW_NEVER;
}

/*
 * Continues after a pause with the time that was left, plus the duration of the pause. A peer that delays each piece
 * must not get the whole limit each time; a peer that we rarely wait for must not run out of time.
 */
static inline void pace_resume(struct pace *pace, uint64_t limit_ms, uint64_t now_ms)
{
	if (pace->deadline_ms != THAW_NEVER)
		return;
	uint64_t left_ms = pace->limit_ms != 0 ? pace->left_ms + (now_ms - pace->paused_ms) : limit_ms;
	pace_start(pace, limit_ms, now_ms);
	if (left_ms < limit_ms)
		pace->deadline_ms = now_ms + left_ms;
}

static inline void pace_progress(struct pace *pace, uint64_t bytes, uint64_t now_ms)
{
	if (pace->deadline_ms == THAW_NEVER) {
		pace->left_ms += bytes * PACE_MS_PER_BYTE; /* pace_resume() applies the limit */
		return;
	}
	uint64_t most_ms = pace_after(now_ms, pace->limit_ms);
	pace->deadline_ms = pace_after(pace->deadline_ms, bytes * PACE_MS_PER_BYTE);
	if (pace->deadline_ms > most_ms)
		pace->deadline_ms = most_ms;
}

static inline bool pace_over(const struct pace *pace, uint64_t now_ms)
{
	return now_ms >= pace->deadline_ms;
}

#endif
