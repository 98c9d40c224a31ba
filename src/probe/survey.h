/* The sequence of a probe's questions. */
#ifndef PROBE_SURVEY_H
#define PROBE_SURVEY_H

#include "probe/findings.h"
#include "probe/probe.h"

struct survey;

/* options and findings must outlive it. NULL with *err set: out of memory. */
struct survey *survey_new(const struct probe_options *options, struct findings *findings, struct thaw_error *err);

/* Also frees the trials in the findings. */
void survey_free(struct survey **survey);

/* Answers all questions, or as many as the time allows. */
enum probe_failure survey_run(struct survey *survey, struct thaw_error *err);

#endif
