#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/values.h"
#include "tls/secret_file.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

/* Restores the terminal after a signal. The signals are blocked except in wait_for_key(), so that none is missed. */
struct guard {
	sigset_t before;
	struct sigaction old[SIGNALS];
};

static void guard_begin(struct guard *guard)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t blocked;

	(void)sigemptyset(&blocked);
	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaddset(&blocked, signals[i]);
	caught = 0;
	(void)sigprocmask(SIG_BLOCK, &blocked, &guard->before);
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaction(signals[i], &action, &guard->old[i]);
}

/* Raises the caught signal again, with its original effect. */
static void guard_end(const struct guard *guard)
{
	for (size_t i = 0; i < SIGNALS; i++)
		(void)sigaction(signals[i], &guard->old[i], NULL);
	if (caught != 0)
		(void)raise(caught);
	(void)sigprocmask(SIG_SETMASK, &guard->before, NULL);
}

static bool wait_for_key(int tty, const sigset_t *mask)
{
	struct pollfd fd = {.fd = tty, .events = POLLIN};
	int ready;

	do
		ready = ppoll(&fd, 1, NULL, mask);
	while (ready < 0 && errno == EINTR && caught == 0);
	return ready > 0;
}

/* Reads one line. */
static enum thaw_status read_line(int tty, const sigset_t *mask, char *into, size_t room, struct thaw_error *err)
{
	size_t len = 0;

	while (wait_for_key(tty, mask)) {
		char key;
		if (read(tty, &key, 1) != 1)
			break;
		if (key == '\n' || key == '\r') {
			into[len] = '\0';
			return THAW_OK;
		}
		if (len + 1 == room)
			return error_set(err, THAW_ERR_CONFIG, "the input is longer than %zu bytes", room - 1);
		into[len++] = key;
	}
	return error_set(err, THAW_ERR_CONFIG, "nothing was entered");
}

static enum thaw_status ask_terminal(const char *what, char *into, size_t room, struct thaw_error *err)
{
	struct termios shown, hidden;
	struct guard guard;
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (tty < 0 || tcgetattr(tty, &shown) != 0) {
		if (tty >= 0)
			(void)close(tty);
		return error_set(err, THAW_ERR_CONFIG,
				 "a pass phrase or PIN is required, but there is no terminal; use --pass");
	}
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	hidden.c_lflag |= ICANON;
	guard_begin(&guard);
	(void)tcsetattr(tty, TCSAFLUSH, &hidden);
	(void)dprintf(tty, "thaw: enter %s: ", what);
	enum thaw_status status = read_line(tty, &guard.before, into, room, err);
	(void)dprintf(tty, "\n");
	(void)tcsetattr(tty, TCSAFLUSH, &shown);
	guard_end(&guard);
	(void)close(tty);
	return status;
}

/* ---- sources ---- */

static const char *value_of(const char *source, const char *kind)
{
	size_t len = strlen(kind);

	return strncmp(source, kind, len) == 0 && source[len] != '\0' ? source + len : NULL;
}

static int number_of(const char *text)
{
	uint64_t number = 0;

	return cli_read_number(text, 0, INT_MAX, &number) ? (int)number : -1;
}

bool cli_secret_is_source(const char *text)
{
	const char *fd = value_of(text, "fd:");

	return value_of(text, "file:") != NULL || value_of(text, "env:") != NULL || (fd != NULL && number_of(fd) >= 0);
}

/* Reads single bytes, so that the data after the line stays in the descriptor, such as the file to send. */
static enum thaw_status read_fd(int fd, char *into, size_t room, struct thaw_error *err)
{
	size_t len = 0;
	char byte = '\0';
	ssize_t got;

	while ((got = read(fd, &byte, 1)) == 1 && byte != '\n') {
		if (len + 1 == room)
			return error_set(err, THAW_ERR_CONFIG, "descriptor %d: the line is longer than %zu bytes", fd,
					 room - 1);
		into[len++] = byte;
	}
	if (got < 0)
		return error_system(err, errno, "descriptor %d", fd);
	into[len > 0 && into[len - 1] == '\r' ? len - 1 : len] = '\0';
	return len > 0 ? THAW_OK : error_set(err, THAW_ERR_CONFIG, "descriptor %d: no pass phrase found", fd);
}

static enum thaw_status read_variable(const char *name, char *into, size_t room, struct thaw_error *err)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		return error_set(err, THAW_ERR_CONFIG, "the environment variable '%s' is not set or is empty", name);
	if (strlen(value) >= room)
		return error_set(err, THAW_ERR_CONFIG, "the environment variable '%s' is longer than %zu bytes", name,
				 room - 1);
	memcpy(into, value, strlen(value) + 1);
	return THAW_OK;
}

static enum thaw_status read_source(char *source, const char *what, char *into, size_t room, struct thaw_error *err)
{
	const char *name;

	if ((name = value_of(source, "env:")) != NULL)
		return read_variable(name, into, room, err);
	if ((name = value_of(source, "fd:")) != NULL)
		return read_fd(number_of(name), into, room, err);
	return tls_secret_file_ask(source + strlen("file:"), what, into, room, err);
}

enum thaw_status cli_secret_ask(void *arg, const char *what, char *into, size_t room, struct thaw_error *err)
{
	enum thaw_status status =
		arg != NULL ? read_source(arg, what, into, room, err) : ask_terminal(what, into, room, err);

	if (status != THAW_OK)
		explicit_bzero(into, room);
	return status;
}

void cli_secret_forget(const char *source)
{
	const char *name = source != NULL ? value_of(source, "env:") : NULL;
	char *value = name != NULL ? getenv(name) : NULL;

	if (value == NULL)
		return;
	cli_secret_hide(value);
	(void)unsetenv(name);
}

void cli_secret_hide(char *argument)
{
	explicit_bzero(argument, strlen(argument));
}

void cli_secret_free(char **secret)
{
	if (*secret != NULL)
		cli_secret_hide(*secret);
	free(*secret);
	*secret = NULL;
}
