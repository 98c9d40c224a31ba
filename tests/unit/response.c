/* The writer of responses: exact bytes, dates, no overflow that could be missed, and no response that is split. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "http/response.h"

#define ROOM 512

static void assert_written(const struct http_writer *writer, const char *text)
{
	assert_false(writer->overflow);
	assert_int_equal(writer->len, strlen(text));
	assert_memory_equal(writer->at, text, writer->len);
}

static void write_whole(struct http_writer *writer)
{
	http_write_status(writer, 403);
	http_write_date(writer, 1795446198);
	http_write_field_number(writer, "Content-Length", UINT64_MAX);
	http_write_field(writer, "X", "");
	http_write_field(writer, "Content-Type", "application/problem+json");
	http_write_end(writer);
}

static const char whole[] = "HTTP/1.1 403 Forbidden\r\n"
			    "Date: Mon, 23 Nov 2026 15:03:18 GMT\r\n"
			    "Content-Length: 18446744073709551615\r\n"
			    "X: \r\n"
			    "Content-Type: application/problem+json\r\n"
			    "\r\n";

static void test_complete_head(void **state)
{
	char buffer[ROOM];
	struct http_writer writer;

	(void)state;
	http_writer_init(&writer, buffer, sizeof(buffer));
	write_whole(&writer);
	assert_written(&writer, whole);
}

/* In any room that is too small it overflows, and writes nothing behind the end. */
static void test_room(void **state)
{
	(void)state;
	for (size_t room = 0; room <= sizeof(whole); room++) {
		char *buffer = malloc(room > 0 ? room : 1);
		struct http_writer writer;
		assert_non_null(buffer);
		http_writer_init(&writer, buffer, room);
		write_whole(&writer);
		assert_int_equal(writer.overflow, room < sizeof(whole) - 1);
		assert_true(writer.len <= room);
		/* Later writes that would fit do not make it look whole again. */
		bool before = writer.overflow;
		size_t len = writer.len;
		http_write_field(&writer, "A", "");
		assert_true(writer.overflow || (!before && room >= sizeof(whole) - 1 + 5));
		assert_true(!before || writer.len == len);
		free(buffer);
	}
}

static void test_status(void **state)
{
	static const struct {
		unsigned status;
		const char *line;
	} cases[] = {
		{100, "HTTP/1.1 100 Continue\r\n"},
		{200, "HTTP/1.1 200 OK\r\n"},
		{204, "HTTP/1.1 204 No Content\r\n"},
		{307, "HTTP/1.1 307 Temporary Redirect\r\n"},
		{400, "HTTP/1.1 400 Bad Request\r\n"},
		{408, "HTTP/1.1 408 Request Timeout\r\n"},
		{413, "HTTP/1.1 413 Content Too Large\r\n"},
		{414, "HTTP/1.1 414 URI Too Long\r\n"},
		{417, "HTTP/1.1 417 Expectation Failed\r\n"},
		{421, "HTTP/1.1 421 Misdirected Request\r\n"},
		{431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
		{501, "HTTP/1.1 501 Not Implemented\r\n"},
		{503, "HTTP/1.1 503 Service Unavailable\r\n"},
		{505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
		{999, "HTTP/1.1 999 Unknown\r\n"},
	};
	char buffer[ROOM];
	struct http_writer writer;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		http_writer_init(&writer, buffer, sizeof(buffer));
		http_write_status(&writer, cases[i].status);
		assert_written(&writer, cases[i].line);
	}
	for (unsigned status = 0; status < 2000; status += status < 101 ? 99 : 900) { /* 0, 99, 198, 1098, 1998 */
		http_writer_init(&writer, buffer, sizeof(buffer));
		http_write_status(&writer, status);
		assert_int_equal(writer.overflow, status < 100 || status > 999);
	}
	assert_string_equal(http_status_phrase(0), "Unknown");
	assert_string_equal(http_status_phrase(418), "Unknown");
}

static void test_number(void **state)
{
	static const struct {
		uint64_t number;
		const char *line;
	} cases[] = {{0, "N: 0\r\n"}, {9, "N: 9\r\n"}, {10, "N: 10\r\n"}, {4294967296, "N: 4294967296\r\n"}};
	char buffer[ROOM];
	struct http_writer writer;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		http_writer_init(&writer, buffer, sizeof(buffer));
		http_write_field_number(&writer, "N", cases[i].number);
		assert_written(&writer, cases[i].line);
	}
}

static void test_splitting(void **state)
{
	static const struct {
		const char *name, *value;
		bool good;
	} cases[] = {
		{"A", "b", true},
		{"A", "b\tc d\xFF", true},
		{"A", "b\r\nSet-Cookie: c", false},
		{"A", "b\nc", false},
		{"A", "b\rc", false},
		{"A", "\r", false},
		{"A", "a long value whose control character comes late\x01", false},
		{"A", "\x7F", false},
		{"A\r\nB", "c", false},
		{"A\n", "c", false},
		{"A: b", "c", false},
		{"A ", "c", false},
		{"", "c", false},
	};
	char buffer[ROOM];
	struct http_writer writer;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		http_writer_init(&writer, buffer, sizeof(buffer));
		http_write_field(&writer, cases[i].name, cases[i].value);
		assert_int_equal(writer.overflow, !cases[i].good);
	}
	http_writer_init(&writer, buffer, sizeof(buffer));
	http_write_field_number(&writer, "A\r\nB", 1);
	assert_true(writer.overflow);
}

static void check_date(int64_t unix_s, const char *date)
{
	char buffer[ROOM], line[ROOM];
	struct http_writer writer;

	http_writer_init(&writer, buffer, sizeof(buffer));
	http_write_date(&writer, unix_s);
	(void)snprintf(line, sizeof(line), "Date: %s\r\n", date);
	assert_written(&writer, line);
}

static void test_date(void **state)
{
	(void)state;
	check_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
	check_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT"); /* the example of RFC 9110 5.6.7 */
	check_date(951782399, "Mon, 28 Feb 2000 23:59:59 GMT");
	check_date(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
	check_date(951868800, "Wed, 01 Mar 2000 00:00:00 GMT");
	check_date(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"); /* no leap year */
	check_date(4107542399, "Sun, 28 Feb 2100 23:59:59 GMT");
	check_date(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
	check_date(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
	check_date(-1, "Thu, 01 Jan 1970 00:00:00 GMT");
	check_date(INT64_MIN, "Thu, 01 Jan 1970 00:00:00 GMT");
}

/* Day by day over 430 years, against the C library's calendar (with numbers only: its names depend on the locale). */
static void test_every_day(void **state)
{
	static const char *const week_days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	(void)state;
	for (int64_t day = 0; day < 157000; day++) {
		time_t now = (time_t)(day * 86400 + day * 7 % 86400);
		struct tm tm;
		char date[64];
		assert_non_null(gmtime_r(&now, &tm));
		(void)snprintf(date, sizeof(date), "%s, %02d %s %04d %02d:%02d:%02d GMT", week_days[tm.tm_wday],
			       tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		check_date(now, date);
	}
}

static struct http_span span(const char *text)
{
	return (struct http_span){text, strlen(text)};
}

static void request_lines_and_spans(void **state)
{
	static const char *const bad[] = {"", "/a b", "/a\r\nX: y", "/\x7f", "/\t"};
	char buffer[ROOM];
	struct http_writer writer;

	(void)state;
	http_writer_init(&writer, buffer, sizeof(buffer));
	http_write_request_line(&writer, span("BREW"), span("/a?b=%20"));
	http_write_span(&writer, span("X"), span("y\tz"));
	http_write_lines(&writer, "A: b\r\n", 6);
	http_write_end(&writer);
	assert_written(&writer, "BREW /a?b=%20 HTTP/1.1\r\nX: y\tz\r\nA: b\r\n\r\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		http_writer_init(&writer, buffer, sizeof(buffer));
		http_write_request_line(&writer, span("GET"), span(bad[i]));
		assert_true(writer.overflow);
	}
	http_writer_init(&writer, buffer, sizeof(buffer));
	http_write_request_line(&writer, span("GE T"), span("/"));
	assert_true(writer.overflow);
	http_writer_init(&writer, buffer, sizeof(buffer));
	http_write_span(&writer, span("X"), span("a\nb"));
	assert_true(writer.overflow);
}

static void phrases(void **state)
{
	char buffer[ROOM];
	struct http_writer writer;

	(void)state;
	http_writer_init(&writer, buffer, sizeof(buffer));
	http_write_status_line(&writer, 200, span("Fine"));
	http_write_status_line(&writer, 404, span(""));
	http_write_status_line(&writer, 200, span("a\rb"));
	assert_written(&writer, "HTTP/1.1 200 Fine\r\nHTTP/1.1 404 Not Found\r\nHTTP/1.1 200 OK\r\n");
}

static void chunk_sizes(void **state)
{
	static const uint64_t sizes[] = {1, 9, 10, 15, 16, 255, 4096, 65535, 1ULL << 32, UINT64_MAX};
	char line[HTTP_CHUNK_SIZE_MAX], expected[HTTP_CHUNK_SIZE_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t len = http_write_chunk_size(line, sizes[i]);
		assert_int_equal(len, snprintf(expected, sizeof(expected), "%llx\r\n", (unsigned long long)sizes[i]));
		assert_memory_equal(line, expected, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_lines_and_spans),
		cmocka_unit_test(phrases),
		cmocka_unit_test(chunk_sizes),
		cmocka_unit_test(test_complete_head),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_splitting),
		cmocka_unit_test(test_date),
		cmocka_unit_test(test_every_day),
	};
	(void)setlocale(LC_ALL, "");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
