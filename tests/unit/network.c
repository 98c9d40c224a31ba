/* Networks: how they are written, and which addresses are in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "base/network.h"

static void each_is_read_and_written_in_its_usual_spelling(void **state)
{
	static const char *const same[][2] = {
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1/32", "192.0.2.1"},
		{"192.0.2.0/24", "192.0.2.0/24"},
		{"10.128.0.0/9", "10.128.0.0/9"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"2001:DB8:0::/32", "2001:db8::/32"},
		{"::1", "::1"},
		{"::1/128", "::1"},
		{"::/0", "::/0"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24"},
		{"::ffff:0:0/96", "0.0.0.0/0"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127"},
		{"unix", "unix"},
	};
	struct network network;
	char text[NETWORK_TEXT_ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_null(network_parse(same[i][0], &network));
		network_text(&network, text);
		assert_string_equal(text, same[i][1]);
	}
}

static void others_are_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"/",
		"/24",
		"localhost",
		"example.com",
		"192.0.2",
		"192.0.2.256",
		"192.0.02.1",
		"192.0.2.1/",
		"192.0.2.1/33",
		"192.0.2.1/032",
		"192.0.2.1/+32",
		"192.0.2.1/32 ",
		"192.0.2.1/32/32",
		"192.0.2.1/24",
		"192.0.2.0/255.255.255.0",
		"192.0.2.1:80",
		"[::1]",
		"::1/129",
		"::1/64",
		"::ffff:192.0.2.1/104",
		"fe80::1%lo",
		"2001:db8::/99999999999999999999",
		"unix:",
		"unix/0",
		"UNIX",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
	};
	struct network network;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (network_parse(wrong[i], &network) == NULL)
			fail_msg("'%s' was read", wrong[i]);
}

static struct network read_one(const char *text)
{
	struct network network;

	assert_null(network_parse(text, &network));
	return network;
}

static bool within(const char *inner, const char *outer)
{
	struct network a = read_one(inner), b = read_one(outer);

	return network_within(&a, &b);
}

static void what_is_within(void **state)
{
	(void)state;
	assert_true(within("192.0.2.1", "192.0.2.1"));
	assert_false(within("192.0.2.1", "192.0.2.2"));
	assert_true(within("192.0.2.255", "192.0.2.0/24"));
	assert_false(within("192.0.3.0", "192.0.2.0/24"));
	assert_true(within("192.0.3.255", "192.0.2.0/23"));
	assert_false(within("192.0.4.0", "192.0.2.0/23"));
	assert_true(within("192.0.2.0/25", "192.0.2.0/24"));
	assert_false(within("192.0.2.0/24", "192.0.2.0/25"));
	assert_true(within("1.2.3.4", "0.0.0.0/0"));
	assert_true(within("2001:db8:ffff::1", "2001:db8::/32"));
	assert_false(within("2001:db9::1", "2001:db8::/32"));
	assert_true(within("::ffff:10.1.2.3", "10.0.0.0/8"));
	assert_true(within("10.1.2.3", "::ffff:10.0.0.0/104"));
	assert_false(within("10.1.2.3", "::/0"));
	assert_false(within("::1", "0.0.0.0/0"));
	assert_true(within("unix", "unix"));
	assert_false(within("unix", "0.0.0.0/0"));
	assert_false(within("0.0.0.0/0", "unix"));
}

#define MANY 200

static size_t read_list(const char *const *texts, size_t count, struct network items[static MANY])
{
	for (size_t i = 0; i < count; i++)
		items[i] = read_one(texts[i]);
	return network_sort(items, count);
}

static void a_list_has_no_network_within_another(void **state)
{
	static const char *const texts[] = {"10.1.0.0/16", "unix",       "::1",  "10.0.0.0/8", "9.0.0.0/8",
					    "10.0.0.0/8",  "10.0.0.0/9", "::/0", "unix"};
	static const char *const left[] = {"9.0.0.0/8", "10.0.0.0/8", "::/0", "unix"};
	struct network items[MANY];
	char text[NETWORK_TEXT_ROOM];

	(void)state;
	assert_int_equal(read_list(texts, sizeof(texts) / sizeof(texts[0]), items), 4);
	for (size_t i = 0; i < 4; i++) {
		network_text(&items[i], text);
		assert_string_equal(text, left[i]);
	}
	assert_int_equal(network_sort(items, 0), 0);
}

static void listed_and_disjoint_networks(void **state)
{
	static const char *const texts[] = {"10.1.0.0/16", "10.3.0.0/16", "192.0.2.1", "2001:db8::/32"};
	struct network items[MANY], one;
	size_t count = read_list(texts, 4, items);

	(void)state;
	static const struct {
		const char *text;
		bool listed, apart;
	} rows[] = {
		{"10.1.0.0/16", true, false}, {"10.1.2.0/24", true, false},  {"10.0.0.0/8", false, false},
		{"10.2.0.0/16", false, true}, {"10.2.0.0/15", false, false}, {"10.0.0.0/16", false, true},
		{"192.0.2.1", true, false},   {"192.0.2.0", false, true},    {"192.0.2.2", false, true},
		{"0.0.0.0/0", false, false},  {"2001:db8::1", true, false},  {"::/0", false, false},
		{"::1", false, true},         {"unix", false, true},         {"2001:db9::1", false, true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		one = read_one(rows[i].text);
		if (network_is_listed(items, count, &one) != rows[i].listed ||
		    network_is_disjoint(items, count, &one) != rows[i].apart)
			fail_msg("%s", rows[i].text);
		assert_false(network_is_listed(items, 0, &one));
		assert_true(network_is_disjoint(items, 0, &one));
	}
}

/* Against each network by itself, with numbers that are the same each time. */
static void a_list_is_what_its_networks_are(void **state)
{
	struct network plain[MANY], items[MANY], one = {.kind = NETWORK_IPV4};
	uint32_t seed = 1;
	unsigned found = 0;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t count = (size_t)round % MANY;
		for (size_t i = 0; i <= count; i++) {
			struct network *next = i < count ? &plain[i] : &one;
			seed = seed * 1664525 + 1013904223;
			*next = (struct network){.kind = NETWORK_IPV4, .bits = 20 + (seed >> 8) % 13};
			uint32_t address = htonl((seed >> 16) & (0xffffffffu << (32 - next->bits)));
			memcpy(next->bytes, &address, sizeof(address));
		}
		memcpy(items, plain, sizeof(items));
		size_t kept = network_sort(items, count);
		bool listed = false, apart = true;
		for (size_t i = 0; i < count; i++) {
			listed |= network_within(&one, &plain[i]);
			apart = apart && !network_within(&one, &plain[i]) && !network_within(&plain[i], &one);
		}
		found += listed;
		assert_int_equal(network_is_listed(items, kept, &one), listed);
		assert_int_equal(network_is_disjoint(items, kept, &one), apart);
	}
	assert_in_range(found, 100, 1990);
}

static void addresses_of_clients(void **state)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = 1, .sin_addr = {htonl(0xc0000201)}};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = 1};
	struct sockaddr local = {.sa_family = AF_UNIX}, unknown = {.sa_family = AF_UNSPEC};
	struct network one;
	char text[NETWORK_TEXT_ROOM];

	(void)state;
	assert_true(network_of((const struct sockaddr *)&v4, &one));
	network_text(&one, text);
	assert_string_equal(text, "192.0.2.1");
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr), 1);
	assert_true(network_of((const struct sockaddr *)&v6, &one));
	network_text(&one, text);
	assert_string_equal(text, "192.0.2.1");
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", &v6.sin6_addr), 1);
	assert_true(network_of((const struct sockaddr *)&v6, &one));
	network_text(&one, text);
	assert_string_equal(text, "2001:db8::1");
	assert_true(network_of(&local, &one));
	assert_int_equal(one.kind, NETWORK_UNIX);
	assert_false(network_of(&unknown, &one));
	assert_false(network_of(NULL, &one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_read_and_written_in_its_usual_spelling),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(what_is_within),
		cmocka_unit_test(a_list_has_no_network_within_another),
		cmocka_unit_test(listed_and_disjoint_networks),
		cmocka_unit_test(a_list_is_what_its_networks_are),
		cmocka_unit_test(addresses_of_clients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
