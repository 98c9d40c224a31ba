#include "tls/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/error.h"
#include "tls/file.h"
#include "tls/queue.h"
#include "tls/records.h"
#include "tls/transport_bio.h"

#define KEY_LINE_ROOM 1024

struct tls_client_context {
	SSL_CTX *ctx;
	int key_log; /* -1: none */
	bool reads_while_writing, observed;
};

struct tls_client_memory {
	SSL_SESSION *session; /* NULL: none yet */
};

struct tls_client {
	SSL *ssl;
	struct tls_client_memory *memory; /* borrowed; NULL: sessions are not stored */
	struct tls_records records;
	bool observed, failed, key_failed;
	bool unwritten; /* OpenSSL holds a record of a write that must be repeated */
};

/* ---- contexts ---- */

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

/* ---- sessions ---- */

struct tls_client_memory *tls_client_memory_new(void)
{
	return calloc(1, sizeof(struct tls_client_memory));
}

static void forget(struct tls_client_memory *memory)
{
	SSL_SESSION_free(memory->session);
	memory->session = NULL;
}

void tls_client_memory_free(struct tls_client_memory **memory)
{
	if (*memory != NULL)
		forget(*memory);
	free(*memory);
	*memory = NULL;
}

/* ---- connections ---- */

static bool is_numeric(const char *name)
{
	struct in6_addr any;

	return inet_pton(AF_INET, name, &any) == 1 || inet_pton(AF_INET6, name, &any) == 1;
}

/* Sets the name that the certificate must have. SNI allows neither addresses nor a trailing dot (RFC 6066 3). */
static bool use_name(SSL *ssl, const char *name)
{
	if (is_numeric(name))
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
	char bare[TLSEXT_MAXLEN_host_name + 1];
	size_t len = strlen(name);
	if (len > 1 && name[len - 1] == '.')
		len--;
	if (len >= sizeof(bare))
		return false;
	memcpy(bare, name, len);
	bare[len] = '\0';
	return SSL_set_tlsext_host_name(ssl, bare) == 1 && SSL_set1_host(ssl, bare) == 1;
}

static void on_message(int outbound, int version, int content_type, const void *data, size_t len, SSL *ssl, void *arg)
{
	struct tls_client *client = arg;

	if (!outbound)
		tls_records_count(&client->records, ssl, content_type, data, len);
	if (client->observed)
		tls_observe_message(outbound, version, content_type, data, len, ssl, NULL);
}

struct tls_client *tls_client_new(struct tls_client_context *context, const char *name, struct transport transport,
				  struct tls_client_memory *memory, struct thaw_error *err)
{
	struct tls_client *client = calloc(1, sizeof(*client));

	ERR_clear_error();
	if (client == NULL || (client->ssl = SSL_new(context->ctx)) == NULL || !use_name(client->ssl, name) ||
	    SSL_set_app_data(client->ssl, client) != 1 || !tls_use_transport(client->ssl, transport) ||
	    (context->reads_while_writing && !tls_queue(client->ssl, TLS_QUEUE_RECORDS))) {
		(void)tls_library_failure(THAW_ERR_RESOURCE, "making a TLS connection", err);
		tls_client_free(&client);
		return NULL;
	}
	client->observed = context->observed;
	SSL_set_msg_callback(client->ssl, on_message);
	SSL_set_msg_callback_arg(client->ssl, client);
	client->memory = memory;
	if (memory != NULL && memory->session != NULL && SSL_set_session(client->ssl, memory->session) != 1) {
		ERR_clear_error(); /* for example it has expired: a full handshake follows */
		forget(memory);
	}
	SSL_set_connect_state(client->ssl);
	return client;
}

void tls_client_free(struct tls_client **client)
{
	struct tls_client *old = *client;

	*client = NULL;
	if (old == NULL)
		return;
	/* Otherwise OpenSSL invalidates the stored session when a connection ends without close_notify, which RFC 5246
	 * 7.2.1 no longer requires. */
	if (old->ssl != NULL && !old->failed && SSL_is_init_finished(old->ssl) == 1)
		SSL_set_shutdown(old->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(old->ssl);
	free(old);
}

bool tls_client_watch(struct tls_client *client, void *arg)
{
	return tls_observe_as(client->ssl, arg);
}

/* The status of a failed call. */
static enum thaw_status outcome(struct tls_client *client, int n, const char *what, struct thaw_error *err)
{
	enum thaw_status status;

	if (client->records.over) {
		ERR_clear_error();
		status = error_set(err, THAW_ERR_PEER, "%s: the server sent %llu TLS records without application data",
				   what, (unsigned long long)client->records.control);
	} else {
		bool key = tls_failure_is_key(client->ssl);
		status = tls_failure(client->ssl, n, what, err);
		client->key_failed = client->key_failed || (key && status == THAW_FAILED);
	}
	client->failed = client->failed || status == THAW_FAILED;
	return status;
}

enum thaw_status tls_client_handshake(struct tls_client *client, struct thaw_error *err)
{
	ERR_clear_error();
	errno = 0;
	int n = SSL_do_handshake(client->ssl);
	if (n == 1)
		return THAW_OK;
	long verified = SSL_get_verify_result(client->ssl);
	struct thaw_error why = {.cls = THAW_ERR_NONE};
	enum thaw_status status = outcome(client, n, "handshake", &why);
	if (status != THAW_FAILED)
		return status;
	if (client->memory != NULL)
		forget(client->memory); /* the stored session may be the cause */
	if (verified != X509_V_OK && (SSL_get_verify_mode(client->ssl) & SSL_VERIFY_PEER) != 0)
		return error_set(err, why.cls, "handshake: the server's certificate is not accepted: %s",
				 X509_verify_cert_error_string(verified));
	return error_set(err, why.cls, "%s", why.text);
}

enum thaw_status tls_client_write(struct tls_client *client, const void *data, size_t room, size_t *len,
				  struct thaw_error *err)
{
	*len = 0;
	tls_queue_flush(client->ssl);
	if (tls_queued(client->ssl) > 0)
		return THAW_WANT_WRITE;
	ERR_clear_error();
	errno = 0;
	int n = SSL_write_ex(client->ssl, data, room, len);
	enum thaw_status status = n == 1 ? THAW_OK : outcome(client, n, "writing", err);
	client->unwritten = status == THAW_WANT_READ || status == THAW_WANT_WRITE;
	return status;
}

enum thaw_status tls_client_read(struct tls_client *client, void *data, size_t room, size_t *len,
				 struct thaw_error *err)
{
	*len = 0;
	ERR_clear_error();
	errno = 0;
	int n = SSL_read_ex(client->ssl, data, room, len);
	return n == 1 ? THAW_OK : outcome(client, n, "reading", err);
}

void tls_client_step(struct tls_client *client)
{
	tls_transport_step(client->ssl, false);
}

bool tls_client_pending(const struct tls_client *client)
{
	return SSL_pending(client->ssl) > 0 || BIO_pending(SSL_get_rbio(client->ssl)) > 0;
}

enum thaw_status tls_client_close_notify(struct tls_client *client)
{
	enum thaw_status status = THAW_OK;

	if (client->unwritten && !client->failed)
		return THAW_WANT_WRITE; /* OpenSSL has one pending write at a time */
	ERR_clear_error();
	errno = 0;
	if (!client->failed && SSL_in_init(client->ssl) == 0) {
		int n = SSL_shutdown(client->ssl);
		if (n < 0)
			status = outcome(client, n, "closing", NULL);
	}
	ERR_clear_error();
	return status == THAW_WANT_WRITE ? THAW_WANT_WRITE : THAW_OK;
}

size_t tls_client_unsent(const struct tls_client *client)
{
	return tls_queued(client->ssl);
}

void tls_client_flush(struct tls_client *client)
{
	tls_queue_flush(client->ssl);
}

enum thaw_status tls_client_renegotiate(struct tls_client *client, struct thaw_error *err)
{
	ERR_clear_error();
	errno = 0;
	if (SSL_renegotiate(client->ssl) != 1)
		return tls_library_failure(THAW_ERR_USAGE, "renegotiating", err);
	int n = SSL_do_handshake(client->ssl);
	enum thaw_status status = n == 1 ? THAW_OK : outcome(client, n, "renegotiating", err);
	return status == THAW_FAILED || status == THAW_CLOSED ? status : THAW_OK;
}

bool tls_client_key_failed(const struct tls_client *client)
{
	return client->key_failed;
}

bool tls_client_handshaking(const struct tls_client *client)
{
	return SSL_in_init(client->ssl) == 1;
}

void tls_client_alpn(const struct tls_client *client, char name[static TLS_ALPN_MAX + 1])
{
	const unsigned char *chosen = NULL;
	unsigned len = 0;

	SSL_get0_alpn_selected(client->ssl, &chosen, &len);
	len = len <= TLS_ALPN_MAX ? len : 0;
	if (len > 0)
		memcpy(name, chosen, len);
	name[len] = '\0';
}

const char *tls_client_distrust(const struct tls_client *client)
{
	long verified = SSL_get_verify_result(client->ssl);

	return verified == X509_V_OK ? NULL : X509_verify_cert_error_string(verified);
}

bool tls_client_resumed(const struct tls_client *client)
{
	return SSL_session_reused(client->ssl) == 1;
}

const char *tls_client_version(const struct tls_client *client)
{
	return SSL_get_version(client->ssl);
}
