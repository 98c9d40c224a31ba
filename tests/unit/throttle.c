/* Requests of each client: when they go on, when again, who is counted together, what a full table does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "gateway/throttle.h"

#define NOW_MS UINT64_C(123456789)

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static struct throttle *table;

static int set_up(void **state)
{
	(void)state;
	table = throttle_new();
	return table != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	throttle_free(&table);
	return 0;
}

static const struct throttle_rate ten_a_second = {.requests = 10, .period_ms = 1000, .burst = 5};

static struct throttle_client from(const char *text)
{
	static union address address;

	memset(&address, 0, sizeof(address));
	address.any.sa_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	if (address.any.sa_family == AF_INET)
		assert_int_equal(inet_pton(AF_INET, text, &address.v4.sin_addr), 1);
	else
		assert_int_equal(inet_pton(AF_INET6, text, &address.v6.sin6_addr), 1);
	return (struct throttle_client){.address = &address.any, .host = "api.example"};
}

static struct throttle_client number(uint32_t n)
{
	static union address address;

	address = (union address){.v4 = {.sin_family = AF_INET, .sin_addr = {htonl(n)}}};
	return (struct throttle_client){.address = &address.any, .host = "api.example"};
}

static bool take(const struct throttle_client *client, const struct throttle_rate *rate, uint64_t now_ms)
{
	uint64_t wait_ms;

	return throttle_take(table, client, rate, now_ms, &wait_ms);
}

/* How many go on at once. */
static unsigned many(const struct throttle_client *client, const struct throttle_rate *rate, uint64_t now_ms)
{
	unsigned count = 0;

	while (count < 100000 && take(client, rate, now_ms))
		count++;
	return count;
}

static void a_burst_goes_on_then_the_rate(void **state)
{
	struct throttle_client client = from("192.0.2.1");
	uint64_t wait_ms = 0;

	(void)state;
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 5);
	assert_false(throttle_take(table, &client, &ten_a_second, NOW_MS, &wait_ms));
	assert_int_equal(wait_ms, 100);
	assert_false(throttle_take(table, &client, &ten_a_second, NOW_MS + 99, &wait_ms));
	assert_int_equal(wait_ms, 1);
	assert_true(take(&client, &ten_a_second, NOW_MS + 100));
	assert_false(take(&client, &ten_a_second, NOW_MS + 100));
	assert_int_equal(many(&client, &ten_a_second, NOW_MS + 350), 2);
}

static void what_was_not_used_is_not_more_than_a_burst(void **state)
{
	struct throttle_client client = from("192.0.2.1");

	(void)state;
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 5);
	assert_int_equal(many(&client, &ten_a_second, NOW_MS + 3600000), 5);
}

static void refused_requests_do_not_count(void **state)
{
	struct throttle_client client = from("192.0.2.1");

	(void)state;
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 5);
	for (int i = 0; i < 1000; i++)
		assert_false(take(&client, &ten_a_second, NOW_MS + 50));
	assert_true(take(&client, &ten_a_second, NOW_MS + 100));
}

/* In a minute with the requests spread out, of each rate. */
static void each_rate_is_kept(void **state)
{
	static const struct throttle_rate rates[] = {
		{1000, 1000, 1}, {999, 1000, 1}, {7, 1000, 1}, {30, 60000, 1}, {1, 60000, 1}};
	struct throttle_client client = from("192.0.2.1");

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t count = 0, wanted = rates[i].requests * 60000 / rates[i].period_ms;
		client.path = i % 2 == 0 ? "/a" : "/b";
		client.host = (const char *[]){"0", "1", "2", "3", "4"}[i];
		for (uint64_t ms = 0; ms < 60000; ms++)
			count += take(&client, &rates[i], NOW_MS + ms);
		assert_in_range(count, wanted * 97 / 100, wanted + wanted / 50 + 1);
	}
}

static void each_address_host_and_route_counts_by_itself(void **state)
{
	struct throttle_client one = from("192.0.2.1");

	(void)state;
	assert_int_equal(many(&one, &ten_a_second, NOW_MS), 5);
	one.host = "www.example";
	assert_int_equal(many(&one, &ten_a_second, NOW_MS), 5);
	one.path = "/login";
	assert_int_equal(many(&one, &ten_a_second, NOW_MS), 5);
	one.method = "POST";
	assert_int_equal(many(&one, &ten_a_second, NOW_MS), 5);
	assert_int_equal(many(&one, &ten_a_second, NOW_MS), 0);
	one = from("192.0.2.2");
	assert_int_equal(many(&one, &ten_a_second, NOW_MS), 5);
}

static void addresses_of_one_client_count_together(void **state)
{
	struct throttle_client client = from("2001:db8:1:2::1");

	(void)state;
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 5);
	client = from("2001:db8:1:2:ffff::9");
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 0);
	client = from("2001:db8:1:3::1");
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 5);
	client = from("192.0.2.7");
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 5);
	client = from("::ffff:192.0.2.7");
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 0);
}

static void clients_without_an_address_are_not_counted(void **state)
{
	struct sockaddr local = {.sa_family = AF_UNIX};
	struct throttle_client client = {.address = &local, .host = "api.example"};

	(void)state;
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 100000);
	client.address = NULL;
	assert_int_equal(many(&client, &ten_a_second, NOW_MS), 100000);
}

static void a_faster_rate_after_a_reload_is_not_kept_waiting(void **state)
{
	static const struct throttle_rate slow = {.requests = 1, .period_ms = 3600000, .burst = 20};
	struct throttle_client client = from("192.0.2.1");
	uint64_t wait_ms = 0;

	(void)state;
	assert_int_equal(many(&client, &slow, NOW_MS), 20);
	assert_false(throttle_take(table, &client, &ten_a_second, NOW_MS, &wait_ms));
	assert_int_equal(wait_ms, 100);
}

/* Which is so long that the time has to come around in between. */
static void the_clock_may_be_anything(void **state)
{
	struct throttle_client client = from("192.0.2.1");
	uint64_t around_ms = (UINT64_C(1) << 40) / 64;

	(void)state;
	assert_int_equal(many(&client, &ten_a_second, around_ms - 200), 5);
	assert_int_equal(many(&client, &ten_a_second, around_ms), 2);
}

/* Those that have used most are the last to be forgotten. */
static void a_full_table_forgets_the_client_that_used_least(void **state)
{
	static const struct throttle_rate rate = {.requests = 1, .period_ms = 60000, .burst = 100};
	struct throttle_client heavy = from("198.51.100.1");

	(void)state;
	assert_int_equal(many(&heavy, &rate, NOW_MS), 100);
	for (uint32_t i = 0; i < 4 * THROTTLE_CLIENTS; i++) {
		struct throttle_client client = number(0x0a000000 + i);
		assert_true(take(&client, &rate, NOW_MS));
	}
	assert_int_equal(many(&heavy, &rate, NOW_MS), 0);
}

/* Two processes count what one may have. */
static void processes_count_together(void **state)
{
	static const struct throttle_rate rate = {.requests = 1, .period_ms = 60000, .burst = 1000};
	struct throttle_client client = from("192.0.2.1");
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		unsigned count = many(&client, &rate, NOW_MS);
		_exit(write(ends[1], &count, sizeof(count)) == (ssize_t)sizeof(count) ? 0 : 1);
	}
	unsigned own = many(&client, &rate, NOW_MS), other = 0;
	assert_int_equal(read(ends[0], &other, sizeof(other)), sizeof(other));
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(own + other, 1000);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_burst_goes_on_then_the_rate),
		CASE(what_was_not_used_is_not_more_than_a_burst),
		CASE(refused_requests_do_not_count),
		CASE(each_rate_is_kept),
		CASE(each_address_host_and_route_counts_by_itself),
		CASE(addresses_of_one_client_count_together),
		CASE(clients_without_an_address_are_not_counted),
		CASE(a_faster_rate_after_a_reload_is_not_kept_waiting),
		CASE(the_clock_may_be_anything),
		CASE(a_full_table_forgets_the_client_that_used_least),
		CASE(processes_count_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
