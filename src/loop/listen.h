/*
 * The listening sockets. The master creates them, and the workers share them. Each configuration has its own
 * descriptors. If the previous configuration had the same address, both descriptors refer to the same socket, so that
 * no waiting connection is lost at a reload.
 */
#ifndef LOOP_LISTEN_H
#define LOOP_LISTEN_H

#include "config/config.h"

struct handover;

struct listener {
	int fd;
	char *name;    /* "127.0.0.1:8443", "[::1]:8443", "unix:/path"; with the actual port */
	bool kept;     /* it is the socket of the previous configuration */
	bool handed;   /* it is from a service manager, which also owns its file */
	bool borrowed; /* it is from the process that this one replaces, which still listens on it */
};

struct listeners {
	const struct config *config; /* borrowed */
	struct listener *items;      /* one for each of config->listens */
	size_t count;
	struct listener admin; /* for config->admin; fd -1: none */
};

/* Listening sockets that this process was started with: count descriptors, beginning with first. */
struct handed {
	int first;
	unsigned count;
	const struct handover *made; /* those of the process that this one replaces; NULL: none */
};

/*
 * Opens all sockets, or none with *err set. before: those of the previous configuration; NULL: none. Each handed socket
 * must match one of the addresses.
 */
enum thaw_status listeners_open(struct listeners *listeners, const struct config *config,
				const struct listeners *before, const struct handed *handed,
				struct thaw_error *err) THAW_MUST_CHECK;

/*
 * Call this when this process takes over from the one that it replaces: the socket files now belong to this process.
 * Removes the files of sockets that this process does not listen on, and closes the sockets that were handed over.
 */
void listeners_own(struct listeners *listeners, struct handover *handover);

/* Closes the sockets in this process. */
void listeners_close(struct listeners *listeners);

/*
 * Closes the sockets, and removes the files of unix sockets, except those that go_on has, too (NULL: none). Then other
 * processes may listen there. Only in the master.
 */
void listeners_withdraw(struct listeners *listeners, const struct listeners *go_on);

/* Closes the open sockets, and frees everything. */
void listeners_free(struct listeners *listeners);

void handed_close(const struct handed *handed);

#endif
