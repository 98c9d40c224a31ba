/* Nothing outlasts the probe's limit: neither a name server that never answers, nor a check that had to wait for its
 * place. The clock is the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "probe/plan_inside.h"
#include "probe/way.h"

#define BEGAN_MS 5000
#define LIMIT_MS 3000

/* ---- what the linker puts in place of the real ones ---- */

static uint64_t now_ms, room_ms; /* room_ms: how long a place is waited for */
static uint32_t begun_limit_ms;  /* of the check that was begun; 0: none was */
static volatile sig_atomic_t interrupted;
static bool interrupts; /* the look-up's waiting does */

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	(void)clock;
	*now = (struct timespec){.tv_sec = (time_t)(now_ms / 1000), .tv_nsec = (long)(now_ms % 1000) * 1000000};
	return 0;
}

int __wrap_getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *notify);
int __wrap_getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *notify)
{
	assert_int_equal(mode, GAI_NOWAIT);
	assert_int_equal(count, 1);
	assert_null(notify);
	assert_string_equal(list[0]->ar_name, "slow.example");
	return 0;
}

int __wrap_gai_error(struct gaicb *request);
int __wrap_gai_error(struct gaicb *request)
{
	(void)request;
	return EAI_INPROGRESS;
}

int __wrap_gai_suspend(const struct gaicb *const list[], int count, const struct timespec *timeout);
int __wrap_gai_suspend(const struct gaicb *const list[], int count, const struct timespec *timeout)
{
	assert_non_null(list[0]);
	assert_int_equal(count, 1);
	uint64_t ms = (uint64_t)timeout->tv_sec * 1000 + (uint64_t)timeout->tv_nsec / 1000000;
	assert_true(ms > 0 && ms <= 100); /* the interrupt is looked at in between */
	now_ms += ms;
	interrupted = interrupts;
	return EAI_AGAIN;
}

int __wrap_gai_cancel(struct gaicb *request);
int __wrap_gai_cancel(struct gaicb *request)
{
	(void)request;
	return EAI_CANCELED;
}

void __wrap_runner_make_room(struct runner *runner);
void __wrap_runner_make_room(struct runner *runner)
{
	(void)runner;
	now_ms += room_ms;
}

const struct check *__wrap_runner_start(struct runner *runner, const struct check_script *script,
					struct tls_client_context *context, struct tls_client_memory *memory,
					struct thaw_error *err);
const struct check *__wrap_runner_start(struct runner *runner, const struct check_script *script,
					struct tls_client_context *context, struct tls_client_memory *memory,
					struct thaw_error *err)
{
	(void)runner;
	(void)context;
	(void)memory;
	(void)err;
	begun_limit_ms = script->limit_ms;
	return NULL;
}

/* ---- names ---- */

static void look_up(struct thaw_error *err)
{
	const struct probe_patience patience = {
		.until_ms = BEGAN_MS + LIMIT_MS, .each_ms = 1000, .interrupted = &interrupted};
	struct probe_url url;
	struct probe_way way;
	char *head;
	struct sockaddr_storage address;
	bool named = true;

	now_ms = BEGAN_MS;
	interrupted = 0;
	assert_int_equal(probe_url_parse(&url, "https://slow.example/", err), THAW_OK);
	assert_int_equal(probe_way_find(&way, &url, &(struct probe_routes){0}, &head, err), THAW_OK);
	assert_null(head);
	assert_int_equal(probe_find_address(&way, &patience, &address, &named, err), THAW_FAILED);
	assert_false(named);
}

static void a_name_server_that_never_answers(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	interrupts = false;
	look_up(&err);
	assert_int_equal(now_ms, BEGAN_MS + LIMIT_MS);
	assert_int_equal(err.cls, THAW_ERR_TIMEOUT);
	assert_non_null(strstr(err.text, "slow.example"));
}

static void a_look_up_can_be_interrupted(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	interrupts = true;
	look_up(&err);
	assert_int_equal(now_ms, BEGAN_MS + 100);
}

/* ---- places ---- */

static void begin_behind(uint64_t wait_ms)
{
	static struct findings findings;
	const struct probe_options options = {.limit_ms = LIMIT_MS, .tls = {.skip_verification = true}};
	const struct check_script script = {.method = "GET"};
	struct thaw_error err = {0};
	struct plan *plan = plan_new(&options, &findings, &err);

	assert_non_null(plan);
	memset(&findings, 0, sizeof(findings));
	plan->began_ms = now_ms = BEGAN_MS;
	room_ms = wait_ms;
	begun_limit_ms = 0;
	(void)plan_begin(plan, &script, &(struct context_wish){.version = TLS_CLIENT_ANY}, NULL);
	assert_int_equal(findings.out_of_time, wait_ms >= LIMIT_MS);
	plan_free(&plan);
}

static void waiting_for_a_place_is_part_of_the_limit(void **state)
{
	(void)state;
	begin_behind(0);
	assert_int_equal(begun_limit_ms, LIMIT_MS);
	begin_behind(LIMIT_MS - 1);
	assert_int_equal(begun_limit_ms, 1);
	begin_behind(LIMIT_MS);
	assert_int_equal(begun_limit_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_server_that_never_answers),
		cmocka_unit_test(a_look_up_can_be_interrupted),
		cmocka_unit_test(waiting_for_a_place_is_part_of_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
