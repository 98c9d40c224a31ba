/*
 * Assertions that are also active in the release build. A failed one ends a single connection, and is logged and
 * counted; the process continues.
 */
#ifndef BASE_REQUIRE_H
#define BASE_REQUIRE_H

#include <stdbool.h>

typedef void require_fn(void *arg, const char *machine, const char *from, const char *to);

/*
 * Sets the function that logs and counts failed assertions in this process. Call it once, before threads are started.
 * Without one (NULL, the default) the development build aborts, and the release build returns false: a program that
 * uses libthaw gets only the error of the connection.
 */
void require_report(require_fn *fn, void *arg);

/* Returns allowed. If false, the invalid transition is reported, and the caller must end the connection. */
bool require_transition(bool allowed, const char *machine, const char *from, const char *to);

#endif
