/* One connection: what its ClientHello leads to, its handshake, its end. */
#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/error.h"
#include "tls/failure.h"
#include "tls/queue.h"
#include "tls/server_inside.h"
#include "tls/transport_bio.h"

#define HANDSHAKE_FAILED "TLS handshake failed"

/* Chooses the host, once, at the first ClientHello: a renegotiation cannot move a connection to another one. */
static enum thaw_status choose_host(struct tls_conn *link, SSL *ssl)
{
	struct tls_session *session = tls_session_of(ssl);

	link->hello = true;
	(void)tls_hello_name(ssl, link->name);
	link->host = tls_server_host(link->server, link->name);
	if (link->host < 0 || session == NULL)
		return THAW_FAILED;
	const struct tls_host_context *host = &link->server->hosts[link->host];
	const struct tls_hello *hello = tls_session_hello(session);
	if (SSL_set_SSL_CTX(ssl, host->ctx) == NULL ||
	    SSL_set_session_id_context(ssl, host->sid_context, TLS_TICKET_BINDING_SIZE) != 1)
		return THAW_FAILED;
	tls_session_know_trusts(session, (const thaw_trust *const *)host->trusts, host->trust_count);
	link->http2 = tls_offers_http2(&host->manner, hello);
	if (tls_may_follow(&host->manner, hello))
		link->demanded = tls_demand_find(link, &link->demand);
	tls_session_hold_to_tls12(session, tls_holds_to_tls12(&host->manner, hello, link->demanded != NULL));
	if (link->demanded != NULL)
		return tls_session_ask_on_demand(session, link->demanded);
	return host->at_handshake != NULL ? tls_session_ask_at_handshake(session, host->at_handshake) : THAW_OK;
}

int tls_on_client_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_conn *link = SSL_get_app_data(ssl);

	if (link->host < 0 && choose_host(link, ssl) != THAW_OK) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	/* A renegotiation is not put off: each connection has few of them. */
	if (link->server->hosts[link->host].remote && SSL_get_finished(ssl, NULL, 0) == 0 && !tls_remote_may_wait())
		return SSL_CLIENT_HELLO_RETRY;
	return thaw_ctx_client_hello(ssl, alert, arg);
}

/*
 * RFC 9113 9.2.2 forbids all suites of TLS 1.2 but those with an ephemeral key exchange and AEAD. There is no suite yet
 * when a TLS 1.3 client's protocol is chosen.
 */
static bool allows_http2(const SSL *ssl)
{
	const SSL_CIPHER *cipher = SSL_get_pending_cipher(ssl);
	int exchange = cipher != NULL ? SSL_CIPHER_get_kx_nid(cipher) : NID_undef;

	return SSL_version(ssl) == TLS1_3_VERSION ||
	       ((exchange == NID_kx_ecdhe || exchange == NID_kx_dhe) && SSL_CIPHER_is_aead(cipher) == 1);
}

/* RFC 7301 3.2. A client that offers only what is not spoken here is told so; one that offers nothing speaks HTTP/1.1.
 */
int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned in_len,
		void *arg)
{
	static const unsigned char all[] = "\x02h2\x08http/1.1\x08http/1.0";
	const size_t h2_len = sizeof("\x02h2") - 1;
	const struct tls_conn *link = SSL_get_app_data(ssl);
	const size_t skipped = link->http2 && allows_http2(ssl) ? 0 : h2_len;

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
	struct tls_conn *link = calloc(1, sizeof(*link));

	if (link == NULL)
		return NULL;
	link->server = server;
	link->host = -1;
	link->ssl = SSL_new(server->base);
	/* The filter here already: where there is no memory, SSL_set_accept_state() of OpenSSL 3.5 leaves an SSL that
	 * no BIO can be given to. */
	if (link->ssl == NULL || SSL_set_app_data(link->ssl, link) != 1 || !tls_use_transport(link->ssl, transport) ||
	    !tls_queue(link->ssl, TLS_QUEUE_HANDSHAKE)) {
		ERR_clear_error();
		tls_conn_free(&link);
		return NULL;
	}
	SSL_set_accept_state(link->ssl);
	return link;
}

void tls_conn_free(struct tls_conn **link)
{
	struct tls_conn *gone = *link;

	*link = NULL;
	if (gone == NULL)
		return;
	SSL_free(gone->ssl);
	free(gone);
}

struct ssl_st *tls_conn_ssl(struct tls_conn *link)
{
	return link->ssl;
}

void tls_conn_step(struct tls_conn *link, bool quiet)
{
	tls_transport_step(link->ssl, quiet);
}

bool tls_conn_empty(const struct tls_conn *link)
{
	return SSL_has_pending(link->ssl) == 0 && tls_transport_empty(link->ssl);
}

bool tls_conn_spent(const struct tls_conn *link)
{
	return SSL_want_client_hello_cb(link->ssl) || tls_transport_spent(link->ssl);
}

bool tls_conn_flooded(const struct tls_conn *link)
{
	const struct tls_session *session = link != NULL ? tls_session_of(link->ssl) : NULL;

	return session != NULL && tls_session_flooded(session);
}

enum thaw_status tls_conn_handshake(struct tls_conn *link, struct thaw_error *err)
{
	ERR_clear_error();
	errno = 0;
	int n = SSL_do_handshake(link->ssl);
	if (n == 1)
		return THAW_OK;
	if (tls_conn_flooded(link)) {
		ERR_clear_error();
		return error_set(err, THAW_ERR_PEER, HANDSHAKE_FAILED ": the client sent too many TLS records");
	}
	const char *unsigned_for = tls_remote_failure(link->server->remote);
	if (unsigned_for != NULL && SSL_get_error(link->ssl, n) == SSL_ERROR_SSL) {
		ERR_clear_error();
		return error_set(err, THAW_ERR_SYSTEM, HANDSHAKE_FAILED ": no signature: %s", unsigned_for);
	}
	/* OpenSSL's own words are that a callback failed. */
	if (link->hello && link->host < 0)
		(void)error_set(err, THAW_ERR_PEER, HANDSHAKE_FAILED ": no host is configured for this name");
	return tls_failure(link->ssl, n, HANDSHAKE_FAILED, err);
}

const char *tls_conn_name(const struct tls_conn *link)
{
	return link->hello ? link->name : NULL;
}

void tls_conn_on_away(struct tls_conn *link, tls_away_fn *away, void *arg)
{
	link->away = away;
	link->away_arg = arg;
}

bool tls_conn_http2(const struct tls_conn *link)
{
	return tls_speaks_http2(link->ssl);
}

enum tls_client_kind tls_conn_kind(const struct tls_conn *link)
{
	const struct tls_session *session = tls_session_of(link->ssl);

	return session != NULL ? tls_session_hello(session)->kind : TLS_KIND_OTHER;
}

enum tls_demand tls_conn_demand(const struct tls_conn *link)
{
	return link != NULL ? link->demand : TLS_DEMAND_NONE;
}

bool tls_conn_demanded(const struct tls_conn *link, const thaw_trust *trust)
{
	return link->demanded != NULL && link->demanded == trust;
}

bool tls_conn_asked(const struct tls_conn *link)
{
	const struct tls_session *session = tls_session_of(link->ssl);

	return session != NULL && tls_session_asked_at_handshake(session);
}

int tls_conn_host(const struct tls_conn *link)
{
	return link->host;
}

enum thaw_status tls_conn_write(struct tls_conn *link, const void *data, size_t room, size_t *len,
				struct thaw_error *err)
{
	*len = 0;
	ERR_clear_error();
	errno = 0;
	int n = SSL_write_ex(link->ssl, data, room, len);
	return n == 1 ? THAW_OK : tls_failure(link->ssl, n, "writing", err);
}

bool tls_conn_pending(const struct tls_conn *link)
{
	return link != NULL && (SSL_has_pending(link->ssl) == 1 || BIO_pending(SSL_get_rbio(link->ssl)) > 0);
}

void tls_conn_close_notify(struct tls_conn *link)
{
	if (link == NULL)
		return;
	ERR_clear_error();
	if (SSL_in_init(link->ssl) == 0)
		(void)SSL_shutdown(link->ssl);
	ERR_clear_error();
}

bool tls_conn_resumed(const struct tls_conn *link)
{
	return link != NULL && SSL_session_reused(link->ssl) == 1;
}

const char *tls_conn_version(const struct tls_conn *link)
{
	return link != NULL ? SSL_get_version(link->ssl) : NULL;
}

const char *tls_conn_cipher(const struct tls_conn *link)
{
	if (link == NULL)
		return NULL;
	const char *name = SSL_get_cipher_name(link->ssl);
	return name != NULL ? name : "";
}
