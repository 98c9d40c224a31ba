#include "demo/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

#define POLITE_MS 1000

bool child_bind(pid_t parent)
{
	(void)signal(SIGINT, SIG_DFL); /* even if the parent ignores them */
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGCHLD, SIG_DFL);
	return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == parent;
}

/* In the new process: makes it end with its parent, and connects the pipe to one of its streams. False: failed. */
static bool become_child(pid_t parent, int pipe_end, enum child_stream stream)
{
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	int other = stream == CHILD_STDOUT ? STDERR_FILENO : STDOUT_FILENO;

	return child_bind(parent) && nowhere >= 0 && dup2(nowhere, STDIN_FILENO) >= 0 && dup2(nowhere, other) >= 0 &&
	       dup2(pipe_end, stream == CHILD_STDOUT ? STDOUT_FILENO : STDERR_FILENO) >= 0;
}

/* Like fork(); the child does not change *child. -1 with *err set. */
static pid_t begin(struct child *child, enum child_stream stream, struct thaw_error *err)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0) {
		(void)error_system(err, errno, "cannot make a pipe");
		return -1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		if (!become_child(parent, ends[1], stream))
			_exit(EXIT_FAILURE);
		return 0;
	}
	(void)close(ends[1]);
	if (pid < 0) {
		(void)error_system(err, errno, "cannot start a process");
		(void)close(ends[0]);
		return -1;
	}
	*child = (struct child){.pid = pid, .out = ends[0]};
	return pid;
}

enum thaw_status child_spawn(struct child *child, const char *const argv[], enum child_stream stream,
			     struct thaw_error *err)
{
	pid_t pid = begin(child, stream, err);

	if (pid == 0) {
		(void)execvp(argv[0],
			     (char *const *)(uintptr_t)argv); /* POSIX: execvp() does not change the arguments */
		_exit(errno == ENOENT ? 127 : 126);
	}
	return pid > 0 ? THAW_OK : THAW_FAILED;
}

enum thaw_status child_fork(struct child *child, int (*run)(void *arg), void *arg, struct thaw_error *err)
{
	pid_t pid = begin(child, CHILD_STDOUT, err);

	if (pid == 0)
		_exit(run(arg));
	return pid > 0 ? THAW_OK : THAW_FAILED;
}

size_t child_read(struct child *child, char *text, size_t room, const char *needle, int timeout_ms)
{
	uint64_t until = clock_now_ms() + (uint64_t)timeout_ms, now;
	size_t len = 0;

	text[0] = '\0';
	while (len + 1 < room && (now = clock_now_ms()) < until) {
		struct pollfd poll_fd = {.fd = child->out, .events = POLLIN};
		if (poll(&poll_fd, 1, (int)(until - now)) <= 0)
			continue;
		ssize_t got = read(child->out, text + len, room - len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += (size_t)got;
		text[len] = '\0';
		const char *found = needle != NULL ? strstr(text, needle) : NULL;
		if (found != NULL && strchr(found, '\n') != NULL)
			break;
	}
	return len;
}

static void forget(struct child *child)
{
	child->pid = 0;
	if (child->out >= 0)
		(void)close(child->out);
	child->out = -1;
}

bool child_ended(struct child *child, int *code)
{
	int status = 0;

	if (child->pid == 0 || waitpid(child->pid, &status, WNOHANG) != child->pid)
		return false;
	child->pid = 0;
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

/* Whether the process has ended within that time. */
static bool wait_for(struct child *child, int timeout_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, child->pid, 0), code = 0;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	if (fd >= 0) {
		(void)poll(&poll_fd, 1, timeout_ms);
		(void)close(fd);
	}
	return child_ended(child, &code);
}

void child_end(struct child *child)
{
	if (child->pid > 0 && kill(child->pid, SIGTERM) == 0 && !wait_for(child, POLITE_MS)) {
		(void)kill(child->pid, SIGKILL);
		(void)waitpid(child->pid, NULL, 0);
	}
	forget(child);
}
