/* URLs, paths and cookies as client and service have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/dav_if.h"
#include "http/link.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SPAN(string)                         \
	{                                    \
		(string), sizeof(string) - 1 \
	}

/* The service knows itself by another name, under another path. */
static const struct http_mapping renamed = {.strip = "/app",
					    .add = "/v2/x",
					    .outer = SPAN("www.example:8443"),
					    .inner = SPAN("app.internal"),
					    .server = SPAN("10.0.0.1:8080")};
/* It is told the client's name, and speaks plain HTTP. */
static const struct http_mapping same = {.strip = "",
					 .add = "",
					 .outer = SPAN("www.example"),
					 .inner = SPAN("www.example"),
					 .server = SPAN("127.0.0.1:8080")};
static const struct http_mapping same_tls = {.strip = "",
					     .add = "",
					     .outer = SPAN("www.example"),
					     .inner = SPAN("www.example"),
					     .server = SPAN("app.internal"),
					     .tls = true};
/* Clients name a port; the service listens on a unix socket, and knows none. */
static const struct http_mapping same_port = {.strip = "",
					      .add = "",
					      .outer = SPAN("www.example:4443"),
					      .inner = SPAN("www.example:4443"),
					      .server = SPAN("")};
static const struct http_mapping stripped = {
	.strip = "/app", .add = "", .outer = SPAN("www.example"), .inner = SPAN("www.example"), .server = SPAN("")};
static const struct http_mapping nameless = {
	.strip = "", .add = "", .outer = SPAN(""), .inner = SPAN("app.internal"), .server = SPAN("app.internal")};

typedef bool map_fn(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len);

struct row {
	const struct http_mapping *mapping;
	const char *value, *expected; /* NULL: it stays as it is */
};

/* In memory of its own size, so that a sanitizer sees what is read or written beyond. */
static void check(map_fn *map, const struct row *row)
{
	size_t value_len = strlen(row->value), len = 0;
	char *value = malloc(value_len + 1), *out = malloc(value_len + HTTP_MAPPED_MORE);

	assert_true(value != NULL && out != NULL);
	memcpy(value, row->value, value_len);
	bool mapped = map(row->mapping, (struct http_span){value, value_len}, out, &len);
	if (mapped != (row->expected != NULL) ||
	    (mapped && (len != strlen(row->expected) || memcmp(out, row->expected, len) != 0)))
		fail_msg("'%s' became '%.*s', not '%s'", row->value, mapped ? (int)len : 0, out,
			 row->expected != NULL ? row->expected : "(nothing)");
	free(value);
	free(out);
}

static void a_prefix_matches_whole_segments(void **state)
{
	static const struct row rows[] = {
		{&renamed, "/app", "/v2/x"},
		{&renamed, "/app/", "/v2/x/"},
		{&renamed, "/app/a%20b;c=d", "/v2/x/a%20b;c=d"},
		{&renamed, "/app//a", "/v2/x//a"},
		{&renamed, "/apple", NULL},
		{&renamed, "/app;x=1/a", NULL},
		{&renamed, "/APP/a", NULL},
		{&renamed, "/%61pp/a", NULL},
		{&renamed, "//app/a", NULL},
		{&renamed, "/", NULL},
		{&stripped, "/app", "/"},
		{&stripped, "/app/", "/"},
		{&stripped, "/app//evil.example/a", "/evil.example/a"},
		{&stripped, "/app///", "/"},
		{&same, "/a//b", "/a//b"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(http_map_path, &rows[i]);
}

static void destinations_are_the_services_own(void **state)
{
	static const struct row rows[] = {
		{&same, "https://www.example/a%20b", "http://www.example/a%20b"},
		{&same, "https://WWW.example:443/a", "http://www.example/a"},
		{&same, "http://www.example/a", NULL},
		{&same, "https://other.example/a", NULL},
		{&same, "https://www.example:8443/a", NULL},
		{&same, "https://u@www.example/a", NULL},
		{&same, "/a", NULL},
		{&same, "a", NULL},
		{&same_tls, "https://www.example/a", NULL},
		{&renamed, "https://www.example:8443/app/a?b#c", "http://app.internal/v2/x/a?b#c"},
		{&renamed, "/app/a", "/v2/x/a"},
		{&renamed, "https://www.example/app/a", "https://www.example/v2/x/a"},
		{&renamed, "https://www.example/a", NULL},
		{&nameless, "https://www.example/a", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(http_map_destination, &rows[i]);
}

static bool map_if(const struct http_mapping *mapping, struct http_span value, char *out, size_t *len)
{
	char *mapped = malloc(value.len + HTTP_IF_MAPPED_MORE);
	assert_non_null(mapped);
	bool is = http_map_if(mapping, NULL, 0, value, mapped, len);
	if (is)
		memcpy(out, mapped, *len);
	free(mapped);
	return is;
}

static void resources_of_an_if_are_the_services_own(void **state)
{
	static const struct row rows[] = {
		{&renamed, "<https://www.example:8443/app/a> (<urn:uuid:1>)",
		 "<http://app.internal/v2/x/a> (<urn:uuid:1>)"},
		{&renamed, "</app/a>(<urn:uuid:1> [\"e\"]) (Not <DAV:no-lock>)\t</app/b?c>([W/\"f\"])",
		 "</v2/x/a>(<urn:uuid:1> [\"e\"]) (Not <DAV:no-lock>)\t</v2/x/b?c>([W/\"f\"])"},
		{&same, "<https://www.example/a> (<https://www.example/token>)",
		 "<http://www.example/a> (<https://www.example/token>)"},
		{&same, "<https://other.example/a> (<urn:x>)", NULL},
		{&renamed, "<https://other.example/app/a> (<urn:x>)", "<https://other.example/v2/x/a> (<urn:x>)"},
		{&renamed, "(<https://www.example:8443/app/a>)", NULL}, /* a lock token, not a resource */
		{&renamed, "(<urn:x>) (not[\"e\"])", NULL},
		{&renamed, "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(map_if, &rows[i]);
}

static void a_malformed_if_is_told_and_unchanged(void **state)
{
	static const char *const values[] = {
		"",
		"a",
		"</app/a>",
		"</app/a> </app/b> (<urn:x>)",
		"(<urn:x>) </app/a> (<urn:y>)",
		"</app/a> ()",
		"</app/a> (<urn:x>",
		"</app/a> (<urn:x>) x",
		"</app/a (<urn:x>)",
		"</app/ a> (<urn:x>)",
		"<</app/a> (<urn:x>)",
		"</app/a> ([\"e\\\"])",
		"</app/a> ([\"</app/b>\"])",
		"</app/a> ([e])",
		"</app/a> ([\"e\")",
		"</app/a> (Not)",
		"</app/a> (Not Not <urn:x>)",
		"</app/a> (<urn:x>), </app/b> (<urn:x>)",
		"<> (<urn:x>)",
		"</app/a\x7f> (<urn:x>)",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		char out[128 + HTTP_IF_MAPPED_MORE];
		struct http_span value = {values[i], strlen(values[i])}, tag;
		struct http_if reader;
		size_t len = 0;
		http_if_begin(&reader, value);
		while (http_if_next(&reader, &tag))
			;
		if (!reader.bad || http_map_if(&renamed, NULL, 0, value, out, &len))
			fail_msg("'%s' is taken", values[i]);
	}
}

/* Each resource has the prefixes of its own route. */
static void resources_of_an_if_have_prefixes_of_their_own(void **state)
{
	static const struct http_prefixes of[] = {{"/one", ""}, {"/two", "/x"}};
	static const char value[] = "</one/a> (<urn:x>) </two/a> (<urn:y>) </app/a> (<urn:z>)",
			  expected[] = "</a> (<urn:x>) </x/a> (<urn:y>) </v2/x/a> (<urn:z>)";
	char many[(HTTP_IF_TAGS_MAX + 1) * 16 + 1] = "", out[sizeof(many) + HTTP_IF_MAPPED_MORE];
	size_t len = 0;

	(void)state;
	assert_true(http_map_if(&renamed, of, 2, (struct http_span){value, strlen(value)}, out, &len));
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(out, expected, len);
	for (unsigned i = 0; i <= HTTP_IF_TAGS_MAX; i++) {
		bool most = i < HTTP_IF_TAGS_MAX;
		(void)strcat(many, "</app/a>(<u:x>)");
		assert_int_equal(http_map_if(&renamed, of, 0, (struct http_span){many, strlen(many)}, out, &len), most);
	}
}

static void targets_of_links_are_the_clients(void **state)
{
	static const struct row rows[] = {
		{&renamed, "</v2/x/a>; rel=next", "</app/a>; rel=next"},
		{&renamed,
		 "<http://app.internal/v2/x/a?p=2>;rel=\"next\" , </v2/x/c>; rel=\"a,b;</v2/x/d>\"; title=\"\\\",\",",
		 "<https://www.example:8443/app/a?p=2>;rel=\"next\" , </app/c>; rel=\"a,b;</v2/x/d>\"; "
		 "title=\"\\\",\","},
		{&renamed, "<a>; rel=next, </other>; rel=prev, <https://else.example/v2/x/a>; rel=x", NULL},
		{&renamed, "</v2/x/a>; rel=\"next", NULL},
		{&renamed, "</v2/x/a; rel=next", NULL},
		{&renamed, "/v2/x/a; rel=next", NULL},
		{&renamed, "</v2/x/a>; rel=next, x", NULL},
		{&renamed, "", NULL},
		{&same, "<http://127.0.0.1:8080/a>; rel=self", "<https://www.example/a>; rel=self"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(http_map_link, &rows[i]);
}

static void locations_are_the_clients(void **state)
{
	static const struct row rows[] = {
		{&same, "http://www.example/a", "https://www.example/a"},
		{&same, "http://www.example:80/a", "https://www.example/a"},
		{&same, "http://www.example", "https://www.example"},
		{&same, "http://127.0.0.1:8080/a?b=http://127.0.0.1:8080/",
		 "https://www.example/a?b=http://127.0.0.1:8080/"},
		{&same, "https://www.example/a", NULL},
		{&same, "https://127.0.0.1:8080/a", NULL},
		{&same, "http://www.example:8080/a", "https://www.example/a"},
		{&same, "http://WWW.example:8080", "https://www.example"},
		{&same, "https://www.example:8080/a", NULL},
		{&same, "http://www.example:8081/a", NULL},
		{&same, "http://other.example:8080/a", NULL},
		{&same, "http://www.example.evil:8080/a", NULL},
		{&same_tls, "https://www.example:8443/a", NULL},
		{&same_port, "http://www.example/a", "https://www.example:4443/a"},
		{&same_port, "http://www.example:80/a", "https://www.example:4443/a"},
		{&same_port, "http://www.example:4443/a", "https://www.example:4443/a"},
		{&same_port, "http://www.example:8080/a", NULL},
		{&renamed, "http://app.internal:8080/v2/x/a", "https://www.example:8443/app/a"},
		{&same, "http://other.example/a", NULL},
		{&same, "http://www.example@other.example/a", NULL},
		{&same, "/a", NULL},
		{&same, "a/b", NULL},
		{&same, "javascript:alert(1)", NULL},
		{&same, "", NULL},
		{&same_tls, "http://www.example/a", NULL},
		{&same_tls, "https://app.internal/a", "https://www.example/a"},
		{&renamed, "http://app.internal/v2/x/a", "https://www.example:8443/app/a"},
		{&renamed, "HTTPS://App.Internal/v2/x?q", "https://www.example:8443/app?q"},
		{&renamed, "http://10.0.0.1:8080/v2/x/", "https://www.example:8443/app/"},
		{&renamed, "//app.internal/v2/x/a", "https://www.example:8443/app/a"},
		{&renamed, "https://www.example:8443/v2/x/a", "https://www.example:8443/app/a"},
		{&renamed, "/v2/x/a#b", "/app/a#b"},
		{&renamed, "/v2/xy", NULL},
		{&renamed, "/other", NULL},
		{&renamed, "http://app.internal/other", "https://www.example:8443/other"},
		{&stripped, "/", "/app/"},
		{&stripped, "/a", "/app/a"},
		{&stripped, "//evil.example/a", NULL},
		{&nameless, "http://app.internal/a", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(http_map_location, &rows[i]);
}

static void refreshes_are_the_clients(void **state)
{
	static const struct row rows[] = {
		{&same, "5; url=http://www.example/a", "5; url=https://www.example/a"},
		{&same, "5; url=http://other.example/a", NULL},
		{&same, "5", NULL},
		{&same, "5;", NULL},
		{&same, "5; url=", NULL},
		{&same, "", NULL},
		{&same, "5; url=\"", NULL},
		{&renamed, "0;URL=/v2/x/a", "0;URL=/app/a"},
		{&renamed, "0, url = '/v2/x/a' ", "0, url = '/app/a' "},
		{&renamed, "0; url=\"http://app.internal/v2/x\"; x", "0; url=\"https://www.example:8443/app\"; x"},
		{&renamed, "0; /v2/x/a", "0; /app/a"},
		{&renamed, "0; urlx=/v2/x/a", NULL},
		{&renamed, "0; url=/other", NULL},
		{&stripped, "1.5; url=/", "1.5; url=/app/"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(http_map_refresh, &rows[i]);
}

static void cookies_are_the_clients(void **state)
{
	static const struct row rows[] = {
		{&same, "a=b; Path=/; Domain=www.example", NULL},
		{&renamed, "a=b; Path=/v2/x/y; Secure", "a=b; Path=/app/y; Secure"},
		{&renamed, "a=b;path = /v2/x ;HttpOnly", "a=b;path = /app;HttpOnly"},
		{&renamed, "a=b; Path=/", NULL},
		{&renamed, "a=b; Domain=app.internal", "a=b; Domain=www.example"},
		{&renamed, "a=b; domain=.APP.internal; Path=/v2/x", "a=b; domain=www.example; Path=/app"},
		{&renamed, "a=b; Domain=10.0.0.1", "a=b; Domain=www.example"},
		{&renamed, "a=b; Domain=internal", NULL},
		{&renamed, "a=b; Path=/v2/x; Path=/y", NULL},
		{&renamed, "__Host-a=b; Path=/v2/x", NULL},
		{&renamed, "a=Path=/v2/x", NULL},
		{&stripped, "a=b; Path=/", "a=b; Path=/app/"},
		{&stripped, "__Host-a=b; Path=/; Secure", NULL},
		{&stripped, "a=b; Path=", NULL},
		{&stripped, "a=b; Path", NULL},
		{&stripped, "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		check(http_map_cookie, &rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prefix_matches_whole_segments),
		cmocka_unit_test(destinations_are_the_services_own),
		cmocka_unit_test(resources_of_an_if_are_the_services_own),
		cmocka_unit_test(a_malformed_if_is_told_and_unchanged),
		cmocka_unit_test(resources_of_an_if_have_prefixes_of_their_own),
		cmocka_unit_test(targets_of_links_are_the_clients),
		cmocka_unit_test(locations_are_the_clients),
		cmocka_unit_test(refreshes_are_the_clients),
		cmocka_unit_test(cookies_are_the_clients),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
