/* The findings as rows of words: one label, and what was found over TLS 1.2 and over TLS 1.3. */
#ifndef PROBE_ROWS_H
#define PROBE_ROWS_H

#include "probe/findings.h"

#define ROWS_MAX      24
#define ROW_VALUE_MAX 192

struct row {
	const char *label;
	char values[FIND_VERSIONS][ROW_VALUE_MAX]; /* "": not asked there */
};

/* Rows without any value are left out. The number of them. */
size_t rows_make(const struct findings *findings, struct row rows[static ROWS_MAX]);

/* What does not depend on the version: "HTTP/2", and so on. The value is in values[0]. */
#define ROWS_GENERAL_MAX 4
size_t rows_general(const struct findings *findings, struct row rows[static ROWS_GENERAL_MAX]);

#endif
