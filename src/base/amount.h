/* A whole number followed by a unit: sizes and durations in the configuration and on the command line. */
#ifndef BASE_AMOUNT_H
#define BASE_AMOUNT_H

#include "thaw/types.h"

/* A table of units ends with a NULL name. "": no unit. */
struct amount_unit {
	const char *name; /* case-sensitive */
	uint64_t factor;
};

enum amount {
	AMOUNT_OK,
	AMOUNT_UNKNOWN, /* no digits, a leading zero, or an unknown unit */
	AMOUNT_LARGE,   /* more than max */
};

enum amount amount_read(const char *text, const struct amount_unit *units, uint64_t max, uint64_t *amount);

#endif
