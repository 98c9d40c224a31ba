#include "probe/crew.h"

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
	struct trial *trial;
	int fd;                  /* -1: finished and closed */
	struct proxy_tls *proxy; /* NULL: no proxy, or a proxy without TLS */
	struct member *next;
};

struct crew {
	struct crew_options options;
	struct pollfd opening;  /* the socket on which a tunnel is being opened; fd -1: none */
	struct member *members; /* all trials so far, the last one first */
	size_t begun;
	uint64_t told_ms;
	uint64_t own_ms; /* time spent in steps: a key on a token signs for seconds, which does not count for the server
			  */
	uint32_t key_ms;
};

/* The time, without our own time. */
static uint64_t now(const struct crew *crew)
{
	return clock_now_ms() - crew->own_ms;
}

struct crew *crew_new(const struct crew_options *options)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (crew != NULL) {
		crew->options = *options;
		crew->opening.fd = -1;
	}
	return crew;
}

static void close_member(struct member *member)
{
	if (member->fd >= 0)
		(void)close(member->fd);
	member->fd = -1;
}

void crew_free(struct crew **crew)
{
	struct crew *gone = *crew;

	*crew = NULL;
	if (gone == NULL)
		return;
	while (gone->members != NULL) {
		struct member *member = gone->members;
		gone->members = member->next;
		trial_free(&member->trial);
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

static void step(struct crew *crew, struct member *member)
{
	uint64_t began_ms = clock_now_ms();
	if (member->proxy != NULL)
		proxy_tls_step(member->proxy);
	bool over = trial_step(member->trial, began_ms - crew->own_ms, unacked(member));
	uint64_t took_ms = clock_now_ms() - began_ms;

	crew->own_ms += took_ms;
	uint32_t key_ms = trial_result(member->trial)->key_ms;
	if (key_ms >= SLOW_KEY_MS && key_ms > crew->key_ms)
		crew->key_ms = key_ms;
	if (over)
		close_member(member);
}

static bool is_interrupted(const struct crew *crew)
{
	return crew->options.interrupted != NULL && *crew->options.interrupted;
}

static void stop_all(struct crew *crew)
{
	for (struct member *member = crew->members; member != NULL; member = member->next)
		if (member->fd >= 0) {
			trial_stop(member->trial, now(crew));
			close_member(member);
		}
}

static void tell_progress(struct crew *crew, uint64_t now_ms)
{
	if (crew->options.progress == NULL || now_ms - crew->told_ms < TURN_MS)
		return;
	crew->told_ms = now_ms;
	crew->options.progress(crew->options.arg);
}

/*
 * Waits until a trial can continue, or for TURN_MS. Acknowledgements by the peer also count as progress, and poll()
 * does not report them, so all trials take a step in each turn, which is cheap.
 */
static void turn(struct crew *crew)
{
	struct pollfd fds[CREW_MAX + 1];
	struct member *waiting[CREW_MAX];
	nfds_t count = 0;
	uint64_t now_ms = now(crew), wake_ms = now_ms + TURN_MS;

	for (struct member *member = crew->members; member != NULL && count < CREW_MAX; member = member->next) {
		struct trial_wants wants;
		if (member->fd < 0)
			continue;
		trial_wants(member->trial, &wants);
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
	fds[count] = crew->opening;
	(void)poll(fds, count + 1, wake_ms > now_ms ? (int)(wake_ms - now_ms) : 0);
	/* now() is called for each, since earlier steps may have taken time */
	for (nfds_t i = 0; i < count; i++)
		step(crew, waiting[i]);
	if (is_interrupted(crew))
		stop_all(crew);
	tell_progress(crew, clock_now_ms());
}

static size_t running(const struct crew *crew)
{
	size_t count = 0;

	for (const struct member *member = crew->members; member != NULL; member = member->next)
		count += member->fd >= 0;
	return count;
}

/* ---- beginning ---- */

/* Limits unsent data in the kernel. Otherwise a stall is noticed late, and it is unknown how much the server took. */
static int open_socket(const struct crew *crew, struct thaw_error *err)
{
	int fd = socket_connect_address(&crew->options.address), unsent = UNSENT_MAX;

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

/* Other trials continue meanwhile. False: no tunnel; *err says why. */
static bool make_tunnel(struct crew *crew, struct member *member, struct thaw_error *err)
{
	uint64_t until_ms = clock_now_ms() + crew->options.tunnel_ms;
	struct tunnel tunnel;
	enum thaw_status status;
	bool secure = false;

	if (crew->options.proxy != NULL)
		member->proxy = proxy_tls_new(crew->options.proxy, crew->options.proxy_name,
					      socket_transport(&member->fd), err);
	if (crew->options.proxy != NULL && member->proxy == NULL)
		return false;
	tunnel_begin(&tunnel, crew->options.tunnel);
	while ((status = open_tunnel(member, &tunnel, &secure, err)) == THAW_WANT_READ || status == THAW_WANT_WRITE) {
		if (clock_now_ms() >= until_ms || is_interrupted(crew))
			return error_set(err, THAW_ERR_TIMEOUT,
					 "no response from the proxy to %s (--stall waits longer)",
					 member->proxy != NULL && !secure ? "the TLS handshake" : "CONNECT") == THAW_OK;
		crew->opening =
			(struct pollfd){.fd = member->fd, .events = status == THAW_WANT_READ ? POLLIN : POLLOUT};
		turn(crew);
		crew->opening.fd = -1;
	}
	return status == THAW_OK;
}

enum thaw_status crew_try_tunnel(struct crew *crew, struct thaw_error *err)
{
	struct member member = {.fd = -1};

	if (crew->options.tunnel == NULL)
		return THAW_OK;
	member.fd = open_socket(crew, err);
	bool ok = member.fd >= 0 && make_tunnel(crew, &member, err);
	proxy_tls_free(&member.proxy);
	close_member(&member);
	return ok ? THAW_OK : THAW_FAILED;
}

void crew_make_room(struct crew *crew)
{
	while (running(crew) >= (crew->key_ms > 0 ? 1 : crew->options.at_once))
		turn(crew);
}

const struct trial *crew_start(struct crew *crew, const struct trial_script *script, struct tls_client_context *context,
			       struct tls_client_memory *memory, struct thaw_error *err)
{
	struct thaw_error refusal = {.cls = THAW_ERR_NONE};

	crew_make_room(crew);
	struct member *member = calloc(1, sizeof(*member));
	if (member == NULL) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		return NULL;
	}
	member->fd = open_socket(crew, err);
	if (member->fd >= 0 && crew->options.tunnel != NULL && !make_tunnel(crew, member, &refusal))
		(void)shutdown(member->fd, SHUT_RDWR);
	if (member->fd >= 0)
		member->trial = trial_new(script, context, crew->options.name, memory,
					  member->proxy != NULL ? proxy_tls_transport(member->proxy)
								: socket_transport(&member->fd),
					  now(crew));
	if (member->trial == NULL) {
		if (member->fd >= 0)
			(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		proxy_tls_free(&member->proxy);
		close_member(member);
		free(member);
		return NULL;
	}
	member->next = crew->members;
	crew->members = member;
	crew->begun++;
	step(crew, member);
	return member->trial;
}

static bool is_known(const struct crew *crew, const struct trial *trial)
{
	if (trial_result(trial)->outcome != TRIAL_PENDING)
		return true;
	for (const struct member *member = crew->members; member != NULL; member = member->next)
		if (member->trial == trial)
			return member->fd < 0;
	return true;
}

void crew_wait(struct crew *crew, const struct trial *const *trials, size_t count)
{
	for (size_t i = 0; i < count; i++)
		while (trials[i] != NULL && !is_known(crew, trials[i]))
			turn(crew);
}

void crew_is_frozen(struct crew *crew, const struct trial *trial)
{
	for (struct member *member = crew->members; member != NULL; member = member->next)
		if (member->trial == trial)
			trial_is_frozen(member->trial);
}

void crew_wait_all(struct crew *crew)
{
	while (running(crew) > 0)
		turn(crew);
}

uint32_t crew_key_ms(const struct crew *crew)
{
	return crew->key_ms;
}

const struct trial *crew_key_failed(const struct crew *crew)
{
	for (const struct member *member = crew->members; member != NULL; member = member->next)
		if (trial_result(member->trial)->outcome == TRIAL_KEY_FAILED)
			return member->trial;
	return NULL;
}

size_t crew_unreached(const struct crew *crew)
{
	size_t count = 0;

	for (const struct member *member = crew->members; member != NULL; member = member->next)
		count += trial_result(member->trial)->outcome == TRIAL_UNREACHABLE;
	return count;
}

size_t crew_begun(const struct crew *crew)
{
	return crew->begun;
}

uint64_t crew_uploaded(const struct crew *crew)
{
	uint64_t bytes = 0;

	for (const struct member *member = crew->members; member != NULL; member = member->next)
		bytes += trial_result(member->trial)->body_out;
	return bytes;
}
