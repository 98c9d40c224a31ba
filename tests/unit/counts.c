/* What workers share of their connections' counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "loop/counts.h"

#define WORKERS 4

static struct counts counts;

static int begin(void **state)
{
	(void)state;
	return counts_make(&counts, WORKERS) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	counts_free(&counts);
	return 0;
}

static uint64_t key_of(const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return counts_key(&counts, (const struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return counts_key(&counts, (const struct sockaddr *)&v6);
}

static void a_client_is_an_ipv4_address_or_an_ipv6_64(void **state)
{
	(void)state;
	assert_int_equal(key_of("192.0.2.1"), key_of("::ffff:192.0.2.1"));
	assert_int_not_equal(key_of("192.0.2.1"), key_of("192.0.2.2"));
	assert_int_equal(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
	assert_int_not_equal(key_of("2001:db8:1:2::1"), key_of("2001:db8:1:3::1"));
	assert_int_not_equal(key_of("::"), 0);
}

static void a_client_counts_in_all_other_workers(void **state)
{
	uint64_t one = key_of("192.0.2.1"), other = key_of("192.0.2.2");

	(void)state;
	for (unsigned i = 0; i < WORKERS; i++) {
		counts_say_open(&counts, i, 1);
		counts_add(&counts, i, one);
	}
	assert_int_equal(counts_open(&counts), WORKERS);
	assert_int_equal(counts_elsewhere(&counts, 0, one), WORKERS - 1);
	assert_int_equal(counts_elsewhere(&counts, 0, other), 0);
	counts_remove(&counts, 1, one);
	counts_say_open(&counts, 1, 0);
	assert_int_equal(counts_elsewhere(&counts, 0, one), WORKERS - 2);
	assert_int_equal(counts_open(&counts), WORKERS - 1);
}

static void what_a_dead_worker_had_is_given_back(void **state)
{
	uint64_t one = key_of("192.0.2.1");

	(void)state;
	counts_say_open(&counts, 2, 1);
	counts_add(&counts, 2, one);
	counts_say_takes(&counts, 2, true);
	assert_true(counts_another_takes(&counts, 0));
	assert_false(counts_another_takes(&counts, 2));
	counts_reclaim(&counts, 2);
	assert_int_equal(counts_open(&counts), 0);
	assert_int_equal(counts_elsewhere(&counts, 0, one), 0);
	assert_false(counts_another_takes(&counts, 0));
}

/* Five thousand others in another worker do not make one that has nothing look as if it had. */
static void clients_hardly_share_all_cells(void **state)
{
	char text[32];
	unsigned wrong = 0;

	(void)state;
	counts_say_open(&counts, 1, 5000);
	for (unsigned i = 0; i < 5000; i++) {
		struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000 + i)};
		counts_add(&counts, 1, counts_key(&counts, (const struct sockaddr *)&v4));
	}
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(text, sizeof(text), "192.0.2.%u", i);
		wrong += counts_elsewhere(&counts, 0, key_of(text)) > 0;
	}
	assert_in_range(wrong, 0, 40); /* 26 % of each row's cells: 4 in 200 expected */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_client_is_an_ipv4_address_or_an_ipv6_64, begin, end),
		cmocka_unit_test_setup_teardown(a_client_counts_in_all_other_workers, begin, end),
		cmocka_unit_test_setup_teardown(what_a_dead_worker_had_is_given_back, begin, end),
		cmocka_unit_test_setup_teardown(clients_hardly_share_all_cells, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
