#include "probe/runner.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/socket.h"
#include "probe/proxy_tls.h"
#include "probe/tunnel.h"

#define SLOW_KEY_MS 500   /* a slower signature is made by a token, or needs a touch */
#define TURN_MS     100   /* timeout of poll(), for checking interrupts and progress */
#define UNSENT_MAX  65536 /* limit for unsent data in the kernel; more would hide a stall */

struct member {
	struct check *check;
	int fd;                  /* -1: finished and closed */
	struct proxy_tls *proxy; /* NULL: no proxy, or a proxy without TLS */
	struct member *next;
};

struct runner {
	struct runner_options options;
	struct pollfd opening;  /* the socket on which a tunnel is being opened; fd -1: none */
	struct member *members; /* all checks so far, the last one first */
	size_t begun;
	uint64_t told_ms;
	uint64_t own_ms; /* time spent in steps: a key on a token signs for seconds, which does not count for the server
			  */
	uint32_t key_ms;
};

/* The time, without our own time. */
static uint64_t now(const struct runner *runner)
{
	return clock_now_ms() - runner->own_ms;
}

struct runner *runner_new(const struct runner_options *options)
{
	struct runner *runner = calloc(1, sizeof(*runner));

	if (runner != NULL) {
		runner->options = *options;
		runner->opening.fd = -1;
	}
	return runner;
}

static void close_member(struct member *member)
{
	if (member->fd >= 0)
		(void)close(member->fd);
	member->fd = -1;
}

void runner_free(struct runner **runner)
{
	struct runner *gone = *runner;

	*runner = NULL;
	if (gone == NULL)
		return;
	while (gone->members != NULL) {
		struct member *member = gone->members;
		gone->members = member->next;
		check_free(&member->check);
		proxy_tls_free(&member->proxy);
		close_member(member);
		free(member);
	}
	free(gone);
}

/* ---- moving along ---- */

/* Bytes that the peer's system has not acknowledged; 0 if the system does not report it. */
static uint64_t unacked(const struct member *member)
{
	int bytes = 0;
	bool told = ioctl(member->fd, SIOCOUTQ, &bytes) == 0 && bytes > 0;

	return (told ? (uint64_t)bytes : 0) + (member->proxy != NULL ? proxy_tls_unsent(member->proxy) : 0);
}

static void step(struct runner *runner, struct member *member)
{
	uint64_t began_ms = clock_now_ms();
	if (member->proxy != NULL)
		proxy_tls_step(member->proxy);
	bool over = check_step(member->check, began_ms - runner->own_ms, unacked(member));
	uint64_t took_ms = clock_now_ms() - began_ms;

	runner->own_ms += took_ms;
	uint32_t key_ms = check_result(member->check)->key_ms;
	if (key_ms >= SLOW_KEY_MS && key_ms > runner->key_ms)
		runner->key_ms = key_ms;
	if (over)
		close_member(member);
}

static bool is_interrupted(const struct runner *runner)
{
	return runner->options.interrupted != NULL && *runner->options.interrupted;
}

static void stop_all(struct runner *runner)
{
	for (struct member *member = runner->members; member != NULL; member = member->next)
		if (member->fd >= 0) {
			check_stop(member->check, now(runner));
			close_member(member);
		}
}

static void tell_progress(struct runner *runner, uint64_t now_ms)
{
	if (runner->options.progress == NULL || now_ms - runner->told_ms < TURN_MS)
		return;
	runner->told_ms = now_ms;
	runner->options.progress(runner->options.arg);
}

/*
 * Waits until a check can continue, or for TURN_MS. Acknowledgements by the peer also count as progress, and poll()
 * does not report them, so all checks take a step in each turn, which is cheap.
 */
static void turn(struct runner *runner)
{
	struct pollfd fds[RUNNER_MAX + 1];
	struct member *waiting[RUNNER_MAX];
	nfds_t count = 0;
	uint64_t now_ms = now(runner), wake_ms = now_ms + TURN_MS;

	for (struct member *member = runner->members; member != NULL && count < RUNNER_MAX; member = member->next) {
		struct check_wants wants;
		if (member->fd < 0)
			continue;
		check_wants(member->check, &wants);
		bool unsent = member->proxy != NULL && proxy_tls_unsent(member->proxy) > 0;
		bool pending = member->proxy != NULL && proxy_tls_pending(member->proxy);
		fds[count] = (struct pollfd){
			.fd = member->fd,
			.events = (short)((wants.read ? POLLIN : 0) | (wants.write || unsent ? POLLOUT : 0)),
		};
		waiting[count++] = member;
		wake_ms = wants.deadline_ms < wake_ms ? wants.deadline_ms : wake_ms;
		wake_ms = wants.read && pending ? now_ms : wake_ms;
	}
	fds[count] = runner->opening;
	(void)poll(fds, count + 1, wake_ms > now_ms ? (int)(wake_ms - now_ms) : 0);
	/* now() is called for each, since earlier steps may have taken time */
	for (nfds_t i = 0; i < count; i++)
		step(runner, waiting[i]);
	if (is_interrupted(runner))
		stop_all(runner);
	tell_progress(runner, clock_now_ms());
}

static size_t running(const struct runner *runner)
{
	size_t count = 0;

	for (const struct member *member = runner->members; member != NULL; member = member->next)
		count += member->fd >= 0;
	return count;
}

/* ---- beginning ---- */

/* Limits unsent data in the kernel. Otherwise a stall is noticed late, and it is unknown how much the server took. */
static int open_socket(const struct runner *runner, struct thaw_error *err)
{
	int fd = socket_connect_address(&runner->options.address), unsent = UNSENT_MAX;

	if (fd < 0)
		(void)error_system(err, errno, "connecting");
	else
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	return fd;
}

/* One step of opening a tunnel, over TLS if the proxy needs it. */
static enum thaw_status open_tunnel(const struct member *member, struct tunnel *tunnel, bool *secure,
				    struct thaw_error *err)
{
	int fd = member->fd;

	if (member->proxy == NULL)
		return tunnel_step(tunnel, socket_transport(&fd), err);
	proxy_tls_step(member->proxy);
	if (!*secure) {
		enum thaw_status status = proxy_tls_handshake(member->proxy, err);
		if (status != THAW_OK)
			return status;
		*secure = true;
	}
	return tunnel_step(tunnel, proxy_tls_transport(member->proxy), err);
}

/* Other checks continue meanwhile. False: no tunnel; *err says why. */
static bool make_tunnel(struct runner *runner, struct member *member, struct thaw_error *err)
{
	uint64_t until_ms = clock_now_ms() + runner->options.tunnel_ms;
	struct tunnel tunnel;
	enum thaw_status status;
	bool secure = false;

	if (runner->options.proxy != NULL)
		member->proxy = proxy_tls_new(runner->options.proxy, runner->options.proxy_name,
					      socket_transport(&member->fd), err);
	if (runner->options.proxy != NULL && member->proxy == NULL)
		return false;
	tunnel_begin(&tunnel, runner->options.tunnel);
	while ((status = open_tunnel(member, &tunnel, &secure, err)) == THAW_WANT_READ || status == THAW_WANT_WRITE) {
		if (clock_now_ms() >= until_ms || is_interrupted(runner))
			return error_set(err, THAW_ERR_TIMEOUT,
					 "no response from the proxy to %s (--stall waits longer)",
					 member->proxy != NULL && !secure ? "the TLS handshake" : "CONNECT") == THAW_OK;
		runner->opening =
			(struct pollfd){.fd = member->fd, .events = status == THAW_WANT_READ ? POLLIN : POLLOUT};
		turn(runner);
		runner->opening.fd = -1;
	}
	return status == THAW_OK;
}

enum thaw_status runner_try_tunnel(struct runner *runner, struct thaw_error *err)
{
	struct member member = {.fd = -1};

	if (runner->options.tunnel == NULL)
		return THAW_OK;
	member.fd = open_socket(runner, err);
	bool ok = member.fd >= 0 && make_tunnel(runner, &member, err);
	proxy_tls_free(&member.proxy);
	close_member(&member);
	return ok ? THAW_OK : THAW_FAILED;
}

void runner_make_room(struct runner *runner)
{
	while (running(runner) >= (runner->key_ms > 0 ? 1 : runner->options.at_once))
		turn(runner);
}

const struct check *runner_start(struct runner *runner, const struct check_script *script,
				 struct tls_client_context *context, struct tls_client_memory *memory,
				 struct thaw_error *err)
{
	struct thaw_error refusal = {.cls = THAW_ERR_NONE};

	runner_make_room(runner);
	struct member *member = calloc(1, sizeof(*member));
	if (member == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	member->fd = open_socket(runner, err);
	if (member->fd >= 0 && runner->options.tunnel != NULL && !make_tunnel(runner, member, &refusal))
		(void)shutdown(member->fd, SHUT_RDWR);
	if (member->fd >= 0)
		member->check = check_new(script, context, runner->options.name, memory,
					  member->proxy != NULL ? proxy_tls_transport(member->proxy)
								: socket_transport(&member->fd),
					  now(runner));
	if (member->check == NULL) {
		if (member->fd >= 0)
			(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		proxy_tls_free(&member->proxy);
		close_member(member);
		free(member);
		return NULL;
	}
	member->next = runner->members;
	runner->members = member;
	runner->begun++;
	step(runner, member);
	return member->check;
}

static bool is_known(const struct runner *runner, const struct check *check)
{
	if (check_result(check)->outcome != CHECK_PENDING)
		return true;
	for (const struct member *member = runner->members; member != NULL; member = member->next)
		if (member->check == check)
			return member->fd < 0;
	return true;
}

void runner_wait(struct runner *runner, const struct check *const *checks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		while (checks[i] != NULL && !is_known(runner, checks[i]))
			turn(runner);
}

void runner_is_frozen(struct runner *runner, const struct check *check)
{
	for (struct member *member = runner->members; member != NULL; member = member->next)
		if (member->check == check)
			check_is_frozen(member->check);
}

void runner_wait_all(struct runner *runner)
{
	while (running(runner) > 0)
		turn(runner);
}

uint32_t runner_key_ms(const struct runner *runner)
{
	return runner->key_ms;
}

const struct check *runner_key_failed(const struct runner *runner)
{
	for (const struct member *member = runner->members; member != NULL; member = member->next)
		if (check_result(member->check)->outcome == CHECK_KEY_FAILED)
			return member->check;
	return NULL;
}

size_t runner_unreached(const struct runner *runner)
{
	size_t count = 0;

	for (const struct member *member = runner->members; member != NULL; member = member->next)
		count += check_result(member->check)->outcome == CHECK_UNREACHABLE;
	return count;
}

size_t runner_begun(const struct runner *runner)
{
	return runner->begun;
}

uint64_t runner_uploaded(const struct runner *runner)
{
	uint64_t bytes = 0;

	for (const struct member *member = runner->members; member != NULL; member = member->next)
		bytes += check_result(member->check)->body_out;
	return bytes;
}
