/*
 * The loop: all processes of `thaw serve`.
 *
 * The *master* (master.c) makes what is shared before there are any workers: the log (log.h, over sinks), the ledger
 * of the spool's budgets, the gateway with its certificates and ticket keys, and the listening sockets (listen.h). Then
 * it forks the *workers* (worker.h) and from there on only waits: for signals, and for workers that end, whose budgets
 * it gives back and in whose place it starts others (slots.h). A worker is an event loop, the only one here, that
 * accepts *connections* (connection.h) and steps each when its socket or its deadline says so.
 *
 *	SIGTERM, SIGINT  stop: no new connections, those that are there end after the request under way; again: at once
 *	SIGHUP           ignored, with a message: reload is not there yet
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "config/config.h"

struct loop_hooks {
	/* Once, in the master, when all workers run: where it listens, as "127.0.0.1:8443", "[::1]:8443" or
	 * "unix:/path", in the order of the configuration. NULL: not called. */
	void (*ready)(void *arg, const char *const *addresses, size_t count);
	void *arg;
};

/*
 * Serves until it is told to stop; config outlives it. THAW_FAILED: it could not begin; of class THAW_ERR_CONFIG when
 * something that the configuration names could not be loaded.
 */
enum thaw_status loop_serve(const struct config *config, const struct loop_hooks *hooks,
			    struct thaw_error *err) THAW_MUST_CHECK;

/* Loads all that loop_serve() would load, and listens on nothing. */
enum thaw_status loop_check(const struct config *config, struct thaw_error *err) THAW_MUST_CHECK;

#endif
