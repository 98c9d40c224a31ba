/* How much one step of a connection does before others have their turn: counted in requests, and in bytes of the wire.
 */
#include "peers_world.h"

#include "gateway/conn.h"
#include "tls/transport_bio.h"

#define START_MS 1000
#define PIECE    4096 /* bytes of one read of the transport, so that few are staged */
#define TEXT_MAX 1048576

static struct wire wire;
static struct config *config;
static struct gateway *gateway;
static unsigned recorded;
static char text[TEXT_MAX];

static void on_access(void *arg, const char *line, size_t len)
{
	(void)arg;
	(void)line;
	(void)len;
	recorded++;
}

static int set_up(void **state)
{
	char yaml[1024];
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct gateway_env env = {.access = on_access};

	if (set_up_peers(state) != 0)
		return -1;
	(void)snprintf(yaml, sizeof(yaml),
		       "listen: [ { address: '127.0.0.1:1' } ]\n"
		       "hosts:\n"
		       "- name: '*'\n"
		       "  certificate: %s\n"
		       "  key: %s\n"
		       "  routes: [ { path: /, upstream: 'builtin:sink' } ]\n",
		       server_pem, server_key);
	config = config_parse(yaml, strlen(yaml), "test", NULL, &err);
	gateway = config != NULL ? gateway_new(config, &env, &err) : NULL;
	if (gateway == NULL)
		(void)fprintf(stderr, "%s\n", err.text);
	return gateway != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	gateway_free(&gateway);
	config_free(&config);
	return tear_down_peers(state);
}

static ssize_t piece_read(void *io, void *data, size_t room)
{
	return way_read(io, data, room < PIECE ? room : PIECE);
}

static ssize_t way_peek(void *io)
{
	const struct way *in = ((struct end *)io)->in;

	return in->len > 0 ? 1 : TRANSPORT_BLOCKED;
}

static const struct transport_ops piece_ops = {
	.read = piece_read, .write = way_write, .half_close = way_half_close, .discard = way_discard, .peek = way_peek};

struct pair {
	struct tls_client_context *context;
	struct tls_client *client;
	struct gw_conn *conn;
	struct gw_wants wants;
	struct thaw_error err;
};

static void read_all(struct pair *pair)
{
	char data[16384];
	size_t len = 0;
	enum thaw_status status = THAW_OK;

	while (status == THAW_OK)
		status = tls_client_read(pair->client, data, sizeof(data), &len, &pair->err);
	assert_int_equal(status, THAW_WANT_READ);
}

static struct pair open_pair(void)
{
	struct pair pair = {.conn = NULL};
	struct tls_client_options options = {.ca = ca, .version = TLS_CLIENT_13};
	enum thaw_status status = THAW_WANT_READ;

	wire_open(&wire, WINDOW_MAX);
	recorded = 0;
	pair.context = tls_client_context_new(&options, &pair.err);
	assert_non_null(pair.context);
	pair.client =
		tls_client_new(pair.context, "localhost", (struct transport){&way_ops, &wire.client}, NULL, &pair.err);
	pair.conn = gw_conn_new(gateway, (struct transport){&piece_ops, &wire.server}, NULL, false, START_MS);
	assert_non_null(pair.client);
	assert_non_null(pair.conn);
	for (int turn = 0; turn < 20 && status != THAW_OK; turn++) {
		status = tls_client_handshake(pair.client, &pair.err);
		pair.wants = gw_conn_step(pair.conn, START_MS);
	}
	assert_int_equal(status, THAW_OK);
	pair.wants = gw_conn_step(pair.conn, START_MS);
	read_all(&pair);
	return pair;
}

static void close_pair(struct pair *pair)
{
	gw_conn_free(&pair->conn);
	tls_client_free(&pair->client);
	tls_client_context_free(&pair->context);
}

/* Sends text, and steps the connection until it has taken all of it. The most that one step did. */
static void send_text(struct pair *pair, size_t len, unsigned *requests, uint64_t *bytes)
{
	size_t at = 0, put = 0;

	*requests = 0;
	*bytes = 0;
	while (at < len || wire.up.len > 0 || pair->wants.again) {
		while (at < len && tls_client_write(pair->client, text + at, len - at, &put, &pair->err) == THAW_OK)
			at += put;
		unsigned recorded_before = recorded;
		uint64_t before = wire.up.moved;
		pair->wants = gw_conn_step(pair->conn, START_MS);
		assert_false(pair->wants.dead);
		*requests = recorded - recorded_before > *requests ? recorded - recorded_before : *requests;
		*bytes = wire.up.moved - before > *bytes ? wire.up.moved - before : *bytes;
		read_all(pair);
	}
}

static void one_step_answers_a_bounded_number_of_pipelined_requests(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct pair pair = open_pair();
	unsigned most = 0, count = 2000;
	uint64_t bytes = 0;
	size_t len = 0;

	(void)state;
	for (unsigned i = 0; i < count; i++, len += sizeof(request) - 1)
		memcpy(text + len, request, sizeof(request) - 1);
	send_text(&pair, len, &most, &bytes);
	assert_int_equal(recorded, count);
	assert_true(most <= GW_WORK_MAX / GW_WORK_REQUEST + 1);
	close_pair(&pair);
}

/* Each chunk costs more than its byte. */
static void one_step_takes_a_bounded_number_of_chunks(void **state)
{
	static const char head[] = "PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const char chunk[] = "1\r\nx\r\n", end[] = "0\r\n\r\n";
	struct pair pair = open_pair();
	unsigned most = 0;
	uint64_t bytes = 0;
	size_t len = sizeof(head) - 1;

	(void)state;
	memcpy(text, head, len);
	for (unsigned i = 0; i < 100000; i++, len += sizeof(chunk) - 1)
		memcpy(text + len, chunk, sizeof(chunk) - 1);
	memcpy(text + len, end, sizeof(end) - 1);
	send_text(&pair, len + sizeof(end) - 1, &most, &bytes);
	assert_int_equal(recorded, 1);
	/* So many chunks, the record that they come in, and what is staged. */
	assert_true(bytes <= GW_WORK_MAX / GW_WORK_LEAST * (sizeof(chunk) - 1) + 16384 + 2 * PIECE);
	close_pair(&pair);
}

/* A head that comes byte by byte. */
static void one_step_takes_a_bounded_number_of_records_of_a_head(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: localhost\r\nX: ";
	struct pair pair = open_pair();
	size_t put = 0, record = 23;
	uint64_t most = 0;

	(void)state;
	(void)snprintf(text, sizeof(text), "%s%01000d\r\n\r\n", head, 0);
	for (size_t at = 0; text[at] != '\0'; at++)
		assert_int_equal(tls_client_write(pair.client, text + at, 1, &put, &pair.err), THAW_OK);
	while (recorded == 0) {
		uint64_t before = wire.up.moved;
		pair.wants = gw_conn_step(pair.conn, START_MS);
		most = wire.up.moved - before > most ? wire.up.moved - before : most;
		assert_true(recorded > 0 || pair.wants.again || wire.up.len == 0);
	}
	assert_true(most <= TLS_STEP_RECORDS * record + PIECE);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_step_answers_a_bounded_number_of_pipelined_requests),
		cmocka_unit_test(one_step_takes_a_bounded_number_of_chunks),
		cmocka_unit_test(one_step_takes_a_bounded_number_of_records_of_a_head),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
