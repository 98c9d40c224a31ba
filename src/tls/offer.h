/*
 * What is decided from a ClientHello: HTTP/2, TLS 1.2 or 1.3, and whether the certificate is asked for in this
 * handshake. Pure functions.
 *
 * HTTP/2 allows neither way of asking late (RFC 9113 9.2.3). A browser whose HTTP/2 stream is reset with
 * HTTP_1_1_REQUIRED opens a second connection that offers HTTP/1.1 alone, and sends its request again: that connection
 * is asked in its handshake, over TLS 1.3 only, since the certificate would travel in the clear over TLS 1.2. This is
 * the handshake on demand.
 */
#ifndef TLS_OFFER_H
#define TLS_OFFER_H

#include "thaw/types.h"
#include "tls/hello.h"

enum tls_http2 { TLS_HTTP2_OFF, TLS_HTTP2_AUTO, TLS_HTTP2_ON };

/* How a host treats its clients. */
struct tls_policy {
	enum tls_http2 http2;
	bool asks_late;     /* one of its routes asks after the handshake */
	bool hold_to_tls12; /* clients that have to be asked late, and cannot be on TLS 1.3 */
	bool no_tls12, no_tls13;
};

/* Choose HTTP/2. Over TLS 1.2 it is chosen only with a cipher suite that RFC 9113 9.2.2 allows. */
bool tls_offers_http2(const struct tls_policy *manner, const struct tls_hello *hello);

/* It may be such a second connection: if its client was sent away from this host, it is asked in its handshake. */
bool tls_may_follow(const struct tls_policy *manner, const struct tls_hello *hello);

/* Hold the client to TLS 1.2: it will have to be asked late. on_demand: it is asked in this handshake. */
bool tls_holds_to_tls12(const struct tls_policy *manner, const struct tls_hello *hello, bool on_demand);

/* What the handshake led to, as far as asking depends on it. */
enum tls_version { TLS_VERSION_OTHER, TLS_VERSION_12, TLS_VERSION_13 };

struct tls_negotiated {
	enum tls_version version;
	bool http2;
	bool post_handshake;       /* TLS 1.3: offered */
	bool secure_renegotiation; /* TLS 1.2: RFC 5746 */
	bool loose;                /* TLS 1.2: resumed without the extended master secret (RFC 7627 5.4) */
};

/* How a certificate can be asked for after that; *reason for THAW_MEANS_NONE, else THAW_REASON_NONE. */
enum thaw_means tls_means(const struct tls_negotiated *negotiated, enum thaw_reason *reason);

#endif
