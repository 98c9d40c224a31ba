/*
 * KeyUpdates of a TLS 1.3 client that ask for one of the server (RFC 8446 4.6.3). OpenSSL puts its own off until the
 * next write, and writes it before it processes another handshake message of the client.
 */
#include "trust_world.h"

#define RESPONSE 300000 /* bytes; more than the connection holds */

static char response[RESPONSE];

static void open_late(struct pair *pair)
{
	*pair = (struct pair){0};
	open_server(pair, TLS1_3_VERSION);
	begin(pair);
	equip(pair->client, pki.client, pki.key, (X509 *[]){pki.issuing}, 1);
	settle(pair);
}

static void close_all(struct pair *pair)
{
	finish(pair);
	close_contexts(pair);
	ERR_clear_error();
}

/* The client updates its keys, and sends "body". */
static void update(struct pair *pair)
{
	assert_int_equal(SSL_key_update(pair->client, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(SSL_write(pair->client, "body", 4), 4);
}

static void read_body(struct pair *pair)
{
	char bytes[64];
	size_t len;

	assert_int_equal(thaw_conn_read(pair->conn, bytes, sizeof(bytes), &len, NOW_MS), THAW_OK);
	assert_int_equal(len, 4);
}

/* Writes until the connection is full. */
static size_t fill(struct pair *pair)
{
	size_t sent = 0, len = 0;
	enum thaw_status status;

	while ((status = thaw_conn_write(pair->conn, response + sent, RESPONSE - sent, &len, NOW_MS)) == THAW_OK)
		sent += len;
	assert_int_equal(status, THAW_WANT_WRITE);
	assert_int_equal(len, 0);
	return sent;
}

/* Writes the rest, while the client reads all of it. */
static void complete(struct pair *pair, size_t sent)
{
	static char bytes[RESPONSE];
	size_t came = 0, len = 0;

	for (int turn = 0; turn < TURNS_MAX && came < RESPONSE; turn++) {
		while (SSL_read_ex(pair->client, bytes + came, RESPONSE - came, &len) == 1)
			came += len;
		enum thaw_status status = thaw_conn_write(pair->conn, response + sent, RESPONSE - sent, &len, NOW_MS);
		assert_int_not_equal(status, THAW_FAILED);
		sent += len;
	}
	assert_int_equal(came, RESPONSE);
	assert_memory_equal(bytes, response, RESPONSE);
	settle(pair);
}

static void updates_while_a_response_is_half_written_end_nothing(void **state)
{
	struct pair pair;

	(void)state;
	for (size_t i = 0; i < RESPONSE; i++)
		response[i] = (char)(i % 251);
	for (int updates = 1; updates <= 4; updates++) {
		open_late(&pair);
		size_t sent = fill(&pair);
		for (int i = 0; i < updates; i++) {
			update(&pair);
			read_body(&pair);
		}
		complete(&pair, sent);
		assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
		close_all(&pair);
	}
}

static void a_client_is_asked_while_its_update_waits_for_the_server_s(void **state)
{
	struct pair pair;

	(void)state;
	for (int updates = 1; updates <= 4; updates++) {
		open_late(&pair);
		for (int i = 0; i < updates; i++) {
			update(&pair);
			read_body(&pair);
		}
		assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
		close_all(&pair);
	}
}

static void a_client_is_asked_while_a_response_is_half_written(void **state)
{
	const struct thaw_ask_options options = {
		.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_HEADERS};
	struct pair pair;

	(void)state;
	for (int updates = 0; updates <= 4; updates++) {
		open_late(&pair);
		size_t sent = fill(&pair);
		for (int i = 0; i < updates; i++) {
			update(&pair);
			read_body(&pair);
		}
		assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
		complete(&pair, sent);
		assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_ACCEPTED);
		close_all(&pair);
	}
}

/* The server's update, which is written first, cannot be. */
static void the_connection_breaks_before_an_ask(void **state)
{
	struct thaw_ask_options options = {.size = sizeof(options), .trust = pki.both, .moment = THAW_MOMENT_HEADERS};
	struct pair pair;

	(void)state;
	open_late(&pair);
	update(&pair);
	read_body(&pair);
	assert_int_equal(BIO_destroy_bio_pair(SSL_get_rbio(pair.client)), 1);
	assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_FAILED);
	assert_int_equal(thaw_conn_error(pair.conn)->cls, THAW_ERR_PEER);
	close_all(&pair);
	open_late(&pair);
	options.moment = THAW_MOMENT_BODY;
	options.body_follows = true;
	assert_int_equal(thaw_conn_ask(pair.conn, &options, NOW_MS), THAW_OK);
	update(&pair);
	read_body(&pair);
	assert_int_equal(BIO_destroy_bio_pair(SSL_get_rbio(pair.client)), 1);
	thaw_conn_body_ended(pair.conn, NOW_MS);
	assert_int_equal(thaw_conn_verdict(pair.conn), THAW_VERDICT_CANCELLED);
	assert_int_equal(thaw_conn_report(pair.conn)->reason, THAW_REASON_CONNECTION);
	assert_int_equal(thaw_conn_error(pair.conn)->cls, THAW_ERR_PEER);
	close_all(&pair);
}

static void a_ticket_of_the_application_does_not_delay_an_ask(void **state)
{
	struct pair pair;

	(void)state;
	open_late(&pair);
	assert_int_equal(SSL_new_session_ticket(pair.server), 1);
	assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
	close_all(&pair);
}

static void the_server_s_own_update_does_not_delay_an_ask(void **state)
{
	struct pair pair;

	(void)state;
	open_late(&pair);
	assert_int_equal(SSL_key_update(pair.server, SSL_KEY_UPDATE_REQUESTED), 1);
	assert_int_equal(ask(&pair, pki.both, false), THAW_VERDICT_ACCEPTED);
	close_all(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(updates_while_a_response_is_half_written_end_nothing),
		cmocka_unit_test(a_client_is_asked_while_its_update_waits_for_the_server_s),
		cmocka_unit_test(a_client_is_asked_while_a_response_is_half_written),
		cmocka_unit_test(the_connection_breaks_before_an_ask),
		cmocka_unit_test(a_ticket_of_the_application_does_not_delay_an_ask),
		cmocka_unit_test(the_server_s_own_update_does_not_delay_an_ask),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
