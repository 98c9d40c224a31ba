/* Listening sockets from one configuration to the next. */
#include <arpa/inet.h>
#include <errno.h>
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
#include "loop/listen.h"

#define LISTENS_MAX 4

/* A configuration of nothing but addresses. */
struct world {
	struct config config;
	struct config_listen listens[LISTENS_MAX];
	struct listeners listeners;
};

static void add(struct world *world, const char *host, uint16_t port)
{
	struct config_listen *listen = &world->listens[world->config.listen_count++];

	*listen = (struct config_listen){.kind = CONFIG_LISTEN_TCP,
					 .address = (char *)(uintptr_t) "tcp",
					 .host = (char *)(uintptr_t)host,
					 .port = port};
}

static void add_path(struct world *world, char *path)
{
	struct config_listen *listen = &world->listens[world->config.listen_count++];

	*listen = (struct config_listen){.kind = CONFIG_LISTEN_UNIX, .address = path, .path = path};
}

static enum thaw_status open_world(struct world *world, const struct world *before, const struct handed *handed,
				   struct thaw_error *err)
{
	world->config.listens = world->listens;
	return listeners_open(&world->listeners, &world->config, before != NULL ? &before->listeners : NULL, handed,
			      err);
}

static void assert_opens(struct world *world, const struct world *before)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	if (open_world(world, before, NULL, &err) != THAW_OK)
		fail_msg("%s", err.text);
}

static void close_world(struct world *world)
{
	listeners_withdraw(&world->listeners, NULL);
	listeners_free(&world->listeners);
}

static bool same_socket(int a, int b)
{
	struct stat one, other;

	assert_int_equal(fstat(a, &one), 0);
	assert_int_equal(fstat(b, &other), 0);
	return one.st_ino == other.st_ino;
}

static const struct listener *item(const struct world *world, size_t i)
{
	return &world->listeners.items[i];
}

static void test_an_unchanged_address_keeps_its_socket(void **state)
{
	struct world first = {0}, second = {0};

	(void)state;
	add(&first, "127.0.0.1", 0);
	add(&first, "127.0.0.1", 0);
	assert_opens(&first, NULL);
	assert_false(item(&first, 0)->kept);
	/* Several that leave the port open are told apart by their order. */
	add(&second, "127.0.0.1", 0);
	add(&second, "127.0.0.1", 0);
	add(&second, "127.0.0.1", 0);
	assert_opens(&second, &first);
	for (size_t i = 0; i < 2; i++) {
		assert_true(item(&second, i)->kept);
		assert_true(same_socket(item(&first, i)->fd, item(&second, i)->fd));
		assert_int_not_equal(item(&first, i)->fd, item(&second, i)->fd);
		assert_string_equal(item(&first, i)->name, item(&second, i)->name);
	}
	assert_false(item(&second, 2)->kept);
	close_world(&first);
	close_world(&second);
}

/* However the address is written, and wherever it stands. */
static void test_addresses_are_compared_as_numbers(void **state)
{
	struct world first = {0}, second = {0};

	(void)state;
	add(&first, "::1", 0);
	add(&first, "127.0.0.1", 0);
	assert_opens(&first, NULL);
	add(&second, "127.0.0.1", 0);
	add(&second, "0:0:0:0:0:0:0:1", 0);
	assert_opens(&second, &first);
	assert_true(same_socket(item(&first, 0)->fd, item(&second, 1)->fd));
	assert_true(same_socket(item(&first, 1)->fd, item(&second, 0)->fd));
	close_world(&first);
	close_world(&second);
}

static void test_a_unix_socket_s_file_goes_with_the_last_configuration(void **state)
{
	struct world first = {0}, second = {0}, third = {0};
	char folder[] = "listen-XXXXXX", *path = NULL, *other = NULL;
	struct stat info;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_true(asprintf(&path, "%s/one", folder) > 0);
	assert_true(asprintf(&other, "%s/other", folder) > 0);
	add_path(&first, path);
	assert_opens(&first, NULL);
	add_path(&second, other);
	add_path(&second, path);
	assert_opens(&second, &first);
	listeners_withdraw(&first.listeners, &second.listeners);
	assert_int_equal(stat(path, &info), 0);
	add_path(&third, other);
	assert_opens(&third, &second);
	listeners_withdraw(&second.listeners, &third.listeners);
	assert_int_equal(stat(path, &info), -1);
	assert_int_equal(stat(other, &info), 0);
	listeners_withdraw(&third.listeners, NULL);
	assert_int_equal(stat(other, &info), -1);
	listeners_free(&first.listeners);
	listeners_free(&second.listeners);
	listeners_free(&third.listeners);
	assert_int_equal(rmdir(folder), 0);
	free(path);
	free(other);
}

/* What was opened before the one that fails is closed again, and its file removed; what is in use stays. */
static void test_all_or_none(void **state)
{
	struct world first = {0}, second = {0};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char folder[] = "listen-XXXXXX", *kept = NULL, *added = NULL;
	struct stat info;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_true(asprintf(&kept, "%s/kept", folder) > 0);
	assert_true(asprintf(&added, "%s/added", folder) > 0);
	add(&first, "127.0.0.1", 0);
	add_path(&first, kept);
	assert_opens(&first, NULL);
	add_path(&second, kept);
	add_path(&second, added);
	add(&second, "127.0.0.1", socket_port(item(&first, 0)->fd)); /* in use: it was "any free one" before */
	assert_int_equal(open_world(&second, &first, NULL, &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_SYSTEM);
	assert_non_null(strstr(err.text, strerror(EADDRINUSE)));
	assert_int_equal(stat(kept, &info), 0);
	assert_int_equal(stat(added, &info), -1);
	close_world(&first);
	assert_int_equal(rmdir(folder), 0);
	free(kept);
	free(added);
}

/* Over the loopback address of that family. */
static bool can_connect(int family, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	int failed = family == AF_INET ? connect(fd, (const struct sockaddr *)&v4, sizeof(v4))
				       : connect(fd, (const struct sockaddr *)&v6, sizeof(v6));
	(void)close(fd);
	return failed == 0;
}

static void test_an_ipv6_address_for_one_family_or_both(void **state)
{
	struct world only = {0}, both = {0}, other = {0};
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	(void)state;
	add(&only, "::", 0);
	assert_opens(&only, NULL);
	assert_true(can_connect(AF_INET6, socket_port(item(&only, 0)->fd)));
	assert_false(can_connect(AF_INET, socket_port(item(&only, 0)->fd)));
	add(&both, "::", 0);
	both.listens[0].takes_ipv4 = true;
	assert_opens(&both, NULL);
	uint16_t port = socket_port(item(&both, 0)->fd);
	assert_true(can_connect(AF_INET6, port));
	assert_true(can_connect(AF_INET, port));
	/* A socket for both families is not kept for one. */
	both.listens[0].port = port;
	add(&other, "::", port);
	assert_int_equal(open_world(&other, &both, NULL, &err), THAW_FAILED);
	assert_non_null(strstr(err.text, strerror(EADDRINUSE)));
	close_world(&only);
	close_world(&both);
}

static void test_the_admin_address_is_passed_too(void **state)
{
	struct world first = {0}, second = {0}, third = {0};
	struct config_listen admin = {.kind = CONFIG_LISTEN_TCP,
				      .address = (char *)(uintptr_t) "admin",
				      .host = (char *)(uintptr_t) "127.0.0.1"};

	(void)state;
	add(&first, "127.0.0.1", 0);
	first.config.admin = &admin;
	assert_opens(&first, NULL);
	assert_true(first.listeners.admin.fd >= 0);
	add(&second, "127.0.0.1", 0);
	second.config.admin = &admin;
	assert_opens(&second, &first);
	assert_true(same_socket(first.listeners.admin.fd, second.listeners.admin.fd));
	assert_false(same_socket(item(&second, 0)->fd, second.listeners.admin.fd));
	add(&third, "127.0.0.1", 0);
	assert_opens(&third, &second);
	assert_int_equal(third.listeners.admin.fd, -1);
	close_world(&first);
	close_world(&second);
	close_world(&third);
}

/* ---- handed over by a service manager ---- */

static int listening(struct thaw_error *err)
{
	int fd = socket_listen("127.0.0.1", 0, err);

	assert_true(fd >= 0);
	return fd;
}

static void test_a_handed_socket_is_taken_by_its_address(void **state)
{
	struct world world = {0};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct handed handed = {.first = listening(&err), .count = 1};

	(void)state;
	add(&world, "127.0.0.1", 0);
	add(&world, "127.0.0.1", socket_port(handed.first));
	assert_int_equal(open_world(&world, NULL, &handed, &err), THAW_OK);
	assert_false(item(&world, 0)->handed);
	assert_true(item(&world, 1)->handed);
	assert_true(same_socket(item(&world, 1)->fd, handed.first));
	close_world(&world);
	handed_close(&handed);
}

static void test_a_passed_socket_without_a_listen_entry(void **state)
{
	struct world world = {0};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct handed handed = {.first = listening(&err), .count = 1};

	(void)state;
	add(&world, "127.0.0.1", 0); /* any free one is not this one */
	assert_int_equal(open_world(&world, NULL, &handed, &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_CONFIG);
	assert_non_null(strstr(err.text, "'listen'"));
	handed_close(&handed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_unchanged_address_keeps_its_socket),
		cmocka_unit_test(test_addresses_are_compared_as_numbers),
		cmocka_unit_test(test_a_unix_socket_s_file_goes_with_the_last_configuration),
		cmocka_unit_test(test_all_or_none),
		cmocka_unit_test(test_an_ipv6_address_for_one_family_or_both),
		cmocka_unit_test(test_the_admin_address_is_passed_too),
		cmocka_unit_test(test_a_handed_socket_is_taken_by_its_address),
		cmocka_unit_test(test_a_passed_socket_without_a_listen_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
