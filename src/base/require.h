/*
 * Checks of our own logic that hold in the release build, too. What broke one ends a single connection: it is logged
 * and counted, and the process goes on for all others.
 */
#ifndef BASE_REQUIRE_H
#define BASE_REQUIRE_H

#include <stdbool.h>

typedef void require_fn(void *arg, const char *machine, const char *from, const char *to);

/*
 * Sets the function that logs and counts broken checks in this process, once and before there are threads. Without one
 * (NULL, the default) the development build aborts, and the release build returns false without a word: the error of
 * the connection is all that an embedder of libthaw gets.
 */
void require_report(require_fn *fn, void *arg);

/* Whether a state machine may make this transition. False: it was reported; end the connection that it belongs to. */
bool require_transition(bool allowed, const char *machine, const char *from, const char *to);

#endif
