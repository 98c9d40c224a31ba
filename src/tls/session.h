/*
 * One TLS connection as the ask sees it. A tls_session hangs on an SSL that somebody else owns, and knows: what the
 * ClientHello offered, how a certificate can be requested now, and which one came of it. How far an exchange is, is the
 * ask's to know (ask/states.h): it is told of the client's handshake messages.
 *
 * The two ways of asking are hidden here: post-handshake authentication (RFC 8446 4.6.2) and renegotiation (RFC
 * 5246 7.4.1.1 with RFC 5746 and RFC 7627). Which facts about OpenSSL 3.0 each step rests on is said where it is taken.
 */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include "thaw/ask.h"
#include "tls/certificate.h"
#include "tls/offer.h"

#define TLS_NAME_MAX 255 /* of a server name (SNI), without its NUL */

struct tls_session;

/* Why no session can be made of that SSL: it is not one of a TLS server, or has one already. Static; NULL: it can. */
const char *tls_session_unfit(const struct ssl_st *ssl);

/* NULL: no memory. The SSL must outlive it, and must not have begun its handshake. */
struct tls_session *tls_session_new(struct ssl_st *ssl);
void tls_session_free(struct tls_session **session);

/*
 * A handshake message of the client has come, other than a KeyUpdate; it is not checked yet. finished: it is the last
 * of a handshake or of an exchange. Returns whether it belongs to an exchange that is under way: a ClientHello that
 * does not is the client's own attempt to renegotiate.
 */
typedef bool tls_message_fn(void *arg, bool finished);
void tls_session_on_message(struct tls_session *session, tls_message_fn *fn, void *arg);

/* The application's message callback, which sees all that OpenSSL shows; fn NULL: none. It is the SSL's own again after
 * tls_session_free(). */
void tls_session_show_messages(struct tls_session *session, thaw_msg_fn *fn, void *arg);

/* The tls_session of an SSL, or NULL. */
struct tls_session *tls_session_of(const struct ssl_st *ssl);

/* In the ClientHello callback: the server name it carries, lower-cased; false: none, or a malformed one. */
bool tls_hello_name(struct ssl_st *ssl, char name[static TLS_NAME_MAX + 1]);

void tls_session_hold_to_tls12(struct tls_session *session, bool hold);

/* What the first ClientHello said. */
const struct tls_hello *tls_session_hello(const struct tls_session *session);

/* Ask at the handshake; in the ClientHello callback or before. */
enum thaw_status tls_session_ask_at_handshake(struct tls_session *session, thaw_trust *trust) THAW_MUST_CHECK;

/* The same, and a session is resumed only if this trust accepts its certificate: one without would not be asked. */
enum thaw_status tls_session_ask_on_demand(struct tls_session *session, thaw_trust *trust) THAW_MUST_CHECK;

/*
 * All trusts that may be asked under on this connection, in an array that outlives it. A session is resumed only if
 * one of them accepts its certificate; without them, if that of the handshake does.
 */
void tls_session_know_trusts(struct tls_session *session, const thaw_trust *const *trusts, size_t count);

/* Whether the first handshake has come as far as its request for a certificate; a resumed one has none. */
bool tls_session_asked_at_handshake(const struct tls_session *session);

bool tls_session_established(const struct tls_session *session);

/* HTTP/2 was chosen by ALPN, which forbids to ask (RFC 9113 9.2.3). */
bool tls_speaks_http2(const struct ssl_st *ssl);

/* How it could be asked now, by what was negotiated; *reason for THAW_MEANS_NONE. Whether it has a certificate is not
 * asked here. */
enum thaw_means tls_session_means(struct tls_session *session, enum thaw_reason *reason);

/*
 * Readies a request for the certificate. *reason: the peer cannot be asked after all (THAW_FAILED then, with the
 * connection whole).
 */
enum thaw_status tls_ask_begin(struct tls_session *session, enum thaw_means means, thaw_trust *trust,
			       enum thaw_reason *reason) THAW_MUST_CHECK;

/* Writes it. THAW_OK, THAW_WANT_*, or THAW_FAILED: the connection is dead. */
enum thaw_status tls_ask_send(struct tls_session *session) THAW_MUST_CHECK;

/*
 * Whether the peer's certificate is surely that of whoever is at the other end. It is not after a TLS 1.2 handshake
 * that was resumed without the extended master secret: a man in the middle could have joined it to another
 * connection's, and a renegotiation on top of it, too (the triple handshake, RFC 7627 1 and 5.4). After a full
 * handshake he could not: RFC 5746 binds a renegotiation to it.
 */
bool tls_session_binds_certificate(struct tls_session *session);

/*
 * What the peer's certificate is under trust. NULL: there is none, or no memory (*reason tells: NO_CERTIFICATE or
 * NO_MEMORY). Otherwise the certificate, which the caller frees, and *reason NONE (verified), or UNTRUSTED with the
 * verification's words in detail.
 */
struct tls_certificate *tls_session_verify(struct tls_session *session, const thaw_trust *trust,
					   enum thaw_reason *reason, char *detail, size_t room);

/* The peer has given a certificate, believed or not. */
bool tls_session_has_certificate(const struct tls_session *session);

/* As SSL_read. THAW_FAILED is for good, also if the SSL is not a server's any more. */
enum thaw_status tls_session_read(struct tls_session *session, void *data, size_t room, size_t *len) THAW_MUST_CHECK;

/*
 * As SSL_write, of as many bytes as the transport takes. THAW_WANT_READ with nothing written while a handshake is under
 * way. THAW_FAILED is for good.
 *
 * OpenSSL ends a connection on which it has to write a handshake message while a record waits to be written. So once a
 * request for a certificate is out, until its answer is complete, OpenSSL never has such a record: the filter BIO takes
 * it whole (tls/queue.h), and the call returns THAW_WANT_WRITE until the transport has all of it.
 */
enum thaw_status tls_session_write(struct tls_session *session, const void *data, size_t room,
				   size_t *len) THAW_MUST_CHECK;

/* A write waits to be repeated: OpenSSL ends a connection on which a handshake message is begun before. */
bool tls_session_writing(const struct tls_session *session);

/* The client sent so many records without application data, or ClientHellos, that it was given up: tls_session_error()
 * has the words. */
bool tls_session_flooded(const struct tls_session *session);

/* Handshake messages that the transport has not taken yet: tls/queue.h. */
void tls_session_flush(struct tls_session *session);
bool tls_session_unsent(const struct tls_session *session);

/* Whether application data can be written without moving a handshake on. */
bool tls_session_can_write(const struct tls_session *session);

/* The client answered the request to renegotiate with a no_renegotiation alert. */
bool tls_session_refused(const struct tls_session *session);

const struct thaw_error *tls_session_error(const struct tls_session *session);

#endif
