#include "loop/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "loop/listen.h"

#define NAME        "THAW_HANDOVER" /* a line "PID LINK", then a line "DESCRIPTOR ADDRESS" for each socket */
#define NUMBER_TEXT 24

/* ---- in the successor ---- */

/* Parses the number of an open descriptor at *at, followed by `end`. -1: there is none. */
static int take_fd(const char **at, char end)
{
	char *behind;
	long fd = strtol(*at, &behind, 10);

	if (behind == *at || *behind != end || fd < 0 || fd > INT32_MAX || fcntl((int)fd, F_GETFD) < 0)
		return -1;
	*at = behind + 1;
	(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	return (int)fd;
}

static bool take_socket(struct handover *handover, const char **at)
{
	struct handover_socket *more = realloc(handover->sockets, (handover->count + 1) * sizeof(*handover->sockets));
	int fd = take_fd(at, ' ');
	const char *end = strchr(*at, '\n');

	if (more != NULL)
		handover->sockets = more;
	if (more == NULL || fd < 0 || end == NULL)
		return false;
	char *address = strndup(*at, (size_t)(end - *at));
	if (address == NULL)
		return false;
	more[handover->count++] = (struct handover_socket){.fd = fd, .address = address};
	*at = end + 1;
	return true;
}

void handover_take(struct handover *handover)
{
	const char *at = getenv(NAME);
	char *behind;

	*handover = (struct handover){.link = -1};
	if (at == NULL)
		return;
	if (strtol(at, &behind, 10) == (long)getpid() && *behind == ' ') {
		at = behind + 1;
		handover->link = take_fd(&at, '\n');
		while (*at != '\0' && take_socket(handover, &at))
			;
	}
	(void)unsetenv(NAME);
}

void handover_close(struct handover *handover)
{
	for (size_t i = 0; i < handover->count; i++) {
		(void)close(handover->sockets[i].fd);
		free(handover->sockets[i].address);
	}
	free(handover->sockets);
	handover->sockets = NULL;
	handover->count = 0;
}

/* ---- in the process that is about to execute the successor ---- */

static bool inherit(int fd)
{
	return fcntl(fd, F_SETFD, 0) == 0;
}

static bool give_socket(FILE *out, const struct listener *listener, const struct config_listen *listen)
{
	if (listener->fd < 0 || listener->handed || strchr(listen->address, '\n') != NULL)
		return true;
	return inherit(listener->fd) && fprintf(out, "%d %s\n", listener->fd, listen->address) > 0;
}

static bool set_number(const char *name, uint64_t number)
{
	char text[NUMBER_TEXT];

	(void)snprintf(text, sizeof(text), "%" PRIu64, number);
	return setenv(name, text, 1) == 0;
}

static bool give_systemd(unsigned handed, uint64_t watchdog_ms)
{
	bool well = true;

	for (unsigned i = 0; i < handed; i++)
		well = inherit(SD_LISTEN_FDS_START + (int)i) && well;
	if (handed > 0)
		well = set_number("LISTEN_FDS", handed) && set_number("LISTEN_PID", (uint64_t)getpid()) && well;
	if (watchdog_ms > 0)
		well = set_number("WATCHDOG_USEC", watchdog_ms * 1000) &&
		       set_number("WATCHDOG_PID", (uint64_t)getpid()) && well;
	return well;
}

bool handover_give(const struct listeners *listeners, int link, unsigned handed, uint64_t watchdog_ms)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool well = out != NULL && inherit(link) && fprintf(out, "%d %d\n", (int)getpid(), link) > 0;

	for (size_t i = 0; well && i < listeners->count; i++)
		well = give_socket(out, &listeners->items[i], &listeners->config->listens[i]);
	if (well && listeners->admin.fd >= 0)
		well = give_socket(out, &listeners->admin, listeners->config->admin);
	if (out != NULL)
		well = fclose(out) == 0 && well;
	well = well && setenv(NAME, text, 1) == 0 && give_systemd(handed, watchdog_ms);
	free(text);
	return well;
}
