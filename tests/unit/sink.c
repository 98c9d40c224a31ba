/* Sinks: never waiting, whole lines among several writers, a ceiling, and counted losses. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/sink.h"

#define LONG_LINE 30000

struct ends {
	int in, out;
};

static struct ends a_pipe(void)
{
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	return (struct ends){fd[1], fd[0]};
}

static struct ends a_socket(void)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), 0);
	return (struct ends){fd[1], fd[0]};
}

static void close_ends(struct ends ends)
{
	assert_int_equal(close(ends.in), 0);
	assert_int_equal(close(ends.out), 0);
}

static char *line_of(char *line, char letter, size_t len)
{
	memset(line, letter, len - 1);
	line[len - 1] = '\n';
	return line;
}

/* Reads all that is there. Checks that each line is made of one letter; counts lines. */
static size_t read_lines(int fd, char *last)
{
	char bytes[4096];
	size_t lines = 0;
	ssize_t got;

	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < got; i++) {
			if (bytes[i] == '\n') {
				lines++;
				*last = '\n';
				continue;
			}
			assert_true(*last == '\n' || *last == bytes[i]);
			*last = bytes[i];
		}
	return lines;
}

static void takes_what_it_can(struct ends ends, bool poll_only)
{
	atomic_uint turn = 0;
	struct sink sink;
	char line[1000], last = '\n';
	size_t given = 0, read_back = 0;

	sink_open_shared(&sink, ends.in, &turn, 1);
	if (poll_only) {
		(void)close(sink.fd);
		sink.fd = ends.in;
		sink.own = false;
		sink.way = SINK_WAY_POLL;
	}
	while (given < 100000) { /* far more than the target and the buffer hold; nothing here may block */
		sink_line(&sink, line_of(line, 'a', sizeof(line)), sizeof(line));
		(void)sink_flush(&sink);
		given++;
		if (sink.dropped > 0)
			break;
	}
	assert_int_equal(sink_dropped(&sink), 1);
	assert_int_equal(sink_dropped(&sink), 0);
	assert_true(sink.waits.room <= SINK_MAX);
	do
		read_back += read_lines(ends.out, &last);
	while (!sink_flush(&sink));
	read_back += read_lines(ends.out, &last);
	assert_int_equal(read_back, given - 1);
	assert_int_equal(atomic_load(&turn), 0);
	sink_close(&sink, 0);
	assert_int_equal(fcntl(ends.in, F_GETFL) & O_NONBLOCK, 0); /* not ours to change */
	close_ends(ends);
}

static void test_a_full_pipe(void **state)
{
	(void)state;
	takes_what_it_can(a_pipe(), false);
}

static void test_a_full_socket(void **state)
{
	(void)state;
	takes_what_it_can(a_socket(), false);
}

static void test_a_full_pipe_that_cannot_be_opened_again(void **state)
{
	(void)state;
	takes_what_it_can(a_pipe(), true);
}

/* Two writers, lines longer than a pipe takes at once: no line has another's bytes in it. */
static void test_lines_stay_whole(void **state)
{
	struct ends ends = a_pipe();
	atomic_uint turn = 0;
	struct sink a, b;
	static char line[LONG_LINE];
	char last = '\n';
	size_t lines = 0;

	(void)state;
	sink_open_shared(&a, ends.in, &turn, 1);
	sink_open_shared(&b, ends.in, &turn, 2);
	for (int i = 0; i < 20; i++) {
		sink_line(&a, line_of(line, 'a', LONG_LINE), LONG_LINE);
		sink_line(&b, line_of(line, 'b', LONG_LINE), LONG_LINE);
	}
	bool a_done = false, b_done = false;
	while (!a_done || !b_done) {
		a_done = sink_flush(&a);
		b_done = sink_flush(&b);
		lines += read_lines(ends.out, &last);
	}
	lines += read_lines(ends.out, &last);
	assert_int_equal(lines, 40);
	assert_int_equal(a.dropped + b.dropped, 0);
	sink_close(&a, 0);
	sink_close(&b, 0);
	close_ends(ends);
}

/* A writer that dies within a line: the line is ended, and the others go on. */
static void test_a_dead_writer_s_line_is_ended(void **state)
{
	struct ends ends = a_pipe();
	atomic_uint turn = 0;
	struct sink master, dying, other;
	static char line[LONG_LINE * 4];
	char last = '\n';

	(void)state;
	sink_open_shared(&master, ends.in, &turn, 1);
	sink_open_shared(&dying, ends.in, &turn, 2);
	sink_open_shared(&other, ends.in, &turn, 3);
	sink_line(&dying, line_of(line, 'd', sizeof(line)), sizeof(line));
	assert_false(sink_flush(&dying));
	assert_int_equal(atomic_load(&turn), 2);
	sink_line(&other, line_of(line, 'o', 100), 100);
	assert_false(sink_flush(&other));
	assert_int_equal(read_lines(ends.out, &last), 0);
	assert_false(sink_flush(&other)); /* there is room, but it is not its turn */
	sink_reclaim(&master, 3);
	assert_int_equal(atomic_load(&turn), 2);
	sink_reclaim(&master, 2);
	assert_true(sink_flush(&other));
	assert_int_equal(read_lines(ends.out, &last), 2);
	sink_close(&dying, 0);
	sink_close(&other, 0);
	sink_close(&master, 0);
	close_ends(ends);
}

static void test_a_closed_target(void **state)
{
	struct ends ends = a_socket();
	atomic_uint turn = 0;
	struct sink sink;

	(void)state;
	sink_open_shared(&sink, ends.in, &turn, 1);
	(void)close(ends.out);
	sink_line(&sink, "a\n", 2);
	sink_line(&sink, "b\n", 2);
	assert_true(sink_flush(&sink));
	assert_int_equal(sink_dropped(&sink), 2);
	assert_int_equal(atomic_load(&turn), 0);
	sink_close(&sink, 0);
	(void)close(ends.in);
}

static void test_a_file_is_appended_to(void **state)
{
	char path[] = "/tmp/thaw-sink-XXXXXX", text[16] = "";
	atomic_uint turn = 0;
	struct sink sink;
	struct thaw_error err = {0};
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "old\n", 4), 4);
	assert_int_equal(sink_open_file(&sink, path, &turn, 1, &err), THAW_OK);
	sink_line(&sink, "new\n", 4);
	sink_close(&sink, 0);
	assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), 8);
	assert_string_equal(text, "old\nnew\n");
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(sink_open_file(&sink, "/nonexistent/log", &turn, 1, &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_SYSTEM);
	assert_non_null(strstr(err.text, "/nonexistent/log"));
}

/* Standard error sent to a file by a shell: its place in the file is shared with whoever writes there without us. */
static void test_a_file_that_others_write_to(void **state)
{
	char path[] = "/tmp/thaw-sink-XXXXXX", text[32] = "";
	atomic_uint turn = 0;
	struct sink sink;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	sink_open_shared(&sink, fd, &turn, 1);
	sink_line(&sink, "ours\n", 5);
	assert_true(sink_flush(&sink));
	assert_int_equal(write(fd, "theirs\n", 7), 7);
	sink_line(&sink, "more\n", 5);
	assert_true(sink_flush(&sink));
	sink_close(&sink, 0);
	assert_int_equal(pread(fd, text, sizeof(text) - 1, 0), 17);
	assert_string_equal(text, "ours\ntheirs\nmore\n");
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
}

static void test_a_line_above_the_ceiling(void **state)
{
	static char line[SINK_MAX + 1];
	struct ends ends = a_pipe();
	atomic_uint turn = 0;
	struct sink sink;

	(void)state;
	sink_open_shared(&sink, ends.in, &turn, 1);
	sink_line(&sink, line_of(line, 'a', sizeof(line)), sizeof(line));
	assert_int_equal(sink_dropped(&sink), 1);
	assert_true(sink_flush(&sink));
	sink_close(&sink, 0);
	close_ends(ends);
}

/* More than the buffer holds, and nothing was flushed meanwhile: thousands of connections that end at once. */
static void test_a_file_loses_no_line_at_the_ceiling(void **state)
{
	char path[] = "/tmp/thaw-sink-XXXXXX";
	static char line[LONG_LINE];
	atomic_uint turn = 0;
	struct sink sink;
	struct thaw_error err = {0};
	int fd = mkstemp(path);
	size_t count = 3 * SINK_MAX / sizeof(line);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sink_open_file(&sink, path, &turn, 1, &err), THAW_OK);
	for (size_t i = 0; i < count; i++)
		sink_line(&sink, line_of(line, 'a', sizeof(line)), sizeof(line));
	assert_int_equal(sink.taken, count);
	assert_true(sink.done < count);
	sink_close(&sink, 0);
	assert_int_equal(sink.done, count);
	assert_int_equal(sink_dropped(&sink), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), count * sizeof(line));
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
}

/* Another process keeps the turn and does not go on: that is waited for once, not with each line. */
static void test_lines_behind_a_stopped_writer_are_counted(void **state)
{
	char path[] = "/tmp/thaw-sink-XXXXXX";
	static char line[LONG_LINE];
	atomic_uint turn = 0;
	struct sink sink;
	struct thaw_error err = {0};
	int fd = mkstemp(path);
	size_t count = 2 * SINK_MAX / sizeof(line);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(sink_open_file(&sink, path, &turn, 1, &err), THAW_OK);
	atomic_store(&turn, 2);
	for (size_t i = 0; i < count; i++)
		sink_line(&sink, line_of(line, 'a', sizeof(line)), sizeof(line));
	assert_true(sink.stuck);
	assert_int_equal(sink.cause, 0);
	assert_int_equal(sink.taken, count);
	uint64_t dropped = sink_dropped(&sink);
	assert_true(dropped >= count / 2 && dropped < count);
	atomic_store(&turn, 0);
	sink_close(&sink, 0);
	assert_int_equal(sink.done, count);
	assert_int_equal(lseek(fd, 0, SEEK_END), (count - dropped) * sizeof(line));
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
}

/* A disk that is full in the middle of a line: it is counted, and the next line begins on a line of its own. */
static void test_a_line_that_was_torn_is_ended(void **state)
{
	char path[] = "/tmp/thaw-sink-XXXXXX", text[32] = "";
	atomic_uint turn = 0;
	struct sink sink;
	struct thaw_error err = {0};
	struct rlimit limit, small;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 6;
	assert_int_equal(sink_open_file(&sink, path, &turn, 1, &err), THAW_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	sink_line(&sink, "one\n", 4);
	sink_line(&sink, "second\n", 7);
	sink_line(&sink, "third\n", 6);
	assert_true(sink_flush(&sink));
	assert_int_equal(sink_dropped(&sink), 2);
	assert_int_equal(sink.cause, EFBIG);
	assert_int_equal(sink.done, 3);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	sink_line(&sink, "fourth\n", 7);
	sink_close(&sink, 0);
	assert_int_equal(sink.taken, 4);
	assert_int_equal(sink.done, 4);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "one\nse\nfourth\n");
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
}

static void test_what_cannot_be_written_at_the_end_is_counted(void **state)
{
	struct ends ends = a_pipe();
	atomic_uint turn = 2; /* another process's */
	struct sink sink;

	(void)state;
	sink_open_shared(&sink, ends.in, &turn, 1);
	sink_line(&sink, "a\n", 2);
	sink_line(&sink, "b\n", 2);
	sink_close(&sink, 0);
	assert_int_equal(sink_dropped(&sink), 2);
	assert_int_equal(sink.done, 2);
	close_ends(ends);
}

/* The target is put aside, and another comes: whole lines in each, and what waits goes to the new one. */
static void test_another_target(void **state)
{
	struct ends first = a_pipe(), second = a_pipe();
	atomic_uint turn = 0;
	struct sink sink;
	char bytes[64];

	(void)state;
	sink_open_shared(&sink, first.in, &turn, 1);
	sink_line(&sink, "one\n", 4);
	assert_true(sink_flush(&sink));
	sink_line(&sink, "two\n", 4);
	sink_adopt(&sink, second.in); /* the old one takes it still */
	sink_line(&sink, "three\n", 6);
	assert_true(sink_flush(&sink));
	assert_int_equal(read(first.out, bytes, sizeof(bytes)), 8);
	assert_memory_equal(bytes, "one\ntwo\n", 8);
	assert_int_equal(read(second.out, bytes, sizeof(bytes)), 6);
	assert_memory_equal(bytes, "three\n", 6);
	sink_close(&sink, 0);
	assert_int_equal(fcntl(second.in, F_GETFD), -1); /* it was taken over */
	assert_int_not_equal(fcntl(first.in, F_GETFD), -1);
	close_ends(first);
	assert_int_equal(close(second.out), 0);
}

static void test_what_waits_goes_to_the_other_target(void **state)
{
	struct ends full = a_pipe(), other = a_pipe();
	atomic_uint turn = 2; /* another process is within a line of the old one */
	struct sink sink;
	char bytes[64];

	(void)state;
	sink_open_shared(&sink, full.in, &turn, 1);
	sink_line(&sink, "waits\n", 6);
	assert_false(sink_flush(&sink));
	sink_adopt(&sink, other.in);
	turn = 0;
	assert_true(sink_flush(&sink));
	assert_int_equal(read(other.out, bytes, sizeof(bytes)), 6);
	assert_memory_equal(bytes, "waits\n", 6);
	assert_int_equal(read(full.out, bytes, sizeof(bytes)), -1);
	sink_close(&sink, 0);
	close_ends(full);
	assert_int_equal(close(other.out), 0);
}

static void test_a_forgotten_sink_writes_nothing(void **state)
{
	struct ends ends = a_pipe();
	atomic_uint turn = 0;
	struct sink sink;
	char byte;

	(void)state;
	sink_open_shared(&sink, ends.in, &turn, 1);
	sink_line(&sink, "never\n", 6);
	sink_forget(&sink);
	sink_close(&sink, 0); /* does nothing more */
	assert_int_equal(read(ends.out, &byte, 1), -1);
	close_ends(ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_full_pipe),
		cmocka_unit_test(test_a_full_socket),
		cmocka_unit_test(test_a_full_pipe_that_cannot_be_opened_again),
		cmocka_unit_test(test_lines_stay_whole),
		cmocka_unit_test(test_a_dead_writer_s_line_is_ended),
		cmocka_unit_test(test_a_closed_target),
		cmocka_unit_test(test_a_file_is_appended_to),
		cmocka_unit_test(test_a_file_that_others_write_to),
		cmocka_unit_test(test_a_line_above_the_ceiling),
		cmocka_unit_test(test_a_file_loses_no_line_at_the_ceiling),
		cmocka_unit_test(test_lines_behind_a_stopped_writer_are_counted),
		cmocka_unit_test(test_a_line_that_was_torn_is_ended),
		cmocka_unit_test(test_what_cannot_be_written_at_the_end_is_counted),
		cmocka_unit_test(test_another_target),
		cmocka_unit_test(test_what_waits_goes_to_the_other_target),
		cmocka_unit_test(test_a_forgotten_sink_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
