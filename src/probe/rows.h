/* The findings as rows of a table: a label, and a value for TLS 1.2 and for TLS 1.3. */
#ifndef PROBE_ROWS_H
#define PROBE_ROWS_H

#include "probe/findings.h"

#define ROWS_MAX      24
#define ROW_VALUE_MAX 192

struct row {
	const char *label;
	char values[FIND_VERSIONS][ROW_VALUE_MAX]; /* "": not tested */
};

/* Omits rows without a value. Returns the number of rows. */
size_t rows_make(const struct findings *findings, struct row rows[static ROWS_MAX]);

/* Results for both versions, such as "HTTP/2". The value is in values[0]. */
#define ROWS_GENERAL_MAX 4
size_t rows_general(const struct findings *findings, struct row rows[static ROWS_GENERAL_MAX]);

#endif
