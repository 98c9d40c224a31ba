#include "tls/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include "base/error.h"

bool tls_failure_is_no_renegotiation(unsigned long code)
{
	return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_NO_RENEGOTIATION;
}

static bool names_memory(unsigned long code)
{
	return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
}

bool tls_failure_is_memory(void)
{
	return names_memory(ERR_peek_error()) || names_memory(ERR_peek_last_error());
}

/* Entries that OpenSSL adds when an allocation failed and no cause was recorded. */
static bool names_no_cause(unsigned long code)
{
	int lib = ERR_GET_LIB(code), reason = ERR_GET_REASON(code);

	return code == 0 || ERR_COMMON_ERROR(code) || lib == ERR_LIB_RAND ||
	       (lib == ERR_LIB_EVP && (reason == EVP_R_INITIALIZATION_ERROR || reason == EVP_R_NOT_ABLE_TO_COPY_CTX)) ||
	       (lib == ERR_LIB_EC && reason == EC_R_RANDOM_NUMBER_GENERATION_FAILED);
}

/* Whether the key is in memory. A key of an engine or another provider may be on a token. */
static bool is_software(const EVP_PKEY *key)
{
	const OSSL_PROVIDER *provider = key != NULL ? EVP_PKEY_get0_provider(key) : NULL;

	return provider != NULL && strcmp(OSSL_PROVIDER_get0_name(provider), "default") == 0;
}

static bool is_signing(const SSL *ssl)
{
	return SSL_get_state(ssl) == TLS_ST_CW_CERT_VRFY;
}

/* A key in memory can always sign, unless memory runs out, which OpenSSL does not always report. */
static bool has_no_memory(const SSL *ssl)
{
	return tls_failure_is_memory() ||
	       (is_signing(ssl) && is_software(SSL_get_privatekey(ssl)) && names_no_cause(ERR_peek_error()));
}

bool tls_failure_is_key(const struct ssl_st *ssl)
{
	unsigned long code = ERR_peek_error();

	return is_signing(ssl) && code != 0 && !ERR_SYSTEM_ERROR(code) && !has_no_memory(ssl);
}

/* The return values of a PKCS #11 module (2.40, 5.1), which libp11 reports as the reason codes of its own error
 * library. */
static const char *token_words(unsigned long code)
{
	static const struct {
		int value;
		const char *words;
	} values[] = {
		{0x5, "the token failed (CKR_GENERAL_ERROR)"},
		{0x6, "the token failed (CKR_FUNCTION_FAILED)"},
		{0x30, "the token failed (CKR_DEVICE_ERROR)"},
		{0x31, "the token is out of memory (CKR_DEVICE_MEMORY)"},
		{0x32, "the token was removed (CKR_DEVICE_REMOVED)"},
		{0x50, "the token cancelled it (CKR_FUNCTION_CANCELED)"},
		{0x60, "the key is not on the token any more (CKR_KEY_HANDLE_INVALID)"},
		{0x63, "the key is of another type (CKR_KEY_TYPE_INCONSISTENT)"},
		{0x68, "the key is not allowed to do this (CKR_KEY_FUNCTION_NOT_PERMITTED)"},
		{0x70, "the token does not have this mechanism (CKR_MECHANISM_INVALID)"},
		{0x71, "the token does not have this mechanism (CKR_MECHANISM_PARAM_INVALID)"},
		{0x82, "the key is not on the token any more (CKR_OBJECT_HANDLE_INVALID)"},
		{0xA0, "the PIN is wrong (CKR_PIN_INCORRECT)"},
		{0xA3, "the PIN has expired (CKR_PIN_EXPIRED)"},
		{0xA4, "the PIN is locked (CKR_PIN_LOCKED)"},
		{0xB0, "the token was removed (CKR_SESSION_CLOSED)"},
		{0xB3, "the token was removed (CKR_SESSION_HANDLE_INVALID)"},
		{0xE0, "the token was removed (CKR_TOKEN_NOT_PRESENT)"},
		{0x101, "the token wants a login (CKR_USER_NOT_LOGGED_IN)"},
		{0x200, "the token rejected it (CKR_FUNCTION_REJECTED)"},
	};
	const char *library = ERR_lib_error_string(code);

	if (library == NULL || strcmp(library, "PKCS#11 module") != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (values[i].value == ERR_GET_REASON(code))
			return values[i].words;
	return NULL;
}

/* NULL: OpenSSL has no text. */
static const char *known_words(unsigned long code)
{
	if (ERR_SYSTEM_ERROR(code))
		return strerror(ERR_GET_REASON(code));
	const char *token = token_words(code);
	return token != NULL ? token : ERR_reason_error_string(code);
}

const char *tls_failure_reason(unsigned long code, char to[static TLS_REASON_ROOM])
{
	const char *plain = tls_failure_plain(code, to), *library = ERR_lib_error_string(code);
	const char *known = plain != NULL ? plain : known_words(code);

	if (known != NULL)
		return known;
	(void)snprintf(to, TLS_REASON_ROOM, "%s error 0x%x", library != NULL ? library : "unnamed",
		       (unsigned)ERR_GET_REASON(code));
	return to;
}

const char *tls_file_cure(int cause)
{
	if (cause == ENOENT || cause == ENOTDIR)
		return "; correct the name, or put the file there";
	if (cause == EACCES)
		return "; start thaw as a user who may read it, or change its mode";
	if (cause == ENXIO)
		return "; it is a pipe, a socket or a device: put a file in its place";
	if (cause == EFBIG)
		return "; it may have at most 256 MiB";
	return "";
}

enum thaw_status tls_library_failure(enum thaw_error_class cls, const char *what, struct thaw_error *err)
{
	const char *data = NULL;
	char room[TLS_REASON_ROOM];
	int flags = 0;
	bool no_memory = tls_failure_is_memory();
	unsigned long code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);

	if (code == 0)
		(void)error_set(err, cls, "%s: no memory, or no cause given", what);
	else if (no_memory)
		(void)error_set(err, THAW_ERR_RESOURCE, "%s: out of memory", what);
	else if (!ERR_SYSTEM_ERROR(code) && !tls_failure_is_alert(code) && (flags & ERR_TXT_STRING) != 0 &&
		 data != NULL && data[0] != '\0')
		(void)error_set(err, cls, "%s: %s (%s)", what, tls_failure_reason(code, room), data);
	else
		(void)error_set(err, cls, "%s: %s%s", what, tls_failure_reason(code, room),
				cls == THAW_ERR_CONFIG && ERR_SYSTEM_ERROR(code) ? tls_file_cure(ERR_GET_REASON(code))
										 : "");
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
		if (has_no_memory(ssl)) {
			ERR_clear_error();
			return error_set(err, THAW_ERR_RESOURCE, "%s: out of memory", what);
		}
		return tls_library_failure(THAW_ERR_PEER, what, err);
	}
}
