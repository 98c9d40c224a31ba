/* For tests with a client that looks like Firefox, or like no browser: plain OpenSSL with the extensions by which
 * Firefox is recognized. */
#ifndef BROWSER_WORLD_H
#define BROWSER_WORLD_H

#include "peers_world.h"

#include <openssl/ssl.h>

#include "tls/transport_bio.h"

#define H2 "\x02h2\x08http/1.1"
#define H1 "\x08http/1.1"

static struct duplex duplex;

struct client {
	bool browser, gives, post_handshake;
	int version; /* 0: 1.2 and 1.3 */
	const char *alpn;
	SSL_SESSION *session; /* of the last visit; offered in the next one */
};

static inline int browser_bytes(SSL *ssl, unsigned type, unsigned context, const unsigned char **out, size_t *len,
				X509 *x509, size_t chain, int *alert, void *arg)
{
	static const unsigned char limit[] = {0x40, 0x01}, none[] = {0, 2, 4, 3};

	(void)ssl;
	(void)context;
	(void)x509;
	(void)chain;
	(void)alert;
	(void)arg;
	*out = type == 28 ? limit : none;
	*len = type == 28 ? sizeof(limit) : sizeof(none);
	return 1;
}

static inline int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct client *client = SSL_get_app_data(ssl);

	SSL_SESSION_free(client->session);
	client->session = session;
	return 1;
}

static inline SSL *client_ssl(struct client *client)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	unsigned when = SSL_EXT_CLIENT_HELLO;

	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_load_verify_file(ctx, ca), 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, client->version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, client->version), 1);
	for (unsigned type = 28; client->browser && type <= 34; type += 6) /* record_size_limit, delegated_credential */
		assert_int_equal(SSL_CTX_add_custom_ext(ctx, type, when, browser_bytes, NULL, NULL, NULL, NULL), 1);
	if (client->gives) {
		assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, certificate), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM), 1);
	}
	SSL_CTX_set_post_handshake_auth(ctx, client->post_handshake);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
	SSL *ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	assert_non_null(ssl);
	assert_int_equal(SSL_set_app_data(ssl, client), 1);
	if (client->alpn != NULL)
		assert_int_equal(
			SSL_set_alpn_protos(ssl, (const unsigned char *)client->alpn, (unsigned)strlen(client->alpn)),
			0);
	assert_int_equal(SSL_set_tlsext_host_name(ssl, "localhost"), 1);
	assert_true(tls_use_transport(ssl, (struct transport){&way_ops, &duplex.client}));
	SSL_set_connect_state(ssl);
	if (client->session != NULL)
		assert_int_equal(SSL_set_session(ssl, client->session), 1);
	return ssl;
}

static inline void forget(struct client *client)
{
	SSL_SESSION_free(client->session);
	client->session = NULL;
}

#endif
