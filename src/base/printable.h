/* Text that a peer chose, made safe for a terminal. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Writes the text. Each byte that can steer a terminal, or change the order of what is shown, becomes "\xHH": control
 * characters (C0, DEL, C1), bidirectional controls, line and paragraph separators, and what is not UTF-8 (RFC 3629).
 * keep: control characters that are written as they are, such as "\n\t". False: the file cannot be written.
 */
bool printable_put(FILE *file, const char *text, size_t len, const char *keep);

#endif
