/* The pool of upstream connections over TLS: whom it believes, what it shows, and that TLS's own ways are not seen by
 * who uses an upstream connection.
 */
#include <sys/stat.h>

#include "../made.h"
#include "pool_world.h"
#include "tls/certificate.h"
#include "tls/pki.h"
#include "tls/server.h"
#include "tls/session.h"

static char folder[] = "/tmp/thaw-unit-pool-tls-XXXXXX", foreign[sizeof(folder) + 10];
static char ca[64], certificate[64], key[64], server_pem[64], server_key[64], foreign_ca[64];
static thaw_trust *trust;
static struct tls_server *server;

static void path_in(const char *directory, const char *name, char path[static 64])
{
	(void)snprintf(path, 64, "%s/%s", directory, name);
}

static int make_pki(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(foreign, sizeof(foreign), "%s/foreign", folder);
	path_in(folder, "ca.pem", ca);
	path_in(folder, "client.pem", certificate);
	path_in(folder, "client.key", key);
	path_in(folder, "server.pem", server_pem);
	path_in(folder, "server.key", server_key);
	path_in(foreign, "ca.pem", foreign_ca);
	if (tls_pki_make(folder, &err) != THAW_OK || tls_pki_make(foreign, &err) != THAW_OK)
		return -1;
	trust = made_trust_load(ca, NULL, &err);
	return trust != NULL ? 0 : -1;
}

static int remove_pki(void **state)
{
	static const char *const names[] = {"ca.pem", "client.pem", "client.key", "server.pem", "server.key"};
	char path[64];

	(void)state;
	thaw_trust_free(&trust);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_in(folder, names[i], path);
		(void)unlink(path);
		path_in(foreign, names[i], path);
		(void)unlink(path);
	}
	(void)rmdir(foreign);
	return rmdir(folder);
}

static void use_https(size_t i)
{
	(void)snprintf(texts[i], sizeof(texts[i]), "https://127.0.0.1:%u", origins[i].port);
	servers[i].tls = true;
}

static int set_up_tls(void **state)
{
	struct tls_host host = {.names = (const char *const[]){"*", NULL},
				.certificate = server_pem,
				.key = server_key,
				.at_handshake = trust};

	if (set_up(state) != 0)
		return -1;
	server = tls_server_new(&host, 1, NULL);
	upstream.server_count = 1;
	upstream.tls.ca = ca;
	for (size_t i = 0; i < ORIGINS; i++)
		use_https(i);
	return server != NULL ? 0 : -1;
}

static int tear_down_tls(void **state)
{
	int status = tear_down(state);

	tls_server_free(&server);
	return status;
}

static void open_tls_pool(void)
{
	struct thaw_error err = {0};

	pool_tls = pool_tls_load(&config, &err);
	assert_string_equal(err.text, "");
	assert_non_null(pool_tls);
	open_pool();
}

/* ---- the servers' side ---- */

struct peer {
	int *fd; /* the origin's */
	struct tls_conn *link;
	struct tls_session *session;
	struct thaw_error err;
};

static void open_peer(struct peer *peer, size_t origin, size_t k)
{
	(void)accepted(origin, k);
	*peer = (struct peer){.fd = &origins[origin].fds[k]};
	peer->link = tls_conn_new(server, socket_transport(peer->fd));
	assert_non_null(peer->link);
	peer->session = tls_session_new(tls_conn_ssl(peer->link));
	assert_non_null(peer->session);
	assert_int_equal(tls_session_ask_at_handshake(peer->session, trust), THAW_OK);
}

static void close_peer(struct peer *peer)
{
	tls_session_free(&peer->session);
	tls_conn_free(&peer->link);
}

static void peer_send(struct peer *peer, const char *text)
{
	size_t len = 0;

	assert_int_equal(tls_conn_write(peer->link, text, strlen(text), &len, &peer->err), THAW_OK);
	assert_int_equal(len, strlen(text));
}

static void peer_expect(struct peer *peer, const char *text)
{
	char read[64];
	size_t len = 0;

	assert_int_equal(tls_session_read(peer->session, read, sizeof(read), &len), THAW_OK);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(read, text, len);
}

/* An upstream connection to that origin, of which it is the k-th connection; the server does its part. */
static enum thaw_status connect_tls(struct user *user, struct peer *peer, size_t origin, size_t k)
{
	enum thaw_status link = THAW_WANT_READ;

	take(user, true);
	assert_int_equal(user->status, THAW_WANT_READ);
	open_peer(peer, origin, k);
	while (user->status == THAW_WANT_READ && (link == THAW_OK || link == THAW_WANT_READ)) {
		if (link != THAW_OK)
			link = tls_conn_handshake(peer->link, &peer->err);
		turn_once();
		if (user->woken > 0)
			look(user);
	}
	while (link == THAW_WANT_READ && user->status == THAW_OK) { /* the client is ready before the server */
		link = tls_conn_handshake(peer->link, &peer->err);
		turn_once();
	}
	return user->status;
}

/* ---- whom it believes ---- */

static void a_upconn_over_tls_carries_bytes_both_ways(void **state)
{
	struct user user;
	struct peer peer;
	char byte;

	(void)state;
	open_tls_pool();
	assert_int_equal(connect_tls(&user, &peer, 0, 0), THAW_OK);
	assert_int_equal(user.woken, 1);
	assert_int_equal(get(&user, &byte, 1), TRANSPORT_BLOCKED);
	put(&user, "ping");
	peer_expect(&peer, "ping");
	peer_send(&peer, "pong");
	expect(&user, "pong");
	give(&user, GW_UPCONN_DROP);
	close_peer(&peer);
}

static void an_untrusted_server_is_a_failure(void **state)
{
	static char wrong[] = "other.localhost";
	const struct {
		char *ca, *name;
		const char *why;
	} cases[] = {
		{foreign_ca, NULL, "is not accepted: "},
		{ca, wrong, "is not accepted: hostname mismatch"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct user user;
		struct peer peer;
		upstream.tls.ca = cases[i].ca;
		upstream.tls.name = cases[i].name;
		open_tls_pool();
		assert_int_equal(connect_tls(&user, &peer, 0, i), THAW_FAILED);
		assert_int_equal(user.err.cls, THAW_ERR_PEER);
		assert_non_null(strstr(user.err.text, "https://127.0.0.1:"));
		assert_non_null(strstr(user.err.text, cases[i].why));
		assert_int_equal(use_of(0).connect_failures, 1);
		give(&user, GW_UPCONN_DROP);
		close_peer(&peer);
		pool_free(&pool);
		pool_tls_free(&pool_tls);
	}
}

static void the_settings_name_the_trusted_cas(void **state)
{
	static char local_name[] = "localhost", wrong[] = "other.localhost";
	const struct {
		char *ca, *name;
		bool verify;
	} cases[] = {
		{ca, local_name, true},
		{foreign_ca, NULL, false},
		{NULL, wrong, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct user user;
		struct peer peer;
		upstream.tls.ca = cases[i].ca;
		upstream.tls.name = cases[i].name;
		upstream.tls.verify = cases[i].verify;
		open_tls_pool();
		assert_int_equal(connect_tls(&user, &peer, 0, i), THAW_OK);
		give(&user, GW_UPCONN_DROP);
		close_peer(&peer);
		pool_free(&pool);
		pool_tls_free(&pool_tls);
	}
}

static void after_a_failed_handshake_the_next_server_is_tried(void **state)
{
	struct user user;
	struct peer peer;

	(void)state;
	upstream.server_count = 2;
	upstream.tls.ca = foreign_ca;
	servers[1].tls = false; /* one that needs no handshake */
	open_tls_pool();
	assert_int_equal(connect_tls(&user, &peer, 0, 0), THAW_OK);
	assert_int_equal(server_of(&user), 1);
	assert_int_equal(use_of(0).connect_failures, 1);
	give(&user, GW_UPCONN_DROP);
	close_peer(&peer);
}

static void its_own_certificate_is_shown(void **state)
{
	(void)state;
	for (size_t has = 0; has < 2; has++) {
		struct user user;
		struct peer peer;
		enum thaw_reason reason = THAW_REASON_NONE;
		char detail[64];
		upstream.tls.certificate = has != 0 ? certificate : NULL;
		upstream.tls.key = has != 0 ? key : NULL;
		open_tls_pool();
		assert_int_equal(connect_tls(&user, &peer, 0, has), THAW_OK);
		struct tls_certificate *came = tls_session_verify(peer.session, trust, &reason, detail, sizeof(detail));
		assert_int_equal(reason, has != 0 ? THAW_REASON_NONE : THAW_REASON_NO_CERTIFICATE);
		if (has != 0)
			assert_string_equal(tls_certificate_identity(came)->subject, "CN=Thaw Demo Client");
		tls_certificate_free(&came);
		give(&user, GW_UPCONN_DROP);
		close_peer(&peer);
		pool_free(&pool);
		pool_tls_free(&pool_tls);
	}
}

static void names_and_tls_go_together(void **state)
{
	static char name[] = "localhost";
	struct user user;
	struct peer peer;

	(void)state;
	servers[0].host = name; /* of /etc/hosts, and of the certificate */
	servers[0].named = true;
	open_tls_pool();
	assert_int_equal(connect_tls(&user, &peer, 0, 0), THAW_OK);
	give(&user, GW_UPCONN_DROP);
	close_peer(&peer);
}

/* ---- handshakes that do not end ---- */

/* A server that accepts, and sends only the first byte of a record. The time that it has is the test's. */
static void a_handshake_has_its_time(void **state)
{
	struct user user;
	char byte;

	(void)state;
	open_tls_pool();
	take(&user, false);
	assert_int_equal(user.status, THAW_WANT_READ);
	int fd = accepted(0, 0);
	RUN_UNTIL(recv(fd, &byte, 1, MSG_PEEK) == 1); /* of the ClientHello */
	put_forward(upstream.connect_timeout_ms);
	assert_int_equal(send(fd, "\x16", 1, 0), 1); /* it looks at the clock when something comes */
	RUN_UNTIL(user.woken > 0);
	look(&user);
	assert_int_equal(user.status, THAW_FAILED);
	assert_int_equal(user.err.cls, THAW_ERR_TIMEOUT);
	assert_non_null(strstr(user.err.text, "https://127.0.0.1:"));
	assert_non_null(strstr(user.err.text, " 10000 ms"));
	give(&user, GW_UPCONN_DROP);
}

static void a_server_without_tls_is_a_failure(void **state)
{
	static const char plain[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

	(void)state;
	open_tls_pool();
	for (size_t i = 0; i < 2; i++) {
		struct user user;
		take(&user, false);
		int fd = accepted(0, i);
		if (i == 0)
			assert_int_equal(send(fd, plain, sizeof(plain), 0), sizeof(plain));
		hang_up(0, i);
		RUN_UNTIL(user.woken > 0);
		look(&user);
		assert_int_equal(user.status, THAW_FAILED);
		assert_int_equal(user.err.cls, THAW_ERR_PEER);
		give(&user, GW_UPCONN_DROP);
	}
	assert_int_equal(use_of(0).connect_failures, 2);
}

static void a_upconn_may_be_given_back_in_the_handshake(void **state)
{
	(void)state;
	open_tls_pool();
	for (size_t turns = 0; turns < 6; turns++) {
		struct user user;
		struct peer peer;
		take(&user, true);
		open_peer(&peer, 0, turns);
		for (size_t i = 0; i < turns; i++) {
			(void)!tls_conn_handshake(peer.link, &peer.err);
			turn_once();
		}
		look(&user);
		bool ready = user.status == THAW_OK; /* only then it can be kept */
		unsigned idle = use_of(0).idle;
		give(&user, GW_UPCONN_KEEP);
		assert_int_equal(use_of(0).idle, idle + ready);
		turn_once();
		assert_int_equal(use_of(0).in_use, 0);
		close_peer(&peer);
	}
}

/* ---- used again ---- */

static void sessions_are_used_again(void **state)
{
	(void)state;
	open_tls_pool();
	for (size_t i = 0; i < 4; i++) {
		struct user user;
		struct peer peer;
		assert_int_equal(connect_tls(&user, &peer, 0, i), THAW_OK);
		peer_send(&peer, "x"); /* the tickets come first */
		expect(&user, "x");
		assert_int_equal(tls_conn_resumed(peer.link), i > 0);
		give(&user, i == 2 ? GW_UPCONN_FAIL : GW_UPCONN_DROP);
		close_peer(&peer);
	}
}

static void an_idle_upconn_takes_tickets(void **state)
{
	struct user user;
	struct peer peer;

	(void)state;
	open_tls_pool();
	assert_int_equal(connect_tls(&user, &peer, 0, 0), THAW_OK);
	give(&user, GW_UPCONN_KEEP); /* nobody has read them */
	for (int i = 0; i < 5; i++)
		turn_once();
	assert_int_equal(use_of(0).idle, 1);
	take(&user, false);
	assert_int_equal(user.status, THAW_OK);
	assert_true(upconns.ops->used(user.upconn));
	put(&user, "ping");
	peer_expect(&peer, "ping");
	peer_send(&peer, "pong");
	expect(&user, "pong");
	give(&user, GW_UPCONN_DROP);
	close_peer(&peer);
}

static void an_idle_upconn_is_closed_by_all_else(void **state)
{
	(void)state;
	open_tls_pool();
	for (size_t i = 0; i < 6; i++) {
		struct user user;
		struct peer peer;
		assert_int_equal(connect_tls(&user, &peer, 0, origins[0].count), THAW_OK);
		give(&user, GW_UPCONN_KEEP);
		if (i % 3 == 0)
			tls_conn_close_notify(peer.link);
		else if (i % 3 == 1)
			peer_send(&peer, "HTTP/1.1 408");
		else
			assert_int_equal(shutdown(*peer.fd, SHUT_RDWR), 0);
		if (i < 3)
			RUN_UNTIL(use_of(0).idle == 0);
		put_forward(1);
		take(&user, false);
		assert_false(upconns.ops->used(user.upconn));
		assert_int_equal(use_of(0).idle, 0);
		give(&user, GW_UPCONN_DROP);
		close_peer(&peer);
		accept_all(&origins[0]); /* it was connected all the same */
	}
}

/* ---- the transport ---- */

/* TLS has read more than its user wanted: the socket is empty, and yet there is something to read. */
static void bytes_that_tls_has_read_wake_the_caller(void **state)
{
	struct user user;
	struct peer peer;
	char byte;

	(void)state;
	open_tls_pool();
	assert_int_equal(connect_tls(&user, &peer, 0, 0), THAW_OK);
	peer_send(&peer, "ab");
	peer_send(&peer, "cd");
	expect(&user, "a");
	for (int i = 0; i < 3; i++) {
		unsigned woken = user.woken;
		watch(&user, false, false);
		turn_once();
		assert_int_equal(user.woken, woken);
		watch(&user, true, false);
		RUN_UNTIL(user.woken > woken);
		assert_int_equal(get(&user, &byte, 1), 1);
		assert_int_equal(byte, "bcd"[i]);
	}
	unsigned woken = user.woken;
	watch(&user, true, false);
	for (int i = 0; i < 3; i++)
		turn_once();
	assert_int_equal(user.woken, woken); /* no more than there is */
	watch(&user, true, false);
	watch(&user, false, false); /* and not after it was called off */
	give(&user, GW_UPCONN_DROP);
	close_peer(&peer);
}

static void a_close_notify_is_distinguished_from_a_cut(void **state)
{
	(void)state;
	open_tls_pool();
	for (size_t cut = 0; cut < 2; cut++) {
		struct user user;
		struct peer peer;
		char byte;
		assert_int_equal(connect_tls(&user, &peer, 0, cut), THAW_OK);
		peer_send(&peer, "x");
		expect(&user, "x");
		if (cut == 0)
			tls_conn_close_notify(peer.link);
		assert_int_equal(shutdown(*peer.fd, SHUT_WR), 0);
		watch(&user, true, false);
		unsigned woken = user.woken;
		RUN_UNTIL(user.woken > woken);
		assert_int_equal(get(&user, &byte, 1), cut == 0 ? TRANSPORT_END : TRANSPORT_BROKEN);
		give(&user, GW_UPCONN_DROP);
		close_peer(&peer);
	}
}

static void half_closed_it_can_be_read(void **state)
{
	struct user user;
	struct peer peer;
	char byte;
	size_t len = 0;

	(void)state;
	open_tls_pool();
	assert_int_equal(connect_tls(&user, &peer, 0, 0), THAW_OK);
	struct transport transport = upconns.ops->transport(user.upconn);
	transport.ops->half_close(transport.io);
	assert_int_equal(tls_session_read(peer.session, &byte, 1, &len), THAW_CLOSED);
	peer_send(&peer, "the rest");
	expect(&user, "the rest");
	peer_send(&peer, "unread");
	unsigned woken = user.woken;
	watch(&user, true, false);
	RUN_UNTIL(user.woken > woken);
	assert_int_equal(transport.ops->discard(transport.io, 3), 3);
	expect(&user, "ead");
	give(&user, GW_UPCONN_DROP);
	close_peer(&peer);
}

/* Megabytes against a server that reads slowly, then the end of them: nothing is lost, whatever had to wait. */
static void large_bodies_are_transferred(void **state)
{
	enum { TOTAL = 8000000, PIECE = 50000, WINDOW = 16384 }; /* more than the system holds */
	static char sent[TOTAL], came[TOTAL];
	struct user user;
	struct peer peer;
	size_t out = 0, in = 0, len = 0;
	unsigned waited = 0;
	int window = WINDOW;
	char byte;

	(void)state;
	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (char)(i * 2654435761U >> 13);
	assert_int_equal(setsockopt(origins[0].listener, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window)), 0);
	open_tls_pool();
	assert_int_equal(connect_tls(&user, &peer, 0, 0), THAW_OK);
	struct transport transport = upconns.ops->transport(user.upconn);
	while (in < TOTAL) {
		ssize_t put_now = 1;
		while (out < TOTAL && put_now > 0) {
			size_t piece = TOTAL - out < PIECE ? TOTAL - out : PIECE;
			put_now = transport.ops->write(transport.io, sent + out, piece);
			assert_true(put_now > 0 || put_now == TRANSPORT_BLOCKED);
			out += put_now > 0 ? (size_t)put_now : 0;
		}
		if (out == TOTAL && put_now > 0)
			transport.ops->half_close(transport.io);
		waited += put_now == TRANSPORT_BLOCKED;
		watch(&user, false, put_now == TRANSPORT_BLOCKED);
		unsigned woken = user.woken;
		do {
			enum thaw_status status = tls_session_read(peer.session, came + in, TOTAL - in, &len);
			assert_true(status == THAW_OK || status == THAW_WANT_READ || in + len == TOTAL);
			in += len;
			turn_once();
		} while (in < TOTAL && (put_now != TRANSPORT_BLOCKED || user.woken == woken));
	}
	assert_true(waited > 0);
	assert_memory_equal(came, sent, TOTAL);
	while (tls_session_read(peer.session, &byte, 1, &len) == THAW_WANT_READ)
		turn_once();
	assert_int_equal(tls_session_read(peer.session, &byte, 1, &len), THAW_CLOSED);
	give(&user, GW_UPCONN_DROP);
	close_peer(&peer);
}

/* ---- what is loaded ---- */

static void what_cannot_be_loaded_is_named(void **state)
{
	static char missing[] = "/nonexistent/file.pem";
	struct thaw_error err = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		err = (struct thaw_error){0};
		upstream.tls.ca = i == 0 ? missing : ca;
		upstream.tls.certificate = i == 1 ? missing : i == 2 ? certificate : NULL;
		upstream.tls.key = i == 2 ? missing : key;
		assert_null(pool_tls_load(&config, &err));
		assert_int_equal(err.cls, THAW_ERR_CONFIG);
		assert_non_null(strstr(err.text, "upstream app: "));
		assert_non_null(strstr(err.text, ": /nonexistent/file.pem: "));
	}
	for (size_t i = 0; i < ORIGINS; i++) /* nobody needs it */
		servers[i].tls = false;
	err = (struct thaw_error){0};
	pool_tls = pool_tls_load(&config, &err);
	assert_non_null(pool_tls);
	assert_null(pool_tls_of(pool_tls, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down_tls)
	const struct CMUnitTest tests[] = {
		TEST(a_upconn_over_tls_carries_bytes_both_ways),
		TEST(an_untrusted_server_is_a_failure),
		TEST(the_settings_name_the_trusted_cas),
		TEST(after_a_failed_handshake_the_next_server_is_tried),
		TEST(its_own_certificate_is_shown),
		TEST(names_and_tls_go_together),
		TEST(a_handshake_has_its_time),
		TEST(a_server_without_tls_is_a_failure),
		TEST(a_upconn_may_be_given_back_in_the_handshake),
		TEST(sessions_are_used_again),
		TEST(an_idle_upconn_takes_tickets),
		TEST(an_idle_upconn_is_closed_by_all_else),
		TEST(bytes_that_tls_has_read_wake_the_caller),
		TEST(a_close_notify_is_distinguished_from_a_cut),
		TEST(half_closed_it_can_be_read),
		TEST(large_bodies_are_transferred),
		TEST(what_cannot_be_loaded_is_named),
	};
	return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
