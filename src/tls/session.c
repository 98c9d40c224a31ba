#include "tls/session.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "tls/queue.h"
#include "tls/session_inside.h"

/* Handshake message types (RFC 8446 4, RFC 5246 7.4). */
enum { MSG_CLIENT_HELLO = 1, MSG_CERTIFICATE_REQUEST = 13, MSG_FINISHED = 20, MSG_KEY_UPDATE = 24 };

struct tls_session *tls_session_of(const struct ssl_st *ssl)
{
	const struct tls_peer *peer = tls_peer_of(ssl);

	return peer != NULL ? peer->session : NULL;
}

bool tls_first_handshake_over(const SSL *ssl)
{
	unsigned char none;

	return SSL_get_peer_finished(ssl, &none, 0) > 0;
}

/* Notes that the first handshake asks for a certificate. */
static void note_request(struct tls_session *session, int content_type, const unsigned char *data, size_t len)
{
	if (content_type == SSL3_RT_HANDSHAKE && len > 0 && data[0] == MSG_CERTIFICATE_REQUEST &&
	    !tls_first_handshake_over(session->ssl))
		session->asked_at_handshake = true;
}

/*
 * Returns whether the message belongs to an exchange. OpenSSL checks which messages form the response: a Certificate, a
 * CompressedCertificate (RFC 8879), a ClientHello, or what a later standard adds. KeyUpdate is the only message that a
 * client may send at any time (RFC 8446 4.6.3).
 */
static bool of_exchange(const struct tls_session *session, int type)
{
	return type != MSG_KEY_UPDATE && session->on_message != NULL &&
	       session->on_message(session->on_message_arg, type == MSG_FINISHED);
}

bool tls_session_finished_anew(struct tls_session *session)
{
	unsigned char now[FINISHED_LEN] = {0};

	if (SSL_get_peer_finished(session->ssl, now, sizeof(now)) == 0)
		return false;
	session->established = true;
	bool anew = memcmp(session->finished, now, sizeof(now)) != 0;
	memcpy(session->finished, now, sizeof(now));
	return anew;
}

/* OpenSSL forgets the client's Finished only in SSL_clear(). What this session knows is about another connection then.
 */
bool tls_session_cleared(const struct tls_session *session)
{
	return session->cleared || (session->established && !tls_first_handshake_over(session->ssl));
}

static void take_message(struct tls_session *session, int content_type, const void *data, size_t len)
{
	SSL *ssl = session->ssl;

	tls_records_count(&session->records, ssl, content_type, data, len);
	if (content_type != SSL3_RT_HANDSHAKE || len < 1)
		return;
	int type = *(const unsigned char *)data;
	session->cleared = tls_session_cleared(session);
	if (type == MSG_FINISHED) /* OpenSSL has already computed the expected value */
		(void)tls_session_finished_anew(session);
	/* OpenSSL calls the ClientHello callback next, but hides the extensions that it does not know. */
	if (type == MSG_CLIENT_HELLO && !session->hello_seen) {
		tls_hello_read(&session->hello, data, len);
		session->hello_read = true;
	}
	bool expected = of_exchange(session, type) || !tls_first_handshake_over(ssl);
	if (type == MSG_CLIENT_HELLO && !expected && ++session->refused_hellos > HELLO_REFUSED_MAX)
		tls_records_stop(&session->records, ssl);
}

static atomic_bool shown_anywhere; /* never reset; it only avoids needless work */

/*
 * Only the message callback sees each step of an exchange. HANDSHAKE_DONE of the info callback is never called for
 * post-handshake authentication, and too early with TLS 1.2, and that callback does not see records. OpenSSL has no
 * getter for the message callback, so the application sets its own with tls_session_show_messages(), and
 * tls_session_check_messages() detects that ours was replaced. arg is not used, because the application may have set
 * another one.
 */
static void on_message(int outbound, int version, int content_type, const void *data, size_t len, SSL *ssl, void *arg)
{
	(void)arg;
	/* OpenSSL makes two such calls for each record that it writes. */
	if (outbound && content_type >= SSL3_RT_HEADER && !atomic_load_explicit(&shown_anywhere, memory_order_relaxed))
		return;
	struct tls_session *session = tls_session_of(ssl);
	if (session == NULL)
		return;
	if (outbound)
		note_request(session, content_type, data, len);
	else
		take_message(session, content_type, data, len);
	if (session->shown != NULL)
		session->shown(outbound, version, content_type, data, len, ssl, session->shown_arg);
}

/*
 * SSL_set_accept_state() of OpenSSL 3.5 creates the record layers of the SSL, but returns nothing. If out of memory, it
 * leaves the SSL in an error state before any handshake, and OpenSSL crashes if such an SSL is given a BIO.
 */
static bool is_half_made(const SSL *ssl)
{
	return SSL_get_state(ssl) == TLS_ST_BEFORE && SSL_in_before(ssl) == 0;
}

const char *tls_session_unfit(const struct ssl_st *ssl)
{
	if (SSL_is_dtls(ssl) == 1)
		return "the SSL is one of DTLS; only TLS has what an ask needs";
	if (SSL_version(ssl) < SSL3_VERSION) /* QUIC: 1 for a connection, 0 for a listener */
		return "the SSL is one of QUIC, which allows no late request for a certificate (RFC 9001 4.4)";
	if (SSL_is_server(ssl) == 0)
		return "the SSL is a client's; only a server asks";
	return tls_session_of(ssl) != NULL ? "the SSL has a thaw_conn already" : NULL;
}

void tls_session_keep_from_kernel(SSL *ssl)
{
	if ((SSL_get_options(ssl) & SSL_OP_ENABLE_KTLS) != 0)
		(void)SSL_clear_options(ssl, SSL_OP_ENABLE_KTLS);
}

void tls_session_follow_messages(struct tls_session *session)
{
	session->deferred = false;
	(void)tls_session_finished_anew(session);
	SSL_set_msg_callback(session->ssl, on_message);
}

static struct tls_session *attach(SSL *ssl, bool deferred)
{
	struct tls_session *session = is_half_made(ssl) ? NULL : malloc(sizeof(*session));

	if (session != NULL) /* glibc's calloc() takes no block of the thread's cache, and costs ten times as much */
		*session = (struct tls_session){.ssl = ssl, .deferred = deferred};
	if (session == NULL || (!deferred && !tls_queue(ssl, TLS_QUEUE_HANDSHAKE)) ||
	    !tls_peer_init(&session->peer, ssl, session)) {
		free(session);
		ERR_clear_error();
		return NULL;
	}
	tls_session_keep_from_kernel(ssl);
	if (!deferred)
		tls_session_follow_messages(session);
	return session;
}

struct tls_session *tls_session_new(struct ssl_st *ssl)
{
	return attach(ssl, false);
}

struct tls_session *tls_session_new_deferred(struct ssl_st *ssl)
{
	return attach(ssl, true);
}

void tls_session_show_messages(struct tls_session *session, thaw_msg_fn *fn, void *arg)
{
	if (fn != NULL)
		atomic_store(&shown_anywhere, true);
	session->shown = fn;
	session->shown_arg = arg;
}

void tls_session_on_message(struct tls_session *session, tls_message_fn *fn, void *arg)
{
	session->on_message = fn;
	session->on_message_arg = arg;
}

void tls_session_on_suspended(struct tls_session *session, tls_suspended_fn *fn, void *arg)
{
	session->suspended = fn;
	session->suspended_arg = arg;
}

void tls_session_free(struct tls_session **session)
{
	struct tls_session *gone = *session;

	*session = NULL;
	if (gone == NULL)
		return;
	bool ours = !gone->deferred && !gone->unheard; /* otherwise the SSL has the application's own */
	if (ours)
		SSL_set_msg_callback(gone->ssl, gone->shown);
	if (ours && gone->shown != NULL)
		SSL_set_msg_callback_arg(gone->ssl, gone->shown_arg);
	tls_peer_clear(&gone->peer);
	free(gone->err);
	free(gone);
}

/* RFC 6066 3: a list with one host_name entry. */
bool tls_hello_name(struct ssl_st *ssl, char name[static TLS_NAME_MAX + 1])
{
	const unsigned char *ext = NULL;
	size_t len = 0;

	name[0] = '\0';
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &ext, &len) != 1 || len < 5)
		return false;
	size_t list = (size_t)ext[0] << 8 | ext[1];
	size_t host = (size_t)ext[3] << 8 | ext[4];
	if (list != len - 2 || ext[2] != TLSEXT_NAMETYPE_host_name || host + 5 != len || host == 0 ||
	    host > TLS_NAME_MAX)
		return false;
	for (size_t i = 0; i < host; i++) {
		if (ext[5 + i] <= ' ' || ext[5 + i] >= 0x7f) {
			name[0] = '\0';
			return false;
		}
		name[i] = (char)tolower(ext[5 + i]);
	}
	name[host] = '\0';
	if (host > 1 && name[host - 1] == '.')
		name[host - 1] = '\0'; /* the fully qualified form of the same name */
	return true;
}

static void read_extension(struct tls_session *session, unsigned type)
{
	const unsigned char *data;
	size_t len;

	if (SSL_client_hello_get0_ext(session->ssl, type, &data, &len) == 1)
		tls_hello_read_extension(&session->hello, type, data, len);
}

/*
 * For a session that was created in the ClientHello callback itself, after the message callback was called. Most such
 * connections are never asked, and each search costs some 200 instructions: only what thaw_ctx_client_hello() and
 * tls_session_means() need is read. Post-handshake authentication is one of TLS 1.3.
 */
static void read_extensions(struct tls_session *session)
{
	read_extension(session, TLSEXT_TYPE_supported_versions);
	if (session->hello.tls13)
		read_extension(session, TLSEXT_TYPE_post_handshake_auth);
	if (!session->hello.post_handshake)
		read_extension(session, TLSEXT_TYPE_extended_master_secret);
}

static bool has_tls12(SSL *ssl)
{
	return SSL_get_min_proto_version(ssl) <= TLS1_2_VERSION && (SSL_get_options(ssl) & SSL_OP_NO_TLSv1_2) == 0;
}

int thaw_ctx_client_hello(struct ssl_st *ssl, int *alert, void *unused)
{
	struct tls_session *session = tls_session_of(ssl);

	(void)unused;
	if (session == NULL)
		return SSL_CLIENT_HELLO_SUCCESS;
	if (!session->deferred)
		(void)tls_queue(ssl, TLS_QUEUE_HANDSHAKE); /* if out of memory, the next read tries again */
	if (session->hello_seen) { /* the second one after a HelloRetryRequest, or of a renegotiation */
		char name[TLS_NAME_MAX + 1];
		(void)tls_hello_name(ssl, name);
		if (strcmp(name, session->name) == 0)
			return SSL_CLIENT_HELLO_SUCCESS;
		*alert = SSL_AD_ILLEGAL_PARAMETER;
		return SSL_CLIENT_HELLO_ERROR;
	}
	session->hello_seen = true;
	if (!session->hello_read)
		read_extensions(session);
	(void)tls_hello_name(ssl, session->name);
	/* If the client offers TLS 1.2 and the SSL supports it, limiting the version to TLS 1.2 cannot fail. */
	bool held = session->hold && !session->hello.post_handshake && session->hello.tls12 && has_tls12(ssl);
	if (held)
		(void)SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
	/* A client without the extended master secret can be asked only after a full handshake: see
	 * tls_session_means(). */
	if ((held || !session->hello.tls13) && !session->hello.extended_master)
		(void)SSL_set_options(ssl, SSL_OP_NO_TICKET);
	return SSL_CLIENT_HELLO_SUCCESS;
}

const struct tls_hello *tls_session_hello(const struct tls_session *session)
{
	return &session->hello;
}

void tls_session_hold_to_tls12(struct tls_session *session, bool hold)
{
	session->hold = hold;
}

bool tls_session_asked_at_handshake(const struct tls_session *session)
{
	return session->asked_at_handshake;
}

bool tls_session_established(const struct tls_session *session)
{
	return SSL_is_init_finished(session->ssl) == 1;
}
