/* A refusal as an HTML page, for visitors who know nothing about TLS. It has the details that a visitor can give to the
 * operator. */
#ifndef GATEWAY_PROBLEM_PAGE_H
#define GATEWAY_PROBLEM_PAGE_H

#include "gateway/problem.h"

struct gw_problem_facts {
	const struct gw_asker *asker;
	unsigned status;
	const char *reason, *heading, *detail;
	const char *steps;    /* one per line */
	const char *location; /* URL to use instead; or NULL */
};

/* Content-Security-Policy: nothing is loaded, run, framed or submitted; the hash is that of the page's style. */
#define GW_PAGE_POLICY                                                                                           \
	"default-src 'none'; style-src 'sha256-fTO7e176H5CVeFvDlf3+ty8CBL5Z+MbgwqiKArGlFBU='; base-uri 'none'; " \
	"form-action 'none'; frame-ancestors 'none'"

/* The caller frees it; NULL: out of memory. */
#define GW_PAGE_MAX 1048576 /* a redirection contains the request's whole target, escaped */
char *gw_problem_page(const struct gw_problem_facts *facts, size_t *len);

#endif
