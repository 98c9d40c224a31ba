/*
 * The loop: all processes of `thaw serve`.
 *
 * The *master* (master.c) readies all that a configuration needs before there are any workers for it (generation.h):
 * the log (log.h, over sinks), the quota of the spool's budgets, the gateway with its certificates and ticket keys
 * (load.h), and the listening sockets (listen.h). Then it forks the *workers* (worker.h) and from there on only waits:
 * for signals, for `thaw reload` (control.h), and for workers that end, whose budgets it gives back and in whose place
 * it starts others (slots.h). A worker becomes the configured user first (privileges.h). It is an event loop, the only
 * one here, that accepts *connections* (connection.h) and steps each when its socket or its deadline says so.
 *
 *	SIGTERM, SIGINT  stop: no new connections, those that are there end after the request under way; again: at once
 *	SIGHUP           reload: a configuration is read, checked and readied in full, and its workers are started;
 *	                 then it is taken, and the old workers end what they have; or it is refused, and nothing
 *	                 has changed
 *	thaw upgrade     starts the program's file as another master on the same sockets, which takes over (upgrade.h)
 *	SIGUSR1          opens the access log's file anew
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "config/config.h"

struct loop_hooks {
	/* Once, in the master, when all workers run: where it listens, as "127.0.0.1:8443", "[::1]:8443" or
	 * "unix:/path", in the order of the configuration. NULL: not called. */
	void (*ready)(void *arg, const char *const *addresses, size_t count);
	/* For a reload: reads the configuration again, which the caller frees. NULL with *err set when it is wrong. No
	 * hook: there is nothing to read again. */
	struct config *(*load)(void *arg, struct thaw_error *err);
	/* Program and arguments by which `thaw upgrade` starts another one like this; NULL: it cannot. */
	char *const *argv;
	const char *file; /* the configuration, by which `thaw reload` may find this process; NULL: none */
	void *arg;
};

/*
 * Serves until it is told to stop; config outlives it. THAW_FAILED: it could not begin; of class THAW_ERR_CONFIG when
 * something that the configuration names could not be loaded.
 */
enum thaw_status loop_serve(const struct config *config, const struct loop_hooks *hooks,
			    struct thaw_error *err) THAW_MUST_CHECK;

/* What was to be served could not even be read: tells the process that this one was to replace, if there is one. */
void loop_cannot_begin(const struct thaw_error *err);

/* Loads all that loop_serve() would load, and listens on nothing. warn gets each warning; not called if it fails. */
enum thaw_status loop_check(const struct config *config, void (*warn)(void *arg, const char *text), void *arg,
			    struct thaw_error *err) THAW_MUST_CHECK;

#endif
