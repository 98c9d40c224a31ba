/* For tests of one gateway connection: a client in memory, a connection that the tests see, and a clock that they set.
 */
#ifndef GATEWAY_WORLD_H
#define GATEWAY_WORLD_H

#include "peers_world.h"

#include "gateway/stream.h"

#define START_MS  1000
#define SECOND_MS 1000
#define PIECE     4096 /* bytes of one read from the transport, so that few bytes are staged */

/* A test may add settings to its host and to the top level. */
#ifndef HOST_SETTINGS
#define HOST_SETTINGS ""
#endif
#ifndef TOP_SETTINGS
#define TOP_SETTINGS ""
#endif

static struct duplex duplex;
static struct config *config;
static struct gateway *gateway;
static unsigned recorded;

static inline void on_access(void *arg, const char *line, size_t len)
{
	(void)arg;
	(void)line;
	(void)len;
	recorded++;
}

static inline int set_up(void **state)
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
		       "  key: %s\n" HOST_SETTINGS "  routes: [ { path: /, upstream: 'builtin:sink' } ]\n" TOP_SETTINGS,
		       server_pem, server_key);
	config = config_parse(yaml, strlen(yaml), "test", NULL, &err);
	gateway = config != NULL ? gateway_new(config, &env, &err) : NULL;
	if (gateway == NULL)
		(void)fprintf(stderr, "%s\n", err.text);
	return gateway != NULL ? 0 : -1;
}

static inline int tear_down(void **state)
{
	gateway_free(&gateway);
	config_free(&config);
	return tear_down_peers(state);
}

static inline ssize_t piece_read(void *io, void *data, size_t room)
{
	return way_read(io, data, room < PIECE ? room : PIECE);
}

static inline ssize_t way_peek(void *io, char *first)
{
	const struct way *in = ((struct end *)io)->in;

	*first = (char)in->bytes[0];
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

static inline void read_all(struct pair *pair)
{
	char data[16384];
	size_t len = 0;
	enum thaw_status status = THAW_OK;

	while (status == THAW_OK)
		status = tls_client_read(pair->client, data, sizeof(data), &len, &pair->err);
	assert_int_equal(status, THAW_WANT_READ);
}

static inline struct pair open_pair(void)
{
	struct pair pair = {.conn = NULL};
	struct tls_client_options options = {.ca = ca, .version = TLS_CLIENT_13};
	enum thaw_status status = THAW_WANT_READ;

	duplex_open(&duplex, WINDOW_MAX);
	recorded = 0;
	pair.context = tls_client_context_new(&options, &pair.err);
	assert_non_null(pair.context);
	pair.client = tls_client_new(pair.context, "localhost", (struct transport){&way_ops, &duplex.client}, NULL,
				     &pair.err);
	pair.conn = gw_conn_new(gateway, (struct transport){&piece_ops, &duplex.server}, NULL, false, START_MS);
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

static inline void close_pair(struct pair *pair)
{
	gw_conn_free(&pair->conn);
	tls_client_free(&pair->client);
	tls_client_context_free(&pair->context);
}

static char response[1024]; /* the beginning of the gateway's response */

static inline void receive(struct pair *pair)
{
	size_t have = strlen(response), len = 0;
	enum thaw_status status = THAW_OK;

	while (status == THAW_OK && have < sizeof(response) - 1) {
		status = tls_client_read(pair->client, response + have, sizeof(response) - 1 - have, &len, &pair->err);
		have += len;
		response[have] = '\0';
	}
}

static inline void client_send(struct pair *pair, const char *bytes, size_t len)
{
	size_t put = 0;

	while (len > 0) {
		assert_int_equal(tls_client_write(pair->client, bytes, len, &put, &pair->err), THAW_OK);
		bytes += put;
		len -= put;
	}
}

/*
 * Sends `begin`, then the bytes of `piece` one at a time, every `each_ms`, until there is a response. Returns the time
 * until then in milliseconds. `status` is the expected status.
 */
static inline uint64_t answered_after(const char *begin, const char *piece, uint64_t each_ms, const char *status)
{
	struct pair pair = open_pair();
	uint64_t now_ms = START_MS, at = 0;

	response[0] = '\0';
	client_send(&pair, begin, strlen(begin));
	pair.wants = gw_conn_step(pair.conn, now_ms);
	for (; response[0] == '\0'; now_ms += each_ms) {
		assert_true(now_ms < START_MS + 86400 * (uint64_t)SECOND_MS);
		client_send(&pair, piece + at++ % strlen(piece), 1);
		do
			pair.wants = gw_conn_step(pair.conn, now_ms);
		while (pair.wants.again);
		receive(&pair);
	}
	assert_memory_equal(response, "HTTP/1.1 ", 9);
	assert_memory_equal(response + 9, status, 3);
	close_pair(&pair);
	return now_ms - START_MS;
}

#endif
