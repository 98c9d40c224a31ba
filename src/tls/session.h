/*
 * One TLS connection from the view of an ask. A tls_session is attached to an SSL that its caller owns. It knows what
 * the ClientHello offered, how a certificate can be requested now, and which certificate the client has sent. The ask
 * tracks the progress of an exchange (ask/states.h); it is notified of the client's handshake messages.
 *
 * This hides the two ways of asking: post-handshake authentication (RFC 8446 4.6.2) and renegotiation (RFC 5246 7.4.1.1
 * with RFC 5746 and RFC 7627). Each step says which behaviour of OpenSSL 3.0 it depends on.
 */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include "thaw/ask.h"
#include "tls/certificate.h"
#include "tls/offer.h"

#define TLS_NAME_MAX 255 /* bytes of a server name (SNI), without NUL */

struct tls_session;

/* Returns why that SSL cannot have a session: it is not a TLS server's, or already has one. The text is static. NULL:
 * it can have one. */
const char *tls_session_unfit(const struct ssl_st *ssl);

/* NULL: out of memory. The SSL must outlive the session, and must not have begun its handshake. */
struct tls_session *tls_session_new(struct ssl_st *ssl);

/* The same, but the SSL gets the message callback and the filter BIO with the first tls_session_read() or
 * tls_ask_begin(). */
struct tls_session *tls_session_new_deferred(struct ssl_st *ssl);
void tls_session_free(struct tls_session **session);

/*
 * Called for each handshake message of the client except KeyUpdate, before it is checked. finished: it is the last
 * message of a handshake or of an exchange. Returns whether it belongs to an exchange that is under way. A ClientHello
 * that does not is the client's own attempt to renegotiate.
 */
typedef bool tls_message_fn(void *arg, bool finished);
void tls_session_on_message(struct tls_session *session, tls_message_fn *fn, void *arg);

/* Sets the application's message callback, which is called for every message; fn NULL: none. tls_session_free() gives
 * it back to the SSL. */
void tls_session_show_messages(struct tls_session *session, thaw_msg_fn *fn, void *arg);

/* Returns the tls_session of an SSL, or NULL. */
struct tls_session *tls_session_of(const struct ssl_st *ssl);

/* In the ClientHello callback: gets its server name in lower case. False: it has none, or it is malformed. */
bool tls_hello_name(struct ssl_st *ssl, char name[static TLS_NAME_MAX + 1]);

/*
 * A handshake may be suspended in a callback of OpenSSL, which the caller must continue. fn is called before each use
 * of the SSL: THAW_OK: no handshake is suspended; THAW_WANT_READ: still, so that the SSL must not be used.
 */
typedef enum thaw_status tls_suspended_fn(void *arg, struct thaw_error *err);
void tls_session_on_suspended(struct tls_session *session, tls_suspended_fn *fn, void *arg);

void tls_session_hold_to_tls12(struct tls_session *session, bool hold);

/* Returns what the first ClientHello offered. */
const struct tls_hello *tls_session_hello(const struct tls_session *session);

/* Asks for a certificate at the handshake. Call this in the ClientHello callback or before. */
enum thaw_status tls_session_ask_at_handshake(struct tls_session *session, thaw_trust *trust) THAW_MUST_CHECK;

/* The same, but a session is resumed only if this trust accepts its certificate, because a resumed session without a
 * certificate would not be asked for one. */
enum thaw_status tls_session_ask_on_demand(struct tls_session *session, thaw_trust *trust) THAW_MUST_CHECK;

/*
 * Sets all trusts that asks on this connection may use. The array must outlive the session. A TLS session is resumed
 * only if one of them accepts its certificate; without this call, if the trust of the handshake does.
 */
void tls_session_know_trusts(struct tls_session *session, const thaw_trust *const *trusts, size_t count);

/* Returns whether the first handshake has sent its request for a certificate. A resumed handshake sends none. */
bool tls_session_asked_at_handshake(const struct tls_session *session);

bool tls_session_established(const struct tls_session *session);

/* Returns whether ALPN has selected HTTP/2, which forbids asking after the handshake (RFC 9113 9.2.3). */
bool tls_speaks_http2(const struct ssl_st *ssl);

/* Returns how the client can be asked now, from what was negotiated; *reason for THAW_MEANS_NONE. Does not check
 * whether it has already sent a certificate. */
enum thaw_means tls_session_means(struct tls_session *session, enum thaw_reason *reason);

/*
 * Prepares a request for the certificate. THAW_FAILED with *reason set: the peer cannot be asked, but the connection
 * can still be used.
 */
enum thaw_status tls_ask_begin(struct tls_session *session, enum thaw_means means, thaw_trust *trust,
			       enum thaw_reason *reason) THAW_MUST_CHECK;

/*
 * Writes the messages that OpenSSL puts off until the next write: a KeyUpdate, which would replace a request for a
 * certificate begun meanwhile, and a ticket. If that fails, tls_session_error() says why.
 */
void tls_session_catch_up(struct tls_session *session);

/* Writes the request. THAW_FAILED: the connection cannot be used any more. */
enum thaw_status tls_ask_send(struct tls_session *session) THAW_MUST_CHECK;

/*
 * Returns whether the certificate surely belongs to the peer of this connection. That is not so after a TLS 1.2
 * handshake that was resumed without the extended master secret: an attacker in the middle could have joined it to
 * another connection, and also a renegotiation after it (the triple handshake, RFC 7627 1 and 5.4). After a full
 * handshake this is not possible, because RFC 5746 binds a renegotiation to it.
 */
bool tls_session_binds_certificate(struct tls_session *session);

/*
 * Verifies the peer's certificate with trust. NULL: there is none (*reason NO_CERTIFICATE), or out of memory (*reason
 * NO_MEMORY). Otherwise returns the certificate, which the caller frees; *reason is NONE (verified), or UNTRUSTED with
 * the verification error in detail.
 */
struct tls_certificate *tls_session_verify(struct tls_session *session, const thaw_trust *trust,
					   enum thaw_reason *reason, char *detail, size_t room);

/* Returns whether the peer has sent a certificate, trusted or not. */
bool tls_session_has_certificate(const struct tls_session *session);

/* Returns whether both trusts surely make the same decision: one trust, or two from equal files with equal options. */
bool tls_trusts_agree(const thaw_trust *one, const thaw_trust *other);

/* Like SSL_read. With a room of 0: THAW_OK if there is data to read. After THAW_FAILED every further read fails. It
 * also fails if the SSL is not a server's any more. */
enum thaw_status tls_session_read(struct tls_session *session, void *data, size_t room, size_t *len) THAW_MUST_CHECK;

/*
 * Like SSL_write, for as many bytes as the transport takes. THAW_WANT_READ: nothing was written, because a handshake is
 * under way. After THAW_FAILED the connection cannot be used any more.
 *
 * THAW_WANT_WRITE: the transport has not taken a whole record (tls_queue_write_record()).
 */
enum thaw_status tls_session_write(struct tls_session *session, const void *data, size_t room,
				   size_t *len) THAW_MUST_CHECK;

/* Returns whether the application has called SSL_clear(), so that the SSL is of another connection. */
bool tls_session_cleared(const struct tls_session *session);

/* Returns whether the client has sent its close_notify, after which it cannot answer. */
bool tls_session_closed(const struct tls_session *session);

/* Returns whether SSL_OP_NO_RENEGOTIATION is not set. */
bool tls_session_may_renegotiate(const struct tls_session *session);

/* Returns whether OpenSSL has a record that waits to be written, because the filter BIO was out of memory. Until then
 * no handshake message may be begun, or OpenSSL ends the connection. */
bool tls_session_writing(const struct tls_session *session);

/* Returns whether the connection was ended because the client sent too many records without application data, or too
 * many ClientHellos; see tls_session_error(). */
bool tls_session_flooded(const struct tls_session *session);

/* Flush, or check for, handshake messages that the transport has not taken yet: tls/queue.h. */
void tls_session_flush(struct tls_session *session);
bool tls_session_unsent(const struct tls_session *session);

/* Returns whether application data can be written without continuing a handshake. */
bool tls_session_can_write(const struct tls_session *session);

/* Returns whether the client has refused to renegotiate, with a no_renegotiation alert. */
bool tls_session_refused(const struct tls_session *session);

const struct thaw_error *tls_session_error(const struct tls_session *session);

#endif
