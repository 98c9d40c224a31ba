/*
 * The ask: requests a client certificate on an established connection, and keeps reading the connection meanwhile.
 *
 * The caller owns the SSL and its BIO (non-blocking), which does all I/O. OpenSSL reads nothing while one of its own
 * handshake messages waits to be written. That would freeze a client that writes its whole request before it reads. So
 * the library pushes a filter BIO on top of the SSL's write BIO. The filter queues up to 128 KiB of handshake messages,
 * and the rest of the record that thaw_conn_write() is writing. Kernel TLS (SSL_OP_ENABLE_KTLS, SSL_sendfile()) is
 * switched off. How to use it:
 *
 *   1. Once: SSL_CTX_set_client_hello_cb(ctx, thaw_ctx_client_hello, NULL), or call thaw_ctx_client_hello() from your
 * own callback. It records what the client offers. On request it limits clients without post-handshake authentication
 * to TLS 1.2, where they can be asked. Session tickets: see thaw_ctx_ticket_made().
 *   2. For each connection: thaw_conn_new() before the handshake or in that callback, thaw_conn_free() before
 *      SSL_free().
 *   3. Read with thaw_conn_read() and write with thaw_conn_write(). The first thaw_conn_read() does the handshake.
 *   4. For a request that needs a certificate: thaw_conn_ask(). Then keep reading its body with thaw_conn_read() into
 *      a thaw_spool, and call thaw_conn_body_ended() at its end, until thaw_conn_verdict() is no longer pending. Call
 *      thaw_conn_tick() when thaw_conn_deadline() is reached.
 *   5. Act on the verdict: on THAW_VERDICT_ACCEPTED, thaw_conn_identity() returns the client's identity.
 *
 * examples/embed.c is a complete server that does this. A connection has one ask at a time.
 *
 * Threads: a thaw_conn is used by one thread at a time, together with its SSL. Different connections are independent.
 */
#ifndef THAW_ASK_H
#define THAW_ASK_H

#include <thaw/identity.h>
#include <thaw/trust.h>
#include <thaw/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ssl_st;
struct ssl_session_st;

typedef struct thaw_conn thaw_conn;

/*
 * An SSL_CTX client-hello callback (SSL_client_hello_cb_fn), for any thread. Does nothing on an SSL without a
 * thaw_conn. Returns SSL_CLIENT_HELLO_SUCCESS, unless a renegotiation names a different server than the handshake.
 */
int thaw_ctx_client_hello(struct ssl_st *ssl, int *alert, void *unused);

/*
 * SSL_CTX_set_session_ticket_cb(ctx, thaw_ctx_ticket_made, thaw_ctx_ticket_opened, NULL): store the chain that the
 * client sent in the session ticket (up to 8 KiB, as the ticket's application data), and resume a session only if its
 * certificate is still accepted. Without these callbacks a resumed session has only the client's own certificate, and a
 * certificate that needs an intermediate CA's certificate from the client is rejected. They do nothing on an SSL
 * without a thaw_conn.
 */
int thaw_ctx_ticket_made(struct ssl_st *ssl, void *unused);
int thaw_ctx_ticket_opened(struct ssl_st *ssl, struct ssl_session_st *opened, const unsigned char *name,
			   size_t name_len, int status, void *unused);

/*
 * Attaches a new thaw_conn to an SSL. Call it before the handshake, or in the ClientHello callback before
 * thaw_ctx_client_hello(). It uses the SSL's message callback until thaw_conn_free(): see thaw_conn_set_msg_callback().
 * THAW_FAILED: out of memory; or THAW_ERR_USAGE: the SSL is a client's, a DTLS or QUIC object, or has a thaw_conn
 * already. The SSL is unchanged.
 *
 * An SSL and its thaw_conn serve one connection. After SSL_clear() every thaw_conn_read(), thaw_conn_ask() and
 * thaw_conn_check() fails with THAW_ERR_USAGE, and there is no identity: make a new SSL. A copy from SSL_dup() has no
 * thaw_conn.
 *
 * From the first ask on, the library sets these of the SSL: the verify mode, callback and store, the list of CA names,
 * and SSL_set_max_cert_list(). SSL_get_verify_result() returns the result. OpenSSL calls a callback that was set with
 * SSL_CTX_set_cert_verify_callback() instead of the library's verification. It must return 1 for an SSL with a
 * thaw_conn, which then verifies the certificate later. Otherwise the connection fails when the certificate comes.
 *
 * SSL_set_accept_state() of OpenSSL 3.5 allocates memory, but cannot report a failure. OpenSSL crashes if such an SSL
 * is then given a BIO. So call in this order: SSL_new(), SSL_set_fd() or SSL_set_bio(), thaw_conn_new(),
 * SSL_set_accept_state(). After a failed allocation the first thaw_conn_read() then fails. In another order
 * thaw_conn_new() fails for such an SSL, which can only be freed.
 */
enum thaw_status thaw_conn_new(struct ssl_st *ssl, thaw_conn **conn, struct thaw_error *err) THAW_MUST_CHECK;

/*
 * Like thaw_conn_new(), for a server that asks on few of its connections. The SSL gets the library's message callback
 * and filter BIO only when thaw_conn_ask() or thaw_conn_read() first needs them. Until then the program calls
 * SSL_do_handshake(), SSL_read() and SSL_write() itself, which cost what they cost without a thaw_conn. After
 * thaw_conn_ask() it reads with thaw_conn_read().
 *
 * Until then the library counts neither a client's records without application data nor its attempts to renegotiate:
 * set SSL_OP_NO_RENEGOTIATION, and clear it for an ask. A message callback of the program's own stays on the SSL, and
 * gets no calls afterwards, unless it is also set with thaw_conn_set_msg_callback().
 */
enum thaw_status thaw_conn_new_deferred(struct ssl_st *ssl, thaw_conn **conn, struct thaw_error *err) THAW_MUST_CHECK;

/*
 * Frees a thaw_conn, before SSL_free() of its SSL. Sets the pointer to NULL; *conn may be NULL. The connection may be
 * used further, unless an ask was begun and is not answered: OpenSSL ends the connection then when the certificate
 * comes. The SSL keeps the settings that the library made.
 */
void thaw_conn_free(thaw_conn **conn);

/* An OpenSSL message callback, as for SSL_set_msg_callback(). */
typedef void thaw_msg_fn(int outbound, int version, int content_type, const void *data, size_t len, struct ssl_st *ssl,
			 void *arg);

/*
 * Sets the application's own message callback; NULL: none. It gets the same calls, in the same order, as one set with
 * SSL_set_msg_callback(). An SSL has one such callback, which cannot be read back, and a thaw_conn needs it to follow
 * an exchange. So a program with a callback on the SSL_CTX or the SSL sets it here again after thaw_conn_new(), and
 * calls neither SSL_set_msg_callback() nor SSL_set_msg_callback_arg() until thaw_conn_free(). If a program replaces the
 * callback, thaw_conn_read() returns THAW_FAILED with THAW_ERR_USAGE after the first handshake or exchange that the
 * thaw_conn did not see, and a pending ask is cancelled. thaw_conn_free() installs fn on the SSL.
 *
 * fn runs while OpenSSL processes a message. It may only call functions that take a const thaw_conn.
 */
void thaw_conn_set_msg_callback(thaw_conn *conn, thaw_msg_fn *fn, void *arg);

/* Sets whether a client that offers TLS 1.2, but no post-handshake authentication, is limited to TLS 1.2, if the SSL's
 * own versions include it. Call it in the ClientHello callback or earlier. */
void thaw_conn_hold_to_tls12(thaw_conn *conn, bool hold);

/* Requests a certificate in the handshake. The handshake succeeds without a certificate, and with one that the trust
 * does not verify: call thaw_conn_check() after it. Call this in the ClientHello callback or earlier. */
enum thaw_status thaw_conn_ask_at_handshake(thaw_conn *conn, thaw_trust *trust) THAW_MUST_CHECK;

/* How this connection can be asked, once the handshake is done; for THAW_MEANS_NONE *reason says why (reason may be
 * NULL). */
enum thaw_means thaw_conn_means(const thaw_conn *conn, enum thaw_reason *reason);

/* Options of an ask. Zero selects a field's default; trust and moment are required. */
struct thaw_ask_options {
	size_t size;       /* sizeof(struct thaw_ask_options) */
	thaw_trust *trust; /* the connection takes a reference */
	/* HEADERS, BODY or RESPONSE. With HEADERS the certificate request is sent immediately, but see body_follows. */
	enum thaw_moment moment;
	/* A request body follows; the caller reports its end with thaw_conn_body_ended(). For a renegotiation the body
	 * is drained to its end before the client is asked, unless early is set: some clients send data in the middle
	 * of a handshake, which makes it fail. */
	bool body_follows;
	bool early;
	/* Ask even if the connection has an accepted certificate: the client must prove again that it has the same key.
	 * */
	bool again;
	/* The caller also uses rejected certificates, and reads them with thaw_conn_rejected_identity(). A certificate
	 * that the connection already has is verified again under this trust; the client is not asked again. The
	 * verdict stays THAW_VERDICT_REJECTED. */
	bool unverified;
	/*
	 * Two deadlines; one runs at a time. Progress of one does not extend the other.
	 *
	 * timeout_ms limits the client's (and its user's) answer: from the start of the certificate request until the
	 * answer is complete. Body data does not extend it. A client that writes its whole body before it reads must
	 * finish within this time. 0: 120,000; THAW_NEVER: no limit.
	 *
	 * body_idle_ms limits a stall of the body while it is drained before the client is asked. Each byte adds 1 ms,
	 * up to body_idle_ms from now. timeout_ms starts when the body has ended. 0: 30,000; THAW_NEVER: no limit.
	 */
	uint64_t timeout_ms;
	uint64_t body_idle_ms;
	uint64_t decline_grace_ms; /* delay before an empty answer becomes the verdict; 0: none */
};

/*
 * Begins an ask. THAW_OK: see thaw_conn_verdict(), which may already be final:
 *
 * ACCEPTED: this trust verifies the certificate that the connection has. One that the same trust has accepted on this
 * connection is not verified again.
 *
 * IMPOSSIBLE: the reason says why. OUTSTANDING: an earlier ask ended before the client's answer was complete.
 *
 * CANCELLED: the connection is broken, or the client has sent its close_notify and cannot answer.
 *
 * OVER_LIMIT: out of memory.
 *
 * THAW_FAILED: a usage error; the connection is unchanged, and thaw_conn_error() has the cause: an ask is pending, the
 * handshake is not complete, the options are wrong, SSL_OP_NO_RENEGOTIATION forbids the renegotiation that this client
 * needs, or a thaw_conn_write() that ran out of memory must be repeated first.
 *
 * OpenSSL fails a connection on which a handshake message begins while a record waits to be written. thaw_conn_write()
 * prevents that. A program that calls SSL_write() itself must not have a write to repeat here, at
 * thaw_conn_body_ended(), or when it reads while the client's answer is outstanding. With such a write to repeat,
 * OpenSSL (3.0 to 3.5) also fails a connection whose TLS 1.3 client requests two KeyUpdates.
 */
enum thaw_status thaw_conn_ask(thaw_conn *conn, const struct thaw_ask_options *options,
			       uint64_t now_ms) THAW_MUST_CHECK;

/*
 * Verifies the certificate that this connection already has under that trust, whether it came from the handshake, a
 * resumed session, or an ask under another trust. It sends nothing and does not wait. A certificate that the same trust
 * has accepted on this connection is not verified again. THAW_OK: thaw_conn_verdict() and thaw_conn_report() have the
 * result: ACCEPTED, DECLINED (there is no certificate), REJECTED with its reason, or OVER_LIMIT (out of memory).
 * THAW_FAILED: a usage error, as for thaw_conn_ask().
 */
enum thaw_status thaw_conn_check(thaw_conn *conn, thaw_trust *trust, uint64_t now_ms) THAW_MUST_CHECK;

/* Reports that the body of the request is complete. Does nothing unless the ask waits for that. If a thaw_conn_write()
 * that ran out of memory must be repeated, the client is asked after it. */
void thaw_conn_body_ended(thaw_conn *conn, uint64_t now_ms);

/*
 * Reads application data; performs the handshake first. While an ask is pending it also processes the exchange, so
 * check thaw_conn_verdict() after every call, whatever it returned. THAW_OK: *len bytes, 1 to room. THAW_CLOSED: the
 * client has sent its close_notify. THAW_FAILED is permanent: thaw_conn_error() has the cause. With a room of 0 it
 * reads no application data; THAW_OK then means that there is some.
 *
 * THAW_WANT_READ: call again when the transport is readable, or when a callback that suspended OpenSSL can go on
 * (SSL_want() tells: SSL_CLIENT_HELLO_CB, SSL_X509_LOOKUP, SSL_ASYNC_PAUSED). With edge-triggered events read until
 * THAW_WANT_READ, because the SSL may have bytes that the transport no longer has.
 *
 * A program that calls SSL_read() instead calls thaw_conn_tick() afterwards, which updates the verdict.
 */
enum thaw_status thaw_conn_read(thaw_conn *conn, void *data, size_t room, size_t *len, uint64_t now_ms) THAW_MUST_CHECK;

/*
 * Writes as much application data as the transport takes. THAW_OK: *len bytes were taken, 1 to room, as few as one TLS
 * record; 0 if room is 0. THAW_WANT_WRITE: call again with the same bytes, at the same or another address, and at least
 * as many. THAW_WANT_READ: nothing can be written before the handshake is complete, nor between the first and the last
 * message of the client's answer; call thaw_conn_read(). THAW_FAILED is permanent. Sets SSL_MODE_ENABLE_PARTIAL_WRITE
 * and SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER on the SSL.
 */
enum thaw_status thaw_conn_write(thaw_conn *conn, const void *data, size_t room, size_t *len,
				 uint64_t now_ms) THAW_MUST_CHECK;

/* Whether application data can be written. False before the handshake is complete, and between the first and the last
 * message of the client's answer. */
bool thaw_conn_can_write(const thaw_conn *conn);

/* Handles deadlines, unsent handshake messages, and an answer that SSL_read() has read. Call it when
 * thaw_conn_deadline() is reached, and when the transport is writable while thaw_conn_wants_write(). */
void thaw_conn_tick(thaw_conn *conn, uint64_t now_ms);

/* Whether an ask is pending, so that the connection must be read. */
bool thaw_conn_wants_read(const thaw_conn *conn);

/* Whether a handshake message, such as the certificate request, or a record of a thaw_conn_write() that returned
 * THAW_WANT_WRITE, is not fully written. */
bool thaw_conn_wants_write(const thaw_conn *conn);

/* When to call thaw_conn_tick(), in the caller's milliseconds; THAW_NEVER: no deadline is set. */
uint64_t thaw_conn_deadline(const thaw_conn *conn);

/* Ends a pending ask with the verdict OVER_LIMIT or CANCELLED, and that reason. The connection cannot be asked again
 * while the client's answer is outstanding. */
void thaw_conn_ask_end(thaw_conn *conn, enum thaw_verdict verdict, enum thaw_reason reason, uint64_t now_ms);

/* The verdict of the last ask or check. */
enum thaw_verdict thaw_conn_verdict(const thaw_conn *conn);

/* A report on the last ask or check on this connection. */
struct thaw_report {
	enum thaw_means means;
	enum thaw_moment moment; /* when it was actually asked */
	enum thaw_verdict verdict;
	enum thaw_reason reason;
	char detail[128];       /* of a rejection: the verification error as text; may be empty */
	uint64_t began_ms;      /* time of thaw_conn_ask() */
	uint64_t asked_ms;      /* time when the certificate request was written; 0: never */
	uint64_t ended_ms;      /* time of the verdict; 0: pending */
	uint64_t bytes_drained; /* application data read between began and ended */
};

/* The report belongs to the connection, and changes with it. */
const struct thaw_report *thaw_conn_report(const thaw_conn *conn);

/*
 * The client's identity, from the first accepted certificate. It never changes, and belongs to the connection. THAW_OK
 * with *identity NULL: no certificate has been accepted. THAW_FAILED: out of memory.
 */
enum thaw_status thaw_conn_identity(thaw_conn *conn, const struct thaw_identity **identity) THAW_MUST_CHECK;

/*
 * The contents of the certificate that the last ask with options.unverified, or the last check, rejected with
 * THAW_REASON_UNTRUSTED. The client has proven that it has the key; nothing else in the certificate or its chain is
 * verified. It belongs to the connection, until an ask or a check rejects another certificate. THAW_OK with *identity
 * NULL: there is none. THAW_FAILED: out of memory.
 */
enum thaw_status thaw_conn_rejected_identity(thaw_conn *conn, const struct thaw_identity **identity) THAW_MUST_CHECK;

/* Why the connection failed. If it has not failed: why the last refused call was refused. THAW_ERR_NONE: neither. It
 * belongs to the connection. */
const struct thaw_error *thaw_conn_error(const thaw_conn *conn);

/* Called on every change of an ask's state, with the names of the states. */
typedef void thaw_trace_fn(void *arg, const char *machine, const char *from, const char *to, uint64_t now_ms);

/* Sets the function that is called on state changes. NULL: none. */
void thaw_conn_trace(thaw_conn *conn, thaw_trace_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
