/*
 * The client's side of TLS over a struct transport: for connections to upstreams, the demo's clients, the probe and the
 * upload client. What is read from files is in a context, made once; connections share it.
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
	const char *ca;        /* PEM file: whom to believe; NULL: whom the system believes */
	const char *ca_folder; /* and the CAs in this folder, by the hashes of their names; NULL: none */
	const char *key_log;   /* a file for the secrets of each connection (SSLKEYLOGFILE); NULL: none */
	/* Outlive the context. NULL: answers a request for a certificate with none. */
	const struct tls_credentials *credentials;
	enum tls_client_version version;
	bool post_handshake;                 /* offers it (RFC 8446 4.2.6) */
	bool skip_verification;              /* the server's certificate is not verified */
	const char *alpn;                    /* "h2,http/1.1" (RFC 7301); NULL: none is offered */
	const struct tls_observer *observer; /* outlives the context; NULL: nobody looks */
	/*
	 * A record that the transport does not take whole is kept aside, and no other write begins before it is out: so
	 * a read can answer an ask at any time. Without it, OpenSSL ends the connection when it is asked over TLS 1.3
	 * in the middle of a write of ours ("bad length").
	 */
	bool reads_while_writing;
};

/*
 * Reads all files now: nothing is opened later, so it may be made before a process gives up the right to. NULL with
 * *err set, whose text begins with the file's name where it is about one.
 */
struct tls_client_context *tls_client_context_new(const struct tls_client_options *options, struct thaw_error *err);
void tls_client_context_free(struct tls_client_context **context);

/*
 * Remembers the last session with one server, so that the next handshake is short (RFC 8446 2.2). For connections of
 * one context and one name only: a resumed session is not verified again. NULL: no memory.
 */
struct tls_client_memory *tls_client_memory_new(void);
void tls_client_memory_free(struct tls_client_memory **memory);

/*
 * name: what the server's certificate must be for, a DNS name or a numeric address; a DNS name is sent as SNI, too
 * (RFC 6066 3). memory: NULL, or outlives the client, as the context and the transport do. NULL with *err set.
 */
struct tls_client *tls_client_new(struct tls_client_context *context, const char *name, struct transport transport,
				  struct tls_client_memory *memory, struct thaw_error *err);
void tls_client_free(struct tls_client **client);

/* What the context's observer sees of this connection goes to that arg. False: no memory. */
bool tls_client_watch(struct tls_client *client, void *arg) THAW_MUST_CHECK;

/* As tls_conn_handshake() and the like; each may want to read or to write, whichever it does. A write that could not be
 * made is tried again with the same bytes, and perhaps more behind them. */
enum thaw_status tls_client_handshake(struct tls_client *client, struct thaw_error *err) THAW_MUST_CHECK;
enum thaw_status tls_client_write(struct tls_client *client, const void *data, size_t room, size_t *len,
				  struct thaw_error *err) THAW_MUST_CHECK;
enum thaw_status tls_client_read(struct tls_client *client, void *data, size_t room, size_t *len,
				 struct thaw_error *err) THAW_MUST_CHECK;

/* As tls_conn_step(): what is read is limited until the next call. At the limit a read wants to read, and
 * tls_client_pending() or the transport tells of the rest. */
void tls_client_step(struct tls_client *client);

/* Bytes have come that a read would look at without reading the transport. */
bool tls_client_pending(const struct tls_client *client);

/* THAW_OK: it is sent, or never will be. THAW_WANT_WRITE: call again, once a write that could not be made is repeated.
 * Reading goes on (RFC 8446 6.1). */
enum thaw_status tls_client_close_notify(struct tls_client *client);

/*
 * With reads_while_writing: whether bytes wait for the transport, and an attempt to write them. Call the latter when
 * the transport can be written; tls_client_write() does so itself.
 */
size_t tls_client_unsent(const struct tls_client *client);
void tls_client_flush(struct tls_client *client);

/* TLS 1.2: begins a renegotiation of the client's own. tls_client_read() then carries it on: it never returns data of
 * such a server that ignores it. THAW_FAILED: *err. */
enum thaw_status tls_client_renegotiate(struct tls_client *client, struct thaw_error *err) THAW_MUST_CHECK;

/* The connection has failed because our own key made no signature. */
bool tls_client_key_failed(const struct tls_client *client);

/* A handshake is under way: the first one, or a renegotiation. */
bool tls_client_handshaking(const struct tls_client *client);

/* What the server chose of alpn, NUL-terminated; "": nothing. */
#define TLS_ALPN_MAX 255
void tls_client_alpn(const struct tls_client *client, char name[static TLS_ALPN_MAX + 1]);

/* Why the server's certificate is not accepted, also where anyone is believed; NULL: it is, or there was none yet. */
const char *tls_client_distrust(const struct tls_client *client);

bool tls_client_resumed(const struct tls_client *client);
const char *tls_client_version(const struct tls_client *client); /* "TLSv1.3" */

#endif
