#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>

#include "client.h"

#define SUITE   "TLS_AES_128_GCM_SHA256"
#define SUITE12 "ECDHE-ECDSA-AES128-GCM-SHA256"

static int on_ask(SSL *ssl, void *arg)
{
	struct client_plan *plan = arg;

	(void)ssl;
	plan->counted.asked++;
	return 1; /* with the certificate of the context, or without */
}

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct client_plan *plan = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	plan->counted.tickets++;
	if (!plan->resume)
		return 0; /* 0: OpenSSL keeps the ownership, and frees the session */
	struct client *client = SSL_get_app_data(ssl);
	SSL_SESSION_free(client->session);
	client->session = session;
	return 1;
}

bool client_tls_init(struct client_plan *plan, const char *ca, const char *certificate, const char *key,
		     const char **why)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int version = plan->tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
	/* RFC 8422 5.1.1: over TLS 1.2 the groups are also the curves of certificates that the client accepts. */
	const char *groups = plan->tls12 ? "X25519:P-256" : "X25519";

	plan->tls = ctx;
	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, version) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, version) != 1 || SSL_CTX_set_ciphersuites(ctx, SUITE) != 1 ||
	    SSL_CTX_set_cipher_list(ctx, SUITE12) != 1 || SSL_CTX_set1_groups_list(ctx, groups) != 1 ||
	    SSL_CTX_load_verify_file(ctx, ca) != 1 ||
	    (certificate != NULL && (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1 ||
				     SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1))) {
		*why = client_tls_failure("the set-up of TLS");
		return false;
	}
	if (plan->streams > 0 && SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)"\2h2", 3) != 0) {
		*why = client_tls_failure("ALPN");
		return false;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_post_handshake_auth(ctx, 1);
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	(void)SSL_CTX_set_app_data(ctx, plan);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	SSL_CTX_set_cert_cb(ctx, on_ask, plan);
	return true;
}

SSL *client_tls_new(struct client *client)
{
	const struct client_plan *plan = client->plan;
	SSL *ssl = SSL_new(plan->tls);

	client->resuming = client->session != NULL;
	if (ssl != NULL && SSL_set_fd(ssl, client->fd) == 1 && SSL_set_tlsext_host_name(ssl, plan->name) == 1 &&
	    SSL_set1_host(ssl, plan->name) == 1 && SSL_set_app_data(ssl, client) == 1 &&
	    (!client->resuming || SSL_set_session(ssl, client->session) == 1))
		return ssl;
	SSL_free(ssl);
	return NULL;
}

static enum client_io result(const struct client *client, int code)
{
	if (code == 1)
		return CLIENT_IO_OK;
	switch (SSL_get_error(client->ssl, code)) {
	case SSL_ERROR_WANT_READ:
		return CLIENT_IO_WANT_IN;
	case SSL_ERROR_WANT_WRITE:
		return CLIENT_IO_WANT_OUT;
	default:
		return CLIENT_IO_FAILED;
	}
}

/* Clears old errors, or they would be taken for those of the next call. */
static void forget_errors(void)
{
	ERR_clear_error();
	errno = 0;
}

enum client_io client_tls_handshake(struct client *client)
{
	forget_errors();
	return result(client, SSL_connect(client->ssl));
}

enum client_io client_tls_read(struct client *client, void *into, size_t room, size_t *got)
{
	forget_errors();
	return result(client, SSL_read_ex(client->ssl, into, room, got));
}

enum client_io client_tls_write(struct client *client, const void *from, size_t len, size_t *written)
{
	forget_errors();
	return result(client, SSL_write_ex(client->ssl, from, len, written));
}

const char *client_tls_check(struct client *client)
{
	bool tls12 = client->plan->tls12, resumed = SSL_session_reused(client->ssl) == 1;
	const unsigned char *protocol = NULL;
	unsigned len = 0;

	SSL_get0_alpn_selected(client->ssl, &protocol, &len);
	if (client->plan->streams > 0 && (len != 2 || memcmp(protocol, "h2", 2) != 0))
		return "not HTTP/2";
	if (SSL_version(client->ssl) != (tls12 ? TLS1_2_VERSION : TLS1_3_VERSION))
		return tls12 ? "not TLS 1.2" : "not TLS 1.3";
	if (strcmp(SSL_get_cipher_name(client->ssl), tls12 ? SUITE12 : SUITE) != 0)
		return tls12 ? "not " SUITE12 : "not " SUITE;
	if (resumed != client->resuming)
		return resumed ? "a session was resumed" : "the session was not resumed";
	client->plan->counted.resumed += resumed;
	return NULL;
}

const char *client_tls_failure(const char *doing)
{
	static char text[512];
	char reason[256] = "";
	int code = errno;

	if (ERR_peek_error() != 0)
		ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
	else
		(void)snprintf(reason, sizeof(reason), "%s", code != 0 ? strerror(code) : "the connection was closed");
	(void)snprintf(text, sizeof(text), "%s: %s", doing, reason);
	return text;
}
