#include "loop/connection.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/socket.h"

struct connection {
	struct connections *home;
	int fd;
	struct gw_conn *gw;
	ev_io io;
	ev_timer timer;
	uint64_t deadline_ms;
	uint64_t armed_ms; /* when the timer fires; THAW_NEVER: it does not run */
	bool queued;
	LIST_ENTRY(connection) all;
	TAILQ_ENTRY(connection) queue;
};

void connections_init(struct connections *connections, struct ev_loop *loop, struct gateway *gateway)
{
	*connections = (struct connections){.loop = loop, .gateway = gateway};
	LIST_INIT(&connections->all);
	TAILQ_INIT(&connections->queue);
}

static void unqueue(struct connection *c)
{
	if (c->queued)
		TAILQ_REMOVE(&c->home->queue, c, queue);
	c->queued = false;
}

static void enqueue(struct connection *c)
{
	if (c->queued)
		return;
	TAILQ_INSERT_TAIL(&c->home->queue, c, queue);
	c->queued = true;
}

static void drop(struct connection *c)
{
	struct connections *home = c->home;

	ev_io_stop(home->loop, &c->io);
	ev_timer_stop(home->loop, &c->timer);
	unqueue(c);
	LIST_REMOVE(c, all);
	gw_conn_free(&c->gw);
	(void)close(c->fd);
	free(c);
	home->count--;
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
	/* A millisecond more: the clock that libev goes by is finer than ours. */
	double delay = deadline_ms > now_ms ? (double)(deadline_ms - now_ms + 1) / 1000. : 0.;
	ev_timer_set(&c->timer, delay, 0.);
	ev_timer_start(c->home->loop, &c->timer);
	c->armed_ms = deadline_ms;
}

/* c may be gone afterwards. */
static void step(struct connection *c)
{
	struct gw_wants wants = gw_conn_step(c->gw, c->home->now_ms);

	if (wants.dead) {
		drop(c);
		return;
	}
	if (!wants.again) /* else nothing is waited for, and the watcher may stay as it is */
		watch(c, &wants);
	arm(c, wants.deadline_ms);
	if (wants.again)
		enqueue(c);
}

/* Its upstream has moved: it has its turn at the end of this iteration. */
static void on_wake(void *arg)
{
	enqueue(arg);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	struct connection *c = io->data;

	(void)loop;
	(void)events;
	if (!c->queued) /* else it has its turn anyway */
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

bool connections_add(struct connections *connections, int fd, const struct sockaddr_storage *peer, bool preface)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c != NULL) {
		c->fd = fd;
		c->gw = gw_conn_new(connections->gateway, socket_transport(&c->fd), (const struct sockaddr *)peer,
				    preface, connections->now_ms);
	}
	if (c == NULL || c->gw == NULL) {
		free(c);
		(void)close(fd);
		return false;
	}
	gw_conn_on_wake(c->gw, on_wake, c);
	c->home = connections;
	c->armed_ms = THAW_NEVER;
	ev_io_init(&c->io, on_io, fd, 0);
	c->io.data = c;
	ev_init(&c->timer, on_timer);
	c->timer.data = c;
	LIST_INSERT_HEAD(&connections->all, c, all);
	connections->count++;
	step(c);
	return true;
}

bool connections_turn(struct connections *connections)
{
	struct connection_queue turn = TAILQ_HEAD_INITIALIZER(turn);

	/* Who queues up again in its own step waits for the next call. */
	TAILQ_CONCAT(&turn, &connections->queue, queue);
	while (!TAILQ_EMPTY(&turn)) {
		struct connection *c = TAILQ_FIRST(&turn);
		TAILQ_REMOVE(&turn, c, queue);
		c->queued = false;
		step(c);
	}
	return !TAILQ_EMPTY(&connections->queue);
}

void connections_retire(struct connections *connections)
{
	struct connection *next;

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
}
