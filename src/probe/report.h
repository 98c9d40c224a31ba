/* Writes the findings as text, Markdown or JSON. */
#ifndef PROBE_REPORT_H
#define PROBE_REPORT_H

#include "probe/probe.h"
#include "probe/server.h"
#include "probe/verdict.h"

struct report {
	const struct findings *findings;
	const struct verdict *verdict;
	const struct server_guess *server;
};

/* False: write error, or out of memory. */
bool report_text(FILE *to, const struct report *report);
bool report_markdown(FILE *to, const struct report *report);
bool report_json(FILE *to, const struct report *report);

#endif
