/*
 * Shared by the checks of inspect.h:
 *
 *	inspect.c        CA certificates and CRLs
 *	inspect_chain.c  chains that are sent
 *	inspection.c     findings and their texts
 *	expiries.c       when certificates and CRLs expire
 */
#ifndef TLS_INSPECT_INSIDE_H
#define TLS_INSPECT_INSIDE_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "thaw/types.h"
#include "tls/inspect.h"

/* The inspection of one file. */
struct inspection {
	const struct tls_inspector *inspector;
	const char *file;
	STACK_OF(X509_INFO) * infos;
	unsigned findings;
};

/* A text for a message, truncated if long. */
struct inspect_text {
	char text[132];
};

void inspect_begin(struct inspection *inspection, const struct tls_inspector *inspector, const char *file);
void inspect_end(struct inspection *inspection);

/* Reports a finding, after the file's name. */
void inspect_find(struct inspection *inspection, const char *format, ...) THAW_PRINTF(2, 3);

/* The contents of a PEM file; the caller frees them. NULL: it cannot be read. */
STACK_OF(X509_INFO) * inspect_read_file(const char *file);
X509 *inspect_certificate(const STACK_OF(X509_INFO) * infos, int i); /* or NULL */

struct inspect_text inspect_show_name(const X509_NAME *name);
struct inspect_text inspect_show_subject(const X509 *certificate);

/* Checks a validity period. what: "certificate 1 'CN=...'". until NULL: no end. happens: the consequence; cure: the
 * remedy if expired. */
void inspect_check_time(struct inspection *inspection, const char *what, const ASN1_TIME *from, const ASN1_TIME *until,
			const char *happens, const char *cure);

/* Another certificate of the file that has issued this one, or NULL. */
X509 *inspect_issuer_in(const STACK_OF(X509_INFO) * infos, X509 *certificate);
bool inspect_has_issuer(const STACK_OF(X509_INFO) * infos, X509 *certificate);
bool inspect_has_issued(X509 *issuer, X509 *certificate);

#endif
