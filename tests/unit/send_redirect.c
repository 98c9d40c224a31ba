/* Which redirections are followed, with what, and what URLs are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "send/redirect.h"
#include "send/url.h"

static void only_307_and_308_are_followed_and_only_on_wish(void **state)
{
	static const struct {
		const char *from, *to;
		long status;
		unsigned max, followed;
		bool repeatable;
		enum send_follow follow;
	} rows[] = {
		{"https://a/x", "https://a/y", 307, 1, 0, true, SEND_FOLLOW},
		{"https://a/x", "https://b/y", 308, 2, 1, true, SEND_FOLLOW},
		{"http://a/x", "https://a/y", 308, 1, 0, true, SEND_FOLLOW},
		{"http://a/x", "http://b/y", 308, 1, 0, true, SEND_FOLLOW},
		{"https://a/x", "https://a/y", 301, 1, 0, true, SEND_FOLLOW_STATUS},
		{"https://a/x", "https://a/y", 303, 1, 0, true, SEND_FOLLOW_STATUS},
		{"https://a/x", "", 307, 1, 0, true, SEND_FOLLOW_NOWHERE},
		{"https://a/x", "https://a/y", 307, 0, 0, true, SEND_FOLLOW_UNASKED},
		{"https://a/x", "https://a/y", 307, 1, 1, true, SEND_FOLLOW_LIMIT},
		{"https://a/x", "http://a/y", 307, 1, 0, true, SEND_FOLLOW_PLAIN},
		{"HTTPS://a/x", "HTTP://a/y", 307, 1, 0, true, SEND_FOLLOW_PLAIN},
		{"https://a/x", "file:///etc/passwd", 307, 1, 0, true, SEND_FOLLOW_SCHEME},
		{"https://a/x", "https://a/y", 307, 1, 0, false, SEND_FOLLOW_BODY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct send_options options = {.url = rows[i].from, .follow_max = rows[i].max};
		assert_int_equal(
			send_follows(&options, rows[i].status, rows[i].to, rows[i].followed, rows[i].repeatable),
			rows[i].follow);
	}
}

static void another_origin_gets_nothing_that_may_be_a_credential(void **state)
{
	static const char *const others[] = {"https://b/y", "https://a:444/y", "https://a.b/y", "http://a/y"};
	static const char *const same[] = {"https://a/y", "https://A:443/y", "https://u:p@a/"};
	struct send_options next, from = {.url = "https://a/x",
					  .headers = {"Authorization: x", "Content-Type: t", "accept: j", "X-Key: k",
						      "Host: h", "Cookie: c"},
					  .header_count = 6,
					  .credentials = (const void *)"c",
					  .fault = "f",
					  .user = "u:p",
					  .sni = "s",
					  .prime_url = "https://a/p"};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		from.follow_trusting = false;
		send_redirect(&from, others[i], &next);
		assert_string_equal(next.url, others[i]);
		assert_true(next.credentials == NULL && next.fault == NULL && next.user == NULL);
		assert_true(next.sni == NULL && next.prime_url == NULL);
		assert_int_equal(next.header_count, 2);
		assert_string_equal(next.headers[0], "Content-Type: t");
		assert_string_equal(next.headers[1], "accept: j");
		from.follow_trusting = true;
		send_redirect(&from, others[i], &next);
		assert_true(next.credentials != NULL && next.user != NULL && next.sni == NULL);
		assert_int_equal(next.header_count, 5); /* all but Host */
	}
	from.follow_trusting = false;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		send_redirect(&from, same[i], &next);
		assert_true(next.credentials != NULL && next.user != NULL && next.sni != NULL &&
			    next.prime_url != NULL);
		assert_int_equal(next.header_count, 6);
	}
}

static void check_text(char *made, const char *expected)
{
	if (expected == NULL)
		assert_null(made);
	else
		assert_string_equal(made, expected);
	free(made);
}

static void urls(void **state)
{
	static const char *const joins[][3] = {
		{"https://a:1/b/c?d", "e", "https://a:1/b/e"}, {"https://a:1/b/c?d", "/e?f", "https://a:1/e?f"},
		{"https://a:1/b", "//c/d", "https://c/d"},     {"https://a/b", "https://c", "https://c/"},
		{"https://a/b", "ftp://c/d", "ftp://c/d"},     {"https://a/b", "https://", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(joins) / sizeof(joins[0]); i++)
		check_text(send_url_join(joins[i][0], joins[i][1]), joins[i][2]);
	check_text(send_url_host("https://u:p@[::1]:8443/x"), "[::1]");
	check_text(send_url_host("https://h.example/x:1"), "h.example");
	check_text(send_url_with_host("https://u@h:1/x?h", "n"), "https://u@n:1/x?h");
	check_text(send_url_with_host("https://[::1]:1/x", "n"), "https://n:1/x");
	check_text(send_url_authority("https://u:p@h:443/x"), "h");
	check_text(send_url_authority("https://[::1]:1/x"), "[::1]:1");
	check_text(send_url_without_user("https://u:p@h/x"), "https://h/x");
	assert_int_equal(send_url_relation("https://a/x", "https://a:443/y"), SEND_URL_SAME_ORIGIN);
	assert_int_equal(send_url_relation("https://a/x", "https://a:443@b/y"), SEND_URL_OTHER_ORIGIN);
	assert_int_equal(send_url_relation("https://a/x", "https://"), SEND_URL_MALFORMED);
	assert_true(send_url_is_folder("https://a") && send_url_is_folder("https://a/b/?c") &&
		    !send_url_is_folder("https://a/b?/"));
	assert_null(send_url_fault("https://a/x"));
	assert_non_null(send_url_fault("https://a:99999/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_307_and_308_are_followed_and_only_on_wish),
		cmocka_unit_test(another_origin_gets_nothing_that_may_be_a_credential),
		cmocka_unit_test(urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
