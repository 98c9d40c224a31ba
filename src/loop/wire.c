/* A leg that is connected, as a transport. */
#include "loop/server.h"

#include "base/socket.h"

#define UNREAD_MAX 4096

void leg_watch_events(struct gw_leg *leg, int events)
{
	struct ev_loop *loop = leg->group->pool->setup.loop;

	if (ev_is_active(&leg->io) && (leg->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(loop, &leg->io);
	if (leg->fd < 0 || events == 0)
		return;
	ev_io_set(&leg->io, leg->fd, events);
	ev_io_start(loop, &leg->io);
}

/* ---- waiting ---- */

static void watch_wanted(struct gw_leg *leg)
{
	bool read = (leg->want_read && !leg->read_wants_write) || (leg->want_write && leg->write_wants_read);
	bool write = (leg->want_write && !leg->write_wants_read) || (leg->want_read && leg->read_wants_write) ||
		     leg->closing;

	leg_watch_events(leg, (read ? EV_READ : 0) | (write ? EV_WRITE : 0));
}

void leg_watch(struct gw_leg *leg, bool read, bool write)
{
	struct ev_loop *loop = leg->group->pool->setup.loop;

	leg->want_read = read;
	leg->want_write = write;
	watch_wanted(leg);
	ev_timer_stop(loop, &leg->timer);
	if (leg->tls != NULL)
		tls_client_step(leg->tls);
	if (read && leg->tls != NULL && tls_client_pending(leg->tls)) { /* the socket would not tell of it */
		ev_timer_set(&leg->timer, 0., 0.);
		ev_timer_start(loop, &leg->timer);
	}
}

void leg_stir(struct gw_leg *leg)
{
	if (leg->closing) {
		leg->closing = tls_client_close_notify(leg->tls) == THAW_WANT_WRITE;
		watch_wanted(leg);
	}
	if (leg->want_read || leg->want_write)
		leg->wake(leg->arg);
}

bool leg_is_fit(struct gw_leg *leg)
{
	char byte;
	size_t len = 0;

	if (leg->tls == NULL)
		return socket_is_quiet(leg->fd);
	/* Tickets and the like may come at any time. */
	tls_client_step(leg->tls);
	return tls_client_read(leg->tls, &byte, 1, &len, NULL) == THAW_WANT_READ;
}

/* ---- reading and writing ---- */

static ssize_t note(struct gw_leg *leg, ssize_t got)
{
	if (got > 0 && !leg->heard) {
		leg->heard = true;
		server_heard(leg->server);
	}
	return got;
}

static ssize_t plain_read(void *io, void *data, size_t room)
{
	struct gw_leg *leg = io;
	struct transport socket = socket_transport(&leg->fd);

	return note(leg, socket.ops->read(socket.io, data, room));
}

static ssize_t plain_write(void *io, const void *data, size_t len)
{
	struct transport socket = socket_transport(&((struct gw_leg *)io)->fd);

	return socket.ops->write(socket.io, data, len);
}

static void plain_half_close(void *io)
{
	struct transport socket = socket_transport(&((struct gw_leg *)io)->fd);

	socket.ops->half_close(socket.io);
}

static ssize_t plain_discard(void *io, size_t max)
{
	struct gw_leg *leg = io;
	struct transport socket = socket_transport(&leg->fd);

	return note(leg, socket.ops->discard(socket.io, max));
}

static ssize_t tls_read(void *io, void *data, size_t room)
{
	struct gw_leg *leg = io;
	size_t got = 0;
	enum thaw_status status = tls_client_read(leg->tls, data, room, &got, NULL);

	leg->read_wants_write = status == THAW_WANT_WRITE;
	if (status == THAW_OK)
		return note(leg, (ssize_t)got);
	if (status == THAW_CLOSED)
		return TRANSPORT_END;
	return status == THAW_FAILED ? TRANSPORT_BROKEN : TRANSPORT_BLOCKED;
}

static ssize_t tls_write(void *io, const void *data, size_t len)
{
	struct gw_leg *leg = io;
	size_t put = 0, all = 0;
	enum thaw_status status = THAW_OK;

	for (; all < len && status == THAW_OK; all += put) /* one record at a time */
		status = tls_client_write(leg->tls, (const char *)data + all, len - all, &put, NULL);
	leg->write_wants_read = status == THAW_WANT_READ;
	if (all > 0)
		return (ssize_t)all;
	return status == THAW_FAILED || status == THAW_CLOSED ? TRANSPORT_BROKEN : TRANSPORT_BLOCKED;
}

/* No FIN: where a server takes that for the end of both directions, the rest of its answer would be lost. */
static void tls_half_close(void *io)
{
	struct gw_leg *leg = io;

	leg->closing = tls_client_close_notify(leg->tls) == THAW_WANT_WRITE;
	watch_wanted(leg);
}

static ssize_t tls_discard(void *io, size_t max)
{
	char unread[UNREAD_MAX];

	return tls_read(io, unread, max < sizeof(unread) ? max : sizeof(unread));
}

struct transport leg_transport(struct gw_leg *leg)
{
	static const struct transport_ops plain = {
		.read = plain_read, .write = plain_write, .half_close = plain_half_close, .discard = plain_discard};
	static const struct transport_ops tls = {
		.read = tls_read, .write = tls_write, .half_close = tls_half_close, .discard = tls_discard};

	return (struct transport){leg->tls != NULL ? &tls : &plain, leg};
}
