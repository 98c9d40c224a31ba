/* What to type: for the server that was recognised, for whoever can put Thaw in front of it, and for its clients. */
#ifndef PROBE_CURES_H
#define PROBE_CURES_H

#include "probe/server.h"
#include "probe/verdict.h"

/* One thing that can be done: what it is, and the lines for it ("" between two; NULL ends them). */
struct cure {
	const char *what;
	const char *const *lines;
};

/* Of that kind of server; *count of them. Static. docs/cures.md tells more, under cures_anchor(). */
const struct cure *cures_of_server(enum server_kind kind, size_t *count);

/* Thaw in front of it. */
const struct cure *cures_of_thaw(void);

#define CURES_OF_CLIENT_MAX 5

/* What its clients can do about it, by what was found to work: most helpful first. The number of them. */
size_t cures_of_client(const struct findings *findings, struct cure cures[static CURES_OF_CLIENT_MAX]);

/* The section of docs/cures.md: "apache-httpd" */
const char *cures_anchor(enum server_kind kind);

#endif
