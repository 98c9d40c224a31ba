/* Text that a server has a hand in, made fit to be shown: it can neither steer a terminal nor break what it stands in.
 */
#ifndef PROBE_PLAIN_H
#define PROBE_PLAIN_H

#include <stddef.h>

/*
 * Copies it as UTF-8 without control characters, C1 and those that turn the direction of writing among them: in place
 * of each, and of each byte that is no UTF-8, stands a '?'. What is wider than `columns`, or too long for `room` bytes
 * (at least 4, with the NUL), is cut between characters, and ends in "...". Returns `to`.
 */
char *plain_copy(char *to, size_t room, size_t columns, const char *from);

/* Columns of a terminal that such text takes. */
size_t plain_columns(const char *text);

#endif
