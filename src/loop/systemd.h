/* Notifications to systemd, and sockets from it. Without systemd all of this does nothing. Only the master calls it. */
#ifndef LOOP_SYSTEMD_H
#define LOOP_SYSTEMD_H

#include <sys/types.h>

#include "loop/listen.h"

struct systemd {
	struct handed handed; /* listening sockets (sd_listen_fds(3)) */
	uint64_t watchdog_ms; /* longest time between two calls of systemd_alive(); 0: no watchdog */
};

/* Reads systemd's environment variables, and removes them. */
void systemd_begin(struct systemd *systemd);

/* status: one line for `systemctl status`. */
void systemd_ready(const char *status);
/* The same line, at any other time. */
void systemd_status(const char *status);
/* Another process is the main process from now on. */
void systemd_replaced(pid_t by);
void systemd_reloading(uint64_t now_ms);
/* limit_ms: how long stopping may take at most. */
void systemd_stopping(uint64_t limit_ms);
void systemd_alive(void);

#endif
