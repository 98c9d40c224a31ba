/*
 * The ask: a client certificate requested on an established connection, while its bytes go on being read.
 *
 * The caller owns the SSL, and does all I/O through whatever BIO it gives to the SSL (non-blocking). OpenSSL reads
 * nothing while a handshake message of its own waits to be written, which would freeze a client that writes its whole
 * request before it reads: so a filter BIO of the library's is pushed on top of the one that the SSL writes to. It
 * holds up to 128 KiB of such messages, none of application data, and makes the kernel's TLS for sending (kTLS)
 * unavailable. Where to begin:
 *
 *   1. Once: SSL_CTX_set_client_hello_cb(ctx, thaw_ctx_client_hello, NULL), or call thaw_ctx_client_hello() from the
 *      callback that you have. It notes what the client offers and, if told so, holds clients without post-handshake
 *      authentication to TLS 1.2, where they can be asked. Session tickets: see thaw_ctx_ticket_made().
 *   2. For each connection: thaw_conn_new() before the handshake or in that callback, thaw_conn_free() before
 *      SSL_free().
 *   3. Read with thaw_conn_read() and write with thaw_conn_write(). The first thaw_conn_read() does the handshake.
 *   4. For a request that needs a certificate: thaw_conn_ask(). Then go on reading its body with thaw_conn_read() into
 *      a thaw_spool, and call thaw_conn_body_ended() at its end, until thaw_conn_verdict() is no longer pending. Call
 *      thaw_conn_tick() when thaw_conn_deadline() has come.
 *   5. Act on the verdict: on THAW_VERDICT_ACCEPTED thaw_conn_identity() tells who it is.
 *
 * examples/embed.c is a whole server that does so. One ask at a time on a connection.
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
 * An SSL_CTX client-hello callback (SSL_client_hello_cb_fn). Does nothing on an SSL without a thaw_conn. Always
 * SSL_CLIENT_HELLO_SUCCESS, but for a renegotiation that names another server than the handshake did.
 */
int thaw_ctx_client_hello(struct ssl_st *ssl, int *alert, void *unused);

/*
 * SSL_CTX_set_session_ticket_cb(ctx, thaw_ctx_ticket_made, thaw_ctx_ticket_opened, NULL): a session ticket carries the
 * chain that the client sent (up to 8 KiB, as the ticket's application data), and a session is resumed only if its
 * certificate is still accepted. Without them, a resumed session has the client's own certificate alone, and one that
 * needs an intermediate CA's certificate from the client is rejected. They do nothing on an SSL without a thaw_conn.
 */
int thaw_ctx_ticket_made(struct ssl_st *ssl, void *unused);
int thaw_ctx_ticket_opened(struct ssl_st *ssl, struct ssl_session_st *opened, const unsigned char *name,
			   size_t name_len, int status, void *unused);

/*
 * Makes the ask's side of an SSL, before its handshake, or in the ClientHello callback before thaw_ctx_client_hello().
 * Takes the SSL's message callback for as long as it lives: see thaw_conn_set_msg_callback(). THAW_FAILED: out of
 * memory; the SSL is as it was.
 *
 * SSL_set_accept_state() of OpenSSL 3.5 allocates memory, and cannot say that there was none. OpenSSL itself crashes if
 * an SSL that has failed so is given a BIO. So call, in this order: SSL_new(), SSL_set_fd() or SSL_set_bio(),
 * thaw_conn_new(), SSL_set_accept_state(). Then the first thaw_conn_read() fails. In another order thaw_conn_new()
 * fails for such an SSL; to be freed is all that it is good for.
 */
enum thaw_status thaw_conn_new(struct ssl_st *ssl, thaw_conn **conn, struct thaw_error *err) THAW_MUST_CHECK;

/* Frees a thaw_conn, before SSL_free() of its SSL. Sets the pointer to NULL; *conn may be NULL. */
void thaw_conn_free(thaw_conn **conn);

/* A message callback of OpenSSL's: the function that SSL_set_msg_callback() takes. */
typedef void thaw_msg_fn(int outbound, int version, int content_type, const void *data, size_t len, struct ssl_st *ssl,
			 void *arg);

/*
 * Sets the application's own message callback; NULL: none. It sees all that one set with SSL_set_msg_callback() would
 * see, in the same order. The SSL has one such callback, OpenSSL has no way to ask which one it is, and a thaw_conn
 * follows an exchange by it. So a program that has set one, on the SSL_CTX or the SSL, sets it here again after
 * thaw_conn_new(), and calls neither SSL_set_msg_callback() nor SSL_set_msg_callback_arg() for as long as the thaw_conn
 * lives. A program that replaces the callback of the thaw_conn all the same gets THAW_FAILED with THAW_ERR_USAGE from
 * thaw_conn_read(), once a handshake or an exchange has gone by that was not seen; a pending ask is cancelled then.
 * thaw_conn_free() makes fn the SSL's own.
 */
void thaw_conn_set_msg_callback(thaw_conn *conn, thaw_msg_fn *fn, void *arg);

/* Sets whether a client that offers TLS 1.2, but no post-handshake authentication, is held to 1.2, if the SSL's own
 * versions have it. In the ClientHello callback or before. */
void thaw_conn_hold_to_tls12(thaw_conn *conn, bool hold);

/* Requests a certificate in the handshake, which goes on without one, or with one that the trust does not verify: see
 * thaw_conn_check() after it. In the ClientHello callback or before. */
enum thaw_status thaw_conn_ask_at_handshake(thaw_conn *conn, thaw_trust *trust) THAW_MUST_CHECK;

/* How this connection can be asked, once the handshake is done; for THAW_MEANS_NONE *reason tells why (may be NULL). */
enum thaw_means thaw_conn_means(const thaw_conn *conn, enum thaw_reason *reason);

/* Zero stands for each default; trust and moment are required. */
struct thaw_ask_options {
	size_t size;       /* sizeof(struct thaw_ask_options) */
	thaw_trust *trust; /* the connection takes a reference */
	/* HEADERS, BODY or RESPONSE. With HEADERS the request for the certificate goes out at once, but see
	 * body_follows. */
	enum thaw_moment moment;
	/* A body is on its way, whose end thaw_conn_body_ended() will tell. By renegotiation it is then drained to its
	   end before the client is asked (some clients send data in the middle of a handshake, which ends it), unless
	   early is set. */
	bool body_follows;
	bool early;
	/* Ask even if the connection has an accepted certificate: the client must prove anew that it holds that same
	 * key. */
	bool again;
	/* The caller goes on with a certificate that is rejected, too, and reads it with thaw_conn_rejected_identity().
	 * One that the connection has is judged again as it is, under this trust, and not asked for anew. The verdict
	 * stays THAW_VERDICT_REJECTED. */
	bool unverified;
	/*
	 * Two deadlines, of which one runs at a time. Neither is prolonged by progress of the other.
	 *
	 * timeout_ms is for the client, and its human, to answer: from when the request for the certificate is begun
	 * until the answer is complete, whatever comes of the body meanwhile. A client that writes its whole body
	 * before it reads must have done so by then. 0: 120,000.
	 *
	 * body_idle_ms applies while the body is drained before the client is asked: how long it may stand still. Each
	 * byte earns 1 ms, up to body_idle_ms from now. timeout_ms begins when the body has ended. 0: 30,000.
	 */
	uint64_t timeout_ms;
	uint64_t body_idle_ms;
	uint64_t decline_grace_ms; /* how long an empty answer is held back from becoming the verdict; 0: not at all */
};

/*
 * Begins an ask. THAW_OK: see thaw_conn_verdict(), which may be final at once (ACCEPTED: the certificate is there
 * already and this trust verifies it; IMPOSSIBLE). THAW_FAILED: misuse, which leaves the connection as it was: an ask
 * is pending, the handshake is not over, the options are wrong, or a thaw_conn_write() waits to be repeated. (OpenSSL
 * ends a connection on which a handshake message is begun in the middle of another write. A program that writes with
 * SSL_write() must see to that by itself, here and at thaw_conn_body_ended().)
 */
enum thaw_status thaw_conn_ask(thaw_conn *conn, const struct thaw_ask_options *options,
			       uint64_t now_ms) THAW_MUST_CHECK;

/*
 * Answers at once: is the certificate that this connection has good for that trust? Whichever way it came: by the
 * handshake, a resumed session, or an ask under another trust. Nothing is sent, and no time passes. THAW_OK:
 * thaw_conn_verdict() and thaw_conn_report() have the answer: ACCEPTED, DECLINED (there is no certificate), REJECTED
 * with its reason, or OVER_LIMIT (out of memory). THAW_FAILED: misuse, as for thaw_conn_ask().
 */
enum thaw_status thaw_conn_check(thaw_conn *conn, thaw_trust *trust, uint64_t now_ms) THAW_MUST_CHECK;

/* The asked request's body is complete. If a thaw_conn_write() waits to be repeated, the client is asked after it. */
void thaw_conn_body_ended(thaw_conn *conn, uint64_t now_ms);

/*
 * Reads application data, and does the handshake before. Also while an ask is pending, when it moves the exchange on:
 * look at thaw_conn_verdict() after every call, whatever it returned. THAW_OK: *len bytes, 1 to room. THAW_CLOSED: the
 * client has sent its close_notify. THAW_FAILED is for good: thaw_conn_error() has the cause.
 */
enum thaw_status thaw_conn_read(thaw_conn *conn, void *data, size_t room, size_t *len, uint64_t now_ms) THAW_MUST_CHECK;

/*
 * Writes application data: as much as the transport takes. THAW_OK: *len bytes were taken, 1 to room, as few as one TLS
 * record. THAW_WANT_WRITE: call again with the same bytes at the same or another address, and as many of them or more.
 * THAW_WANT_READ: nothing is written before the handshake is over, nor between the client's first answering message and
 * its last; thaw_conn_read() moves that on. THAW_FAILED is for good. Sets SSL_MODE_ENABLE_PARTIAL_WRITE and
 * SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER on the SSL.
 */
enum thaw_status thaw_conn_write(thaw_conn *conn, const void *data, size_t room, size_t *len,
				 uint64_t now_ms) THAW_MUST_CHECK;

/* False before the handshake is over, and between the client's first answering message and its last: a response cannot
 * be written then. */
bool thaw_conn_can_write(const thaw_conn *conn);

/* Moves what needs no bytes: deadlines, and the request's sending. Call when thaw_conn_deadline() has come, and when
 * the transport can be written while thaw_conn_wants_write(). */
void thaw_conn_tick(thaw_conn *conn, uint64_t now_ms);

/* Whether an ask is pending: then the connection has to be read. */
bool thaw_conn_wants_read(const thaw_conn *conn);

/* Whether the request for the certificate, or another handshake message, is not written whole. */
bool thaw_conn_wants_write(const thaw_conn *conn);

/* When to call thaw_conn_tick(); THAW_NEVER: not for the time's sake. */
uint64_t thaw_conn_deadline(const thaw_conn *conn);

/* Ends a pending ask with the verdict OVER_LIMIT or CANCELLED, and that reason. The connection cannot be asked again
 * while its answer is outstanding. */
void thaw_conn_ask_end(thaw_conn *conn, enum thaw_verdict verdict, enum thaw_reason reason, uint64_t now_ms);

/* The verdict of the last ask or check. */
enum thaw_verdict thaw_conn_verdict(const thaw_conn *conn);

/* The story of the last ask or check on this connection. */
struct thaw_report {
	enum thaw_means means;
	enum thaw_moment moment; /* when it was really asked */
	enum thaw_verdict verdict;
	enum thaw_reason reason;
	char detail[128];       /* of a rejection: the verification's words; may be empty */
	uint64_t began_ms;      /* thaw_conn_ask() */
	uint64_t asked_ms;      /* the request for the certificate was written; 0: never */
	uint64_t ended_ms;      /* the verdict; 0: pending */
	uint64_t bytes_drained; /* application data read between began and ended */
};

/* Belongs to the connection, and changes with it. */
const struct thaw_report *thaw_conn_report(const thaw_conn *conn);

/*
 * Who the client is: of the certificate that was accepted first, which never changes. Belongs to the connection.
 * THAW_OK with *identity NULL: no certificate was accepted yet. THAW_FAILED: out of memory.
 */
enum thaw_status thaw_conn_identity(thaw_conn *conn, const struct thaw_identity **identity) THAW_MUST_CHECK;

/*
 * What the certificate says that the last ask with options.unverified, or the last check, has rejected with
 * THAW_REASON_UNTRUSTED. The client has proven that it holds the key; nobody vouches for anything else in it, nor for
 * its chain. Belongs to the connection, until an ask or a check rejects another certificate. THAW_OK with *identity
 * NULL: there is none. THAW_FAILED: out of memory.
 */
enum thaw_status thaw_conn_rejected_identity(thaw_conn *conn, const struct thaw_identity **identity) THAW_MUST_CHECK;

/* The first failure on this connection; THAW_ERR_NONE: there was none. Belongs to the connection. */
const struct thaw_error *thaw_conn_error(const thaw_conn *conn);

/* Called on every change of an ask's state, with the states' names. */
typedef void thaw_trace_fn(void *arg, const char *machine, const char *from, const char *to, uint64_t now_ms);

/* Sets the function that sees changes of state. NULL: none. */
void thaw_conn_trace(thaw_conn *conn, thaw_trace_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif
#endif
