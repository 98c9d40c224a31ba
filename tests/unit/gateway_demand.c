/*
 * The handshake on demand, from the request that is sent away to the record of the one that comes back. What the
 * gateway does before it resets a stream is called by hand: the client here does not speak HTTP/2.
 */
#include "browser_world.h"

#include <arpa/inet.h>
#include <jansson.h>

#include "../made.h"
#include "config/config.h"
#include "gateway/away.h"
#include "gateway/conn.h"
#include "gateway/scoreboard_view.h"

#define START_MS   1000
#define TIMEOUT_MS 90000 /* of a client's certificate */
#define ANSWER_MAX 4096

enum { ROUTE_PLAIN, ROUTE_LATE, ROUTE_BODY, ROUTE_AFTER };

static struct config *config;
static struct gateway *gateway;
static thaw_quota *quota;
static thaw_store *store;
static struct scoreboard *scoreboard;
static struct scoreboard_worker *worker;
static struct away *away;
static json_t *record; /* the last one */

static void on_access(void *arg, const char *line, size_t len)
{
	(void)arg;
	json_decref(record);
	record = json_loadb(line, len, 0, NULL);
	assert_non_null(record);
}

static const char *ask_field(const char *what)
{
	const char *text = json_string_value(json_object_get(json_object_get(record, "ask"), what));

	return text != NULL ? text : "-";
}

static bool asked_on_demand(void)
{
	return json_is_true(json_object_get(json_object_get(record, "ask"), "on_demand"));
}

static uint64_t sum_of(size_t at)
{
	struct scoreboard_view *view = scoreboard_view_new(scoreboard, START_MS, 0);

	assert_non_null(view);
	uint64_t sum = ((const uint64_t *)(const void *)&view->sums)[at];
	scoreboard_view_free(&view);
	return sum;
}

/* ---- connections ---- */

static ssize_t way_peek(void *io, char *first)
{
	const struct way *in = ((struct end *)io)->in;

	*first = (char)in->bytes[0];
	return in->len > 0 ? 1 : TRANSPORT_BLOCKED;
}

static const struct transport_ops peek_ops = {
	.read = way_read, .write = way_write, .half_close = way_half_close, .discard = way_discard, .peek = way_peek};

struct visit {
	SSL *ssl;
	struct gw_conn *conn;
	struct gw_wants wants;
	uint64_t now_ms;
};

static struct visit begin(struct client *client, const char *from, uint64_t now_ms)
{
	struct visit visit = {.now_ms = now_ms};
	struct sockaddr_in address = {.sin_family = AF_INET};

	assert_int_equal(inet_pton(AF_INET, from, &address.sin_addr), 1);
	duplex_open(&duplex, WINDOW_MAX);
	visit.ssl = client_ssl(client);
	visit.conn = gw_conn_new(gateway, (struct transport){&peek_ops, &duplex.server},
				 (const struct sockaddr *)(const void *)&address, false, now_ms);
	assert_non_null(visit.conn);
	return visit;
}

static void step(struct visit *visit)
{
	do
		visit->wants = gw_conn_step(visit->conn, visit->now_ms);
	while (visit->wants.again);
}

static void handshake(struct visit *visit)
{
	int done = -1;

	for (int turn = 0; turn < 20 && done != 1; turn++) {
		done = SSL_do_handshake(visit->ssl);
		step(visit);
	}
	assert_int_equal(done, 1);
}

static struct visit open_visit(struct client *client, const char *from, uint64_t now_ms)
{
	struct visit visit = begin(client, from, now_ms);

	handshake(&visit);
	return visit;
}

static void end(struct visit *visit)
{
	char bytes[1024];

	while (SSL_read(visit->ssl, bytes, sizeof(bytes)) > 0) /* all that has come: tickets, too */
		continue;
	gw_conn_free(&visit->conn);
	SSL_set_quiet_shutdown(visit->ssl, 1);
	(void)SSL_shutdown(visit->ssl);
	SSL_free(visit->ssl);
}

/* The status of the response. */
static unsigned answer(struct visit *visit, const char *request)
{
	static char text[ANSWER_MAX];
	int len = 0;

	assert_int_equal(SSL_write(visit->ssl, request, (int)strlen(request)), (int)strlen(request));
	for (int turn = 0; turn < 20 && len <= 0; turn++) {
		step(visit);
		len = SSL_read(visit->ssl, text, ANSWER_MAX - 1);
	}
	assert_true(len > 12);
	text[len] = '\0';
	return (unsigned)strtoul(text + strlen("HTTP/1.1 "), NULL, 10);
}

#define PUT(path) "PUT " path " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"

static const char home[] = "192.0.2.1";

/* A connection over HTTP/2 whose request for that route is sent away. */
static void go_away(struct client *client, size_t route)
{
	struct visit visit = open_visit(client, home, START_MS);

	assert_true(tls_conn_http2(visit.conn->tls));
	gw_send_away(visit.conn, &gateway->routes.hosts[0].routes[route]);
	end(&visit);
	client->alpn = H1;
}

/* ---- */

static void a_client_that_reconnects_is_asked_in_the_handshake(void **state)
{
	struct client client = {.browser = true, .gives = true, .alpn = H2};
	uint64_t notes = sum_of(SCOREBOARD_AT(notes)), found = sum_of(SCOREBOARD_AT(on_demand) + TLS_DEMAND_NOTE);

	(void)state;
	go_away(&client, ROUTE_LATE);
	assert_int_equal(sum_of(SCOREBOARD_AT(notes)), notes + 1);
	struct visit visit = open_visit(&client, home, START_MS + TLS_AWAY_MS / 2);
	assert_int_equal(sum_of(SCOREBOARD_AT(on_demand) + TLS_DEMAND_NOTE), found + 1);
	assert_int_equal(answer(&visit, PUT("/late")), 200);
	assert_string_equal(ask_field("means"), "handshake");
	assert_string_equal(ask_field("moment"), "handshake");
	assert_string_equal(ask_field("verdict"), "accepted");
	assert_true(asked_on_demand());
	assert_string_equal(json_string_value(json_object_get(record, "tls")), "TLSv1.3");
	assert_string_equal(json_string_value(json_object_get(json_object_get(record, "certificate"), "subject")),
			    "CN=Thaw Demo Client");
	/* and for every other route of that trust */
	assert_int_equal(answer(&visit, PUT("/body")), 200);
	assert_string_equal(ask_field("verdict"), "accepted");
	assert_int_equal(answer(&visit, PUT("/plain")), 200);
	assert_true(json_is_null(json_object_get(record, "ask")));
	end(&visit);
	forget(&client);
}

static void a_client_without_a_certificate_has_declined(void **state)
{
	static const char *const requests[] = {PUT("/late"), PUT("/body"),
					       ("PUT /late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
						"Expect: 100-continue\r\n\r\n")};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct client client = {.browser = true, .alpn = H2};
		go_away(&client, ROUTE_LATE);
		struct visit visit = open_visit(&client, home, START_MS);
		assert_int_equal(answer(&visit, requests[i]), 403);
		assert_string_equal(ask_field("means"), "handshake");
		assert_string_equal(ask_field("moment"), "handshake");
		assert_string_equal(ask_field("verdict"), "declined");
		assert_string_equal(ask_field("reason"), "no-certificate");
		assert_true(asked_on_demand());
		end(&visit);
		forget(&client);
	}
}

static void after_a_response_the_same_is_so(void **state)
{
	struct client client = {.browser = true, .alpn = H2};

	(void)state;
	go_away(&client, ROUTE_AFTER);
	struct visit visit = open_visit(&client, home, START_MS);
	assert_int_equal(answer(&visit, PUT("/after")), 403);
	assert_string_equal(ask_field("verdict"), "declined");
	assert_string_equal(ask_field("moment"), "handshake");
	assert_true(asked_on_demand());
	end(&visit);
	forget(&client);
}

static void without_a_note_all_is_as_ever(void **state)
{
	static const struct {
		const char *from;
		uint64_t after_ms;
	} rows[] = {{"192.0.2.2", 0}, {home, TIMEOUT_MS + 1000}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct client client = {.browser = true, .gives = true, .alpn = H2};
		go_away(&client, ROUTE_LATE);
		forget(&client);
		struct visit visit = open_visit(&client, rows[i].from, START_MS + rows[i].after_ms);
		assert_int_equal(answer(&visit, PUT("/late")), 200);
		assert_string_equal(ask_field("means"), "renegotiation");
		assert_string_equal(ask_field("verdict"), "accepted");
		assert_false(asked_on_demand());
		end(&visit);
		forget(&client);
	}
}

/* The certificate is there by an ask of another kind. */
static void an_ask_by_other_means_is_not_on_demand(void **state)
{
	struct client client = {.gives = true, .post_handshake = true, .alpn = H1};
	struct visit visit = open_visit(&client, "192.0.2.3", START_MS);

	(void)state;
	assert_int_equal(answer(&visit, PUT("/late")), 200);
	assert_string_equal(ask_field("means"), "post-handshake");
	assert_false(asked_on_demand());
	end(&visit);
	visit = open_visit(&client, "192.0.2.3", START_MS);
	assert_int_equal(answer(&visit, PUT("/late")), 200);
	assert_string_equal(ask_field("moment"), "handshake");
	assert_false(asked_on_demand());
	end(&visit);
	forget(&client);
}

/* Another machine has no note in its table. */
static void a_ticket_will_do(void **state)
{
	struct client client = {.browser = true, .gives = true, .alpn = H2};

	(void)state;
	go_away(&client, ROUTE_LATE);
	assert_non_null(client.session);
	struct visit visit = open_visit(&client, "192.0.2.77", START_MS + 100);
	assert_int_equal(tls_conn_demand(visit.conn->tls), TLS_DEMAND_TICKET);
	assert_int_equal(answer(&visit, PUT("/late")), 200);
	assert_true(asked_on_demand());
	end(&visit);
	/* and from now on its certificate is in its tickets */
	visit = open_visit(&client, "192.0.2.77", START_MS + 3600000);
	assert_int_equal(tls_conn_demand(visit.conn->tls), TLS_DEMAND_CERTIFICATE);
	assert_int_equal(answer(&visit, PUT("/late")), 200);
	assert_true(json_is_true(json_object_get(record, "resumed")));
	end(&visit);
	forget(&client);
}

static void others_are_not_noted(void **state)
{
	struct client client = {.alpn = H1, .post_handshake = true};
	uint64_t notes = sum_of(SCOREBOARD_AT(notes));
	struct visit visit = open_visit(&client, home, START_MS);

	(void)state;
	gw_send_away(visit.conn, &gateway->routes.hosts[0].routes[ROUTE_LATE]);
	assert_int_equal(sum_of(SCOREBOARD_AT(notes)), notes);
	end(&visit);
	forget(&client);
}

/* Once it is asked, the client has as long as the route gives it: a human has to choose. */
static void the_user_has_time_to_choose(void **state)
{
	struct client client = {.browser = true, .gives = true, .alpn = H2};

	(void)state;
	go_away(&client, ROUTE_LATE);
	struct visit visit = begin(&client, home, START_MS);
	assert_int_equal(SSL_do_handshake(visit.ssl), -1);
	step(&visit);
	assert_true(tls_conn_asked(visit.conn->tls));
	assert_int_equal(visit.wants.deadline_ms, START_MS + TIMEOUT_MS);
	visit.now_ms = START_MS + TIMEOUT_MS - 1;
	handshake(&visit);
	assert_int_equal(answer(&visit, PUT("/late")), 200);
	end(&visit);
	forget(&client);
}

/* Chromium ends the connection once it is asked, has its user choose, and connects again, without a ticket. */
static void browser_that_connects_again_after_a_long_choice_is_asked_again(void **state)
{
	struct client client = {.browser = true, .gives = true, .alpn = H2};

	(void)state;
	go_away(&client, ROUTE_LATE);
	forget(&client);
	struct visit visit = begin(&client, home, START_MS);
	assert_int_equal(SSL_do_handshake(visit.ssl), -1);
	step(&visit);
	assert_true(tls_conn_asked(visit.conn->tls));
	end(&visit);
	visit = open_visit(&client, home, START_MS + TIMEOUT_MS - 1000);
	assert_int_equal(tls_conn_demand(visit.conn->tls), TLS_DEMAND_NOTE);
	assert_int_equal(answer(&visit, PUT("/late")), 200);
	assert_true(asked_on_demand());
	end(&visit);
	forget(&client);
}

/* A WebSocket that a browser opens later is not asked, whether it has given a certificate or none. */
static void note_ends_soon_after_the_client_has_answered(void **state)
{
	(void)state;
	for (int gives = 0; gives < 2; gives++) {
		const uint64_t start_ms = START_MS + (uint64_t)gives * 10 * TIMEOUT_MS;
		struct client client = {.browser = true, .gives = gives != 0, .alpn = H2};
		struct visit visit = open_visit(&client, home, start_ms);
		gw_send_away(visit.conn, &gateway->routes.hosts[0].routes[ROUTE_LATE]);
		end(&visit);
		client.alpn = H1;
		for (int i = 0; i < 3; i++) { /* those that come with it are asked, too, and prolong nothing */
			forget(&client);
			visit = open_visit(&client, home, start_ms + 4000 * (uint64_t)i);
			assert_int_equal(tls_conn_demand(visit.conn->tls), TLS_DEMAND_NOTE);
			end(&visit);
		}
		forget(&client);
		visit = open_visit(&client, home, start_ms + TLS_AWAY_MS + 1000);
		assert_int_equal(tls_conn_demand(visit.conn->tls), TLS_DEMAND_NONE);
		end(&visit);
		forget(&client);
	}
}

/* ---- the world ---- */

static int set_up(void **state)
{
	char yaml[2048];
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	if (set_up_peers(state) != 0)
		return -1;
	(void)snprintf(yaml, sizeof(yaml),
		       "listen: [ { address: '127.0.0.1:1' } ]\n"
		       "hosts:\n"
		       "- name: '*'\n"
		       "  certificate: %s\n"
		       "  key: %s\n"
		       "  client_certificate: { ca: %s, timeout: %us, decline_grace: 0s }\n"
		       "  routes:\n"
		       "  - { path: /, upstream: 'builtin:sink' }\n"
		       "  - { path: /late, client_certificate: { when: request }, upstream: 'builtin:sink' }\n"
		       "  - { path: /body, client_certificate: { when: body }, upstream: 'builtin:sink' }\n"
		       "  - { path: /after, client_certificate: { when: response }, upstream: 'builtin:sink' }\n",
		       server_pem, server_key, ca, TIMEOUT_MS / 1000);
	quota = made_quota_new(
		&(struct thaw_quota_limits){.size = sizeof(struct thaw_quota_limits), .memory = 1 << 20, .workers = 1});
	store = quota != NULL ? made_store_new(quota, 0, NULL, &err) : NULL;
	scoreboard = scoreboard_new(1);
	away = away_new();
	worker = scoreboard_open(scoreboard, scoreboard_take(scoreboard, 1), NULL);
	struct gateway_env env = {.store = store, .access = on_access, .scoreboard = worker, .away = away};
	config = config_parse(yaml, strlen(yaml), "test", NULL, &err);
	gateway = config != NULL ? gateway_new(config, &env, &err) : NULL;
	if (gateway == NULL)
		(void)fprintf(stderr, "%s\n", err.text);
	return gateway != NULL && store != NULL && away != NULL && worker != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	gateway_free(&gateway);
	config_free(&config);
	thaw_store_free(&store);
	thaw_quota_free(&quota);
	scoreboard_close(&worker);
	scoreboard_free(&scoreboard);
	away_free(&away);
	json_decref(record);
	return tear_down_peers(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_reconnects_is_asked_in_the_handshake),
		cmocka_unit_test(a_client_without_a_certificate_has_declined),
		cmocka_unit_test(after_a_response_the_same_is_so),
		cmocka_unit_test(without_a_note_all_is_as_ever),
		cmocka_unit_test(an_ask_by_other_means_is_not_on_demand),
		cmocka_unit_test(a_ticket_will_do),
		cmocka_unit_test(others_are_not_noted),
		cmocka_unit_test(the_user_has_time_to_choose),
		cmocka_unit_test(browser_that_connects_again_after_a_long_choice_is_asked_again),
		cmocka_unit_test(note_ends_soon_after_the_client_has_answered),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
