/* Each state machine reports its state changes here, from its only setter. */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stddef.h>
#include <stdint.h>

struct trace {
	/* machine: "ask", "conn", ...; from, to: names of states. NULL: no tracing. */
	void (*change)(void *arg, const char *machine, const char *from, const char *to, uint64_t now_ms);
	void *arg;
};

static inline void trace_change(const struct trace *trace, const char *machine, const char *from, const char *to,
				uint64_t now_ms)
{
	if (trace->change != NULL)
		trace->change(trace->arg, machine, from, to, now_ms);
}

#endif
