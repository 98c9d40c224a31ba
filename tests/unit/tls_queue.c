/*
 * The mechanism of libthaw over plain sockets with small buffers, as an embedder has them: the client writes its whole
 * request before it reads, and the request for its certificate does not fit into what the server can send.
 */
#include "peers_world.h"

#include <sys/socket.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "../made.h"
#include "thaw/ask.h"

#define SMALL     4096
#define BODY      (1 << 20)
#define NAMES_MIN 12000 /* bytes of CA names in the request */

/* ---- both ends ---- */

struct pair {
	int fds[2];
	SSL_CTX *server_ctx, *client_ctx;
	SSL *server, *client;
	thaw_conn *conn;
	thaw_trust *trust;
	size_t got;    /* application data that the server has read */
	bool deferred; /* thaw_conn_new_deferred(): the server does its handshake without the library */
};

/* The CA of the files, and as many others as make its list of names long. */
static thaw_trust *trust_with_many_names(void)
{
	X509_STORE *store = X509_STORE_new();
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	struct thaw_error err = {0};
	char name[200];

	assert_int_equal(X509_STORE_load_file(store, ca), 1);
	for (int i = 0; i < NAMES_MIN / 200; i++) {
		X509 *other = X509_new();
		(void)snprintf(name, sizeof(name), "%0180d", i);
		X509_NAME *subject = X509_get_subject_name(other);
		for (int part = 0; part < 3; part++)
			assert_int_equal(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
								    (unsigned char *)name + part * 60, 60, -1, 0),
					 1);
		assert_int_equal(X509_set_issuer_name(other, subject), 1);
		assert_int_equal(X509_set_pubkey(other, pkey), 1);
		assert_true(X509_sign(other, pkey, EVP_sha256()) > 0);
		assert_int_equal(X509_STORE_add_cert(store, other), 1);
		X509_free(other);
	}
	EVP_PKEY_free(pkey);
	thaw_trust *many = made_trust_from_store(store, &err);
	assert_non_null(many);
	return many;
}

static SSL *open_end(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	assert_non_null(ssl);
	if (fd >= 0)
		assert_int_equal(SSL_set_fd(ssl, fd), 1);
	return ssl;
}

static void make_small(int fd)
{
	int small = SMALL;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
}

enum attaching {
	AT_ONCE,
	BIO_LATER, /* the SSL has no BIO yet when the thaw_conn is made */
	DEFERRED,
	BUFFERED, /* the application has a buffering BIO of its own */
};

static void write_through_a_buffer(SSL *ssl)
{
	BIO *plain = SSL_get_wbio(ssl), *buffer = BIO_new(BIO_f_buffer());

	assert_non_null(buffer);
	assert_int_equal(BIO_up_ref(plain), 1);
	(void)BIO_push(buffer, plain);
	SSL_set0_wbio(ssl, buffer);
}

static void open_pair(struct pair *pair, int version, enum attaching way)
{
	bool late = way == BIO_LATER;

	*pair = (struct pair){.trust = trust_with_many_names(), .deferred = way == DEFERRED};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair->fds), 0);
	make_small(pair->fds[0]);
	make_small(pair->fds[1]);
	pair->server_ctx = SSL_CTX_new(TLS_server_method());
	pair->client_ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_use_certificate_chain_file(pair->server_ctx, server_pem), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(pair->server_ctx, server_key, SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_client_hello_cb(pair->server_ctx, thaw_ctx_client_hello, NULL);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(pair->client_ctx, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(pair->client_ctx, key, SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_post_handshake_auth(pair->client_ctx, 1);
	SSL_CTX_set_max_proto_version(pair->client_ctx, version);
	SSL_CTX_set_mode(pair->client_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
	pair->client = open_end(pair->client_ctx, pair->fds[0]);
	SSL_set_connect_state(pair->client);
	pair->server = open_end(pair->server_ctx, late ? -1 : pair->fds[1]);
	SSL_set_accept_state(pair->server);
	if (way == BUFFERED)
		write_through_a_buffer(pair->server);
	if (pair->deferred)
		assert_int_equal(thaw_conn_new_deferred(pair->server, &pair->conn, NULL), THAW_OK);
	else
		pair->conn = made_conn_new(pair->server);
	assert_non_null(pair->conn);
	if (late)
		assert_int_equal(SSL_set_fd(pair->server, pair->fds[1]), 1);
}

static void close_pair(struct pair *pair)
{
	thaw_conn_free(&pair->conn);
	SSL_free(pair->server);
	SSL_free(pair->client);
	SSL_CTX_free(pair->server_ctx);
	SSL_CTX_free(pair->client_ctx);
	thaw_trust_free(&pair->trust);
	(void)close(pair->fds[0]);
	(void)close(pair->fds[1]);
}

static bool server_reads(struct pair *pair)
{
	char data[16384];
	size_t len = 0;
	enum thaw_status status = thaw_conn_read(pair->conn, data, sizeof(data), &len, 1);

	assert_true(status == THAW_OK || status == THAW_WANT_READ || status == THAW_WANT_WRITE);
	thaw_conn_tick(pair->conn, 1);
	pair->got += len;
	return len > 0;
}

static void handshake(struct pair *pair)
{
	for (int turn = 0; turn < 1000 && SSL_is_init_finished(pair->client) != 1; turn++) {
		(void)SSL_do_handshake(pair->client);
		if (pair->deferred)
			(void)SSL_do_handshake(pair->server);
		else
			(void)server_reads(pair);
	}
	assert_int_equal(SSL_is_init_finished(pair->client), 1);
	if (pair->deferred)
		assert_int_equal(SSL_do_handshake(pair->server), 1);
	else
		while (server_reads(pair))
			;
}

static void ask(struct pair *pair, bool early)
{
	struct thaw_ask_options options = {.size = sizeof(options),
					   .trust = pair->trust,
					   .moment = THAW_MOMENT_HEADERS,
					   .body_follows = true,
					   .early = early,
					   .timeout_ms = 1000,
					   .body_idle_ms = 1000};

	assert_int_equal(thaw_conn_ask(pair->conn, &options, 1), THAW_OK);
	assert_int_equal(thaw_conn_verdict(pair->conn), THAW_VERDICT_PENDING);
}

/* The client writes all of it before it reads. Both stand still: frozen. */
static void upload(struct pair *pair)
{
	static const char body[16384];
	size_t sent = 0;

	for (int stood = 0; sent < BODY; stood++) {
		size_t len = 0;
		if (SSL_write_ex(pair->client, body, sizeof(body), &len) == 1)
			stood = 0;
		else
			assert_int_equal(SSL_get_error(pair->client, 0), SSL_ERROR_WANT_WRITE);
		sent += len;
		if (server_reads(pair))
			stood = 0;
		assert_in_range(stood, 0, 3);
	}
	while (server_reads(pair))
		;
	assert_int_equal(pair->got, sent);
}

static void answer(struct pair *pair)
{
	char data[64];
	size_t len = 0;

	for (int turn = 0; turn < 1000 && thaw_conn_verdict(pair->conn) == THAW_VERDICT_PENDING; turn++) {
		assert_int_equal(SSL_read_ex(pair->client, data, sizeof(data), &len), 0);
		(void)server_reads(pair);
	}
	assert_int_equal(thaw_conn_verdict(pair->conn), THAW_VERDICT_ACCEPTED);
	assert_false(thaw_conn_wants_write(pair->conn));
}

static void run(int version, enum attaching way, bool early)
{
	struct pair pair;

	open_pair(&pair, version, way);
	handshake(&pair);
	if (way == DEFERRED) /* nothing of the library's is between OpenSSL and the socket yet */
		assert_int_equal(BIO_method_type(SSL_get_wbio(pair.server)), BIO_TYPE_SOCKET);
	ask(&pair, early);
	if (version == TLS1_3_VERSION) {
		assert_true(thaw_conn_wants_write(pair.conn)); /* or the test would be of nothing */
	}
	upload(&pair);
	assert_int_not_equal(BIO_method_type(SSL_get_wbio(pair.server)), BIO_TYPE_SOCKET);
	thaw_conn_body_ended(pair.conn, 1);
	answer(&pair);
	close_pair(&pair);
}

static void over_tls13_the_body_is_read_while_the_request_is_stuck(void **state)
{
	(void)state;
	run(TLS1_3_VERSION, AT_ONCE, false);
}

static void over_tls12_too(void **state)
{
	(void)state;
	run(TLS1_2_VERSION, AT_ONCE, false);
}

static void the_bio_may_be_set_after_the_thaw_conn(void **state)
{
	(void)state;
	run(TLS1_3_VERSION, BIO_LATER, false);
	run(TLS1_2_VERSION, BIO_LATER, false);
}

static void a_deferred_connection_gets_the_filter_before_its_request_is_written(void **state)
{
	(void)state;
	run(TLS1_3_VERSION, DEFERRED, false);
	run(TLS1_2_VERSION, DEFERRED, false);
}

/* The end of the request is in the application's BIO, which nobody else flushes. */
static void a_buffering_bio_of_the_application_is_flushed(void **state)
{
	(void)state;
	run(TLS1_3_VERSION, BUFFERED, false);
	run(TLS1_2_VERSION, BUFFERED, false);
}

/* What OpenSSL is told about the transport below it. */
static void the_transport_is_still_to_be_found(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION, AT_ONCE);
	handshake(&pair);
	assert_int_equal(SSL_get_fd(pair.server), pair.fds[1]);
	assert_int_equal(SSL_get_rfd(pair.server), pair.fds[1]);
	assert_int_equal(SSL_get_wfd(pair.server), pair.fds[1]);
	close_pair(&pair);
}

/* SSL_set_fd() again, as after a fork or for another socket: the filter goes with the old one, and comes back. */
static void another_bio_in_the_middle_is_taken(void **state)
{
	struct pair pair;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION, AT_ONCE);
	handshake(&pair);
	assert_int_equal(SSL_set_fd(pair.server, pair.fds[1]), 1);
	ask(&pair, false);
	upload(&pair);
	answer(&pair);
	close_pair(&pair);
}

/* Application data is written when the transport takes it, and not before. */
static void a_response_is_never_held(void **state)
{
	static const char response[1 << 18];
	struct pair pair;
	size_t len = 0;

	(void)state;
	open_pair(&pair, TLS1_3_VERSION, AT_ONCE);
	SSL_set_mode(pair.server, SSL_MODE_ENABLE_PARTIAL_WRITE);
	handshake(&pair);
	while (SSL_write_ex(pair.server, response, sizeof(response), &len) == 1)
		assert_in_range(len, 1, sizeof(response) - 1);
	assert_int_equal(SSL_get_error(pair.server, 0), SSL_ERROR_WANT_WRITE);
	assert_int_equal(BIO_wpending(SSL_get_wbio(pair.server)), 0);
	close_pair(&pair);
}

/*
 * A response is stuck in the middle when the client's answer comes, and OpenSSL has messages of its own to write: with
 * a record of the response pending it would end the connection.
 */
static void an_answer_is_processed_while_a_response_is_blocked(void **state)
{
	static const int both[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static char response[1 << 18], data[1024];
	const struct thaw_error *err;
	struct pair pair;

	(void)state;
	for (size_t v = 0; v < 2; v++) {
		size_t len = 0, sent = 0, came = 0;
		open_pair(&pair, both[v], AT_ONCE);
		handshake(&pair);
		ask(&pair, true);
		while (thaw_conn_write(pair.conn, response + sent, sizeof(response) - sent, &len, 1) == THAW_OK)
			sent += len;
		assert_true(sent < sizeof(response));
		for (int turn = 0; turn < 10000 && came < sizeof(response); turn++) {
			came += SSL_read_ex(pair.client, data, sizeof(data), &len) == 1 ? len : 0;
			(void)server_reads(&pair);
			enum thaw_status status =
				thaw_conn_write(pair.conn, response + sent, sizeof(response) - sent, &len, 1);
			assert_true(status == THAW_OK || status == THAW_WANT_WRITE || status == THAW_WANT_READ);
			sent += len;
		}
		err = thaw_conn_error(pair.conn);
		assert_string_equal(err->text, "");
		assert_int_equal(came, sizeof(response));
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		close_pair(&pair);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_tls13_the_body_is_read_while_the_request_is_stuck),
		cmocka_unit_test(over_tls12_too),
		cmocka_unit_test(the_bio_may_be_set_after_the_thaw_conn),
		cmocka_unit_test(a_deferred_connection_gets_the_filter_before_its_request_is_written),
		cmocka_unit_test(a_buffering_bio_of_the_application_is_flushed),
		cmocka_unit_test(the_transport_is_still_to_be_found),
		cmocka_unit_test(another_bio_in_the_middle_is_taken),
		cmocka_unit_test(a_response_is_never_held),
		cmocka_unit_test(an_answer_is_processed_while_a_response_is_blocked),
	};

	return cmocka_run_group_tests(tests, set_up_peers, tear_down_peers);
}
