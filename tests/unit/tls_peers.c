/* A client of tls/client.h and a server of tls/server.h over the transport BIO, in memory, through windows of any size.
 */
#include "peers_world.h"

#include "tls/certificate.h"

#define TURNS_MAX 4000000

static struct duplex duplex;

struct pair {
	struct tls_client_context *context;
	struct tls_client *client;
	struct tls_conn *link;
	struct tls_session *session;
	struct thaw_error client_err, server_err;
};

static struct pair open_pair_with(const struct tls_client_options *options, const char *name, size_t window)
{
	struct pair pair = {0};

	duplex_open(&duplex, window);
	pair.context = tls_client_context_new(options, &pair.client_err);
	assert_non_null(pair.context);
	pair.client = tls_client_new(pair.context, name, (struct transport){&way_ops, &duplex.client}, NULL,
				     &pair.client_err);
	pair.link = tls_conn_new(server, (struct transport){&way_ops, &duplex.server});
	assert_non_null(pair.client);
	assert_non_null(pair.link);
	pair.session = tls_session_new(tls_conn_ssl(pair.link));
	assert_non_null(pair.session);
	return pair;
}

static struct pair open_pair(const struct tls_client_options *options, size_t window)
{
	return open_pair_with(options, "localhost", window);
}

static void close_pair(struct pair *pair)
{
	tls_session_free(&pair->session);
	tls_conn_free(&pair->link);
	tls_client_free(&pair->client);
	tls_client_context_free(&pair->context);
}

static bool over(enum thaw_status status)
{
	return status != THAW_WANT_READ && status != THAW_WANT_WRITE;
}

/* Both sides in turn, until both are over or neither can be. */
static void handshake(struct pair *pair, enum thaw_status *client, enum thaw_status *link)
{
	*client = *link = THAW_WANT_READ;
	for (int turn = 0; turn < TURNS_MAX && (!over(*client) || !over(*link)); turn++) {
		if (!over(*client))
			*client = tls_client_handshake(pair->client, &pair->client_err);
		if (!over(*link))
			*link = tls_conn_handshake(pair->link, &pair->server_err);
		tls_session_flush(pair->session);
		if (*client == THAW_FAILED || *link == THAW_FAILED)
			return;
	}
}

static struct tls_client_options good(enum tls_client_version version)
{
	return (struct tls_client_options){.ca = ca, .credentials = credentials, .version = version};
}

static void handshakes_through_any_window(void **state)
{
	static const size_t windows[] = {1, 2, 5, 17, 255, 1400, 16384, WINDOW_MAX};

	(void)state;
	for (int version = TLS_CLIENT_ANY; version <= TLS_CLIENT_13; version++) {
		for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
			struct tls_client_options options = good((enum tls_client_version)version);
			struct pair pair = open_pair(&options, windows[i]);
			enum thaw_status client, link;
			handshake(&pair, &client, &link);
			assert_int_equal(client, THAW_OK);
			assert_int_equal(link, THAW_OK);
			assert_string_equal(tls_client_version(pair.client),
					    version == TLS_CLIENT_12 ? "TLSv1.2" : "TLSv1.3");
			assert_string_equal(tls_conn_version(pair.link), tls_client_version(pair.client));
			close_pair(&pair);
		}
	}
}

/* Sends a megabyte each way at once; what arrives is what was sent, whatever the window. */
static void both_ways_at_once(void **state)
{
	static const size_t windows[] = {7, 4096, WINDOW_MAX};
	enum { TOTAL = 300000 };
	static unsigned char sent[TOTAL], came[2][TOTAL];

	(void)state;
	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (unsigned char)(i * 2654435761U >> 13);
	for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++) {
		struct tls_client_options options = good(w % 2 == 0 ? TLS_CLIENT_13 : TLS_CLIENT_12);
		struct pair pair = open_pair(&options, windows[w]);
		enum thaw_status client, link;
		size_t out[2] = {0}, in[2] = {0}, n = 0;
		handshake(&pair, &client, &link);
		memset(came, 0, sizeof(came));
		for (int turn = 0; turn < TURNS_MAX && (in[0] < TOTAL || in[1] < TOTAL); turn++) {
			if (out[0] < TOTAL) {
				client = tls_client_write(pair.client, sent + out[0], TOTAL - out[0], &n,
							  &pair.client_err);
				out[0] += n;
				assert_true(client == THAW_OK || !over(client));
			}
			if (out[1] < TOTAL) {
				link = tls_conn_write(pair.link, sent + out[1], TOTAL - out[1], &n, &pair.server_err);
				out[1] += n;
				assert_true(link == THAW_OK || !over(link));
			}
			tls_session_flush(pair.session);
			link = tls_session_read(pair.session, came[0] + in[0], TOTAL - in[0], &n);
			in[0] += n;
			assert_true(link == THAW_OK || in[0] == TOTAL || !over(link));
			client = tls_client_read(pair.client, came[1] + in[1], TOTAL - in[1], &n, &pair.client_err);
			in[1] += n;
			assert_true(client == THAW_OK || in[1] == TOTAL || !over(client));
		}
		assert_memory_equal(came[0], sent, TOTAL);
		assert_memory_equal(came[1], sent, TOTAL);
		close_pair(&pair);
	}
}

static void a_server_that_is_not_it_is_refused(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_ANY), wrong_ca = good(TLS_CLIENT_ANY);
	enum thaw_status client, link;

	(void)state;
	struct pair pair = open_pair_with(&options, "other.localhost", WINDOW_MAX);
	handshake(&pair, &client, &link);
	assert_int_equal(client, THAW_FAILED);
	assert_int_equal(pair.client_err.cls, THAW_ERR_PEER);
	close_pair(&pair);
	wrong_ca.ca = certificate; /* a certificate, but no CA's */
	pair = open_pair(&wrong_ca, WINDOW_MAX);
	handshake(&pair, &client, &link);
	assert_int_equal(client, THAW_FAILED);
	assert_int_equal(pair.client_err.cls, THAW_ERR_PEER);
	close_pair(&pair);
}

static void post_handshake_requires_the_offer(void **state)
{
	(void)state;
	for (int offers = 0; offers < 2; offers++) {
		for (int gives = 0; gives < 2; gives++) {
			struct tls_client_options options = good(TLS_CLIENT_13);
			enum thaw_status client, link;
			enum thaw_reason reason;
			char byte, detail[64];
			size_t n = 0;
			options.post_handshake = offers;
			if (!gives)
				options.credentials = NULL;
			struct pair pair = open_pair(&options, 100);
			handshake(&pair, &client, &link);
			enum thaw_means means = tls_session_means(pair.session, &reason);
			assert_int_equal(means, offers ? THAW_MEANS_POST_HANDSHAKE : THAW_MEANS_NONE);
			if (offers) {
				struct exchange exchange;
				exchange_begin(&exchange, pair.session, means, trust);
				for (int turn = 0; turn < TURNS_MAX && exchange.finished == 0; turn++) {
					if (turn == 0)
						assert_int_equal(tls_ask_send(pair.session), THAW_OK);
					tls_session_flush(pair.session);
					(void)!tls_client_read(pair.client, &byte, 1, &n, &pair.client_err);
					(void)!tls_session_read(pair.session, &byte, 1, &n);
				}
				/* RFC 8446 4.4: Certificate, CertificateVerify if there is one, Finished */
				assert_int_equal(exchange.messages, gives ? 3 : 2);
				assert_int_equal(exchange.finished, 1);
				struct tls_certificate *came =
					tls_session_verify(pair.session, trust, &reason, detail, sizeof(detail));
				assert_int_equal(reason, gives ? THAW_REASON_NONE : THAW_REASON_NO_CERTIFICATE);
				if (gives)
					assert_string_equal(tls_certificate_identity(came)->subject,
							    "CN=Thaw Demo Client");
				else
					assert_null(came);
				tls_certificate_free(&came);
			}
			close_pair(&pair);
		}
	}
}

static void ends_are_reported(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_13);
	enum thaw_status client, link;
	char byte;
	size_t n = 0;

	(void)state;
	/* close_notify: an orderly end */
	struct pair pair = open_pair(&options, WINDOW_MAX);
	handshake(&pair, &client, &link);
	tls_client_close_notify(pair.client);
	assert_int_equal(tls_session_read(pair.session, &byte, 1, &n), THAW_CLOSED);
	close_pair(&pair);
	/* an end without one: a truncation (RFC 8446 6.1) */
	pair = open_pair(&options, WINDOW_MAX);
	handshake(&pair, &client, &link);
	duplex.up.ended = true;
	assert_int_equal(tls_session_read(pair.session, &byte, 1, &n), THAW_FAILED);
	assert_int_equal(tls_session_error(pair.session)->cls, THAW_ERR_PEER);
	close_pair(&pair);
	/* a reset */
	pair = open_pair(&options, WINDOW_MAX);
	handshake(&pair, &client, &link);
	duplex.up.broken = true;
	assert_int_equal(tls_session_read(pair.session, &byte, 1, &n), THAW_FAILED);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_through_any_window),
		cmocka_unit_test(both_ways_at_once),
		cmocka_unit_test(a_server_that_is_not_it_is_refused),
		cmocka_unit_test(post_handshake_requires_the_offer),
		cmocka_unit_test(ends_are_reported),
	};
	return cmocka_run_group_tests(tests, set_up_peers, tear_down_peers);
}
