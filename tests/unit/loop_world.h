/*
 * For tests of code that runs in a libev loop: the loop, a clock that the test can advance, and waiting for conditions.
 */
#ifndef LOOP_WORLD_H
#define LOOP_WORLD_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "base/clock.h"

#define WATCHDOG_S 120
#define TICK_S     .005 /* how often conditions are checked that no event of the loop reports */

static struct ev_loop *loop;
static uint64_t now_ms;   /* as in a worker: read once in each iteration */
static uint64_t ahead_ms; /* how far it is ahead of the real clock */
static ev_check after_sleep;
static ev_timer tick;

static void on_after_sleep(struct ev_loop *of, ev_check *check, int events)
{
	(void)of;
	(void)check;
	(void)events;
	now_ms = clock_now_ms() + ahead_ms;
}

static void on_tick(struct ev_loop *of, ev_timer *timer, int events)
{
	(void)of;
	(void)timer;
	(void)events;
}

static bool loop_world_open(void)
{
	loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (loop == NULL)
		return false;
	ahead_ms = 0;
	now_ms = clock_now_ms();
	ev_check_init(&after_sleep, on_after_sleep);
	ev_set_priority(&after_sleep, EV_MAXPRI);
	ev_check_start(loop, &after_sleep);
	ev_timer_init(&tick, on_tick, TICK_S, TICK_S);
	ev_timer_start(loop, &tick);
	(void)alarm(WATCHDOG_S);
	return true;
}

static void loop_world_close(void)
{
	ev_check_stop(loop, &after_sleep);
	ev_timer_stop(loop, &tick);
	ev_loop_destroy(loop);
}

static inline void put_forward(uint64_t ms)
{
	ahead_ms += ms;
	now_ms += ms;
}

static inline void turn_once(void)
{
	(void)ev_run(loop, EVRUN_ONCE);
}

#define RUN_UNTIL(condition) \
	while (!(condition)) \
	turn_once()

#endif
