/*
 * A client's identity: its certificate as plain data.
 *
 * Text is UTF-8 without control characters. In subject and issuer a NUL or another control character is escaped (RFC
 * 4514: "CN=a\00b"). An alternative name that is not printable ASCII is omitted.
 *
 * A rejected certificate may have parts that cannot be decoded. They are empty, or 0.
 *
 * Threads: an identity belongs to its thaw_conn, and may be used by the same thread.
 */
#ifndef THAW_IDENTITY_H
#define THAW_IDENTITY_H

#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The kinds of subject alternative names (RFC 5280 4.2.1.6) that are reported; others are omitted. */
enum thaw_san_kind {
	THAW_SAN_DNS,   /* a host name */
	THAW_SAN_EMAIL, /* a mailbox */
	THAW_SAN_URI,   /* a URI */
	THAW_SAN_IP,    /* the text is as inet_ntop() writes it */
};

/* A subject alternative name. */
struct thaw_san {
	enum thaw_san_kind kind;
	const char *text;
};

/* A certificate in DER. */
struct thaw_der {
	const uint8_t *bytes;
	size_t len;
};

/* The length of a SHA-256 digest. */
#define THAW_SHA256_LEN 32

/* A client's certificate. */
struct thaw_identity {
	const char *subject, *issuer; /* RFC 4514; empty if the name is */
	const char *serial; /* hexadecimal, upper case, an even number of digits; starts with "-" if negative */
	int64_t not_before; /* seconds since 1970-01-01 00:00:00 UTC, as time_t */
	int64_t not_after;  /* the same */
	const struct thaw_san *sans; /* in the certificate's order */
	size_t san_count;            /* number of sans */
	const uint8_t *sha256;       /* THAW_SHA256_LEN bytes, of the certificate's DER form */
	const char *sha256_hex;      /* the same as lower-case hexadecimal digits */
	struct thaw_der certificate; /* the client's own */
	/*
	 * The CA certificates of the verified chain, starting with the issuer, without the root. Empty, with chain_cut
	 * set, if there are more than 8, or more than 32 KiB.
	 */
	const struct thaw_der *chain;
	size_t chain_count;
	bool chain_cut;
};

#ifdef __cplusplus
}
#endif
#endif
