/* The sequence of a probe's questions. */
#ifndef PROBE_PLAN_H
#define PROBE_PLAN_H

#include "probe/findings.h"
#include "probe/probe.h"

struct plan;

/* options and findings must outlive it. NULL with *err set: out of memory. */
struct plan *plan_new(const struct probe_options *options, struct findings *findings, struct thaw_error *err);

/* Also frees the checks in the findings. */
void plan_free(struct plan **plan);

/* Answers all questions, or as many as the time allows. */
enum probe_failure plan_run(struct plan *plan, struct thaw_error *err);

#endif
