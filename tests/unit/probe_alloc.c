/* Each allocation of the probe fails in turn, ours and OpenSSL's: nothing is lost, nothing breaks, and it is told. */
#include "check_world.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "../fault/alloc.h"
#include "base/socket.h"
#include "probe/plan.h"
#include "probe/runner.h"

#define STEP 29

/* ---- what is made ---- */

static struct tls_client_options client_options;

static void make_contexts(bool failing)
{
	const struct context_wish wishes[] = {{.version = TLS_CLIENT_12}, {.http2 = true}, {.withholds = true}};
	struct thaw_error err = {0};

	fault_inside(true);
	struct contexts *contexts = contexts_new(&client_options);
	if (contexts != NULL) {
		for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
			if (contexts_get(contexts, &wishes[i], &err) == NULL) {
				assert_true(failing && fault_happened());
				assert_int_not_equal(err.cls, THAW_ERR_NONE);
				assert_int_not_equal(err.text[0], '\0');
			}
	}
	fault_inside(false);
	assert_true(contexts != NULL || fault_happened());
	contexts_free(&contexts);
	assert_null(contexts);
}

static void contexts_without_memory(void **state)
{
	(void)state;
	assert_true(fault_each(make_contexts, 1) > 0);
}

static void make_plan(bool failing)
{
	static struct findings findings;
	const struct probe_options options = {.tls = client_options};
	struct thaw_error err = {0};

	fault_inside(true);
	struct plan *plan = plan_new(&options, &findings, &err);
	fault_inside(false);
	assert_int_equal(plan == NULL, failing);
	if (plan == NULL)
		assert_int_equal(err.cls, THAW_ERR_RESOURCE);
	plan_free(&plan);
	assert_null(plan);
}

static void a_plan_without_memory(void **state)
{
	(void)state;
	assert_true(fault_each(make_plan, 1) >= 4);
}

static void make_h2(bool failing)
{
	const struct http_h2_request request = {.method = "GET", .authority = "a", .path = "/", .user_agent = "b"};

	fault_inside(true);
	struct http_h2_client *client = http_h2_client_new(&request);
	fault_inside(false);
	assert_int_equal(client == NULL, failing);
	http_h2_client_free(&client);
}

static void http2_without_memory(void **state)
{
	(void)state;
	assert_true(fault_each(make_h2, 1) > 0);
}

/* ---- a runner ---- */

static struct contexts *contexts;
static int listener = -1;
static const struct check_script get = {.method = "GET",
					.target = "/",
					.authority = "localhost",
					.fields = "",
					.stall_ms = 5000,
					.settle_ms = 300,
					.limit_ms = 60000};

static struct tls_client_context *context_of(struct context_wish wish)
{
	struct thaw_error err = {0};
	struct tls_client_context *context = contexts_get(contexts, &wish, &err);

	assert_non_null(context);
	return context;
}

static void start_runner(bool failing)
{
	struct runner_options options = {.name = "localhost", .at_once = 2};
	struct sockaddr_in *to = (struct sockaddr_in *)&options.address;
	struct tls_client_context *context = context_of((struct context_wish){0});
	struct thaw_error err = {0};
	socklen_t len = sizeof(*to);

	assert_int_equal(getsockname(listener, (struct sockaddr *)to, &len), 0);
	fault_inside(true);
	struct runner *runner = runner_new(&options);
	const struct check *check = runner != NULL ? runner_start(runner, &get, context, NULL, &err) : NULL;
	fault_inside(false);
	if (check == NULL) {
		assert_true(failing);
		assert_true(runner == NULL || err.cls == THAW_ERR_RESOURCE);
		assert_true(runner == NULL || runner_begun(runner) == 0);
	}
	runner_free(&runner); /* with its check, which nobody answers */
	assert_null(runner);
}

static void a_runner_without_memory(void **state)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)state;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(listener, 1000), 0);
	assert_true(fault_each(start_runner, 1) > 0);
	assert_int_equal(close(listener), 0);
}

/* ---- whole checks ---- */

static struct scenario scenario;
static int version;

/* OpenSSL has many words for it, but none of them is a diagnosis of the server's ways with certificates. */
static void expect_reported(const struct check_result *result)
{
	enum check_outcome outcome = result->outcome;

	assert_true(outcome == CHECK_NO_MEMORY || outcome == CHECK_SHAKE_FAILED || outcome == CHECK_UNTRUSTED ||
		    outcome == CHECK_GARBLED);
	assert_int_not_equal(result->detail[0], '\0');
	if (strstr(result->detail, ": out of memory") != NULL && outcome != CHECK_UNTRUSTED)
		assert_int_equal(outcome, CHECK_NO_MEMORY);
}

/* Asked in the middle of a body, through a window in which records are held back. */
static void play_asked(bool failing)
{
	static const struct host host = {.asks = ASKS_HEAD};
	struct check_script script = get;
	struct context_wish wish = {.version = version == 12 ? TLS_CLIENT_12 : TLS_CLIENT_13};

	script.has_body = true;
	script.length = 3000;
	scene_begin(&scenario, &host, &script, context_of(wish), 1000);
	if (scenario.check != NULL) {
		const struct check_result *result = scene_play(&scenario);
		bool good = result->outcome == CHECK_ANSWERED && result->status == 200;
		assert_true(good || failing);
		if (good)
			assert_int_equal(scenario.replies, 1);
		else
			expect_reported(result);
	}
	scene_close(&scenario);
}

/* Of the thousands that there are, every 29th: ours and OpenSSL's are mixed. */
static void checks_without_memory(void **state)
{
	(void)state;
	for (version = 12; version <= 13; version++)
		assert_true(fault_each(play_asked, STEP) > 1000);
}

static int set_up(void **state)
{
	if (set_up_peers(state) != 0)
		return -1;
	client_options = (struct tls_client_options){.ca = ca, .credentials = credentials};
	contexts = contexts_new(&client_options);
	return contexts != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	contexts_free(&contexts);
	return tear_down_peers(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contexts_without_memory), cmocka_unit_test(a_plan_without_memory),
		cmocka_unit_test(http2_without_memory),    cmocka_unit_test(a_runner_without_memory),
		cmocka_unit_test(checks_without_memory),
	};
	(void)alarm(600); /* a watchdog */
	if (!fault_install())
		return 1;
	checks_turn = fault_inside;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
