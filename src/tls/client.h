/*
 * TLS clients over a struct transport: for connections to upstreams, the demo, the probe and the upload client. A
 * context has all that is read from files; connections share it.
 */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "base/transport.h"
#include "tls/credentials.h"
#include "tls/observe.h"

struct tls_client_context;
struct tls_client_memory;
struct tls_client;

enum tls_client_version { TLS_CLIENT_ANY, TLS_CLIENT_12, TLS_CLIENT_13 };

struct tls_client_options {
	const char *ca; /* PEM file of trusted CAs; NULL: the system's */
	const char
		*ca_folder; /* a folder of further trusted CAs, in files named by the hash of the subject; NULL: none */
	const char *key_log; /* file for the secrets of all connections (SSLKEYLOGFILE); NULL: none */
	/* Must outlive the context. NULL: certificate requests are answered with no certificate. */
	const struct tls_credentials *credentials;
	enum tls_client_version version;
	bool signer;                         /* the key of credentials is the signer's: tls_client_waits() */
	bool post_handshake;                 /* offer post-handshake authentication (RFC 8446 4.2.6) */
	bool skip_verification;              /* do not verify the server's certificate */
	const char *alpn;                    /* "h2,http/1.1" (RFC 7301); NULL: none is offered */
	const struct tls_observer *observer; /* must outlive the context; NULL: none */
	/*
	 * Queue the rest of a record that the transport does not take completely, and begin no other write before it is
	 * sent, so that a read can answer an ask at any time. Otherwise OpenSSL fails the connection when it is asked
	 * over TLS 1.3 in the middle of a write ("bad length").
	 */
	bool reads_while_writing;
};

/*
 * Reads all files, and opens none later, so that a process can drop its privileges afterwards. NULL with *err set; an
 * error about a file begins with its name.
 */
struct tls_client_context *tls_client_context_new(const struct tls_client_options *options, struct thaw_error *err);
void tls_client_context_free(struct tls_client_context **context);

/*
 * Stores the last session with one server, for resumption (RFC 8446 2.2). Use it only for connections with one context
 * and one name: a resumed session is not verified again. NULL: out of memory.
 */
struct tls_client_memory *tls_client_memory_new(void);
void tls_client_memory_free(struct tls_client_memory **memory);

/*
 * name: the DNS name or numeric address that the server's certificate must have; a DNS name is also sent as SNI (RFC
 * 6066 3). The context, the transport and memory (may be NULL) must outlive the client. NULL with *err set.
 */
struct tls_client *tls_client_new(struct tls_client_context *context, const char *name, struct transport transport,
				  struct tls_client_memory *memory, struct thaw_error *err);
void tls_client_free(struct tls_client **client);

/* Calls the context's observer with that arg for this connection. False: out of memory. */
bool tls_client_watch(struct tls_client *client, void *arg) THAW_MUST_CHECK;

/* As tls_conn_handshake() etc. Each may return THAW_WANT_READ or THAW_WANT_WRITE. Repeat an unfinished write with the
 * same bytes; more bytes may follow them. */
enum thaw_status tls_client_handshake(struct tls_client *client, struct thaw_error *err) THAW_MUST_CHECK;
enum thaw_status tls_client_write(struct tls_client *client, const void *data, size_t room, size_t *len,
				  struct thaw_error *err) THAW_MUST_CHECK;
enum thaw_status tls_client_read(struct tls_client *client, void *data, size_t room, size_t *len,
				 struct thaw_error *err) THAW_MUST_CHECK;

/*
 * With the option signer, a handshake may wait for a signature (tls/signing.h): the functions above return
 * THAW_WANT_READ, tls_client_waits() is true, and wake is called when it can continue. wake must not call these
 * functions itself. tls_client_can_sign(): it can continue now, without an event of the transport.
 */
void tls_client_on_signature(struct tls_client *client, void (*wake)(void *arg), void *arg);
bool tls_client_waits(const struct tls_client *client);
bool tls_client_can_sign(const struct tls_client *client);

/* As tls_conn_step(): limits what is read until the next call. At the limit a read returns THAW_WANT_READ;
 * tls_client_pending() or the transport reports the rest. */
void tls_client_step(struct tls_client *client);

/* Whether received bytes are buffered, which a read would process without reading the transport. */
bool tls_client_pending(const struct tls_client *client);

/* THAW_OK: close_notify is sent, or can never be sent. THAW_WANT_WRITE: call again, after repeating an unfinished
 * write. Reading is still possible (RFC 8446 6.1). */
enum thaw_status tls_client_close_notify(struct tls_client *client);

/*
 * With reads_while_writing: the number of queued bytes, and an attempt to write them. Call tls_client_flush() when the
 * transport is writable; tls_client_write() calls it itself.
 */
size_t tls_client_unsent(const struct tls_client *client);
void tls_client_flush(struct tls_client *client);

/* TLS 1.2: begins a client-initiated renegotiation, which tls_client_read() continues. It returns no data if the server
 * ignores the renegotiation. THAW_FAILED: *err. */
enum thaw_status tls_client_renegotiate(struct tls_client *client, struct thaw_error *err) THAW_MUST_CHECK;

/* Whether the connection has failed because our private key could not sign. */
bool tls_client_key_failed(const struct tls_client *client);

/* Whether a handshake or a renegotiation is in progress. */
bool tls_client_handshaking(const struct tls_client *client);

/* The protocol that the server selected from alpn, NUL-terminated; "": none. */
#define TLS_ALPN_MAX 255
void tls_client_alpn(const struct tls_client *client, char name[static TLS_ALPN_MAX + 1]);

/* Why the server's certificate is not accepted, also with skip_verification; NULL: it is accepted, or there is none
 * yet. */
const char *tls_client_distrust(const struct tls_client *client);

bool tls_client_resumed(const struct tls_client *client);
const char *tls_client_version(const struct tls_client *client); /* "TLSv1.3" */

#endif
