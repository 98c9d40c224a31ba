/* For tests of the ask between a libthaw server and a plain OpenSSL client, in memory. */
#ifndef UNIT_ASK_WORLD_H
#define UNIT_ASK_WORLD_H

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../made.h"
#include "thaw/ask.h"

#define NOW_MS    1000
#define TURNS_MAX 200

struct pair {
	SSL_CTX *server_ctx, *client_ctx;
	SSL *server, *client;
	thaw_conn *conn;
	SSL_SESSION *session; /* the client's newest session */
};

static inline int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct pair *pair = SSL_get_app_data(ssl);
	SSL_SESSION_free(pair->session);
	pair->session = session;
	return 1;
}

/* Sets the client's answer: a certificate, followed by the chain in the order given. */
static inline void equip(SSL *ssl, X509 *certificate, EVP_PKEY *key, X509 *const *chain, size_t count)
{
	assert_int_equal(SSL_use_certificate(ssl, certificate), 1);
	assert_int_equal(SSL_use_PrivateKey(ssl, key), 1);
	assert_int_equal(SSL_clear_chain_certs(ssl), 1);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(SSL_add1_chain_cert(ssl, chain[i]), 1);
}

static inline void open_contexts(struct pair *pair, int version, X509 *certificate, EVP_PKEY *key)
{
	pair->server_ctx = SSL_CTX_new(TLS_server_method());
	pair->client_ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_use_certificate(pair->server_ctx, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(pair->server_ctx, key), 1);
	assert_int_equal(SSL_CTX_set_session_id_context(pair->server_ctx, (const unsigned char *)"x", 1), 1);
	(void)SSL_CTX_set_max_proto_version(pair->server_ctx, version);
	SSL_CTX_set_client_hello_cb(pair->server_ctx, thaw_ctx_client_hello, NULL);
	(void)SSL_CTX_set_session_cache_mode(pair->client_ctx,
					     SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(pair->client_ctx, keep_session);
	SSL_CTX_set_post_handshake_auth(pair->client_ctx, 1);
	SSL_CTX_set_verify(pair->client_ctx, SSL_VERIFY_NONE, NULL);
}

/* A new client, and a transport between it and the server. */
static inline void connect_client(struct pair *pair)
{
	BIO *one, *two;
	pair->client = SSL_new(pair->client_ctx);
	SSL_set_app_data(pair->client, pair);
	assert_int_equal(BIO_new_bio_pair(&one, 65536, &two, 65536), 1);
	SSL_set_bio(pair->server, one, one);
	SSL_set_bio(pair->client, two, two);
	SSL_set_connect_state(pair->client);
}

static inline void begin(struct pair *pair)
{
	pair->server = SSL_new(pair->server_ctx);
	connect_client(pair);
	SSL_set_accept_state(pair->server);
	/* The client sends exactly the chain of the test: OpenSSL adds nothing to it. */
	(void)SSL_set_mode(pair->client, SSL_MODE_NO_AUTO_CHAIN);
	if (pair->session != NULL)
		assert_int_equal(SSL_set_session(pair->client, pair->session), 1);
	pair->conn = made_conn_new(pair->server);
	assert_non_null(pair->conn);
}

/* Both ends read until nothing is left for either of them. */
static inline void settle(struct pair *pair)
{
	for (int i = 0; i < TURNS_MAX; i++) {
		char bytes[256];
		size_t len;
		if (!SSL_is_init_finished(pair->server) && thaw_conn_verdict(pair->conn) == THAW_VERDICT_NONE)
			(void)SSL_do_handshake(pair->server);
		else
			assert_int_equal(thaw_conn_read(pair->conn, bytes, sizeof(bytes), &len, NOW_MS),
					 THAW_WANT_READ);
		(void)SSL_read(pair->client, bytes, sizeof(bytes));
	}
	ERR_clear_error();
}

static inline void finish(struct pair *pair)
{
	thaw_conn_free(&pair->conn);
	(void)SSL_shutdown(pair->client);
	SSL_free(pair->server);
	SSL_free(pair->client);
	pair->server = pair->client = NULL;
}

static inline void close_contexts(struct pair *pair)
{
	SSL_SESSION_free(pair->session);
	SSL_CTX_free(pair->server_ctx);
	SSL_CTX_free(pair->client_ctx);
}

static inline enum thaw_verdict ask(struct pair *pair, thaw_trust *trust, bool again)
{
	const struct thaw_ask_options options = {.size = sizeof(options),
						 .trust = trust,
						 .moment = THAW_MOMENT_HEADERS,
						 .again = again,
						 .timeout_ms = 60000};
	assert_int_equal(thaw_conn_ask(pair->conn, &options, NOW_MS), THAW_OK);
	settle(pair);
	return thaw_conn_verdict(pair->conn);
}

#endif
