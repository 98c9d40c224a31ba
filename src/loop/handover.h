/*
 * What a master hands over to the process that replaces it: the listening sockets that it has created itself, and a
 * socket for messages between the two (upgrade.h). The descriptors are inherited over exec(2). An environment variable
 * says which is which; it is valid only for one process id. Sockets from a service manager are passed on unchanged
 * (sd_listen_fds(3)).
 */
#ifndef LOOP_HANDOVER_H
#define LOOP_HANDOVER_H

#include "thaw/types.h"

struct listeners;

struct handover_socket {
	int fd;
	char *address; /* as written in its configuration */
};

struct handover {
	int link; /* to the process that is replaced; -1: there is none */
	struct handover_socket *sockets;
	size_t count;
};

/* Reads the environment variable and removes it. The result is empty if this process does not replace another one. */
void handover_take(struct handover *handover);

/* Closes the sockets; their users have duplicates. The caller keeps link. */
void handover_close(struct handover *handover);

/*
 * Call this in a process that is about to execute another program, which inherits all of these. handed: how many
 * sockets a service manager has passed, from descriptor 3 on. On failure returns false and sets errno.
 */
bool handover_give(const struct listeners *listeners, int link, unsigned handed, uint64_t watchdog_ms) THAW_MUST_CHECK;

#endif
