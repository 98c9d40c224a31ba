/*
 * Private parts of struct tls_session, for session.c (the SSL, its messages and its ClientHello), session_io.c
 * (reading, writing and errors) and session_ask.c (requesting and verifying a certificate).
 */
#ifndef TLS_SESSION_INSIDE_H
#define TLS_SESSION_INSIDE_H

#include <openssl/ssl.h>

#include "tls/peer.h"
#include "tls/records.h"
#include "tls/session.h"

#define FINISHED_LEN      12 /* bytes of a Finished message that are compared; TLS 1.2 has no more (RFC 5246 7.4.9) */
#define HELLO_REFUSED_MAX 4  /* client-initiated renegotiations refused before the connection is ended */

struct tls_session {
	SSL *ssl;
	/* what the ClientHello offered */
	struct tls_hello hello;
	bool hello_read; /* hello was read from the message itself */
	bool hello_seen, hold;
	bool asked_at_handshake; /* the CertificateRequest was written */
	bool judged, loose;      /* judge_handshake() has run; resumed without the extended master secret */
	char name[TLS_NAME_MAX + 1];
	tls_message_fn *on_message; /* NULL: no ask uses this session */
	void *on_message_arg;
	tls_suspended_fn *suspended; /* NULL: no handshake is ever suspended */
	void *suspended_arg;
	thaw_msg_fn *shown; /* the application's message callback; NULL: none */
	void *shown_arg;
	unsigned char finished[FINISHED_LEN]; /* the client's newest Finished that on_message() has seen */
	bool established;                     /* there was one */
	bool unheard;                         /* there was a Finished that on_message() has not seen */
	unsigned refused_hellos;
	struct tls_records records;
	bool cleared;  /* the application has called SSL_clear() after a handshake */
	bool refused;  /* the client sent a no_renegotiation alert */
	bool writing;  /* a write is incomplete and must be repeated */
	bool failed;   /* reading has failed; no further read is possible */
	bool deferred; /* the SSL does not have our message callback and filter BIO yet */
	struct tls_peer peer;
	struct thaw_error *err; /* the first failure; NULL: none. Allocated only if needed */
	bool err_lost;          /* there was a failure, but no memory for err */
};

/* ---- session.c ---- */

/* Returns whether a handshake was completed. SSL_in_init() does not say that: it is also true when OpenSSL reads the
 * ClientHello of another handshake. */
bool tls_first_handshake_over(const SSL *ssl);

/* Returns whether the client has sent another Finished. Each one is a different MAC. */
bool tls_session_finished_anew(struct tls_session *session);

/* Sets the message callback. The messages before this were not seen, so their Finished is not taken for a new one. */
void tls_session_follow_messages(struct tls_session *session);

/*
 * Disables kernel TLS. With kernel TLS for receiving, OpenSSL ends a connection that renegotiates. For sending, the
 * filter BIO does not support it, because the kernel would encrypt the queued records again.
 */
void tls_session_keep_from_kernel(SSL *ssl);

/* ---- session_io.c ---- */

/* Like tls_library_failure() and tls_failure(), and keeps the error if it is the session's first. */
enum thaw_status tls_session_library_failure(struct tls_session *session, enum thaw_error_class cls, const char *doing);
enum thaw_status tls_session_failure(struct tls_session *session, int result, const char *doing);

/* Call this before OpenSSL reads or asks. Inserts the filter BIO if it is missing: the session was deferred, or the
 * owner of the SSL has set another BIO or changed the SSL since the last call. */
enum thaw_status tls_session_prepare(struct tls_session *session);

/* Continues a suspended handshake. If that fails, the error is kept. */
enum thaw_status tls_session_continue(struct tls_session *session);

/*
 * Call this after each call in which OpenSSL reads; status is its result. A Finished that the message callback has not
 * seen proves that the application has replaced the callback. Then other messages of the client may be unknown, too.
 */
enum thaw_status tls_session_check_messages(struct tls_session *session, enum thaw_status status);

#endif
