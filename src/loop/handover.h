/*
 * What a master hands to the process that is to replace it: the listening sockets that it has made itself, and a socket
 * on which both talk (upgrade.h). Descriptors are inherited over exec(2); which is which is said in the environment,
 * bound to the process's id. Sockets of a service manager go on as they came (sd_listen_fds(3)).
 */
#ifndef LOOP_HANDOVER_H
#define LOOP_HANDOVER_H

#include "thaw/types.h"

struct listeners;

struct handover_socket {
	int fd;
	char *address; /* as its configuration spelled it */
};

struct handover {
	int link; /* to the process that is replaced; -1: none is */
	struct handover_socket *sockets;
	size_t count;
};

/* Reads the environment, and takes out of it what is only for this process. Nothing, unless it was started so. */
void handover_take(struct handover *handover);

/* Closes the sockets, of which their users have duplicates. link is the caller's. */
void handover_close(struct handover *handover);

/*
 * In a process that is about to execute another program, which inherits all of these. handed: how many sockets a
 * service manager has given, from descriptor 3 on. False: errno tells.
 */
bool handover_give(const struct listeners *listeners, int link, unsigned handed, uint64_t watchdog_ms) THAW_MUST_CHECK;

#endif
