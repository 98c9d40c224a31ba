/* A client of tls/client.h and a server of tls/server.h over the transport BIO, in memory, through windows of any size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tls/certificate.h"
#include "tls/client.h"
#include "tls/credentials.h"
#include "tls/pki.h"
#include "tls/server.h"
#include "tls/session.h"
#include "tls/transport_bio.h"

#define WINDOW_MAX 65536
#define TURNS_MAX  4000000

/* One direction: at most `window` bytes are under way. */
struct way {
	unsigned char bytes[WINDOW_MAX];
	size_t window, len;
	bool ended, broken;
};

struct end {
	struct way *in, *out;
};

static struct way up, down;
static struct end client_end = {&down, &up}, server_end = {&up, &down};

static ssize_t way_read(void *io, void *data, size_t room)
{
	struct way *way = ((struct end *)io)->in;

	if (way->broken)
		return TRANSPORT_BROKEN;
	if (way->len == 0)
		return way->ended ? TRANSPORT_END : TRANSPORT_BLOCKED;
	size_t len = way->len < room ? way->len : room;
	memcpy(data, way->bytes, len);
	memmove(way->bytes, way->bytes + len, way->len - len);
	way->len -= len;
	return (ssize_t)len;
}

static ssize_t way_write(void *io, const void *data, size_t len)
{
	struct way *way = ((struct end *)io)->out;
	size_t room = way->window - way->len;

	if (way->broken)
		return TRANSPORT_BROKEN;
	if (room == 0)
		return TRANSPORT_BLOCKED;
	len = len < room ? len : room;
	memcpy(way->bytes + way->len, data, len);
	way->len += len;
	return (ssize_t)len;
}

static void way_half_close(void *io)
{
	((struct end *)io)->out->ended = true;
}

static ssize_t way_discard(void *io, size_t max)
{
	unsigned char unread[256];

	return way_read(io, unread, max < sizeof(unread) ? max : sizeof(unread));
}

static const struct transport_ops ops = {way_read, way_write, way_half_close, way_discard};

static char folder[] = "/tmp/thaw-unit-peers-XXXXXX", ca[64], certificate[64], key[64], server_pem[64], server_key[64];
static struct tls_server *server;
static struct tls_credentials *credentials;

static int set_up(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	if (mkdtemp(folder) == NULL || tls_pki_make(folder, &err) != THAW_OK)
		return -1;
	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", folder);
	(void)snprintf(certificate, sizeof(certificate), "%s/client.pem", folder);
	(void)snprintf(key, sizeof(key), "%s/client.key", folder);
	(void)snprintf(server_pem, sizeof(server_pem), "%s/server.pem", folder);
	(void)snprintf(server_key, sizeof(server_key), "%s/server.key", folder);
	struct tls_host host = {.name = "*", .certificate = server_pem, .key = server_key};
	server = tls_server_new(&host, 1, &err);
	credentials =
		tls_credentials_new(&(struct tls_credentials_source){.certificate = certificate, .key = key}, &err);
	return server != NULL && credentials != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	tls_server_free(&server);
	tls_credentials_free(&credentials);
	(void)unlink(ca);
	(void)unlink(certificate);
	(void)unlink(key);
	(void)unlink(server_pem);
	(void)unlink(server_key);
	return rmdir(folder);
}

struct pair {
	struct tls_client_context *context;
	struct tls_client *client;
	struct tls_link *link;
	struct tls_session *session;
	struct thaw_error client_err, server_err;
};

static struct pair open_pair_with(const struct tls_client_options *options, const char *name, size_t window)
{
	struct pair pair = {0};

	up = down = (struct way){.window = window};
	pair.context = tls_client_context_new(options, &pair.client_err);
	assert_non_null(pair.context);
	pair.client = tls_client_new(pair.context, name, (struct transport){&ops, &client_end}, NULL, &pair.client_err);
	pair.link = tls_link_new(server, (struct transport){&ops, &server_end});
	assert_non_null(pair.client);
	assert_non_null(pair.link);
	pair.session = tls_session_new(tls_link_ssl(pair.link));
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
	tls_link_free(&pair->link);
	tls_client_free(&pair->client);
	tls_client_context_free(&pair->context);
}

static bool over(enum thaw_status status)
{
	return status != THAW_WANT_READ && status != THAW_WANT_WRITE;
}

/* Both sides in turn, until both are over or neither can be. */
static void shake_hands(struct pair *pair, enum thaw_status *client, enum thaw_status *link)
{
	*client = *link = THAW_WANT_READ;
	for (int turn = 0; turn < TURNS_MAX && (!over(*client) || !over(*link)); turn++) {
		if (!over(*client))
			*client = tls_client_handshake(pair->client, &pair->client_err);
		if (!over(*link))
			*link = tls_link_handshake(pair->link, &pair->server_err);
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
			shake_hands(&pair, &client, &link);
			assert_int_equal(client, THAW_OK);
			assert_int_equal(link, THAW_OK);
			assert_string_equal(tls_client_version(pair.client),
					    version == TLS_CLIENT_12 ? "TLSv1.2" : "TLSv1.3");
			assert_string_equal(tls_link_version(pair.link), tls_client_version(pair.client));
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
		shake_hands(&pair, &client, &link);
		memset(came, 0, sizeof(came));
		for (int turn = 0; turn < TURNS_MAX && (in[0] < TOTAL || in[1] < TOTAL); turn++) {
			if (out[0] < TOTAL) {
				client = tls_client_write(pair.client, sent + out[0], TOTAL - out[0], &n,
							  &pair.client_err);
				out[0] += n;
				assert_true(client == THAW_OK || !over(client));
			}
			if (out[1] < TOTAL) {
				link = tls_link_write(pair.link, sent + out[1], TOTAL - out[1], &n, &pair.server_err);
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
	shake_hands(&pair, &client, &link);
	assert_int_equal(client, THAW_FAILED);
	assert_int_equal(pair.client_err.cls, THAW_ERR_PEER);
	close_pair(&pair);
	wrong_ca.ca = certificate; /* a certificate, but no CA's */
	pair = open_pair(&wrong_ca, WINDOW_MAX);
	shake_hands(&pair, &client, &link);
	assert_int_equal(client, THAW_FAILED);
	assert_int_equal(pair.client_err.cls, THAW_ERR_PEER);
	close_pair(&pair);
}

static void post_handshake_is_asked_of_those_who_offer_it(void **state)
{
	thaw_trust *trust = thaw_trust_load(ca, NULL, NULL);

	(void)state;
	assert_non_null(trust);
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
			shake_hands(&pair, &client, &link);
			enum thaw_means means = tls_session_means(pair.session, &reason);
			assert_int_equal(means, offers ? THAW_MEANS_POST_HANDSHAKE : THAW_MEANS_NONE);
			if (offers) {
				assert_int_equal(tls_ask_begin(pair.session, means, trust, &reason), THAW_OK);
				for (int turn = 0; turn < TURNS_MAX && !tls_ask_answered(pair.session); turn++) {
					if (turn == 0)
						assert_int_equal(tls_ask_send(pair.session), THAW_OK);
					tls_session_flush(pair.session);
					(void)!tls_client_read(pair.client, &byte, 1, &n, &pair.client_err);
					(void)!tls_session_read(pair.session, &byte, 1, &n);
				}
				struct tls_certificate *came =
					tls_session_judge(pair.session, trust, &reason, detail, sizeof(detail));
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
	thaw_trust_free(&trust);
}

static void what_ends_is_told(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_13);
	enum thaw_status client, link;
	char byte;
	size_t n = 0;

	(void)state;
	/* close_notify: an orderly end */
	struct pair pair = open_pair(&options, WINDOW_MAX);
	shake_hands(&pair, &client, &link);
	tls_client_close_notify(pair.client);
	assert_int_equal(tls_session_read(pair.session, &byte, 1, &n), THAW_CLOSED);
	close_pair(&pair);
	/* an end without one: a truncation (RFC 8446 6.1) */
	pair = open_pair(&options, WINDOW_MAX);
	shake_hands(&pair, &client, &link);
	up.ended = true;
	assert_int_equal(tls_session_read(pair.session, &byte, 1, &n), THAW_FAILED);
	assert_int_equal(tls_session_error(pair.session)->cls, THAW_ERR_PEER);
	close_pair(&pair);
	/* a reset */
	pair = open_pair(&options, WINDOW_MAX);
	shake_hands(&pair, &client, &link);
	up.broken = true;
	assert_int_equal(tls_session_read(pair.session, &byte, 1, &n), THAW_FAILED);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_through_any_window),
		cmocka_unit_test(both_ways_at_once),
		cmocka_unit_test(a_server_that_is_not_it_is_refused),
		cmocka_unit_test(post_handshake_is_asked_of_those_who_offer_it),
		cmocka_unit_test(what_ends_is_told),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
