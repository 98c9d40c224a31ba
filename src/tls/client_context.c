/* What the connections of a TLS client share: settings, CAs, the key log. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/error.h"
#include "tls/client_inside.h"
#include "tls/file.h"

#define KEY_LINE_ROOM 1024

/*
 * Loads the system's CAs from a file. OpenSSL's default may be a folder, which it reads during verification, when this
 * process may have dropped its privileges.
 */
static enum thaw_status load_system(SSL_CTX *ctx, struct thaw_error *err)
{
	const char *files[] = {
		getenv(X509_get_default_cert_file_env()),
		"/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Alpine */
		"/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, RHEL */
		"/etc/ssl/ca-bundle.pem",             /* SUSE */
		X509_get_default_cert_file(),
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i] == NULL || access(files[i], R_OK) != 0)
			continue;
		if (SSL_CTX_load_verify_file(ctx, files[i]) == 1)
			return THAW_OK;
		return tls_library_failure(THAW_ERR_CONFIG, files[i], err);
	}
	return error_set(err, THAW_ERR_CONFIG, "the system has no file of CA certificates; name one");
}

/* As SSL_CTX_load_verify_file(), which would open the file by itself. */
static enum thaw_status load_file(SSL_CTX *ctx, const char *file, struct thaw_error *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	STACK_OF(X509_INFO) *infos = NULL;
	bool ok = true;
	int count = 0;

	if (tls_file_infos(file, THAW_ERR_CONFIG, TLS_PEM_CERTIFICATE, &infos, err) != THAW_OK)
		return THAW_FAILED;
	for (int i = 0; ok && i < sk_X509_INFO_num(infos); i++) {
		const X509_INFO *info = sk_X509_INFO_value(infos, i);
		ok = (info->x509 == NULL || X509_STORE_add_cert(store, info->x509) == 1) &&
		     (info->crl == NULL || X509_STORE_add_crl(store, info->crl) == 1);
		count += info->x509 != NULL || info->crl != NULL;
	}
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
	return ok && count > 0 ? THAW_OK : tls_pem_fault(file, TLS_PEM_CERTIFICATE, err);
}

static enum thaw_status load(SSL_CTX *ctx, const struct tls_client_options *options, struct thaw_error *err)
{
	if (options->ca != NULL && load_file(ctx, options->ca, err) != THAW_OK)
		return THAW_FAILED;
	if (options->ca_folder != NULL && SSL_CTX_load_verify_dir(ctx, options->ca_folder) != 1)
		return tls_library_failure(THAW_ERR_CONFIG, options->ca_folder, err);
	if (options->ca == NULL && !options->skip_verification && load_system(ctx, err) != THAW_OK)
		return THAW_FAILED;
	return options->credentials == NULL ? THAW_OK : tls_credentials_use(options->credentials, ctx, err);
}

static bool limit_version(SSL_CTX *ctx, enum tls_client_version version)
{
	int lowest = version == TLS_CLIENT_13 ? TLS1_3_VERSION : TLS1_2_VERSION;
	int highest = version == TLS_CLIENT_12 ? TLS1_2_VERSION : TLS1_3_VERSION;

	return SSL_CTX_set_min_proto_version(ctx, lowest) == 1 && SSL_CTX_set_max_proto_version(ctx, highest) == 1;
}

/* Returns 1 if it keeps the reference to the session. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	const struct tls_client *client = SSL_get_app_data(ssl);

	if (client == NULL || client->memory == NULL)
		return 0;
	SSL_SESSION_free(client->memory->session);
	client->memory->session = session;
	return 1;
}

/* RFC 7301 3.1: each name is preceded by its length. */
static bool offer_alpn(SSL_CTX *ctx, const char *names)
{
	unsigned char wire[TLS_ALPN_MAX + 1];
	size_t len = 0;

	while (*names != '\0') {
		size_t name = strcspn(names, ",");
		if (name == 0 || len + 1 + name > sizeof(wire))
			return false;
		wire[len++] = (unsigned char)name;
		memcpy(wire + len, names, name);
		len += name;
		names += name + (names[name] == ',');
	}
	return SSL_CTX_set_alpn_protos(ctx, wire, (unsigned)len) == 0;
}

/* ---- key log ---- */

/* Writes a line with one write(): several contexts and processes may append to the file. */
static void on_key(const SSL *ssl, const char *line)
{
	const struct tls_client_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	char whole[KEY_LINE_ROOM];
	int len = snprintf(whole, sizeof(whole), "%s\n", line);

	if (len > 0 && (size_t)len < sizeof(whole))
		(void)!write(context->key_log, whole, (size_t)len);
	OPENSSL_cleanse(whole, sizeof(whole));
}

static enum thaw_status open_key_log(struct tls_client_context *context, const char *file, struct thaw_error *err)
{
	if (file == NULL)
		return THAW_OK;
	context->key_log = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (context->key_log < 0)
		return error_set(err, THAW_ERR_CONFIG, "%s: %s (SSLKEYLOGFILE)", file, strerror(errno));
	(void)SSL_CTX_set_app_data(context->ctx, context);
	SSL_CTX_set_keylog_callback(context->ctx, on_key);
	return THAW_OK;
}

/* Called when the server has asked for a certificate, and again when the handshake continues. */
static int on_certificate(SSL *ssl, void *arg)
{
	struct tls_client *client = SSL_get_app_data(ssl);

	(void)arg;
	return tls_signing_here(&client->signing) ? 1 : -1;
}

struct tls_client_context *tls_client_context_new(const struct tls_client_options *options, struct thaw_error *err)
{
	struct tls_client_context *context = calloc(1, sizeof(*context));

	ERR_clear_error();
	if (context != NULL)
		context->key_log = -1;
	if (context == NULL || (context->ctx = SSL_CTX_new(TLS_client_method())) == NULL ||
	    !limit_version(context->ctx, options->version) ||
	    (options->alpn != NULL && !offer_alpn(context->ctx, options->alpn)) ||
	    (options->observer != NULL && !tls_observe(context->ctx, options->observer))) {
		(void)tls_library_failure(THAW_ERR_RESOURCE, "making a TLS context", err);
		tls_client_context_free(&context);
		return NULL;
	}
	context->reads_while_writing = options->reads_while_writing;
	context->observed = options->observer != NULL;
	SSL_CTX_set_verify(context->ctx, options->skip_verification ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	(void)SSL_CTX_set_mode(context->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
						     SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_options(context->ctx, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
	SSL_CTX_set_post_handshake_auth(context->ctx, options->post_handshake);
	(void)SSL_CTX_set_session_cache_mode(context->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context->ctx, on_session);
	if (options->signer)
		SSL_CTX_set_cert_cb(context->ctx, on_certificate, NULL);
	if (open_key_log(context, options->key_log, err) != THAW_OK || load(context->ctx, options, err) != THAW_OK)
		tls_client_context_free(&context);
	return context;
}

void tls_client_context_free(struct tls_client_context **context)
{
	struct tls_client_context *old = *context;

	*context = NULL;
	if (old == NULL)
		return;
	SSL_CTX_free(old->ctx);
	if (old->key_log >= 0)
		(void)close(old->key_log);
	free(old);
}
