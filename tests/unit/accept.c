/* Which clients get a page instead of JSON (RFC 9110 12.5.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/accept.h"

static bool prefers(const char *first, const char *second)
{
	struct http_field fields[4];
	struct http_request request = {.fields = fields};

	request.fields[request.field_count++] =
		(struct http_field){{"User-Agent", 10}, {"text/html", 9}}; /* not the field that decides */
	for (int i = 0; i < 2; i++) {
		const char *value = i == 0 ? first : second;
		if (value != NULL)
			request.fields[request.field_count++] =
				(struct http_field){{i == 0 ? "accept" : "ACCEPT", 6}, {value, strlen(value)}};
	}
	return http_prefers_html(&request);
}

static void browsers_get_a_page(void **state)
{
	static const char *const browsers[] = {
		("text/html,application/xhtml+xml,image/avif,image/webp,*/*;q=0.8,application/"
		 "signed-exchange;v=b3;q=0.7"),
		"text/html,application/xhtml+xml,image/gif,*/*;q=0.8",
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"text/html",
		"TEXT/HTML",
		"text/*",
		"text/html;charset=utf-8",
		"text/html ; charset=\"UTF-8\" ; q=0.3, */*;q=0.2",
		"*/*;q=0.1, text/html;q=0.2",
		"application/json;q=0.5, text/html",
		"text/html;q=0.001",
		" , ,text/html",
		"x/y;z=\"a, */*\", text/html;q=0.5",
		"*/*, application/*;q=0.5",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(browsers) / sizeof(browsers[0]); i++)
		if (!prefers(browsers[i], NULL))
			fail_msg("%s", browsers[i]);
	assert_true(prefers("*/*;q=0.8", "text/html"));
}

static void others_get_json(void **state)
{
	static const char *const others[] = {
		NULL,
		"",
		"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", /* HttpURLConnection of Java 17 */
		"text/html, image/gif, */*; q=0.2",                     /* of Java 21 */
		"*/*",
		"application/json",
		"application/problem+json, text/html",
		"text/html, application/json",
		"text/html;q=0.9, application/json",
		"text/html;q=0.8, */*",
		"text/html;q=0, */*;q=0.1",
		"text/html;q=0",
		"text/html;q=0.000",
		"text/html;q=7",
		"text/html;q=1.001",
		"text/html;q=0.1234",
		"text/html;q=",
		"text/html;q=x",
		"text/html;q=0x1",
		"text/html;level=1",
		"text/html;charset=iso-8859-1",
		"text/plain",
		"text",
		"text/htmlx",
		"\"text/html\"",
		"x/y;z=\", text/html",
		"x/y;z=\"\\\", text/html",
		"x/y;z=\"a,text/html\"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (prefers(others[i], NULL))
			fail_msg("%s", others[i] != NULL ? others[i] : "no Accept");
	assert_false(prefers("text/html", "application/json"));
}

static void the_most_specific_range_decides(void **state)
{
	(void)state;
	assert_true(prefers("text/*;q=0.1, text/html;q=0.9, */*;q=0.5", NULL));
	assert_false(prefers("text/html;q=0.1, text/*;q=0.9, */*;q=0.5", NULL));
	assert_true(prefers("application/*;q=0.1, */*;q=0.5", NULL));
	assert_true(prefers("application/problem+json;q=0.1, application/*, text/html;q=0.2", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(browsers_get_a_page),
		cmocka_unit_test(others_get_json),
		cmocka_unit_test(the_most_specific_range_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
