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
#include "loop/signatures.h"

struct scoreboard_worker;
struct pool_tls;

#define WORKER_GRACE_MS 5000 /* ms after stop_timeout, for clients to read the 503 */

/* All borrowed. They are this process's copies of the master's objects. */
struct worker_setup {
	unsigned number; /* its place in the quota, the loads and the counts */
	const struct config *config;
	struct gateway *gateway;
	const struct pool_tls *upstream_tls;
	struct scoreboard_worker *scoreboard; /* NULL: not used */
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
 * Accepts connections once the master says so. After SIGTERM it accepts no more, and open ones end after their request.
 * After stop_timeout, or when the master says so, requests under way are answered with 503. Other signals are for the
 * master. True: it stopped as requested. False: it could not start.
 */
bool worker_run(const struct worker_setup *setup) THAW_MUST_CHECK;

#endif
