/*
 * What a ClientHello says (RFC 8446 4.1.2), and which kind of program it is from. Read from the message itself:
 * OpenSSL shows only those extensions that it knows.
 */
#ifndef TLS_HELLO_H
#define TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>

/* Told by the extensions that programs were measured to send: the table is in hello.c. */
enum tls_client_kind {
	TLS_KIND_OTHER,
	TLS_KIND_CHROMIUM, /* and what is built on it */
	TLS_KIND_FIREFOX,
	TLS_KIND_JAVA, /* JSSE */
	TLS_KINDS
};

struct tls_hello {
	bool tls12, tls13;    /* listed in supported_versions */
	bool h2, http1;       /* offered by ALPN; http1: http/1.1 */
	bool post_handshake;  /* post_handshake_auth */
	bool extended_master; /* extended_master_secret */
	bool resumes;         /* pre_shared_key */
	enum tls_client_kind kind;
};

/* message: the handshake message with its header of 4 bytes. A malformed one says nothing: OpenSSL refuses it. */
void tls_hello_read(struct tls_hello *hello, const unsigned char *message, size_t len);

/* The same of one extension, for who has no message; the kind of program is not told then. */
void tls_hello_read_extension(struct tls_hello *hello, unsigned type, const unsigned char *data, size_t len);

/*
 * The first identity of a pre_shared_key extension (RFC 8446 4.2.11), which may be a session ticket. NULL: there is
 * none.
 */
const unsigned char *tls_hello_identity(const unsigned char *extension, size_t len, size_t *identity_len);

/* Whether such a client sends a request again, over HTTP/1.1, when its HTTP/2 stream was reset with HTTP_1_1_REQUIRED
 * (RFC 9113 7). Browsers do. */
bool tls_kind_retries(enum tls_client_kind kind);

#endif
