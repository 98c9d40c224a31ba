/* Processes that end with this one. */
#ifndef DEMO_CHILD_H
#define DEMO_CHILD_H

#include <sys/types.h>

#include "thaw/types.h"

struct child {
	pid_t pid; /* 0: none */
	int out;   /* what it writes to its standard output (or error, see child_spawn); -1: closed */
};

enum child_stream { CHILD_STDOUT, CHILD_STDERR };

/* Runs a program; the stream comes to child->out, the other one goes nowhere. argv[0] is looked up in PATH. */
enum thaw_status child_spawn(struct child *child, const char *const argv[], enum child_stream stream,
			     struct thaw_error *err) THAW_MUST_CHECK;

/* Runs a function, whose result is the exit code, with its standard output coming to child->out. */
enum thaw_status child_fork(struct child *child, int (*run)(void *arg), void *arg,
			    struct thaw_error *err) THAW_MUST_CHECK;

/* Reads from child->out until it ends, a line with needle has come (NULL: none is awaited), or timeout_ms have passed.
 * The text is NUL-terminated. */
size_t child_read(struct child *child, char *text, size_t room, const char *needle, int timeout_ms);

/* In a new process that fork() has made: it ends when parent does, and minds no signals of the parent's. False: parent
 * has ended already. */
bool child_bind(pid_t parent);

/* Whether it has ended by itself; then its exit code (128 and more: by a signal). */
bool child_ended(struct child *child, int *code);

/* Ends it: asks first, waits for up to a second, then kills. Closes child->out. */
void child_end(struct child *child);

#endif
