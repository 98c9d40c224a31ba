/* Writes text from a peer so that it is safe on a terminal. */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Writes "\xHH" for each byte that can control a terminal or change the order of the displayed text: control characters
 * (C0, DEL, C1), bidirectional controls, line and paragraph separators, and invalid UTF-8 (RFC 3629). keep: control
 * characters that are written unchanged, such as "\n\t". False: write error.
 */
bool printable_put(FILE *file, const char *text, size_t len, const char *keep);

/* The length of the first character of the text, and its code point, and whether it is written unchanged; 0: invalid
 * UTF-8. */
size_t printable_next(const char *text, size_t len, uint32_t *code, bool *plain);

#endif
