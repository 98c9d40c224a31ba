/* The probe's small parts: the timeline, the meter, the reply's reader, and URLs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/address.h"
#include "probe/meter.h"
#include "probe/reply.h"
#include "probe/timeline.h"

/* ---- the timeline ---- */

static struct timeline line;

static void trace(uint32_t ms)
{
	timeline_trace(&line, &(struct timeline_point){.ms = ms, .up = ms * 10ULL, .down = ms});
	assert_true(line.point_count > 0 && line.point_count <= TIMELINE_POINTS_MAX);
	/* it begins where it began, and ends at now */
	assert_int_equal(line.points[0].ms, 0);
	assert_int_equal(line.points[line.point_count - 1].ms, ms);
	assert_int_equal(line.points[line.point_count - 1].up, ms * 10ULL);
}

static void expect_curve(void)
{
	for (size_t i = 1; i < line.point_count; i++) {
		assert_true(line.points[i].ms >= line.points[i - 1].ms);
		assert_int_equal(line.points[i].up, line.points[i].ms * 10ULL);
		assert_int_equal(line.points[i].down, line.points[i].ms);
	}
}

static void a_short_curve_is_kept_whole(void **state)
{
	(void)state;
	memset(&line, 0, sizeof(line));
	for (uint32_t ms = 0; ms < TIMELINE_POINTS_MAX; ms++)
		trace(ms);
	assert_int_equal(line.point_count, TIMELINE_POINTS_MAX);
	expect_curve();
}

static void a_long_curve_is_thinned_out_evenly(void **state)
{
	static const uint32_t steps[] = {1, 3, 100, 7001};

	(void)state;
	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		uint32_t end = steps[s] * 20000, widest = 0;
		memset(&line, 0, sizeof(line));
		for (uint32_t ms = 0; ms <= end; ms += steps[s])
			trace(ms);
		expect_curve();
		assert_true(line.point_count >= TIMELINE_POINTS_MAX / 4);
		for (size_t i = 1; i < line.point_count; i++)
			if (line.points[i].ms - line.points[i - 1].ms > widest)
				widest = line.points[i].ms - line.points[i - 1].ms;
		assert_true(widest <= end / (TIMELINE_POINTS_MAX / 8));
	}
}

/* Many steps in one millisecond, and then none for long. */
static void bursts_and_pauses(void **state)
{
	uint32_t ms = 0;

	(void)state;
	memset(&line, 0, sizeof(line));
	for (int burst = 0; burst < 2000; burst++, ms += 977)
		for (int i = 0; i < 50; i++)
			trace(ms);
	expect_curve();
}

/* Where it stood before a long pause stays, or else the pause would look like a slow rise. */
static void a_pauses_beginning_is_kept(void **state)
{
	(void)state;
	memset(&line, 0, sizeof(line));
	for (uint32_t ms = 0; ms < TIMELINE_POINTS_MAX; ms++)
		trace(ms);
	trace(60000);
	assert_true(line.point_count < TIMELINE_POINTS_MAX);
	assert_int_equal(line.points[line.point_count - 2].ms, TIMELINE_POINTS_MAX - 1);
}

static void moments_do_not_overflow(void **state)
{
	const struct timeline_point now = {.ms = 5, .up = 6, .down = 7};

	(void)state;
	memset(&line, 0, sizeof(line));
	assert_null(timeline_find(&line, LINE_CONNECTED));
	timeline_add(&line, LINE_CONNECTED, 0, &now);
	for (uint64_t i = 0; i < 10 * TIMELINE_MOMENTS_MAX; i++)
		timeline_add(&line, LINE_CONTINUE, i, &now);
	timeline_add(&line, LINE_CLOSED, 42, &now);
	assert_int_equal(line.moment_count, TIMELINE_MOMENTS_MAX);
	assert_int_equal(line.moments[0].what, LINE_CONNECTED);
	assert_int_equal(timeline_find(&line, LINE_CONTINUE)->value, 0); /* the first of its kind */
	assert_int_equal(line.moments[TIMELINE_MOMENTS_MAX - 1].what, LINE_CLOSED);
	assert_int_equal(timeline_find(&line, LINE_CLOSED)->value, 42);
	assert_int_equal(timeline_find(&line, LINE_CLOSED)->down, 7);
	for (int i = LINE_CONNECTED; i <= LINE_LEFT; i++)
		for (int k = LINE_CONNECTED; k < i; k++)
			assert_string_not_equal(timeline_name((enum timeline_what)i),
						timeline_name((enum timeline_what)k));
}

/* ---- the meter ---- */

struct pipe {
	char out[32768];
	size_t out_len, room, writes;
	const char *in;
	ssize_t answer;  /* of reads, where in is at its end */
	int write_errno; /* != 0: broken */
};

static ssize_t pipe_read(void *io, void *data, size_t room)
{
	struct pipe *pipe = io;
	size_t len = strlen(pipe->in) < room ? strlen(pipe->in) : room;

	if (len == 0)
		return pipe->answer;
	memcpy(data, pipe->in, len);
	pipe->in += len;
	return (ssize_t)len;
}

static ssize_t pipe_write(void *io, const void *data, size_t len)
{
	struct pipe *pipe = io;

	pipe->writes++;
	if (pipe->write_errno != 0) {
		errno = pipe->write_errno > 0 ? pipe->write_errno : 0;
		return TRANSPORT_BROKEN;
	}
	len = len < pipe->room ? len : pipe->room;
	if (len == 0)
		return TRANSPORT_BLOCKED;
	memcpy(pipe->out + pipe->out_len, data, len);
	pipe->out_len += len;
	pipe->room -= len;
	return (ssize_t)len;
}

static void pipe_half_close(void *io)
{
	((struct pipe *)io)->room = 0;
}

static ssize_t pipe_discard(void *io, size_t max)
{
	(void)io;
	return (ssize_t)max;
}

static const struct transport_ops pipe_ops = {
	.read = pipe_read, .write = pipe_write, .half_close = pipe_half_close, .discard = pipe_discard};
static struct pipe below;
static struct meter meter;
static struct transport metered;

static void begin_meter(size_t room, const char *in)
{
	memset(&below, 0, sizeof(below));
	memset(&meter, 0, sizeof(meter));
	below.room = room;
	below.in = in;
	below.answer = TRANSPORT_BLOCKED;
	meter.below = (struct transport){&pipe_ops, &below};
	metered = meter_transport(&meter);
}

static ssize_t put(const char *data, size_t len)
{
	return metered.ops->write(metered.io, data, len);
}

static void it_counts_what_passes(void **state)
{
	char data[8];

	(void)state;
	begin_meter(10, "abc");
	assert_false(meter.said_something);
	assert_int_equal(put("0123456789xyz", 13), 10);
	assert_int_equal(put("xyz", 3), TRANSPORT_BLOCKED);
	assert_int_equal(meter.up, 10);
	assert_int_equal(metered.ops->read(metered.io, data, 2), 2);
	assert_int_equal(metered.ops->read(metered.io, data, 2), 1);
	assert_int_equal(metered.ops->read(metered.io, data, 2), TRANSPORT_BLOCKED);
	assert_int_equal(meter.down, 3);
	assert_true(meter.said_something && meter.first == 'a' && !meter.ended && meter.read_error == 0);
	below.answer = TRANSPORT_END;
	assert_int_equal(metered.ops->read(metered.io, data, 2), TRANSPORT_END);
	assert_true(meter.ended && meter.read_error == 0);
	below.answer = TRANSPORT_BROKEN;
	assert_int_equal(metered.ops->read(metered.io, data, 2), TRANSPORT_BROKEN);
	assert_int_equal(meter.read_error, ECONNRESET); /* a transport in memory has no errno */
	assert_int_equal(metered.ops->discard(metered.io, 5), 5);
	metered.ops->half_close(metered.io);
	assert_int_equal(put("x", 1), TRANSPORT_BLOCKED);
}

/* What a server that hung up had to say can be read. */
static void failing_to_write_blocks(void **state)
{
	static const int causes[] = {EPIPE, ECONNRESET, -1};
	char data[16];

	(void)state;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		begin_meter(100, "413");
		assert_int_equal(put("body", 4), 4);
		below.write_errno = causes[i];
		for (int again = 0; again < 3; again++)
			assert_int_equal(put("body", 4), TRANSPORT_BLOCKED);
		assert_int_equal(below.writes, 2); /* it is not tried again */
		assert_int_equal(meter.write_error, causes[i] > 0 ? causes[i] : EPIPE);
		assert_int_equal(meter.up, 4);
		assert_int_equal(metered.ops->read(metered.io, data, sizeof(data)), 3);
		assert_int_equal(meter.read_error, 0);
	}
}

static void corked_small_writes_go_out_as_one(void **state)
{
	(void)state;
	begin_meter(100, "");
	meter_cork(&meter);
	assert_int_equal(put("head", 4), 4);
	assert_int_equal(put("body", 4), 4);
	assert_int_equal(below.writes, 0);
	assert_int_equal(meter.up, 0);
	meter_uncork(&meter);
	assert_int_equal(below.writes, 1);
	assert_int_equal(meter.up, 8);
	assert_memory_equal(below.out, "headbody", 8);
	assert_int_equal(put("more", 4), 4); /* and from then on as they come */
	assert_int_equal(below.writes, 2);
}

static void what_is_corked_has_a_ceiling(void **state)
{
	static char large[METER_CORK_MAX];

	(void)state;
	memset(large, 'b', sizeof(large));
	begin_meter(20000, "");
	meter_cork(&meter);
	assert_int_equal(put(large, sizeof(large)), METER_CORK_MAX); /* just fits */
	assert_int_equal(below.writes, 0);
	assert_int_equal(put("c", 1), 1); /* which does not */
	assert_int_equal(below.writes, 2);
	assert_int_equal(meter.up, METER_CORK_MAX + 1);
	assert_int_equal(below.out[METER_CORK_MAX], 'c');
	/* held back bytes go first, and nothing passes them */
	begin_meter(3, "");
	meter_cork(&meter);
	assert_int_equal(put("head", 4), 4);
	meter_uncork(&meter);
	assert_int_equal(put("body", 4), TRANSPORT_BLOCKED);
	assert_false(meter_flush(&meter));
	below.room = 100;
	assert_true(meter_flush(&meter));
	assert_int_equal(put("body", 4), 4);
	assert_memory_equal(below.out, "headbody", 8);
}

/* ---- the reply ---- */

struct events {
	enum reply_news news[64];
	size_t count, used;
};

/* Feeds it in pieces, as a check does. */
static void feed(struct reply *reply, struct events *events, const char *data, size_t len, size_t step)
{
	memset(events, 0, sizeof(*events));
	for (size_t begin = 0; begin < len && !reply->done; begin += step) {
		size_t piece = len - begin < step ? len - begin : step, at = 0, used = 0;
		for (;;) {
			enum reply_news news = reply_feed(reply, data + begin + at, piece - at, &used);
			assert_true(used <= piece - at);
			at += used;
			if (news != REPLY_MORE) {
				assert_true(events->count < 64);
				events->news[events->count++] = news;
			}
			if (news == REPLY_BAD || reply->done || (news == REPLY_MORE && at == piece))
				break;
		}
		events->used += at;
		if (events->count > 0 && events->news[events->count - 1] == REPLY_BAD)
			return;
	}
}

static const struct {
	const char *bytes;
	bool is_head;
	enum reply_news news[4]; /* REPLY_MORE: no more */
	unsigned status;
	const char *body;
	size_t behind; /* bytes that are not the reply's */
} replies[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP", false, {REPLY_HEAD, REPLY_DONE}, 200, "hello", 4},
	{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, {REPLY_HEAD, REPLY_DONE}, 200, "", 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, {REPLY_HEAD, REPLY_DONE}, 200, "", 0},
	{"HTTP/1.1 204 No Content\r\n\r\n", false, {REPLY_HEAD, REPLY_DONE}, 204, "", 0},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, {REPLY_HEAD, REPLY_DONE}, 304, "", 0},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
	 false,
	 {REPLY_INTERIM, REPLY_HEAD, REPLY_DONE},
	 201,
	 "x",
	 0},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
	 false,
	 {REPLY_INTERIM, REPLY_INTERIM, REPLY_HEAD, REPLY_DONE},
	 204,
	 "",
	 0},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\nmore",
	 false,
	 {REPLY_HEAD, REPLY_DONE},
	 200,
	 "abcde",
	 4},
	{"HTTP/1.1 200 OK\r\n\r\nuntil the end", false, {REPLY_HEAD}, 200, "until the end", 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", false, {REPLY_HEAD}, 200, "he", 0},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense", false, {REPLY_HEAD, REPLY_BAD}, 200, "", 0},
	{"SSH-2.0-OpenSSH_9.2\r\n\r\n", false, {REPLY_BAD}, 0, "", 0},
	{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", false, {REPLY_BAD}, 0, "", 0},
	{"HTTP/1.1 200 OK\r\nServer", false, {REPLY_MORE}, 0, "", 0},
};

static void replies_are_read_in_any_pieces(void **state)
{
	static struct reply reply;
	struct events events;

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		size_t len = strlen(replies[i].bytes), count = 0;
		while (count < 4 && replies[i].news[count] != REPLY_MORE)
			count++;
		for (size_t step = 1; step <= len; step++) {
			reply_init(&reply, replies[i].is_head);
			feed(&reply, &events, replies[i].bytes, len, step);
			assert_int_equal(events.count, count);
			for (size_t k = 0; k < count; k++)
				assert_int_equal(events.news[k], replies[i].news[k]);
			assert_int_equal(reply.status, replies[i].status);
			assert_string_equal(reply.body, replies[i].body);
			bool done = count > 0 && replies[i].news[count - 1] == REPLY_DONE;
			assert_int_equal(reply.done, done);
			if (done && step == len)
				assert_int_equal(events.used, len - replies[i].behind);
			if (count > 0 && replies[i].news[count - 1] == REPLY_BAD)
				assert_non_null(reply.why);
			if (done || reply.why != NULL) { /* it stays so, and takes no more */
				size_t more = 1;
				assert_int_equal(reply_feed(&reply, "HTTP/1.1 200 OK\r\n\r\n", 19, &more),
						 done ? REPLY_DONE : REPLY_BAD);
				assert_int_equal(more, 0);
			}
		}
	}
}

static void the_connections_end_completes_some(void **state)
{
	static struct reply reply;
	struct events events;

	(void)state;
	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		reply_init(&reply, replies[i].is_head);
		feed(&reply, &events, replies[i].bytes, strlen(replies[i].bytes), 7);
		if (reply.done)
			continue;
		bool until_close = strstr(replies[i].bytes, "until") != NULL;
		assert_int_equal(reply_end(&reply), until_close ? REPLY_DONE : REPLY_MORE);
		assert_int_equal(reply.done, until_close);
	}
}

static void fields_about_the_server_are_kept(void **state)
{
	static const char bytes[] =
		"HTTP/1.1 401 Unauthorized\r\nserver: Apache-Coyote/1.1\r\nContent-Type: text/html\r\n"
		"Keep-Alive: timeout=5\r\nSet-Cookie: a=b\r\nset-cookie: BIGipServerpool=1.2.3\r\n"
		"Connection: close\r\nContent-Length: 0\r\n\r\n";
	static struct reply reply;
	struct events events;

	(void)state;
	reply_init(&reply, false);
	feed(&reply, &events, bytes, sizeof(bytes) - 1, 11);
	assert_string_equal(reply.server, "Apache-Coyote/1.1");
	assert_string_equal(reply.type, "text/html");
	assert_string_equal(reply.keep_alive, "timeout=5");
	assert_true(reply.cookie_of_f5);
	assert_false(reply.stays);
}

/* Of long texts their beginning is kept. */
static void what_is_kept_has_a_ceiling(void **state)
{
	static char bytes[40000], word[3000];
	static struct reply reply;
	struct events events;

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	int len =
		snprintf(bytes, sizeof(bytes), "HTTP/1.1 200 OK\r\nServer: %s\r\nContent-Length: 30000\r\n\r\n", word);
	memset(bytes + len, 'b', 30000);
	reply_init(&reply, false);
	feed(&reply, &events, bytes, (size_t)len + 30000, 1000);
	assert_true(reply.done);
	assert_int_equal(strlen(reply.server), REPLY_SERVER_KEPT - 1);
	assert_int_equal(reply.body_len, REPLY_BODY_KEPT);
	assert_int_equal(strlen(reply.body), REPLY_BODY_KEPT);
	/* a head without an end */
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "HTTP/1.1 200 OK\r\n", 17);
	for (size_t at = 17; at + 80 < sizeof(bytes); at += 80)
		memcpy(bytes + at, "X: ", 3), memcpy(bytes + at + 78, "\r\n", 2);
	reply_init(&reply, false);
	feed(&reply, &events, bytes, sizeof(bytes), 1000);
	assert_int_equal(events.count, 1);
	assert_int_equal(events.news[0], REPLY_BAD);
}

/* ---- URLs ---- */

static void urls_that_are_taken(void **state)
{
	static const struct {
		const char *url, *host, *authority, *port, *target;
	} good[] = {
		{"https://a", "a", "a", "443", "/"},
		{"https://example.com/", "example.com", "example.com", "443", "/"},
		{"HTTPS://Example.com/A", "Example.com", "Example.com", "443", "/A"},
		{"https://a:443/x", "a", "a", "443", "/x"},
		{"https://a:8443/x?y=1&z", "a", "a:8443", "8443", "/x?y=1&z"},
		{"https://a:/x", "a", "a", "443", "/x"},
		{"https://a:08443", "a", "a:8443", "8443", "/"},
		{"https://a:65535", "a", "a:65535", "65535", "/"},
		{"https://a?q", "a", "a", "443", "/?q"},
		{"https://a#part", "a", "a", "443", "/"},
		{"https://a/b?c#part/?", "a", "a", "443", "/b?c"},
		{"https://127.0.0.1:1/", "127.0.0.1", "127.0.0.1:1", "1", "/"},
		{"https://[::1]/", "::1", "[::1]", "443", "/"},
		{"https://[2001:db8::1]:8443/x", "2001:db8::1", "[2001:db8::1]:8443", "8443", "/x"},
		{"https://a/%C3%A4@:/", "a", "a", "443", "/%C3%A4@:/"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct thaw_error err = {0};
		struct probe_url url;
		assert_int_equal(probe_url_parse(&url, good[i].url, &err), THAW_OK);
		assert_string_equal(url.host, good[i].host);
		assert_string_equal(url.authority, good[i].authority);
		assert_string_equal(url.port, good[i].port);
		assert_string_equal(url.target, good[i].target);
	}
}

static void urls_that_are_refused(void **state)
{
	static const struct {
		const char *url, *why;
	} bad[] = {
		{"", "https://"},           {"http://a", "https://"},       {"https:/a", "https://"},
		{"a.example", "https://"},  {"https://", "host"},           {"https:///x", "host"},
		{"https://:8443", "host"},  {"https://user@a/", "user"},    {"https://user:secret@a/", "user"},
		{"https://a:0/", "port"},   {"https://a:65536/", "port"},   {"https://a:123456/", "port"},
		{"https://a:12x/", "port"}, {"https://a:-1/", "port"},      {"https://a:1:2/", "port"},
		{"https://[::1/", "host"},  {"https://[::1]x/", "host"},    {"https://[]/", "host"},
		{"https://a b/", "host"},   {"https://a\r\nX: y/", "host"}, {"https://b\xc3\xbc.example/", "host"},
		{"https://::1/", "host"},   {"https://[::1]]/", "host"},    {"https://a]/", "host"},
		{"https://a/b c", "path"},  {"https://a/\r\nX: y", "path"}, {"https://a/\xc3\xa4", "path"},
		{"https://a/\x7f", "path"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct thaw_error err = {0};
		struct probe_url url;
		assert_int_equal(probe_url_parse(&url, bad[i].url, &err), THAW_FAILED);
		assert_int_equal(err.cls, THAW_ERR_USAGE);
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].url, err.text);
		assert_null(strstr(err.text, "secret")); /* it may be on somebody's screen */
	}
}

/* A URL of parts that are just long enough, and too long by one. */
static void lengths_of_urls(void **state)
{
	static char text[PROBE_TARGET_MAX + PROBE_NAME_MAX + 64];

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		struct thaw_error err = {0};
		struct probe_url url;
		memset(text, 0, sizeof(text));
		memcpy(text, "https://", 8);
		memset(text + 8, 'a', PROBE_NAME_MAX + over);
		assert_int_equal(probe_url_parse(&url, text, &err), over ? THAW_FAILED : THAW_OK);
		memset(text + 8, 0, PROBE_NAME_MAX + over);
		memcpy(text + 8, "a/", 2);
		memset(text + 10, 'b', PROBE_TARGET_MAX - 2 + over);
		err = (struct thaw_error){0};
		assert_int_equal(probe_url_parse(&url, text, &err), over ? THAW_FAILED : THAW_OK);
		if (!over)
			assert_int_equal(strlen(url.target), PROBE_TARGET_MAX - 1);
		else
			assert_non_null(strstr(err.text, "long"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_curve_is_kept_whole),
		cmocka_unit_test(a_long_curve_is_thinned_out_evenly),
		cmocka_unit_test(bursts_and_pauses),
		cmocka_unit_test(a_pauses_beginning_is_kept),
		cmocka_unit_test(moments_do_not_overflow),
		cmocka_unit_test(it_counts_what_passes),
		cmocka_unit_test(failing_to_write_blocks),
		cmocka_unit_test(corked_small_writes_go_out_as_one),
		cmocka_unit_test(what_is_corked_has_a_ceiling),
		cmocka_unit_test(replies_are_read_in_any_pieces),
		cmocka_unit_test(the_connections_end_completes_some),
		cmocka_unit_test(fields_about_the_server_are_kept),
		cmocka_unit_test(what_is_kept_has_a_ceiling),
		cmocka_unit_test(urls_that_are_taken),
		cmocka_unit_test(urls_that_are_refused),
		cmocka_unit_test(lengths_of_urls),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
