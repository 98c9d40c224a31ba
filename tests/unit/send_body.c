/* What is uploaded: handed out whole, again from its beginning, or not at all when it has changed. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "send/body.h"

static char folder[] = "/tmp/thaw-unit-body-XXXXXX", file[64], other[64];

static void write_file(const char *name, const char *text)
{
	FILE *to = fopen(name, "w");

	assert_non_null(to);
	assert_true(fputs(text, to) >= 0);
	assert_int_equal(fclose(to), 0);
}

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(file, sizeof(file), "%s/file", folder);
	(void)snprintf(other, sizeof(other), "%s/ot\"her", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(file);
	(void)unlink(other);
	return rmdir(folder);
}

static struct send_body *open_file(const char *name)
{
	struct thaw_error err = {0};
	struct send_body *body = send_body_open(name, NULL, 0, &err);

	assert_string_equal(err.text, "");
	assert_non_null(body);
	return body;
}

/* All that is left, in pieces of room bytes; the last call's result. */
static ssize_t drain(struct send_body *body, size_t room, char *to, size_t *len)
{
	ssize_t got;

	for (*len = 0; (got = send_body_read(body, to + *len, room)) > 0;)
		*len += (size_t)got;
	to[*len] = '\0';
	return got;
}

static void a_file_as_often_as_needed(void **state)
{
	char read[64];
	size_t len = 0;

	(void)state;
	write_file(file, "hello world");
	struct send_body *body = open_file(file);
	assert_int_equal(send_body_length(body), 11);
	assert_null(send_body_type(body));
	for (size_t room = 1; room < 20; room++) {
		assert_int_equal(drain(body, room, read, &len), BODY_END);
		assert_string_equal(read, "hello world");
		assert_int_equal(send_body_given(body), 11);
		assert_true(send_body_whole(body));
		assert_true(send_body_can_rewind(body));
		assert_true(send_body_rewind(body));
		assert_false(send_body_whole(body));
	}
	send_body_close(&body);
	write_file(file, "");
	body = open_file(file);
	assert_int_equal(send_body_length(body), 0);
	assert_true(send_body_whole(body));
	assert_int_equal(send_body_read(body, read, sizeof(read)), BODY_END);
	send_body_close(&body);
}

/* change 0: shorter, 1: longer, 2: as long, and another. Its last byte is never handed out. */
static void a_file_that_changes(void **state)
{
	static const char *const becomes[] = {"hello", "hello world, and all", "HELLO WORLD"};
	char read[64];

	(void)state;
	for (size_t change = 0; change < 3; change++) {
		struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
		write_file(file, "hello world");
		assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
		struct send_body *body = open_file(file);
		assert_int_equal(send_body_read(body, read, 6), 6);
		int fd = open(file, O_WRONLY);
		assert_int_equal(write(fd, becomes[change], strlen(becomes[change])), (ssize_t)strlen(becomes[change]));
		assert_int_equal(ftruncate(fd, (off_t)strlen(becomes[change])), 0);
		(void)close(fd);
		assert_int_equal(send_body_read(body, read, sizeof(read)), BODY_BROKEN);
		assert_int_equal(send_body_error(body)->cls, THAW_ERR_SYSTEM);
		assert_false(send_body_whole(body));
		assert_int_equal(send_body_read(body, read, sizeof(read)), BODY_BROKEN);
		assert_false(send_body_rewind(body));
		send_body_close(&body);
	}
}

static void what_cannot_be_opened(void **state)
{
	struct thaw_error err = {0};
	const struct send_part part = {.name = "name", .file = "-"};

	(void)state;
	assert_null(send_body_open("/nonexistent/file", NULL, 0, &err));
	assert_non_null(strstr(err.text, "/nonexistent/file"));
	err.cls = THAW_ERR_NONE;
	assert_null(send_body_open(folder, NULL, 0, &err));
	assert_non_null(strstr(err.text, "directory"));
	err.cls = THAW_ERR_NONE;
	int pipes[2], standard = dup(STDIN_FILENO);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(dup2(pipes[0], STDIN_FILENO), STDIN_FILENO);
	assert_null(send_body_open(NULL, &part, 1, &err)); /* its length is not known */
	assert_int_equal(err.cls, THAW_ERR_SYSTEM);
	assert_int_equal(dup2(standard, STDIN_FILENO), STDIN_FILENO);
	(void)close(standard);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

static void standard_input_waits(void **state)
{
	int pipes[2], standard = dup(STDIN_FILENO);
	char read[64];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(dup2(pipes[0], STDIN_FILENO), STDIN_FILENO);
	struct send_body *body = open_file("-");
	assert_int_equal(send_body_length(body), -1);
	assert_int_equal(send_body_fd(body), STDIN_FILENO);
	assert_int_equal(send_body_read(body, read, sizeof(read)), BODY_WAITS);
	assert_true(send_body_can_rewind(body)); /* nothing was read of it */
	assert_int_equal(write(pipes[1], "abc", 3), 3);
	assert_int_equal(send_body_read(body, read, sizeof(read)), 3);
	assert_false(send_body_can_rewind(body));
	assert_false(send_body_whole(body));
	(void)close(pipes[1]);
	assert_int_equal(send_body_read(body, read, sizeof(read)), BODY_END);
	assert_true(send_body_whole(body));
	assert_int_equal(send_body_given(body), 3);
	assert_false(send_body_rewind(body));
	send_body_close(&body);
	assert_int_equal(dup2(standard, STDIN_FILENO), STDIN_FILENO);
	(void)close(standard);
	(void)close(pipes[0]);
}

static void a_form(void **state)
{
	const struct send_part parts[] = {{.name = "one", .file = file}, {.name = "t\"wo", .file = other}};
	struct thaw_error err = {0};
	char read[2048], wanted[2048];
	size_t len = 0;

	(void)state;
	write_file(file, "hello");
	write_file(other, "");
	struct send_body *body = send_body_open(NULL, parts, 2, &err);
	assert_non_null(body);
	const char *boundary = strstr(send_body_type(body), "boundary=") + strlen("boundary=");
	(void)snprintf(wanted, sizeof(wanted),
		       "--%s\r\nContent-Disposition: form-data; name=\"one\"; filename=\"file\"\r\n"
		       "Content-Type: application/octet-stream\r\n\r\nhello\r\n"
		       "--%s\r\nContent-Disposition: form-data; name=\"t%%22wo\"; filename=\"ot%%22her\"\r\n"
		       "Content-Type: application/octet-stream\r\n\r\n\r\n--%s--\r\n",
		       boundary, boundary, boundary);
	for (size_t room = 1; room < 9; room++) {
		assert_int_equal(drain(body, room, read, &len), BODY_END);
		assert_string_equal(read, wanted);
		assert_int_equal(send_body_length(body), len);
		assert_true(send_body_whole(body));
		assert_true(send_body_rewind(body));
	}
	assert_int_equal(send_body_size(body), 0); /* no file alone */
	assert_false(send_body_skip(body, 1));
	send_body_close(&body);
}

static void the_rest_of_a_file(void **state)
{
	char read[64];
	size_t len = 0;

	(void)state;
	write_file(file, "hello world");
	struct send_body *body = open_file(file);
	assert_true(send_body_has(body, 0, "hello", 5));
	assert_true(send_body_has(body, 6, "world", 5));
	assert_false(send_body_has(body, 6, "worlD", 5));
	assert_false(send_body_has(body, 6, "worlds", 6));
	assert_false(send_body_has(body, 12, "", 0));
	assert_true(send_body_skip(body, 6));
	assert_int_equal(send_body_length(body), 5);
	assert_int_equal(send_body_size(body), 11);
	assert_int_equal(drain(body, 3, read, &len), BODY_END);
	assert_string_equal(read, "world");
	assert_true(send_body_whole(body));
	assert_true(send_body_skip(body, 0));
	assert_int_equal(drain(body, 64, read, &len), BODY_END);
	assert_string_equal(read, "hello world");
	assert_false(send_body_skip(body, 12));
	send_body_close(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_as_often_as_needed),
		cmocka_unit_test(a_file_that_changes),
		cmocka_unit_test(what_cannot_be_opened),
		cmocka_unit_test(standard_input_waits),
		cmocka_unit_test(a_form),
		cmocka_unit_test(the_rest_of_a_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
