/* What is said of an upload: sizes, the bar, plain lines, the outcome, and what to change. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "send/explain.h"
#include "send/progress.h"

#define MIB 1048576

static void sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1536, "1.5 KiB"},
		{50 * (uint64_t)MIB, "50.0 MiB"},
		{UINT64_MAX, "16.0 EiB"},
	};
	char text[SEND_SIZE_ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(send_size_text(cases[i].bytes, text), cases[i].text);
}

static void the_rate_is_of_the_recent_past(void **state)
{
	struct progress progress = {0};

	(void)state;
	assert_int_equal(progress_rate(&progress), 0);
	progress_mark(&progress, 0, 1000);
	assert_int_equal(progress_rate(&progress), 0);
	for (uint64_t i = 1; i <= 100; i++) /* 4 MiB a second */
		progress_mark(&progress, i * MIB, 1000 + i * 250);
	assert_int_equal(progress_rate(&progress), 4 * MIB);
	for (uint64_t i = 1; i <= PROGRESS_MARKS; i++) /* then nothing */
		progress_mark(&progress, (uint64_t)100 * MIB, 26000 + i * 250);
	assert_int_equal(progress_rate(&progress), 0);
	progress_mark(&progress, 0, 40000); /* another attempt */
	assert_int_equal(progress_rate(&progress), 0);
}

static void bars_and_lines(void **state)
{
	struct progress progress = {0};
	char text[PROGRESS_ROOM];

	(void)state;
	progress_mark(&progress, 0, 0);
	progress_mark(&progress, 13 * (uint64_t)MIB, 1000);
	progress_bar(&progress, 13 * (uint64_t)MIB, 26 * (int64_t)MIB, 88, text);
	assert_string_equal(text, "[==========>         ] 50 %  13.0 MiB of 26.0 MiB  13.0 MiB/s  0:01 left");
	progress_bar(&progress, 26 * (uint64_t)MIB, 26 * (int64_t)MIB, 1000, text);
	assert_string_equal(text, "[========================================] 100 %  26.0 MiB of 26.0 MiB  13.0 MiB/s");
	progress_line(&progress, 13 * (uint64_t)MIB, 26 * (int64_t)MIB, text);
	assert_string_equal(text, "50 %, 13.0 MiB of 26.0 MiB, 13.0 MiB/s, 0:01 left");
	progress_line(&progress, 13 * (uint64_t)MIB, (int64_t)13 * MIB * 4000, text);
	assert_string_equal(text, "0 %, 13.0 MiB of 50.8 GiB, 13.0 MiB/s, 1:06:39 left");
	progress_line(&progress, 13 * (uint64_t)MIB, -1, text);
	assert_string_equal(text, "13.0 MiB, 13.0 MiB/s");
	progress_bar(&progress, 13 * (uint64_t)MIB, -1, 88, text);
	assert_string_equal(text, "13.0 MiB  13.0 MiB/s");
	progress_line(&progress, 0, 0, text);
	assert_string_equal(text, "100 %, 0 B of 0 B, 13.0 MiB/s");
}

/* Each in its columns, but for the last one, of a cursor; and no figure is cut. */
static void a_narrow_terminal(void **state)
{
	static const struct {
		unsigned columns;
		const char *known, *unknown;
	} cases[] = {
		{60, "50 %  13.0 MiB of 26.0 MiB  13.0 MiB/s  0:01 left", "13.0 MiB  13.0 MiB/s"},
		{50, "50 %  13.0 MiB of 26.0 MiB  13.0 MiB/s  0:01 left", "13.0 MiB  13.0 MiB/s"},
		{49, "50 %  13.0 MiB/s  0:01 left", "13.0 MiB  13.0 MiB/s"},
		{40, "50 %  13.0 MiB/s  0:01 left", "13.0 MiB  13.0 MiB/s"},
		{27, "50 %  0:01 left", "13.0 MiB  13.0 MiB/s"},
		{20, "50 %  0:01 left", "13.0 MiB"},
		{15, "50 %", "13.0 MiB"},
	};
	struct progress progress = {0};
	char text[PROGRESS_ROOM];

	(void)state;
	progress_mark(&progress, 0, 0);
	progress_mark(&progress, 13 * (uint64_t)MIB, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		progress_bar(&progress, 13 * (uint64_t)MIB, 26 * (int64_t)MIB, cases[i].columns, text);
		assert_string_equal(text, cases[i].known);
		progress_bar(&progress, 13 * (uint64_t)MIB, -1, cases[i].columns, text);
		assert_string_equal(text, cases[i].unknown);
	}
}

static void waiting(void **state)
{
	struct progress progress = {.waits = "response", .waited_ms = 95999};
	char text[PROGRESS_ROOM];

	(void)state;
	progress_mark(&progress, 0, 0);
	progress_mark(&progress, MIB, 1000);
	progress_line(&progress, MIB, MIB, text);
	assert_string_equal(text, "100 %, 1.0 MiB of 1.0 MiB, waiting for the response: 1:35");
	progress_bar(&progress, MIB, MIB, 80, text);
	assert_string_equal(text, "[============] 100 %  1.0 MiB of 1.0 MiB  waiting for the response: 1:35");
	progress_bar(&progress, MIB, MIB, 40, text);
	assert_string_equal(text, "100 %  waiting for the response: 1:35");
	progress_line(&progress, MIB, -1, text);
	assert_string_equal(text, "1.0 MiB, waiting for the response: 1:35");
}

static void lines_are_due_each_5_s(void **state)
{
	struct progress progress = {0};
	unsigned due = 0;

	(void)state;
	for (uint64_t ms = 100; ms < 20000; ms += 100)
		due += progress_line_due(&progress, ms);
	assert_int_equal(due, 3);
}

/* ---- outcomes ---- */

#define PRIMED                                         \
	{                                              \
		THAW_MEANS_POST_HANDSHAKE, true, false \
	}
#define LATE                                            \
	{                                               \
		THAW_MEANS_POST_HANDSHAKE, false, false \
	}
#define NONE                                           \
	{                                              \
		THAW_MEANS_POST_HANDSHAKE, false, true \
	}

static void hints(void **state)
{
	static const struct {
		struct send_result result;
		bool credentials;
		const char *has; /* NULL: no hint */
	} cases[] = {
		{{.cause = SEND_DONE, .status = 200}, true, NULL},
		{{.cause = SEND_REFUSED, .status = 413, .asks = {LATE}, .ask_count = 1}, true, "SSLRenegBufferSize"},
		{{.cause = SEND_REFUSED, .status = 413}, true, "--prime always"},
		{{.cause = SEND_REFUSED, .status = 413}, false, "LimitRequestBody"},
		{{.cause = SEND_REFUSED,
		  .status = 413,
		  .primed = true,
		  .asks = {PRIMED},
		  .ask_count = 1,
		  .server = "nginx/1"},
		 true,
		 "(client_max_body_size)"},
		{{.cause = SEND_REFUSED,
		  .status = 413,
		  .primed = true,
		  .asks = {PRIMED},
		  .ask_count = 1,
		  .server = "Apache/2"},
		 true,
		 "(LimitRequestBody)"},
		{{.cause = SEND_REFUSED, .status = 413, .asks = {LATE}, .ask_count = 1, .server = "Microsoft-IIS/10.0"},
		 true,
		 "(uploadReadAheadSize)"},
		{{.cause = SEND_REFUSED,
		  .status = 413,
		  .primed = true,
		  .asks = {LATE},
		  .ask_count = 1,
		  .server = "Apache-Coyote"},
		 true,
		 "(maxSavePostSize)"},
		{{.cause = SEND_REFUSED, .status = 413, .primed = true, .server = "Apache"}, true, "(SSLReneg"},
		{{.cause = SEND_REFUSED, .status = 401, .schemes = "Basic, Digest", .asks = {PRIMED}, .ask_count = 1},
		 true,
		 "--user NAME --digest"},
		{{.cause = SEND_REFUSED, .status = 401, .schemes = "Basic"}, true, "--user NAME."},
		{{.cause = SEND_REFUSED, .status = 401, .schemes = "NTLM, Bearer"}, true, "--header"},
		{{.cause = SEND_REFUSED, .status = 401, .schemes = "Negotiate, NTLM"}, true, "Negotiate, NTLM"},
		{{.cause = SEND_REFUSED, .status = 400, .says = SEND_SAYS_NO_CERTIFICATE}, false, "--cert"},
		{{.cause = SEND_REFUSED, .status = 400, .says = SEND_SAYS_NO_CERTIFICATE}, true, "the CAs"},
		{{.cause = SEND_REFUSED, .status = 400, .says = SEND_SAYS_BAD_CERTIFICATE}, true, "trust the CA"},
		{{.cause = SEND_REFUSED, .status = 400, .says = SEND_SAYS_PLAIN}, false, "https://"},
		{{.cause = SEND_REFUSED, .status = 503, .retry_after_s = 5}, true, "--retry"},
		{{.cause = SEND_REFUSED, .status = 500, .tls = "TLSv1.3"}, true, "--tls 1.2"},
		{{.cause = SEND_REFUSED, .status = 403, .asks = {NONE}, .ask_count = 1}, false, "--cert and --key"},
		{{.cause = SEND_REFUSED, .status = 403, .asks = {PRIMED}, .ask_count = 1}, true, "does not accept it"},
		{{.cause = SEND_REFUSED, .status = 401, .tls = "TLSv1.3"}, true, "--tls 1.2"},
		{{.cause = SEND_REFUSED, .status = 401, .tls = "TLSv1.2"}, true, "buffer"},
		{{.cause = SEND_REFUSED, .status = 401}, false, "asked for no certificate"},
		{{.cause = SEND_REFUSED, .status = 405}, true, "--method"},
		{{.cause = SEND_REFUSED, .status = 411}, true, "length"},
		{{.cause = SEND_REFUSED, .status = 417}, true, "--expect never"},
		{{.cause = SEND_REFUSED, .status = 307}, true, "location"},
		{{.cause = SEND_REFUSED, .status = 307, .location = "https://y/?a&b"}, true, ": 'https://y/?a&b'"},
		{{.cause = SEND_REFUSED, .status = 500}, true, NULL},
		{{.cause = SEND_EARLY, .status = 200}, true, "failed"},
		{{.cause = SEND_STALLED, .asks = {LATE}, .ask_count = 1}, true, "--expect always"},
		{{.cause = SEND_STALLED, .asks = {NONE}, .ask_count = 1}, false, "--cert and --key"},
		{{.cause = SEND_STALLED, .total = 1, .asks = {PRIMED}, .ask_count = 1}, true, "stopped reading"},
		{{.cause = SEND_STALLED, .total = 1}, true, "certificate"},
		{{.cause = SEND_STALLED, .sent = 1, .total = 1}, true, "--response-timeout"},
		{{.cause = SEND_LOST, .asks = {NONE}, .ask_count = 1}, false, "--cert and --key"},
		{{.cause = SEND_LOST, .alert = 116, .asks = {NONE}, .ask_count = 1}, false, "--cert and --key"},
		{{.cause = SEND_LOST, .alert = 40, .asks = {NONE}, .ask_count = 1}, true, "signature algorithm"},
		{{.cause = SEND_REFUSED, .status = 403, .asks = {NONE}, .ask_count = 1}, true, "signature algorithm"},
		{{.cause = SEND_LOST, .alert = 116}, false, "--pkcs12"},
		{{.cause = SEND_LOST, .alert = 48}, true, "trust the CA"},
		{{.cause = SEND_LOST, .alert = 44}, true, "revoked"},
		{{.cause = SEND_LOST, .alert = 45}, true, "expired"},
		{{.cause = SEND_NO_TLS, .alert = 70}, true, "--tls"},
		{{.cause = SEND_NO_TLS, .alert = 120}, true, "HTTP/1.1"},
		{{.cause = SEND_NO_TLS, .alert = 40}, true, "in common"},
		{{.cause = SEND_NO_CERTIFICATE, .alert = 45, .ask_count = 1, .fault = "your certificate expired"},
		 true,
		 "Your certificate expired. "},
		{{.cause = SEND_NO_CERTIFICATE, .alert = 48, .ask_count = 1}, true, "trust the CA"},
		{{.cause = SEND_NO_CERTIFICATE, .alert = 51, .ask_count = 1}, true, "signature"},
		{{.cause = SEND_REFUSED,
		  .status = 403,
		  .asks = {PRIMED},
		  .ask_count = 1,
		  .fault = "your certificate expired"},
		 true,
		 "Your certificate expired. "},
		{{.cause = SEND_NO_HOST, .fault = "your certificate expired"}, true, "--resolve"},
		{{.cause = SEND_NO_HOST, .err = {.text = "Could not resolve proxy: x"}}, true, "--proxy"},
		{{.cause = SEND_LOST}, true, "--retry"},
		{{.cause = SEND_NO_BODY}, true, NULL},
		{{.cause = SEND_NO_TLS, .err = {.text = "TLS: what came is not TLS (x)"}}, true, "http://"},
		{{.cause = SEND_NO_TRUST, .verify = 18}, true, "self-signed"},
		{{.cause = SEND_REFUSED, .status = 307, .follow = SEND_FOLLOW_UNASKED, .location = "https://h/"},
		 true,
		 "--location"},
		{{.cause = SEND_REFUSED, .status = 307, .follow = SEND_FOLLOW_BODY}, true, "standard input"},
		{{.cause = SEND_REFUSED, .status = 303, .location = "https://h/"}, true, "result"},
		{{.cause = SEND_NO_TRUST, .verify = 20}, true, "--ca"},
		{{.cause = SEND_NO_TRUST, .verify = SEND_VERIFY_PROXY}, true, "proxy"},
		{{.cause = SEND_NO_TRUST, .verify = 10}, true, "clock"},
		{{.cause = SEND_NO_TRUST, .verify = 9}, true, "clock"},
		{{.cause = SEND_NO_TRUST, .verify = 1}, true, "another name"},
		{{.cause = SEND_UNPRIMED}, true, "--prime auto"},
		{{.cause = SEND_NO_WAY}, true, "not made"},
		{{.cause = SEND_NO_WAY, .late = true}, true, "--stall"},
		{{.cause = SEND_NO_WAY, .system_error = ETIMEDOUT}, true, "--stall"},
		{{.cause = SEND_NO_WAY, .tunnel_status = 407}, true, "--proxy-user"},
		{{.cause = SEND_NO_WAY, .tunnel_status = 403}, true, "--noproxy"},
		{{.cause = SEND_NO_WAY, .system_error = ECONNREFUSED}, true, "Nothing listens"},
		{{.cause = SEND_NO_WAY, .system_error = ENETUNREACH}, true, "route"},
	};
	/* What is never looked into. */
	const struct tls_credentials *some = (const struct tls_credentials *)(const void *)cases;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct send_options options = {.url = "https://x/", .credentials = cases[i].credentials ? some : NULL};
		struct send_result result = cases[i].result;
		send_explain(&options, &result);
		if (cases[i].has == NULL)
			assert_string_equal(result.hint, "");
		else if (strstr(result.hint, cases[i].has) == NULL)
			fail_msg("case %zu: '%s' lacks '%s'", i, result.hint, cases[i].has);
		assert_true(strlen(result.hint) + 1 < sizeof(result.hint)); /* not cut */
	}
}

/* What is to be typed next fits a shell, and has no password in it. */
static void the_url_in_a_hint(void **state)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{"https://host/a", "thaw probe https://host/a"},
		{"https://host:8443/a@b?c=d&e", "thaw probe 'https://host:8443/a@b?c=d&e'"},
		{"https://me:s3cret@host/a", "thaw probe https://host/a"},
		{"https://me:s3@cret@[::1]:1", "thaw probe 'https://[::1]:1'"},
		{"https://me@host?x@y", "thaw probe 'https://host?x@y'"},
		{"https://host/'$(id)'", "thaw probe 'https://host/'\\''$(id)'\\'''"},
		{"https://host/\x1b]0;x\x07 \xc3\xbc\n", "thaw probe 'https://host/%1B]0;x%07%20%C3%BC%0A'"},
		{"x'`id`'://host/", "thaw probe 'x'\\''`id`'\\''://host/'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct send_options options = {.url = cases[i].url};
		struct send_result result = {.cause = SEND_REFUSED, .status = 403};
		send_explain(&options, &result);
		const char *from = strstr(result.hint, "thaw probe");
		assert_non_null(from);
		assert_string_equal(from, cases[i].shown);
		result = (struct send_result){.cause = SEND_REFUSED, .status = 301};
		(void)snprintf(result.location, sizeof(result.location), "%s", cases[i].url);
		send_explain(&options, &result);
		assert_null(strstr(result.hint, "s3"));
		assert_non_null(strstr(result.hint, cases[i].shown + strlen("thaw probe ")));
	}
}

/* A quote that is never closed would take in what is typed next. */
static void a_url_too_long_for_a_hint_is_left_out(void **state)
{
	char url[4096];
	struct send_options options = {.url = url};
	struct send_result result = {.cause = SEND_REFUSED, .status = 403};

	(void)state;
	memset(url, '\'', sizeof(url) - 1);
	url[sizeof(url) - 1] = '\0';
	memcpy(url, "https://", 8);
	send_explain(&options, &result);
	assert_string_equal(strstr(result.hint, "thaw probe"), "thaw probe URL");
	result = (struct send_result){.cause = SEND_REFUSED, .status = 301};
	memcpy(result.location, url, sizeof(result.location) - 1);
	send_explain(&options, &result);
	assert_null(strstr(result.hint, "https"));
}

static void outcomes(void **state)
{
	static const struct {
		struct send_result result;
		const char *text;
	} cases[] = {
		{{.cause = SEND_DONE, .status = 201, .sent = MIB, .total = MIB, .ms = 1500},
		 "sent 1.0 MiB of 1.0 MiB in 1.5 s: 201"},
		{{.cause = SEND_DONE, .status = 200, .sent = 5, .total = -1}, "sent 5 B in 0.0 s: 200"},
		{{.cause = SEND_REFUSED, .status = 413, .sent = 5, .total = 10, .ask_count = 1},
		 "the server answered 413 after 5 B of 10 B; the server has asked for a certificate"},
		{{.cause = SEND_STALLED, .sent = 10, .total = 10, .stalled_ms = 30000, .stalled_with = 7},
		 "stalled: only 7 B transferred in 30.0 s, after 10 B of 10 B; the server has not asked for a "
		 "certificate"},
		{{.cause = SEND_STALLED, .sent = 5, .total = 10, .stalled_ms = 30000},
		 "stalled: no progress for 30.0 s, after 5 B of 10 B; the server has not asked for a certificate"},
		{{.cause = SEND_LOST, .sent = 5, .total = 10, .err = {THAW_ERR_PEER, "reset"}},
		 "the connection was closed after 5 B of 10 B: reset; the server has not asked for a certificate"},
		{{.cause = SEND_TIMEOUT, .sent = 5, .total = 10, .err = {THAW_ERR_PEER, "late"}},
		 "timed out after 5 B of 10 B: late; the server has not asked for a certificate"},
		{{.cause = SEND_NO_CERTIFICATE, .alert = 48},
		 "the server refused the certificate: TLS alert 48 (unknown_ca)"},
		{{.cause = SEND_NO_BODY, .err = {THAW_ERR_SYSTEM, "file: gone"}}, "file: gone"},
	};
	char text[SEND_OUTCOME_ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(send_outcome_text(&cases[i].result, text), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test(the_rate_is_of_the_recent_past),
		cmocka_unit_test(a_narrow_terminal),
		cmocka_unit_test(waiting),
		cmocka_unit_test(bars_and_lines),
		cmocka_unit_test(lines_are_due_each_5_s),
		cmocka_unit_test(hints),
		cmocka_unit_test(outcomes),
		cmocka_unit_test(the_url_in_a_hint),
		cmocka_unit_test(a_url_too_long_for_a_hint_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
