/*
 * The demonstration: the same large upload, sent to Thaw and to a server that freezes on it, and a table of what became
 * of each.
 *
 * Each run is four parties. A *server*: `thaw serve` as its user would start it (gateway.h), or the frozen one
 * (frozen.h). A *client*: the system's curl, or a write-first client (writer.h). Between them a *relay* (relay.h) that
 * counts, so that 'no progress' is seen the same way for all of them. All but the relay are processes of their own
 * (child.h), which end with this one.
 *
 * The frozen server is also served by itself (frozen_run()): a process that takes connections, and one for each of them
 * (visit.h).
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include "base/json_schema.h"
#include "thaw/types.h"

struct demo_options {
	const char *program; /* this very binary, to be run as the gateway */
	uint64_t upload;     /* bytes */
	uint64_t freeze_ms;  /* without progress: then it is frozen */
	bool json;
};

/*
 * Prints the table (or JSON) on standard output. THAW_OK: all that it showed holds: every upload to Thaw arrived whole
 * under the right identity, and the write-first uploads to the other server froze. THAW_FAILED: *err says what did not.
 */
enum thaw_status demo_run(const struct demo_options *options, struct thaw_error *err) THAW_MUST_CHECK;

#endif
