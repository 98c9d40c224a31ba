/*
 * The loop: all processes of `thaw serve`.
 *
 * The *master* (master.c) prepares all that a configuration needs before it starts workers for it (generation.h): the
 * log (log.h, over sinks), the quota of the spool's budgets, the gateway with its certificates and ticket keys
 * (load.h), and the listening sockets (listen.h). Then it forks the *workers* (worker.h). From then on it only waits:
 * for signals, for `thaw reload` (control.h), and for workers that end. It gives back their budgets and replaces them
 * (slots.h). A worker becomes the configured user first (privileges.h). It is an event loop that accepts *connections*
 * (connection.h), and steps each when its socket is ready or its deadline has come.
 *
 *	SIGTERM, SIGINT  stop: no new connections; open ones end after the request under way; again: at once
 *	SIGHUP           reload: reads, checks and prepares a configuration in full, and starts its workers. Then it
 *	                 serves, and the old workers finish their requests. If it is refused, nothing changes.
 *	thaw upgrade     starts the program file as another master on the same sockets, which takes over (upgrade.h)
 *	SIGUSR1          opens the access log file again
 */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "config/config.h"

struct loop_hooks {
	/* Called once, in the master, when all workers run. addresses: where it listens, as "127.0.0.1:8443",
	 * "[::1]:8443" or "unix:/path", in the order of the configuration. NULL: not called. */
	void (*ready)(void *arg, const char *const *addresses, size_t count);
	/* Called for a reload: reads the configuration again. The caller frees it. Returns NULL with *err set if it is
	 * invalid. NULL: there is no configuration to read again. */
	struct config *(*load)(void *arg, struct thaw_error *err);
	/* Program and arguments that `thaw upgrade` starts; NULL: it is not supported. */
	char *const *argv;
	const char *file; /* the configuration file, by which `thaw reload` finds this process; NULL: none */
	void *arg;
};

/*
 * Serves until it is told to stop. config must outlive the call. THAW_FAILED: it could not start; the class is
 * THAW_ERR_CONFIG if something that the configuration names could not be loaded.
 */
enum thaw_status loop_serve(const struct config *config, const struct loop_hooks *hooks,
			    struct thaw_error *err) THAW_MUST_CHECK;

/* For a configuration that could not even be read: reports the error to the process that this one was to replace, if
 * any. */
void loop_cannot_begin(const struct thaw_error *err);

/* Loads all that loop_serve() would load, but does not listen. Calls warn() for each warning, unless loading fails. */
enum thaw_status loop_check(const struct config *config, void (*warn)(void *arg, const char *text), void *arg,
			    struct thaw_error *err) THAW_MUST_CHECK;

#endif
