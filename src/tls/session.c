#include "tls/session.h"

#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "tls/failure.h"
#include "tls/peer.h"
#include "tls/queue.h"
#include "tls/records.h"

#define FINISHED_LEN      12 /* bytes of a Finished message that are compared; TLS 1.2 has no more (RFC 5246 7.4.9) */
#define HELLO_REFUSED_MAX 4  /* client-initiated renegotiations refused before the connection is ended */

/* Handshake message types (RFC 8446 4, RFC 5246 7.4). */
enum { MSG_CLIENT_HELLO = 1, MSG_CERTIFICATE_REQUEST = 13, MSG_FINISHED = 20, MSG_KEY_UPDATE = 24 };

struct tls_session {
	SSL *ssl;
	/* what the ClientHello offered */
	struct tls_hello hello;
	bool hello_read; /* hello was read from the message itself */
	bool hello_seen, hold;
	bool asked_at_handshake; /* the CertificateRequest was written */
	bool judged, loose;      /* judge_handshake() has run; resumed without the extended master secret */
	char name[TLS_NAME_MAX + 1];
	tls_message_fn *on_message; /* NULL: no ask uses this session */
	void *on_message_arg;
	tls_suspended_fn *suspended; /* NULL: no handshake is ever suspended */
	void *suspended_arg;
	thaw_msg_fn *shown; /* the application's message callback; NULL: none */
	void *shown_arg;
	unsigned char finished[FINISHED_LEN]; /* the client's newest Finished that on_message() has seen */
	bool established;                     /* there was one */
	bool unheard;                         /* there was a Finished that on_message() has not seen */
	unsigned refused_hellos;
	struct tls_records records;
	bool cleared;  /* the application has called SSL_clear() after a handshake */
	bool refused;  /* the client sent a no_renegotiation alert */
	bool writing;  /* a write is incomplete and must be repeated */
	bool failed;   /* reading has failed; no further read is possible */
	bool deferred; /* the SSL does not have our message callback and filter BIO yet */
	struct tls_peer peer;
	struct thaw_error *err; /* the first failure; NULL: none. Allocated only if needed */
	bool err_lost;          /* there was a failure, but no memory for err */
};

struct tls_session *tls_session_of(const struct ssl_st *ssl)
{
	const struct tls_peer *peer = tls_peer_of(ssl);

	return peer != NULL ? peer->session : NULL;
}

/* Returns whether a handshake was completed. SSL_in_init() does not say that: it is also true when OpenSSL reads the
 * ClientHello of another handshake. */
static bool first_handshake_over(const SSL *ssl)
{
	unsigned char none;

	return SSL_get_peer_finished(ssl, &none, 0) > 0;
}

/* Notes that the first handshake asks for a certificate. */
static void note_request(struct tls_session *session, int content_type, const unsigned char *data, size_t len)
{
	if (content_type == SSL3_RT_HANDSHAKE && len > 0 && data[0] == MSG_CERTIFICATE_REQUEST &&
	    !first_handshake_over(session->ssl))
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

/* Returns whether the client has sent another Finished. Each one is a different MAC. */
static bool finished_anew(struct tls_session *session)
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
static bool is_cleared(const struct tls_session *session)
{
	return session->cleared || (session->established && !first_handshake_over(session->ssl));
}

static void take_message(struct tls_session *session, int content_type, const void *data, size_t len)
{
	SSL *ssl = session->ssl;

	tls_records_count(&session->records, ssl, content_type, data, len);
	if (content_type != SSL3_RT_HANDSHAKE || len < 1)
		return;
	int type = *(const unsigned char *)data;
	session->cleared = is_cleared(session);
	if (type == MSG_FINISHED) /* OpenSSL has already computed the expected value */
		(void)finished_anew(session);
	/* OpenSSL calls the ClientHello callback next, but hides the extensions that it does not know. */
	if (type == MSG_CLIENT_HELLO && !session->hello_seen) {
		tls_hello_read(&session->hello, data, len);
		session->hello_read = true;
	}
	bool expected = of_exchange(session, type) || !first_handshake_over(ssl);
	if (type == MSG_CLIENT_HELLO && !expected && ++session->refused_hellos > HELLO_REFUSED_MAX)
		tls_records_stop(&session->records, ssl);
}

static atomic_bool shown_anywhere; /* never reset; it only avoids needless work */

/*
 * Only the message callback sees each step of an exchange. HANDSHAKE_DONE of the info callback is never called for
 * post-handshake authentication, and too early with TLS 1.2, and that callback does not see records. OpenSSL has no
 * getter for the message callback, so the application sets its own with tls_session_show_messages(), and unreported()
 * detects that ours was replaced. arg is not used, because the application may have set another one.
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

/*
 * Disables kernel TLS. With kernel TLS for receiving, OpenSSL ends a connection that renegotiates. For sending, the
 * filter BIO does not support it, because the kernel would encrypt the queued records again.
 */
static void keep_from_kernel(SSL *ssl)
{
	if ((SSL_get_options(ssl) & SSL_OP_ENABLE_KTLS) != 0)
		(void)SSL_clear_options(ssl, SSL_OP_ENABLE_KTLS);
}

/* The messages before this were not seen, so their Finished is not taken for a new one. */
static void follow_messages(struct tls_session *session)
{
	session->deferred = false;
	(void)finished_anew(session);
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
	keep_from_kernel(ssl);
	if (!deferred)
		follow_messages(session);
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

/* Prepares an error on the caller's stack. keep_error() copies only the first real failure. */
static struct thaw_error *begin_error(struct thaw_error *err)
{
	err->cls = THAW_ERR_NONE;
	return err;
}

static enum thaw_status keep_error(struct tls_session *session, enum thaw_status status, const struct thaw_error *err)
{
	if (err->cls == THAW_ERR_NONE || session->err != NULL || session->err_lost)
		return status;
	session->err = malloc(sizeof(*session->err));
	if (session->err != NULL)
		*session->err = *err;
	session->err_lost = session->err == NULL;
	return status;
}

/*
 * Call this after each call in which OpenSSL reads; status is its result. A Finished that on_message() has not seen
 * proves that the application has replaced the callback. Then other messages of the client may be unknown, too.
 */
static enum thaw_status unreported(struct tls_session *session, enum thaw_status status)
{
	static const struct thaw_error replaced = {
		THAW_ERR_USAGE, "the SSL's message callback was replaced; set it with thaw_conn_set_msg_callback()"};

	if (status == THAW_FAILED)
		return status;
	session->unheard = finished_anew(session) || session->unheard;
	return session->unheard ? keep_error(session, THAW_FAILED, &replaced) : status;
}

/* Inserts the filter BIO if it is missing: the session was deferred, or the owner of the SSL has set another BIO or
 * changed the SSL since the last call. */
static enum thaw_status hold(struct tls_session *session)
{
	static const struct thaw_error client = {THAW_ERR_USAGE, "the SSL has become a client's; only a server asks"};
	static const struct thaw_error cleared = {
		THAW_ERR_USAGE, "SSL_clear() was called; use a new SSL and thaw_conn for another connection"};
	struct thaw_error err;

	keep_from_kernel(session->ssl);
	if (SSL_is_server(session->ssl) == 0)
		return keep_error(session, THAW_FAILED, &client);
	session->cleared = is_cleared(session);
	if (session->cleared)
		return keep_error(session, THAW_FAILED, &cleared);
	if (session->deferred)
		follow_messages(session);
	if (tls_queue(session->ssl, TLS_QUEUE_HANDSHAKE))
		return THAW_OK;
	return keep_error(session, tls_library_failure(THAW_ERR_RESOURCE, "joining a connection", begin_error(&err)),
			  &err);
}

/* Continues a suspended handshake. If that fails, the error is kept. */
static enum thaw_status carry_on(struct tls_session *session)
{
	struct thaw_error err;

	if (session->suspended == NULL)
		return THAW_OK;
	enum thaw_status status =
		keep_error(session, session->suspended(session->suspended_arg, begin_error(&err)), &err);
	ERR_clear_error();
	return status;
}

static enum thaw_status use_trust(struct tls_session *session, thaw_trust *trust, int mode)
{
	struct thaw_error err;

	if (tls_peer_ask(&session->peer, trust, mode))
		return THAW_OK;
	return keep_error(
		session,
		tls_library_failure(THAW_ERR_RESOURCE, "readying the request for a certificate", begin_error(&err)),
		&err);
}

enum thaw_status tls_session_ask_at_handshake(struct tls_session *session, thaw_trust *trust)
{
	return use_trust(session, trust, SSL_VERIFY_PEER);
}

enum thaw_status tls_session_ask_on_demand(struct tls_session *session, thaw_trust *trust)
{
	session->peer.on_demand = true;
	return tls_session_ask_at_handshake(session, trust);
}

void tls_session_know_trusts(struct tls_session *session, const thaw_trust *const *trusts, size_t count)
{
	session->peer.trusts = trusts;
	session->peer.trust_count = count;
}

bool tls_session_asked_at_handshake(const struct tls_session *session)
{
	return session->asked_at_handshake;
}

bool tls_session_established(const struct tls_session *session)
{
	return SSL_is_init_finished(session->ssl) == 1;
}

/* Runs once, after the first handshake and before another one can begin. */
static void judge_handshake(struct tls_session *session)
{
	if (session->judged || !tls_session_established(session))
		return;
	session->judged = true;
	session->loose = SSL_version(session->ssl) < TLS1_3_VERSION && SSL_get_extms_support(session->ssl) != 1 &&
			 SSL_session_reused(session->ssl) == 1;
}

bool tls_speaks_http2(const struct ssl_st *ssl)
{
	const unsigned char *name = NULL;
	unsigned len = 0;

	SSL_get0_alpn_selected(ssl, &name, &len);
	return len == 2 && memcmp(name, "h2", 2) == 0;
}

static enum tls_version version_of(const SSL *ssl)
{
	int version = SSL_version(ssl);

	if (version == TLS1_3_VERSION)
		return TLS_VERSION_13;
	return version == TLS1_2_VERSION ? TLS_VERSION_12 : TLS_VERSION_OTHER;
}

enum thaw_means tls_session_means(struct tls_session *session, enum thaw_reason *reason)
{
	enum thaw_reason why = THAW_REASON_NONE;

	judge_handshake(session);
	const struct tls_negotiated negotiated = {
		.version = version_of(session->ssl),
		.http2 = tls_speaks_http2(session->ssl),
		.post_handshake = !session->hello_seen || session->hello.post_handshake,
		.secure_renegotiation = SSL_get_secure_renegotiation_support(session->ssl) == 1,
		.unbound = session->loose,
	};
	enum thaw_means means = tls_means(&negotiated, &why);
	if (reason != NULL)
		*reason = why;
	return means;
}

bool tls_session_binds_certificate(struct tls_session *session)
{
	judge_handshake(session);
	return !session->loose;
}

/* Begins to write a KeyUpdate that OpenSSL has put off, and tickets. The handshake message of the application's own
 * SSL_key_update() and SSL_new_session_ticket() was begun by those calls. */
static int write_put_off(SSL *ssl)
{
	int update = SSL_get_key_update_type(ssl);

	if (SSL_version(ssl) != TLS1_3_VERSION || !first_handshake_over(ssl))
		return 1;
	if (update != SSL_KEY_UPDATE_NONE && SSL_is_init_finished(ssl) == 1)
		(void)SSL_key_update(ssl, update); /* the same one, but now */
	return SSL_get_state(ssl) == TLS_ST_OK ? SSL_do_handshake(ssl) : 1;
}

void tls_session_catch_up(struct tls_session *session)
{
	struct thaw_error err;

	ERR_clear_error();
	errno = 0;
	int n = write_put_off(session->ssl);
	if (n != 1)
		(void)keep_error(session, tls_failure(session->ssl, n, "writing", begin_error(&err)), &err);
}

static enum thaw_status begin_post_handshake(struct tls_session *session, enum thaw_reason *reason)
{
	struct thaw_error err;

	tls_session_catch_up(session);
	if (SSL_verify_client_post_handshake(session->ssl) == 1)
		return THAW_OK;
	int why = ERR_GET_REASON(ERR_peek_error());
	if (why == SSL_R_EXTENSION_NOT_RECEIVED)
		*reason = THAW_REASON_NO_POST_HANDSHAKE;
	else if (why == SSL_R_REQUEST_PENDING || why == SSL_R_REQUEST_SENT)
		*reason = THAW_REASON_OUTSTANDING;
	else
		return keep_error(session,
				  tls_library_failure(THAW_ERR_USAGE, "requesting a certificate", begin_error(&err)),
				  &err);
	ERR_clear_error();
	return THAW_FAILED;
}

/*
 * By default OpenSSL resumes the session in a renegotiation, and then sends no CertificateRequest at all. A session id
 * context that no session was created under prevents that. It keeps tickets enabled, which GnuTLS clients need.
 */
static enum thaw_status begin_renegotiation(struct tls_session *session)
{
	struct thaw_error err;
	unsigned char unique[SSL_MAX_SID_CTX_LENGTH];

	if (RAND_bytes(unique, sizeof(unique)) != 1 ||
	    SSL_set_session_id_context(session->ssl, unique, sizeof(unique)) != 1 || SSL_renegotiate(session->ssl) != 1)
		return keep_error(
			session,
			tls_library_failure(THAW_ERR_RESOURCE, "requesting a renegotiation", begin_error(&err)), &err);
	return THAW_OK;
}

enum thaw_status tls_ask_begin(struct tls_session *session, enum thaw_means means, thaw_trust *trust,
			       enum thaw_reason *reason)
{
	bool post = means == THAW_MEANS_POST_HANDSHAKE;

	*reason = THAW_REASON_NONE;
	ERR_clear_error();
	enum thaw_status status = hold(session);
	if (status == THAW_OK)
		status =
			use_trust(session, trust, post ? SSL_VERIFY_PEER | SSL_VERIFY_POST_HANDSHAKE : SSL_VERIFY_PEER);
	if (status == THAW_OK)
		status = post ? begin_post_handshake(session, reason) : begin_renegotiation(session);
	if (status == THAW_OK)
		session->records.asks++;
	return status;
}

enum thaw_status tls_ask_send(struct tls_session *session)
{
	struct thaw_error err;
	enum thaw_status status = carry_on(session);

	if (status != THAW_OK)
		return status;
	ERR_clear_error();
	errno = 0;
	int n = SSL_do_handshake(session->ssl);
	if (n == 1)
		return unreported(session, THAW_OK);
	status = tls_failure(session->ssl, n, "sending the request for a certificate", begin_error(&err));
	return unreported(session, keep_error(session, status, &err));
}

bool tls_session_has_certificate(const struct tls_session *session)
{
	return SSL_get0_peer_certificate(session->ssl) != NULL;
}

struct tls_certificate *tls_session_verify(struct tls_session *session, const thaw_trust *trust,
					   enum thaw_reason *reason, char *detail, size_t room)
{
	X509 *x509 = SSL_get0_peer_certificate(session->ssl);

	detail[0] = '\0';
	/* After an empty Certificate message there is no certificate, but the verify result is X509_V_OK. */
	*reason = THAW_REASON_NO_CERTIFICATE;
	if (x509 == NULL)
		return NULL;
	*reason = THAW_REASON_NO_MEMORY;
	const struct tls_verdict *verdict = tls_peer_verify(&session->peer, trust);
	struct tls_certificate *certificate = verdict != NULL ? tls_certificate_new(x509, verdict->path) : NULL;
	if (certificate == NULL)
		return NULL;
	*reason = verdict->error == X509_V_OK ? THAW_REASON_NONE : THAW_REASON_UNTRUSTED;
	(void)snprintf(detail, room, "%s", verdict->detail);
	return certificate;
}

static enum thaw_status flooded(const struct tls_session *session, struct thaw_error *err)
{
	ERR_clear_error();
	if (session->refused_hellos > HELLO_REFUSED_MAX)
		return error_set(err, THAW_ERR_PEER, "the client tried to renegotiate %u times",
				 session->refused_hellos);
	return error_set(err, THAW_ERR_PEER, "the client sent %llu TLS records without application data",
			 (unsigned long long)session->records.control);
}

bool tls_session_flooded(const struct tls_session *session)
{
	return session->records.over;
}

/* If the SSL has no certificate, OpenSSL reports a misleading reason, such as 'no shared cipher'. */
static bool lacks_certificate(const struct tls_session *session, int why)
{
	return (why == SSL_R_NO_SHARED_CIPHER || why == SSL_R_UNSUPPORTED_PROTOCOL ||
		why == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM) &&
	       session->hello_read && !first_handshake_over(session->ssl) && SSL_get_certificate(session->ssl) == NULL;
}

static bool is_not_set_up(int why)
{
	return why == SSL_R_UNINITIALIZED || why == SSL_R_READ_BIO_NOT_SET || why == SSL_R_BIO_NOT_SET ||
	       why == SSL_R_CONNECTION_TYPE_NOT_SET;
}

/* Sets the error of a failed read. If the owner of the SSL has not set it up completely, that is not reported as a
 * failure of the peer. */
static enum thaw_status read_failure(struct tls_session *session, int result, struct thaw_error *err)
{
	unsigned long code = ERR_peek_error();
	int why = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;

	session->refused = session->refused || tls_failure_is_no_renegotiation(code);
	if (lacks_certificate(session, why))
		(void)error_set(err, THAW_ERR_CONFIG, "reading: the SSL has no certificate to show");
	else if (is_not_set_up(why))
		(void)error_set(err, THAW_ERR_USAGE,
				"reading: the SSL has no BIO, or SSL_set_accept_state() was not called");
	return tls_failure(session->ssl, result, "reading", err); /* keeps the cause that is already set */
}

/* OpenSSL takes a read without room for the end of the connection. */
static int read_some(SSL *ssl, void *data, size_t room, size_t *len)
{
	char byte;

	if (room > 0)
		return SSL_read_ex(ssl, data, room, len);
	int n = SSL_peek_ex(ssl, &byte, 1, len);
	*len = 0;
	return n;
}

enum thaw_status tls_session_read(struct tls_session *session, void *data, size_t room, size_t *len)
{
	struct thaw_error err;
	*len = 0;
	if (session->failed)
		return THAW_FAILED;
	ERR_clear_error();
	if (hold(session) != THAW_OK)
		return THAW_FAILED;
	enum thaw_status status = carry_on(session);
	if (status != THAW_OK) {
		session->failed = status == THAW_FAILED;
		return status;
	}
	errno = 0;
	int n = read_some(session->ssl, data, room, len);
	if (n != 1 && session->records.over)
		status = keep_error(session, flooded(session, begin_error(&err)), &err);
	else if (n != 1)
		status = keep_error(session, read_failure(session, n, begin_error(&err)), &err);
	status = unreported(session, status);
	if (status != THAW_OK)
		*len = 0;
	session->failed = status == THAW_FAILED;
	return status;
}

enum thaw_status tls_session_write(struct tls_session *session, const void *data, size_t room, size_t *len)
{
	struct thaw_error err;

	*len = 0;
	if (room == 0)
		return THAW_OK;
	if (!tls_session_can_write(session) && !tls_queue_has_record(session->ssl))
		return THAW_WANT_READ;
	ERR_clear_error();
	errno = 0;
	(void)SSL_set_mode(session->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	int n = tls_queue_write_record(session->ssl, data, room, len);
	session->writing = false;
	if (n == 1)
		return *len > 0 ? THAW_OK : THAW_WANT_WRITE;
	enum thaw_status status = tls_failure(session->ssl, n, "writing", begin_error(&err));
	session->writing = status == THAW_WANT_WRITE;
	return keep_error(session, status, &err);
}

bool tls_session_cleared(const struct tls_session *session)
{
	return is_cleared(session);
}

bool tls_session_closed(const struct tls_session *session)
{
	return (SSL_get_shutdown(session->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool tls_session_may_renegotiate(const struct tls_session *session)
{
	return (SSL_get_options(session->ssl) & SSL_OP_NO_RENEGOTIATION) == 0;
}

bool tls_session_writing(const struct tls_session *session)
{
	return session->writing;
}

void tls_session_flush(struct tls_session *session)
{
	tls_queue_flush(session->ssl);
}

bool tls_session_unsent(const struct tls_session *session)
{
	return tls_queue_unsent(session->ssl);
}

bool tls_session_can_write(const struct tls_session *session)
{
	/* The application's own SSL_key_update() is written by the next write. */
	return SSL_in_init(session->ssl) == 0 || SSL_get_key_update_type(session->ssl) != SSL_KEY_UPDATE_NONE;
}

bool tls_session_refused(const struct tls_session *session)
{
	return session->refused;
}

const struct thaw_error *tls_session_error(const struct tls_session *session)
{
	static const struct thaw_error none = {.cls = THAW_ERR_NONE}, lost = {THAW_ERR_RESOURCE, "out of memory"};

	if (session->err != NULL)
		return session->err;
	return session->err_lost ? &lost : &none;
}
