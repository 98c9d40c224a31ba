#include "loop/connection.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/socket.h"

/* Changes the key of a load balancer's address: its connections whose clients are not known yet form a group of their
 * own. */
#define UNNAMED UINT64_C(0x756e6e616d656421)

struct connection {
	struct connections *home;
	struct clients_place place;
	uint64_t key;      /* of the client that counts_add() was called for; 0: none, or not known yet */
	uint64_t since_ms; /* since when it waits */
	int fd;
	struct gw_conn *gw;
	ev_io io;
	ev_timer timer;
	uint64_t deadline_ms;
	uint64_t armed_ms; /* when the timer fires; THAW_NEVER: it is stopped */
	bool queued;
	bool quiet;   /* it was queued by on_wake() only, while its own socket was being watched */
	bool unnamed; /* the PROXY protocol header has not been read yet */
	LIST_ENTRY(connection) all;
	TAILQ_ENTRY(connection) queue;
};

bool connections_init(struct connections *connections, struct ev_loop *loop, struct gateway *gateway,
		      const struct connections_limits *limits, const struct counts *counts, unsigned number)
{
	*connections = (struct connections){
		.loop = loop, .gateway = gateway, .limits = *limits, .counts = counts, .number = number};
	LIST_INIT(&connections->all);
	TAILQ_INIT(&connections->queue);
	return clients_init(&connections->clients, limits->own);
}

static void unqueue(struct connection *c)
{
	if (!c->queued)
		return;
	TAILQ_REMOVE(&c->home->queue, c, queue);
	c->home->queued--;
	c->queued = false;
}

static void enqueue(struct connection *c)
{
	if (c->queued)
		return;
	TAILQ_INSERT_TAIL(&c->home->queue, c, queue);
	c->home->queued++;
	c->queued = true;
}

static void drop(struct connection *c)
{
	struct connections *home = c->home;

	ev_io_stop(home->loop, &c->io);
	ev_timer_stop(home->loop, &c->timer);
	unqueue(c);
	LIST_REMOVE(c, all);
	clients_leave(&home->clients, &c->place);
	if (c->key != 0)
		counts_remove(home->counts, home->number, c->key);
	gw_conn_free(&c->gw);
	(void)close(c->fd);
	free(c);
	home->count--;
	counts_say_open(home->counts, home->number, home->count);
	if (home->gone != NULL)
		home->gone(home->arg);
}

static void watch(struct connection *c, const struct gw_wants *wants)
{
	int events = (wants->read ? EV_READ : 0) | (wants->write ? EV_WRITE : 0);

	if (events == (c->io.events & (EV_READ | EV_WRITE)))
		return;
	ev_io_stop(c->home->loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	if (events != 0)
		ev_io_start(c->home->loop, &c->io);
}

static void arm(struct connection *c, uint64_t deadline_ms)
{
	uint64_t now_ms = c->home->now_ms;

	c->deadline_ms = deadline_ms;
	if (deadline_ms >= c->armed_ms || deadline_ms == THAW_NEVER)
		return;
	ev_timer_stop(c->home->loop, &c->timer);
	/* One millisecond more, because libev's clock is finer than ours. */
	double delay = deadline_ms > now_ms ? (double)(deadline_ms - now_ms + 1) / 1000. : 0.;
	ev_timer_set(&c->timer, delay, 0.);
	ev_timer_start(c->home->loop, &c->timer);
	c->armed_ms = deadline_ms;
}

/* ---- limits ---- */

static void tell_crowd(const struct connections *home, enum connections_crowd what, enum clients_kind kind,
		       const struct sockaddr *client)
{
	if (home->crowded != NULL)
		home->crowded(home->arg, what, kind, client);
}

static void evict(struct connections *home, struct clients_place *place)
{
	struct connection *c = (struct connection *)(void *)((char *)place - offsetof(struct connection, place));

	tell_crowd(home, CONNECTIONS_EVICTED, place->kind, gw_conn_client(c->gw));
	gw_conn_evict(c->gw, home->now_ms);
	drop(c);
}

bool connections_spare(struct connections *home)
{
	struct clients_place *place = clients_choose(&home->clients);

	if (place != NULL)
		evict(home, place);
	return place != NULL;
}

static bool at_limit(const struct connections *home)
{
	return home->count >= home->limits.own ||
	       (home->limits.all != 0 && counts_open(home->counts) >= home->limits.all);
}

bool connections_full(const struct connections *home)
{
	return at_limit(home) && clients_waiting(&home->clients) == 0;
}

/* Closes a connection of this client for its new one, if it is at its limit. False: all its connections are busy. */
static bool make_room_for(struct connections *home, uint64_t key)
{
	size_t limit = home->limits.client, here = clients_count(&home->clients, key);

	if (limit == 0 || (here < limit && here < home->limits.client_sure) ||
	    here + counts_elsewhere(home->counts, home->number, key) < limit)
		return true;
	struct clients_place *place = home->retiring ? NULL : clients_choose_of(&home->clients, key);
	if (place != NULL)
		evict(home, place);
	return place != NULL;
}

/* Call this once the PROXY protocol header is read. False: the connection must be closed. */
static bool name_client(struct connection *c)
{
	struct connections *home = c->home;
	const struct sockaddr *client = gw_conn_client(c->gw);

	c->unnamed = false;
	if (client == NULL)
		return true;
	uint64_t key = counts_key(home->counts, client);
	if (!make_room_for(home, key)) {
		tell_crowd(home, CONNECTIONS_REFUSED_CLIENT, CLIENTS_BUSY, client);
		return false;
	}
	if (!clients_rename(&home->clients, &c->place, key))
		return false;
	c->key = key;
	counts_add(home->counts, home->number, key);
	return true;
}

/* Updates the kind of the connection from its phase. False: the connection must be closed. */
static bool sort_in(struct connection *c)
{
	static const enum clients_kind kinds[] = {
		[GW_PHASE_UNNAMED] = CLIENTS_SILENT,      [GW_PHASE_SILENT] = CLIENTS_SILENT,
		[GW_PHASE_HANDSHAKE] = CLIENTS_HANDSHAKE, [GW_PHASE_IDLE] = CLIENTS_IDLE,
		[GW_PHASE_BUSY] = CLIENTS_BUSY,
	};
	uint64_t since_ms;
	enum gw_phase phase = gw_conn_phase(c->gw, &since_ms);

	if (c->unnamed && phase != GW_PHASE_UNNAMED && !name_client(c))
		return false;
	if (kinds[phase] != c->place.kind || since_ms != c->since_ms)
		clients_move(&c->home->clients, &c->place, kinds[phase]);
	c->since_ms = since_ms;
	return true;
}

/* ---- one connection ---- */

/* May free c. */
static void step(struct connection *c)
{
	if (c->quiet)
		gw_conn_quiet(c->gw);
	c->quiet = false;
	struct gw_wants wants = gw_conn_step(c->gw, c->home->now_ms);

	if (wants.dead || !sort_in(c)) {
		drop(c);
		return;
	}
	if (!wants.again) /* otherwise it waits for nothing, and the watcher stays as it is */
		watch(c, &wants);
	arm(c, wants.deadline_ms);
	if (wants.again)
		enqueue(c);
}

/* Its upstream connection is ready: queues the connection for the end of this iteration. */
static void on_wake(void *arg)
{
	struct connection *c = arg;

	if (!c->queued)
		c->quiet = (c->io.events & EV_READ) != 0;
	enqueue(c);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct connection *c = io->data;

	(void)loop;
	(void)events;
	c->quiet = false;
	if (!c->queued) /* a queued connection is stepped anyway */
		step(c);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct connection *c = timer->data;

	(void)loop;
	(void)events;
	c->armed_ms = THAW_NEVER;
	if (c->home->now_ms < c->deadline_ms)
		arm(c, c->deadline_ms);
	else
		step(c);
}

/* Makes room for one more connection. key: of its client; 0: not known. */
static bool make_room(struct connections *home, uint64_t key, const struct sockaddr *client)
{
	if (key != 0 && !make_room_for(home, key)) {
		tell_crowd(home, CONNECTIONS_REFUSED_CLIENT, CLIENTS_BUSY, client);
		return false;
	}
	if (!at_limit(home) || connections_spare(home))
		return true;
	tell_crowd(home, CONNECTIONS_REFUSED, CLIENTS_BUSY, client);
	return false;
}

/* NULL: out of memory. group: key for clients_enter(). */
static struct connection *new_connection(struct connections *home, int fd, const struct sockaddr *peer, size_t listener,
					 uint64_t group)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->fd = fd;
	bool preface = home->listens[listener].proxy_protocol;
	c->gw = gw_conn_new(home->gateway, socket_transport(&c->fd), peer, preface, home->now_ms);
	if (c->gw != NULL && clients_enter(&home->clients, &c->place, group)) {
		gw_conn_from(c->gw, listener);
		return c;
	}
	gw_conn_free(&c->gw);
	free(c);
	return NULL;
}

bool connections_add(struct connections *connections, int fd, const struct sockaddr_storage *from, size_t listener)
{
	const struct sockaddr *peer = (const struct sockaddr *)from;
	bool is_ip = peer->sa_family == AF_INET || peer->sa_family == AF_INET6;
	bool preface = connections->listens[listener].proxy_protocol;
	uint64_t group = is_ip ? counts_key(connections->counts, peer) : 0, key = preface ? 0 : group;

	if (!make_room(connections, key, is_ip ? peer : NULL)) {
		(void)close(fd);
		return true;
	}
	struct connection *c = new_connection(connections, fd, peer, listener, preface ? group ^ UNNAMED : group);
	if (c == NULL) {
		(void)close(fd);
		return false;
	}
	c->unnamed = preface;
	c->key = key;
	if (key != 0)
		counts_add(connections->counts, connections->number, key);
	gw_conn_on_wake(c->gw, on_wake, c);
	c->home = connections;
	c->armed_ms = THAW_NEVER;
	ev_io_init(&c->io, on_io, fd, 0);
	c->io.data = c;
	ev_init(&c->timer, on_timer);
	c->timer.data = c;
	LIST_INSERT_HEAD(&connections->all, c, all);
	connections->count++;
	counts_say_open(connections->counts, connections->number, connections->count);
	step(c);
	return true;
}

bool connections_turn(struct connections *connections)
{
	/* A connection that queues itself again in its step waits for the next call. A step may also end other
	 * connections. */
	for (size_t left = connections->queued; left > 0 && !TAILQ_EMPTY(&connections->queue); left--) {
		struct connection *c = TAILQ_FIRST(&connections->queue);
		TAILQ_REMOVE(&connections->queue, c, queue);
		connections->queued--;
		c->queued = false;
		step(c);
	}
	return !TAILQ_EMPTY(&connections->queue);
}

void connections_retire(struct connections *connections)
{
	struct connection *next;

	connections->retiring = true; /* from now on, no connection is closed to make room for another */
	for (struct connection *c = LIST_FIRST(&connections->all); c != NULL; c = next) {
		next = LIST_NEXT(c, all);
		gw_conn_retire(c->gw, connections->now_ms);
		if (!c->queued)
			step(c); /* an idle one ends here */
	}
}

void connections_dismiss(struct connections *connections)
{
	struct connection *next;

	for (struct connection *c = LIST_FIRST(&connections->all); c != NULL; c = next) {
		next = LIST_NEXT(c, all);
		gw_conn_dismiss(c->gw, connections->now_ms);
		if (!c->queued)
			step(c);
	}
}

void connections_end(struct connections *connections)
{
	struct connection *next;

	for (struct connection *c = LIST_FIRST(&connections->all); c != NULL; c = next) {
		next = LIST_NEXT(c, all);
		gw_conn_end(c->gw, connections->now_ms);
		drop(c);
	}
	clients_free(&connections->clients);
}
