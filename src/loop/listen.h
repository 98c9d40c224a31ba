/*
 * The listening sockets: made by the master, shared by the workers. Each configuration has descriptors of its own; for
 * an address that the one before it had, too, they mean the same socket, so that no connection that waits to be
 * accepted is lost from one to the next.
 */
#ifndef LOOP_LISTEN_H
#define LOOP_LISTEN_H

#include "config/config.h"

struct handover;

struct listener {
	int fd;
	char *name;    /* "127.0.0.1:8443", "[::1]:8443", "unix:/path"; with the port that was really chosen */
	bool kept;     /* it is the socket of an earlier configuration */
	bool handed;   /* ... or of a service manager, whose business its file is then */
	bool borrowed; /* ... or of a process that this one is to replace, and that listens on it still */
};

struct listeners {
	const struct config *config; /* borrowed */
	struct listener *items;      /* as config->listens */
	size_t count;
	struct listener admin; /* config->admin; fd -1: none */
};

/* Listening sockets that this process was started with: so many descriptors from the first on. */
struct handed {
	int first;
	unsigned count;
	const struct handover *made; /* by the process that this one replaces; NULL: none */
};

/*
 * All, or none with *err set. before: of the configuration before (NULL: none). Each of the handed sockets must be of
 * one of the addresses.
 */
enum thaw_status listeners_open(struct listeners *listeners, const struct config *config,
				const struct listeners *before, const struct handed *handed,
				struct thaw_error *err) THAW_MUST_CHECK;

/*
 * The process that this one replaces listens no more: files of its sockets are ours now. Removes those of sockets that
 * nobody listens on any more, and closes what was handed over.
 */
void listeners_own(struct listeners *listeners, struct handover *handover);

/* No more connections for this process. */
void listeners_close(struct listeners *listeners);

/*
 * Closes, and removes the unix sockets' files, but those of the listeners that go on (NULL: none do): another may
 * listen there from now on. Only in the master.
 */
void listeners_withdraw(struct listeners *listeners, const struct listeners *go_on);

/* Closes what is open, and frees. */
void listeners_free(struct listeners *listeners);

void handed_close(const struct handed *handed);

#endif
