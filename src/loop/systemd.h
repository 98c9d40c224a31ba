/*
 * What systemd is told, and what it hands over; without systemd all of this does nothing. Only the master calls it.
 */
#ifndef LOOP_SYSTEMD_H
#define LOOP_SYSTEMD_H

#include <sys/types.h>

#include "loop/listen.h"

struct systemd {
	struct handed handed; /* listening sockets (sd_listen_fds(3)) */
	uint64_t watchdog_ms; /* systemd_alive() at least that often; 0: no watchdog */
};

/* Reads the environment, and takes out of it what is only for this process. */
void systemd_begin(struct systemd *systemd);

/* Texts: one line for `systemctl status`. */
void systemd_ready(const char *status);
/* Another process is the main one from now on. */
void systemd_replaced(pid_t by);
void systemd_reloading(uint64_t now_ms);
/* limit_ms: how long it may take at most. */
void systemd_stopping(uint64_t limit_ms);
void systemd_alive(void);

#endif
