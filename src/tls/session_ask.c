#include "tls/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "tls/session_inside.h"

static enum thaw_status use_trust(struct tls_session *session, thaw_trust *trust, int mode)
{
	if (tls_peer_ask(&session->peer, trust, mode))
		return THAW_OK;
	return tls_session_library_failure(session, THAW_ERR_RESOURCE, "readying the request for a certificate");
}

enum thaw_status tls_session_ask_at_handshake(struct tls_session *session, thaw_trust *trust)
{
	return use_trust(session, trust, SSL_VERIFY_PEER);
}

enum thaw_status tls_session_ask_on_demand(struct tls_session *session, thaw_trust *trust)
{
	session->peer.on_demand = true;
	return tls_session_ask_at_handshake(session, trust);
}

void tls_session_know_trusts(struct tls_session *session, const thaw_trust *const *trusts, size_t count)
{
	session->peer.trusts = trusts;
	session->peer.trust_count = count;
}

/* Runs once, after the first handshake and before another one can begin. */
static void judge_handshake(struct tls_session *session)
{
	if (session->judged || !tls_session_established(session))
		return;
	session->judged = true;
	session->loose = SSL_version(session->ssl) < TLS1_3_VERSION && SSL_get_extms_support(session->ssl) != 1 &&
			 SSL_session_reused(session->ssl) == 1;
}

bool tls_speaks_http2(const struct ssl_st *ssl)
{
	const unsigned char *name = NULL;
	unsigned len = 0;

	SSL_get0_alpn_selected(ssl, &name, &len);
	return len == 2 && memcmp(name, "h2", 2) == 0;
}

static enum tls_version version_of(const SSL *ssl)
{
	int version = SSL_version(ssl);

	if (version == TLS1_3_VERSION)
		return TLS_VERSION_13;
	return version == TLS1_2_VERSION ? TLS_VERSION_12 : TLS_VERSION_OTHER;
}

enum thaw_means tls_session_means(struct tls_session *session, enum thaw_reason *reason)
{
	enum thaw_reason why = THAW_REASON_NONE;

	judge_handshake(session);
	const struct tls_negotiated negotiated = {
		.version = version_of(session->ssl),
		.http2 = tls_speaks_http2(session->ssl),
		.post_handshake = !session->hello_seen || session->hello.post_handshake,
		.secure_renegotiation = SSL_get_secure_renegotiation_support(session->ssl) == 1,
		.unbound = session->loose,
	};
	enum thaw_means means = tls_means(&negotiated, &why);
	if (reason != NULL)
		*reason = why;
	return means;
}

bool tls_session_binds_certificate(struct tls_session *session)
{
	judge_handshake(session);
	return !session->loose;
}

/* Begins to write a KeyUpdate that OpenSSL has put off, and tickets. The handshake message of the application's own
 * SSL_key_update() and SSL_new_session_ticket() was begun by those calls. */
static int write_put_off(SSL *ssl)
{
	int update = SSL_get_key_update_type(ssl);

	if (SSL_version(ssl) != TLS1_3_VERSION || !tls_first_handshake_over(ssl))
		return 1;
	if (update != SSL_KEY_UPDATE_NONE && SSL_is_init_finished(ssl) == 1)
		(void)SSL_key_update(ssl, update); /* the same one, but now */
	return SSL_get_state(ssl) == TLS_ST_OK ? SSL_do_handshake(ssl) : 1;
}

void tls_session_catch_up(struct tls_session *session)
{
	ERR_clear_error();
	errno = 0;
	int n = write_put_off(session->ssl);
	if (n != 1)
		(void)tls_session_failure(session, n, "writing");
}

static enum thaw_status begin_post_handshake(struct tls_session *session, enum thaw_reason *reason)
{
	tls_session_catch_up(session);
	if (SSL_verify_client_post_handshake(session->ssl) == 1)
		return THAW_OK;
	int why = ERR_GET_REASON(ERR_peek_error());
	if (why == SSL_R_EXTENSION_NOT_RECEIVED)
		*reason = THAW_REASON_NO_POST_HANDSHAKE;
	else if (why == SSL_R_REQUEST_PENDING || why == SSL_R_REQUEST_SENT)
		*reason = THAW_REASON_OUTSTANDING;
	else
		return tls_session_library_failure(session, THAW_ERR_USAGE, "requesting a certificate");
	ERR_clear_error();
	return THAW_FAILED;
}

/*
 * By default OpenSSL resumes the session in a renegotiation, and then sends no CertificateRequest at all. A session id
 * context that no session was created under prevents that. It keeps tickets enabled, which GnuTLS clients need.
 */
static enum thaw_status begin_renegotiation(struct tls_session *session)
{
	unsigned char unique[SSL_MAX_SID_CTX_LENGTH];

	if (RAND_bytes(unique, sizeof(unique)) != 1 ||
	    SSL_set_session_id_context(session->ssl, unique, sizeof(unique)) != 1 || SSL_renegotiate(session->ssl) != 1)
		return tls_session_library_failure(session, THAW_ERR_RESOURCE, "requesting a renegotiation");
	return THAW_OK;
}

enum thaw_status tls_ask_begin(struct tls_session *session, enum thaw_means means, thaw_trust *trust,
			       enum thaw_reason *reason)
{
	bool post = means == THAW_MEANS_POST_HANDSHAKE;

	*reason = THAW_REASON_NONE;
	ERR_clear_error();
	enum thaw_status status = tls_session_prepare(session);
	if (status == THAW_OK)
		status =
			use_trust(session, trust, post ? SSL_VERIFY_PEER | SSL_VERIFY_POST_HANDSHAKE : SSL_VERIFY_PEER);
	if (status == THAW_OK)
		status = post ? begin_post_handshake(session, reason) : begin_renegotiation(session);
	if (status == THAW_OK)
		session->records.asks++;
	return status;
}

enum thaw_status tls_ask_send(struct tls_session *session)
{
	enum thaw_status status = tls_session_continue(session);

	if (status != THAW_OK)
		return status;
	ERR_clear_error();
	errno = 0;
	int n = SSL_do_handshake(session->ssl);
	if (n == 1)
		return tls_session_check_messages(session, THAW_OK);
	return tls_session_check_messages(session,
					  tls_session_failure(session, n, "sending the request for a certificate"));
}

bool tls_session_has_certificate(const struct tls_session *session)
{
	return SSL_get0_peer_certificate(session->ssl) != NULL;
}

struct tls_certificate *tls_session_verify(struct tls_session *session, const thaw_trust *trust,
					   enum thaw_reason *reason, char *detail, size_t room)
{
	X509 *x509 = SSL_get0_peer_certificate(session->ssl);

	detail[0] = '\0';
	/* After an empty Certificate message there is no certificate, but the verify result is X509_V_OK. */
	*reason = THAW_REASON_NO_CERTIFICATE;
	if (x509 == NULL)
		return NULL;
	*reason = THAW_REASON_NO_MEMORY;
	const struct tls_verdict *verdict = tls_peer_verify(&session->peer, trust);
	struct tls_certificate *certificate = verdict != NULL ? tls_certificate_new(x509, verdict->path) : NULL;
	if (certificate == NULL)
		return NULL;
	*reason = verdict->error == X509_V_OK ? THAW_REASON_NONE : THAW_REASON_UNTRUSTED;
	(void)snprintf(detail, room, "%s", verdict->detail);
	return certificate;
}
