#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define SIGNALS (sizeof(signals) / sizeof(signals[0]))

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

/* While they are blocked a signal can arrive in wait_for_key() only, so that none is missed. */
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

/* What was caught now does what it would have done. */
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

/* One line. */
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
			return error_set(err, THAW_ERR_CONFIG, "it is longer than %zu bytes", room - 1);
		into[len++] = key;
	}
	return error_set(err, THAW_ERR_CONFIG, "nothing was entered");
}

enum thaw_status cli_secret_ask(void *arg, const char *what, char *into, size_t room, struct thaw_error *err)
{
	struct termios shown, hidden;
	struct guard guard;
	int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	(void)arg;
	if (tty < 0 || tcgetattr(tty, &shown) != 0) {
		if (tty >= 0)
			(void)close(tty);
		return error_set(err, THAW_ERR_CONFIG,
				 "a pass phrase or a PIN is needed, and there is no terminal to ask on");
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
	if (status != THAW_OK)
		explicit_bzero(into, room);
	return status;
}
