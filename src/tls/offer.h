/*
 * Decisions about a ClientHello: HTTP/2, TLS 1.2 or 1.3, and whether to ask for the certificate in this handshake. Pure
 * functions.
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

/* The TLS policy of a host. */
struct tls_policy {
	enum tls_http2 http2;
	bool asks_late;     /* at least one route asks after the handshake */
	bool hold_to_tls12; /* limit clients to TLS 1.2 that must be asked late and cannot be asked over TLS 1.3 */
	bool no_tls12, no_tls13;
};

/* Whether to select HTTP/2. Over TLS 1.2 that also requires a cipher suite that RFC 9113 9.2.2 allows. */
bool tls_offers_http2(const struct tls_policy *policy, const struct tls_hello *hello);

/* Whether this may be such a second connection, which is asked in its handshake if its client was sent away from this
 * host. */
bool tls_may_follow(const struct tls_policy *policy, const struct tls_hello *hello);

/* Whether to limit the client to TLS 1.2, because it must be asked late. on_demand: it is asked in this handshake. */
bool tls_holds_to_tls12(const struct tls_policy *policy, const struct tls_hello *hello, bool on_demand);

/* The result of the handshake, as far as it matters for asking. */
enum tls_version { TLS_VERSION_OTHER, TLS_VERSION_12, TLS_VERSION_13 };

struct tls_negotiated {
	enum tls_version version;
	bool http2;
	bool post_handshake;       /* TLS 1.3: offered */
	bool secure_renegotiation; /* TLS 1.2: RFC 5746 */
	bool unbound; /* TLS 1.2: resumed without the extended master secret (RFC 7627 5.4), so a certificate is not
			 bound to the connection */
};

/* How to ask after that handshake; *reason is set for THAW_MEANS_NONE, otherwise THAW_REASON_NONE. */
enum thaw_means tls_means(const struct tls_negotiated *negotiated, enum thaw_reason *reason);

#endif
