/* What is kept of a response that refuses: schemes of a login, the server's name, the words of its page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "send/answer.h"

static struct send_result result;

static void line(const char *text)
{
	answer_line(&result, text, strlen(text));
}

static void schemes_of_a_login(void **state)
{
	static const struct {
		const char *line, *schemes;
	} cases[] = {
		{"WWW-Authenticate: Basic realm=\"x\"\r\n", "Basic"},
		{"www-authenticate:Basic\r\n", "Basic"},
		{"WWW-Authenticate: Digest realm=\"a, Basic b\", qop=\"auth\", nonce=\"\\\", Bearer\"\r\n", "Digest"},
		{"WWW-Authenticate: Negotiate, NTLM, Basic realm=\"x\"\r\n", "Negotiate, NTLM, Basic"},
		{"WWW-Authenticate: Negotiate YII=, Basic realm = x, charset=UTF-8\r\n", "Negotiate, Basic"},
		{"WWW-Authenticate: Basic realm=x, basic realm=y\r\n", "Basic"},
		{"WWW-Authenticate: Bas, Basic, Bas\r\n", "Bas, Basic"},
		{"WWW-Authenticate: , ,Bearer error=\"unterminated\r\n", "Bearer"},
		{"WWW-Authenticate: \x1b[31m, \"Basic\"\r\n", ""},
		{"WWW-Authenticate:\r\n", ""},
		{"WWW-Authenticate\r\n", ""},
		{"X-WWW-Authenticate: Basic\r\n", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line("HTTP/1.1 401 No\r\n");
		line(cases[i].line);
		assert_string_equal(result.schemes, cases[i].schemes);
	}
	line("HTTP/1.1 401 No\r\n");
	line("WWW-Authenticate: Digest realm=x\r\n");
	line("WWW-Authenticate: Basic realm=x\r\n");
	assert_string_equal(result.schemes, "Digest, Basic");
	line("HTTP/1.1 200 Yes\r\n"); /* another response */
	assert_string_equal(result.schemes, "");
}

static void parameters_of_digest(void **state)
{
	static const struct {
		const char *line;
		bool stale, only_auth_int;
	} cases[] = {
		{"WWW-Authenticate: Digest realm=\"a, stale=true\", nonce=\"x\"\r\n", false, false},
		{"WWW-Authenticate: Digest realm=\"a\", nonce=\"x\", stale=true\r\n", true, false},
		{"WWW-Authenticate: digest STALE = \"TRUE\", nonce=x\r\n", true, false},
		{"WWW-Authenticate: Digest stale=false, qop=\"auth\"\r\n", false, false},
		{"WWW-Authenticate: Digest qop=\"auth-int\", stale=truer\r\n", false, true},
		{"WWW-Authenticate: Digest qop=\"auth-int,auth\"\r\n", false, false},
		{"WWW-Authenticate: Digest qop=\"auth, auth-int\"\r\n", false, false},
		{"WWW-Authenticate: Basic realm=x, stale=true\r\n", false, false},
		{"WWW-Authenticate: Digest nonce=x, Basic stale=true\r\n", false, false},
		{"WWW-Authenticate: Basic realm=x, Digest nonce=x, stale=true\r\n", true, false},
		{"WWW-Authenticate: Digest stale\r\n", false, false},
		{"WWW-Authenticate: Digest stale=\r\n", false, false},
		{"WWW-Authenticate: Digest qop=\r\n", false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		line("HTTP/1.1 401 No\r\n");
		line(cases[i].line);
		if (result.stale != cases[i].stale || result.only_auth_int != cases[i].only_auth_int)
			fail_msg("%s: %d %d", cases[i].line, result.stale, result.only_auth_int);
	}
	line("HTTP/1.1 401 No\r\n");
	assert_false(result.stale || result.only_auth_int);
}

static void many_schemes_are_cut_at_whole_names(void **state)
{
	(void)state;
	line("HTTP/1.1 401 No\r\n");
	for (const char *at = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"; *at != '\0'; at++) {
		const char name = *at;
		const char text[] = {'W', 'W', 'W', '-', 'A', 'u', 't',  'h',  'e',  'n',  't',
				     'i', 'c', 'a', 't', 'e', ':', name, name, name, name, '\0'};
		line(text);
	}
	assert_true(strlen(result.schemes) < sizeof(result.schemes));
	assert_int_equal(strlen(result.schemes) % 6, 4); /* "AAAA, BBBB" */
}

static void the_servers_name(void **state)
{
	(void)state;
	line("HTTP/1.1 413 No\r\n");
	line("Server: nginx/1.22.1\r\n");
	assert_string_equal(result.server, "nginx/1.22.1");
	line("HTTP/1.1 413 No\r\n");
	assert_string_equal(result.server, "");
}

static void the_words_of_a_page(void **state)
{
	static const struct {
		long status;
		const char *first, *second;
		enum send_says says;
	} cases[] = {
		{400, "<title>400 No required SSL certificate was sent</title>", "", SEND_SAYS_NO_CERTIFICATE},
		{400, "<title>400 No required SSL cert", "ificate was sent</title>", SEND_SAYS_NO_CERTIFICATE},
		{400, "<title>400 The SSL certificate error</title>", "", SEND_SAYS_BAD_CERTIFICATE},
		{400, "<center>The plain HTTP request was sent to HTTPS port</center>", "", SEND_SAYS_PLAIN},
		{400, "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />", "", SEND_SAYS_PLAIN},
		{400, "no", "", SEND_SAYS_NOTHING},
		{400, "", "", SEND_SAYS_NOTHING},
		{200, "No required SSL certificate was sent", "", SEND_SAYS_NOTHING},
		{495, "", "", SEND_SAYS_BAD_CERTIFICATE},
		{496, "", "", SEND_SAYS_NO_CERTIFICATE},
		{497, "", "", SEND_SAYS_PLAIN},
	};
	char large[3 * SEND_PAGE_ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		answer_begin(&result);
		result.status = cases[i].status;
		answer_body(&result, cases[i].first, strlen(cases[i].first));
		answer_body(&result, cases[i].second, strlen(cases[i].second));
		answer_end(&result);
		assert_int_equal(result.says, cases[i].says);
	}
	memset(large, 'x', sizeof(large));
	answer_begin(&result);
	answer_body(&result, large, sizeof(large));
	answer_body(&result, large, sizeof(large));
	assert_int_equal(result.page_len, SEND_PAGE_ROOM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemes_of_a_login),
		cmocka_unit_test(parameters_of_digest),
		cmocka_unit_test(many_schemes_are_cut_at_whole_names),
		cmocka_unit_test(the_servers_name),
		cmocka_unit_test(the_words_of_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
