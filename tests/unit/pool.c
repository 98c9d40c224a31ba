/* The pool of upstream connections, over plain sockets: which server, what happens when one fails, what is used again.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "pool_world.h"

/* ---- an upstream connection ---- */

static void a_upconn_carries_bytes_both_ways(void **state)
{
	struct user user;
	char text[16] = "";

	(void)state;
	upstream.server_count = 1;
	open_pool();
	assert_int_equal(connect_user(&user, false), THAW_OK);
	look(&user);
	assert_int_equal(user.status, THAW_OK); /* again and again */
	assert_false(upconns.ops->used(user.upconn));
	assert_string_equal(upconns.ops->server(user.upconn), texts[0]);
	int fd = accepted(0, 0);
	assert_int_equal(get(&user, text, sizeof(text)), TRANSPORT_BLOCKED);
	put(&user, "ping");
	assert_int_equal(recv(fd, text, sizeof(text), 0), 4);
	assert_memory_equal(text, "ping", 4);
	assert_int_equal(send(fd, "pong", 4, 0), 4);
	expect(&user, "pong");
	struct transport transport = upconns.ops->transport(user.upconn);
	assert_int_equal(send(fd, "unread", 6, 0), 6);
	watch(&user, true, false);
	unsigned woken = user.woken;
	RUN_UNTIL(user.woken > woken);
	assert_int_equal(transport.ops->discard(transport.io, 6), 6);
	transport.ops->half_close(transport.io);
	assert_int_equal(recv(fd, text, sizeof(text), 0), 0);
	assert_int_equal(send(fd, "rest", 4, 0), 4);
	expect(&user, "rest");
	hang_up(0, 0);
	watch(&user, true, false);
	woken = user.woken;
	RUN_UNTIL(user.woken > woken);
	assert_int_equal(get(&user, text, sizeof(text)), TRANSPORT_END);
	give(&user, GW_UPCONN_DROP);
	assert_int_equal(use_of(0).in_use, 0);
}

/* Nobody is woken who does not wait: a body that the client does not take must not turn the loop. */
static void only_what_is_watched_wakes(void **state)
{
	struct user user, other;

	(void)state;
	open_pool();
	assert_int_equal(connect_user(&user, false), THAW_OK);
	assert_int_equal(connect_user(&other, false), THAW_OK);
	unsigned woken = user.woken;
	assert_int_equal(send(accepted(server_of(&user), 0), "x", 1, 0), 1);
	watch(&user, false, false);
	assert_int_equal(send(accepted(server_of(&other), 0), "x", 1, 0), 1);
	expect(&other, "x");
	assert_int_equal(user.woken, woken);
	watch(&user, false, true); /* it can be written at any time */
	RUN_UNTIL(user.woken > woken);
	woken = user.woken;
	watch(&user, true, false);
	RUN_UNTIL(user.woken > woken);
	give(&user, GW_UPCONN_DROP);
	give(&other, GW_UPCONN_DROP);
}

/* ---- which server ---- */

static void the_least_busy_server_is_chosen(void **state)
{
	struct user users[6];

	(void)state;
	open_pool();
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(connect_user(&users[i], false), THAW_OK);
	for (size_t i = 0; i < ORIGINS; i++)
		assert_int_equal(use_of(i).in_use, 2);
	for (size_t server = 0; server < ORIGINS; server++) { /* each becomes idle, and then gets all that comes */
		size_t given[2], count = 0;
		for (size_t i = 0; i < 6; i++) {
			if (server_of(&users[i]) != server)
				continue;
			given[count++] = i;
			give(&users[i], GW_UPCONN_DROP);
		}
		assert_int_equal(use_of(server).in_use, 0);
		for (size_t i = 0; i < 2; i++) {
			assert_int_equal(connect_user(&users[given[i]], false), THAW_OK);
			assert_int_equal(server_of(&users[given[i]]), server);
		}
	}
	for (size_t i = 0; i < 6; i++)
		give(&users[i], GW_UPCONN_DROP);
}

static void equals_have_their_turns(void **state)
{
	size_t chosen[ORIGINS] = {0}, before = ORIGINS;

	(void)state;
	open_pool();
	for (size_t i = 0; i < 4 * ORIGINS; i++) {
		struct user user;
		assert_int_equal(connect_user(&user, false), THAW_OK);
		assert_int_not_equal(server_of(&user), before);
		before = server_of(&user);
		chosen[before]++;
		give(&user, GW_UPCONN_KEEP); /* that it has an idle one does not favour a server */
	}
	for (size_t i = 0; i < ORIGINS; i++) {
		assert_int_equal(chosen[i], 4);
		assert_int_equal(use_of(i).connects, 1);
		assert_int_equal(use_of(i).reused, 3);
	}
}

/* ---- failures to connect ---- */

static void the_next_server_is_tried(void **state)
{
	(void)state;
	upstream.max_failures = 0;
	shut_origin(0);
	shut_origin(1);
	open_pool();
	for (size_t i = 0; i < 6; i++) {
		struct user user;
		assert_int_equal(connect_user(&user, false), THAW_OK);
		assert_int_equal(server_of(&user), 2);
		give(&user, GW_UPCONN_DROP);
	}
	assert_int_equal(use_of(2).connects, 6);
	assert_int_equal(use_of(2).connect_failures, 0);
	assert_true(use_of(0).connect_failures > 0 && use_of(1).connect_failures > 0);
	assert_int_equal(use_of(0).connects + use_of(1).connects, 0);
	assert_int_equal(use_of(0).in_use + use_of(1).in_use, 0);
}

static void each_server_is_tried_once(void **state)
{
	struct user user;
	char named[192];

	(void)state;
	for (size_t i = 0; i < ORIGINS; i++)
		shut_origin(i);
	open_pool();
	assert_int_equal(connect_user(&user, false), THAW_FAILED);
	look(&user);
	assert_int_equal(user.status, THAW_FAILED);
	assert_int_equal(user.err.cls, THAW_ERR_SYSTEM);
	(void)snprintf(named, sizeof(named), "connect to %s: Connection refused", upconns.ops->server(user.upconn));
	assert_string_equal(user.err.text, named);
	for (size_t i = 0; i < ORIGINS; i++) {
		assert_int_equal(use_of(i).connect_failures, 1);
		assert_int_equal(use_of(i).in_use, 0);
	}
	give(&user, GW_UPCONN_DROP);
	for (size_t i = 0; i < ORIGINS; i++)
		assert_int_equal(use_of(i).failures, 0);
}

/* A listener whose queue is full: the system answers nobody more. */
static void fill_queue(size_t origin, int fillers[static 2])
{
	assert_int_equal(listen(origins[origin].listener, 0), 0);
	for (size_t i = 0; i < 2; i++) {
		fillers[i] = socket_connect("127.0.0.1", origins[origin].port, NULL);
		assert_true(fillers[i] >= 0);
	}
	/* the first is in the queue; whether the second is under way or not, no third will be */
	while (socket_connect_outcome(fillers[0]) != 0)
		turn_once();
}

static void a_server_that_does_not_answer_times_out(void **state)
{
	struct user user;
	int fillers[2];

	(void)state;
	upstream.server_count = 1;
	upstream.connect_timeout_ms = 50;
	fill_queue(0, fillers);
	open_pool();
	assert_int_equal(connect_user(&user, false), THAW_FAILED);
	assert_int_equal(user.err.cls, THAW_ERR_TIMEOUT);
	assert_non_null(strstr(user.err.text, "http://127.0.0.1:"));
	assert_non_null(strstr(user.err.text, " 50 ms"));
	assert_int_equal(use_of(0).connect_failures, 1);
	give(&user, GW_UPCONN_DROP);
	(void)close(fillers[0]);
	(void)close(fillers[1]);
}

static void after_a_timeout_the_next_server_is_tried(void **state)
{
	struct user user;
	int fillers[2];

	(void)state;
	upstream.server_count = 2;
	fill_queue(0, fillers);
	open_pool();
	take(&user, false);
	assert_int_equal(server_of(&user), 0);
	assert_int_equal(user.status, THAW_WANT_READ);
	assert_int_equal(use_of(0).in_use, 1);
	/* the pool's clock decides, however early its timer fires */
	put_forward(upstream.connect_timeout_ms - 1000);
	turn_once();
	look(&user);
	assert_int_equal(user.status, THAW_WANT_READ);
	give(&user, GW_UPCONN_DROP); /* in the middle of it */
	assert_int_equal(use_of(0).in_use, 0);
	assert_int_equal(use_of(0).connect_failures, 0);
	pool_free(&pool);
	upstream.connect_timeout_ms = 50;
	open_pool();
	assert_int_equal(connect_user(&user, false), THAW_OK);
	assert_int_equal(server_of(&user), 1);
	assert_int_equal(use_of(0).connect_failures, 1);
	assert_int_equal(use_of(0).in_use, 0);
	give(&user, GW_UPCONN_DROP);
	(void)close(fillers[0]);
	(void)close(fillers[1]);
}

/* That this process has no descriptors left is no server's fault; an idle upstream connection gives its own. */
static void without_descriptors_an_idle_upconn_is_spared(void **state)
{
	struct rlimit was, less;
	struct user idle, busy, user;

	(void)state;
	upstream.server_count = 1;
	open_pool();
	assert_int_equal(connect_user(&idle, false), THAW_OK);
	assert_int_equal(connect_user(&busy, false), THAW_OK);
	int served = accepted(0, 0);
	(void)accepted(0, 1);
	give(&idle, GW_UPCONN_KEEP);
	int next = dup(0);
	(void)close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	less = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &less), 0);
	enum thaw_status with = connect_user(&user, true);
	struct user none;
	enum thaw_status without = connect_user(&none, true);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(with, THAW_OK);
	assert_true(was_closed(served));
	assert_int_equal(use_of(0).idle, 0);
	assert_int_equal(without, THAW_FAILED);
	assert_int_equal(none.err.cls, THAW_ERR_RESOURCE);
	assert_int_equal(use_of(0).connect_failures, 0);
	give(&none, GW_UPCONN_DROP);
	give(&user, GW_UPCONN_DROP);
	give(&busy, GW_UPCONN_DROP);
}

/* ---- rest ---- */

/* A request to that server, which the pool must choose, and which ends so. */
static void request(size_t server, enum gw_upconn_end end, bool answers)
{
	struct user user;

	assert_int_equal(connect_user(&user, true), THAW_OK);
	assert_int_equal(server_of(&user), server);
	if (answers) {
		assert_int_equal(send(accepted(server, origins[server].count), "a", 1, 0), 1);
		expect(&user, "a");
	}
	give(&user, end);
	accept_all(&origins[server]);
}

static void a_server_that_fails_in_a_row_is_marked_down(void **state)
{
	struct user users[4];

	(void)state;
	upstream.server_count = 2;
	open_pool();
	request(0, GW_UPCONN_FAIL, false);
	request(1, GW_UPCONN_DROP, false);
	assert_int_equal(use_of(0).resting_until_ms, 0);
	request(0, GW_UPCONN_FAIL, true); /* the beginning of an answer is none */
	assert_int_equal(use_of(0).resting_until_ms, now_ms + upstream.down_ms);
	assert_int_equal(use_of(0).failures, 2);
	assert_int_equal(message_count, 1);
	assert_non_null(strstr(messages[0], "app: http://127.0.0.1:"));
	assert_non_null(strstr(messages[0], " 10000 ms (2 "));
	/* until its time is over, however busy the other one is */
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(connect_user(&users[i], true), THAW_OK);
		assert_int_equal(server_of(&users[i]), 1);
	}
	put_forward(upstream.down_ms - 1000);
	request(1, GW_UPCONN_DROP, false);
	/* then one is let through to try */
	struct user check, other;
	put_forward(1000);
	assert_int_equal(connect_user(&check, true), THAW_OK);
	assert_int_equal(server_of(&check), 0);
	assert_int_equal(connect_user(&other, true), THAW_OK);
	assert_int_equal(server_of(&other), 1);
	give(&other, GW_UPCONN_DROP);
	/* once it answers, it has its share again */
	size_t last = origins[0].count;
	assert_int_equal(send(accepted(0, last), "a", 1, 0), 1);
	expect(&check, "a");
	assert_int_equal(use_of(0).resting_until_ms, 0);
	assert_int_equal(message_count, 2);
	assert_non_null(strstr(messages[1], "app: http://127.0.0.1:"));
	assert_int_equal(connect_user(&other, true), THAW_OK);
	assert_int_equal(server_of(&other), 0);
	give(&other, GW_UPCONN_DROP);
	give(&check, GW_UPCONN_KEEP);
	for (size_t i = 0; i < 4; i++)
		give(&users[i], GW_UPCONN_DROP);
}

static void a_server_that_fails_again_is_marked_down_again(void **state)
{
	(void)state;
	upstream.server_count = 2;
	open_pool();
	request(0, GW_UPCONN_FAIL, false);
	request(1, GW_UPCONN_DROP, false);
	request(0, GW_UPCONN_FAIL, false);
	for (int i = 0; i < 3; i++) {
		request(1, GW_UPCONN_DROP, false);
		request(1, GW_UPCONN_DROP, false);
		put_forward(upstream.down_ms);
		request(0, GW_UPCONN_DROP, false); /* the client has left: that tells nothing, and the next one tries */
		request(1, GW_UPCONN_DROP, false);
		request(0, GW_UPCONN_FAIL, false);
	}
	request(1, GW_UPCONN_DROP, false);
	request(1, GW_UPCONN_DROP, false);
	assert_int_equal(message_count, 1); /* it has rested all the time */
}

static void failures_to_connect_count_too(void **state)
{
	(void)state;
	upstream.server_count = 2;
	shut_origin(0);
	open_pool();
	for (int i = 0; i < 5; i++)
		request(1, GW_UPCONN_DROP, false);
	assert_int_equal(use_of(0).connect_failures, 2);
	assert_true(use_of(0).resting_until_ms > now_ms);
	assert_non_null(strstr(messages[0], "Connection refused"));
	put_forward(upstream.down_ms);
	for (int i = 0; i < 5; i++)
		request(1, GW_UPCONN_DROP, false);
	assert_int_equal(use_of(0).connect_failures, 3);
}

static void what_went_well_in_between_is_no_row(void **state)
{
	static const struct {
		enum gw_upconn_end end;
		bool answers, well;
	} cases[] = {
		{GW_UPCONN_KEEP, true, true},
		{GW_UPCONN_DROP, true, true}, /* closed by the server after its answer, say */
		{GW_UPCONN_DROP, false, false},
	};

	(void)state;
	upstream.server_count = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_pool();
		request(0, GW_UPCONN_FAIL, false);
		request(0, cases[i].end, cases[i].answers);
		request(0, GW_UPCONN_FAIL, false);
		assert_int_equal(use_of(0).resting_until_ms == 0, cases[i].well);
		pool_free(&pool);
	}
}

static void if_all_are_marked_down_the_first_marked_one_is_tried(void **state)
{
	static const size_t order[] = {1, 2, 0};

	(void)state;
	upstream.max_failures = 1;
	open_pool();
	request(0, GW_UPCONN_DROP, false);
	for (size_t i = 0; i < ORIGINS; i++) {
		request(order[i], GW_UPCONN_FAIL, false);
		put_forward(100);
	}
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ORIGINS; i++) {
			request(order[i], GW_UPCONN_FAIL, false);
			put_forward(100);
		}
	}
	request(order[0], GW_UPCONN_KEEP, true);
	request(order[0], GW_UPCONN_KEEP, true);
}

static void without_a_limit_no_server_is_marked_down(void **state)
{
	(void)state;
	upstream.server_count = 1;
	upstream.max_failures = 0;
	open_pool();
	for (int i = 0; i < 20; i++)
		request(0, GW_UPCONN_FAIL, false);
	assert_int_equal(use_of(0).resting_until_ms, 0);
	assert_int_equal(use_of(0).failures, 20);
	assert_int_equal(message_count, 0);
}

/* ---- idle upstream connections ---- */

static void what_is_kept_is_used_again(void **state)
{
	struct user first, second, third;

	(void)state;
	upstream.server_count = 1;
	open_pool();
	assert_int_equal(connect_user(&first, false), THAW_OK);
	assert_int_equal(connect_user(&second, false), THAW_OK);
	int fds[2] = {accepted(0, 0), accepted(0, 1)};
	give(&first, GW_UPCONN_KEEP);
	give(&second, GW_UPCONN_KEEP);
	assert_int_equal(use_of(0).idle, 2);
	assert_int_equal(use_of(0).in_use, 0);
	/* the one that was used last, at once */
	take(&first, false);
	assert_int_equal(first.status, THAW_OK);
	assert_true(upconns.ops->used(first.upconn));
	assert_int_equal(send(fds[1], "b", 1, 0), 1);
	expect(&first, "b");
	assert_int_equal(use_of(0).idle, 1);
	/* but not where a fresh one is wanted */
	assert_int_equal(connect_user(&second, true), THAW_OK);
	assert_false(upconns.ops->used(second.upconn));
	assert_int_equal(use_of(0).idle, 1);
	assert_int_equal(connect_user(&third, false), THAW_OK);
	assert_true(upconns.ops->used(third.upconn));
	assert_int_equal(send(fds[0], "a", 1, 0), 1);
	expect(&third, "a");
	assert_int_equal(use_of(0).connects, 3);
	assert_int_equal(use_of(0).reused, 2);
	give(&first, GW_UPCONN_DROP);
	give(&second, GW_UPCONN_FAIL);
	give(&third, GW_UPCONN_DROP);
	assert_int_equal(use_of(0).idle, 0);
	RUN_UNTIL(was_closed(fds[0]) && was_closed(fds[1]));
}

static void no_more_are_kept_than_configured(void **state)
{
	struct user users[4];

	(void)state;
	upstream.server_count = 1;
	upstream.keepalive = 2;
	open_pool();
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(connect_user(&users[i], false), THAW_OK);
	for (size_t i = 0; i < 4; i++)
		give(&users[i], GW_UPCONN_KEEP);
	assert_int_equal(use_of(0).idle, 2);
	for (size_t i = 0; i < 4; i++)
		(void)accepted(0, i);
	RUN_UNTIL(was_closed(origins[0].fds[2]) && was_closed(origins[0].fds[3]));
	assert_false(was_closed(origins[0].fds[0]) || was_closed(origins[0].fds[1]));
	pool_free(&pool);
	RUN_UNTIL(was_closed(origins[0].fds[0]) && was_closed(origins[0].fds[1]));
}

static void a_timeout_of_none_keeps_none(void **state)
{
	struct user user;

	(void)state;
	upstream.server_count = 1;
	upstream.keepalive_timeout_ms = 0;
	open_pool();
	assert_int_equal(connect_user(&user, false), THAW_OK);
	give(&user, GW_UPCONN_KEEP);
	assert_int_equal(use_of(0).idle, 0);
	RUN_UNTIL(was_closed(accepted(0, 0)));
}

static void what_the_server_closes_is_not_used(void **state)
{
	struct user user;

	(void)state;
	upstream.server_count = 1;
	open_pool();
	/* seen by the loop */
	assert_int_equal(connect_user(&user, false), THAW_OK);
	(void)accepted(0, 0);
	give(&user, GW_UPCONN_KEEP);
	assert_int_equal(use_of(0).idle, 1);
	hang_up(0, 0);
	RUN_UNTIL(use_of(0).idle == 0);
	/* or only when it is to be used */
	assert_int_equal(connect_user(&user, false), THAW_OK);
	(void)accepted(0, 1);
	give(&user, GW_UPCONN_KEEP);
	hang_up(0, 1);
	put_forward(1); /* in the same millisecond it would be used unseen */
	take(&user, false);
	assert_int_equal(user.status, THAW_WANT_READ);
	assert_false(upconns.ops->used(user.upconn));
	assert_int_equal(use_of(0).idle, 0);
	give(&user, GW_UPCONN_DROP);
	/* bytes that nobody has asked for would be taken for an answer */
	assert_int_equal(connect_user(&user, false), THAW_OK);
	accept_all(&origins[0]);
	size_t last = origins[0].count - 1;
	give(&user, GW_UPCONN_KEEP);
	assert_int_equal(send(accepted(0, last), "HTTP/1.1 408", 12, 0), 12);
	RUN_UNTIL(use_of(0).idle == 0);
	assert_int_equal(use_of(0).reused, 0);
}

static void idle_upconns_are_closed_in_time(void **state)
{
	struct user users[3];

	(void)state;
	upstream.server_count = 1;
	upstream.keepalive_timeout_ms = 30;
	open_pool();
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(connect_user(&users[i], false), THAW_OK);
	for (size_t i = 0; i < 3; i++) {
		(void)accepted(0, i);
		give(&users[i], GW_UPCONN_KEEP);
		turn_once();
	}
	RUN_UNTIL(use_of(0).idle == 0);
	for (size_t i = 0; i < 3; i++)
		RUN_UNTIL(was_closed(origins[0].fds[i]));
	/* the timer is set again for those that come later */
	assert_int_equal(connect_user(&users[0], false), THAW_OK);
	give(&users[0], GW_UPCONN_KEEP);
	assert_int_equal(use_of(0).idle, 1);
	RUN_UNTIL(use_of(0).idle == 0);
}

static void what_is_overdue_is_not_used(void **state)
{
	struct user user;

	(void)state;
	upstream.server_count = 1;
	open_pool();
	assert_int_equal(connect_user(&user, false), THAW_OK);
	give(&user, GW_UPCONN_KEEP);
	put_forward(upstream.keepalive_timeout_ms - 1000);
	take(&user, false);
	assert_int_equal(user.status, THAW_OK);
	give(&user, GW_UPCONN_KEEP);
	put_forward(upstream.keepalive_timeout_ms);
	take(&user, false);
	assert_false(upconns.ops->used(user.upconn));
	assert_int_equal(use_of(0).idle, 0);
	give(&user, GW_UPCONN_DROP);
}

/* ---- unix sockets ---- */

static char folder[32], path[64];

static void use_unix(size_t i)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/thaw-unit-pool-XXXXXX");
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/app.sock", folder);
	(void)snprintf(texts[i], sizeof(texts[i]), "unix:%s", path);
	servers[i] = (struct config_server){.text = texts[i], .path = path};
	(void)close(origins[i].listener);
	origins[i].listener = socket_listen_unix(path, NULL);
	assert_true(origins[i].listener >= 0);
}

static void unuse_unix(void)
{
	(void)unlink(path);
	(void)rmdir(folder);
}

static void unix_sockets_do(void **state)
{
	struct user user;
	char text[8];

	(void)state;
	upstream.server_count = 1;
	use_unix(0);
	open_pool();
	assert_int_equal(connect_user(&user, false), THAW_OK);
	put(&user, "ping");
	assert_int_equal(recv(accepted(0, 0), text, sizeof(text), 0), 4);
	assert_int_equal(send(accepted(0, 0), "pong", 4, 0), 4);
	expect(&user, "pong");
	give(&user, GW_UPCONN_KEEP);
	take(&user, false);
	assert_true(upconns.ops->used(user.upconn));
	give(&user, GW_UPCONN_DROP);
	unuse_unix();
	assert_int_equal(connect_user(&user, false), THAW_FAILED);
	assert_non_null(strstr(user.err.text, "unix:/"));
	assert_non_null(strstr(user.err.text, "/app.sock: "));
	assert_non_null(strstr(user.err.text, strerror(ENOENT)));
	give(&user, GW_UPCONN_DROP);
}

/* A full queue is no failure yet: there it is the caller who has to come again. */
static void a_unix_sockets_full_queue_is_waited_for(void **state)
{
	struct sockaddr_storage to;
	struct user user;
	int fillers[8];
	size_t filled = 0;

	(void)state;
	upstream.server_count = 1;
	use_unix(0);
	assert_int_equal(listen(origins[0].listener, 0), 0);
	assert_true(socket_address_unix(&to, path, NULL));
	while (filled < 8 && (fillers[filled] = socket_connect_address(&to)) >= 0)
		filled++;
	assert_true(filled < 8);
	assert_int_equal(errno, EAGAIN);
	open_pool();
	take(&user, false);
	for (int i = 0; i < 5; i++)
		turn_once();
	look(&user);
	assert_int_equal(user.status, THAW_WANT_READ);
	accept_all(&origins[0]); /* makes room */
	RUN_UNTIL(user.woken > 0);
	look(&user);
	assert_int_equal(user.status, THAW_OK);
	assert_int_equal(use_of(0).connect_failures, 0);
	give(&user, GW_UPCONN_DROP);
	for (size_t i = 0; i < filled; i++)
		(void)close(fillers[i]);
	unuse_unix();
}

static void a_unix_socket_that_stays_full_is_given_up(void **state)
{
	struct sockaddr_storage to;
	struct user user;
	int fillers[8];
	size_t filled = 0;

	(void)state;
	upstream.server_count = 1;
	upstream.connect_timeout_ms = 40;
	use_unix(0);
	assert_int_equal(listen(origins[0].listener, 0), 0);
	assert_true(socket_address_unix(&to, path, NULL));
	while (filled < 8 && (fillers[filled] = socket_connect_address(&to)) >= 0)
		filled++;
	open_pool();
	assert_int_equal(connect_user(&user, false), THAW_FAILED);
	assert_int_equal(user.err.cls, THAW_ERR_TIMEOUT);
	give(&user, GW_UPCONN_DROP);
	for (size_t i = 0; i < filled; i++)
		(void)close(fillers[i]);
	unuse_unix();
}

/* ---- names ---- */

static void use_name(size_t i, const char *name)
{
	(void)snprintf(texts[i], sizeof(texts[i]), "http://%s:%u", name, origins[i].port);
	servers[i].host = (char *)(uintptr_t)name;
	servers[i].named = true;
}

static void a_name_is_looked_up_once_for_many(void **state)
{
	struct user users[5];

	(void)state;
	upstream.server_count = 1;
	use_name(0, "app.test");
	dns.v4[0] = "127.0.0.1";
	open_pool();
	for (size_t i = 0; i < 5; i++) {
		take(&users[i], true);
		assert_int_equal(users[i].status, THAW_WANT_READ);
	}
	give(&users[3], GW_UPCONN_DROP); /* while its name is looked up */
	for (size_t i = 0; i < 5; i++) {
		if (i == 3)
			continue;
		RUN_UNTIL(users[i].woken > 0);
		look(&users[i]);
		assert_int_equal(users[i].status, THAW_OK);
		give(&users[i], GW_UPCONN_DROP);
	}
	assert_int_equal(dns.asked_v4, 1);
	assert_int_equal(use_of(0).connects, 4);
}

/* Nobody listens on the other addresses of loopback. */
static void each_address_of_a_name_is_tried(void **state)
{
	(void)state;
	upstream.server_count = 1;
	use_name(0, "app.test");
	dns.v4[0] = "127.0.0.2";
	dns.v4[1] = "127.0.0.3";
	dns.v4[2] = "127.0.0.1";
	open_pool();
	for (size_t i = 0; i < 6; i++) { /* whichever comes first */
		struct user user;
		assert_int_equal(connect_user(&user, true), THAW_OK);
		give(&user, GW_UPCONN_DROP);
	}
	assert_int_equal(use_of(0).connects, 6);
	assert_int_equal(use_of(0).connect_failures, 0);
	assert_int_equal(dns.asked_v4, 1);
}

static void a_name_whose_addresses_all_fail_is_one_failure(void **state)
{
	struct user user;
	char named[192];

	(void)state;
	upstream.server_count = 1;
	use_name(0, "app.test");
	dns.v4[0] = "127.0.0.2";
	dns.v4[1] = "127.0.0.3";
	open_pool();
	assert_int_equal(connect_user(&user, true), THAW_FAILED);
	(void)snprintf(named, sizeof(named), "connect to %s (127.0.0.", texts[0]);
	assert_ptr_equal(strstr(user.err.text, named), user.err.text);
	assert_non_null(strstr(user.err.text, strerror(ECONNREFUSED)));
	assert_int_equal(use_of(0).connect_failures, 1);
	give(&user, GW_UPCONN_DROP);
}

/* A listener on another address with the first origin's port, whose queue is full. */
struct silent {
	int listener, fillers[2];
};

static void open_silent(struct silent *silent, const char *address)
{
	silent->listener = socket_listen(address, origins[0].port, NULL);
	assert_true(silent->listener >= 0);
	assert_int_equal(listen(silent->listener, 0), 0);
	for (size_t i = 0; i < 2; i++)
		silent->fillers[i] = socket_connect(address, origins[0].port, NULL);
	while (socket_connect_outcome(silent->fillers[0]) != 0)
		turn_once();
}

static void close_silent(struct silent *silent)
{
	(void)close(silent->fillers[0]);
	(void)close(silent->fillers[1]);
	(void)close(silent->listener);
}

/* Each address has the time of an attempt, and leaves it to the next one. */
static void an_address_that_does_not_answer_leaves_time_for_the_next(void **state)
{
	struct silent silent[2];
	struct user user;

	(void)state;
	upstream.server_count = 1;
	upstream.connect_timeout_ms = 60;
	use_name(0, "app.test");
	dns.v4[0] = "127.0.0.2";
	dns.v4[1] = "127.0.0.1";
	open_silent(&silent[0], "127.0.0.2");
	open_silent(&silent[1], "127.0.0.3");
	open_pool();
	for (size_t i = 0; i < 2; i++) { /* whichever comes first */
		assert_int_equal(connect_user(&user, true), THAW_OK);
		give(&user, GW_UPCONN_DROP);
	}
	assert_int_equal(use_of(0).connect_failures, 0);
	pool_free(&pool);
	dns.v4[1] = "127.0.0.3";
	open_pool();
	uint64_t began_ms = now_ms;
	assert_int_equal(connect_user(&user, true), THAW_FAILED);
	assert_true(now_ms - began_ms >= 2 * upstream.connect_timeout_ms);
	assert_int_equal(user.err.cls, THAW_ERR_TIMEOUT);
	assert_int_equal(use_of(0).connect_failures, 1);
	give(&user, GW_UPCONN_DROP);
	close_silent(&silent[0]);
	close_silent(&silent[1]);
}

static void a_name_that_is_not_found_is_a_failure(void **state)
{
	struct user user;

	(void)state;
	upstream.server_count = 2;
	use_name(0, "missing.test");
	dns.manner = DNS_NXDOMAIN;
	open_pool();
	assert_int_equal(connect_user(&user, true), THAW_OK);
	assert_int_equal(server_of(&user), 1);
	assert_int_equal(use_of(0).connect_failures, 1);
	give(&user, GW_UPCONN_DROP);
	assert_int_equal(connect_user(&user, true), THAW_OK);
	give(&user, GW_UPCONN_DROP);
	assert_int_equal(message_count, 1);
	assert_non_null(strstr(messages[0], "missing.test: "));
}

static void a_name_server_that_is_silent_takes_no_longer_than_an_attempt(void **state)
{
	struct user user;

	(void)state;
	upstream.server_count = 1;
	upstream.connect_timeout_ms = 40;
	use_name(0, "silent.test");
	dns.manner = DNS_SILENT;
	open_pool();
	assert_int_equal(connect_user(&user, true), THAW_FAILED);
	assert_int_equal(user.err.cls, THAW_ERR_TIMEOUT);
	assert_non_null(strstr(user.err.text, "http://silent.test:"));
	give(&user, GW_UPCONN_DROP);
}

/* ---- beginning and end ---- */

static void upconns_may_be_given_back_at_any_time(void **state)
{
	static const enum gw_upconn_end ends[] = {GW_UPCONN_KEEP, GW_UPCONN_DROP, GW_UPCONN_FAIL};

	(void)state;
	use_name(1, "app.test");
	dns.v4[0] = "127.0.0.1";
	shut_origin(2);
	upstream.max_failures = 0;
	open_pool();
	for (int turns = 0; turns < 6; turns++) {
		for (size_t end = 0; end < 3; end++) {
			struct user users[ORIGINS];
			for (size_t i = 0; i < ORIGINS; i++)
				take(&users[i], true);
			for (int i = 0; i < turns; i++)
				turn_once();
			for (size_t i = 0; i < ORIGINS; i++)
				give(&users[i], ends[end]);
			turn_once();
			for (size_t i = 0; i < ORIGINS; i++)
				assert_int_equal(use_of(i).in_use, 0);
		}
	}
}

static void an_address_that_is_none_is_refused(void **state)
{
	struct pool_setup setup = {.loop = loop, .config = &config, .now_ms = &now_ms};
	struct thaw_error err = {0};
	char long_path[300];

	(void)state;
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	servers[1] = (struct config_server){.text = texts[1], .path = long_path};
	assert_null(pool_new(&setup, &err));
	assert_int_not_equal(err.cls, THAW_ERR_NONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_upconn_carries_bytes_both_ways),
		TEST(only_what_is_watched_wakes),
		TEST(the_least_busy_server_is_chosen),
		TEST(equals_have_their_turns),
		TEST(the_next_server_is_tried),
		TEST(each_server_is_tried_once),
		TEST(a_server_that_does_not_answer_times_out),
		TEST(after_a_timeout_the_next_server_is_tried),
		TEST(without_descriptors_an_idle_upconn_is_spared),
		TEST(a_server_that_fails_in_a_row_is_marked_down),
		TEST(a_server_that_fails_again_is_marked_down_again),
		TEST(failures_to_connect_count_too),
		TEST(what_went_well_in_between_is_no_row),
		TEST(if_all_are_marked_down_the_first_marked_one_is_tried),
		TEST(without_a_limit_no_server_is_marked_down),
		TEST(what_is_kept_is_used_again),
		TEST(no_more_are_kept_than_configured),
		TEST(a_timeout_of_none_keeps_none),
		TEST(what_the_server_closes_is_not_used),
		TEST(idle_upconns_are_closed_in_time),
		TEST(what_is_overdue_is_not_used),
		TEST(unix_sockets_do),
		TEST(a_unix_sockets_full_queue_is_waited_for),
		TEST(a_unix_socket_that_stays_full_is_given_up),
		TEST(a_name_is_looked_up_once_for_many),
		TEST(each_address_of_a_name_is_tried),
		TEST(a_name_whose_addresses_all_fail_is_one_failure),
		TEST(an_address_that_does_not_answer_leaves_time_for_the_next),
		TEST(a_name_that_is_not_found_is_a_failure),
		TEST(a_name_server_that_is_silent_takes_no_longer_than_an_attempt),
		TEST(upconns_may_be_given_back_at_any_time),
		TEST(an_address_that_is_none_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
