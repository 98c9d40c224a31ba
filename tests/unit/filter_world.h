/*
 * For tests of filters: a TLS context that another library drives. Here this library is OpenSSL itself, over a socket
 * whose buffer is smaller than a record. The server reads whenever the filter waits.
 */
#ifndef FILTER_WORLD_H
#define FILTER_WORLD_H

#include "peers_world.h"

#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../made.h"
#include "base/socket.h"
#include "thaw/ask.h"
#include "tls/filter.h"

#define RECORD    16384
#define SMALL     2048
#define TURNS_MAX 1000
#define NOW_MS    1000

static bool (*clients_turn)(bool it_is); /* for tests in which only the client's allocations fail; NULL: none */

/* Returns whose turn it was. */
static bool give_turn(bool to_client)
{
	return clients_turn != NULL && clients_turn(to_client);
}

struct pair {
	int fds[2]; /* the client's, the server's */
	SSL_CTX *ctx;
	SSL *ssl;
	struct tls_filter *filter;
	struct tls_conn *link;
	thaw_conn *conn; /* the server's ask */
	struct thaw_error err;
	bool reads;   /* the server reads whenever the client waits */
	bool patient; /* the client keeps waiting */
	unsigned ticks;
	size_t got; /* bytes that the server has read */
	unsigned events[TLS_EVENT_ALERT_OUT + 1];
};

static void serve(struct pair *pair)
{
	bool before = give_turn(false);
	char bytes[RECORD];
	size_t len = 0;

	thaw_conn_tick(pair->conn, NOW_MS);
	while (thaw_conn_read(pair->conn, bytes, sizeof(bytes), &len, NOW_MS) == THAW_OK)
		pair->got += len;
	(void)give_turn(before);
}

static bool on_tick(void *arg)
{
	struct pair *pair = arg;

	pair->ticks++;
	if (pair->reads)
		serve(pair);
	return pair->patient;
}

static void on_event(void *arg, const struct tls_event *event)
{
	((struct pair *)arg)->events[event->kind]++;
}

/* If an allocation fails, pair->filter or pair->ssl is NULL. */
static void make_pair(struct pair *pair, int version, uint32_t wait_ms)
{
	int small = SMALL;

	*pair = (struct pair){.fds = {-1, -1}, .reads = true, .patient = true};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fds), 0);
	assert_int_equal(setsockopt(pair->fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	struct tls_filter_options options = {.credentials = credentials,
					     .observer = {.on_event = on_event, .arg = pair},
					     .fd = pair->fds[0],
					     .tick = on_tick,
					     .arg = pair,
					     .wait_ms = wait_ms};
	pair->ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_set_max_proto_version(pair->ctx, version), 1);
	SSL_CTX_set_post_handshake_auth(pair->ctx, 1);
	pair->link = tls_conn_new(server, socket_transport(&pair->fds[1]));
	pair->conn = made_conn_new(tls_conn_ssl(pair->link));
	(void)give_turn(true);
	pair->filter = tls_filter_new(pair->ctx, &options, &pair->err);
	if (pair->filter != NULL && (pair->ssl = SSL_new(pair->ctx)) != NULL &&
	    SSL_set_fd(pair->ssl, pair->fds[0]) != 1) {
		SSL_free(pair->ssl);
		pair->ssl = NULL;
	}
	(void)give_turn(false);
}

/* Runs the handshake. Returns whether it succeeded. */
static bool shake(struct pair *pair)
{
	enum thaw_status link = THAW_WANT_READ;
	int done = 0;

	for (int turn = 0; turn < TURNS_MAX && (done != 1 || link != THAW_OK); turn++) {
		(void)give_turn(true);
		if (done != 1)
			done = SSL_connect(pair->ssl);
		bool failed = done != 1 && SSL_get_error(pair->ssl, done) != SSL_ERROR_WANT_READ;
		(void)give_turn(false);
		if (link != THAW_OK)
			link = tls_conn_handshake(pair->link, &pair->err);
		if (failed || link == THAW_FAILED)
			return false;
	}
	return done == 1 && link == THAW_OK;
}

static inline void open_pair_that_waits(struct pair *pair, int version, uint32_t wait_ms)
{
	make_pair(pair, version, wait_ms);
	assert_non_null(pair->filter);
	assert_non_null(pair->ssl);
	assert_true(shake(pair));
	assert_string_equal(tls_filter_version(pair->filter), SSL_get_version(pair->ssl));
}

static inline void open_pair(struct pair *pair, int version)
{
	open_pair_that_waits(pair, version, 0);
}

static void close_pair(struct pair *pair)
{
	SSL_free(pair->ssl);
	SSL_CTX_free(pair->ctx);
	if (pair->filter != NULL)
		assert_true(tls_filter_over(pair->filter));
	tls_filter_leave(&pair->filter);
	assert_null(pair->filter);
	thaw_conn_free(&pair->conn);
	tls_conn_free(&pair->link);
	(void)close(pair->fds[0]);
	(void)close(pair->fds[1]);
}

static bool asking(const struct pair *pair)
{
	return thaw_conn_verdict(pair->conn) == THAW_VERDICT_PENDING;
}

static void ask(struct pair *pair)
{
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = trust, .moment = THAW_MOMENT_HEADERS, .timeout_ms = 60000};

	assert_int_equal(thaw_conn_ask(pair->conn, &options, NOW_MS), THAW_OK);
	assert_true(asking(pair));
}

#endif
