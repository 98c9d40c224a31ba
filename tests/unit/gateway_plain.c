/*
 * HTTP without TLS. Where a handshake is waited for: an answer that says so, with a link where the host is one of ours.
 * On a listener for it: a redirection, or an answer to an ACME challenge, and never one of the hosts' routes.
 */
#define HOST_SETTINGS ""
#include "gateway_world.h"

static char answer[65536];
static size_t answer_len;

/* ---- a client without TLS ---- */

static void take_answer(void)
{
	assert_true(answer_len + duplex.down.len < sizeof(answer));
	memcpy(answer + answer_len, duplex.down.bytes, duplex.down.len);
	answer_len += duplex.down.len;
	answer[answer_len] = '\0';
	duplex.down.len = 0;
}

/* Of the configuration below. */
enum { LISTENS_TLS, LISTENS_REDIRECT, LISTENS_WEBROOT, LISTENS_FOR_UPSTREAM };

static size_t listener = LISTENS_TLS;

static struct gw_conn *open_plain(void)
{
	duplex_open(&duplex, WINDOW_MAX);
	recorded = 0;
	answer_len = 0;
	answer[0] = '\0';
	struct gw_conn *conn =
		gw_conn_new(gateway, (struct transport){&piece_ops, &duplex.server}, NULL, false, START_MS);
	assert_non_null(conn);
	gw_conn_from(conn, listener);
	return conn;
}

static struct gw_wants step_plain(struct gw_conn *conn, uint64_t now_ms)
{
	struct gw_wants wants;

	do
		wants = gw_conn_step(conn, now_ms);
	while (wants.again);
	take_answer();
	return wants;
}

static void send_plain(const char *bytes, size_t len)
{
	assert_true(duplex.up.len + len <= sizeof(duplex.up.bytes));
	memcpy(duplex.up.bytes + duplex.up.len, bytes, len);
	duplex.up.len += len;
}

/* One request, and what it is answered. */
static const char *ask_plain(const char *request)
{
	struct gw_conn *conn = open_plain();

	send_plain(request, strlen(request));
	(void)step_plain(conn, START_MS);
	gw_conn_free(&conn);
	return answer;
}

/* ---- on a port that has TLS ---- */

static void a_request_is_answered_with_400_and_its_reason(void **state)
{
	(void)state;
	const char *got = ask_plain("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
	assert_memory_equal(got, "HTTP/1.1 400 ", 13);
	assert_non_null(strstr(got, "\"reason\": \"plain-http\""));
	assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
	assert_null(strstr(got, "\r\nLocation:"));
	assert_int_equal(recorded, 1);
}

static void the_link_keeps_host_port_path_and_query(void **state)
{
	(void)state;
	assert_non_null(strstr(ask_plain("GET /a?b=%20c HTTP/1.1\r\nHost: WWW.Example.com.:8443\r\n\r\n"),
			       "\"location\": \"https://www.example.com:8443/a?b=%20c\""));
	assert_non_null(strstr(ask_plain("GET / HTTP/1.1\r\nHost: a.example.org\r\n\r\n"),
			       "\"location\": \"https://a.example.org:80/\""));
	assert_non_null(strstr(ask_plain("GET /?<b> HTTP/1.1\r\nHost: www.example.com:1\r\nAccept: text/html\r\n\r\n"),
			       "<a href=\"https://www.example.com:1/?&lt;b&gt;\">"));
}

static void there_is_no_link_to_a_host_that_is_not_ours(void **state)
{
	static const char *const hosts[] = {"evil.example", "example.org", "a.b.example.org", "*.example.org", "*"};
	char request[256];

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		(void)snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s:8443\r\n\r\n", hosts[i]);
		assert_memory_equal(ask_plain(request), "HTTP/1.1 400 ", 13);
		assert_null(strstr(answer, "location"));
	}
	assert_null(
		strstr(ask_plain("GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n\r\n"), "location"));
	assert_null(strstr(ask_plain("GET / HTTP/1.0\r\n\r\n"), "location"));
}

static void what_is_not_http_is_refused_too(void **state)
{
	(void)state;
	assert_memory_equal(ask_plain("SSH-2.0-OpenSSH_9.2\r\n"), "HTTP/1.1 400 ", 13);
	assert_memory_equal(ask_plain("EHLO mail.example.com\r\n"), "HTTP/1.1 400 ", 13);
	assert_memory_equal(ask_plain("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "HTTP/1.1 505 ", 13);
}

static void a_head_without_end_is_refused_and_holds_no_more_than_one(void **state)
{
	char piece[4096];
	struct gw_conn *conn = open_plain();
	size_t sent = 0;

	(void)state;
	memset(piece, 'a', sizeof(piece));
	send_plain("GET /", 5);
	for (; answer_len == 0; sent += sizeof(piece)) {
		assert_true(sent <= HTTP_HEAD_DEFAULT);
		send_plain(piece, sizeof(piece));
		(void)step_plain(conn, START_MS);
	}
	assert_memory_equal(answer, "HTTP/1.1 414 ", 13);
	gw_conn_free(&conn);
}

static void a_head_that_trickles_has_its_time(void **state)
{
	struct gw_conn *conn = open_plain();
	uint64_t now_ms = START_MS;

	(void)state;
	for (; answer_len == 0; now_ms += 1000) {
		assert_true(now_ms < START_MS + 3600 * UINT64_C(1000));
		send_plain("G", 1);
		(void)step_plain(conn, now_ms);
	}
	assert_memory_equal(answer, "HTTP/1.1 408 ", 13);
	assert_in_range(now_ms - START_MS, CONFIG_HEAD_MS, CONFIG_HEAD_MS + 2000);
	gw_conn_free(&conn);
}

/* The answer is there before the body is, what comes of that is thrown away, and it all ends. */
static void an_upload_gets_its_answer_and_is_read_on(void **state)
{
	static const char head[] = "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n";
	struct gw_conn *conn = open_plain();
	char piece[16384] = "";
	struct gw_wants wants = {.dead = false};
	size_t sent = 0;

	(void)state;
	send_plain(head, sizeof(head) - 1);
	(void)step_plain(conn, START_MS);
	assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
	for (; sent < 10000000; sent += sizeof(piece)) {
		send_plain(piece, sizeof(piece));
		wants = step_plain(conn, START_MS);
		assert_false(wants.dead);
		assert_int_equal(duplex.up.len, 0);
	}
	duplex.up.ended = true;
	assert_true(step_plain(conn, START_MS).dead);
	assert_int_equal(recorded, 1);
	gw_conn_free(&conn);
}

static void a_client_that_disconnects_leaves_nothing(void **state)
{
	struct gw_conn *conn = open_plain();

	(void)state;
	send_plain("GET / HT", 8);
	assert_false(step_plain(conn, START_MS).dead);
	duplex.up.broken = true;
	(void)step_plain(conn, START_MS);
	(void)step_plain(conn, START_MS + 100000);
	gw_conn_free(&conn);
	assert_int_equal(answer_len, 0);
	assert_int_equal(recorded, 1);
}

/* ---- on a listener that redirects ---- */

static const char *ask_listener(size_t which, const char *request)
{
	listener = which;
	(void)ask_plain(request);
	listener = LISTENS_TLS;
	return answer;
}

static void a_request_is_redirected_to_the_same_url_by_https(void **state)
{
	static const char request[] = "GET /a/%2e%2e//b?c=d%20&e HTTP/1.1\r\nHost: WWW.Example.com.:80\r\n\r\n";

	(void)state;
	assert_memory_equal(ask_listener(LISTENS_REDIRECT, request), "HTTP/1.1 301 ", 13);
	assert_non_null(strstr(answer, "\r\nLocation: https://www.example.com:8443/a/%2e%2e//b?c=d%20&e\r\n"));
	assert_non_null(strstr(answer, "\r\nConnection: keep-alive\r\n"));
	assert_int_equal(recorded, 1);
	(void)ask_listener(LISTENS_WEBROOT, request);
	assert_non_null(strstr(answer, "\r\nLocation: https://www.example.com/a/%2e%2e//b?c=d%20&e\r\n"));
	(void)ask_listener(LISTENS_REDIRECT, "GET http://a.example.org?q HTTP/1.1\r\nHost: a.example.org\r\n\r\n");
	assert_non_null(strstr(answer, "\r\nLocation: https://a.example.org:8443/?q\r\n"));
}

static void other_methods_keep_method_and_body(void **state)
{
	(void)state;
	assert_memory_equal(ask_listener(LISTENS_REDIRECT, "HEAD / HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),
			    "HTTP/1.1 301 ", 13);
	assert_memory_equal(ask_listener(LISTENS_REDIRECT, "POST / HTTP/1.1\r\nHost: www.example.com\r\n"
							   "Content-Length: 100\r\n\r\n"),
			    "HTTP/1.1 308 ", 13);
	assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
	assert_memory_equal(ask_listener(LISTENS_REDIRECT, "OPTIONS * HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),
			    "HTTP/1.1 204 ", 13);
}

static void no_client_is_redirected_to_an_unknown_host(void **state)
{
	static const char *const heads[] = {
		"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n",
		"GET //evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		assert_memory_equal(ask_listener(LISTENS_REDIRECT, heads[i]), "HTTP/1.1 421 ", 13);
		assert_null(strstr(answer, "Location"));
	}
	assert_memory_equal(
		ask_listener(LISTENS_REDIRECT, "GET / HTTP/1.1\r\nHost: www.example.com@evil.example\r\n\r\n"),
		"HTTP/1.1 400 ", 13);
	/* A path cannot become another host: the authority ends before it. */
	assert_non_null(
		strstr(ask_listener(LISTENS_REDIRECT, "GET //evil.example/ HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),
		       "\r\nLocation: https://www.example.com:8443//evil.example/\r\n"));
}

static void a_connection_serves_several_requests(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n";
	struct gw_conn *conn;

	(void)state;
	listener = LISTENS_REDIRECT;
	conn = open_plain();
	listener = LISTENS_TLS;
	for (int i = 0; i < 3; i++) {
		send_plain(request, sizeof(request) - 1);
		assert_false(step_plain(conn, START_MS).dead);
	}
	send_plain(request, sizeof(request) - 1); /* two at once */
	send_plain(request, sizeof(request) - 1);
	assert_false(step_plain(conn, START_MS).dead);
	assert_int_equal(recorded, 5);
	(void)step_plain(conn, START_MS + CONFIG_KEEPALIVE_MS + 1000);
	assert_int_equal(conn->state, GW_LINGER);
	gw_conn_free(&conn);
}

static void tls_on_such_a_listener_is_refused(void **state)
{
	(void)state;
	assert_memory_equal(ask_listener(LISTENS_REDIRECT, "\x16\x03\x01\x02\r\n"), "HTTP/1.1 400 ", 13);
}

/* ---- challenges ---- */

#define CHALLENGE(token) "GET /.well-known/acme-challenge/" token " HTTP/1.1\r\nHost: new.example\r\n\r\n"

static char asked_token[256];
static unsigned warned;

static enum thaw_status read_challenge(const char *webroot, const char *token, char *out, size_t room, size_t *len,
				       struct thaw_error *err)
{
	assert_string_equal(webroot, "/srv/acme");
	(void)snprintf(asked_token, sizeof(asked_token), "%s", token);
	if (strcmp(token, "missing") == 0)
		return THAW_CLOSED;
	if (strcmp(token, "closed") == 0) {
		*err = (struct thaw_error){THAW_ERR_SYSTEM, "Permission denied"};
		return THAW_FAILED;
	}
	*len = (size_t)snprintf(out, room, "%s.print", token);
	return THAW_OK;
}

static void on_message(void *arg, enum config_log_level level, const char *text)
{
	(void)arg;
	(void)text;
	warned += level == CONFIG_LOG_WARNING;
}

/* Its name need not be a host yet: its certificate is what is asked for. */
static void a_challenge_is_answered_from_its_file(void **state)
{
	(void)state;
	assert_memory_equal(ask_listener(LISTENS_WEBROOT, CHALLENGE("a-B_9")), "HTTP/1.1 200 ", 13);
	assert_string_equal(asked_token, "a-B_9");
	assert_non_null(strstr(answer, "\r\n\r\na-B_9.print"));
	assert_memory_equal(ask_listener(LISTENS_WEBROOT, CHALLENGE("missing")), "HTTP/1.1 404 ", 13);
	assert_int_equal(warned, 0);
	assert_memory_equal(ask_listener(LISTENS_WEBROOT, CHALLENGE("closed")), "HTTP/1.1 404 ", 13);
	assert_int_equal(warned, 1);
}

static void nothing_but_a_token_names_a_file(void **state)
{
	static const char *const requests[] = {
		CHALLENGE(""),
		CHALLENGE(".."),
		CHALLENGE("../../etc/passwd"),
		CHALLENGE("a/b"),
		CHALLENGE("a%2fb"),
		CHALLENGE("%61"),
		CHALLENGE("a.b"),
		CHALLENGE("a?b"),
		"POST /.well-known/acme-challenge/a HTTP/1.1\r\nHost: new.example\r\n\r\n",
		"GET /.well-known/acme-challenge/a HTTP/1.1\r\nHost: new.example\r\nContent-Length: 1\r\n\r\nx",
		"GET /.WELL-KNOWN/acme-challenge/a HTTP/1.1\r\nHost: new.example\r\n\r\n",
		"GET //.well-known/acme-challenge/a HTTP/1.1\r\nHost: new.example\r\n\r\n",
	};
	char request[512];

	(void)state;
	asked_token[0] = '\0';
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		for (size_t which = LISTENS_WEBROOT; which <= LISTENS_FOR_UPSTREAM; which++)
			assert_memory_equal(ask_listener(which, requests[i]), "HTTP/1.1 421 ", 13);
		assert_string_equal(asked_token, "");
	}
	(void)snprintf(request, sizeof(request), "GET /.well-known/acme-challenge/%0129d HTTP/1.1\r\nHost: a\r\n\r\n",
		       0);
	assert_memory_equal(ask_listener(LISTENS_WEBROOT, request), "HTTP/1.1 421 ", 13);
	assert_string_equal(asked_token, "");
}

static int set_up_named(void **state)
{
	static char yaml[2048];
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct gateway_env env = {.access = on_access, .message = on_message, .challenge = read_challenge};

	if (set_up_peers(state) != 0)
		return -1;
	(void)snprintf(yaml, sizeof(yaml),
		       "listen:\n"
		       "- { address: '127.0.0.1:8443' }\n"
		       "- { address: '127.0.0.1:81', plain: redirect }\n"
		       "- { address: '127.0.0.1:82', plain: redirect, redirect_port: 443, acme_webroot: /srv/acme }\n"
		       "- { address: '127.0.0.1:83', plain: redirect, acme_upstream: acme }\n"
		       "upstreams: { acme: { servers: [ 'http://127.0.0.1:84' ] } }\n"
		       "hosts:\n"
		       "- name: [ www.example.com, '*.example.org', '*' ]\n"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_answered_with_400_and_its_reason),
		cmocka_unit_test(the_link_keeps_host_port_path_and_query),
		cmocka_unit_test(there_is_no_link_to_a_host_that_is_not_ours),
		cmocka_unit_test(what_is_not_http_is_refused_too),
		cmocka_unit_test(a_head_without_end_is_refused_and_holds_no_more_than_one),
		cmocka_unit_test(a_head_that_trickles_has_its_time),
		cmocka_unit_test(an_upload_gets_its_answer_and_is_read_on),
		cmocka_unit_test(a_client_that_disconnects_leaves_nothing),
		cmocka_unit_test(a_request_is_redirected_to_the_same_url_by_https),
		cmocka_unit_test(other_methods_keep_method_and_body),
		cmocka_unit_test(no_client_is_redirected_to_an_unknown_host),
		cmocka_unit_test(a_connection_serves_several_requests),
		cmocka_unit_test(tls_on_such_a_listener_is_refused),
		cmocka_unit_test(a_challenge_is_answered_from_its_file),
		cmocka_unit_test(nothing_but_a_token_names_a_file),
	};
	return cmocka_run_group_tests(tests, set_up_named, tear_down);
}
