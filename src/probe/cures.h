/* Instructions: for the detected server, for an operator who can put Thaw in front of it, and for clients. */
#ifndef PROBE_CURES_H
#define PROBE_CURES_H

#include "probe/server.h"
#include "probe/verdict.h"

/* One instruction: a sentence, and lines to type ("" separates blocks; NULL ends them). */
struct cure {
	const char *what;
	const char *const *lines;
};

/* For this kind of server; *count of them. Static. More is in docs/cures.md, under cures_anchor(). */
const struct cure *cures_of_server(enum server_kind kind, size_t *count);

/* How to put Thaw in front of it. */
const struct cure *cures_of_thaw(void);

#define CURES_OF_CLIENT_MAX 5

/* What clients can do, according to the findings; most useful first. Returns the number. */
size_t cures_of_client(const struct findings *findings, struct cure cures[static CURES_OF_CLIENT_MAX]);

/* The section of docs/cures.md: "apache-httpd" */
const char *cures_anchor(enum server_kind kind);

#endif
