/* When the certificates and CRLs of a configuration expire, for the metrics. */
#ifndef BASE_EXPIRY_H
#define BASE_EXPIRY_H

#include <stddef.h>
#include <stdint.h>

#define EXPIRIES_MAX 1024 /* of one configuration; further ones are omitted */

struct expiry {
	const char *kind;  /* "certificate", "ca" or "crl" */
	char *file;        /* owned */
	char *name;        /* owned; the subject, or a CRL's issuer */
	unsigned position; /* in the file, among entries of its kind; from 1 */
	int64_t until_s;   /* since 1970: the end of its validity, or a CRL's nextUpdate */
};

struct expiries {
	struct expiry *items;
	size_t count;
};

#endif
