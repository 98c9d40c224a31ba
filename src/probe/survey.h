/* The questions that a probe asks, in their order. */
#ifndef PROBE_SURVEY_H
#define PROBE_SURVEY_H

#include "probe/findings.h"
#include "probe/probe.h"

struct survey;

/* options and findings outlive it. NULL: no memory, with *err set. */
struct survey *survey_new(const struct probe_options *options, struct findings *findings, struct thaw_error *err);

/* The trials in the findings go with it. */
void survey_free(struct survey **survey);

/* Asks them all, or as many as there is time for. */
enum probe_failure survey_run(struct survey *survey, struct thaw_error *err);

#endif
