/* Plain texts for alerts and other errors that operators often see, where OpenSSL's texts do not say what happened. */
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/failure.h"
#include "tls/observe.h"

static const char *plain_words(int reason)
{
	switch (reason) {
	case SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED:
		return "the peer does not support secure renegotiation (RFC 5746)";
	case SSL_R_HTTP_REQUEST:
		return "an http request came without TLS";
	case SSL_R_WRONG_VERSION_NUMBER:
		return "what came is not TLS (wrong version number)";
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return "the connection was closed without a close_notify";
	case SSL_R_UNSUPPORTED_PROTOCOL:
		return "no common TLS version";
	case SSL_R_NO_SHARED_CIPHER:
		return "no common cipher suite or group";
	default:
		return NULL;
	}
}

/* The meaning of an alert from the peer (RFC 8446 6.2, RFC 5246 7.2.2); "": its name is clear. */
static const char *alert_meaning(unsigned alert)
{
	static const struct {
		unsigned alert;
		const char *text;
	} meanings[] = {
		{20, ": it could not decrypt what it got"},
		{40, ": it found no common parameters, or refuses ours"},
		{41, ": it was given no certificate"},
		{42, ": it does not accept our certificate"},
		{43, ": it does not accept certificates of our kind"},
		{44, ": our certificate was revoked"},
		{45, ": our certificate has expired, or is not valid yet, by its clock"},
		{46, ": it does not accept our certificate"},
		{48, ": it does not trust the CA of our certificate"},
		{49, ": our certificate is valid, but not allowed"},
		{51, ": a signature or a key exchange was wrong"},
		{70, ": no common TLS version"},
		{71, ": what was agreed on is too weak for it"},
		{80, ": a failure of its own"},
		{86, ": it supports a newer TLS version than was offered"},
		{90, ": a person, or the program, cancelled the handshake"},
		{112, ": it has no host of that name"},
		{116, ": it requires a certificate"},
		{120, ": no common application protocol (ALPN)"},
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].alert == alert)
			return meanings[i].text;
	return "";
}

const char *tls_alert_name(unsigned alert)
{
	static const struct {
		unsigned alert;
		const char *name;
	} names[] = {
		{0, "close_notify"},
		{10, "unexpected_message"},
		{20, "bad_record_mac"},
		{22, "record_overflow"},
		{40, "handshake_failure"},
		{41, "no_certificate"},
		{42, "bad_certificate"},
		{43, "unsupported_certificate"},
		{44, "certificate_revoked"},
		{45, "certificate_expired"},
		{46, "certificate_unknown"},
		{47, "illegal_parameter"},
		{48, "unknown_ca"},
		{49, "access_denied"},
		{50, "decode_error"},
		{51, "decrypt_error"},
		{70, "protocol_version"},
		{71, "insufficient_security"},
		{80, "internal_error"},
		{86, "inappropriate_fallback"},
		{90, "user_canceled"},
		{100, "no_renegotiation"},
		{109, "missing_extension"},
		{110, "unsupported_extension"},
		{112, "unrecognized_name"},
		{113, "bad_certificate_status_response"},
		{116, "certificate_required"},
		{120, "no_application_protocol"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].alert == alert)
			return names[i].name;
	return "unnamed";
}

bool tls_failure_is_alert(unsigned long code)
{
	return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET &&
	       ERR_GET_REASON(code) <= SSL_AD_REASON_OFFSET + UINT8_MAX;
}

const char *tls_failure_plain(unsigned long code, char to[static TLS_REASON_ROOM])
{
	unsigned alert = tls_failure_is_alert(code) ? (unsigned)(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET) : 0;

	if (tls_failure_is_alert(code)) {
		(void)snprintf(to, TLS_REASON_ROOM, "the peer sent alert %u, %s%s", alert, tls_alert_name(alert),
			       alert_meaning(alert));
		return to;
	}
	return ERR_GET_LIB(code) == ERR_LIB_SSL ? plain_words(ERR_GET_REASON(code)) : NULL;
}
