/*
 * The demo: sends the same large upload to Thaw and to a server that freezes on it, and prints a table of the
 * outcomes.
 *
 * Each run has three parties. A *server*: `thaw serve` as a user would start it (stage.h), or the frozen server
 * (frozen.h). A *client*: the system's curl, or a write-first client (writer.h). Between them a *relay* (relay.h) that
 * counts bytes, so that missing progress is detected in the same way for all. Server and client are separate processes
 * (child.h), which end with this one.
 *
 * The frozen server can also run alone (frozen_run()): one process accepts connections, and each connection has a
 * process (visit.h).
 */
#ifndef DEMO_DEMO_H
#define DEMO_DEMO_H

#include "base/json_schema.h"
#include "thaw/types.h"

struct demo_options {
	const char *program; /* this program, to run as the gateway */
	uint64_t upload;     /* bytes */
	uint64_t freeze_ms;  /* without progress for this time, an upload is frozen */
	bool json;
};

/*
 * Prints the table, or JSON, on standard output. THAW_OK: every upload to Thaw arrived complete and with the right
 * identity, and the write-first uploads to the other server froze. THAW_FAILED: *err says what did not hold.
 */
enum thaw_status demo_run(const struct demo_options *options, struct thaw_error *err) THAW_MUST_CHECK;

#endif
