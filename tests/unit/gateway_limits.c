/* Limits that the configuration sets, instead of the defaults. */
#define HOST_SETTINGS "  max_request_body: 1000\n"
#include "gateway_world.h"

#define PUT "PUT / HTTP/1.1\r\nHost: localhost\r\n"

static char request[4096];

static const char *chunked(size_t chunks, size_t size)
{
	size_t len = (size_t)snprintf(request, sizeof(request), PUT "Transfer-Encoding: chunked\r\n\r\n");

	for (size_t i = 0; i < chunks; i++)
		len += (size_t)snprintf(request + len, sizeof(request) - len, "%zx\r\n%0*d\r\n", size, (int)size, 0);
	return request;
}

static void a_body_at_the_limit_is_accepted(void **state)
{
	(void)state;
	(void)snprintf(request, sizeof(request), PUT "Content-Length: 1000\r\n\r\n%0999d", 0);
	assert_int_equal(answered_after(request, "0", 1, "200"), 1);
	assert_int_equal(answered_after(chunked(2, 500), "0\r\n\r\n", 1, "200"), 5);
}

/* By its head alone: neither a byte of it nor a 100 is waited for. */
static void a_length_above_the_limit_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(answered_after(PUT "Content-Length: 1001\r\n\r\n", "0", 1, "413"), 1);
	assert_int_equal(answered_after(PUT "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n", "0", 1, "413"), 1);
	assert_int_equal(answered_after(PUT "Content-Length: 9000000000000000000\r\n\r\n", "0", 1, "413"), 1);
}

static void chunks_above_the_limit_are_refused(void **state)
{
	(void)state;
	assert_int_equal(answered_after(chunked(2, 500), "1\r\n0\r\n", 1, "413"), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_at_the_limit_is_accepted),
		cmocka_unit_test(a_length_above_the_limit_is_refused_at_once),
		cmocka_unit_test(chunks_above_the_limit_are_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
