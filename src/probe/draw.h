/* A trial's timeline, to look at: as text, and as a picture. */
#ifndef PROBE_DRAW_H
#define PROBE_DRAW_H

#include <stdio.h>

#include "probe/findings.h"

/* The trial that shows best what the verdict says: a freeze, a refusal at its boundary, else the largest body that
 * passed. NULL: there is none. */
const struct trial *draw_choose(const struct findings *findings);

/* What that trial was: "PUT, 65,537 bytes, over TLS 1.3, by a client that reads while it writes". */
#define DRAW_TITLE_MAX 200
const char *draw_title(const struct trial *trial, char text[static DRAW_TITLE_MAX]);

/* What a moment is called, and who does it. */
#define DRAW_WORDS_MAX 96
enum draw_side { DRAW_CLIENT, DRAW_SERVER, DRAW_BOTH };
enum draw_side draw_words(const struct timeline_moment *moment, char text[static DRAW_WORDS_MAX]);

/* indent: what each line begins with. */
void draw_text(FILE *to, const struct trial *trial, const char *indent);

/* A whole SVG 1.1 document. False: it could not be written. */
bool draw_svg(FILE *to, const struct findings *findings, const struct trial *trial);

#endif
