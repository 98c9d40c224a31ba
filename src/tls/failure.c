#include "tls/failure.h"

#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/error.h"

bool tls_failure_is_no_renegotiation(unsigned long code)
{
	return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_NO_RENEGOTIATION;
}

/* OpenSSL's words for a code, without its numbers; never empty. */
static const char *words(unsigned long code)
{
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED)
		return "the peer does not support secure renegotiation (RFC 5746)";
	const char *reason = ERR_reason_error_string(code);
	return reason != NULL ? reason : "unnamed failure";
}

enum thaw_status tls_library_failure(enum thaw_error_class cls, const char *what, struct thaw_error *err)
{
	const char *data = NULL;
	int flags = 0;
	unsigned long code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);

	if (code == 0)
		(void)error_set(err, cls, "%s: no memory, or no cause given", what);
	else if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
		(void)error_set(err, THAW_ERR_RESOURCE, "%s: out of memory", what);
	else if (!ERR_SYSTEM_ERROR(code) && (flags & ERR_TXT_STRING) != 0 && data != NULL && data[0] != '\0')
		(void)error_set(err, cls, "%s: %s (%s)", what, words(code), data);
	else
		(void)error_set(err, cls, "%s: %s", what, words(code));
	ERR_clear_error();
	return THAW_FAILED;
}

enum thaw_status tls_failure(const struct ssl_st *ssl, int result, const char *what, struct thaw_error *err)
{
	int system_error = errno;

	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_X509_LOOKUP:
	case SSL_ERROR_WANT_CLIENT_HELLO_CB:
	case SSL_ERROR_WANT_ASYNC:
		return THAW_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return THAW_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		ERR_clear_error();
		return THAW_CLOSED;
	case SSL_ERROR_SYSCALL:
		if (ERR_peek_error() == 0) {
			if (system_error != 0)
				return error_system(err, system_error, "%s", what);
			return error_set(err, THAW_ERR_PEER, "%s: the connection was closed without a close_notify",
					 what);
		}
		return tls_library_failure(THAW_ERR_PEER, what, err);
	default:
		return tls_library_failure(THAW_ERR_PEER, what, err);
	}
}
