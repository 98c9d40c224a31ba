/* What the master and a worker tell each other. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/channel.h"

struct received {
	unsigned goes, logs;
	int fd;
};

static void on_go(void *arg)
{
	((struct received *)arg)->goes++;
}

static void on_log(void *arg, int fd)
{
	struct received *received = arg;

	received->logs++;
	if (received->fd >= 0)
		assert_int_equal(close(received->fd), 0);
	received->fd = fd;
}

struct world {
	int ends[2];
	struct ev_loop *loop;
	struct received received;
	struct channel channel;
};

static void begin(struct world *world, uint64_t alive_ms)
{
	*world = (struct world){.received.fd = -1};
	assert_true(channel_open(world->ends));
	world->loop = ev_loop_new(EVFLAG_AUTO);
	assert_non_null(world->loop);
	world->channel.go = on_go;
	world->channel.log = on_log;
	world->channel.arg = &world->received;
	struct channel_end mine = {.fd = world->ends[1], .alive_ms = alive_ms};
	channel_start(&world->channel, world->loop, &mine);
}

static void end(struct world *world)
{
	channel_stop(&world->channel);
	channel_stop(&world->channel); /* does nothing more */
	ev_loop_destroy(world->loop);
	if (world->received.fd >= 0)
		assert_int_equal(close(world->received.fd), 0);
	if (world->ends[0] >= 0)
		assert_int_equal(close(world->ends[0]), 0);
	assert_int_equal(close(world->ends[1]), 0);
}

static void turn(struct world *world)
{
	(void)ev_run(world->loop, EVRUN_NOWAIT);
}

static void assert_pending(const struct world *world)
{
	assert_int_equal(channel_hear(world->ends[0]), CHANNEL_ALIVE);
}

static void test_readiness_is_sent_once(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 0);
	assert_pending(&world);
	turn(&world);
	assert_int_equal(channel_hear(world.ends[0]), CHANNEL_SILENCE);
	end(&world);
}

static void test_idleness_is_sent(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 0);
	assert_pending(&world);
	channel_tell_quiet(&world.channel);
	assert_int_equal(channel_hear(world.ends[0]), CHANNEL_QUIET);
	assert_int_equal(channel_hear(world.ends[0]), CHANNEL_SILENCE);
	end(&world);
}

static void test_liveness_is_sent_repeatedly(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 1);
	assert_pending(&world);
	for (int i = 0; i < 3; i++) {
		(void)ev_run(world.loop, EVRUN_ONCE); /* until the timer fires */
		assert_pending(&world);
	}
	end(&world);
}

static void test_go(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 0);
	turn(&world);
	assert_int_equal(world.received.goes, 0);
	assert_true(channel_send_go(world.ends[0]));
	turn(&world);
	assert_int_equal(world.received.goes, 1);
	assert_int_equal(world.received.logs, 0);
	end(&world);
}

/* Each arrives with a descriptor of its own, which means the same file. */
static void test_logs(void **state)
{
	struct world world;
	int target[2];
	char byte = 0;

	(void)state;
	begin(&world, 0);
	assert_int_equal(pipe2(target, O_NONBLOCK | O_CLOEXEC), 0);
	for (unsigned i = 1; i <= 3; i++)
		assert_true(channel_send_log(world.ends[0], target[1]));
	assert_true(channel_send_go(world.ends[0]));
	turn(&world);
	assert_int_equal(world.received.logs, 3);
	assert_int_equal(world.received.goes, 1);
	assert_true(world.received.fd >= 0 && world.received.fd != target[1]);
	assert_int_equal(fcntl(world.received.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(world.received.fd, "x", 1), 1);
	assert_int_equal(read(target[0], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	end(&world);
	assert_int_equal(close(target[0]), 0);
	assert_int_equal(close(target[1]), 0);
}

/* Neither words that it does not know, nor descriptors that come with them. */
static void test_strange_words_are_ignored(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 0);
	assert_int_equal(send(world.ends[0], "?", 1, 0), 1);
	assert_int_equal(send(world.ends[0], "l", 1, 0), 1); /* a log without a descriptor */
	turn(&world);
	assert_int_equal(world.received.logs, 0);
	assert_int_equal(world.received.goes, 0);
	assert_true(channel_send_go(world.ends[0]));
	turn(&world);
	assert_int_equal(world.received.goes, 1);
	end(&world);
}

static void test_an_ended_master_is_not_watched(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 0);
	assert_int_equal(close(world.ends[0]), 0);
	world.ends[0] = -1;
	turn(&world);
	assert_false(ev_is_active(&world.channel.heard));
	end(&world);
}

static void test_an_ended_worker_receives_nothing(void **state)
{
	int ends[2];

	(void)state;
	assert_true(channel_open(ends));
	assert_int_equal(close(ends[1]), 0);
	assert_false(channel_send_go(ends[0]));
	assert_false(channel_send_log(ends[0], STDERR_FILENO));
	assert_int_equal(close(ends[0]), 0);
}

/* ---- a worker that was taken over */

static void test_unknown_messages_are_errors(void **state)
{
	static const char *const words[] = {"", "?", "g", "l", "aa", "aq", "\x7f\x01", "a long message"};
	char large[4096] = "a";
	int ends[2];

	(void)state;
	assert_true(channel_open(ends));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t len = i == 0 ? 1 : strlen(words[i]); /* the first one is a zero byte */
		assert_int_equal(send(ends[1], words[i], len, 0), len);
		assert_int_equal(channel_hear(ends[0]), CHANNEL_WRONG);
	}
	assert_int_equal(send(ends[1], large, sizeof(large), 0), sizeof(large));
	assert_int_equal(channel_hear(ends[0]), CHANNEL_WRONG);
	/* What comes after it is a message of its own. */
	assert_int_equal(send(ends[1], "a", 1, 0), 1);
	assert_int_equal(channel_hear(ends[0]), CHANNEL_ALIVE);
	assert_int_equal(send(ends[1], "", 0, 0), 0);
	assert_int_equal(channel_hear(ends[0]), CHANNEL_CLOSED);
	assert_int_equal(close(ends[1]), 0);
	assert_int_equal(channel_hear(ends[0]), CHANNEL_CLOSED);
	assert_int_equal(close(ends[0]), 0);
}

static int lowest_free_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	return fd;
}

static void test_descriptors_that_a_worker_sends_are_not_kept(void **state)
{
	int ends[2];

	(void)state;
	assert_true(channel_open(ends));
	int before = lowest_free_descriptor();
	for (int i = 0; i < 100; i++) {
		assert_true(channel_send_log(ends[1], STDERR_FILENO));
		assert_int_equal(channel_hear(ends[0]), CHANNEL_WRONG);
	}
	assert_int_equal(lowest_free_descriptor(), before);
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(close(ends[1]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readiness_is_sent_once),
		cmocka_unit_test(test_idleness_is_sent),
		cmocka_unit_test(test_liveness_is_sent_repeatedly),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_strange_words_are_ignored),
		cmocka_unit_test(test_an_ended_master_is_not_watched),
		cmocka_unit_test(test_an_ended_worker_receives_nothing),
		cmocka_unit_test(test_unknown_messages_are_errors),
		cmocka_unit_test(test_descriptors_that_a_worker_sends_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
