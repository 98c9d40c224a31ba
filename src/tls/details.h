/*
 * The contents of a certificate as plain data: for `allow` rules and identity headers. Text is UTF-8 without control
 * characters. Values that cannot be such text (a NUL, invalid UTF-8, an alternative name with non-printable or
 * non-ASCII characters) are omitted: they match no rule and are not passed on.
 */
#ifndef TLS_DETAILS_H
#define TLS_DETAILS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_CHAIN_MAX       8     /* most certificates of a chain */
#define TLS_CHAIN_BYTES_MAX 32768 /* most bytes of all of them, in DER */

struct tls_certificate;

/* The identity. Names are in RFC 4514 form. All of it belongs to the tls_certificate. */
struct tls_identity {
	const char *subject, *issuer;
	const uint8_t *sha256;      /* 32 bytes, of the certificate's DER form */
	const char *sha256_hex;     /* 64 lower-case digits */
	const uint8_t *certificate; /* DER */
	size_t certificate_len;
};

struct tls_attribute {
	char *type; /* "CN", "O", ...; the dotted OID if there is no short name */
	char *oid;  /* dotted */
	char *value;
};

struct tls_name {
	struct tls_attribute *attributes; /* in the certificate's order */
	size_t count;
	bool whole; /* no attribute was omitted */
};

enum tls_san_kind { TLS_SAN_DNS, TLS_SAN_EMAIL, TLS_SAN_URI, TLS_SAN_IP };

struct tls_san {
	enum tls_san_kind kind;
	char *text; /* an IP address as inet_ntop() writes it */
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
	char *serial; /* hexadecimal, upper case, an even number of digits; starts with "-" if negative */
	char not_before[32], not_after[32]; /* "Nov 23 18:51:32 2026 GMT"; empty: it cannot be decoded */
	int64_t from_s, until_s;            /* the same in seconds since 1970 */
	/*
	 * The verified chain, starting with the issuer, without the root. Other certificates that the client sent were
	 * not verified, and are not passed on. After a resumption without the client's chain it has only certificates
	 * from the file of CA certificates.
	 */
	struct tls_der chain[TLS_CHAIN_MAX];
	size_t chain_count;
	bool chain_cut; /* the chain is longer or larger than the limits, and therefore omitted */
};

/* NULL: out of memory. Times and extensions that cannot be decoded are as if absent. */
struct tls_details *tls_details_new(const struct tls_certificate *certificate);
void tls_details_free(struct tls_details **details);

#endif
