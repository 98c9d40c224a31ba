/* Evaluates the findings: problems with weights, and a verdict in one line. */
#ifndef PROBE_VERDICT_H
#define PROBE_VERDICT_H

#include "probe/findings.h"
#include "probe/probe.h"
#include "probe/server.h"

#define VERDICT_TEXT_MAX     400
#define VERDICT_PROBLEMS_MAX 24
#define VERDICT_NOTES_MAX    16

struct verdict_problem {
	enum probe_verdict weight; /* LIMITED, FREEZES or UNTOLD */
	unsigned versions;         /* bits of FIND_12 and FIND_13 to which it applies; 0: independent of the version */
	char text[VERDICT_TEXT_MAX]; /* begins with "over TLS ..." */
};

struct verdict {
	enum probe_verdict code;
	char line[VERDICT_TEXT_MAX + 64];
	struct verdict_problem problems[VERDICT_PROBLEMS_MAX]; /* the worst first */
	size_t count;
	struct verdict_problem notes[VERDICT_NOTES_MAX]; /* other facts, not problems of late certificates */
	size_t note_count;
};

void verdict_make(const struct findings *findings, const struct server_guess *server, struct verdict *verdict);

/* "no problem", "limited", "freezes", "could not tell". */
const char *verdict_name(enum probe_verdict code);

/* "1,048,576"; points into the caller's buffer. */
#define VERDICT_NUMBER_MAX 32
const char *verdict_number(uint64_t number, char text[static VERDICT_NUMBER_MAX]);

/* "413", "a freeze", "an alert (certificate_required)" ... */
#define VERDICT_OUTCOME_MAX 96
const char *verdict_outcome(const struct check_result *result, char text[static VERDICT_OUTCOME_MAX]);

/* "a client that reads while it writes" */
const char *verdict_style(enum check_style style);

#endif
