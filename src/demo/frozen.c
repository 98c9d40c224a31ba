#include "demo/frozen.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/socket.h"
#include "demo/child.h"
#include "demo/visit.h"

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
	(void)number;
	stopped = 1;
}

/* Interrupts ppoll() when a child has ended. */
static void on_child(int number)
{
	(void)number;
}

/* From here on these signals are delivered only while ppoll() waits with the mask *waiting, so that none is missed. */
static void mind_signals(sigset_t *waiting)
{
	struct sigaction stop = {.sa_handler = on_stop}, child = {.sa_handler = on_child};
	sigset_t held;

	(void)sigemptyset(&held);
	(void)sigaddset(&held, SIGTERM);
	(void)sigaddset(&held, SIGINT);
	(void)sigaddset(&held, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &held, NULL);
	(void)sigemptyset(waiting);
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGCHLD, &child, NULL);
}

/* Collects processes that have ended; returns the number of those that still run. */
static unsigned reap(unsigned visits)
{
	int status = 0;

	while (visits > 0 && waitpid(-1, &status, WNOHANG) > 0) {
		visits--;
		if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK)
			(void)fprintf(stderr, "thaw: error: a connection's process failed (wait status %d)\n", status);
	}
	return visits;
}

/* Starts a process for one connection. Returns whether it runs. */
static bool begin(const struct visit_context *context, const struct frozen_options *options, const sigset_t *mask,
		  int fd)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		bool bound = child_bind(parent);
		(void)sigprocmask(SIG_SETMASK, mask, NULL);
		(void)close(options->listener);
		_exit(bound ? visit_serve(context, fd) : EX_OSERR);
	}
	if (pid < 0)
		(void)fprintf(stderr, "thaw: error: cannot start a process: %s\n", strerror(errno));
	(void)close(fd);
	return pid > 0;
}

static void serve(const struct visit_context *context, const struct frozen_options *options)
{
	sigset_t waiting;
	unsigned visits = 0;

	mind_signals(&waiting);
	while (!stopped) {
		struct pollfd fd = {.fd = options->listener, .events = POLLIN};
		/* At the maximum number of connections, only wait for one to end. */
		int ready = ppoll(&fd, visits < FROZEN_VISITS_MAX ? 1 : 0, NULL, &waiting);
		visits = reap(visits);
		if (ready <= 0)
			continue;
		int visitor = socket_accept(options->listener, NULL);
		if (visitor >= 0)
			visits += begin(context, options, &waiting, visitor);
	}
}

int frozen_run(void *arg)
{
	const struct frozen_options *options = arg;
	char certificate[PATH_MAX], key[PATH_MAX], ca[PATH_MAX];
	struct thaw_error err = {0};

	(void)snprintf(certificate, sizeof(certificate), "%s/server.pem", options->pki);
	(void)snprintf(key, sizeof(key), "%s/server.key", options->pki);
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", options->pki);
	thaw_trust *trust = NULL;
	enum thaw_status status = thaw_trust_load(ca, NULL, &trust, &err);
	thaw_trust *trusts[] = {trust};
	static const char *const names[] = {"*", NULL};
	struct tls_host host = {
		.names = names, .certificate = certificate, .key = key, .trusts = trusts, .trust_count = 1};
	struct tls_server *server = status == THAW_OK ? tls_server_new(&host, 1, &err) : NULL;
	struct visit_context context = {server, trust, options->read_ahead, options->limit_s};
	if (server != NULL)
		serve(&context, options);
	else
		(void)fprintf(stderr, "thaw: error: %s\n", err.text);
	int code = server != NULL ? EX_OK : EX_SOFTWARE;
	tls_server_free(&server);
	thaw_trust_free(&trust);
	return code;
}
