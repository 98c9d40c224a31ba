#include "loop/admin.h"

#include <errno.h>
#include <ev.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/network.h"
#include "base/socket.h"
#include "loop/log.h"

#define ACCEPT_NAP .1 /* seconds that the process pauses when no descriptor is left */

struct visit {
	LIST_ENTRY(visit) link;
	struct admin_process *process;
	struct admin_conn *conn;
	int fd;
	ev_io io;
	ev_timer timer;
};
LIST_HEAD(visits, visit);

struct admin_process {
	const struct admin_setup *setup;
	struct admin admin;
	char machine[HOST_NAME_MAX + 1]; /* the host name */
	struct ev_loop *loop;
	int listener; /* -1: no new connections are accepted */
	ev_io accepts;
	ev_timer nap;
	ev_signal term;
	struct visits visits;
	unsigned count;
	struct channel channel;
};

/* Also updates the offset to the wall clock. */
static uint64_t read_clocks(struct admin_process *process)
{
	process->admin.wall_offset_ms = clock_wall_offset_ms();
	return clock_now_ms();
}

static bool is_over(const struct admin_process *process)
{
	return process->listener < 0 && process->count == 0;
}

/* ---- one connection ---- */

static void end_visit(struct visit *visit)
{
	struct admin_process *process = visit->process;

	ev_io_stop(process->loop, &visit->io);
	ev_timer_stop(process->loop, &visit->timer);
	LIST_REMOVE(visit, link);
	admin_conn_free(&visit->conn);
	(void)close(visit->fd);
	free(visit);
	if (process->count-- == ADMIN_CONNECTIONS_MAX && process->listener >= 0)
		ev_io_start(process->loop, &process->accepts);
	if (is_over(process))
		ev_break(process->loop, EVBREAK_ALL);
}

static void step(struct visit *visit)
{
	struct admin_process *process = visit->process;
	uint64_t now_ms = read_clocks(process);
	struct admin_wants wants = admin_conn_step(visit->conn, process->count > ADMIN_CROWD, now_ms);
	int events = (wants.read ? EV_READ : 0) | (wants.write ? EV_WRITE : 0);

	if (wants.dead) {
		end_visit(visit);
		return;
	}
	if (visit->io.events != events) {
		ev_io_stop(process->loop, &visit->io);
		ev_io_set(&visit->io, visit->fd, events);
	}
	ev_io_start(process->loop, &visit->io);
	ev_timer_stop(process->loop, &visit->timer);
	ev_timer_set(&visit->timer, wants.deadline_ms > now_ms ? (double)(wants.deadline_ms - now_ms) / 1000. : 0., 0.);
	ev_timer_start(process->loop, &visit->timer);
}

static void on_io(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	step(io->data);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	step(timer->data);
}

static bool may_read(const struct admin_process *process, const struct sockaddr_storage *peer)
{
	const struct config_networks *allow = &process->setup->config->admin_access.allow;
	struct network client;

	return allow->count == 0 || (network_of((const struct sockaddr *)peer, &client) &&
				     network_is_listed(allow->items, allow->count, &client));
}

/* Takes ownership of fd. */
static void begin_visit(struct admin_process *process, int fd, const struct sockaddr_storage *peer)
{
	struct visit *visit = calloc(1, sizeof(*visit));

	if (visit != NULL) {
		visit->fd = fd;
		visit->conn = admin_conn_new(&process->admin, socket_transport(&visit->fd), clock_now_ms());
	}
	if (visit == NULL || visit->conn == NULL) {
		free(visit);
		(void)close(fd);
		return;
	}
	visit->process = process;
	if (!may_read(process, peer))
		admin_conn_bar(visit->conn);
	ev_io_init(&visit->io, on_io, fd, EV_READ);
	ev_timer_init(&visit->timer, on_timer, 0., 0.);
	visit->io.data = visit->timer.data = visit;
	LIST_INSERT_HEAD(&process->visits, visit, link);
	process->count++;
	step(visit);
}

/* ---- all connections ---- */

static void on_accept(struct ev_loop *loop, ev_io *io, int events)
{
	struct admin_process *process = io->data;

	(void)events;
	while (process->count < ADMIN_CONNECTIONS_MAX) {
		struct sockaddr_storage peer;
		int fd = socket_accept(io->fd, &peer);
		if (fd < 0)
			break;
		begin_visit(process, fd, &peer);
	}
	if (process->count >= ADMIN_CONNECTIONS_MAX) {
		ev_io_stop(loop, io); /* until a connection ends */
	} else if (errno != EAGAIN && errno != EWOULDBLOCK) {
		ev_io_stop(loop, io);
		ev_timer_set(&process->nap, ACCEPT_NAP, 0.);
		ev_timer_start(loop, &process->nap);
	}
}

static void on_nap(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct admin_process *process = timer->data;

	(void)events;
	if (process->listener >= 0 && process->count < ADMIN_CONNECTIONS_MAX)
		ev_io_start(loop, &process->accepts);
}

static void close_listener(struct admin_process *process)
{
	ev_io_stop(process->loop, &process->accepts);
	ev_timer_stop(process->loop, &process->nap);
	if (process->listener >= 0)
		(void)close(process->listener);
	process->listener = -1;
}

static void on_term(struct ev_loop *loop, ev_signal *signal, int events)
{
	struct admin_process *process = signal->data;
	struct visit *visit, *next;

	(void)events;
	close_listener(process);
	for (visit = LIST_FIRST(&process->visits); visit != NULL; visit = next) {
		next = LIST_NEXT(visit, link);
		admin_conn_retire(visit->conn);
		step(visit);
	}
	if (is_over(process))
		ev_break(loop, EVBREAK_ALL);
}

static void run(struct admin_process *process)
{
	struct visit *visit, *next;

	ev_io_init(&process->accepts, on_accept, process->listener, EV_READ);
	ev_timer_init(&process->nap, on_nap, ACCEPT_NAP, 0.);
	ev_signal_init(&process->term, on_term, SIGTERM);
	process->accepts.data = process->nap.data = process->term.data = process;
	ev_signal_start(process->loop, &process->term);
	ev_io_start(process->loop, &process->accepts);
	process->channel = (struct channel){0}; /* the master's messages are for workers */
	channel_start(&process->channel, process->loop, &process->setup->master);
	(void)ev_run(process->loop, 0);
	channel_stop(&process->channel);
	for (visit = LIST_FIRST(&process->visits); visit != NULL; visit = next) {
		next = LIST_NEXT(visit, link);
		end_visit(visit);
	}
	close_listener(process);
	ev_signal_stop(process->loop, &process->term);
	ev_loop_destroy(process->loop);
}

bool admin_run(const struct admin_setup *setup)
{
	struct admin_process process = {
		.setup = setup,
		.listener = setup->listener,
		.visits = LIST_HEAD_INITIALIZER(process.visits),
		.admin =
			{
				.scoreboard = setup->scoreboard,
				.quota = setup->quota,
				.expiries = setup->expiries,
				.names = setup->config->admin_names,
				.memory_limit = setup->config->spool.memory,
				.disk_limit = setup->config->spool.disk,
				.began_ms = setup->began_ms,
			},
	};

	/* Requests may name the host, in addition to the names in the settings. */
	if (gethostname(process.machine, sizeof(process.machine) - 1) == 0)
		process.admin.host = process.machine;
	process.loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (process.loop == NULL) {
		log_say(setup->log, CONFIG_LOG_ERROR, "the admin process cannot start: out of memory");
		return false;
	}
	log_broken_checks(setup->log, NULL);
	run(&process);
	log_broken_checks(NULL, NULL);
	return true;
}
