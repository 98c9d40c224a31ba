/* The texts of refusals: for programs and their developers, and for visitors with a browser. */
#ifndef GATEWAY_PROBLEM_WORDS_H
#define GATEWAY_PROBLEM_WORDS_H

#include "gateway/problem.h"

struct gw_problem_words {
	unsigned status; /* 0: set by the verdict or the parser */
	const char *name, *detail, *cure;
	const char *heading; /* of the page: what happened */
	const char *steps;   /* what a visitor can do, one step per line */
};

const struct gw_problem_words *gw_problem_words(enum gw_problem problem);
const struct gw_problem_words *gw_reason_words(enum thaw_reason reason);

#endif
