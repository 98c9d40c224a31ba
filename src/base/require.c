#include "base/require.h"

#include <stddef.h>
#include <stdlib.h>

static struct {
	require_fn *fn;
	void *arg;
} report;

void require_report(require_fn *fn, void *arg)
{
	report.fn = fn;
	report.arg = arg;
}

bool require_transition(bool allowed, const char *machine, const char *from, const char *to)
{
	if (allowed)
		return true;
	if (report.fn != NULL)
		report.fn(report.arg, machine, from, to);
#ifndef NDEBUG
	else
		abort();
#endif
	return false;
}
