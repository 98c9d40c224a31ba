/*
 * Parses a ClientHello (RFC 8446 4.1.2), and recognizes the kind of client. It parses the message itself, since OpenSSL
 * provides only the extensions that it knows.
 */
#ifndef TLS_HELLO_H
#define TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>

/* Kinds of clients, recognized by the extensions that they send: the table is in hello.c. */
enum tls_client_kind {
	TLS_KIND_OTHER,
	TLS_KIND_CHROMIUM, /* and browsers based on it */
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

/* message: the handshake message with its header of 4 bytes. A malformed one sets nothing; OpenSSL rejects it. */
void tls_hello_read(struct tls_hello *hello, const unsigned char *message, size_t len);

/* Parses a single extension, if the message is not available. It does not set the kind. */
void tls_hello_read_extension(struct tls_hello *hello, unsigned type, const unsigned char *data, size_t len);

/*
 * The first identity of a pre_shared_key extension (RFC 8446 4.2.11), which may be a session ticket. NULL: there is
 * none.
 */
const unsigned char *tls_hello_identity(const unsigned char *extension, size_t len, size_t *identity_len);

/* Whether such a client repeats a request over HTTP/1.1 when its HTTP/2 stream was reset with HTTP_1_1_REQUIRED (RFC
 * 9113 7). Browsers do. */
bool tls_kind_retries(enum tls_client_kind kind);

#endif
