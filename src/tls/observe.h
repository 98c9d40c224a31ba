/*
 * What a client sees of being asked for its certificate: for the probe, which tells what a server does, and for the
 * upload client, which shows the ask when it happens. Works on any client's SSL_CTX, also one that a library made.
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
	TLS_EVENT_GIVEN,         /* our certificate went out */
	TLS_EVENT_SIGNED,        /* our key's signature followed it (RFC 8446 4.4.3): signed_ms */
	TLS_EVENT_KEY_FAILED,    /* our key made none: reason; the connection is over */
	TLS_EVENT_DECLINED,      /* an empty Certificate message went out (RFC 8446 4.4.2.4) */
	TLS_EVENT_FINISHED,      /* our Finished went out: of the handshake, or of an exchange */
	TLS_EVENT_ALERT_IN,      /* alert is set; close_notify is told, too */
	TLS_EVENT_ALERT_OUT,
};

/* Longer lists of CA names are cut: issuer_count says how many there are, issuers has the first ones. */
#define TLS_EVENT_ISSUERS_MAX 32

struct tls_event {
	enum tls_event_kind kind;
	enum thaw_means means;      /* ASKED: by which the server asks */
	size_t issuer_count;        /* ASKED: CA names in the request; 0: any CA will do */
	const char *const *issuers; /* RFC 4514; they live for the call */
	const char *subject;        /* of the certificate that will be given; NULL: there is none */
	unsigned alert;             /* RFC 8446 6 */
	uint64_t signed_ms;         /* SIGNED: what making it took; a token may need seconds, or wait for a touch */
	const char *reason;         /* KEY_FAILED: the cause; it lives for the call */
};

struct tls_observer {
	void (*on_event)(void *arg, const struct tls_event *event);
	void *arg;
	bool withhold; /* no answer is ever given to an ask: the exchange stops there, and reading goes on wanting */
};

/*
 * For every connection that is made of ctx from now on; takes its message callback, and its certificate callback. The
 * observer outlives ctx. False: no memory. A connection for which there is no memory when it is asked fails, and so
 * does one whose server sends too many records without application data (tls/records.h).
 */
bool tls_observe(struct ssl_ctx_st *ctx, const struct tls_observer *observer);

/* The message callback of such a ctx, for a connection that has another one of its own: OpenSSL calls only one. */
void tls_observe_message(int outbound, int version, int content_type, const void *data, size_t len, struct ssl_st *ssl,
			 void *arg);

/* For one connection of such a ctx: on_event() gets this arg in place of the observer's. False: no memory. */
bool tls_observe_as(struct ssl_st *ssl, void *arg);

/* "handshake_failure" and the like (RFC 8446 6.2); "unnamed" for others. */
const char *tls_alert_name(unsigned alert);

#endif
