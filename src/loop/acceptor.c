#include "loop/acceptor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/socket.h"
#include "gateway/record.h"
#include "gateway/scoreboard.h"
#include "loop/pool.h"
#include "loop/worker.h"

#define ACCEPT_MAX     4     /* accepted per event, so that other workers get some, too */
#define AHEAD_MAX      4     /* how many more connections than the least busy worker a worker may have */
#define AHEAD_NAP      .002  /* seconds that a busier worker pauses before it accepts one anyway */
#define ACCEPT_NAP     .1    /* seconds that a worker pauses when it has no room or no descriptor */
#define FULL_NAPS      10    /* pauses in a row, after which new connections are refused */
#define TELL_AGAIN_MS  10000 /* between two messages about the same problem */
#define SURE_PART      4     /* divisor: the part of a worker's even share of a client's limit that is always allowed */
#define FILES_FOR_SELF 64    /* descriptors for other purposes, besides the listening sockets */
#define FILES_EACH     3     /* descriptors of a connection: its socket, its spool file, its upstream socket */

/* ---- limits ---- */

size_t acceptor_room(const struct worker_setup *setup)
{
	size_t self = FILES_FOR_SELF + setup->listeners->count;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur <= self + FILES_EACH)
		return 1;
	return (size_t)(files.rlim_cur - self) / FILES_EACH;
}

struct connections_limits acceptor_limits(const struct worker_setup *setup, size_t room)
{
	const struct config_connections *config = &setup->config->connections;
	size_t all = config->max != 0 && config->max < room * setup->workers ? config->max : room * setup->workers;
	struct connections_limits limits = {.own = room, .all = config->max, .client = config->per_client};

	if (config->per_client_percent != 0) {
		limits.client = all * config->per_client_percent / 100;
		if (limits.client == 0)
			limits.client = 1;
	}
	limits.client_sure = limits.client / (SURE_PART * setup->workers);
	return limits;
}

/* ---- messages ---- */

static void tell(struct acceptor *a, const char *what)
{
	uint64_t now_ms = a->connections->now_ms;

	if (a->logged_ms != 0 && now_ms - a->logged_ms < TELL_AGAIN_MS)
		return;
	a->logged_ms = now_ms;
	log_say(a->setup->log, CONFIG_LOG_WARNING, "worker %d does not accept connections for now: %s", (int)getpid(),
		what);
}

void acceptor_crowded(struct acceptor *a, enum connections_crowd what, enum clients_kind kind,
		      const struct sockaddr *client)
{
	struct acceptor_crowd *crowd = &a->crowd;
	uint64_t now_ms = a->connections->now_ms;
	char text[GW_RECORD_ADDRESS];

	if (what == CONNECTIONS_EVICTED) {
		scoreboard_connection_evicted(a->setup->scoreboard, kind);
		crowd->evicted[kind]++;
	} else {
		scoreboard_connection_refused(a->setup->scoreboard, what == CONNECTIONS_REFUSED_CLIENT);
		*(what == CONNECTIONS_REFUSED ? &crowd->refused : &crowd->refused_client) += 1;
	}
	if (a->logged_crowd_ms != 0 && now_ms - a->logged_crowd_ms < TELL_AGAIN_MS)
		return;
	a->logged_crowd_ms = now_ms;
	gw_record_address(client, text, sizeof(text));
	log_say(a->setup->log, CONFIG_LOG_WARNING,
		"worker %d: connection limits: closed %llu silent, %llu handshaking and %llu idle connections to make "
		"room; refused %llu new ones, and %llu because of connections.per_client; last client: %s",
		(int)getpid(), crowd->evicted[CLIENTS_SILENT], crowd->evicted[CLIENTS_HANDSHAKE],
		crowd->evicted[CLIENTS_IDLE], crowd->refused, crowd->refused_client, client != NULL ? text : "unknown");
	*crowd = (struct acceptor_crowd){.refused = 0};
}

/* ---- balance between workers ---- */

static bool takes(const struct acceptor *a)
{
	return a->going && !a->stopped && !connections_full(a->connections);
}

/* Other workers read this to see whether they are ahead of this one. */
static void publish_load(const struct acceptor *a)
{
	size_t count = a->stopped || !a->going ? LOADS_NONE : a->connections->count;

	atomic_store_explicit(&a->setup->loads->of[a->setup->number], (unsigned)count, memory_order_relaxed);
}

void acceptor_publish(struct acceptor *a)
{
	bool full = connections_full(a->connections);

	counts_say_takes(a->setup->counts, a->setup->number, takes(a));
	if (full != a->full)
		scoreboard_full(a->setup->scoreboard, full);
	a->full = full;
}

static bool is_ahead(const struct acceptor *a)
{
	const struct loads *loads = a->setup->loads;
	unsigned least = LOADS_NONE;

	for (unsigned i = 0; i < loads->count; i++) {
		unsigned load = atomic_load_explicit(&loads->of[i], memory_order_relaxed);
		least = load < least ? load : least;
	}
	return a->connections->count > (size_t)least + AHEAD_MAX;
}

/* ---- accepting ---- */

static void listen_on(struct acceptor *a)
{
	if (a->on || a->stopped || !a->going)
		return;
	a->on = true;
	for (size_t i = 0; i < a->setup->listeners->count; i++)
		ev_io_start(a->loop, &a->accepts[i]);
}

static void listen_off(struct acceptor *a)
{
	a->on = false;
	for (size_t i = 0; i < a->setup->listeners->count; i++)
		ev_io_stop(a->loop, &a->accepts[i]);
}

static void nap(struct acceptor *a, double seconds)
{
	listen_off(a);
	ev_timer_set(&a->nap, seconds, 0.);
	ev_timer_start(a->loop, &a->nap);
}

static bool is_refusing(const struct acceptor *a)
{
	return a->full_naps >= FULL_NAPS && !counts_another_takes(a->setup->counts, a->setup->number);
}

static bool no_descriptors(int cause)
{
	return cause == EMFILE || cause == ENFILE || cause == ENOBUFS || cause == ENOMEM;
}

/* Returns -1 and sets errno on failure. If no descriptor is left, closes an idle upstream connection, or a client
 * connection that waits, and tries again. */
static int accept_one(struct acceptor *a, int listener, struct sockaddr_storage *peer)
{
	int fd = socket_accept(listener, peer);

	if (fd >= 0 || !no_descriptors(errno))
		return fd;
	int cause = errno;
	if (pool_spare(a->pool) || connections_spare(a->connections))
		return socket_accept(listener, peer);
	errno = cause;
	return -1;
}

/* number: index of the listener in the configuration. Returns false when the worker must stop accepting for now. */
static bool take(struct acceptor *a, int listener, size_t number)
{
	struct sockaddr_storage peer;

	memset(&peer, 0, sizeof(peer));
	if (connections_full(a->connections) && !is_refusing(a)) {
		tell(a, "it is at its limit of connections, and every connection has a request");
		a->full_naps += a->full_naps < FULL_NAPS;
		nap(a, ACCEPT_NAP);
		return false;
	}
	int fd = accept_one(a, listener, &peer);
	if (fd >= 0) {
		if (!connections_add(a->connections, fd, &peer, number))
			tell(a, "out of memory");
		return true;
	}
	if (no_descriptors(errno)) {
		tell(a, strerror(errno));
		nap(a, ACCEPT_NAP);
	}
	return false;
}

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
	struct acceptor *a = io->data;
	size_t number = (size_t)(io - a->accepts);

	(void)loop;
	(void)events;
	if (!a->insists && is_ahead(a)) {
		nap(a, AHEAD_NAP);
		return;
	}
	for (int i = 0; i < (a->insists ? 1 : ACCEPT_MAX) && take(a, io->fd, number); i++)
		;
	a->insists = false;
	publish_load(a);
}

static void on_nap(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct acceptor *a = timer->data;

	(void)loop;
	(void)events;
	a->insists = true;
	listen_on(a);
}

void acceptor_room_again(struct acceptor *a)
{
	publish_load(a);
	if (a->full_naps > 0)
		ev_timer_stop(a->loop, &a->nap);
	a->full_naps = 0;
	if (!ev_is_active(&a->nap))
		listen_on(a);
}

/* ---- start and stop ---- */

void acceptor_go(struct acceptor *a)
{
	a->going = true;
	publish_load(a);
	acceptor_publish(a);
	listen_on(a);
}

void acceptor_stop(struct acceptor *a)
{
	a->stopped = true;
	publish_load(a);
	acceptor_publish(a);
	listen_off(a);
	ev_timer_stop(a->loop, &a->nap);
}

bool acceptor_init(struct acceptor *a, const struct worker_setup *setup, struct ev_loop *loop,
		   struct connections *connections, struct pool *pool)
{
	*a = (struct acceptor){.setup = setup, .loop = loop, .connections = connections, .pool = pool};
	a->accepts = calloc(setup->listeners->count + 1, sizeof(*a->accepts));
	if (a->accepts == NULL)
		return false;
	ev_timer_init(&a->nap, on_nap, ACCEPT_NAP, 0.);
	a->nap.data = a;
	for (size_t i = 0; i < setup->listeners->count; i++) {
		ev_io_init(&a->accepts[i], on_accept, setup->listeners->items[i].fd, EV_READ);
		a->accepts[i].data = a;
	}
	publish_load(a);
	return true;
}

void acceptor_free(struct acceptor *a)
{
	free(a->accepts);
	a->accepts = NULL;
}
