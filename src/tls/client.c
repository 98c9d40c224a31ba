#include "tls/client.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "tls/failure.h"
#include "tls/transport_bio.h"

struct tls_client {
	SSL_CTX *ctx;
	SSL *ssl;
};

static enum thaw_status load(SSL_CTX *ctx, const struct tls_client_options *options, struct thaw_error *err)
{
	if (SSL_CTX_load_verify_file(ctx, options->ca) != 1)
		return tls_library_failure(THAW_ERR_CONFIG, options->ca, err);
	if (options->certificate == NULL)
		return THAW_OK;
	if (SSL_CTX_use_certificate_chain_file(ctx, options->certificate) != 1)
		return tls_library_failure(THAW_ERR_CONFIG, options->certificate, err);
	if (SSL_CTX_use_PrivateKey_file(ctx, options->key, SSL_FILETYPE_PEM) != 1)
		return tls_library_failure(THAW_ERR_CONFIG, options->key, err);
	return THAW_OK;
}

static bool limit_version(SSL_CTX *ctx, enum tls_client_version version)
{
	int lowest = version == TLS_CLIENT_13 ? TLS1_3_VERSION : TLS1_2_VERSION;
	int highest = version == TLS_CLIENT_12 ? TLS1_2_VERSION : TLS1_3_VERSION;

	return SSL_CTX_set_min_proto_version(ctx, lowest) == 1 && SSL_CTX_set_max_proto_version(ctx, highest) == 1;
}

struct tls_client *tls_client_new(const struct tls_client_options *options, struct transport transport,
				  struct thaw_error *err)
{
	struct tls_client *client = calloc(1, sizeof(*client));

	ERR_clear_error();
	if (client == NULL || (client->ctx = SSL_CTX_new(TLS_client_method())) == NULL ||
	    !limit_version(client->ctx, options->version)) {
		(void)tls_library_failure(THAW_ERR_RESOURCE, "making a TLS context", err);
		tls_client_free(&client);
		return NULL;
	}
	SSL_CTX_set_verify(client->ctx, SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_mode(client->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_post_handshake_auth(client->ctx, options->post_handshake);
	if (load(client->ctx, options, err) != THAW_OK) {
		tls_client_free(&client);
		return NULL;
	}
	client->ssl = SSL_new(client->ctx);
	if (client->ssl == NULL || SSL_set_tlsext_host_name(client->ssl, options->host) != 1 ||
	    SSL_set1_host(client->ssl, options->host) != 1 || !tls_use_transport(client->ssl, transport)) {
		(void)tls_library_failure(THAW_ERR_RESOURCE, "making a TLS connection", err);
		tls_client_free(&client);
		return NULL;
	}
	SSL_set_connect_state(client->ssl);
	return client;
}

void tls_client_free(struct tls_client **client)
{
	struct tls_client *gone = *client;

	*client = NULL;
	if (gone == NULL)
		return;
	SSL_free(gone->ssl);
	SSL_CTX_free(gone->ctx);
	free(gone);
}

enum thaw_status tls_client_handshake(struct tls_client *client, struct thaw_error *err)
{
	ERR_clear_error();
	errno = 0;
	int n = SSL_do_handshake(client->ssl);
	return n == 1 ? THAW_OK : tls_failure(client->ssl, n, "handshake", err);
}

enum thaw_status tls_client_write(struct tls_client *client, const void *data, size_t room, size_t *len,
				  struct thaw_error *err)
{
	*len = 0;
	ERR_clear_error();
	errno = 0;
	int n = SSL_write_ex(client->ssl, data, room, len);
	return n == 1 ? THAW_OK : tls_failure(client->ssl, n, "writing", err);
}

enum thaw_status tls_client_read(struct tls_client *client, void *data, size_t room, size_t *len,
				 struct thaw_error *err)
{
	*len = 0;
	ERR_clear_error();
	errno = 0;
	int n = SSL_read_ex(client->ssl, data, room, len);
	return n == 1 ? THAW_OK : tls_failure(client->ssl, n, "reading", err);
}

void tls_client_close_notify(struct tls_client *client)
{
	ERR_clear_error();
	if (SSL_in_init(client->ssl) == 0)
		(void)SSL_shutdown(client->ssl);
	ERR_clear_error();
}

const char *tls_client_version(const struct tls_client *client)
{
	return SSL_get_version(client->ssl);
}
