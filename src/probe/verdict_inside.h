/* Internals of the verdict, for verdict*.c only. */
#ifndef PROBE_VERDICT_INSIDE_H
#define PROBE_VERDICT_INSIDE_H

#include "probe/verdict.h"
#include "thaw/types.h"

#define VERDICT_TOO_MANY 429 /* RFC 6585 4 */

/* Adds a problem; the same problem over both versions is added once. */
void verdict_add(struct verdict *verdict, enum probe_verdict weight, unsigned versions, const char *format, ...)
	THAW_PRINTF(4, 5);

/* Adds a fact that is not a problem of late certificates. */
void verdict_note(struct verdict *verdict, unsigned versions, const char *format, ...) THAW_PRINTF(3, 4);

/* The weight of a failed check according to its repetition; doubt: a reason for a lower weight, to be appended to
 * the problem's text, or "". */
#define VERDICT_DOUBT_MAX 160
struct verdict_weight {
	enum probe_verdict weight;
	char doubt[VERDICT_DOUBT_MAX];
};
void verdict_weigh(const struct findings *findings, size_t i, const struct check *check, struct verdict_weight *weight);

/* verdict_bodies.c: effects of the body's size. */
void verdict_bodies(struct verdict *verdict, const struct findings *findings, size_t i);

#endif
