/* Who is let through by address, and which of two routes lets fewer through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "gateway/access.h"

#define LIST_MAX 4

/* An access with lists of networks, separated by blanks. */
struct made {
	struct network allow[LIST_MAX], deny[LIST_MAX];
	struct config_access access;
};

static void read_list(const char *text, struct network *items, struct config_networks *networks)
{
	char copy[128], *rest = copy;

	(void)strncpy(copy, text, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	networks->items = items;
	for (char *one; (one = strsep(&rest, " ")) != NULL;)
		if (*one != '\0')
			assert_null(network_parse(one, &items[networks->count++]));
	networks->count = network_sort(items, networks->count);
}

static const struct config_access *make(struct made *made, const char *allow, const char *deny)
{
	memset(made, 0, sizeof(*made));
	read_list(allow, made->allow, &made->access.allow);
	read_list(deny, made->deny, &made->access.deny);
	return &made->access;
}

static bool passes(const char *allow, const char *deny, const char *from)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {.v6 = {.sin6_family = AF_INET6}};
	struct made made;

	if (strcmp(from, "unix") == 0)
		address.any.sa_family = AF_UNIX;
	else if (strcmp(from, "unknown") == 0)
		return gw_access(make(&made, allow, deny), NULL);
	else if (inet_pton(AF_INET6, from, &address.v6.sin6_addr) != 1) {
		address.v4 = (struct sockaddr_in){.sin_family = AF_INET};
		assert_int_equal(inet_pton(AF_INET, from, &address.v4.sin_addr), 1);
	}
	return gw_access(make(&made, allow, deny), &address.any);
}

static void without_lists_all_pass(void **state)
{
	(void)state;
	assert_true(passes("", "", "192.0.2.1"));
	assert_true(passes("", "", "2001:db8::1"));
	assert_true(passes("", "", "unix"));
	assert_true(passes("", "", "unknown"));
}

static void allow_list_admits_only_listed_networks(void **state)
{
	(void)state;
	assert_true(passes("10.0.0.0/8 2001:db8::/32", "", "10.255.0.1"));
	assert_true(passes("10.0.0.0/8 2001:db8::/32", "", "2001:db8::1"));
	assert_true(passes("10.0.0.0/8", "", "::ffff:10.0.0.1"));
	assert_false(passes("10.0.0.0/8 2001:db8::/32", "", "11.0.0.1"));
	assert_false(passes("10.0.0.0/8 2001:db8::/32", "", "2001:db9::1"));
	assert_false(passes("10.0.0.0/8", "", "unix"));
	assert_false(passes("10.0.0.0/8 unix", "", "unknown"));
	assert_true(passes("unix", "", "unix"));
	assert_false(passes("::/0", "", "10.0.0.1"));
}

static void a_deny_list_counts_more(void **state)
{
	(void)state;
	assert_false(passes("", "10.0.0.0/8", "10.0.0.1"));
	assert_false(passes("", "10.0.0.0/8", "::ffff:10.0.0.1"));
	assert_true(passes("", "10.0.0.0/8", "11.0.0.1"));
	assert_true(passes("", "10.0.0.0/8", "unix"));
	assert_false(passes("", "unix", "unix"));
	assert_false(passes("10.0.0.0/8", "10.1.0.0/16", "10.1.0.1"));
	assert_true(passes("10.0.0.0/8", "10.1.0.0/16", "10.2.0.1"));
	assert_true(passes("", "10.0.0.0/8", "unknown"));
}

/* "ALLOW|DENY" of each. */
static bool stricter(const char *allow_a, const char *deny_a, const char *allow_b, const char *deny_b)
{
	struct made a, b;

	return gw_access_is_stricter(make(&a, allow_a, deny_a), make(&b, allow_b, deny_b));
}

static void a_narrower_list_is_stricter(void **state)
{
	(void)state;
	assert_true(stricter("", "", "", ""));
	assert_true(stricter("10.0.0.0/8", "", "", ""));
	assert_false(stricter("", "", "10.0.0.0/8", ""));
	assert_true(stricter("10.1.0.0/16", "", "10.0.0.0/8", ""));
	assert_false(stricter("10.0.0.0/8", "", "10.1.0.0/16", ""));
	assert_false(stricter("10.1.0.0/16 unix", "", "10.0.0.0/8", ""));
	assert_true(stricter("", "10.0.0.0/8", "", "10.1.0.0/16"));
	assert_false(stricter("", "10.1.0.0/16", "", "10.0.0.0/8"));
	assert_false(stricter("", "", "", "unix"));
	assert_true(stricter("11.0.0.0/8", "", "", "10.0.0.0/8"));
	assert_false(stricter("10.1.0.0/16 11.0.0.0/8", "", "", "10.0.0.0/8"));
}

static bool slower(struct config_rate a, struct config_rate b)
{
	const struct config_access of_a = {.rate = a}, of_b = {.rate = b};

	return gw_access_is_stricter(&of_a, &of_b);
}

static void the_slower_rate_is_stricter(void **state)
{
	struct config_rate none = {0}, ten = {10, 1000, 20, false}, same = {600, 60000, 20, true};
	struct config_rate bursts = {1, 1000, 100, true}, slow = {1, 60000, 5, true};

	(void)state;
	assert_true(slower(none, none));
	assert_true(slower(ten, none));
	assert_false(slower(none, ten));
	assert_true(slower(ten, same) && slower(same, ten));
	assert_true(slower(slow, ten));
	assert_false(slower(ten, slow));
	assert_false(slower(bursts, ten) || slower(ten, bursts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_lists_all_pass),      cmocka_unit_test(allow_list_admits_only_listed_networks),
		cmocka_unit_test(a_deny_list_counts_more),     cmocka_unit_test(a_narrower_list_is_stricter),
		cmocka_unit_test(the_slower_rate_is_stricter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
