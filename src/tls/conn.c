/* A server connection: ClientHello, handshake, reading limits, close. */
#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/error.h"
#include "tls/failure.h"
#include "tls/queue.h"
#include "tls/server_inside.h"
#include "tls/transport_bio.h"

#define HANDSHAKE_FAILED "TLS handshake failed"

/* The status of a handshake that is not complete. */
static enum thaw_status handshake_status(struct tls_conn *conn, int result, struct thaw_error *err)
{
	const char *unsigned_for = tls_remote_failure();

	if (tls_conn_flooded(conn)) {
		ERR_clear_error();
		return error_set(err, THAW_ERR_PEER, HANDSHAKE_FAILED ": the client sent too many TLS records");
	}
	if (unsigned_for != NULL && SSL_get_error(conn->ssl, result) == SSL_ERROR_SSL) {
		ERR_clear_error();
		return error_set(err, THAW_ERR_SYSTEM, HANDSHAKE_FAILED ": no signature: %s", unsigned_for);
	}
	/* OpenSSL's own text only says that a callback failed. */
	if (conn->hello && conn->host < 0)
		(void)error_set(err, THAW_ERR_PEER, HANDSHAKE_FAILED ": no host is configured for this name");
	return tls_failure(conn->ssl, result, HANDSHAKE_FAILED, err);
}

enum thaw_status tls_conn_handshake(struct tls_conn *conn, struct thaw_error *err)
{
	int result = 0;

	ERR_clear_error();
	errno = 0;
	if (!tls_signing_handshake(&conn->signing, conn->ssl, &result))
		return THAW_WANT_READ;
	return result == 1 ? THAW_OK : handshake_status(conn, result, err);
}

/* A renegotiation was suspended in the ClientHello callback. THAW_OK: it was not, or it only waits for the client. */
static enum thaw_status carry_on(void *arg, struct thaw_error *err)
{
	struct tls_conn *conn = arg;

	if (!conn->signing.wanted)
		return THAW_OK;
	enum thaw_status status = tls_conn_handshake(conn, err);
	return status == THAW_WANT_READ && !conn->signing.wanted ? THAW_OK : status;
}

/* Selects the host at the first ClientHello only: a renegotiation cannot change the host of a connection. */
static enum thaw_status choose_host(struct tls_conn *conn, SSL *ssl)
{
	struct tls_session *session = tls_session_of(ssl);

	conn->hello = true;
	(void)tls_hello_name(ssl, conn->name);
	conn->host = tls_server_host(conn->server, conn->name);
	if (conn->host < 0 || session == NULL)
		return THAW_FAILED;
	const struct tls_host_context *host = &conn->server->hosts[conn->host];
	const struct tls_hello *hello = tls_session_hello(session);
	if (SSL_set_SSL_CTX(ssl, host->ctx) == NULL ||
	    SSL_set_session_id_context(ssl, host->sid_context, TLS_TICKET_BINDING_SIZE) != 1)
		return THAW_FAILED;
	if (host->remote)
		tls_session_on_suspended(session, carry_on, conn);
	tls_session_know_trusts(session, (const thaw_trust *const *)host->trusts, host->trust_count);
	conn->http2 = tls_offers_http2(&host->policy, hello);
	if (tls_may_follow(&host->policy, hello))
		conn->demanded = tls_demand_find(conn, &conn->demand);
	tls_session_hold_to_tls12(session, tls_holds_to_tls12(&host->policy, hello, conn->demanded != NULL));
	if (conn->demanded != NULL)
		return tls_session_ask_on_demand(session, conn->demanded);
	return host->at_handshake != NULL ? tls_session_ask_at_handshake(session, host->at_handshake) : THAW_OK;
}

int tls_on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_conn *conn = SSL_get_app_data(ssl);

	if (conn->host < 0 && choose_host(conn, ssl) != THAW_OK) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	if (conn->server->hosts[conn->host].remote && !tls_signing_here(&conn->signing))
		return SSL_CLIENT_HELLO_RETRY;
	return thaw_ctx_client_hello(ssl, alert, arg);
}

/*
 * RFC 9113 9.2.2 allows only TLS 1.2 suites with an ephemeral key exchange and AEAD. With TLS 1.3 the suite is not yet
 * known when ALPN is selected.
 */
static bool allows_http2(const SSL *ssl)
{
	const SSL_CIPHER *cipher = SSL_get_pending_cipher(ssl);
	int exchange = cipher != NULL ? SSL_CIPHER_get_kx_nid(cipher) : NID_undef;

	return SSL_version(ssl) == TLS1_3_VERSION ||
	       ((exchange == NID_kx_ecdhe || exchange == NID_kx_dhe) && SSL_CIPHER_is_aead(cipher) == 1);
}

/* RFC 7301 3.2. A client that offers only unknown protocols gets an alert; one without ALPN gets HTTP/1.1. */
int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
		void *arg)
{
	static const unsigned char all[] = "\x02h2\x08http/1.1\x08http/1.0";
	const size_t h2_len = sizeof("\x02h2") - 1;
	const struct tls_conn *conn = SSL_get_app_data(ssl);
	const size_t skipped = conn->http2 && allows_http2(ssl) ? 0 : h2_len;

	(void)arg;
	if (SSL_select_next_proto((unsigned char **)out, out_len, all + skipped, (unsigned)(sizeof(all) - 1 - skipped),
				  in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	if (skipped == 0 && *out_len == 2)
		(void)SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION); /* RFC 9113 9.2.1 */
	return SSL_TLSEXT_ERR_OK;
}

struct tls_conn *tls_conn_new(struct tls_server *server, struct transport transport)
{
	struct tls_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		return NULL;
	conn->server = server;
	conn->host = -1;
	conn->ssl = SSL_new(server->base);
	/* Add the filter first: if memory runs out, SSL_set_accept_state() of OpenSSL 3.5 leaves an SSL that must not
	 * get a BIO. */
	if (conn->ssl == NULL || SSL_set_app_data(conn->ssl, conn) != 1 || !tls_use_transport(conn->ssl, transport) ||
	    !tls_queue(conn->ssl, TLS_QUEUE_HANDSHAKE)) {
		ERR_clear_error();
		tls_conn_free(&conn);
		return NULL;
	}
	SSL_set_accept_state(conn->ssl);
	return conn;
}

void tls_conn_free(struct tls_conn **conn)
{
	struct tls_conn *gone = *conn;

	*conn = NULL;
	if (gone == NULL)
		return;
	tls_signing_end(&gone->signing);
	SSL_free(gone->ssl);
	free(gone);
}

struct ssl_st *tls_conn_ssl(struct tls_conn *conn)
{
	return conn->ssl;
}

void tls_conn_step(struct tls_conn *conn, bool quiet)
{
	tls_transport_step(conn->ssl, quiet);
}

bool tls_conn_empty(const struct tls_conn *conn)
{
	return !conn->signing.wanted && SSL_has_pending(conn->ssl) == 0 && tls_transport_empty(conn->ssl);
}

bool tls_conn_spent(const struct tls_conn *conn)
{
	return (conn->signing.wanted && !tls_signing_waits(&conn->signing)) || tls_transport_spent(conn->ssl);
}

void tls_conn_on_signature(struct tls_conn *conn, void (*wake)(void *arg), void *arg)
{
	conn->signing.wake = wake;
	conn->signing.arg = arg;
}

bool tls_conn_waits(const struct tls_conn *conn)
{
	return conn != NULL && tls_signing_waits(&conn->signing);
}

void tls_conn_give_up(struct tls_conn *conn)
{
	if (conn != NULL)
		tls_signing_end(&conn->signing);
}

bool tls_conn_flooded(const struct tls_conn *conn)
{
	const struct tls_session *session = conn != NULL ? tls_session_of(conn->ssl) : NULL;

	return session != NULL && tls_session_flooded(session);
}

const char *tls_conn_name(const struct tls_conn *conn)
{
	return conn->hello ? conn->name : NULL;
}

void tls_conn_on_away(struct tls_conn *conn, tls_away_fn *away, void *arg)
{
	conn->away = away;
	conn->away_arg = arg;
}

bool tls_conn_http2(const struct tls_conn *conn)
{
	return tls_speaks_http2(conn->ssl);
}

enum tls_client_kind tls_conn_kind(const struct tls_conn *conn)
{
	const struct tls_session *session = tls_session_of(conn->ssl);

	return session != NULL ? tls_session_hello(session)->kind : TLS_KIND_OTHER;
}

enum tls_demand tls_conn_demand(const struct tls_conn *conn)
{
	return conn != NULL ? conn->demand : TLS_DEMAND_NONE;
}

bool tls_conn_demanded(const struct tls_conn *conn, const thaw_trust *trust)
{
	return conn->demanded != NULL && conn->demanded == trust;
}

bool tls_conn_asked(const struct tls_conn *conn)
{
	const struct tls_session *session = tls_session_of(conn->ssl);

	return session != NULL && tls_session_asked_at_handshake(session);
}

int tls_conn_host(const struct tls_conn *conn)
{
	return conn->host;
}

enum thaw_status tls_conn_write(struct tls_conn *conn, const void *data, size_t room, size_t *len,
				struct thaw_error *err)
{
	enum thaw_status status = carry_on(conn, err);

	*len = 0;
	if (status != THAW_OK)
		return status;
	ERR_clear_error();
	errno = 0;
	int n = tls_queue_write_record(conn->ssl, data, room, len);
	if (n == 1)
		return *len > 0 || room == 0 ? THAW_OK : THAW_WANT_WRITE;
	return tls_failure(conn->ssl, n, "writing", err);
}

bool tls_conn_pending(const struct tls_conn *conn)
{
	return conn != NULL && (SSL_has_pending(conn->ssl) == 1 || BIO_pending(SSL_get_rbio(conn->ssl)) > 0);
}

void tls_conn_close_notify(struct tls_conn *conn)
{
	if (conn == NULL)
		return;
	ERR_clear_error();
	if (SSL_in_init(conn->ssl) == 0)
		(void)SSL_shutdown(conn->ssl);
	ERR_clear_error();
}

bool tls_conn_resumed(const struct tls_conn *conn)
{
	return conn != NULL && SSL_session_reused(conn->ssl) == 1;
}

const char *tls_conn_version(const struct tls_conn *conn)
{
	return conn != NULL ? SSL_get_version(conn->ssl) : NULL;
}

const char *tls_conn_cipher(const struct tls_conn *conn)
{
	if (conn == NULL)
		return NULL;
	const char *name = SSL_get_cipher_name(conn->ssl);
	return name != NULL ? name : "";
}
