/*
 * A small server: one request for each connection. It asks for the certificate after the head, and sends a plain
 * response. Around libthaw it drains the body meanwhile (SERVER_ENGINE). As a control it behaves like servers without
 * Thaw: it asks, and reads nothing of the body until the certificate arrives.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "../made.h"
#include "pki.h"
#include "server.h"
#include "tls/server.h"

#define HEAD_MAX         4096
#define SMALL_IDLE_MS    60000
#define CONTROL_GIVES_UP 120000
#define RESPONSE_OK      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
#define RESPONSE_REFUSED "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"

enum small_state { SMALL_TLS, SMALL_HEAD, SMALL_ASK, SMALL_BODY, SMALL_REPLY, SMALL_LINGER, SMALL_DEAD };

struct small_server {
	const struct scenario *scenario;
	struct server_env env;
	struct tls_server *tls;
	thaw_trust *trust;
};

struct small_conn {
	struct small_server *server;
	struct transport transport;
	struct tls_conn *link;
	thaw_conn *ask;
	enum small_state state;
	char head[HEAD_MAX];
	size_t head_len;
	uint64_t body_left;
	uint64_t deadline_ms;
	const char *reply;
	size_t reply_at;
	bool want_write;
};

static void small_close(void *arg)
{
	struct small_server *server = arg;

	tls_server_free(&server->tls);
	thaw_trust_free(&server->trust);
	free(server);
}

static void *small_open(const struct scenario *scenario, const struct server_env *env, struct thaw_error *err)
{
	struct small_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		abort();
	server->scenario = scenario;
	server->env = *env;
	server->trust = made_trust_load(pki_get(PKI_CA)->certificate_file, NULL, err);
	thaw_trust *trusts[] = {server->trust};
	struct tls_host host = {
		.names = (const char *const[]){"*", NULL},
		.certificate = pki_get(PKI_SERVER)->certificate_file,
		.key = pki_get(PKI_SERVER)->key_file,
		.hold_to_tls12 = scenario->hold_to_tls12,
		.trusts = trusts,
		.trust_count = 1,
	};
	server->tls = tls_server_new(&host, 1, err);
	if (server->trust == NULL || server->tls == NULL) {
		small_close(server);
		return NULL;
	}
	return server;
}

static void on_trace(void *arg, const char *machine, const char *from, const char *to, uint64_t now_ms)
{
	const struct small_server *server = arg;
	trace_change(&server->env.trace, machine, from, to, now_ms);
}

static void *small_accept(void *arg, struct transport transport, const struct sockaddr *peer, uint64_t now_ms)
{
	struct small_conn *conn = calloc(1, sizeof(*conn));

	(void)peer;
	if (conn == NULL)
		abort();
	conn->server = arg;
	conn->transport = transport;
	conn->link = tls_conn_new(conn->server->tls, transport);
	if (conn->link == NULL || (conn->ask = made_conn_new(tls_conn_ssl(conn->link))) == NULL)
		abort();
	thaw_conn_trace(conn->ask, on_trace, conn->server);
	conn->deadline_ms = now_ms + SMALL_IDLE_MS;
	return conn;
}

static void small_drop(void *arg)
{
	struct small_conn *conn = arg;

	thaw_conn_free(&conn->ask);
	tls_conn_free(&conn->link);
	free(conn);
}

static bool is_control(const struct small_conn *conn)
{
	return conn->server->scenario->server != SERVER_ENGINE;
}

static void reply(struct small_conn *conn, bool good, uint64_t now_ms)
{
	conn->reply = good ? RESPONSE_OK : RESPONSE_REFUSED;
	conn->state = SMALL_REPLY;
	conn->deadline_ms = now_ms + SMALL_IDLE_MS;
}

/* The control requests the certificate, and does nothing else that libthaw would do. */
static void control_ask(struct small_conn *conn, uint64_t now_ms)
{
	SSL *ssl = tls_conn_ssl(conn->link);
	bool tls13 = SSL_version(ssl) == TLS1_3_VERSION;

	/* One control reports its ask, which is how the check catches it; the other shows it only in its bytes. */
	if (conn->server->scenario->server == SERVER_CONTROL)
		trace_change(&conn->server->env.trace, "ask", "quiet", "answer", now_ms);
	SSL_set_verify(ssl, tls13 ? SSL_VERIFY_PEER | SSL_VERIFY_POST_HANDSHAKE : SSL_VERIFY_PEER, NULL);
	if (SSL_set_session_id_context(ssl, (const unsigned char *)"control", 7) != 1 ||
	    (tls13 ? SSL_verify_client_post_handshake(ssl) : SSL_renegotiate(ssl)) != 1 || SSL_do_handshake(ssl) != 1)
		conn->state = SMALL_DEAD;
	conn->deadline_ms = conn->server->scenario->server == SERVER_CONTROL ? THAW_NEVER : now_ms + CONTROL_GIVES_UP;
}

/* Looks for the certificate, and leaves the body unread. */
static bool control_poll(struct small_conn *conn, uint64_t now_ms)
{
	SSL *ssl = tls_conn_ssl(conn->link);
	char byte;

	int n = SSL_peek(ssl, &byte, 1);
	if (n <= 0 && SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ)
		conn->state = SMALL_DEAD;
	if (SSL_get0_peer_certificate(ssl) == NULL)
		return false;
	if (conn->server->scenario->server == SERVER_CONTROL)
		trace_change(&conn->server->env.trace, "ask", "answer", "settled", now_ms);
	conn->deadline_ms = now_ms + SMALL_IDLE_MS;
	conn->state = SMALL_BODY;
	return true;
}

static void engine_ask(struct small_conn *conn, uint64_t now_ms)
{
	const struct scenario *scenario = conn->server->scenario;
	struct thaw_ask_options options = {
		.size = sizeof(options),
		.trust = conn->server->trust,
		.moment = THAW_MOMENT_HEADERS,
		.body_follows = conn->body_left > 0,
		.timeout_ms = scenario->timeout_ms,
		.body_idle_ms = SMALL_IDLE_MS,
		.decline_grace_ms = scenario->grace_ms,
	};
	if (thaw_conn_ask(conn->ask, &options, now_ms) != THAW_OK)
		conn->state = SMALL_DEAD;
	else if (conn->body_left == 0)
		thaw_conn_body_ended(conn->ask, now_ms);
}

static void took_body(struct small_conn *conn, size_t len, uint64_t now_ms)
{
	conn->body_left -= len < conn->body_left ? len : conn->body_left;
	conn->deadline_ms = now_ms + SMALL_IDLE_MS;
	if (conn->body_left == 0 && !is_control(conn))
		thaw_conn_body_ended(conn->ask, now_ms);
}

static bool read_some(struct small_conn *conn, void *data, size_t room, size_t *len, uint64_t now_ms)
{
	enum thaw_status status = thaw_conn_read(conn->ask, data, room, len, now_ms);

	if (status == THAW_WANT_WRITE)
		conn->want_write = true;
	if (status == THAW_CLOSED || status == THAW_FAILED)
		conn->state = SMALL_DEAD;
	return status == THAW_OK;
}

static bool step_head(struct small_conn *conn, uint64_t now_ms)
{
	size_t len = 0;

	if (!read_some(conn, conn->head + conn->head_len, HEAD_MAX - 1 - conn->head_len, &len, now_ms))
		return conn->state == SMALL_DEAD;
	conn->head_len += len;
	conn->head[conn->head_len] = '\0';
	const char *end = strstr(conn->head, "\r\n\r\n");
	if (end == NULL)
		return true;
	const char *length = strstr(conn->head, "Content-Length: ");
	if (length != NULL && length < end)
		conn->body_left = strtoull(length + 16, NULL, 10);
	size_t extra = conn->head_len - (size_t)(end + 4 - conn->head);
	conn->body_left -= extra < conn->body_left ? extra : conn->body_left;
	conn->state = SMALL_ASK;
	if (is_control(conn))
		control_ask(conn, now_ms);
	else
		engine_ask(conn, now_ms);
	return true;
}

static bool step_ask(struct small_conn *conn, uint64_t now_ms)
{
	char data[16384];
	size_t len = 0;

	if (is_control(conn))
		return control_poll(conn, now_ms) || conn->state == SMALL_DEAD;
	thaw_conn_tick(conn->ask, now_ms);
	bool read = thaw_conn_verdict(conn->ask) == THAW_VERDICT_PENDING &&
		    read_some(conn, data, sizeof(data), &len, now_ms);
	if (read)
		took_body(conn, len, now_ms);
	if (conn->state == SMALL_DEAD)
		return true;
	if (thaw_conn_verdict(conn->ask) == THAW_VERDICT_PENDING)
		return read;
	if (thaw_conn_verdict(conn->ask) == THAW_VERDICT_ACCEPTED) {
		conn->state = SMALL_BODY;
		conn->deadline_ms = now_ms + SMALL_IDLE_MS;
	} else {
		reply(conn, false, now_ms);
	}
	return true;
}

static bool step_body(struct small_conn *conn, uint64_t now_ms)
{
	char data[16384];
	size_t len = 0;

	if (conn->body_left == 0) {
		reply(conn, true, now_ms);
		return true;
	}
	if (!read_some(conn, data, sizeof(data), &len, now_ms))
		return conn->state == SMALL_DEAD;
	took_body(conn, len, now_ms);
	return true;
}

/* Keeps reading while it writes. */
static bool step_reply(struct small_conn *conn, uint64_t now_ms)
{
	struct thaw_error err = {0};
	char data[16384];
	size_t len = 0;
	const char *rest = conn->reply + conn->reply_at;
	enum thaw_status status = is_control(conn) ? tls_conn_write(conn->link, rest, strlen(rest), &len, &err)
						   : thaw_conn_write(conn->ask, rest, strlen(rest), &len, now_ms);

	conn->reply_at += len;
	if (conn->reply[conn->reply_at] == '\0') {
		tls_conn_close_notify(conn->link);
		conn->transport.ops->half_close(conn->transport.io);
		conn->state = SMALL_LINGER;
		conn->deadline_ms = now_ms + 5000;
		return true;
	}
	if (status == THAW_FAILED)
		conn->state = SMALL_DEAD;
	conn->want_write = status == THAW_WANT_WRITE;
	return status == THAW_OK || status == THAW_FAILED || read_some(conn, data, sizeof(data), &len, now_ms);
}

static bool step_linger(struct small_conn *conn)
{
	ssize_t n = conn->transport.ops->discard(conn->transport.io, 65536);

	if (n == TRANSPORT_END || n == TRANSPORT_BROKEN)
		conn->state = SMALL_DEAD;
	return n > 0;
}

/* True: progress, call again. */
static bool step_once(struct small_conn *conn, uint64_t now_ms)
{
	struct thaw_error err = {0};
	enum thaw_status status;

	switch (conn->state) {
	case SMALL_TLS:
		status = tls_conn_handshake(conn->link, &err);
		conn->want_write = status == THAW_WANT_WRITE;
		if (status == THAW_OK || status == THAW_CLOSED || status == THAW_FAILED)
			conn->state = status == THAW_OK ? SMALL_HEAD : SMALL_DEAD;
		return status == THAW_OK;
	case SMALL_HEAD:
		return step_head(conn, now_ms);
	case SMALL_ASK:
		return step_ask(conn, now_ms);
	case SMALL_BODY:
		return step_body(conn, now_ms);
	case SMALL_REPLY:
		return step_reply(conn, now_ms);
	case SMALL_LINGER:
		return step_linger(conn);
	case SMALL_DEAD:
		break;
	}
	return false;
}

static struct gw_wants small_step(void *arg, uint64_t now_ms)
{
	struct small_conn *conn = arg;

	conn->want_write = false;
	if (!is_control(conn))
		thaw_conn_tick(conn->ask, now_ms);
	while (conn->state != SMALL_DEAD && step_once(conn, now_ms))
		;
	uint64_t deadline_ms =
		conn->state == SMALL_ASK && !is_control(conn) ? thaw_conn_deadline(conn->ask) : conn->deadline_ms;
	if (conn->state != SMALL_ASK && now_ms >= deadline_ms)
		conn->state = SMALL_DEAD;
	if (is_control(conn) && now_ms >= deadline_ms)
		conn->state = SMALL_DEAD;
	/* The control polls for the certificate, and does not consume the bytes that it has already seen. */
	bool polls = conn->state == SMALL_ASK && is_control(conn) && SSL_pending(tls_conn_ssl(conn->link)) > 0;
	return (struct gw_wants){
		.read = !polls && (conn->state != SMALL_TLS || !conn->want_write),
		.write = conn->want_write || thaw_conn_wants_write(conn->ask),
		.dead = conn->state == SMALL_DEAD,
		.deadline_ms = deadline_ms,
	};
}

const struct server_ops server_small = {
	.open = small_open,
	.close = small_close,
	.accept = small_accept,
	.step = small_step,
	.drop = small_drop,
};
