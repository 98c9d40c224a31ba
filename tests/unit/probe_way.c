/* Which way a probe goes, and tunnels through proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/socket.h"
#include "probe/no_proxy.h"
#include "probe/tunnel.h"
#include "probe/way.h"

static enum thaw_status find(const struct probe_routes *routes, struct probe_way *way, char **head,
			     struct thaw_error *err)
{
	struct probe_url url;

	assert_int_equal(probe_url_parse(&url, "https://one.example:8443/x", err), THAW_OK);
	return probe_way_find(way, &url, routes, head, err);
}

static void options_choose_the_way(void **state)
{
	static const struct {
		const char *connect_to, *resolve, *host, *port, *addresses;
	} rows[] = {
		{NULL, NULL, "one.example", "8443", NULL},
		{"one.example:8443:two:1", NULL, "two", "1", NULL},
		{"ONE.example::two:", NULL, "two", "8443", NULL},
		{":::1", NULL, "one.example", "1", NULL},
		{"::[::1]:1", NULL, "::1", "1", NULL},
		{"one.example:1:two:1", NULL, "one.example", "8443", NULL},
		{"two:8443:three:1", NULL, "one.example", "8443", NULL},
		{NULL, "one.example:8443:127.0.0.1", "one.example", "8443", "127.0.0.1"},
		{NULL, "*:8443:[::1],127.0.0.1", "one.example", "8443", "[::1],127.0.0.1"},
		{NULL, "one.example:1:127.0.0.1", "one.example", "8443", NULL},
		{"::two:1", "two:1:127.0.0.1", "two", "1", "127.0.0.1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct thaw_error err = {.cls = THAW_ERR_NONE};
		struct probe_way way;
		char *head;
		const struct probe_routes routes = {.connect_to = &rows[i].connect_to,
						    .connect_to_count = rows[i].connect_to != NULL,
						    .resolve = &rows[i].resolve,
						    .resolve_count = rows[i].resolve != NULL,
						    .user_agent = "a"};
		assert_int_equal(find(&routes, &way, &head, &err), THAW_OK);
		assert_null(head);
		assert_string_equal(way.host, rows[i].host);
		assert_string_equal(way.port, rows[i].port);
		if (rows[i].addresses == NULL)
			assert_null(way.addresses);
		else
			assert_string_equal(way.addresses, rows[i].addresses);
	}
}

/* As curl has it: the last one for a host counts, and any for that host more than "*"; "-" takes one back. */
static void the_best_of_several_resolves_counts(void **state)
{
	static const struct {
		const char *resolve[3];
		const char *addresses;
	} rows[] = {
		{{"one.example:8443:127.0.0.1", "one.example:8443:127.0.0.2"}, "127.0.0.2"},
		{{"one.example:8443:127.0.0.1", "*:8443:127.0.0.2"}, "127.0.0.1"},
		{{"*:8443:127.0.0.2", "ONE.EXAMPLE:8443:127.0.0.1"}, "127.0.0.1"},
		{{"+one.example:8443:::1"}, "::1"},
		{{"one.example:8443:127.0.0.1", "-one.example:8443"}, NULL},
		{{"one.example:8443:127.0.0.1", "*:8443:127.0.0.2", "-one.example:8443"}, "127.0.0.2"},
		{{"one.example:8443:127.0.0.1", "-one.example:443"}, "127.0.0.1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct thaw_error err = {.cls = THAW_ERR_NONE};
		struct probe_routes routes = {.resolve = rows[i].resolve, .user_agent = "a"};
		struct probe_way way;
		char *head;
		while (routes.resolve_count < 3 && rows[i].resolve[routes.resolve_count] != NULL)
			routes.resolve_count++;
		assert_int_equal(find(&routes, &way, &head, &err), THAW_OK);
		if (rows[i].addresses == NULL)
			assert_null(way.addresses);
		else
			assert_string_equal(way.addresses, rows[i].addresses);
	}
}

/* What it says of the URL's host is not for the proxy, which it is asked to find. */
static void a_proxys_address_may_be_resolved(void **state)
{
	static const char *const resolve[] = {"one.example:8443:127.0.0.1", "proxy:3128:127.0.0.2"};
	const struct probe_routes routes = {
		.proxy = "proxy:3128", .resolve = resolve, .resolve_count = 2, .user_agent = ""};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct probe_way way;
	char *head;

	(void)state;
	assert_int_equal(find(&routes, &way, &head, &err), THAW_OK);
	assert_string_equal(way.addresses, "127.0.0.2");
	assert_string_equal(head, "CONNECT one.example:8443 HTTP/1.1\r\nHost: one.example:8443\r\n\r\n");
	free(head);
}

static void a_proxys_user_is_percent_decoded(void **state)
{
	const struct probe_routes routes = {.proxy = "proxy", .proxy_user = "u%40x:50%off%3a%00", .user_agent = ""};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct probe_way way;
	char *head;

	(void)state;
	assert_int_equal(find(&routes, &way, &head, &err), THAW_OK);
	/* "u@x:50%off:%00" */
	assert_non_null(strstr(head, "\r\nProxy-Authorization: Basic dUB4OjUwJW9mZjolMDA=\r\n\r\n"));
	free(head);
}

/* Names, addresses and networks as curl takes them. */
static void some_hosts_are_reached_without_a_proxy(void **state)
{
	static const struct {
		const char *list, *host;
		bool has;
	} rows[] = {
		{"", "one.example", false},
		{"*", "one.example", true},
		{"*", "2001:db8::1", true},
		{"one.example", "one.example", true},
		{"ONE.example", "one.EXAMPLE", true},
		{"one.example", "www.one.example", true},
		{".one.example", "www.one.example", true},
		{".one.example", "one.example", true},
		{"one.example.", "one.example", true},
		{"one.example", "one.example.", true},
		{"one.example", "notone.example", false},
		{"www.one.example", "one.example", false},
		{"*.example", "one.example", false},
		{"example", "one.example", true},
		{"a,b, one.example ,c", "one.example", true},
		{"a b one.example", "one.example", true},
		{",, ,", "one.example", false},
		{".", "one.example", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"0.0.1", "127.0.0.1", false},
		{"127.0.0.0/8", "127.1.2.3", true},
		{"10.0.0.0/8,192.168.0.0/16", "192.168.3.4", true},
		{"10.1.2.3/8", "10.9.9.9", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"::1", "::1", true},
		{"[::1]", "::1", true},
		{"2001:db8::/32", "2001:db8::5", true},
		{"[2001:db8::]/32", "2001:db8::5", true},
		{"2001:db8::/32", "2001:db9::5", false},
		{"unix", "unix", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (no_proxy_has(rows[i].list, rows[i].host) != rows[i].has)
			fail_msg("'%s' and %s", rows[i].list, rows[i].host);
}

static void without_a_proxy_no_tunnel_is_made(void **state)
{
	const struct probe_routes routes = {.proxy = "proxy", .no_proxy = "example", .user_agent = "a"};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct probe_way way;
	char *head;

	(void)state;
	assert_int_equal(find(&routes, &way, &head, &err), THAW_OK);
	assert_null(head);
	assert_string_equal(way.host, "one.example");
	assert_false(way.tls);
}

static void a_proxy_gets_a_connect(void **state)
{
	static const char *const to = "::[2001:db8::1]:1";
	struct probe_routes routes = {.connect_to = &to,
				      .connect_to_count = 1,
				      .proxy = "http://proxy:3128/",
				      .proxy_user = "u:p",
				      .user_agent = "agent/1"};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct probe_way way;
	char *head;

	(void)state;
	assert_int_equal(find(&routes, &way, &head, &err), THAW_OK);
	assert_string_equal(way.host, "proxy");
	assert_string_equal(way.port, "3128");
	assert_string_equal(head, "CONNECT [2001:db8::1]:1 HTTP/1.1\r\nHost: [2001:db8::1]:1\r\nUser-Agent: agent/1\r\n"
				  "Proxy-Authorization: Basic dTpw\r\n\r\n");
	free(head);
	assert_false(way.tls);
	routes = (struct probe_routes){.proxy = "HTTPS://proxy", .user_agent = "a"};
	assert_int_equal(find(&routes, &way, &head, &err), THAW_OK);
	assert_true(way.tls);
	assert_string_equal(way.host, "proxy");
	assert_string_equal(way.port, "443");
	free(head);
	routes = (struct probe_routes){.proxy = "proxy", .user_agent = "a"};
	assert_int_equal(find(&routes, &way, &head, &err), THAW_OK);
	assert_string_equal(way.port, "1080");
	assert_string_equal(head,
			    "CONNECT one.example:8443 HTTP/1.1\r\nHost: one.example:8443\r\nUser-Agent: a\r\n\r\n");
	free(head);
}

/* The peer's answer in one piece, or byte by byte. */
static enum thaw_status answer(const char *text, bool whole, bool ends, char *rest, struct thaw_error *err)
{
	static struct tunnel tunnel;
	char seen[64] = "";
	int fds[2];
	enum thaw_status status;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	tunnel_begin(&tunnel, "CONNECT a:1 HTTP/1.1\r\n\r\n");
	assert_int_equal(tunnel_step(&tunnel, socket_transport(&fds[0]), err), THAW_WANT_READ);
	assert_true(read(fds[1], seen, sizeof(seen) - 1) > 0);
	assert_string_equal(seen, "CONNECT a:1 HTTP/1.1\r\n\r\n");
	status = THAW_WANT_READ;
	for (size_t len = strlen(text), at = 0; at < len; at += whole ? len : 1) {
		assert_int_equal(write(fds[1], text + at, whole ? len : 1), whole ? (ssize_t)len : 1);
		if (status == THAW_WANT_READ)
			status = tunnel_step(&tunnel, socket_transport(&fds[0]), err);
	}
	if (ends) {
		(void)shutdown(fds[1], SHUT_WR);
		status = tunnel_step(&tunnel, socket_transport(&fds[0]), err);
	}
	ssize_t got = read(fds[0], rest, 63);
	rest[got > 0 ? got : 0] = '\0';
	(void)close(fds[0]);
	(void)close(fds[1]);
	return status;
}

static void a_tunnel_ends_with_the_proxys_head(void **state)
{
	static const struct {
		const char *text;
		bool ends;
		enum thaw_status status;
		const char *rest, *words;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\nA: b\r\n\r\nserver", false, THAW_OK, "server", NULL},
		{"HTTP/1.0 204 X\r\n\r\n", false, THAW_OK, "", NULL},
		{"HTTP/1.1 200 OK\r\n", false, THAW_WANT_READ, "", NULL},
		{"HTTP/1.1 200 OK\r\n", true, THAW_FAILED, "", "closed the connection"},
		{"HTTP/1.1 407 No\r\n\r\n", false, THAW_FAILED, "", "--proxy-user"},
		{"HTTP/1.1 502 No\r\n\r\n", false, THAW_FAILED, "", "502"},
		{"SSH-2.0-OpenSSH_9.2\r\n\r\n", false, THAW_FAILED, "", "does not speak"},
		{"HTTP/1.1 x\r\n\r\n", false, THAW_FAILED, "", "does not speak"},
		{"\r\n\r\n", false, THAW_FAILED, "", "does not speak"},
	};
	char rest[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int whole = 0; whole < 2; whole++) {
			struct thaw_error err = {.cls = THAW_ERR_NONE};
			assert_int_equal(answer(rows[i].text, whole == 1, rows[i].ends, rest, &err), rows[i].status);
			assert_string_equal(rest, rows[i].rest);
			if (rows[i].words != NULL)
				assert_non_null(strstr(err.text, rows[i].words));
		}
}

static void an_endless_answer_is_refused(void **state)
{
	static char text[TUNNEL_REPLY_MAX + 2];
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char rest[64];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(answer(text, true, false, rest, &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_PEER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_choose_the_way),
		cmocka_unit_test(the_best_of_several_resolves_counts),
		cmocka_unit_test(a_proxys_address_may_be_resolved),
		cmocka_unit_test(a_proxys_user_is_percent_decoded),
		cmocka_unit_test(some_hosts_are_reached_without_a_proxy),
		cmocka_unit_test(without_a_proxy_no_tunnel_is_made),
		cmocka_unit_test(a_proxy_gets_a_connect),
		cmocka_unit_test(a_tunnel_ends_with_the_proxys_head),
		cmocka_unit_test(an_endless_answer_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
