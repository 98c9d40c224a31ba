/* Shows a check's timeline as text and as a picture. */
#ifndef PROBE_DRAW_H
#define PROBE_DRAW_H

#include <stdio.h>

#include "probe/findings.h"

/* The check that shows the verdict best: a freeze, an error response at its boundary, else the largest body that
 * passed. NULL: none. */
const struct check *draw_choose(const struct findings *findings);

/* Describes the check: "PUT, 65,537 bytes, over TLS 1.3, by a client that reads while it writes". */
#define DRAW_TITLE_MAX 200
const char *draw_title(const struct check *check, char text[static DRAW_TITLE_MAX]);

/* The description of a moment, and its side. */
#define DRAW_WORDS_MAX 96
enum draw_side { DRAW_CLIENT, DRAW_SERVER, DRAW_BOTH };
enum draw_side draw_words(const struct timeline_moment *moment, char text[static DRAW_WORDS_MAX]);

/* indent: start of each line. */
void draw_text(FILE *to, const struct check *check, const char *indent);

/* Writes a complete SVG 1.1 document. False: it could not be written. */
bool draw_svg(FILE *to, const struct findings *findings, const struct check *check);

#endif
