/*
 * Checks the PEM files of certificates and CRLs that a configuration names, for problems that loading does not detect:
 * expired certificates, wrong names, certificates that are not CAs, CRLs of other CAs. All functions read the files
 * again, and ignore files that cannot be read: loading has reported them.
 */
#ifndef TLS_INSPECT_H
#define TLS_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/expiry.h"

#define TLS_INSPECT_TEXT 5120 /* most bytes of one finding, including its NUL */

struct tls_inspector {
	int64_t now_s; /* since 1970 */
	/* text: the file, what is wrong, the consequence, what to do. */
	void (*say)(void *arg, const char *text);
	void *arg;
};

/*
 * Checks the chain that is sent to clients of a host with these names, NULL-terminated: "*" is any, "*.DOMAIN" any with
 * one more label. cas: a file of CA certificates that may include missing issuers, or NULL.
 */
void tls_inspect_server(const struct tls_inspector *inspector, const char *file, const char *const *names,
			const char *cas);

/* Checks the chain that Thaw sends to servers as a client. */
void tls_inspect_client(const struct tls_inspector *inspector, const char *file);

/* Checks the CA certificates that client certificates, or server certificates, are verified with. partial_chain: each
 * is a trust anchor. */
void tls_inspect_client_cas(const struct tls_inspector *inspector, const char *file, bool partial_chain);
void tls_inspect_server_cas(const struct tls_inspector *inspector, const char *file);

/* Checks the CRLs for a file of CA certificates. */
void tls_inspect_crls(const struct tls_inspector *inspector, const char *file, const char *ca_file);

/*
 * Adds all certificates of the file (crls: all CRLs), unless the list already has entries of that kind and file. kind:
 * must outlive the list. False: out of memory; the list stays valid.
 */
bool tls_expiries_add(struct expiries *list, const char *kind, const char *file, bool crls);
void tls_expiries_free(struct expiries *list);

#endif
