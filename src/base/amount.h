/* A whole number followed by a unit: sizes and durations, of the configuration and of the command line. */
#ifndef BASE_AMOUNT_H
#define BASE_AMOUNT_H

#include "thaw/types.h"

/* A table of them ends with a NULL name. "": no unit. */
struct amount_unit {
	const char *name; /* matched in its case */
	uint64_t factor;
};

enum amount {
	AMOUNT_OK,
	AMOUNT_UNKNOWN, /* no digits, a leading zero, or none of the units */
	AMOUNT_LARGE,   /* more than max */
};

enum amount amount_read(const char *text, const struct amount_unit *units, uint64_t max, uint64_t *amount);

#endif
