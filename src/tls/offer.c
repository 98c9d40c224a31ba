#include "tls/offer.h"

bool tls_offers_http2(const struct tls_policy *policy, const struct tls_hello *hello)
{
	if (!hello->h2 || policy->http2 == TLS_HTTP2_OFF)
		return false;
	if (policy->http2 == TLS_HTTP2_ON || !policy->asks_late)
		return true;
	return tls_kind_retries(hello->kind) && hello->tls13 && !policy->no_tls13;
}

bool tls_may_follow(const struct tls_policy *policy, const struct tls_hello *hello)
{
	return policy->asks_late && !policy->no_tls13 && hello->tls13 && hello->http1 && !hello->h2 &&
	       tls_kind_retries(hello->kind);
}

bool tls_holds_to_tls12(const struct tls_policy *policy, const struct tls_hello *hello, bool on_demand)
{
	return policy->hold_to_tls12 && hello->tls12 && !hello->post_handshake && !on_demand &&
	       !tls_offers_http2(policy, hello);
}

enum thaw_means tls_means(const struct tls_negotiated *negotiated, enum thaw_reason *reason)
{
	*reason = THAW_REASON_NONE;
	if (negotiated->http2) {
		*reason = THAW_REASON_HTTP2;
		return THAW_MEANS_NONE;
	}
	switch (negotiated->version) {
	case TLS_VERSION_13:
		if (negotiated->post_handshake)
			return THAW_MEANS_POST_HANDSHAKE;
		*reason = THAW_REASON_NO_POST_HANDSHAKE;
		break;
	case TLS_VERSION_12:
		if (negotiated->secure_renegotiation && !negotiated->unbound)
			return THAW_MEANS_RENEGOTIATION;
		/* Without RFC 5746 an ask would fail the connection. */
		*reason =
			negotiated->secure_renegotiation ? THAW_REASON_NO_EXTENDED_MASTER : THAW_REASON_NO_SECURE_RENEG;
		break;
	case TLS_VERSION_OTHER:
		*reason = THAW_REASON_VERSION;
		break;
	}
	return THAW_MEANS_NONE;
}
