/* What a master hands to its successor, by way of the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/handover.h"
#include "loop/listen.h"

#define NAME "THAW_HANDOVER"

static int a_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* As after exec(2): the same process id, the same descriptors. */
static void test_sockets_arrive_with_their_addresses(void **state)
{
	char texts[][16] = {"127.0.0.1:0", "unix:/a b", "[::1]:1", "unix:/admin"};
	struct config_listen listens[] = {{.address = texts[0]}, {.address = texts[1]}, {.address = texts[2]}};
	struct config_listen admin = {.address = texts[3]};
	struct config config = {.listens = listens, .listen_count = 3, .admin = &admin};
	struct listener items[] = {{.fd = a_socket()}, {.fd = a_socket()}, {.fd = a_socket(), .handed = true}};
	struct listeners listeners = {.config = &config, .items = items, .count = 3, .admin.fd = a_socket()};
	struct handover handover;
	int link = a_socket();

	(void)state;
	assert_true(handover_give(&listeners, link, 0, 2000));
	assert_int_equal(fcntl(items[0].fd, F_GETFD), 0);
	assert_int_equal(fcntl(items[2].fd, F_GETFD), FD_CLOEXEC); /* the service manager's goes another way */
	assert_string_equal(getenv("WATCHDOG_USEC"), "2000000");
	handover_take(&handover);
	assert_null(getenv(NAME));
	assert_int_equal(handover.link, link);
	assert_int_equal(handover.count, 3);
	assert_string_equal(handover.sockets[0].address, "127.0.0.1:0");
	assert_string_equal(handover.sockets[1].address, "unix:/a b");
	assert_string_equal(handover.sockets[2].address, "unix:/admin");
	assert_int_equal(handover.sockets[1].fd, items[1].fd);
	assert_int_equal(fcntl(items[0].fd, F_GETFD), FD_CLOEXEC); /* not for what that process starts */
	assert_int_equal(fcntl(link, F_GETFD), FD_CLOEXEC);
	handover_close(&handover);
	assert_int_equal(fcntl(items[0].fd, F_GETFD), -1);
	(void)close(items[2].fd);
	(void)close(link);
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

static void takes_nothing(const char *text)
{
	struct handover handover;

	assert_int_equal(setenv(NAME, text, 1), 0);
	handover_take(&handover);
	assert_null(getenv(NAME));
	assert_int_equal(handover.link, -1);
	assert_int_equal(handover.count, 0);
	handover_close(&handover);
}

static void test_what_is_for_another_process_is_not_taken(void **state)
{
	static const char *const behind[] = {"",      " ",         " 99999\n", " -1\n",  " 99999999999999999999\n",
					     " 1x\n", " x\n1 a\n", "\n",       " \n\n\n"};
	char text[64];

	(void)state;
	(void)snprintf(text, sizeof(text), "%d 0\n0 unix:/a\n", (int)getpid() + 1);
	takes_nothing(text);
	takes_nothing("");
	takes_nothing("nonsense");
	for (size_t i = 0; i < sizeof(behind) / sizeof(behind[0]); i++) {
		(void)snprintf(text, sizeof(text), "%d%s", (int)getpid(), behind[i]);
		takes_nothing(text);
	}
}

static void test_a_line_that_is_cut_ends_the_list(void **state)
{
	struct handover handover;
	int fd = a_socket(), link = a_socket();
	char text[64];

	(void)state;
	(void)snprintf(text, sizeof(text), "%d %d\n%d unix:/a\n%d unix:/b", (int)getpid(), link, fd, fd);
	assert_int_equal(setenv(NAME, text, 1), 0);
	handover_take(&handover);
	assert_int_equal(handover.count, 1);
	assert_string_equal(handover.sockets[0].address, "unix:/a");
	handover_close(&handover);
	(void)close(link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets_arrive_with_their_addresses),
		cmocka_unit_test(test_what_is_for_another_process_is_not_taken),
		cmocka_unit_test(test_a_line_that_is_cut_ends_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
