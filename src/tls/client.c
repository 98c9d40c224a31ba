#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "base/error.h"
#include "tls/client_inside.h"
#include "tls/failure.h"
#include "tls/queue.h"
#include "tls/transport_bio.h"

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
	tls_signing_end(&old->signing);
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
	int n = 0;
	if (!tls_signing_handshake(&client->signing, client->ssl, &n))
		return THAW_WANT_READ;
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

/* Continues a renegotiation that needs a signature. THAW_OK: there is none. */
static enum thaw_status carry_on(struct tls_client *client, struct thaw_error *err)
{
	int n = 0;

	if (!client->signing.wanted)
		return THAW_OK;
	ERR_clear_error();
	errno = 0;
	if (!tls_signing_handshake(&client->signing, client->ssl, &n))
		return THAW_WANT_READ;
	return n == 1 ? THAW_OK : outcome(client, n, "renegotiating", err);
}

void tls_client_on_signature(struct tls_client *client, void (*wake)(void *arg), void *arg)
{
	client->signing.wake = wake;
	client->signing.arg = arg;
}

bool tls_client_waits(const struct tls_client *client)
{
	return tls_signing_waits(&client->signing);
}

bool tls_client_can_sign(const struct tls_client *client)
{
	return client->signing.wanted && !tls_signing_waits(&client->signing);
}

/* The data of one call. */
struct span {
	bool writes;
	const void *from;
	void *into;
	size_t room;
	size_t *len;
};

/* Reads or writes; again after a renegotiation that needed a signature, which may begin in either. */
static enum thaw_status move(struct tls_client *client, const struct span *span, struct thaw_error *err)
{
	const char *what = span->writes ? "writing" : "reading";
	enum thaw_status status;

	*span->len = 0;
	do {
		status = carry_on(client, err);
		if (status != THAW_OK)
			break;
		ERR_clear_error();
		errno = 0;
		int n = span->writes ? SSL_write_ex(client->ssl, span->from, span->room, span->len)
				     : SSL_read_ex(client->ssl, span->into, span->room, span->len);
		status = n == 1 ? THAW_OK : outcome(client, n, what, err);
	} while (status == THAW_WANT_READ && client->signing.wanted);
	return status;
}

enum thaw_status tls_client_write(struct tls_client *client, const void *data, size_t room, size_t *len,
				  struct thaw_error *err)
{
	*len = 0;
	tls_queue_flush(client->ssl);
	if (tls_queued(client->ssl) > 0)
		return THAW_WANT_WRITE;
	enum thaw_status status =
		move(client, &(struct span){.writes = true, .from = data, .room = room, .len = len}, err);
	client->unwritten = status == THAW_WANT_READ || status == THAW_WANT_WRITE;
	return status;
}

enum thaw_status tls_client_read(struct tls_client *client, void *data, size_t room, size_t *len,
				 struct thaw_error *err)
{
	return move(client, &(struct span){.into = data, .room = room, .len = len}, err);
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
