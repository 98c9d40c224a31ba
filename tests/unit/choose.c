/* Which route a request belongs to when services read its path or its method in different ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/choose.h"
#include "http/reading.h"
#include "http/target.h"

#define ROUTES 8

/* A host whose routes are compared by name: trusts are distinguished by their addresses only. */
struct world {
	struct config_route settings[ROUTES];
	struct gw_route routes[ROUTES];
	char loose[ROUTES][64];
	struct config_host config;
	struct gw_host host;
};

static char trust_a, trust_b;
static char get[] = "GET", put[] = "PUT", post[] = "POST", delete[] = "DELETE", odd[] = "FROBNICATE";
static char *writes[] = {put, post, delete, NULL}, *reads[] = {get, NULL}, *odds[] = {odd, NULL};

static char root[] = "/";

static struct config_route *route(struct world *world, char *path, enum config_when when, char *trust)
{
	size_t i = world->config.route_count++;

	world->settings[i] =
		(struct config_route){.path = path, .certificate = {.when = when, .require = CONFIG_REQUIRED}};
	world->routes[i] = (struct gw_route){.config = &world->settings[i], .trust = (thaw_trust *)(void *)trust};
	http_reading_prefix(path, world->config.case_matters, world->loose[i]);
	world->routes[i].loose_path = world->loose[i];
	world->config.routes = world->settings;
	world->host = (struct gw_host){.config = &world->config, .routes = world->routes, .mixed = true};
	return &world->settings[i];
}

static size_t work_of(const struct world *world, const char *path)
{
	struct http_request head = {.path = {path, strlen(path)}};

	return gw_choice_work(&world->host, &head);
}

/* The path of the route that is chosen, or a word. */
static const char *choose_lines(const struct world *world, const char *request_line, const char *fields)
{
	static char text[1024];
	struct http_request head = {0};
	struct http_refusal refusal = {0};
	struct http_scan scan = {0};
	const struct gw_route *chosen = NULL;
	size_t used = 0;

	(void)snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", request_line, fields);
	if (http_head_parse(text, strlen(text), &scan, &head, &used, &refusal) != HTTP_PARSE_DONE) {
		http_request_free(&head);
		return "malformed";
	}
	http_target_merge_front(&head);
	enum gw_choice choice = gw_choose(&world->host, &head, &chosen, &refusal);
	http_request_free(&head);
	switch (choice) {
	case GW_CHOSEN:
		return chosen->config->path;
	case GW_NO_ROUTE:
		return "none";
	case GW_UNCLEAR:
		return "unclear";
	case GW_REFUSED:
		break;
	}
	return "refused";
}

static const char *choose(const struct world *world, const char *request_line)
{
	return choose_lines(world, request_line, "");
}

static void usual(struct world *world, bool case_matters)
{
	*world = (struct world){.config = {.case_matters = case_matters}};
	route(world, root, CONFIG_WHEN_NEVER, NULL);
}

#define IS(world, line, path) assert_string_equal(choose(&(world), line), path)

static void every_spelling_of_a_guarded_path_is_guarded(void **state)
{
	static const char *const lines[] = {
		"GET /secure",
		"GET /secure/x",
		"GET //secure/x",
		"GET /%2Fsecure/x",
		"GET /secure;a=b/x",
		"GET /%73ecure/x",
		"GET /secure%2Fx",
		"GET /SECURE/x",
		"GET /Secure",
		"GET /%53ecure/x",
		"GET /secure.",
		"GET /secure%20",
		"GET /secure.%20./x",
		"GET /secure::$DATA",
		"GET /secure%3Fx",
		"GET /secure%23x",
		"GET /secure%3Bx",
		"GET /%2Fx/secure/data",
		"GET /%2F%2Fx/secure",
		"GET /%C5%BFecure",
		"GET /SECURE~1",
		"GET /secure%EF%BC%8Fx",
		"GET /%EF%BD%93ecure",
		"GET https://x/SECURE",
		"GET http://x//secure/x",
		"GET /secure%E2%80%8B/x",
		"GET /sec%E1%A0%8Eure/x", /* U+180E, which Unicode's NFKC_Casefold and ext4 do not see */
		"GET /%F3%A0%80%81secure/x",
		"GET /secure%E3%85%A4",
		"GET /(S(x))/secure/x", /* cookieless sessions of ASP.NET */
		"GET /(A(y)S(x))/SECURE",
		"GET /(S(x))secure/x",
		"GET /%28s%28x%29%29//secure",
		"GET /sec/(S(x))ure/x",
		"GET /(S(x))/(S(x))/secure",
		"GET /%F0%9F%85%82ecure/x", /* squared s */
		"GET /se%F0%9F%84%ABure/x", /* circled c */
		"GET /;a/SECURE;b/x",
		"GET /secure+",
		"OPTIONS /Secure",
	};
	struct world world;

	(void)state;
	usual(&world, false);
	struct config_route *guard = route(&world, (char[]){"/secure"}, CONFIG_WHEN_REQUEST, &trust_a);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strcmp(choose(&world, lines[i]), guard->path) != 0)
			fail_msg("%s: %s", lines[i], choose(&world, lines[i]));
	IS(world, "GET /", "/");
	IS(world, "GET /secured", "/");
	IS(world, "GET /(S(x))", "/");
	IS(world, "GET /(S(x))/open/Name_(x)", "/");
	IS(world, "GET /(S(x/secure", "/");
	IS(world, "GET /(S)/secure))", "/");
	IS(world, "GET /x/.(S(x))./secure", "/");
	IS(world, "GET /x/./(S(x))./secure", "refused");
	IS(world, "GET /x/.b/(S(x))../secure", "/");
	IS(world, "GET /x/secure", "/");
	IS(world, "GET //x/secure", "/"); /* passed on as "/x/secure" */
	IS(world, "GET /projects/group%2Fname", "/");
	IS(world, "GET /a;b=c/d:e", "/");
}

/* Passed on is what was judged: one slash in front. */
static void slashes_in_front_are_one(void **state)
{
	static const char text[] = "GET ///x/secure//data?a=//b HTTP/1.1\r\nHost: x\r\n\r\n";
	struct http_request head = {0};
	struct http_refusal refusal = {0};
	struct http_scan scan = {0};
	size_t used = 0;

	(void)state;
	assert_int_equal(http_head_parse(text, sizeof(text) - 1, &scan, &head, &used, &refusal), HTTP_PARSE_DONE);
	http_target_merge_front(&head);
	assert_true(http_span_equal(head.path, "/x/secure//data") && http_span_equal(head.query, "a=//b"));
	http_request_free(&head);
}

static void paths_are_case_sensitive_if_the_host_says_so(void **state)
{
	struct world world;

	(void)state;
	usual(&world, true);
	route(&world, (char[]){"/secure"}, CONFIG_WHEN_REQUEST, &trust_a);
	IS(world, "GET /SECURE", "/");
	IS(world, "GET /secure", "/secure");
	IS(world, "GET /secure.", "/secure");
	IS(world, "GET /secure;x", "/secure");
}

static void an_open_route_below_a_guarded_one_is_open_in_its_own_spelling_only(void **state)
{
	static const char *const guarded[] = {
		"GET /secure/OPEN",      "GET /Secure/OPEN",     "GET /secure/open;x",  "GET /secure%2Fopen",
		"GET /secure/open%2Fx",  "GET /secure//open",    "GET /secure/open.",   "GET /secure/%6Fpen",
		"GET /secure/open%3Bx",  "GET /secure/open%3Fx", "GET /secure%3F/open", "GET /secure%23x/open",
		"GET /secure%23/open/x",
	};
	struct world world;

	(void)state;
	usual(&world, false);
	route(&world, (char[]){"/secure"}, CONFIG_WHEN_REQUEST, &trust_a);
	route(&world, (char[]){"/secure/open"}, CONFIG_WHEN_NEVER, NULL);
	route(&world, (char[]){"/secure/with blank"}, CONFIG_WHEN_NEVER, NULL);
	IS(world, "GET /secure/open", "/secure/open");
	IS(world, "GET /secure/open/x;y", "/secure/open");
	IS(world, "GET /secure/open/a%2Fb%41", "/secure/open");
	IS(world, "GET /secure/with%20blank", "/secure/with blank");
	for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
		const char *found = choose(&world, guarded[i]);
		/* "/secure%2Fopen" is "/secure/open" or a name below "/": neither is guarded */
		bool open = strcmp(guarded[i], "GET /secure%2Fopen") == 0;
		if (strcmp(found, open ? "/secure/open" : "/secure") != 0)
			fail_msg("%s: %s", guarded[i], found);
	}
}

static void routes_that_no_one_certificate_satisfies_are_refused(void **state)
{
	struct world world;

	(void)state;
	usual(&world, false);
	route(&world, (char[]){"/a"}, CONFIG_WHEN_REQUEST, &trust_a);
	route(&world, (char[]){"/a/b"}, CONFIG_WHEN_REQUEST, &trust_b);
	IS(world, "GET /a/b", "/a/b");
	IS(world, "GET /A/b", "/a/b"); /* "/A" is open to who tells it from "/a" */
	IS(world, "GET /a/B", "unclear");
	IS(world, "GET /a/b;x", "unclear");
}

static void the_stricter_route_demands_all_that_the_other_does(void **state)
{
	struct config_allow rule = {.text = (char[]){"subject=CN=x"}}, other = {.text = (char[]){"subject=CN=y"}};
	struct world world;

	(void)state;
	usual(&world, false);
	struct config_route *a = route(&world, (char[]){"/a"}, CONFIG_WHEN_REQUEST, &trust_a);
	struct config_route *b = route(&world, (char[]){"/a/b"}, CONFIG_WHEN_HANDSHAKE, &trust_a);
	IS(world, "GET /a/B", "/a");
	a->certificate.require = CONFIG_OPTIONAL;
	IS(world, "GET /a/B", "/a/b");
	b->certificate.require = CONFIG_OPTIONAL_UNVERIFIED;
	IS(world, "GET /a/B", "/a");
	b->certificate.require = CONFIG_REQUIRED;
	b->certificate.when = CONFIG_WHEN_RESPONSE;
	IS(world, "GET /a/B", "unclear");
	b->certificate.when = CONFIG_WHEN_BODY;
	a->certificate.allow = &rule;
	a->certificate.allow_count = 1;
	IS(world, "GET /a/B", "unclear");
	a->certificate.require = CONFIG_REQUIRED;
	IS(world, "GET /a/B", "/a");
	b->certificate.allow = &other;
	b->certificate.allow_count = 1;
	IS(world, "GET /a/B", "unclear");
	b->certificate.allow = &rule;
	IS(world, "GET /a/B", "/a");
}

static void methods_in_another_case_are_refused(void **state)
{
	static const char *const refused[] = {"put",      "Put",     "pUT",        "get",
					      "Propfind", "connect", "frobnicate", "Frobnicate"};
	struct world world;

	(void)state;
	usual(&world, false);
	route(&world, (char[]){"/files"}, CONFIG_WHEN_REQUEST, &trust_a)->methods = writes;
	route(&world, (char[]){"/odd"}, CONFIG_WHEN_NEVER, NULL)->methods = odds;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char line[64];
		(void)snprintf(line, sizeof(line), "%s /files/a", refused[i]);
		if (strcmp(choose(&world, line), "refused") != 0)
			fail_msg("%s", line);
	}
	IS(world, "PUT /files/a", "/files");
	IS(world, "GET /files/a", "/");
	IS(world, "FROBNICATE /odd", "/odd");
	IS(world, "Invent /files", "/");
}

static void an_overridden_method_is_checked_as_both(void **state)
{
	static const char *const fields[] = {
		"X-HTTP-Method-Override: PUT\r\n",
		"x-http-method: put\r\n",
		"X_Method_Override: GET, Delete\r\n",
		"X-HTTP-Method-Override: PATCH\r\nX-HTTP-Method-Override: POST\r\n",
	};
	struct world world;

	(void)state;
	usual(&world, false);
	route(&world, (char[]){"/files"}, CONFIG_WHEN_REQUEST, &trust_a)->methods = writes;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		assert_string_equal(choose_lines(&world, "GET /files/a", fields[i]), "/files");
	assert_string_equal(choose_lines(&world, "GET /files/a", "X-HTTP-Method-Override: PATCH\r\n"), "/");
	assert_string_equal(choose_lines(&world, "GET /files/a", "X-Other: PUT\r\n"), "/");
	IS(world, "GET /files/a?x=1&_method=DELETE", "/files");
	IS(world, "GET /files/a?%5Fmethod=%64elete", "/files");
	IS(world, "GET /files/a?_methods=DELETE&method=PUT", "/");
	IS(world, "GET /files/a?+_method=PUT", "/files"); /* PHP drops blanks in front, and what follows a NUL */
	IS(world, "GET /files/a?%20%20_method=PUT", "/files");
	IS(world, "GET /files/a?.method=PUT", "/files"); /* and takes these for '_' */
	IS(world, "GET /files/a?%5bmethod=PUT", "/files");
	IS(world, "GET /files/a?_method%00x=PUT", "/files");
	IS(world, "GET /files/a?x&X-HTTP-Method-Override=put", "/files"); /* ServiceStack */
	IS(world, "GET /files/a?_METHOD=PUT", "/files");
	IS(world, "GET /files/a?_method=+put%20", "/files");
	IS(world, "GET /files/a?_method=PATCH&x=_method=PUT", "/");
	IS(world, "GET /files/a?method=PUT&a_method=PUT&_method[x]=PUT", "/");
}

static void head_is_also_checked_as_get(void **state)
{
	struct world world;

	(void)state;
	usual(&world, false);
	route(&world, (char[]){"/files"}, CONFIG_WHEN_REQUEST, &trust_a)->methods = reads;
	IS(world, "HEAD /files", "/files");
	IS(world, "POST /files", "/");
}

/* So that a connection with paths of many readings has its turn as seldom as they cost. */
static void each_reading_counts_as_work(void **state)
{
	static const char path[] = "/%2Fa;b//;c/%61%EF%BC%8F";
	struct world world;

	(void)state;
	usual(&world, false);
	assert_int_equal(work_of(&world, "/plain/path"), 11);
	assert_int_equal(work_of(&world, "/a%2Fb"), 12);
	assert_int_equal(work_of(&world, path), 64 * strlen(path));
	assert_int_equal(work_of(&world, "/(S(x))/a"), 18);
	world.host.mixed = false;
	assert_int_equal(work_of(&world, path), 4 * strlen(path));
}

static void without_a_route_in_its_own_spelling_there_is_none(void **state)
{
	struct world world = {.config = {.route_count = 0}};

	(void)state;
	route(&world, (char[]){"/app"}, CONFIG_WHEN_NEVER, NULL);
	IS(world, "GET /APP", "none");
	IS(world, "GET /", "none");
	IS(world, "GET /app;jsessionid=1", "/app");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_a_guarded_path_is_guarded),
		cmocka_unit_test(slashes_in_front_are_one),
		cmocka_unit_test(paths_are_case_sensitive_if_the_host_says_so),
		cmocka_unit_test(an_open_route_below_a_guarded_one_is_open_in_its_own_spelling_only),
		cmocka_unit_test(routes_that_no_one_certificate_satisfies_are_refused),
		cmocka_unit_test(the_stricter_route_demands_all_that_the_other_does),
		cmocka_unit_test(methods_in_another_case_are_refused),
		cmocka_unit_test(an_overridden_method_is_checked_as_both),
		cmocka_unit_test(head_is_also_checked_as_get),
		cmocka_unit_test(each_reading_counts_as_work),
		cmocka_unit_test(without_a_route_in_its_own_spelling_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
