/* For tests of the pool: servers on loopback, and requests that borrow upstream connections. */
#ifndef POOL_WORLD_H
#define POOL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns.h"
#include "loop/pool.h"

#define ORIGINS      3
#define ACCEPTED_MAX 32
#define MESSAGES_MAX 16

/* ---- servers ---- */

struct origin {
	int listener;
	uint16_t port;
	int fds[ACCEPTED_MAX]; /* in the order of arrival; -1: closed */
	size_t count;
};

static struct origin origins[ORIGINS];

static void accept_all(struct origin *origin)
{
	int fd;

	while (origin->listener >= 0 && origin->count < ACCEPTED_MAX &&
	       (fd = socket_accept(origin->listener, NULL)) >= 0)
		origin->fds[origin->count++] = fd;
}

/* The k-th connection; waits for it. */
static int accepted(size_t origin, size_t k)
{
	struct origin *at = &origins[origin];

	for (accept_all(at); at->count <= k; accept_all(at))
		turn_once();
	return at->fds[k];
}

static void hang_up(size_t origin, size_t k)
{
	assert_int_equal(close(accepted(origin, k)), 0);
	origins[origin].fds[k] = -1;
}

/* Whether the pool has closed it. */
static inline bool was_closed(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, MSG_PEEK);

	return got == 0 || (got < 0 && errno != EAGAIN);
}

/* Closes its listening socket. */
static inline void shut_origin(size_t i)
{
	(void)close(origins[i].listener);
	origins[i].listener = -1;
}

/* ---- settings ---- */

static struct config_server servers[ORIGINS];
static char texts[ORIGINS][128];
static char app[] = "app", local[] = "127.0.0.1";
static struct config_upstream upstream;
static struct config config;
static struct pool_tls *pool_tls;
static struct pool *pool;
static struct gw_upconns upconns;
static struct dns dns;
static char messages[MESSAGES_MAX][700];
static size_t message_count;

static void on_message(void *arg, enum config_log_level level, const char *text)
{
	(void)arg;
	assert_true(level == CONFIG_LOG_WARNING || level == CONFIG_LOG_INFO);
	assert_true(message_count < MESSAGES_MAX);
	(void)snprintf(messages[message_count++], sizeof(messages[0]), "%s", text);
}

/* All origins are servers of one upstream. A test changes the settings it wants, and opens the pool. */
static int set_up(void **state)
{
	(void)state;
	if (!loop_world_open() || !dns_open(&dns))
		return -1;
	message_count = 0;
	upstream = (struct config_upstream){
		.name = app,
		.servers = servers,
		.server_count = ORIGINS,
		.connect_timeout_ms = 10000,
		.keepalive_timeout_ms = 60000,
		.keepalive = 8,
		.max_failures = 2,
		.down_ms = 10000,
		.tls.verify = true,
	};
	config = (struct config){.upstreams = &upstream, .upstream_count = 1};
	for (size_t i = 0; i < ORIGINS; i++) {
		origins[i] = (struct origin){.listener = socket_listen("127.0.0.1", 0, NULL)};
		origins[i].port = socket_port(origins[i].listener);
		(void)snprintf(texts[i], sizeof(texts[i]), "http://127.0.0.1:%u", origins[i].port);
		servers[i] = (struct config_server){.text = texts[i], .host = local, .port = origins[i].port};
		if (origins[i].port == 0)
			return -1;
	}
	return 0;
}

static void open_pool(void)
{
	struct thaw_error err = {0};
	struct pool_setup setup = {
		.loop = loop,
		.config = &config,
		.tls = pool_tls,
		.now_ms = &now_ms,
		.name_servers = dns.servers,
		.say = on_message,
	};

	pool = pool_new(&setup, &err);
	assert_string_equal(err.text, "");
	assert_non_null(pool);
	upconns = pool_upconns(pool);
}

static int tear_down(void **state)
{
	(void)state;
	pool_free(&pool);
	pool_tls_free(&pool_tls);
	for (size_t i = 0; i < ORIGINS; i++) {
		accept_all(&origins[i]);
		for (size_t k = 0; k < origins[i].count; k++)
			if (origins[i].fds[k] >= 0)
				(void)close(origins[i].fds[k]);
		if (origins[i].listener >= 0)
			(void)close(origins[i].listener);
	}
	dns_close(&dns);
	loop_world_close();
	return 0;
}

static struct pool_use use_of(size_t server)
{
	struct pool_use use;

	pool_read_use(pool, 0, server, &use);
	return use;
}

/* ---- requests ---- */

struct user {
	struct gw_upconn *upconn;
	enum thaw_status status;
	struct thaw_error err;
	unsigned woken;
};

static bool within; /* while one of the pool's functions runs */

static void on_wake(void *arg)
{
	struct user *user = arg;

	assert_false(within);
	user->woken++;
}

static void look(struct user *user)
{
	within = true;
	user->status = upconns.ops->ready(user->upconn, now_ms, &user->err);
	within = false;
}

static void take(struct user *user, bool fresh)
{
	*user = (struct user){.upconn = NULL};
	within = true;
	user->upconn = upconns.ops->take(upconns.pool, &upstream, fresh, on_wake, user, now_ms);
	within = false;
	assert_non_null(user->upconn);
	look(user);
}

/* As the gateway does it: calls ready() only after a wake-up. */
static inline enum thaw_status connect_user(struct user *user, bool fresh)
{
	take(user, fresh);
	while (user->status == THAW_WANT_READ) {
		unsigned woken = user->woken;
		RUN_UNTIL(user->woken > woken);
		look(user);
	}
	return user->status;
}

static void give(struct user *user, enum gw_upconn_end end)
{
	within = true;
	upconns.ops->give(&user->upconn, end, now_ms);
	within = false;
	assert_null(user->upconn);
}

static void watch(struct user *user, bool read, bool write)
{
	within = true;
	upconns.ops->watch(user->upconn, read, write);
	within = false;
}

/* The index of the server of an upstream connection. */
static size_t server_of(const struct user *user)
{
	const char *text = upconns.ops->server(user->upconn);

	for (size_t i = 0; i < ORIGINS; i++)
		if (text == servers[i].text)
			return i;
	fail_msg("%s is no server of the settings", text);
	return 0;
}

static void put(struct user *user, const char *text)
{
	struct transport transport = upconns.ops->transport(user->upconn);

	assert_int_equal(transport.ops->write(transport.io, text, strlen(text)), strlen(text));
}

static ssize_t get(struct user *user, char *into, size_t room)
{
	struct transport transport = upconns.ops->transport(user->upconn);

	return transport.ops->read(transport.io, into, room);
}

/* Waits for this text with the upstream connection's watcher. */
static void expect(struct user *user, const char *text)
{
	char read[256];
	size_t len = 0;

	while (len < strlen(text)) {
		ssize_t got = get(user, read + len, strlen(text) - len);
		if (got == TRANSPORT_BLOCKED) {
			unsigned woken = user->woken;
			watch(user, true, false);
			RUN_UNTIL(user->woken > woken);
			continue;
		}
		assert_true(got > 0);
		len += (size_t)got;
	}
	watch(user, false, false);
	assert_memory_equal(read, text, len);
}

#endif
