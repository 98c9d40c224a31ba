/* The listening sockets: made by the master, shared by the workers. */
#ifndef LOOP_LISTEN_H
#define LOOP_LISTEN_H

#include "config/config.h"

struct listener {
	int fd;
	char *name; /* "127.0.0.1:8443", "[::1]:8443", "unix:/path"; with the port that was really chosen */
};

struct listeners {
	const struct config *config; /* borrowed */
	struct listener *items;
	size_t count;
};

/* All, or none with *err set. */
enum thaw_status listeners_open(struct listeners *listeners, const struct config *config,
				struct thaw_error *err) THAW_MUST_CHECK;

/* No more connections for this process. */
void listeners_close(struct listeners *listeners);

/* Closes, and removes the unix sockets' files: another may listen there from now on. Only in the master. */
void listeners_withdraw(struct listeners *listeners);

/* Withdraws, and frees. Only in the master. */
void listeners_free(struct listeners *listeners);

#endif
