/*
 * What is in the PEM files of certificates and CRLs that a configuration names, and what will fail with it although it
 * could be loaded: expired certificates, other names, CAs that are none, CRLs of strangers. All functions read the
 * files anew, and say nothing about a file that cannot be read: who loads it has done so.
 */
#ifndef TLS_INSPECT_H
#define TLS_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/expiry.h"

#define TLS_INSPECT_TEXT 5120 /* bytes of one finding, with its NUL */

struct tls_inspector {
	int64_t now_s; /* since 1970 */
	/* text: the file, what is wrong, what will happen, what to do. */
	void (*say)(void *arg, const char *text);
	void *arg;
};

/*
 * A chain that is sent to clients of a host with these names, NULL-terminated: "*" is any, "*.DOMAIN" any with one
 * label there. cas: a file of CA certificates that may have the issuers that the chain lacks, or NULL.
 */
void tls_inspect_server(const struct tls_inspector *inspector, const char *file, const char *const *names,
			const char *cas);

/* A chain that Thaw sends to servers as their client. */
void tls_inspect_client(const struct tls_inspector *inspector, const char *file);

/* CA certificates that clients' certificates, or servers', are verified with. partial_chain: each is a trust anchor. */
void tls_inspect_client_cas(const struct tls_inspector *inspector, const char *file, bool partial_chain);
void tls_inspect_server_cas(const struct tls_inspector *inspector, const char *file);

/* CRLs that are used beside a file of CA certificates. */
void tls_inspect_crls(const struct tls_inspector *inspector, const char *file, const char *ca_file);

/*
 * Adds all certificates of the file (crls: all CRLs), unless there are some of that kind and file already. kind: lives
 * as long as the list. False: out of memory; the list holds what it has.
 */
bool tls_expiries_add(struct expiries *list, const char *kind, const char *file, bool crls);
void tls_expiries_free(struct expiries *list);

#endif
