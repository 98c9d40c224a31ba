/* Sockets and the transport over one, on the loopback interface. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/socket.h"

struct pair {
	int listener, client, server;
	struct transport a, b; /* over client, over server */
};

static void wait_for(int fd, short events)
{
	struct pollfd waited = {.fd = fd, .events = events};

	assert_int_equal(poll(&waited, 1, 60000), 1);
}

static void connect_pair(struct pair *pair, const char *host)
{
	struct thaw_error err = {0};
	struct sockaddr_storage peer;

	pair->listener = socket_listen(host, 0, &err);
	assert_true(pair->listener >= 0);
	assert_true(socket_port(pair->listener) != 0);
	pair->client = socket_connect(host, socket_port(pair->listener), &err);
	assert_true(pair->client >= 0);
	wait_for(pair->listener, POLLIN);
	pair->server = socket_accept(pair->listener, &peer);
	assert_true(pair->server >= 0);
	assert_int_equal(peer.ss_family, strchr(host, ':') != NULL ? AF_INET6 : AF_INET);
	pair->a = socket_transport(&pair->client);
	pair->b = socket_transport(&pair->server);
}

static void close_pair(struct pair *pair)
{
	(void)close(pair->listener);
	(void)close(pair->client);
	(void)close(pair->server);
}

static void bytes_go_both_ways(const char *host)
{
	struct pair pair;
	char text[16];

	connect_pair(&pair, host);
	assert_int_equal(pair.b.ops->read(pair.b.io, text, sizeof(text)), TRANSPORT_BLOCKED);
	assert_int_equal(pair.a.ops->write(pair.a.io, "hello", 5), 5);
	wait_for(pair.server, POLLIN);
	assert_int_equal(pair.b.ops->read(pair.b.io, text, sizeof(text)), 5);
	assert_memory_equal(text, "hello", 5);
	/* a half-close ends one direction only */
	pair.a.ops->half_close(pair.a.io);
	wait_for(pair.server, POLLIN);
	assert_int_equal(pair.b.ops->read(pair.b.io, text, sizeof(text)), TRANSPORT_END);
	assert_int_equal(pair.b.ops->write(pair.b.io, "bye", 3), 3);
	wait_for(pair.client, POLLIN);
	assert_int_equal(pair.a.ops->read(pair.a.io, text, sizeof(text)), 3);
	assert_int_equal(pair.a.ops->write(pair.a.io, "x", 1), TRANSPORT_BROKEN); /* and no SIGPIPE */
	close_pair(&pair);
}

static void version_4(void **state)
{
	(void)state;
	bytes_go_both_ways("127.0.0.1");
}

static void version_6(void **state)
{
	int fd = socket_listen("::1", 0, NULL);

	(void)state;
	if (fd < 0) {
		print_message("no IPv6 here: errno %d\n", errno);
		assert_true(errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT);
		return;
	}
	(void)close(fd);
	bytes_go_both_ways("::1");
}

static void full_is_blocked_and_a_reset_is_broken(void **state)
{
	static char piece[65536];
	struct linger at_once = {.l_onoff = 1};
	struct pair pair;
	ssize_t put;

	(void)state;
	connect_pair(&pair, "127.0.0.1");
	do
		put = pair.a.ops->write(pair.a.io, piece, sizeof(piece));
	while (put > 0);
	assert_int_equal(put, TRANSPORT_BLOCKED);
	/* what is discarded makes room again */
	assert_true(pair.b.ops->discard(pair.b.io, 1 << 20) > 0);
	assert_int_equal(setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	assert_int_equal(close(pair.server), 0);
	wait_for(pair.client, POLLIN);
	assert_int_equal(pair.a.ops->read(pair.a.io, piece, sizeof(piece)), TRANSPORT_BROKEN);
	pair.server = -1;
	close_pair(&pair);
}

static void discarding_ends_with_the_peer(void **state)
{
	struct pair pair;

	(void)state;
	connect_pair(&pair, "127.0.0.1");
	assert_int_equal(pair.b.ops->discard(pair.b.io, 100), TRANSPORT_BLOCKED);
	assert_int_equal(pair.a.ops->write(pair.a.io, "0123456789", 10), 10);
	pair.a.ops->half_close(pair.a.io);
	wait_for(pair.server, POLLIN);
	assert_int_equal(pair.b.ops->discard(pair.b.io, 4), 4);
	assert_int_equal(pair.b.ops->discard(pair.b.io, 100), 6);
	assert_int_equal(pair.b.ops->discard(pair.b.io, 100), TRANSPORT_END);
	close_pair(&pair);
}

static void peeking_takes_nothing(void **state)
{
	struct pair pair;
	char bytes[8], first = 0;

	(void)state;
	connect_pair(&pair, "127.0.0.1");
	assert_int_equal(pair.b.ops->peek(pair.b.io, &first), TRANSPORT_BLOCKED);
	assert_int_equal(pair.a.ops->write(pair.a.io, "12", 2), 2);
	wait_for(pair.server, POLLIN);
	assert_int_equal(pair.b.ops->peek(pair.b.io, &first), 1);
	assert_int_equal(pair.b.ops->peek(pair.b.io, &first), 1);
	assert_int_equal(first, '1');
	assert_int_equal(pair.b.ops->read(pair.b.io, bytes, sizeof(bytes)), 2);
	assert_int_equal(pair.b.ops->peek(pair.b.io, &first), TRANSPORT_BLOCKED);
	pair.a.ops->half_close(pair.a.io);
	wait_for(pair.server, POLLIN);
	assert_int_equal(pair.b.ops->peek(pair.b.io, &first), TRANSPORT_END);
	close_pair(&pair);
}

static void invalid_addresses_are_reported(void **state)
{
	struct thaw_error err = {0}, taken = {0};

	(void)state;
	assert_int_equal(socket_listen("not-an-address", 0, &err), -1);
	assert_int_equal(err.cls, THAW_ERR_USAGE);
	assert_non_null(strstr(err.text, "not-an-address"));
	int first = socket_listen("127.0.0.1", 0, NULL);
	assert_int_equal(socket_listen("127.0.0.1", socket_port(first), &taken), -1);
	assert_int_equal(taken.cls, THAW_ERR_SYSTEM);
	assert_non_null(strstr(taken.text, strerror(EADDRINUSE)));
	(void)close(first);
}

static void only_a_stale_unix_path_is_replaced(void **state)
{
	char folder[] = "/tmp/thaw-unit-socket-XXXXXX", path[64];
	struct thaw_error in_use = {0}, not_one = {0}, too_long = {0};
	char long_path[200];

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/s", folder);
	int first = socket_listen_unix(path, NULL);
	assert_true(first >= 0);
	assert_int_equal(socket_listen_unix(path, &in_use), -1);
	assert_non_null(strstr(in_use.text, path));
	(void)close(first); /* the file stays, as after a crash */
	int second = socket_listen_unix(path, NULL);
	assert_true(second >= 0);
	assert_int_equal(socket_port(second), 0);
	(void)close(second);
	assert_int_equal(unlink(path), 0);
	int file = open(path, O_CREAT | O_WRONLY, 0600);
	assert_true(file >= 0);
	(void)close(file);
	assert_int_equal(socket_listen_unix(path, &not_one), -1);
	assert_int_equal(access(path, F_OK), 0); /* somebody's file is left alone */
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(socket_listen_unix(long_path, &too_long), -1);
	assert_int_equal(too_long.cls, THAW_ERR_USAGE);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void descriptors_do_not_pass_to_other_programs(void **state)
{
	struct pair pair;

	(void)state;
	connect_pair(&pair, "127.0.0.1");
	assert_true(fcntl(pair.listener, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(pair.client, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(pair.server, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(socket_accept(pair.listener, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_4),
		cmocka_unit_test(version_6),
		cmocka_unit_test(full_is_blocked_and_a_reset_is_broken),
		cmocka_unit_test(discarding_ends_with_the_peer),
		cmocka_unit_test(peeking_takes_nothing),
		cmocka_unit_test(invalid_addresses_are_reported),
		cmocka_unit_test(only_a_stale_unix_path_is_replaced),
		cmocka_unit_test(descriptors_do_not_pass_to_other_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
