/*
 * A worker: one process with one event loop, which accepts connections and runs them until it is told to stop.
 */
#ifndef LOOP_WORKER_H
#define LOOP_WORKER_H

#include "gateway/gateway.h"
#include "loop/listen.h"
#include "loop/log.h"

struct loads;

/* How long requests under way may take once a stop was asked for. */
#define WORKER_STOP_MS 30000

/* All borrowed, and this process's own copies of what the master made. */
struct worker_setup {
	unsigned number; /* its place in the ledger */
	const struct config *config;
	struct gateway *gateway;
	thaw_ledger *ledger;
	struct loads *loads;
	struct listeners *listeners;
	struct log *log;
	int ready_fd; /* its number is written there, as an unsigned, once it runs */
};

/*
 * SIGTERM: no more connections, those that are there end after their request, at the latest after WORKER_STOP_MS.
 * SIGINT and SIGHUP, which a terminal sends to all processes, are left to the master. True: stopped as told.
 */
bool worker_run(const struct worker_setup *setup) THAW_MUST_CHECK;

#endif
