/*
 * Reports when a client is asked for its certificate: for the probe and the upload client. Works on any client's
 * SSL_CTX, also one that another library made.
 */
#ifndef TLS_OBSERVE_H
#define TLS_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>

#include "thaw/types.h"

struct ssl_ctx_st;
struct ssl_st;

enum tls_event_kind {
	TLS_EVENT_HELLO_REQUEST, /* TLS 1.2: the server wants to renegotiate (RFC 5246 7.4.1.1) */
	TLS_EVENT_ASKED,         /* a CertificateRequest: means, issuers and subject are set */
	TLS_EVENT_GIVEN,         /* our certificate was sent */
	TLS_EVENT_SIGNED,        /* our signature was sent (RFC 8446 4.4.3): signed_ms */
	TLS_EVENT_KEY_FAILED,    /* our key could not sign: reason; the connection has failed */
	TLS_EVENT_DECLINED,      /* an empty Certificate message was sent (RFC 8446 4.4.2.4) */
	TLS_EVENT_FINISHED,      /* our Finished was sent, of the handshake or of an exchange */
	TLS_EVENT_ALERT_IN,      /* alert is set; also for close_notify */
	TLS_EVENT_ALERT_OUT,
};

/* Longer lists of CA names are truncated: issuer_count is the full number, issuers has the first ones. */
#define TLS_EVENT_ISSUERS_MAX 32

struct tls_event {
	enum tls_event_kind kind;
	enum thaw_means means;      /* ASKED: how the server asks */
	size_t issuer_count;        /* ASKED: number of CA names in the request; 0: any CA */
	const char *const *issuers; /* RFC 4514; valid during the call */
	const char *subject;        /* of the certificate that will be sent; NULL: none */
	unsigned alert;             /* RFC 8446 6 */
	uint64_t signed_ms; /* SIGNED: the time that signing took; a token may need seconds, or wait for a touch */
	const char *reason; /* KEY_FAILED: the cause; valid during the call */
};

struct tls_observer {
	void (*on_event)(void *arg, const struct tls_event *event);
	void *arg;
	bool withhold; /* never answer an ask: the exchange stops, and reads return THAW_WANT_READ */
};

/*
 * Observes every connection that is made of ctx from now on. Uses ctx's message callback and certificate callback. The
 * observer must outlive ctx. False: out of memory. A connection fails if memory runs out when it is asked, or if its
 * server sends too many records without application data (tls/records.h).
 */
bool tls_observe(struct ssl_ctx_st *ctx, const struct tls_observer *observer);

/* The message callback of such a ctx, to be called by a connection's own message callback: OpenSSL calls only one. */
void tls_observe_message(int outbound, int version, int content_type, const void *data, size_t len, struct ssl_st *ssl,
			 void *arg);

/* Passes this arg to on_event() for one connection of such a ctx, instead of the observer's. False: out of memory. */
bool tls_observe_as(struct ssl_st *ssl, void *arg);

/* "handshake_failure" and the like (RFC 8446 6.2); "unnamed" for others. */
const char *tls_alert_name(unsigned alert);

#endif
