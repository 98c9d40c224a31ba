#include "tls/session.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/error.h"
#include "tls/failure.h"
#include "tls/queue.h"
#include "tls/session_inside.h"

/* Prepares an error on the caller's stack. keep_error() copies only the first real failure. */
static struct thaw_error *begin_error(struct thaw_error *err)
{
	err->cls = THAW_ERR_NONE;
	return err;
}

static enum thaw_status keep_error(struct tls_session *session, enum thaw_status status, const struct thaw_error *err)
{
	if (err->cls == THAW_ERR_NONE || session->err != NULL || session->err_lost)
		return status;
	session->err = malloc(sizeof(*session->err));
	if (session->err != NULL)
		*session->err = *err;
	session->err_lost = session->err == NULL;
	return status;
}

enum thaw_status tls_session_library_failure(struct tls_session *session, enum thaw_error_class cls, const char *doing)
{
	struct thaw_error err;

	return keep_error(session, tls_library_failure(cls, doing, begin_error(&err)), &err);
}

enum thaw_status tls_session_failure(struct tls_session *session, int result, const char *doing)
{
	struct thaw_error err;

	return keep_error(session, tls_failure(session->ssl, result, doing, begin_error(&err)), &err);
}

enum thaw_status tls_session_check_messages(struct tls_session *session, enum thaw_status status)
{
	static const struct thaw_error replaced = {
		THAW_ERR_USAGE, "the SSL's message callback was replaced; set it with thaw_conn_set_msg_callback()"};

	if (status == THAW_FAILED)
		return status;
	session->unheard = tls_session_finished_anew(session) || session->unheard;
	return session->unheard ? keep_error(session, THAW_FAILED, &replaced) : status;
}

enum thaw_status tls_session_prepare(struct tls_session *session)
{
	static const struct thaw_error client = {THAW_ERR_USAGE, "the SSL has become a client's; only a server asks"};
	static const struct thaw_error cleared = {
		THAW_ERR_USAGE, "SSL_clear() was called; use a new SSL and thaw_conn for another connection"};

	tls_session_keep_from_kernel(session->ssl);
	if (SSL_is_server(session->ssl) == 0)
		return keep_error(session, THAW_FAILED, &client);
	session->cleared = tls_session_cleared(session);
	if (session->cleared)
		return keep_error(session, THAW_FAILED, &cleared);
	if (session->deferred)
		tls_session_follow_messages(session);
	if (tls_queue(session->ssl, TLS_QUEUE_HANDSHAKE))
		return THAW_OK;
	return tls_session_library_failure(session, THAW_ERR_RESOURCE, "joining a connection");
}

enum thaw_status tls_session_continue(struct tls_session *session)
{
	struct thaw_error err;

	if (session->suspended == NULL)
		return THAW_OK;
	enum thaw_status status =
		keep_error(session, session->suspended(session->suspended_arg, begin_error(&err)), &err);
	ERR_clear_error();
	return status;
}

static enum thaw_status flooded(const struct tls_session *session, struct thaw_error *err)
{
	ERR_clear_error();
	if (session->refused_hellos > HELLO_REFUSED_MAX)
		return error_set(err, THAW_ERR_PEER, "the client tried to renegotiate %u times",
				 session->refused_hellos);
	return error_set(err, THAW_ERR_PEER, "the client sent %llu TLS records without application data",
			 (unsigned long long)session->records.control);
}

bool tls_session_flooded(const struct tls_session *session)
{
	return session->records.over;
}

/* If the SSL has no certificate, OpenSSL reports a misleading reason, such as 'no shared cipher'. */
static bool lacks_certificate(const struct tls_session *session, int why)
{
	return (why == SSL_R_NO_SHARED_CIPHER || why == SSL_R_UNSUPPORTED_PROTOCOL ||
		why == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM) &&
	       session->hello_read && !tls_first_handshake_over(session->ssl) &&
	       SSL_get_certificate(session->ssl) == NULL;
}

static bool is_not_set_up(int why)
{
	return why == SSL_R_UNINITIALIZED || why == SSL_R_READ_BIO_NOT_SET || why == SSL_R_BIO_NOT_SET ||
	       why == SSL_R_CONNECTION_TYPE_NOT_SET;
}

/* Sets the error of a failed read. If the owner of the SSL has not set it up completely, that is not reported as a
 * failure of the peer. */
static enum thaw_status read_failure(struct tls_session *session, int result, struct thaw_error *err)
{
	unsigned long code = ERR_peek_error();
	int why = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;

	session->refused = session->refused || tls_failure_is_no_renegotiation(code);
	if (lacks_certificate(session, why))
		(void)error_set(err, THAW_ERR_CONFIG, "reading: the SSL has no certificate to show");
	else if (is_not_set_up(why))
		(void)error_set(err, THAW_ERR_USAGE,
				"reading: the SSL has no BIO, or SSL_set_accept_state() was not called");
	return tls_failure(session->ssl, result, "reading", err); /* keeps the cause that is already set */
}

/* OpenSSL takes a read without room for the end of the connection. */
static int read_some(SSL *ssl, void *data, size_t room, size_t *len)
{
	char byte;

	if (room > 0)
		return SSL_read_ex(ssl, data, room, len);
	int n = SSL_peek_ex(ssl, &byte, 1, len);
	*len = 0;
	return n;
}

enum thaw_status tls_session_read(struct tls_session *session, void *data, size_t room, size_t *len)
{
	struct thaw_error err;
	*len = 0;
	if (session->failed)
		return THAW_FAILED;
	ERR_clear_error();
	if (tls_session_prepare(session) != THAW_OK)
		return THAW_FAILED;
	enum thaw_status status = tls_session_continue(session);
	if (status != THAW_OK) {
		session->failed = status == THAW_FAILED;
		return status;
	}
	errno = 0;
	int n = read_some(session->ssl, data, room, len);
	if (n != 1 && session->records.over)
		status = keep_error(session, flooded(session, begin_error(&err)), &err);
	else if (n != 1)
		status = keep_error(session, read_failure(session, n, begin_error(&err)), &err);
	status = tls_session_check_messages(session, status);
	if (status != THAW_OK)
		*len = 0;
	session->failed = status == THAW_FAILED;
	return status;
}

enum thaw_status tls_session_write(struct tls_session *session, const void *data, size_t room, size_t *len)
{
	*len = 0;
	if (room == 0)
		return THAW_OK;
	if (!tls_session_can_write(session) && !tls_queue_has_record(session->ssl))
		return THAW_WANT_READ;
	ERR_clear_error();
	errno = 0;
	(void)SSL_set_mode(session->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	int n = tls_queue_write_record(session->ssl, data, room, len);
	session->writing = false;
	if (n == 1)
		return *len > 0 ? THAW_OK : THAW_WANT_WRITE;
	enum thaw_status status = tls_session_failure(session, n, "writing");
	session->writing = status == THAW_WANT_WRITE;
	return status;
}

bool tls_session_closed(const struct tls_session *session)
{
	return (SSL_get_shutdown(session->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool tls_session_may_renegotiate(const struct tls_session *session)
{
	return (SSL_get_options(session->ssl) & SSL_OP_NO_RENEGOTIATION) == 0;
}

bool tls_session_writing(const struct tls_session *session)
{
	return session->writing;
}

void tls_session_flush(struct tls_session *session)
{
	tls_queue_flush(session->ssl);
}

bool tls_session_unsent(const struct tls_session *session)
{
	return tls_queue_unsent(session->ssl);
}

bool tls_session_can_write(const struct tls_session *session)
{
	/* The application's own SSL_key_update() is written by the next write. */
	return SSL_in_init(session->ssl) == 0 || SSL_get_key_update_type(session->ssl) != SSL_KEY_UPDATE_NONE;
}

bool tls_session_refused(const struct tls_session *session)
{
	return session->refused;
}

const struct thaw_error *tls_session_error(const struct tls_session *session)
{
	static const struct thaw_error none = {.cls = THAW_ERR_NONE}, lost = {THAW_ERR_RESOURCE, "out of memory"};

	if (session->err != NULL)
		return session->err;
	return session->err_lost ? &lost : &none;
}
