/* Functions on stacks of their own: pausing, stack size, and the signal mask. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fibre.h"

struct story {
	struct fibre *fibre;
	unsigned pauses;
	char said[16];
};

static void say(struct story *story, char what)
{
	size_t len = strlen(story->said);

	story->said[len] = what;
	story->said[len + 1] = '\0';
}

static void tell(void *arg)
{
	struct story *story = arg;

	for (unsigned i = 0; i < story->pauses; i++) {
		say(story, (char)('a' + i));
		fibre_pause(story->fibre);
	}
	say(story, '.');
}

static void a_function_pauses_and_goes_on(void **state)
{
	struct story one = {.fibre = fibre_new(), .pauses = 2}, other = {.fibre = fibre_new(), .pauses = 3};

	(void)state;
	assert_false(fibre_begin(one.fibre, tell, &one));
	assert_false(fibre_begin(other.fibre, tell, &other));
	assert_string_equal(one.said, "a");
	assert_false(fibre_resume(other.fibre));
	assert_false(fibre_resume(one.fibre));
	assert_true(fibre_resume(one.fibre));
	assert_false(fibre_resume(other.fibre));
	assert_true(fibre_resume(other.fibre));
	assert_string_equal(one.said, "ab.");
	assert_string_equal(other.said, "abc.");
	one.pauses = 0;
	assert_true(fibre_begin(one.fibre, tell, &one)); /* and the fibre serves again */
	assert_string_equal(one.said, "ab..");
	fibre_free(&one.fibre);
	fibre_free(&other.fibre);
	assert_null(one.fibre);
}

static void use_stack(void *arg)
{
	volatile char room[FIBRE_STACK * 3 / 4];

	memset((void *)room, 'x', sizeof(room));
	*(char *)arg = room[sizeof(room) / 2];
}

static void overrun(void *arg)
{
	volatile char room[FIBRE_STACK];

	for (size_t i = sizeof(room); i > 0; i--)
		room[i - 1] = 'x';
	*(char *)arg = room[0];
}

/* The page below a stack is protected: a process that uses more ends, before it writes elsewhere. */
static void a_stack_has_its_size_and_an_end(void **state)
{
	struct fibre *fibre = fibre_new();
	char got = 0;
	int how = 0;

	(void)state;
	assert_true(fibre_begin(fibre, use_stack, &got));
	assert_int_equal(got, 'x');
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		(void)fibre_begin(fibre, overrun, &got);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &how, 0), pid);
	assert_true(WIFSIGNALED(how) || WEXITSTATUS(how) != 0);
	fibre_free(&fibre);
}

static bool is_blocked(int number)
{
	sigset_t mask;

	(void)sigprocmask(SIG_SETMASK, NULL, &mask);
	return sigismember(&mask, number) == 1;
}

static void note_mask(void *arg)
{
	struct story *story = arg;

	say(story, is_blocked(SIGTERM) ? 'b' : 'o');
	fibre_pause(story->fibre);
	say(story, is_blocked(SIGTERM) ? 'b' : 'o');
}

static void the_signal_mask_is_the_caller_s(void **state)
{
	struct story story = {.fibre = fibre_new()};
	sigset_t term;

	(void)state;
	(void)sigemptyset(&term);
	(void)sigaddset(&term, SIGTERM);
	assert_false(fibre_begin(story.fibre, note_mask, &story));
	(void)sigprocmask(SIG_BLOCK, &term, NULL);
	assert_true(fibre_resume(story.fibre));
	assert_string_equal(story.said, "ob");
	assert_true(is_blocked(SIGTERM));
	(void)sigprocmask(SIG_UNBLOCK, &term, NULL);
	fibre_free(&story.fibre);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_function_pauses_and_goes_on),
		cmocka_unit_test(a_stack_has_its_size_and_an_end),
		cmocka_unit_test(the_signal_mask_is_the_caller_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
