#include "tls/offer.h"

bool tls_offers_http2(const struct tls_manner *manner, const struct tls_hello *hello)
{
	if (!hello->h2 || manner->http2 == TLS_HTTP2_OFF)
		return false;
	if (manner->http2 == TLS_HTTP2_ON || !manner->asks_late)
		return true;
	return tls_kind_comes_back(hello->kind) && hello->tls13 && !manner->no_tls13;
}

bool tls_may_follow(const struct tls_manner *manner, const struct tls_hello *hello)
{
	return manner->asks_late && !manner->no_tls13 && hello->tls13 && hello->http1 && !hello->h2 &&
	       tls_kind_comes_back(hello->kind);
}

bool tls_holds_to_tls12(const struct tls_manner *manner, const struct tls_hello *hello, bool on_demand)
{
	return manner->hold_to_tls12 && hello->tls12 && !hello->post_handshake && !on_demand &&
	       !tls_offers_http2(manner, hello);
}
