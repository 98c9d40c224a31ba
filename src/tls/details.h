/*
 * What a certificate says, as plain data: for rules about who is allowed, and for telling an upstream who it is. Text
 * is UTF-8. What a certificate says in a form that cannot be text (a NUL inside, broken UTF-8) is left out: it then
 * matches nothing, and is told to nobody.
 */
#ifndef TLS_DETAILS_H
#define TLS_DETAILS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_CHAIN_MAX 8 /* certificates of a chain that are kept */

struct tls_link;

struct tls_attribute {
	char *type; /* "CN", "O", ...; a dotted OID where there is no short name */
	char *value;
};

enum tls_san_kind { TLS_SAN_DNS, TLS_SAN_EMAIL, TLS_SAN_URI, TLS_SAN_IP };

struct tls_san {
	enum tls_san_kind kind;
	char *text; /* of an address: as inet_ntop() writes it */
};

struct tls_der {
	uint8_t *bytes;
	size_t len;
};

struct tls_details {
	struct tls_attribute *subject, *issuer; /* in the certificate's order */
	size_t subject_count, issuer_count;
	struct tls_san *sans;
	size_t san_count;
	char **ekus; /* dotted OIDs */
	size_t eku_count;
	char *serial;                        /* hexadecimal, upper case */
	char not_before[32], not_after[32];  /* "Nov 23 18:51:32 2026 GMT" */
	struct tls_der chain[TLS_CHAIN_MAX]; /* what the client sent behind its own certificate */
	size_t chain_count;
};

/* Of a certificate in DER. NULL: no memory, or it cannot be read. */
struct tls_details *tls_details_new(const uint8_t *der, size_t len);
void tls_details_free(struct tls_details **details);

/* The chain of the last exchange on this connection; none after a resumption, which carries the certificate alone. A
 * root that signs itself is left out (RFC 9440 2.3). False: no memory. */
bool tls_details_take_chain(struct tls_details *details, struct tls_link *link);

#endif
