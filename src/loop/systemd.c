#include "loop/systemd.h"

#include <inttypes.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

void systemd_begin(struct systemd *systemd)
{
	uint64_t watchdog_us = 0;
	int count = sd_listen_fds(1);

	*systemd = (struct systemd){.handed = {.first = SD_LISTEN_FDS_START, .count = count > 0 ? (unsigned)count : 0}};
	if (sd_watchdog_enabled(1, &watchdog_us) > 0)
		systemd->watchdog_ms = watchdog_us / 1000;
}

/* Errors of sd_notify() are ignored, because systemd notices by itself what it must. */
void systemd_ready(const char *status)
{
	/* Only the first line, because a line break would begin another assignment. */
	(void)sd_notifyf(0, "READY=1\nMAINPID=%d\nSTATUS=%.*s", (int)getpid(), (int)strcspn(status, "\r\n"), status);
}

void systemd_status(const char *status)
{
	(void)sd_notifyf(0, "STATUS=%.*s", (int)strcspn(status, "\r\n"), status);
}

void systemd_replaced(pid_t by)
{
	(void)sd_notifyf(0, "MAINPID=%d", (int)by);
}

void systemd_reloading(uint64_t now_ms)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=reloading the configuration",
			 (now_ms + 1) * 1000); /* rounded up: the time must not be before the request */
}

void systemd_stopping(uint64_t limit_ms)
{
	(void)sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRIu64 "\nSTATUS=stopping, finishing current requests",
			 limit_ms * 1000);
}

void systemd_alive(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}
