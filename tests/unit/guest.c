/*
 * A TLS context that another library drives: its connection is asked while a record of its own is half out. The library
 * is OpenSSL itself here, over a socket whose buffer is smaller than a record; the server reads whenever the guest
 * waits.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/socket.h"
#include "tls/credentials.h"
#include "tls/guest.h"
#include "tls/pki.h"
#include "tls/server.h"
#include "tls/session.h"

#define RECORD    16384
#define SMALL     2048
#define TURNS_MAX 1000

static char folder[] = "/tmp/thaw-unit-guest-XXXXXX", paths[5][64];
static const char *const names[] = {"ca.pem", "server.pem", "server.key", "client.pem", "client.key"};
static struct tls_server *server;
static struct tls_credentials *credentials;
static thaw_trust *trust;

static int set_up(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	if (mkdtemp(folder) == NULL || tls_pki_make(folder, &err) != THAW_OK)
		return -1;
	for (size_t i = 0; i < 5; i++)
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder, names[i]);
	trust = thaw_trust_load(paths[0], NULL, &err);
	struct tls_host host = {.name = "*", .certificate = paths[1], .key = paths[2]};
	server = tls_server_new(&host, 1, &err);
	credentials =
		tls_credentials_new(&(struct tls_credentials_source){.certificate = paths[3], .key = paths[4]}, &err);
	return trust != NULL && server != NULL && credentials != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_server_free(&server);
	tls_credentials_free(&credentials);
	thaw_trust_free(&trust);
	for (size_t i = 0; i < 5; i++)
		(void)unlink(paths[i]);
	return rmdir(folder);
}

/* ---- both ends ---- */

struct pair {
	int fds[2]; /* the client's, the server's */
	SSL_CTX *ctx;
	SSL *ssl;
	struct tls_guest *guest;
	struct tls_link *link;
	struct tls_session *session;
	struct thaw_error err;
	bool reads;   /* the server reads whenever the client waits */
	bool patient; /* the client goes on waiting */
	uint32_t wait_ms;
	unsigned ticks;
	size_t got; /* bytes that the server has read */
	unsigned sights[TLS_SIGHT_ALERT_OUT + 1];
};

static void serve(struct pair *pair)
{
	char bytes[RECORD];
	size_t len = 0;

	tls_session_flush(pair->session);
	while (tls_session_read(pair->session, bytes, sizeof(bytes), &len) == THAW_OK)
		pair->got += len;
}

static bool on_tick(void *arg)
{
	struct pair *pair = arg;

	pair->ticks++;
	if (pair->reads)
		serve(pair);
	return pair->patient;
}

static void on_sight(void *arg, const struct tls_sight *sight)
{
	((struct pair *)arg)->sights[sight->kind]++;
}

static void open_pair_that_waits(struct pair *pair, int version, uint32_t wait_ms)
{
	int small = SMALL, done = 0;
	enum thaw_status link = THAW_WANT_READ;

	*pair = (struct pair){.fds = {-1, -1}, .reads = true, .patient = true};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fds), 0);
	assert_int_equal(setsockopt(pair->fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	struct tls_guest_options options = {.credentials = credentials,
					    .observer = {.saw = on_sight, .arg = pair},
					    .fd = pair->fds[0],
					    .tick = on_tick,
					    .arg = pair,
					    .wait_ms = wait_ms};
	pair->ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_set_max_proto_version(pair->ctx, version), 1);
	SSL_CTX_set_post_handshake_auth(pair->ctx, 1);
	pair->guest = tls_guest_new(pair->ctx, &options, &pair->err);
	assert_non_null(pair->guest);
	pair->ssl = SSL_new(pair->ctx);
	assert_int_equal(SSL_set_fd(pair->ssl, pair->fds[0]), 1);
	pair->link = tls_link_new(server, socket_transport(&pair->fds[1]));
	pair->session = tls_session_new(tls_link_ssl(pair->link));
	for (int turn = 0; turn < TURNS_MAX && (done != 1 || link != THAW_OK); turn++) {
		if (done != 1)
			done = SSL_connect(pair->ssl);
		if (link != THAW_OK)
			link = tls_link_handshake(pair->link, &pair->err);
	}
	assert_int_equal(done, 1);
	assert_int_equal(link, THAW_OK);
	assert_string_equal(tls_guest_version(pair->guest), SSL_get_version(pair->ssl));
}

static void open_pair(struct pair *pair, int version)
{
	open_pair_that_waits(pair, version, 0);
}

static void close_pair(struct pair *pair)
{
	SSL_free(pair->ssl);
	SSL_CTX_free(pair->ctx);
	if (pair->guest != NULL)
		assert_true(tls_guest_over(pair->guest));
	tls_guest_leave(&pair->guest);
	assert_null(pair->guest);
	tls_session_free(&pair->session);
	tls_link_free(&pair->link);
	(void)close(pair->fds[0]);
	(void)close(pair->fds[1]);
}

static void ask(struct pair *pair)
{
	enum thaw_reason reason = THAW_REASON_NONE;
	enum thaw_means means = tls_session_means(pair->session, &reason);

	assert_int_not_equal(means, THAW_MEANS_NONE);
	assert_int_equal(tls_ask_begin(pair->session, means, trust, &reason), THAW_OK);
	assert_int_equal(tls_ask_send(pair->session), THAW_OK);
}

/* ---- the tests ---- */

static void asked_while_a_record_is_half_out(void **state)
{
	static const char body[RECORD];
	static const int versions[] = {TLS1_3_VERSION, TLS1_2_VERSION};
	char bytes[16];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct pair pair;
		open_pair(&pair, versions[i]);
		pair.reads = false; /* it does not, before the certificate is on its way */
		ask(&pair);
		assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD); /* the ask can be read: no waiting */
		assert_true(tls_guest_unsent(pair.guest) > RECORD / 2);
		uint64_t moved = tls_guest_moved(pair.guest);
		pair.reads = true;
		for (int turn = 0; turn < TURNS_MAX && !tls_ask_answered(pair.session); turn++) {
			int got = SSL_read(pair.ssl, bytes, sizeof(bytes));
			assert_int_equal(SSL_get_error(pair.ssl, got), SSL_ERROR_WANT_READ);
			serve(&pair);
		}
		assert_true(tls_ask_answered(pair.session));
		assert_int_equal(pair.got, RECORD);
		assert_int_equal(tls_guest_unsent(pair.guest), 0);
		assert_true(tls_guest_moved(pair.guest) >= moved + RECORD);
		assert_int_equal(pair.sights[TLS_SIGHT_ASKED], 1);
		assert_int_equal(pair.sights[TLS_SIGHT_GIVEN], 1);
		close_pair(&pair);
	}
}

/* What can be read keeps no write waiting; but the queue has an end, also for an owner who never reads. */
static void the_queue_has_an_end(void **state)
{
	static const char body[RECORD];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION); /* the tickets are there to be read */
	for (int i = 1; i <= 24; i++) {
		pair.reads = i > 2;
		assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD);
	}
	assert_true(pair.got >= 24 * RECORD - TLS_GUEST_HELD_MAX);
	close_pair(&pair);
}

/* Nobody else would write what is kept: so it is waited for. */
static void a_write_waits_for_its_tail(void **state)
{
	static const char body[RECORD];
	char bytes[16];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	assert_int_equal(SSL_get_error(pair.ssl, SSL_read(pair.ssl, bytes, sizeof(bytes))), SSL_ERROR_WANT_READ);
	for (int i = 1; i <= 5; i++)
		assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD);
	assert_true(pair.ticks > 0);
	serve(&pair); /* the client is not called any more */
	assert_int_equal(pair.got, 5 * RECORD);
	close_pair(&pair);
}

static void who_gives_up_fails(void **state)
{
	static const char body[RECORD];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	pair.reads = pair.patient = false;
	int put = SSL_write(pair.ssl, body, RECORD);
	assert_true(put <= 0);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_SSL); /* nothing to try again */
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), BIO_R_TRANSFER_TIMEOUT);
	ERR_clear_error();
	close_pair(&pair);
}

/* However patient its owner is, and however slowly it moves. */
static void a_wait_has_an_end(void **state)
{
	static const char body[RECORD];
	struct pair pair;

	(void)state;
	open_pair_that_waits(&pair, TLS1_3_VERSION, 1);
	assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD); /* something can be read: no waiting yet */
	pair.reads = false;
	int put = RECORD;
	for (int turn = 0; turn < TURNS_MAX && put > 0; turn++)
		put = SSL_write(pair.ssl, body, RECORD);
	assert_true(put <= 0);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_SSL);
	assert_int_equal(ERR_GET_REASON(ERR_peek_error()), BIO_R_TRANSFER_TIMEOUT);
	ERR_clear_error();
	close_pair(&pair);
}

/* What the server said before it closed is read, though nothing can be written to it any more. */
static void an_answer_before_the_end_is_read(void **state)
{
	static const char body[RECORD], answer[] = "too much";
	char bytes[64];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	assert_int_equal(SSL_get_error(pair.ssl, SSL_read(pair.ssl, bytes, sizeof(bytes))), SSL_ERROR_WANT_READ);
	assert_int_equal(SSL_write(tls_link_ssl(pair.link), answer, sizeof(answer)), sizeof(answer));
	(void)shutdown(pair.fds[1], SHUT_RDWR);
	int put = SSL_write(pair.ssl, body, RECORD);
	assert_true(put <= 0);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_WANT_WRITE); /* later */
	assert_int_equal(SSL_read(pair.ssl, bytes, sizeof(bytes)), sizeof(answer));
	assert_string_equal(bytes, answer);
	put = SSL_write(pair.ssl, body, RECORD); /* there is nothing more */
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_SYSCALL);
	ERR_clear_error();
	close_pair(&pair);
}

/* Who does not read it is told of the end all the same. */
static void an_answer_that_nobody_reads(void **state)
{
	static const char body[RECORD], answer[] = "too much";
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	assert_int_equal(SSL_write(tls_link_ssl(pair.link), answer, sizeof(answer)), sizeof(answer));
	(void)shutdown(pair.fds[1], SHUT_RDWR);
	int put = SSL_write(pair.ssl, body, RECORD);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_WANT_WRITE);
	put = SSL_write(pair.ssl, body, RECORD);
	assert_int_equal(SSL_get_error(pair.ssl, put), SSL_ERROR_SYSCALL);
	ERR_clear_error();
	close_pair(&pair);
}

/* Its owner is gone before the connection, which then is closed without waiting. */
static void who_leaves_is_not_called(void **state)
{
	static const char body[RECORD];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	tls_guest_leave(&pair.guest);
	unsigned ticks = pair.ticks;
	assert_true(SSL_write(pair.ssl, body, RECORD) <= 0);
	(void)SSL_shutdown(pair.ssl);
	assert_int_equal(pair.ticks, ticks);
	ERR_clear_error();
	close_pair(&pair);
}

static void a_connection_that_breaks(void **state)
{
	static const char body[RECORD];
	char bytes[16];
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION);
	pair.reads = false;
	ask(&pair);
	assert_int_equal(SSL_write(pair.ssl, body, RECORD), RECORD);
	(void)shutdown(pair.fds[1], SHUT_RDWR);
	(void)SSL_read(pair.ssl, bytes, sizeof(bytes)); /* answers, into the void */
	int got = SSL_read(pair.ssl, bytes, sizeof(bytes));
	assert_true(got <= 0);
	assert_int_not_equal(SSL_get_error(pair.ssl, got), SSL_ERROR_WANT_READ);
	ERR_clear_error();
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_while_a_record_is_half_out),
		cmocka_unit_test(a_write_waits_for_its_tail),
		cmocka_unit_test(the_queue_has_an_end),
		cmocka_unit_test(who_gives_up_fails),
		cmocka_unit_test(a_wait_has_an_end),
		cmocka_unit_test(an_answer_before_the_end_is_read),
		cmocka_unit_test(an_answer_that_nobody_reads),
		cmocka_unit_test(who_leaves_is_not_called),
		cmocka_unit_test(a_connection_that_breaks),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
