/* The inside of the verdict, for verdict*.c alone. */
#ifndef PROBE_VERDICT_INSIDE_H
#define PROBE_VERDICT_INSIDE_H

#include "probe/verdict.h"
#include "thaw/types.h"

#define VERDICT_TOO_MANY 429 /* RFC 6585 4 */

/* A problem; the same over both versions is one. */
void verdict_add(struct verdict *verdict, enum probe_verdict weight, unsigned versions, const char *format, ...)
	THAW_PRINTF(4, 5);

/* What is worth knowing, and not a problem of late certificates. */
void verdict_note(struct verdict *verdict, unsigned versions, const char *format, ...) THAW_PRINTF(3, 4);

/* How much a trial weighs that was not good, by what came of repeating it; doubt: why it is not more, to be put behind
 * the problem's text, or "". */
#define VERDICT_DOUBT_MAX 160
struct verdict_weight {
	enum probe_verdict weight;
	char doubt[VERDICT_DOUBT_MAX];
};
void verdict_weigh(const struct findings *findings, size_t i, const struct trial *trial, struct verdict_weight *weight);

/* verdict_bodies.c: what a body's size changes. */
void verdict_bodies(struct verdict *verdict, const struct findings *findings, size_t i);

#endif
