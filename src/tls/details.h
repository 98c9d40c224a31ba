/*
 * What a certificate says, as plain data: for rules about who is allowed, and for telling an upstream who it is. Text
 * is UTF-8 without control characters. What a certificate says in a form that cannot be such text (a NUL inside, broken
 * UTF-8, an alternative name beyond printable ASCII) is left out: it matches nothing, and is told to nobody.
 */
#ifndef TLS_DETAILS_H
#define TLS_DETAILS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_CHAIN_MAX       8     /* certificates of a chain that are kept */
#define TLS_CHAIN_BYTES_MAX 32768 /* of all of them, in DER */

struct tls_certificate;

/* Who it is. Text is RFC 4514 for names; all of it belongs to the tls_certificate. */
struct tls_identity {
	const char *subject, *issuer;
	const uint8_t *sha256;      /* 32 bytes, of the certificate's DER form */
	const char *sha256_hex;     /* 64 lower-case digits */
	const uint8_t *certificate; /* DER */
	size_t certificate_len;
};

struct tls_attribute {
	char *type; /* "CN", "O", ...; the dotted OID where there is no short name */
	char *oid;  /* dotted */
	char *value;
};

struct tls_name {
	struct tls_attribute *attributes; /* in the certificate's order */
	size_t count;
	bool whole; /* none was left out */
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
	struct tls_name subject, issuer;
	struct tls_san *sans;
	size_t san_count;
	char **ekus; /* dotted OIDs */
	size_t eku_count;
	char *serial;                       /* hexadecimal, upper case, whole bytes; "-" in front if it is negative */
	char not_before[32], not_after[32]; /* "Nov 23 18:51:32 2026 GMT" */
	int64_t from_s, until_s;            /* the same in seconds since 1970 */
	/*
	 * The certificates that the verification went over, from the issuer's on, without a root at its end: what else
	 * a client sent was not looked at, and is not passed on as if it had been. After a resumption, which carries
	 * the client's own certificate alone, there are only those that the file of CA certificates has.
	 */
	struct tls_der chain[TLS_CHAIN_MAX];
	size_t chain_count;
	bool chain_cut; /* a longer chain, or a larger one, than is kept: then there is none */
};

/* NULL: no memory, or it cannot be read. */
struct tls_details *tls_details_new(const struct tls_certificate *certificate);
void tls_details_free(struct tls_details **details);

#endif
