/* Child processes that end with this process. */
#ifndef DEMO_CHILD_H
#define DEMO_CHILD_H

#include <sys/types.h>

#include "thaw/types.h"

struct child {
	pid_t pid; /* 0: none */
	int out;   /* its standard output, or error (see child_spawn); -1: closed */
};

enum child_stream { CHILD_STDOUT, CHILD_STDERR };

/* Runs a program; argv[0] is searched in PATH. The chosen stream goes to child->out, the other is discarded. */
enum thaw_status child_spawn(struct child *child, const char *const argv[], enum child_stream stream,
			     struct thaw_error *err) THAW_MUST_CHECK;

/* Runs a function, whose result is the exit code; its standard output goes to child->out. */
enum thaw_status child_fork(struct child *child, int (*run)(void *arg), void *arg,
			    struct thaw_error *err) THAW_MUST_CHECK;

/* Reads from child->out until it ends, until a line that contains needle (NULL: none), or until timeout_ms have
 * passed. The text is NUL-terminated. */
size_t child_read(struct child *child, char *text, size_t room, const char *needle, int timeout_ms);

/* In a process made by fork(): makes it end with its parent, and restores the default signal handlers. False: the
 * parent has already ended. */
bool child_bind(pid_t parent);

/* Whether it has ended by itself, and its exit code (128 and more: by a signal). */
bool child_ended(struct child *child, int *code);

/* Ends it: sends SIGTERM, waits for up to one second, then kills it. Closes child->out. */
void child_end(struct child *child);

#endif
