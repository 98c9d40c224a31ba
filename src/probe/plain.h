/* Makes text from a server safe to print: it cannot control a terminal or break the format around it. */
#ifndef PROBE_PLAIN_H
#define PROBE_PLAIN_H

#include <stddef.h>

/*
 * Copies text as UTF-8. Control characters (C0, C1, and those for the writing direction) and invalid bytes become
 * '?'. Text wider than `columns`, or longer than `room` bytes (at least 4, with the NUL), is cut between characters
 * and ends in "...". Returns `to`.
 */
char *plain_copy(char *to, size_t room, size_t columns, const char *from);

/* The columns that such text takes on a terminal. */
size_t plain_columns(const char *text);

#endif
