/* Everything that was found, told: to people as text or Markdown, to programs as JSON. */
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

/* False: it could not be written, or there was no memory for it. */
bool report_text(FILE *to, const struct report *report);
bool report_markdown(FILE *to, const struct report *report);
bool report_json(FILE *to, const struct report *report);

#endif
