/* Which route is a request's: longest path first, methods narrow it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/route.h"

static char put[] = "PUT", post[] = "POST", get[] = "GET";
static char *writes[] = {put, post, NULL}, *reads[] = {get, NULL};

static struct config_route settings[] = {
	{.path = (char[]){"/"}},
	{.path = (char[]){"/secure/"}},
	{.path = (char[]){"/secure"}, .methods = reads},
	{.path = (char[]){"/late"}, .methods = writes},
	{.path = (char[]){"/late/open"}},
	{.path = (char[]){"/both"}},
	{.path = (char[]){"/both"}, .methods = reads},
};
#define ROUTES (sizeof(settings) / sizeof(settings[0]))

/* The settings' index of the route; -1: none. */
static int find(size_t count, const char *method, const char *path)
{
	struct config_host config = {.routes = settings, .route_count = count};
	struct gw_route routes[ROUTES];
	struct gw_host host = {.config = &config, .routes = routes};

	for (size_t i = 0; i < ROUTES; i++)
		routes[i] = (struct gw_route){.config = &settings[i]};
	const struct gw_route *found =
		gw_route_find(&host, (struct http_span){method, strlen(method)}, path, strlen(path));
	return found != NULL ? (int)(found - routes) : -1;
}

static void longest_path_wins(void **state)
{
	(void)state;
	assert_int_equal(find(ROUTES, "PUT", "/"), 0);
	assert_int_equal(find(ROUTES, "PUT", "/late"), 3);
	assert_int_equal(find(ROUTES, "PUT", "/late/x"), 3);
	assert_int_equal(find(ROUTES, "PUT", "/late/open/x"), 4);
	assert_int_equal(find(ROUTES, "PUT", "/later"), 0);
	assert_int_equal(find(ROUTES, "PUT", "/late/opened"), 3);
}

static void methods_narrow(void **state)
{
	(void)state;
	assert_int_equal(find(ROUTES, "GET", "/late"), 0);
	assert_int_equal(find(ROUTES, "POST", "/late"), 3);
	assert_int_equal(find(ROUTES, "put", "/late"), 0); /* methods are case-sensitive (RFC 9110 9.1) */
	assert_int_equal(find(ROUTES, "GET", "/both"), 6);
	assert_int_equal(find(ROUTES, "PUT", "/both"), 5);
}

static void with_and_without_the_slash(void **state)
{
	(void)state;
	assert_int_equal(find(ROUTES, "GET", "/secure"), 2);
	assert_int_equal(find(ROUTES, "PUT", "/secure"), 1); /* "/secure/" guards "/secure", too */
	assert_int_equal(find(ROUTES, "GET", "/secure/"), 1);
	assert_int_equal(find(ROUTES, "GET", "/secure/x"), 1);
}

static void none(void **state)
{
	(void)state;
	assert_int_equal(find(0, "GET", "/"), -1);
	assert_int_equal(find(ROUTES, "OPTIONS", "*"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_path_wins),
		cmocka_unit_test(methods_narrow),
		cmocka_unit_test(with_and_without_the_slash),
		cmocka_unit_test(none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
