/*
 * A worker: one process with one event loop, which accepts connections and runs them until it is told to stop.
 */
#ifndef LOOP_WORKER_H
#define LOOP_WORKER_H

#include "gateway/gateway.h"
#include "loop/channel.h"
#include "loop/counts.h"
#include "loop/listen.h"
#include "loop/loads.h"
#include "loop/log.h"

struct scoreboard_worker;
struct pool_tls;

#define WORKER_GRACE_MS 5000 /* after stop_timeout, for clients to read that their request was not finished */

/* All borrowed, and this process's own copies of what the master made. */
struct worker_setup {
	unsigned number; /* its place in the quota and among the loads */
	const struct config *config;
	struct gateway *gateway;
	const struct pool_tls *upstream_tls;
	struct scoreboard_worker *scoreboard; /* NULL: nobody wants to see */
	struct away *away;
	struct throttle *throttle;
	thaw_quota *quota;
	const struct loads *loads;
	const struct counts *counts;
	unsigned workers; /* of this configuration */
	struct listeners *listeners;
	struct log *log;
	int signer; /* socket; -1: there is no signer process */
	struct channel_end master;
};

/*
 * Accepts connections once the master says so. SIGTERM: no more of them, those that are there end after their request.
 * After the configuration's stop_timeout, or once the master says so, requests under way are answered 503. Other
 * signals are left to the master. True: stopped as told.
 */
bool worker_run(const struct worker_setup *setup) THAW_MUST_CHECK;

#endif
