/* When messages begin with their priority: only where standard error is the journal itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/journal.h"

static void say_stream(const char *before, int fd, long inode_more, const char *after)
{
	char text[128];
	struct stat info;

	assert_int_equal(fstat(fd, &info), 0);
	(void)snprintf(text, sizeof(text), "%s%llu:%llu%s", before, (unsigned long long)info.st_dev,
		       (unsigned long long)info.st_ino + (unsigned long long)inode_more, after);
	assert_int_equal(setenv("JOURNAL_STREAM", text, 1), 0);
}

static void test_device_and_inode_decide(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_false(journal_is(ends[1]));
	say_stream("", ends[1], 0, "");
	assert_true(journal_is(ends[1]));
	assert_false(journal_is(-1));
	say_stream("", ends[1], 1, "");
	assert_false(journal_is(ends[1]));
	say_stream("1", ends[1], 0, "");
	assert_false(journal_is(ends[1]));
	say_stream("", ends[1], 0, "0");
	assert_false(journal_is(ends[1]));
	assert_int_equal(setenv("JOURNAL_STREAM", "", 1), 0);
	assert_false(journal_is(ends[1]));
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_a_prefix_is_the_priority_of_syslog(void **state)
{
	(void)state;
	assert_string_equal(journal_prefix(JOURNAL_ERROR, true), "<3>");
	assert_string_equal(journal_prefix(JOURNAL_WARNING, true), "<4>");
	assert_string_equal(journal_prefix(JOURNAL_NOTICE, true), "<5>");
	assert_string_equal(journal_prefix(JOURNAL_INFO, true), "<6>");
	assert_string_equal(journal_prefix(JOURNAL_DEBUG, true), "<7>");
	assert_string_equal(journal_prefix(JOURNAL_ERROR, false), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_device_and_inode_decide),
		cmocka_unit_test(test_a_prefix_is_the_priority_of_syslog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
